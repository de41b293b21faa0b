"""Ingresses and their classes, network policies, service ranges and the addresses taken of them.

Source    Kubernetes API reference, networking.k8s.io/v1; the rules of networking validation.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from busk8s.api.meta import (
    label_errors,
    path_segment_errors,
    subdomain_errors,
    wildcard_errors,
)
from busk8s.api.rules.addresses import is_ip
from busk8s.api.rules.cause import (
    forbidden,
    immutable,
    in_range,
    invalid,
    invalid_each,
    not_supported,
    required,
    too_long,
)
from busk8s.api.rules.ports import PORT_MAX, PROTOCOLS, port_name_errors, validate_port_or_name
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.errors import Cause

Json = dict[str, Any]

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
POLICY_TYPES = ("Egress", "Ingress")
CONTROLLER_LENGTH_MAX = 250
SERVICE_RANGES_MAX = 2
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_BAD_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_BAD_AT_END = ("/..", "/.")
_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def validate_ingress(ingress: Json, causes: list[Cause]) -> None:
    spec = ingress.get("spec") or {}
    annotations = ingress["metadata"].get("annotations") or {}
    if CLASS_ANNOTATION in annotations and "ingressClassName" in spec:
        path = f"metadata.annotations[{CLASS_ANNOTATION}]"
        detail = "can not be set when the class field is also set"
        causes.append(invalid(path, annotations[CLASS_ANNOTATION], detail))
    _validate_ingress_spec(spec, causes)


def validate_ingress_update(new: Json, old: Json, causes: list[Cause]) -> None:
    _validate_ingress_spec(new.get("spec") or {}, causes)


def validate_ingress_status(new: Json, old: Json, causes: list[Cause]) -> None:
    """What a load balancer reports: addresses and names."""
    balancer = (new.get("status") or {}).get("loadBalancer") or {}
    for index, point in enumerate(balancer.get("ingress") or ()):
        here = f"status.loadBalancer.ingress[{index}]"
        if point.get("ip") and not is_ip(point["ip"]):
            causes.append(invalid(f"{here}.ip", point["ip"], "must be a valid IP address"))
        if name := point.get("hostname"):
            causes += invalid_each(f"{here}.hostname", name, subdomain_errors(name))
            if is_ip(name):
                detail = "must be a DNS name, not an IP address"
                causes.append(invalid(f"{here}.hostname", name, detail))


def _validate_ingress_spec(spec: Json, causes: list[Cause]) -> None:
    rules, backend = spec.get("rules") or (), spec.get("defaultBackend")
    if not rules and backend is None:
        detail = "either `defaultBackend` or `rules` must be specified"
        causes.append(invalid("spec", spec.get("rules") or [], detail))
    if backend is not None:
        _validate_backend(backend, "spec.defaultBackend", causes)
    for index, rule in enumerate(rules):
        _validate_ingress_rule(rule, f"spec.rules[{index}]", causes)
    for index, tls in enumerate(spec.get("tls") or ()):
        here = f"spec.tls[{index}]"
        for number, host in enumerate(tls.get("hosts") or ()):
            causes += invalid_each(f"{here}.hosts[{number}]", host, _host_errors(host))
        if secret := tls.get("secretName"):
            causes += invalid_each(f"{here}.secretName", secret, subdomain_errors(secret))
    if "ingressClassName" in spec:
        name = spec["ingressClassName"]
        causes += invalid_each("spec.ingressClassName", name, subdomain_errors(name))


def _validate_ingress_rule(rule: Json, path: str, causes: list[Cause]) -> None:
    if host := rule.get("host"):
        if is_ip(host):
            causes.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
        causes += invalid_each(f"{path}.host", host, _host_errors(host))
    http = rule.get("http")
    if http is None:
        return
    paths = http.get("paths") or ()
    if not paths:
        causes.append(required(f"{path}.http.paths"))
    for index, entry in enumerate(paths):
        _validate_http_path(entry, f"{path}.http.paths[{index}]", causes)


def _validate_http_path(entry: Json, path: str, causes: list[Cause]) -> None:
    kind, text = entry.get("pathType"), entry.get("path") or ""
    if not kind:
        causes.append(required(f"{path}.pathType", "pathType must be specified"))
    elif kind not in PATH_TYPES:
        causes.append(not_supported(f"{path}.pathType", kind, PATH_TYPES))
    elif kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            causes.append(invalid(f"{path}.path", text, "must be an absolute path"))
        for bad in _BAD_IN_PATH:
            if bad in text:
                causes.append(invalid(f"{path}.path", text, f"must not contain '{bad}'"))
        for bad in _BAD_AT_END:
            if text.endswith(bad):
                causes.append(invalid(f"{path}.path", text, f"cannot end with '{bad}'"))
    elif text and not text.startswith("/"):
        causes.append(invalid(f"{path}.path", text, "must be an absolute path"))
    _validate_backend(entry.get("backend") or {}, f"{path}.backend", causes)


def _validate_backend(backend: Json, path: str, causes: list[Cause]) -> None:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        detail = "cannot set both resource and service backends"
        causes.append(invalid(path, "", detail))
    elif resource is not None:
        for name in ("kind", "name"):
            if not resource.get(name):
                causes.append(required(f"{path}.resource.{name}"))
    elif service is None:
        causes.append(required(path, "resource or service backend is required"))
    else:
        _validate_service_backend(service, f"{path}.service", causes)


def _validate_service_backend(service: Json, path: str, causes: list[Cause]) -> None:
    name, port = service.get("name") or "", service.get("port") or {}
    if not name:
        causes.append(required(f"{path}.name"))
    else:
        causes += invalid_each(f"{path}.name", name, label_errors(name))
    if port.get("name") and port.get("number"):
        causes.append(invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        causes += invalid_each(f"{path}.port.name", port["name"], port_name_errors(port["name"]))
    elif port.get("number"):
        causes += in_range(f"{path}.port.number", port["number"], 1, PORT_MAX)
    else:
        causes.append(required(path, "port name or number is required"))


def _host_errors(host: str) -> tuple[str, ...]:
    return wildcard_errors(host) if "*" in host else subdomain_errors(host)


def validate_ingress_class(ingress_class: Json, causes: list[Cause]) -> None:
    spec = ingress_class.get("spec") or {}
    controller, parameters = spec.get("controller") or "", spec.get("parameters")
    if len(controller) > CONTROLLER_LENGTH_MAX:
        causes.append(too_long("spec.controller", CONTROLLER_LENGTH_MAX))
    if not controller:
        causes.append(required("spec.controller"))
    elif "/" not in controller or qualified_path_errors(controller):
        detail = 'must be a domain-prefixed path (such as "acme.io/foo")'
        causes.append(invalid("spec.controller", controller, detail))
    if parameters is not None:
        _validate_parameters(parameters, "spec.parameters", causes)


def validate_ingress_class_update(new: Json, old: Json, causes: list[Cause]) -> None:
    controller = (new.get("spec") or {}).get("controller")
    if controller != (old.get("spec") or {}).get("controller"):
        causes.append(immutable("spec.controller", controller))
    validate_ingress_class(new, causes)


def qualified_path_errors(text: str) -> list[str]:
    """Why `text` is no `domain/path`."""
    domain, _, path = text.partition("/")
    errors = list(subdomain_errors(domain)) if domain else ["prefix part must be non-empty"]
    if not path or any(path_segment_errors(part) for part in path.split("/") if part):
        errors.append("the path part is not valid")
    return errors


def _validate_parameters(parameters: Json, path: str, causes: list[Cause]) -> None:
    for name in ("kind", "name"):
        value = parameters.get(name)
        if not value:
            causes.append(required(f"{path}.{name}", f"{name} is required"))
        else:
            causes += invalid_each(f"{path}.{name}", value, path_segment_errors(value))
    if group := parameters.get("apiGroup"):
        causes += invalid_each(f"{path}.apiGroup", group, subdomain_errors(group))
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        causes.append(required(f"{path}.scope"))
    elif scope not in ("Cluster", "Namespace"):
        causes.append(not_supported(f"{path}.scope", scope, ("Cluster", "Namespace")))
    elif scope == "Cluster" and namespace is not None:
        detail = "`parameters.scope` is set to 'Cluster'"
        causes.append(forbidden(f"{path}.namespace", detail))
    elif scope == "Namespace":
        if not namespace:
            detail = "`parameters.scope` is set to 'Namespace'"
            causes.append(required(f"{path}.namespace", detail))
        else:
            causes += invalid_each(f"{path}.namespace", namespace, label_errors(namespace))


def validate_network_policy(policy: Json, causes: list[Cause]) -> None:
    spec = policy.get("spec") or {}
    validate_label_selector(spec.get("podSelector") or {}, "spec.podSelector", causes)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            here = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                _validate_policy_port(port, f"{here}.ports[{number}]", causes)
            for number, peer in enumerate(rule.get(peers) or ()):
                _validate_peer(peer, f"{here}.{peers}[{number}]", causes)
    types = spec.get("policyTypes") or ()
    if len(types) > len(POLICY_TYPES):
        detail = "may not specify more than two policyTypes"
        causes.append(invalid("spec.policyTypes", types, detail))
        return
    for index, kind in enumerate(types):
        if kind not in POLICY_TYPES:
            causes.append(not_supported(f"spec.policyTypes[{index}]", kind, POLICY_TYPES))


def _validate_policy_port(port: Json, path: str, causes: list[Cause]) -> None:
    protocol = port.get("protocol")
    if protocol is not None and protocol not in PROTOCOLS:
        causes.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))
    number, end = port.get("port"), port.get("endPort")
    if number is None:
        if end is not None:
            detail = "may not be specified when `port` is not specified"
            causes.append(invalid(f"{path}.endPort", end, detail))
        return
    causes += validate_port_or_name(number, f"{path}.port")
    if end is None:
        return
    if isinstance(number, str):
        detail = "may not be specified when `port` is non-numeric"
        causes.append(invalid(f"{path}.endPort", end, detail))
    elif end < number:
        detail = "must be greater than or equal to `port`"
        causes.append(invalid(f"{path}.endPort", end, detail))
    else:
        causes += in_range(f"{path}.endPort", end, 1, PORT_MAX)


def _validate_peer(peer: Json, path: str, causes: list[Cause]) -> None:
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if name in peer]
    for name in given[:2]:
        if name != "ipBlock":
            validate_label_selector(peer[name], f"{path}.{name}", causes)
    if "ipBlock" in given:
        _validate_ip_block(peer["ipBlock"], f"{path}.ipBlock", causes)
    if not given:
        causes.append(required(path, "must specify a peer"))
    elif "ipBlock" in given and len(given) > 1:
        detail = "may not specify both ipBlock and another peer"
        causes.append(forbidden(path, detail))


def _validate_ip_block(block: Json, path: str, causes: list[Cause]) -> None:
    cidr = block.get("cidr") or ""
    if not cidr:
        causes.append(required(f"{path}.cidr"))
        return
    network = _network(cidr)
    if network is None:
        causes.append(invalid(f"{path}.cidr", cidr, _CIDR))
        return
    for index, text in enumerate(block.get("except") or ()):
        here, inner = f"{path}.except[{index}]", _network(text)
        if inner is None:
            causes.append(invalid(here, text, _CIDR))
        elif inner == network or inner.network_address not in network:
            detail = "must be a strict subset of `cidr`"
            causes.append(invalid(here, text, detail))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def validate_service_cidr(service_cidr: Json, causes: list[Cause]) -> None:
    cidrs = (service_cidr.get("spec") or {}).get("cidrs") or []
    if not cidrs:
        causes.append(required("spec.cidrs", "at least one CIDR required"))
    elif len(cidrs) > SERVICE_RANGES_MAX:
        detail = "may only hold up to 2 values"
        causes.append(invalid("spec", {"cidrs": cidrs}, detail))
    families = []
    for index, cidr in enumerate(cidrs):
        network = _network(cidr)
        if network is None:
            causes.append(invalid(f"spec.cidrs[{index}]", cidr, _CIDR))
        elif str(network) != cidr:
            detail = f'must be in canonical form ("{network}")'
            causes.append(invalid(f"spec.cidrs[{index}]", cidr, detail))
        else:
            families.append(network.version)
    if len(families) == SERVICE_RANGES_MAX and len(set(families)) == 1:
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
        causes.append(invalid("spec.cidrs", cidrs, detail + "2001:db8::/96"))


def validate_service_cidr_update(new: Json, old: Json, causes: list[Cause]) -> None:
    cidrs = (new.get("spec") or {}).get("cidrs") or []
    was = (old.get("spec") or {}).get("cidrs") or []
    for index, cidr in enumerate(was):
        if index >= len(cidrs) or cidrs[index] != cidr:
            causes.append(immutable(f"spec.cidrs[{index}]", cidrs[index : index + 1] or None))
    if len(cidrs) > len(was) == 1:
        validate_service_cidr(new, causes)


def validate_ip_address(address: Json, causes: list[Cause]) -> None:
    """Its name is the address; who holds it is named completely."""
    name = address["metadata"].get("name") or ""
    try:
        canonical = str(ipaddress.ip_address(name)) == name
    except ValueError:
        canonical = False
    if not canonical:
        detail = "must be a valid IP address in canonical form"
        causes.append(invalid("metadata.name", name, detail))
    parent = (address.get("spec") or {}).get("parentRef")
    if parent is None:
        causes.append(required("spec.parentRef"))
        return
    for field, errors in (
        ("group", subdomain_errors), ("namespace", path_segment_errors),
        ("resource", path_segment_errors), ("name", path_segment_errors),
    ):  # fmt: skip
        value = parent.get(field)
        if value:
            causes += invalid_each(f"spec.parentRef.{field}", value, errors(value))
        elif field in ("resource", "name"):
            causes.append(required(f"spec.parentRef.{field}"))


def validate_ip_address_update(new: Json, old: Json, causes: list[Cause]) -> None:
    parent = (new.get("spec") or {}).get("parentRef")
    if parent != (old.get("spec") or {}).get("parentRef"):
        causes.append(immutable("spec.parentRef", parent))

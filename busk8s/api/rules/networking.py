"""Ingresses and their classes, network policies, service ranges and the addresses taken of them.

Source    Kubernetes API reference, networking.k8s.io/v1; the rules of networking validation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from busk8s.api.meta import (
    label_errors,
    path_segment_errors,
    subdomain_errors,
    wildcard_errors,
)
from busk8s.api.rules.addresses import cidr_errors, ip_errors, is_ip
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
from busk8s.api.rules.ports import PORT_MAX, port_name_errors, validate_port_or_name
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.errors import Cause

Json = dict[str, Any]

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
POLICY_TYPES = ("Ingress", "Egress")
CONTROLLER_LENGTH_MAX = 250
SERVICE_RANGES_MAX = 2
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_BAD_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_BAD_AT_END = ("/..", "/.")
_PROTOCOLS = ("TCP", "UDP", "SCTP")  # In the order that upstream lists them here.
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))
_HTTP_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", re.ASCII)


def validate_ingress(ingress: Json, causes: list[Cause]) -> None:
    spec = ingress.get("spec") or {}
    _validate_ingress_spec(spec, {}, causes)
    noted = (ingress["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION)
    name = spec.get("ingressClassName")
    if None not in (noted, name) and noted != name:
        detail = "must match `ingressClassName` when both are specified"
        causes.append(invalid(f"annotations.{CLASS_ANNOTATION}", noted, detail))


def validate_ingress_update(new: Json, old: Json, causes: list[Cause]) -> None:
    _validate_ingress_spec(new.get("spec") or {}, old.get("spec") or {}, causes)


def validate_ingress_status(new: Json, old: Json, causes: list[Cause]) -> None:
    """What a load balancer reports: addresses and names."""
    balancer, before = ((each.get("status") or {}).get("loadBalancer") or {} for each in (new, old))
    known = [each.get("ip") or "" for each in before.get("ingress") or ()]
    for index, point in enumerate(balancer.get("ingress") or ()):
        here = f"status.loadBalancer.ingress[{index}]"
        if ip := point.get("ip"):
            causes += ip_errors(ip, f"{here}.ip", known)
        if name := point.get("hostname"):
            causes += invalid_each(f"{here}.hostname", name, subdomain_errors(name))
            if is_ip(name):
                detail = "must be a DNS name, not an IP address"
                causes.append(invalid(f"{here}.hostname", name, detail))


def _validate_ingress_spec(spec: Json, was: Json, causes: list[Cause]) -> None:
    """`was`: a secret's name, or a rule of many hosts, that was wrong already is let pass."""
    rules, backend = spec.get("rules") or (), spec.get("defaultBackend")
    if not rules and backend is None:
        detail = "either `defaultBackend` or `rules` must be specified"
        causes.append(invalid("spec", spec.get("rules") or [], detail))
    if backend is not None:
        _validate_backend(backend, "spec.defaultBackend", causes)
    odd_rules = any(
        "*" in (each.get("host") or "") and _rule_errors(each, "")
        for each in was.get("rules") or ()
    )
    for index, rule in enumerate(rules):
        _validate_host(rule.get("host") or "", f"spec.rules[{index}].host", causes)
        if not (odd_rules and "*" in (rule.get("host") or "")):
            causes += _rule_errors(rule, f"spec.rules[{index}].http")
    odd_names = any(
        each.get("secretName") and subdomain_errors(each["secretName"])
        for each in was.get("tls") or ()
    )
    for index, tls in enumerate(spec.get("tls") or ()):
        here = f"spec.tls[{index}]"
        for number, host in enumerate(tls.get("hosts") or ()):
            causes += invalid_each(f"{here}.hosts[{number}]", host, _host_errors(host))
        secret = tls.get("secretName")
        if secret and not odd_names:
            causes += invalid_each(f"{here}.secretName", secret, subdomain_errors(secret))
    if "ingressClassName" in spec:
        name = spec["ingressClassName"]
        causes += invalid_each("spec.ingressClassName", name, subdomain_errors(name))


def _validate_host(host: str, path: str, causes: list[Cause]) -> None:
    if not host:
        return
    if is_ip(host):
        causes.append(invalid(path, host, "must be a DNS name, not an IP address"))
    causes += invalid_each(path, host, _host_errors(host))


def _rule_errors(rule: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    http = rule.get("http")
    if http is None:
        return causes
    paths = http.get("paths") or ()
    if not paths:
        causes.append(required(f"{path}.paths"))
    for index, entry in enumerate(paths):
        _validate_http_path(entry, f"{path}.paths[{index}]", causes)
    return causes


def _validate_http_path(entry: Json, path: str, causes: list[Cause]) -> None:
    kind, text = entry.get("pathType"), entry.get("path") or ""
    if not kind:
        causes.append(required(f"{path}.pathType", "pathType must be specified"))
        return
    if kind not in PATH_TYPES:
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
        _validate_reference(resource, f"{path}.resource", causes)
    elif service is None:
        causes.append(invalid(path, "", "resource or service backend is required"))
    else:
        _validate_service_backend(service, path, causes)


def _validate_service_backend(service: Json, path: str, causes: list[Cause]) -> None:
    name, port, here = service.get("name") or "", service.get("port") or {}, f"{path}.service"
    if not name:
        causes.append(required(f"{here}.name"))
    else:
        causes += invalid_each(f"{here}.name", name, label_errors(name))
    if port.get("name") and port.get("number"):
        causes.append(invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        causes += invalid_each(f"{here}.port.name", port["name"], port_name_errors(port["name"]))
    elif port.get("number"):
        causes += in_range(f"{here}.port.number", port["number"], 1, PORT_MAX)
    else:
        causes.append(required(path, "port name or number is required"))


def _validate_reference(reference: Json, path: str, causes: list[Cause]) -> None:
    if (group := reference.get("apiGroup")) is not None:
        causes += invalid_each(f"{path}.apiGroup", group, subdomain_errors(group))
    for name in ("kind", "name"):
        value = reference.get(name)
        if not value:
            causes.append(required(f"{path}.{name}"))
        else:
            causes += invalid_each(f"{path}.{name}", value, path_segment_errors(value))


def _host_errors(host: str) -> tuple[str, ...]:
    return wildcard_errors(host) if "*" in host else subdomain_errors(host)


def validate_ingress_class(ingress_class: Json, causes: list[Cause]) -> None:
    spec = ingress_class.get("spec") or {}
    controller, parameters = spec.get("controller") or "", spec.get("parameters")
    if len(controller) > CONTROLLER_LENGTH_MAX:
        causes.append(too_long("spec.controller", CONTROLLER_LENGTH_MAX))
    _validate_controller(controller, "spec.controller", causes)
    if parameters is not None:
        _validate_parameters(parameters, "spec.parameters", causes)


def validate_ingress_class_update(new: Json, old: Json, causes: list[Cause]) -> None:
    controller = (new.get("spec") or {}).get("controller")
    if controller != (old.get("spec") or {}).get("controller"):
        causes.append(immutable("spec.controller", controller))
    validate_ingress_class(new, causes)


def _validate_controller(text: str, path: str, causes: list[Cause]) -> None:
    if not text:
        causes.append(required(path))
        return
    domain, _, rest = text.partition("/")
    if not domain or not rest:
        detail = 'must be a domain-prefixed path (such as "acme.io/foo")'
        causes.append(invalid(path, text, detail))
        return
    causes += invalid_each(path, domain, subdomain_errors(domain))
    if not _HTTP_PATH.fullmatch(rest):
        detail = f"Invalid path (regex used for validation is '{_HTTP_PATH.pattern}')"
        causes.append(invalid(path, rest, detail))


def _validate_parameters(parameters: Json, path: str, causes: list[Cause]) -> None:
    _validate_reference(parameters, path, causes)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        causes.append(required(f"{path}.scope"))
    elif scope not in ("Cluster", "Namespace"):
        causes.append(not_supported(f"{path}.scope", scope, ("Cluster", "Namespace")))
    elif scope == "Cluster" and namespace is not None:
        detail = "`parameters.scope` is set to 'Cluster'"
        causes.append(forbidden(f"{path}.namespace", detail))
    elif scope == "Namespace":
        if namespace is None:
            detail = "`parameters.scope` is set to 'Namespace'"
            causes.append(required(f"{path}.namespace", detail))
        else:
            causes += invalid_each(f"{path}.namespace", namespace, label_errors(namespace))


def validate_network_policy(policy: Json, causes: list[Cause]) -> None:
    _validate_policy(policy.get("spec") or {}, causes, False, ())


def validate_network_policy_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """Selectors and networks that were let in earlier are let pass."""
    was = old.get("spec") or {}
    odd: list[Cause] = []
    validate_label_selector(was.get("podSelector") or {}, "", odd)
    known: list[str] = []
    for direction, peers in _DIRECTIONS:
        for rule in was.get(direction) or ():
            for peer in rule.get(peers) or ():
                block = peer.get("ipBlock") or {}
                known += [block.get("cidr") or "", *(block.get("except") or ())]
    _validate_policy(new.get("spec") or {}, causes, bool(odd), known)


def _validate_policy(
    spec: Json, causes: list[Cause], allow_values: bool, known: Sequence[str]
) -> None:
    selector = spec.get("podSelector") or {}
    validate_label_selector(selector, "spec.podSelector", causes, allow_values)
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            here = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                _validate_policy_port(port, f"{here}.ports[{number}]", causes)
            for number, peer in enumerate(rule.get(peers) or ()):
                at = f"{here}.{peers}[{number}]"
                _validate_peer(peer, at, causes, allow_values, known)
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
    if protocol is not None and protocol not in _PROTOCOLS:
        causes.append(not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
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
        causes.append(invalid(f"{path}.endPort", number, detail))
    if not isinstance(number, str):
        causes += in_range(f"{path}.endPort", end, 1, PORT_MAX)


def _validate_peer(
    peer: Json, path: str, causes: list[Cause], allow_values: bool, known: Sequence[str]
) -> None:
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if name in peer]
    for name in given:
        if name == "ipBlock":
            _validate_ip_block(peer[name], f"{path}.ipBlock", known, causes)
        else:
            validate_label_selector(peer[name], f"{path}.{name}", causes, allow_values)
    if not given:
        causes.append(required(path, "must specify a peer"))
    elif "ipBlock" in given and len(given) > 1:
        detail = "may not specify both ipBlock and another peer"
        causes.append(forbidden(path, detail))


def _validate_ip_block(block: Json, path: str, known: Sequence[str], causes: list[Cause]) -> None:
    cidr = block.get("cidr") or ""
    if not cidr:
        causes.append(required(f"{path}.cidr"))
        return
    causes += cidr_errors(cidr, f"{path}.cidr", known)
    network = _network(cidr)
    for index, text in enumerate(block.get("except") or () if network is not None else ()):
        here, inner = f"{path}.except[{index}]", _network(text)
        causes += cidr_errors(text, here, known)
        if inner is None or network is None:
            continue
        if inner.network_address not in network or inner.prefixlen <= network.prefixlen:
            causes.append(invalid(here, text, "must be a strict subset of `cidr`"))


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
        causes.append(invalid("spec.cidrs", {"CIDRs": cidrs}, detail))
        return
    families = []
    for index, cidr in enumerate(cidrs):
        errors, network = cidr_errors(cidr, f"spec.cidrs[{index}]"), _network(cidr)
        if errors or network is None:
            causes += errors
        elif str(network) != cidr:
            detail = f'must be in canonical form ("{network}")'
            causes.append(invalid(f"spec.cidrs[{index}]", cidr, detail))
        else:
            families.append(network.version)
    if len(families) == SERVICE_RANGES_MAX and len(set(families)) == 1:
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
        causes.append(invalid("spec.cidrs", cidrs, detail + "2001:db8::/64"))


def validate_service_cidr_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """A second family may come later; nothing else changes."""
    cidrs = (new.get("spec") or {}).get("cidrs") or []
    was = (old.get("spec") or {}).get("cidrs") or []
    grows = len(was) == 1 and len(cidrs) == SERVICE_RANGES_MAX
    if not grows and len(cidrs) != len(was):
        causes.append(immutable("spec.cidrs", cidrs))
        return
    for index, (cidr, before) in enumerate(zip(cidrs, was, strict=False)):
        if cidr != before:
            causes.append(immutable(f"spec.cidrs[{index}]", cidr))
    if grows:
        validate_service_cidr(new, causes)


def validate_ip_address(address: Json, causes: list[Cause]) -> None:
    """Its name is the address; who holds it is named completely."""
    name = address["metadata"].get("name") or ""
    if errors := ip_errors(name, "metadata.name"):
        causes += errors
    elif (canonical := str(ipaddress.ip_address(name))) != name:
        detail = f'must be in canonical form ("{canonical}")'
        causes.append(invalid("metadata.name", name, detail))
    parent = (address.get("spec") or {}).get("parentRef")
    if parent is None:
        causes.append(required("spec.parentRef"))
        return
    for field, errors_of in (
        ("group", subdomain_errors), ("namespace", path_segment_errors),
        ("resource", path_segment_errors), ("name", path_segment_errors),
    ):  # fmt: skip
        value = parent.get(field)
        if value:
            causes += invalid_each(f"spec.parentRef.{field}", value, errors_of(value))
        elif field in ("resource", "name"):
            causes.append(required(f"spec.parentRef.{field}"))


def validate_ip_address_update(new: Json, old: Json, causes: list[Cause]) -> None:
    parent = (new.get("spec") or {}).get("parentRef")
    if parent != (old.get("spec") or {}).get("parentRef"):
        causes.append(immutable("spec.parentRef", parent))

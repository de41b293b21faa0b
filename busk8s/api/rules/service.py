"""Services and endpoint slices.

Source    Kubernetes API reference, ServiceSpec and EndpointSlice; the rules of core and
          discovery validation.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors, subdomain_errors
from busk8s.api.rules.addresses import IP_MESSAGE, is_ip
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    immutable,
    in_range,
    invalid,
    invalid_each,
    not_supported,
    one_of,
    required,
    too_many,
)
from busk8s.api.rules.metadata import validate_labels
from busk8s.api.rules.ports import PORT_MAX, PROTOCOLS, validate_port_or_name
from busk8s.errors import Cause

Json = dict[str, Any]

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITIES = ("ClientIP", "None")
TRAFFIC_POLICIES = ("Cluster", "Local")
FAMILIES = ("IPv4", "IPv6")
FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
AFFINITY_TIMEOUT_MAX_S = 86400
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
ENDPOINTS_MAX = 1000
ENDPOINT_ADDRESSES_MAX = 100
SLICE_PORTS_MAX = 20000
_BALANCER_ONLY = ("loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts")
_ONLY_BALANCER = "may only be used when `type` is 'LoadBalancer'"


def validate_service(service: Json, causes: list[Cause]) -> None:
    spec = service.get("spec") or {}
    kind = spec.get("type") or ""
    if kind not in TYPES:
        causes += one_of("spec.type", kind, TYPES)
    headless = spec.get("clusterIP") == "None"
    ports = spec.get("ports")
    if not ports and not headless and kind != "ExternalName":
        causes.append(required("spec.ports"))
    if kind == "ExternalName":
        _validate_external_name(spec, causes)
    _validate_ports(ports or [], kind, causes)
    if selector := spec.get("selector"):
        causes += validate_labels(selector, "spec.selector")
    _validate_affinity(spec, causes)
    _validate_traffic(spec, kind, causes)
    _validate_addresses(spec, kind, causes)


def _validate_external_name(spec: Json, causes: list[Cause]) -> None:
    name = spec.get("externalName") or ""
    if not name:
        causes.append(required("spec.externalName"))
    else:
        causes += invalid_each("spec.externalName", name, subdomain_errors(name.rstrip(".")))
    if spec.get("clusterIP"):
        causes.append(forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'"))


def _validate_ports(ports: list[Json], kind: str, causes: list[Cause]) -> None:
    names, numbers, node_ports = set(), set(), set()
    for index, port in enumerate(ports):
        here = f"spec.ports[{index}]"
        name = port.get("name") or ""
        if not name:
            if len(ports) > 1:
                causes.append(required(f"{here}.name"))
        else:
            causes += invalid_each(f"{here}.name", name, label_errors(name))
            if name in names:
                causes.append(duplicate(f"{here}.name", name))
            names.add(name)
        causes += in_range(f"{here}.port", port.get("port", 0), 1, PORT_MAX)
        causes += one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS)
        causes += validate_port_or_name(port.get("targetPort"), f"{here}.targetPort")
        if protocol := port.get("appProtocol"):
            errors = qualified_name_errors(protocol)
            causes += invalid_each(f"{here}.appProtocol", protocol, errors)
        key = (port.get("protocol"), port.get("port"))
        if key in numbers:
            causes.append(duplicate(here, {"protocol": key[0], "port": key[1]}))
        numbers.add(key)
        if node_port := port.get("nodePort"):
            if kind not in ("NodePort", "LoadBalancer"):
                detail = f"may not be used when `type` is '{kind}'"
                causes.append(forbidden(f"{here}.nodePort", detail))
            if (key[0], node_port) in node_ports:
                causes.append(duplicate(f"{here}.nodePort", node_port))
            node_ports.add((key[0], node_port))


def _validate_affinity(spec: Json, causes: list[Cause]) -> None:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    causes += one_of("spec.sessionAffinity", affinity, AFFINITIES)
    if affinity == "None":
        if config is not None:
            detail = "must not be set when session affinity is None"
            causes.append(forbidden("spec.sessionAffinityConfig", detail))
        return
    timeout = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
    path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
    if affinity == "ClientIP":
        if timeout is None:
            causes.append(required(path, "when session affinity type is ClientIP"))
        elif not 0 < timeout <= AFFINITY_TIMEOUT_MAX_S:
            detail = f"must be greater than 0 and less than {AFFINITY_TIMEOUT_MAX_S}"
            causes.append(invalid(path, timeout, detail))


def _validate_traffic(spec: Json, kind: str, causes: list[Cause]) -> None:
    external = kind in ("NodePort", "LoadBalancer") or (
        kind == "ClusterIP" and spec.get("externalIPs")
    )
    if policy := spec.get("externalTrafficPolicy"):
        if not external:
            detail = "may only be set for externally-accessible services"
            causes.append(invalid("spec.externalTrafficPolicy", policy, detail))
        elif policy not in TRAFFIC_POLICIES:
            causes.append(not_supported("spec.externalTrafficPolicy", policy, TRAFFIC_POLICIES))
    elif external:
        causes.append(required("spec.externalTrafficPolicy"))
    if policy := spec.get("internalTrafficPolicy"):
        causes += one_of("spec.internalTrafficPolicy", policy, TRAFFIC_POLICIES)
    if distribution := spec.get("trafficDistribution"):
        causes += one_of("spec.trafficDistribution", distribution, DISTRIBUTIONS)
    if number := spec.get("healthCheckNodePort"):
        causes += in_range("spec.healthCheckNodePort", number, 1, PORT_MAX)
        if kind != "LoadBalancer" or spec.get("externalTrafficPolicy") != "Local":
            detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is"
            causes.append(invalid("spec.healthCheckNodePort", number, f"{detail} 'Local'"))
    if kind != "LoadBalancer":
        causes.extend(
            forbidden(f"spec.{name}", _ONLY_BALANCER)
            for name in _BALANCER_ONLY
            if spec.get(name) not in (None, "", [])
        )


def _validate_addresses(spec: Json, kind: str, causes: list[Cause]) -> None:
    for index, ip in enumerate(spec.get("externalIPs") or ()):
        causes += _unspecial(ip, f"spec.externalIPs[{index}]")
    for index, cidr in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        if not _is_cidr(cidr.strip()):
            detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            causes.append(invalid(f"spec.loadBalancerSourceRanges[{index}]", cidr, detail))
    if kind == "ExternalName":
        return
    ip, ips = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if ips and ip != ips[0]:
        detail = "first value must match `clusterIP`"
        causes.append(invalid("spec.clusterIPs", ips, detail))
    for index, each in enumerate(ips or ([ip] if ip else [])):
        if each not in ("", "None") and not is_ip(each):
            causes.append(invalid(f"spec.clusterIPs[{index}]", each, IP_MESSAGE))
    families = spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        causes += one_of(f"spec.ipFamilies[{index}]", family, FAMILIES)
        if family in families[:index]:
            causes.append(duplicate(f"spec.ipFamilies[{index}]", family))
    if policy := spec.get("ipFamilyPolicy"):
        causes += one_of("spec.ipFamilyPolicy", policy, FAMILY_POLICIES)


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def validate_service_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_service(new, causes)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" in (spec.get("type"), was.get("type")):
        return
    ip, had = spec.get("clusterIP"), was.get("clusterIP")
    if had and ip and ip != had:
        causes.append(invalid("spec.clusterIPs[0]", [ip], "may not change once set"))
    families, before = spec.get("ipFamilies") or [], was.get("ipFamilies") or []
    if families and before and families[0] != before[0]:
        causes.append(invalid("spec.ipFamilies[0]", families, "may not change once set"))
    if spec.get("type") == was.get("type") == "LoadBalancer":
        name = "loadBalancerClass"
        if was.get(name) and spec.get(name) != was[name]:
            causes.append(invalid(f"spec.{name}", spec.get(name), "may not change once set"))


def _unspecial(ip: str, path: str) -> list[Cause]:
    """Endpoints and external IPs must be addresses that others can reach."""
    if not is_ip(ip):
        return [invalid(path, ip, IP_MESSAGE)]
    address = ipaddress.ip_address(ip)
    if address.is_unspecified:
        return [invalid(path, ip, f"may not be unspecified ({ip})")]
    if address.is_loopback:
        return [invalid(path, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
    if address.is_link_local:
        detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        return [invalid(path, ip, detail)]
    if address.is_multicast and ip.startswith(("224.0.0.", "ff02")):
        detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        return [invalid(path, ip, detail)]
    return []


def validate_endpoint_slice(endpoint_slice: Json, causes: list[Cause]) -> None:
    kind = endpoint_slice.get("addressType") or ""
    causes += one_of("addressType", kind, ADDRESS_TYPES)
    endpoints = endpoint_slice.get("endpoints") or []
    if len(endpoints) > ENDPOINTS_MAX:
        causes.append(too_many("endpoints", len(endpoints), ENDPOINTS_MAX))
        return
    for index, endpoint in enumerate(endpoints):
        _validate_endpoint(endpoint, kind, f"endpoints[{index}]", causes)
    _validate_slice_ports(endpoint_slice.get("ports") or [], causes)


def _validate_endpoint(endpoint: Json, kind: str, path: str, causes: list[Cause]) -> None:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        causes.append(required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(addresses) > ENDPOINT_ADDRESSES_MAX:
        causes.append(too_many(f"{path}.addresses", len(addresses), ENDPOINT_ADDRESSES_MAX))
    for index, address in enumerate(addresses):
        here = f"{path}.addresses[{index}]"
        if kind == "FQDN":
            causes += invalid_each(here, address, subdomain_errors(address))
        elif kind in FAMILIES:
            causes += _unspecial(address, here)
            if is_ip(address) and (":" in address) is (kind == "IPv4"):
                causes.append(invalid(here, address, f"must be a valid {kind} address"))
    if hostname := endpoint.get("hostname"):
        causes += invalid_each(f"{path}.hostname", hostname, label_errors(hostname))
    if node := endpoint.get("nodeName"):
        causes += invalid_each(f"{path}.nodeName", node, subdomain_errors(node))
    for index, zone in enumerate((endpoint.get("hints") or {}).get("forZones") or ()):
        if not zone.get("name"):
            causes.append(required(f"{path}.hints.forZones[{index}].name"))


def _validate_slice_ports(ports: list[Json], causes: list[Cause]) -> None:
    if len(ports) > SLICE_PORTS_MAX:
        causes.append(too_many("ports", len(ports), SLICE_PORTS_MAX))
        return
    names = set()
    for index, port in enumerate(ports):
        name = port.get("name") or ""
        if name:
            causes += invalid_each(f"ports[{index}].name", name, label_errors(name))
        if name in names:
            causes.append(duplicate(f"ports[{index}].name", name))
        names.add(name)
        causes += one_of(f"ports[{index}].protocol", port.get("protocol"), PROTOCOLS)
        if protocol := port.get("appProtocol"):
            errors = qualified_name_errors(protocol)
            causes += invalid_each(f"ports[{index}].appProtocol", protocol, errors)


def validate_endpoint_slice_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_endpoint_slice(new, causes)
    if new.get("addressType") != old.get("addressType"):
        causes.append(immutable("addressType", new.get("addressType")))

"""Rows of the network kinds: services, endpoints, slices, ingresses, policies.

Owns      their columns and cells.
Leaves    the workloads behind them (tables/workloads, tables/pod).
Invariant as tables/column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from busk8s.api.tables.column import (
    NONE,
    UNKNOWN,
    UNSET,
    Cells,
    Json,
    Printer,
    age,
    at,
    columns,
    first_few,
    labels_text,
    name_of,
    selector_text,
)


def _service(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    ips = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [
        name_of(obj),
        spec.get("type", ""),
        ips[0] if ips else NONE,
        _external_ip(spec, obj),
        ",".join(_service_port(port) for port in spec.get("ports") or ()) or NONE,
        age(obj, now),
        labels_text(spec.get("selector")),
    ]


def _external_ip(spec: Json, obj: Json) -> str:
    external = list(spec.get("externalIPs") or ())
    kind = spec.get("type")
    if kind in ("ClusterIP", "NodePort"):
        return ",".join(external) or NONE
    if kind == "LoadBalancer":
        balancer = _balancer_text(obj)
        return ",".join([*external, *([balancer] if balancer else [])]) or "<pending>"
    return str(spec.get("externalName", "")) if kind == "ExternalName" else UNKNOWN


def _balancer_text(obj: Json) -> str:
    ingress = at(obj, "status", "loadBalancer", "ingress") or ()
    return ",".join(sorted({str(e.get("ip") or e.get("hostname") or "") for e in ingress} - {""}))


def _service_port(port: Mapping[str, Any]) -> str:
    node = port.get("nodePort")
    number = f"{port['port']}:{node}" if node else str(port["port"])
    return f"{number}/{port.get('protocol', 'TCP')}"


def _endpoints(obj: Json, now: float) -> Cells:
    found: list[str] = []
    subsets = obj.get("subsets") or ()
    for subset in subsets:
        ips = [address["ip"] for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += ips if not ports else [_host_port(ip, p["port"]) for p in ports for ip in ips]
    return [name_of(obj), first_few(found) if subsets else NONE, age(obj, now)]


def _host_port(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _endpoint_slice(obj: Json, now: float) -> Cells:
    ports = [str(port.get("port") or port.get("name") or "*") for port in obj.get("ports") or ()]
    addresses = [
        address for end in obj.get("endpoints") or () for address in end.get("addresses") or ()
    ]
    return [
        name_of(obj),
        obj.get("addressType", ""),
        first_few(ports) or UNSET,
        first_few(addresses) or UNSET,
        age(obj, now),
    ]


def _ingress(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    return [
        name_of(obj),
        spec.get("ingressClassName") or NONE,
        first_few(hosts) or "*",
        _balancer_text(obj),
        "80, 443" if spec.get("tls") else "80",
        age(obj, now),
    ]


def _ingress_class(obj: Json, now: float) -> Cells:
    parameters = at(obj, "spec", "parameters")
    text = NONE
    if parameters:
        group = parameters.get("apiGroup")
        text = parameters.get("kind", "") + (f".{group}" if group else "")
        text = f"{text}/{parameters.get('name', '')}"
    return [name_of(obj), at(obj, "spec", "controller") or "", text, age(obj, now)]


def _network_policy(obj: Json, now: float) -> Cells:
    return [name_of(obj), selector_text(at(obj, "spec", "podSelector")), age(obj, now)]


def _service_cidr(obj: Json, now: float) -> Cells:
    return [name_of(obj), ",".join(at(obj, "spec", "cidrs") or ()), age(obj, now)]


def _ip_address(obj: Json, now: float) -> Cells:
    parent = at(obj, "spec", "parentRef") or {}
    members = ("group", "resource", "namespace", "name")
    text = "/".join(str(parent[member]) for member in members if parent.get(member))
    return [name_of(obj), text or NONE, age(obj, now)]


PRINTERS = {
    "services": Printer(
        columns("Name|Type|Cluster-IP|External-IP|Port(s)|Age|+Selector"), _service
    ),
    "endpoints": Printer(columns("Name|Endpoints|Age"), _endpoints),
    "endpointslices.discovery.k8s.io": Printer(
        columns("Name|AddressType|Ports|Endpoints|Age"), _endpoint_slice
    ),
    "ingresses.networking.k8s.io": Printer(columns("Name|Class|Hosts|Address|Ports|Age"), _ingress),
    "ingressclasses.networking.k8s.io": Printer(
        columns("Name|Controller|Parameters|Age"), _ingress_class
    ),
    "networkpolicies.networking.k8s.io": Printer(columns("Name|Pod-Selector|Age"), _network_policy),
    "servicecidrs.networking.k8s.io": Printer(columns("Name|CIDRs|Age"), _service_cidr),
    "ipaddresses.networking.k8s.io": Printer(columns("Name|ParentRef|Age"), _ip_address),
}

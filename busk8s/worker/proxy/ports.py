"""Services and EndpointSlices -> what each service port is and where it leads. Pure.

Owns      which endpoints count (ready, or terminating when there is no ready one), which addresses
          a service answers on, the traffic policies.
Leaves    how packets get there (rules.py for nftables, userspace.py without root).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from busk8s.api.object import Json

SERVICE_LABEL = "kubernetes.io/service-name"
AFFINITY_DEFAULT_S = 10_800


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    ip: str
    port: int
    local: bool = False


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one service. `internal` and `external` are where each kind of call may go."""

    namespace: str
    service: str
    name: str
    protocol: str  # "tcp" or "udp"
    port: int
    cluster_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    node_port: int = 0
    internal: tuple[Endpoint, ...] = ()
    external: tuple[Endpoint, ...] = ()
    all: tuple[Endpoint, ...] = ()
    external_local: bool = False
    affinity_s: int = 0

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.service}:{self.name}/{self.protocol}"


def service_ports(
    services: Iterable[Json], slices: Iterable[Json], node_name: str
) -> tuple[ServicePort, ...]:
    """Every port that this node's proxy serves, by namespace, name and port."""
    by_service: dict[tuple[str, str], list[Json]] = {}
    for one in slices:
        metadata = one["metadata"]
        owner = (metadata.get("labels") or {}).get(SERVICE_LABEL)
        if owner and one.get("addressType") == "IPv4":
            by_service.setdefault((metadata.get("namespace", ""), owner), []).append(one)
    found: list[ServicePort] = []
    for service in services:
        metadata = service["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        found += _ports_of(service, by_service.get(key, ()), node_name)
    return tuple(sorted(found, key=lambda port: port.key))


def _ports_of(service: Json, slices: Sequence[Json], node_name: str) -> list[ServicePort]:
    spec = service.get("spec") or {}
    cluster_ips = tuple(ip for ip in _cluster_ips(spec) if _is_ipv4(ip))
    if spec.get("type") == "ExternalName" or not cluster_ips:
        return []  # nothing for a proxy: names (DNS) or headless
    outside = list(spec.get("externalIPs") or ())
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    outside += [one["ip"] for one in ingress if one.get("ip")]
    internal_local = spec.get("internalTrafficPolicy") == "Local"
    external_local = spec.get("externalTrafficPolicy") == "Local"
    found = []
    for port in spec.get("ports") or ():
        protocol = str(port.get("protocol") or "TCP").lower()
        if protocol not in ("tcp", "udp"):
            continue  # SCTP: refused, see docs/compatibility.md
        every = _endpoints(slices, str(port.get("name") or ""), protocol, node_name)
        local = tuple(one for one in every if one.local)
        found.append(
            ServicePort(
                namespace=service["metadata"].get("namespace", ""),
                service=service["metadata"]["name"],
                name=str(port.get("name") or ""),
                protocol=protocol,
                port=int(port["port"]),
                cluster_ips=cluster_ips,
                external_ips=tuple(ip for ip in dict.fromkeys(outside) if _is_ipv4(ip)),
                node_port=int(port.get("nodePort") or 0),
                internal=local if internal_local else every,
                external=local if external_local else every,
                all=every,
                external_local=external_local,
                affinity_s=_affinity_s(spec),
            )
        )
    return found


def _cluster_ips(spec: Json) -> list[str]:
    ips = list(spec.get("clusterIPs") or ()) or [spec.get("clusterIP") or ""]
    return [ip for ip in ips if ip and ip != "None"]


def _affinity_s(spec: Json) -> int:
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or AFFINITY_DEFAULT_S)


def _endpoints(
    slices: Sequence[Json], port_name: str, protocol: str, node_name: str
) -> tuple[Endpoint, ...]:
    ready: dict[Endpoint, None] = {}
    leaving: dict[Endpoint, None] = {}
    for one in slices:
        numbers = [
            port["port"]
            for port in one.get("ports") or ()
            if str(port.get("name") or "") == port_name
            and str(port.get("protocol") or "TCP").lower() == protocol
            and port.get("port")
        ]
        for endpoint in one.get("endpoints") or () if numbers else ():
            conditions = endpoint.get("conditions") or {}
            local = endpoint.get("nodeName") == node_name
            # As upstream: only the first address of an endpoint counts.
            entry = Endpoint(str(endpoint["addresses"][0]), int(numbers[0]), local)
            if conditions.get("ready") is not False:
                ready[entry] = None
            elif conditions.get("serving") and conditions.get("terminating"):
                leaving[entry] = None
    return tuple(sorted(ready or leaving))


def _is_ipv4(ip: str) -> bool:
    parts = ip.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)

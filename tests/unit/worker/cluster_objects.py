"""Services, EndpointSlices and Nodes as a proxy sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


def service(name: str, ip: str = "10.96.0.1", **spec: Any) -> Json:
    ports = spec.pop("ports", [{"port": 80, "protocol": "TCP"}])
    fields = {"clusterIP": ip, "clusterIPs": [ip], "type": "ClusterIP", "ports": ports}
    return {"metadata": {"namespace": "default", "name": name}, "spec": fields | spec}


def endpoint(ip: str, node: str = "n1", **conditions: bool) -> Json:
    return {"addresses": [ip], "nodeName": node, "conditions": {"ready": True} | conditions}


def endpoint_slice(
    owner: str, endpoints: Sequence[Json], *, port: int = 8080, name: str = "", kind: str = "IPv4"
) -> Json:
    return {
        "metadata": {
            "namespace": "default",
            "name": f"{owner}-x",
            "labels": {"kubernetes.io/service-name": owner},
        },
        "addressType": kind,
        "endpoints": list(endpoints),
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
    }


def node(name: str, address: str, pod_cidr: str = "") -> Json:
    return {
        "metadata": {"name": name},
        "spec": {"podCIDR": pod_cidr} if pod_cidr else {},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }

"""Routes to the other nodes' pods, by each node's own address (host-gw).

Owns      which routes this node needs (pure) and keeping the kernel's equal to that.
Leaves    the pods of this node (bridge.py), services (worker/proxy).
Limit     nodes must share a link. A node behind a router is refused by name in `problems`; an
          overlay (VXLAN) is not there yet.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass

from busk8s.api.object import Json
from busk8s.worker.network.ipam import Subnet
from busk8s.worker.network.netlink import Netlink


@dataclass(frozen=True, slots=True, order=True)
class Route:
    network: str
    prefix: int
    gateway: str


def node_address(node: Json) -> str:
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((str(a["address"]) for a in addresses if a.get("type") == "InternalIP"), "")


def pod_cidr(node: Json) -> str:
    return str((node.get("spec") or {}).get("podCIDR") or "")


def plan(nodes: Iterable[Json], node_name: str, own_addresses: Iterable[str]) -> list[Route]:
    """One route a node elsewhere. Nodes at one of `own_addresses` share this machine: their
    bridges are beside ours, and the kernel has those routes already.
    """
    here = dict.fromkeys(own_addresses)
    routes = []
    for node in nodes:
        address, cidr = node_address(node), pod_cidr(node)
        if node["metadata"]["name"] == node_name:
            continue
        if cidr and address and address not in here:
            subnet = Subnet(cidr)
            routes.append(Route(subnet.address(0), subnet.prefix, address))
    return sorted(routes)


class Routes:
    """`metric` tells the routes of one cluster's node from those of another on this host."""

    def __init__(self, metric: int) -> None:
        self._metric = metric
        self._netlink = Netlink()
        self.problems: dict[Route, str] = {}

    def apply(self, wanted: list[Route]) -> None:
        """Add what is missing, remove what is ours and no longer wanted."""
        have = [
            Route(network, prefix, gateway)
            for network, prefix, gateway, metric in self._netlink.our_routes()
            if metric == self._metric and gateway
        ]
        self.problems = {}
        for route in have:
            if route not in wanted:
                self._remove(route)
        for route in wanted:
            if route not in have:
                self._add(route)

    def close(self) -> None:
        """Take away all of this metric, those to a device of ours too."""
        for network, prefix, gateway, metric in self._netlink.our_routes():
            if metric == self._metric:
                self._netlink.remove_route(network, prefix, gateway=gateway, metric=metric)
        self._netlink.close()

    def _add(self, route: Route) -> None:
        try:
            self._netlink.add_route(
                route.network, route.prefix, gateway=route.gateway, metric=self._metric
            )
        except OSError as error:
            if error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL):
                raise
            self.problems[route] = (
                f"{route.gateway} is not on a link of this host: pods of {route.network}/"
                f"{route.prefix} cannot be reached (an overlay is not supported yet)"
            )

    def _remove(self, route: Route) -> None:
        self._netlink.remove_route(
            route.network, route.prefix, gateway=route.gateway, metric=self._metric
        )

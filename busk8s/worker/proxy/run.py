"""kube-proxy: from the `net` view to rules in the kernel, or to listeners without root.

Owns      the view's state on this node, and keeping the backend equal to it.
Leaves    what the rules are (ports.py, rules.py), applying them (nftables.py, userspace.py), pods'
          own network (worker/network).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from busk8s.api.object import Json, Object
from busk8s.client.interface import Change, Client, Gone, Put, Reset
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.tasks import supervise
from busk8s.worker.network import routes
from busk8s.worker.network.bridge import bridge_filters, bridge_name, set_sysctl
from busk8s.worker.network.ipam import Subnet
from busk8s.worker.network.netlink import Netlink
from busk8s.worker.proxy import nftables
from busk8s.worker.proxy.ports import ServicePort, service_ports
from busk8s.worker.proxy.rules import ruleset
from busk8s.worker.proxy.userspace import UserspaceProxy

CHECK_EVERY_S = 30.0
ROUTE_LOCALNET = "net/ipv4/conf/all/route_localnet"
log = Logger(__name__)


class Backend(Protocol):
    async def apply(
        self, ports: Sequence[ServicePort], nodes: Sequence[Json], node_name: str
    ) -> None: ...

    async def check(self) -> None:
        """Called now and then: mend what others changed."""
        ...

    async def close(self) -> None:
        """Take everything away."""
        ...


class View:
    """The objects of the `net` view, by kind and key."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Object]] = {}

    def change(self, batch: Iterable[Change]) -> None:
        for change in batch:
            if isinstance(change, Reset):
                self._objects = {}
                for one in change.objects:
                    self._put(one)
            elif isinstance(change, Put):
                self._put(change.object)
            elif isinstance(change, Gone):
                known = self._objects.get(change.object.resource.key, {})
                known.pop(change.object.key, None)

    def of(self, resource_key: str) -> list[Json]:
        return [one.data for one in self._objects.get(resource_key, {}).values()]

    def _put(self, one: Object) -> None:
        self._objects.setdefault(one.resource.key, {})[one.key] = one


async def run(client: Client, *, backend: Backend, clock: Clock, node_name: str) -> None:
    """Until cancelled; then everything this made is taken away again."""
    try:
        await supervise(_follow(client, backend, node_name), _keep(backend, clock))
    finally:
        await backend.close()


async def _follow(client: Client, backend: Backend, node_name: str) -> None:
    view = View()
    async for batch in client.watch_view("net"):
        view.change(batch)
        ports = service_ports(view.of("services"), view.of(SLICES), node_name)
        await backend.apply(ports, view.of("nodes"), node_name)


SLICES = "endpointslices.discovery.k8s.io"


async def _keep(backend: Backend, clock: Clock) -> None:
    while True:
        await clock.sleep(CHECK_EVERY_S)
        await backend.check()


class KernelBackend:
    """As root: nftables for services and pods' way out, routes to other nodes' pods.

    `cluster` is supervisor.cluster_name of the worker's directory. `service_cidr` (by default the
    /16 networks of the cluster IPs there are) gets a route of its own, without which a host that
    has no default route could not even try a cluster IP.
    """

    def __init__(self, cluster: str, service_cidr: str = "") -> None:
        self._cluster = cluster
        self._service_cidr = service_cidr
        self._metric = 4096 + int(cluster[:4], 16) % 4096
        self._table = nftables.NftTable(cluster)
        self._routes: routes.Routes | None = routes.Routes(self._metric)
        self._said: Mapping[routes.Route, str] = {}

    async def apply(
        self, ports: Sequence[ServicePort], nodes: Sequence[Json], node_name: str
    ) -> None:
        own = [node for node in nodes if node["metadata"]["name"] == node_name]
        addresses = [routes.node_address(node) for node in own]
        self._route_nodes(routes.plan(nodes, node_name, addresses))
        self._route_services(ports)
        wanted = ruleset(
            ports,
            own_pods=[cidr for node in own if (cidr := routes.pod_cidr(node))],
            all_pods=[cidr for node in nodes if (cidr := routes.pod_cidr(node))],
            masquerade_all=not bridge_filters(),
        )
        await self._table.apply(wanted)
        # For node ports on 127.0.0.1; only now, as the table guards loopback against outsiders.
        set_sysctl(ROUTE_LOCALNET, "1")

    async def check(self) -> None:
        await self._table.check()

    async def close(self) -> None:
        """Idempotent."""
        if self._routes is not None:
            self._routes.close()
            self._routes = None
        if not await nftables.others(self._table):
            set_sysctl(ROUTE_LOCALNET, "0")  # before its guard goes
        await self._table.remove()

    def _route_nodes(self, wanted: list[routes.Route]) -> None:
        if self._routes is None:
            self._routes = routes.Routes(self._metric)
        self._routes.apply(wanted)
        for route, text in self._routes.problems.items():
            if route not in self._said:
                log.error("a node's pods cannot be reached", why=text)
        self._said = dict(self._routes.problems)

    def _route_services(self, ports: Sequence[ServicePort]) -> None:
        ips = [ip for port in ports for ip in port.cluster_ips]
        given = [self._service_cidr] if self._service_cidr else []
        wanted = dict.fromkeys(given or [str(Subnet(f"{ip}/16")) for ip in ips])
        netlink = Netlink()
        try:
            if index := netlink.index(bridge_name(self._cluster)):
                for text in wanted:
                    subnet = Subnet(text)
                    netlink.add_route(
                        subnet.address(0), subnet.prefix, index=index, metric=self._metric
                    )
        finally:
            netlink.close()


class LoopbackBackend:
    """Without root, or without nft: see userspace.py for what is served."""

    def __init__(self, rng: random.Random) -> None:
        self._proxy = UserspaceProxy(rng)

    async def apply(
        self, ports: Sequence[ServicePort], nodes: Sequence[Json], node_name: str
    ) -> None:
        await self._proxy.apply(ports)

    async def check(self) -> None:
        return None

    async def close(self) -> None:
        await self._proxy.close()


async def remove_leftovers(cluster: str, service_cidr: str = "") -> None:
    """What a proxy that was killed left in the kernel. Idempotent; as root."""
    if nftables.available():
        await KernelBackend(cluster, service_cidr).close()


async def choose_backend(cluster: str, rng: random.Random, *, service_cidr: str = "") -> Backend:
    """What this machine allows, found out by trying to make our table."""
    if os.geteuid() == 0 and nftables.available():
        table = nftables.NftTable(cluster)
        try:
            await table.apply(ruleset(()))
        except nftables.NftFailed as failure:
            log.warning("nftables cannot be used; services are served on loopback", why=failure)
        else:
            return KernelBackend(cluster, service_cidr)
    return LoopbackBackend(rng)

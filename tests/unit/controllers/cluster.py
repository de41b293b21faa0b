"""A control plane in one loop: the API server over the memory store, and every controller.

A kubelet of a few lines stands in for all nodes: it binds pods, makes them run, ends them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import orjson

from busk8s.api import scheme
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object, encode
from busk8s.api.request import Request, User
from busk8s.api.scheme import NODES, PODS, Resource
from busk8s.client.direct import DirectClient
from busk8s.client.interface import Change, Put, Reset
from busk8s.clock import LoopClock
from busk8s.errors import Error
from busk8s.ids import RandomIds
from busk8s.master.apiserver.attributes import NoAdmission
from busk8s.master.apiserver.authz import ClusterAuthorizer
from busk8s.master.apiserver.bootstrap import Address, bootstrap
from busk8s.master.apiserver.node_authz import NodeAuthorizer
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.escalation import EscalationCheck, Guarded
from busk8s.master.apiserver.rbac.reconcile import default_objects
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.controllers.daemonset_plan import node_of
from busk8s.master.controllers.run import run
from busk8s.master.store.base import Write
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import Overflow, WatchCache, object_key
from busk8s.tasks import Nursery

ADMIN = User("admin", ("system:masters",))
MANAGER = User("system:kube-controller-manager", ("system:authenticated",))
LIVENESS = Resource("busk8s.io", "v1", "nodeliveness", "NodeLiveness", namespaced=False)
CA = "-----BEGIN CERTIFICATE-----\nthe test's own\n-----END CERTIFICATE-----\n"


@cache
def default_roles() -> tuple[Write, ...]:
    """Written past the API, in one go: every test begins with them."""
    made = []
    for data in default_objects():
        resource = scheme.by_kind("rbac.authorization.k8s.io", "v1", data["kind"])
        assert resource is not None
        metadata = data["metadata"]
        key = object_key(resource.key, metadata.get("namespace", ""), metadata["name"])
        marks = {"uid": key, "creationTimestamp": "2027-01-01T00:00:00Z"}
        made.append(Write(key, encode({**data, "metadata": {**metadata, **marks}}), expect=0))
    return tuple(made)


class Cluster:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.store = MemoryStore(self.clock)
        self.cache = WatchCache(self.store, lambda key: scheme.RESOURCES[key], self.clock)
        ids = RandomIds(random.Random(7))
        roles = RbacAuthorizer(self.cache)
        self.server = ApiServer(
            self.store,
            self.cache,
            clock=self.clock,
            ids=ids,
            authorizer=ClusterAuthorizer(NodeAuthorizer(self.cache), roles),
            admission=Guarded(NoAdmission(), EscalationCheck(roles, roles)),
        )
        self.requests: list[tuple[str, str]] = []
        self._liveness: asyncio.Queue[Sequence[Change]] = asyncio.Queue(1_000)
        self.kubelets_run = True
        self.client = self._client(ADMIN)
        self.managers = self._client(MANAGER)  # what the controllers speak through

    def _client(self, user: User) -> DirectClient:
        return DirectClient(
            self._dispatch, user=user, source=self.cache, lost=(Overflow,), views=self._view
        )

    async def open(self) -> None:
        await self.store.open()
        await self.cache.open()
        self.server.open()
        await self.store.commit(default_roles())
        await bootstrap(self.server.dispatch, Address("10.96.0.1", "192.0.2.1", 6440))

    async def _dispatch(self, request: Request) -> Any:
        self.requests.append((request.method, request.path))
        return await self.server.dispatch(request)

    async def _view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        assert topic == "liveness"
        yield [Reset((), 0)]
        while True:
            yield await self._liveness.get()

    def falls_silent(self, node: str, silent: bool = True) -> None:
        body = {"metadata": {"name": node}, "silent": silent}
        obj = Object(LIVENESS, "", node, revision=1, body=orjson.dumps(body))
        self._liveness.put_nowait([Put(obj)])

    # -- reading -------------------------------------------------------------------------------

    def all(self, resource: Resource, namespace: str | None = "default") -> list[Object]:
        return list(self.cache.list(resource.key, namespace if resource.namespaced else None))

    def find(self, resource: Resource, name: str, namespace: str = "default") -> Object | None:
        return self.cache.get(resource.key, namespace if resource.namespaced else "", name)

    def one(self, resource: Resource, name: str, namespace: str = "default") -> Object:
        found = self.find(resource, name, namespace)
        assert found is not None, f"no {resource.key} {name}"
        return found

    def writes(self, path: str) -> int:
        return sum(path in where for method, where in self.requests if method != "GET")

    # -- writing -------------------------------------------------------------------------------

    async def create(self, resource: Resource, data: Json, namespace: str = "default") -> Object:
        data = {"apiVersion": resource.api_version, "kind": resource.kind, **data}
        return await self.client.create(
            resource, data, namespace=namespace if resource.namespaced else ""
        )

    async def patch(
        self, resource: Resource, name: str, patch: Json, subresource: str = "", kind: Any = "merge"
    ) -> Object:
        namespace = "default" if resource.namespaced else ""
        return await self.client.patch(
            resource, name, patch, namespace=namespace, kind=kind, subresource=subresource
        )

    async def add_node(self, name: str) -> None:
        await self.create(NODES, {"metadata": {"name": name}})
        await self.says_ready(name)

    async def says_ready(self, name: str, status: str = "True") -> None:
        stamp = format_time(self.clock.now())
        ready = {
            "type": "Ready",
            "status": status,
            "reason": "KubeletReady",
            "message": "",
            "lastHeartbeatTime": stamp,
            "lastTransitionTime": stamp,
        }
        patch = {"status": {"conditions": [ready]}}
        await self.patch(NODES, name, patch, "status", "strategic")

    # -- the kubelet of all nodes --------------------------------------------------------------

    async def kubelet(self, nodes: Sequence[str]) -> None:
        serial = 0
        async for batch in self.client.watch(PODS):
            pods: dict[str, Object] = {}
            for change in batch:
                match change:
                    case Put(object=pod):
                        pods[pod.key] = pod
                    case Reset(objects=objects):
                        pods |= {pod.key: pod for pod in objects}
            for pod in pods.values():
                if not self.kubelets_run:
                    continue
                serial += 1
                try:
                    alive = [name for name in nodes if self.find(NODES, name)]
                    await self._care_for(pod, alive[serial % len(alive)], serial)
                except Error as error:
                    if error.reason not in ("NotFound", "Conflict"):
                        raise

    async def _care_for(self, pod: Object, node: str, serial: int) -> None:
        if pod.deleting and pod.data["spec"].get("nodeName"):
            await self.client.delete(
                PODS, pod.name, namespace=pod.namespace, uid=pod.uid, grace_period_s=0
            )
        elif not pod.data["spec"].get("nodeName"):
            await self.client.bind(pod.namespace, pod.name, node_of(pod) or node)
        elif pod.data["status"].get("phase") == "Pending":
            await self._run(pod, serial)

    async def _run(self, pod: Object, serial: int) -> None:
        now = format_time(self.clock.now())
        address = f"10.1.{serial // 250 % 250}.{serial % 250 + 1}"
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [ready],
        }
        await self.client.patch(
            PODS,
            pod.name,
            {"status": status},
            namespace=pod.namespace,
            kind="strategic",
            subresource="status",
        )


@asynccontextmanager
async def control_plane(nodes: Sequence[str] = ("n1", "n2")) -> AsyncIterator[Cluster]:
    cluster = Cluster()
    await cluster.open()
    failed: list[BaseException] = []
    async with Nursery(on_error=lambda _name, error: failed.append(error)) as nursery:
        ids = RandomIds(random.Random(1))
        nursery.spawn(run(cluster.managers, clock=cluster.clock, ids=ids, ca_pem=CA))
        for node in nodes:
            await cluster.add_node(node)
        nursery.spawn(cluster.kubelet(nodes))
        yield cluster
    assert not failed, failed


async def until(true: Callable[[], object], within_s: float = 60.0) -> None:
    """Wait until `true()`, in virtual time; it may look at objects that are not there yet."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.02)

"""BusClient and a worker's beats against the real API server, over real sockets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bus_world import LOCAL, until

from busk8s.api.scheme import RESOURCES
from busk8s.bus.link import Identity, Link
from busk8s.bus.security import admitter
from busk8s.bus.transport import Network, new_keys
from busk8s.bus.wire import Endpoints, Keys
from busk8s.client.bus import BusClient, resource_of
from busk8s.client.interface import Gone, Put, Reset
from busk8s.clock import SystemClock
from busk8s.errors import Error
from busk8s.ids import RandomIds
from busk8s.master.apiserver.admission.chain import AdmissionChain
from busk8s.master.apiserver.authz import ClusterAuthorizer
from busk8s.master.apiserver.bus import BusFace
from busk8s.master.apiserver.join import PUBLIC_KEY
from busk8s.master.apiserver.lease_renewals import RenewedLeases
from busk8s.master.apiserver.node_authz import NodeAuthorizer
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.bootstrap import bootstrap_roles
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import WatchCache
from busk8s.tasks import Nursery

pytestmark = pytest.mark.realtime

CONFIGMAPS, NODES, PODS = RESOURCES["configmaps"], RESOURCES["nodes"], RESOURCES["pods"]
NAMESPACES, LEASES = RESOURCES["namespaces"], RESOURCES["leases.coordination.k8s.io"]


class Master:
    def __init__(self, directory: Path) -> None:
        clock, self.keys = SystemClock(), new_keys()
        self.store = MemoryStore(clock)
        self.cache = WatchCache(self.store, resource_of, clock)
        authorizer = ClusterAuthorizer(NodeAuthorizer(self.cache), RbacAuthorizer(self.cache))
        self.face = BusFace(
            self.cache,
            lambda r: self.server.dispatch(r),
            authorizer=authorizer,
            clock=clock,
            epoch=7,
            master="m",
        )
        self.leases = RenewedLeases(self.face.liveness, self.cache, self.store, clock)
        self.server = ApiServer(
            self.store,
            self.cache,
            clock=clock,
            ids=RandomIds(random.Random()),
            authorizer=authorizer,
            admission=AdmissionChain(self.cache, ids=RandomIds(random.Random(3))),
            streams=self.face.streams,
            unstored=self.leases,
        )
        ipc = [f"ipc://{directory}/{name}" for name in ("requests", "feed", "beats")]
        self.ipc = Endpoints(*ipc)
        self.network, self.clients, self.nursery = Network(), Network(), Nursery()

    def link(self, identity: Identity, keys: Keys | None = None) -> Link:
        ends = self.ipc if keys is None else self.tcp
        made = Link(
            identity,
            lambda: self.clients.connect(ends, keys, self.keys.public),
            clock=SystemClock(),
            rng=random.Random(),
            resource_of=resource_of,
        )
        self.nursery.spawn(made.run())
        return made

    async def open(self) -> None:
        await self.store.open()
        await self.cache.open()
        self.server.open()
        self.face.open()
        self.network.admit(admitter(self.face.identify))
        served = self.network.serve(LOCAL, self.keys)
        self.tcp = served.endpoints
        self.face.attach(served)
        self.face.attach(self.network.serve(self.ipc, None), trusted=True)
        self.nursery.spawn(self.face.run())

    async def close(self) -> None:
        await self.nursery.close()
        await self.face.close()
        self.clients.close()
        self.network.close()
        await self.store.close()


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[tuple[Master, BusClient]]:
    master = Master(directory)
    await master.open()
    try:
        async with asyncio.timeout(20):
            admin = BusClient(master.link(Identity("admin")))
            for name in ("default", "kube-node-lease", "kube-system", "kube-public"):
                await admin.create(NAMESPACES, {"metadata": {"name": name}})
            await bootstrap_roles(master.server.dispatch)
            yield master, admin
    finally:
        await master.close()


def config(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def pod(name: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "i"}], "automountServiceAccountToken": False}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def test_every_verb_works_over_the_bus(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, client):
        made = await client.create(CONFIGMAPS, config("a", x="1"))
        assert made.uid
        changed = made.copy()
        changed["data"]["x"] = "2"
        assert (await client.update(CONFIGMAPS, changed)).revision > made.revision
        with pytest.raises(Error) as caught:
            await client.update(CONFIGMAPS, changed)
        assert caught.value.code == 409
        patched = await client.patch(CONFIGMAPS, "a", {"data": {"y": "3"}}, namespace="default")
        assert patched.data["data"] == {"x": "2", "y": "3"}
        assert (await client.get(CONFIGMAPS, "a", namespace="default")).body == patched.body
        listed = await client.list(CONFIGMAPS, namespace="default")
        assert [item.name for item in listed.items] == ["a"]
        with pytest.raises(Error) as caught:
            await client.delete(CONFIGMAPS, "a", namespace="default", uid="another")
        assert caught.value.code == 409
        await client.delete(CONFIGMAPS, "a", namespace="default", uid=made.uid)
        with pytest.raises(Error, match="not found"):
            await client.get(CONFIGMAPS, "a", namespace="default")


async def test_a_watch_tells_what_the_api_server_did(tmp_path: Path) -> None:
    async with running(tmp_path) as (master, admin):
        await admin.create(CONFIGMAPS, config("a"))
        watcher = BusClient(master.link(Identity("kube-controller-manager")))
        changes = watcher.watch(CONFIGMAPS)
        (first,) = await anext(changes)
        assert isinstance(first, Reset)
        assert [obj.name for obj in first.objects] == ["a"]
        made = await admin.create(CONFIGMAPS, config("b"))
        (second,) = await anext(changes)
        assert isinstance(second, Put)
        assert second.object.body == made.lean, "nobody on the bus needs managedFields"
        await admin.delete(CONFIGMAPS, "a", namespace="default")
        (third,) = await anext(changes)
        assert isinstance(third, Gone)
        assert third.object.name == "a"
        await changes.aclose()  # type: ignore[attr-defined]  # An async generator underneath.


async def test_roles_decide_what_is_heard_and_done_over_the_bus(tmp_path: Path) -> None:
    async with running(tmp_path) as (master, _):
        scheduler = BusClient(master.link(Identity("kube-scheduler")))
        pods = scheduler.watch(PODS)
        assert isinstance((await anext(pods))[0], Reset)
        await pods.aclose()  # type: ignore[attr-defined]  # An async generator underneath.
        with pytest.raises(Error) as caught:
            await anext(scheduler.watch(RESOURCES["secrets"]))
        assert caught.value.code == 403
        with pytest.raises(Error, match='cannot create resource "configmaps"') as caught:
            await scheduler.create(CONFIGMAPS, config("a"))
        assert caught.value.code == 403


async def test_a_worker_sees_its_pod_with_what_it_needs_and_reports(tmp_path: Path) -> None:
    async with running(tmp_path) as (master, admin):
        keys = new_keys()
        node = {"metadata": {"name": "n1", "annotations": {PUBLIC_KEY: keys.public}}}
        await admin.create(NODES, node)
        link = master.link(Identity("kubelet", "n1", "boot"), keys)
        view = BusClient(link).watch_view("node/n1")
        (first,) = await anext(view)
        assert isinstance(first, Reset)
        seen = [obj.key for obj in first.objects]
        assert seen == ["n1"]
        await admin.create(CONFIGMAPS, config("wanted"))
        await admin.create(CONFIGMAPS, config("unwanted"))
        data = pod("p")
        data["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "wanted"}}]
        await admin.create(
            RESOURCES["serviceaccounts"], {"metadata": {"name": "default", "namespace": "default"}}
        )
        await admin.create(PODS, data)
        await admin.bind("default", "p", "n1")
        while "default/p" not in seen:
            seen += [change.object.key for change in await anext(view) if isinstance(change, Put)]
        assert "default/wanted" in seen
        assert "default/unwanted" not in seen
        link.set_node_status({"addresses": [{"type": "InternalIP", "address": "10.0.0.7"}]})

        def reported() -> Any:
            obj = master.cache.get("nodes", "", "n1")
            assert obj is not None
            return obj.data.get("status", {}).get("addresses")

        await until(lambda: reported() == [{"type": "InternalIP", "address": "10.0.0.7"}])
        lease = await admin.get(LEASES, "n1", namespace="kube-node-lease")
        assert lease.data["spec"]["holderIdentity"] == "n1"
        assert len((await admin.list(LEASES, namespace="kube-node-lease")).items) == 1
        with pytest.raises(Error) as caught:
            await BusClient(link).get(RESOURCES["secrets"], "x", namespace="default")
        assert caught.value.code == 403
        await view.aclose()  # type: ignore[attr-defined]  # An async generator underneath.

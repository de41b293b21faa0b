"""Leases of nodes: made of beats when read, ordinary changes when watched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from api_world import Api, lines

from busk8s.ids import RandomIds
from busk8s.master.apiserver.bus import BusFace
from busk8s.master.apiserver.join import PUBLIC_KEY
from busk8s.master.apiserver.lease_renewals import RENEW_EVERY_S, RenewedLeases
from busk8s.master.apiserver.liveness import UNJOINED_GRACE_S
from busk8s.master.apiserver.server import ApiServer
from busk8s.protocol import SILENT_AFTER_S
from busk8s.tasks import Nursery

Json = dict[str, Any]
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
ALL = "/apis/coordination.k8s.io/v1/leases"


class Cluster(Api):
    """An API server with a face to the bus, whose beats the test makes."""

    def __init__(self) -> None:
        super().__init__()
        self.bus = BusFace(
            self.cache,
            lambda request: self.server.dispatch(request),
            authorizer=self.server.parts.authorizer,
            clock=self.clock,
            epoch=1,
            master="m",
        )
        self.leases = RenewedLeases(self.bus.liveness, self.cache, self.store, self.clock)
        self.server = ApiServer(
            self.store,
            self.cache,
            clock=self.clock,
            ids=RandomIds(random.Random(7)),
            catalog=self.catalog,
            unstored=self.leases,
        )

    def beat(self, node: str) -> None:
        self.bus.liveness.beat(node, self.clock.monotonic())

    def silent(self, node: str) -> bool:
        return any(
            orjson.loads(entry[5])["silent"]
            for entry in self.bus.liveness.entries(1)
            if entry[3] == node
        )


@asynccontextmanager
async def cluster(*joined: str) -> AsyncIterator[Cluster]:
    api = Cluster()
    await api.open()
    api.bus.open()
    async with Nursery(lambda name, error: None) as nursery:
        nursery.spawn(api.bus.run(), name="bus")
        nursery.spawn(api.leases.run(), name="leases")
        await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": "kube-node-lease"}})
        for name in joined:
            key = {PUBLIC_KEY: f"key of {name}"}
            body = {"metadata": {"name": name, "annotations": key}}
            await api.must("POST", "/api/v1/nodes", body)
        yield api
        await nursery.close()
        await api.bus.close()


async def test_reading_shows_the_last_beat_and_writes_nothing() -> None:
    async with cluster("n1") as api:
        before = api.cache.revision
        first = await api.must("GET", f"{LEASES}/n1")
        await asyncio.sleep(1)
        api.beat("n1")
        (second,) = (await api.must("GET", LEASES))["items"]
        assert second["spec"]["renewTime"] > first["spec"]["renewTime"]
        assert second["spec"]["holderIdentity"] == "n1"
        assert second["metadata"]["uid"] == first["metadata"]["uid"]
        node = await api.must("GET", "/api/v1/nodes/n1")
        assert second["metadata"]["uid"] != node["metadata"]["uid"]  # Collectors go by uid alone.
        assert api.cache.revision == before


@pytest.mark.parametrize("url", [LEASES, ALL])
async def test_a_watch_sees_each_renewal_at_a_revision_of_its_own(url: str) -> None:
    async with cluster("n1", "n2") as api:
        async with asyncio.TaskGroup() as group:
            watch = await api.raw("GET", f"{url}?watch=1")
            seen = group.create_task(lines(watch, 6))
            for _ in range(3 * int(RENEW_EVERY_S)):
                await asyncio.sleep(1)
                api.beat("n1")
                api.beat("n2")
        events = seen.result()
        assert [e["type"] for e in events[:6]] == ["ADDED"] * 2 + ["MODIFIED"] * 4
        revisions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
        assert revisions == sorted(set(revisions))
        times = [e["object"]["spec"]["renewTime"] for e in events if _name(e) == "n1"]
        assert times == sorted(set(times))


async def test_when_nobody_watches_any_more_nothing_is_written_and_reading_goes_on() -> None:
    async with cluster("n1") as api:
        await lines(await api.raw("GET", f"{LEASES}?watch=1"), 1)
        await asyncio.sleep(RENEW_EVERY_S)
        before = api.cache.revision
        for _ in range(60):
            await asyncio.sleep(1)
            api.beat("n1")
        assert api.cache.revision == before
        lease = await api.must("GET", f"{LEASES}/n1")
        stored = api.cache.get("leases.coordination.k8s.io", "kube-node-lease", "n1")
        assert stored is not None
        assert lease["spec"]["renewTime"] > stored.data["spec"]["renewTime"]
        assert lease["metadata"]["uid"] == stored.uid
        assert int(lease["metadata"]["resourceVersion"]) == stored.revision


async def test_a_watch_of_another_namespace_makes_no_leases() -> None:
    async with cluster("n1") as api:
        url = "/apis/coordination.k8s.io/v1/namespaces/default/leases?watch=1&timeoutSeconds=30"
        watch = await api.raw("GET", url)
        assert watch.stream is not None
        assert [chunk async for chunk in watch.stream] == []
        assert api.cache.count("leases.coordination.k8s.io") == 0


async def test_a_silent_node_is_not_renewed() -> None:
    async with cluster("n1") as api:
        watch = await api.raw("GET", f"{LEASES}?watch=1&timeoutSeconds=60")
        assert watch.stream is not None
        seen = [chunk async for chunk in watch.stream]
        assert len(seen) == 1


async def test_a_kubelet_over_https_lives_by_its_lease() -> None:
    """1. It makes its Node and Lease itself. 2. It renews every ten seconds. 3. It stops."""
    async with cluster() as api:
        await api.must("POST", "/api/v1/nodes", {"metadata": {"name": "far"}})
        lease = {"metadata": {"name": "far"}, "spec": {"holderIdentity": "far"}}
        await api.must("POST", LEASES, lease)
        for turn in range(20):
            await asyncio.sleep(10)
            renewed = {"spec": {"renewTime": f"2027-01-15T08:{turn:02}:00.000000Z"}}
            assert (await api.patch(f"{LEASES}/far", renewed))[0] == 200
            assert not api.silent("far")
        shown = await api.must("GET", f"{LEASES}/far")
        assert shown["spec"]["renewTime"].startswith("2027-01-15T08:")  # As its holder wrote it.
        await asyncio.sleep(SILENT_AFTER_S + 1)
        assert not api.silent("far")
        await asyncio.sleep(UNJOINED_GRACE_S)
        assert api.silent("far")


async def test_a_kubelet_over_https_lives_by_its_status_too() -> None:
    async with cluster() as api:
        await api.must("POST", "/api/v1/nodes", {"metadata": {"name": "far"}})
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        for turn in range(20):
            await asyncio.sleep(10)
            ready["lastHeartbeatTime"] = f"2027-01-15T08:{turn:02}:00Z"
            body = {"status": {"conditions": [ready]}}
            assert (await api.patch("/api/v1/nodes/far/status", body))[0] == 200
            assert not api.silent("far")
        # What others write of a node is no word of its own.
        for turn in range(20):
            await asyncio.sleep(10)
            await api.patch("/api/v1/nodes/far", {"metadata": {"labels": {"turn": str(turn)}}})
        assert api.silent("far")


def _name(event: Json) -> str:
    return str(event["object"]["metadata"]["name"])

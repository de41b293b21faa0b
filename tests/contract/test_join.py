"""Joining over real sockets: tokens, names, keys, and what each refusal says."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgpack
import orjson
import pytest
from bus_world import LOCAL, until

from busk8s.api.object import encode as encode_object
from busk8s.api.patch import merge_patch, strategic_patch
from busk8s.api.request import Request, Response
from busk8s.api.scheme import RESOURCES
from busk8s.bus.joining import join
from busk8s.bus.link import Identity, Link
from busk8s.bus.security import admitter
from busk8s.bus.transport import Network, new_keys
from busk8s.bus.wire import Endpoints, Keys
from busk8s.client.bus import BusClient, resource_of
from busk8s.client.interface import Reset
from busk8s.clock import SystemClock
from busk8s.errors import Error
from busk8s.master.apiserver import tokens
from busk8s.master.apiserver.attributes import AllowAll
from busk8s.master.apiserver.bus import BusFace
from busk8s.master.apiserver.join import PUBLIC_KEY
from busk8s.master.apiserver.leases import NodeLeases
from busk8s.master.apiserver.tokens import Token
from busk8s.master.store.base import Lost, Write
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import WatchCache, object_key
from busk8s.protocol import Join, channel
from busk8s.tasks import Nursery

pytestmark = pytest.mark.realtime


class Master:
    """A bus face over a real store and cache; of the API only what joining needs."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.store = MemoryStore(self.clock)
        self.cache = WatchCache(self.store, resource_of, self.clock)
        self.keys = new_keys()
        self.face = BusFace(
            self.cache,
            self.dispatch,
            authorizer=AllowAll(),
            clock=self.clock,
            epoch=random.getrandbits(40),
            master="m1",
            silent_after_s=1.5,
        )
        self.network, self.clients = Network(), Network()
        self.nursery = Nursery()
        self.endpoints: Endpoints | None = None

    async def open(self) -> None:
        await self.store.open()
        await self.cache.open()
        self.face.open()
        self.network.admit(admitter(self.face.identify))
        served = self.network.serve(LOCAL, self.keys)
        self.face.attach(served)
        self.endpoints = served.endpoints
        self.nursery.spawn(self.face.run())

    async def close(self) -> None:
        await self.nursery.close()
        await self.face.close()
        self.clients.close()
        self.network.close()
        await self.store.close()

    async def put(self, key: str, data: dict[str, Any], expect: int | None = None) -> Response:
        metadata = data["metadata"]
        name = object_key(key, metadata.get("namespace", ""), metadata["name"])
        done = await self.store.commit([Write(name, encode_object(data), expect=expect)])
        if isinstance(done, Lost):
            return Response(409, orjson.dumps(Error(409, "Conflict", "lost").to_status()))
        return Response(200, orjson.dumps(data))

    async def delete(self, key: str, namespace: str, name: str) -> None:
        await self.store.commit([Write(object_key(key, namespace, name), None)])

    async def dispatch(self, request: Request) -> Response:
        """POST and PATCH of Nodes, as the API server would."""
        body = orjson.loads(request.body)
        if request.method == "POST":
            return await self.put("nodes", body, expect=0)
        node = self.cache.get("nodes", "", request.path.split("/")[4])
        assert node is not None
        if "strategic" in request.content_type:
            data = strategic_patch(node.copy(), body, None)
        else:
            data = merge_patch(node.copy(), body)
        return await self.put("nodes", data, expect=node.revision)

    async def token(self, ttl_s: float = 60.0) -> Token:
        made = tokens.generate()
        await self.put("secrets", tokens.to_secret(made, expires_at=self.clock.now() + ttl_s))
        return made

    async def join(self, token: Token, node: str, keys: Keys, info: bytes = b"") -> Any:
        assert self.endpoints is not None
        connection = self.clients.connect(self.endpoints, keys, self.keys.public)
        message = Join(id="j", token_id=token.id, token_secret=token.secret, node=node, info=info)
        answer = await join(connection, message)
        if answer.status >= 400:
            raise Error.from_status(orjson.loads(answer.body))
        return orjson.loads(answer.body)

    def link(self, node: str, keys: Keys) -> Link:
        assert self.endpoints is not None
        endpoints = self.endpoints
        made = Link(
            Identity("kubelet", node, "boot"),
            lambda: self.clients.connect(endpoints, keys, self.keys.public),
            clock=self.clock,
            rng=random.Random(),
            resource_of=resource_of,
        )
        self.nursery.spawn(made.run())
        return made


@asynccontextmanager
async def running() -> AsyncIterator[Master]:
    master = Master()
    await master.open()
    try:
        async with asyncio.timeout(30):
            yield master
    finally:
        await master.close()


NODES = RESOURCES["nodes"]


async def test_a_worker_joins_and_follows_its_own_view() -> None:
    async with running() as master:
        keys = new_keys()
        info = orjson.dumps({"labels": {"disk": "ssd", "node-role.kubernetes.io/master": ""}})
        welcome = await master.join(await master.token(), "n1", keys, info)
        assert welcome["node"] == "n1"
        assert welcome["podCIDR"] == "10.244.0.0/24"
        node = master.cache.get("nodes", "", "n1")
        assert node is not None
        assert node.labels == {"kubernetes.io/hostname": "n1", "disk": "ssd"}
        view = BusClient(master.link("n1", keys)).watch_view("node/n1")
        (first,) = await anext(view)
        assert isinstance(first, Reset)
        assert [(o.resource, o.name) for o in first.objects] == [(NODES, "n1")]
        await view.aclose()  # type: ignore[attr-defined]  # An async generator underneath.


async def test_every_node_gets_a_subnet_of_its_own() -> None:
    async with running() as master:
        token = await master.token()
        joins = [master.join(token, f"n{n}", new_keys()) for n in range(6)]
        subnets = [welcome["podCIDR"] for welcome in await asyncio.gather(*joins)]
        assert sorted(subnets) == [f"10.244.{n}.0/24" for n in range(6)]
        await master.delete("nodes", "", "n3")
        again = await master.join(token, "n9", new_keys())
        assert again["podCIDR"] in subnets


async def test_a_node_made_by_hand_is_claimed_with_what_it_has() -> None:
    async with running() as master:
        made = {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": {"name": "n1", "labels": {"rack": "7"}},
            "spec": {"podCIDR": "10.244.9.0/24"},
        }
        await master.put("nodes", made)
        keys = new_keys()
        assert (await master.join(await master.token(), "n1", keys))["podCIDR"] == "10.244.9.0/24"
        node = master.cache.get("nodes", "", "n1")
        assert node is not None
        assert node.metadata["annotations"] == {PUBLIC_KEY: keys.public}
        assert node.labels == {"rack": "7"}


async def test_a_worker_that_joined_may_ask_again() -> None:
    async with running() as master:
        keys, token = new_keys(), await master.token()
        first = await master.join(token, "n1", keys)
        assert await master.join(token, "n1", keys) == first


@pytest.mark.parametrize(
    ("changes", "node", "code", "words"),
    [
        pytest.param({"ttl_s": -5.0}, "n1", 401, "expired at .*busk8s token create", id="expired"),
        pytest.param({"id": "aaaaaa"}, "n1", 401, "unknown or was revoked", id="unknown"),
        pytest.param({"secret": "x" * 16}, "n1", 401, "unknown or was", id="wrong secret"),
        pytest.param({"id": "A/../"}, "n1", 400, "malformed", id="malformed id"),
        pytest.param({}, "No Name", 400, "cannot be a node's name", id="impossible name"),
        pytest.param({}, "taken", 409, "kubectl delete node taken", id="taken name"),
    ],
)
async def test_refusals_say_why_and_what_to_do(
    changes: dict[str, Any], node: str, code: int, words: str
) -> None:
    async with running() as master:
        await master.join(await master.token(), "taken", new_keys())
        token = await master.token(changes.pop("ttl_s", 60.0))
        with pytest.raises(Error, match=words) as caught:
            await master.join(replace(token, **changes), node, new_keys())
        assert caught.value.code == code
        assert master.cache.count("nodes") == 1


async def test_a_revoked_token_lets_nobody_in() -> None:
    async with running() as master:
        token = await master.token()
        await master.delete("secrets", "kube-system", f"bootstrap-token-{token.id}")
        with pytest.raises(Error, match="revoked") as caught:
            await master.join(token, "n1", new_keys())
        assert caught.value.code == 401


async def test_one_key_cannot_be_two_nodes() -> None:
    async with running() as master:
        keys, token = new_keys(), await master.token()
        await master.join(token, "n1", keys)
        with pytest.raises(Error, match='already belongs to node "n1"'):
            await master.join(token, "n2", keys)


async def test_deleting_the_node_drops_the_peer_and_frees_the_name() -> None:
    async with running() as master:
        keys, token = new_keys(), await master.token()
        await master.join(token, "n1", keys)
        link = master.link("n1", keys)
        await link.wait_live()
        await master.delete("nodes", "", "n1")
        await until(lambda: not link.live)
        await until(lambda: "unknown key" in link.trouble)
        await master.join(token, "n1", new_keys())


async def test_an_old_protocol_version_is_told_so() -> None:
    async with running() as master:
        assert master.endpoints is not None
        connection = master.clients.connect(master.endpoints, new_keys(), master.keys.public)
        answers: list[bytes] = []
        connection.start(answers.append, answers.append, answers.append, lambda why: None)
        connection.request(msgpack.packb([0, "join", {"id": "j"}]))
        await until(lambda: answers)
        connection.close()
        assert b"protocol version 0 is not supported" in answers[0]


async def test_silence_is_noticed_and_so_is_the_return() -> None:
    async with running() as master:
        flips: list[tuple[str, bool]] = []
        told = master.face._flipped
        master.face.liveness._on_flip = lambda n, s: (flips.append((n, s)), told(n, s))[1]
        keys = new_keys()
        await master.join(await master.token(), "n1", keys)
        await until(lambda: flips == [("n1", True)])
        link = master.link("n1", keys)
        await until(lambda: flips == [("n1", True), ("n1", False)])
        leases = NodeLeases(master.face.liveness, master.cache)
        (lease,) = leases.list("leases.coordination.k8s.io", None, [])
        assert lease.key == "kube-node-lease/n1"
        renewed = datetime.fromisoformat(lease.data["spec"]["renewTime"]).timestamp()
        assert abs(renewed - time.time()) < 2
        assert link.live


async def test_a_status_is_written_once_for_each_change() -> None:
    async with running() as master:
        keys = new_keys()
        await master.join(await master.token(), "n1", keys)
        link = master.link("n1", keys)

        def status() -> Any:
            node = master.cache.get("nodes", "", "n1")
            assert node is not None
            return node.data.get("status", {}).get("phase"), node.revision

        link.set_node_status({"phase": "one"})
        await until(lambda: status()[0] == "one")
        link.set_node_status({"phase": "two"})
        await until(lambda: status()[0] == "two")
        revision = status()[1]
        await asyncio.sleep(1.5)
        assert status()[1] == revision


async def test_an_expelled_node_that_stays_connected_hears_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1. n1 joins and hears `net`. 2. Its Node is deleted, but its sockets stay as they are.
    3. Another node, which stays, gets every later change; the expelled socket gets none."""
    monkeypatch.setattr("busk8s.protocol.GENERATION_OVERLAP_S", 1.2)
    async with running() as master:
        keys, token = new_keys(), await master.token()
        await master.join(token, "n1", keys)
        await master.join(token, "n2", other := new_keys())
        assert master.endpoints is not None
        stale = master.clients.connect(master.endpoints, keys, master.keys.public)
        heard: list[bytes] = []
        stale.start(heard.append, heard.append, heard.append, lambda why: None)
        stale.subscribe(channel("net", 0))
        reading = master.link("n2", other).follow("net")
        await anext(reading)
        await until(lambda: master.face.hub.feed.heard_by(keys.public))
        await put_service(master, "before")
        await until(lambda: any(b"before" in frame for frame in heard))
        await master.delete("nodes", "", "n1")
        await asyncio.sleep(1.5)
        await put_service(master, "after")
        names: list[str] = []
        while "after" not in names:
            names += [change.object.name for change in await anext(reading)]
        await asyncio.sleep(0.3)
        stale.close()
        assert not any(b"after" in frame for frame in heard)


async def put_service(master: Master, name: str) -> None:
    metadata = {"name": name, "namespace": "default"}
    data = {"kind": "Service", "apiVersion": "v1", "metadata": metadata}
    await master.put("services", data)

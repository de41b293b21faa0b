"""A source of objects behind a real hub on real sockets: what the bus tests connect to."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import zmq

from busk8s.api.request import Request, Response, User
from busk8s.api.scheme import Resource
from busk8s.bus.hub import Hub
from busk8s.bus.link import Identity, Link
from busk8s.bus.security import admitter
from busk8s.bus.transport import Connected, Network, Served, new_keys
from busk8s.bus.wire import Endpoints, Keys
from busk8s.clock import SystemClock
from busk8s.protocol import GONE, PUT, Beat, Entry, Join, Message, decode
from busk8s.tasks import Nursery

PODS = Resource("", "v1", "pods", "Pod", True)
LOCAL = Endpoints("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*")


def resource_of(key: str) -> Resource:
    return PODS


def entry(name: str, revision: int, body: bytes = b"{}") -> Entry:
    return (PUT, "pods", "default", name, revision, body)


class World:
    """Meets hub.Policy: nodes by key, topics as plain dicts, calls answered by `answer`."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.topics: dict[str, dict[tuple[str, str, str], Entry]] = {}
        self.revision = 0
        self.requests: list[Request] = []
        self.beats: list[Beat] = []
        self.joins: list[tuple[str, Join]] = []
        self.delay_s = 0.0
        self.hub = Hub(self, clock=SystemClock(), epoch=random.getrandbits(40), master="m1")

    def identify(self, key: str) -> User | None:
        return self.users.get(key)

    def trust(self, component: str) -> User | None:
        names = ("kube-scheduler", "kube-controller-manager", "admin")
        return User(f"system:{component}") if component in names else None

    def may_hear(self, user: User, topic: str) -> bool:
        name = user.name.removeprefix("system:node:")
        return name == user.name or topic in ("net", f"node/{name}")

    def snapshot(self, topic: str) -> tuple[Iterable[Entry], int]:
        return list(self.topics.get(topic, {}).values()), self.revision

    async def call(self, request: Request) -> Response:
        self.requests.append(request)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        return Response(200, orjson.dumps({"path": request.path, "user": request.user.name}))

    async def join(self, key: str, message: Join) -> Response:
        self.joins.append((key, message))
        return Response(201, b"{}")

    def beat(self, user: User, component: str, message: Beat) -> bool:
        self.beats.append(message)
        return False

    def put(self, topic: str, *names: str, body: bytes = b"{}") -> None:
        made = []
        for name in names:
            self.revision += 1
            made.append(entry(name, self.revision, body))
            self.topics.setdefault(topic, {})[made[-1][1:4]] = made[-1]
        self.hub.feed.publish(topic, made, self.revision)

    def remove(self, topic: str, name: str) -> None:
        self.revision += 1
        del self.topics[topic]["pods", "default", name]
        gone: Entry = (GONE, "pods", "default", name, self.revision, b"")
        self.hub.feed.publish(topic, [gone], self.revision)

    def names(self, topic: str) -> list[str]:
        return sorted(key[2] for key in self.topics.get(topic, {}))


class Raw:
    """One connection without a link: frames out, messages in."""

    def __init__(self, connection: Connected) -> None:
        self.connection = connection
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        take = self._answers.put_nowait
        connection.start(take, take, take, lambda why: None)
        self.request, self.beat = connection.request, connection.beat

    async def answer(self) -> Message:
        return decode(await self._answers.get())


class FollowerProcess:
    """See bus_follower.py; `seen` are the revisions it was at."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[int] = []

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.seen.append(int(line))


class Cluster:
    """A world that listens, and the links made to it."""

    def __init__(self, world: World, network: Network, keys: Keys, served: Served) -> None:
        self.world, self.network, self.keys, self.served = world, network, keys, served
        self.endpoints = served.endpoints
        self._clients = Network()
        self._nursery = Nursery()
        self.ipc: Endpoints | None = None
        self._open: list[Connected] = []
        self._bare: list[Any] = []
        self._processes: list[FollowerProcess] = []

    def admit(self, name: str) -> Keys:
        keys = new_keys()
        self.world.users[keys.public] = User(f"system:node:{name}", ("system:nodes",))
        return keys

    def link(
        self, identity: Identity, keys: Keys | None, *, server_key: str = "", seed: int = 0
    ) -> Link:
        endpoints = self.endpoints if keys is not None else self.ipc
        assert endpoints is not None
        made = Link(
            identity,
            lambda: self._clients.connect(endpoints, keys, server_key or self.keys.public),
            clock=SystemClock(),
            rng=random.Random(seed or random.getrandbits(64)),
            resource_of=resource_of,
        )
        self._nursery.spawn(made.run())
        return made

    def worker(self, name: str, component: str = "kubelet") -> Link:
        return self.link(Identity(component, name, "boot"), self.admit(name))

    def listen(self, keys: Keys, *channels: bytes) -> list[bytes]:
        """Everything that a bare subscriber with these keys hears on `channels`."""
        heard: list[bytes] = []
        connection = self._clients.connect(self.endpoints, keys, self.keys.public)
        connection.start(lambda _: None, heard.append, lambda _: None, lambda _: None)
        for prefix in channels:
            connection.subscribe(prefix)
        self._open.append(connection)
        return heard

    def raw(self, keys: Keys) -> Raw:
        """A peer that says whatever the test wants."""
        raw = Raw(self._clients.connect(self.endpoints, keys, self.keys.public))
        self._open.append(raw.connection)
        return raw

    def publisher_socket(self, keys: Keys) -> Any:
        """An XSUB on the feed: it may send what a SUB never would."""
        raw = self._clients.context.socket(zmq.XSUB)
        raw.curve_serverkey = self.keys.public.encode()
        raw.curve_publickey, raw.curve_secretkey = keys.public.encode(), keys.secret.encode()
        raw.connect(self.endpoints.feed)
        self._bare.append(raw)
        return raw

    async def follower_process(self, node: str) -> FollowerProcess:
        """Another process that follows `net` as `node`."""
        keys, ends = self.admit(node), self.endpoints
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("bus_follower.py")),
            ends.requests, ends.feed, ends.heartbeats, self.keys.public,
            keys.public, keys.secret, node,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        made = FollowerProcess(process)
        self._processes.append(made)
        self._nursery.spawn(made.read())
        return made

    def stop(self) -> None:
        """The master dies: its sockets are gone, its memory too."""
        self.served.close()

    def restart(self) -> None:
        """Another master takes its place on the same ports, with the same store."""
        self.world.hub = Hub(
            self.world, clock=SystemClock(), epoch=random.getrandbits(40), master="m2"
        )
        self.served = self.network.serve(self.endpoints, self.keys)
        self.world.hub.attach(self.served)

    async def close(self) -> None:
        for connection in self._open:
            connection.close()
        for raw in self._bare:
            raw.close(0)
        for follower in self._processes:
            follower.process.kill()
            await follower.process.wait()
        await self._nursery.close()
        await self.world.hub.close()
        self._clients.close()
        self.network.close()


@asynccontextmanager
async def cluster(ipc: Path | None = None) -> AsyncIterator[Cluster]:
    world, network, keys = World(), Network(), new_keys()
    network.admit(admitter(world.identify))
    served = network.serve(LOCAL, keys)
    world.hub.attach(served)
    made = Cluster(world, network, keys, served)
    if ipc is not None:
        local = Endpoints(f"ipc://{ipc}/requests", f"ipc://{ipc}/feed", f"ipc://{ipc}/beats")
        world.hub.attach(network.serve(local, None), trusted=True)
        made.ipc = local
    try:
        yield made
    finally:
        await made.close()


async def until(true: Callable[[], object], within_s: float = 5.0) -> None:
    """Wait for `true()`; say so if it never comes."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)

"""The client's verbs mean the same whichever way they go: one suite for direct and HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from busk8s.api import scheme
from busk8s.api.object import Json
from busk8s.api.request import Request, User
from busk8s.api.scheme import CONFIGMAPS, PODS
from busk8s.client.direct import DirectClient
from busk8s.client.http import HttpClient
from busk8s.client.interface import Change, Gone, Put, Reset
from busk8s.client.kubeconfig import Connection
from busk8s.client.rest import RestClient
from busk8s.clock import SystemClock
from busk8s.errors import Error
from busk8s.ids import RandomIds
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import Overflow, WatchCache
from busk8s.tasks import Nursery

pytestmark = pytest.mark.realtime
ADMIN = User("admin", ("system:masters",))
FORMS = ("direct, sharing objects", "direct, as a stream", "http")


@asynccontextmanager
async def client(form: str) -> AsyncIterator[RestClient]:
    clock = SystemClock()
    store = MemoryStore(clock)
    cache = WatchCache(store, lambda key: scheme.RESOURCES[key], clock)
    server = ApiServer(store, cache, clock=clock, ids=RandomIds(random.Random(3)))
    await store.open()
    await cache.open()
    server.open()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    direct = DirectClient(server.dispatch, user=ADMIN)
    await direct.create(scheme.NAMESPACES, namespace)
    if form == "http":
        async with served(server) as url, HttpClient(Connection(url)) as http:
            yield http
    elif "sharing" in form:
        yield DirectClient(server.dispatch, user=ADMIN, source=cache, lost=(Overflow,))
    else:
        yield direct


@asynccontextmanager
async def served(server: ApiServer) -> AsyncIterator[str]:
    """`server` behind a plain HTTP server: what is tested here is the client."""

    async def handle(request: web.Request) -> web.StreamResponse:
        query: dict[str, list[str]] = {}
        for name, value in request.query.items():
            query.setdefault(name, []).append(value)
        body = await request.read()
        kind = request.content_type if body else "application/json"
        asked = Request(request.method, request.path, ADMIN, query, body, kind)
        answer = await server.dispatch(asked)
        if answer.stream is None:
            return web.Response(
                body=answer.body, status=answer.status, content_type="application/json"
            )
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in answer.stream:
            await response.write(chunk)
        return response

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def config(name: str = "a", **metadata: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "data": {"k": "v"},
    }


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_objects_are_made_read_changed_and_removed(form: str) -> None:
    async with client(form) as c:
        made = await c.create(CONFIGMAPS, config(), namespace="default")
        assert made.revision > 0
        found = await c.get(CONFIGMAPS, "a", namespace="default")
        assert found.uid == made.uid
        data = found.copy()
        data["data"] = {"k": "w"}
        updated = await c.update(CONFIGMAPS, data)
        assert updated.revision > made.revision
        with pytest.raises(Error) as conflict:
            await c.update(CONFIGMAPS, data)
        assert conflict.value.reason == "Conflict"
        patched = await c.patch(
            CONFIGMAPS, "a", [{"op": "add", "path": "/data/x", "value": "y"}],
            namespace="default", kind="json",
        )  # fmt: skip
        assert patched.data["data"] == {"k": "w", "x": "y"}
        with pytest.raises(Error) as other:
            await c.delete(CONFIGMAPS, "a", namespace="default", uid="another")
        assert other.value.code == 409
        await c.delete(CONFIGMAPS, "a", namespace="default", uid=made.uid)
        with pytest.raises(Error) as gone:
            await c.get(CONFIGMAPS, "a", namespace="default")
        assert gone.value.reason == "NotFound"


async def test_a_long_list_comes_whole(form: str) -> None:
    async with client(form) as c:
        for number in range(620):
            label = {"labels": {"half": str(number % 2)}}
            await c.create(CONFIGMAPS, config(f"c{number:04}", **label), namespace="default")
        listed = await c.list(CONFIGMAPS, namespace="default")
        assert [found.name for found in listed.items] == [f"c{n:04}" for n in range(620)]
        assert listed.items[0].data["kind"] == "ConfigMap"
        half = await c.list(CONFIGMAPS, label_selector="half=1")
        assert len(half.items) == 310


async def test_a_watch_begins_with_everything_and_goes_on(form: str) -> None:
    async with client(form) as c:
        await c.create(CONFIGMAPS, config("before"), namespace="default")
        seen: list[Change] = []
        came = asyncio.Event()

        async def watch() -> None:
            async for batch in c.watch(CONFIGMAPS):
                seen.extend(batch)
                came.set()

        async def until(count: int) -> None:
            async with asyncio.timeout(10):
                while len(seen) < count:
                    came.clear()
                    await came.wait()

        async with Nursery() as nursery:
            nursery.spawn(watch())
            await until(1)
            await c.create(CONFIGMAPS, config("after"), namespace="default")
            await c.patch(CONFIGMAPS, "after", {"data": {"k": None}}, namespace="default")
            await c.delete(CONFIGMAPS, "after", namespace="default")
            await until(4)
        first, *rest = seen
        assert isinstance(first, Reset)
        assert [found.name for found in first.objects] == ["before"]
        assert [type(change) for change in rest] == [Put, Put, Gone]
        revisions = [change.object.revision for change in rest if not isinstance(change, Reset)]
        assert revisions == sorted(set(revisions))


async def test_a_pod_is_bound(form: str) -> None:
    async with client(form) as c:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "busybox"}]},
        }
        made = await c.create(PODS, pod, namespace="default")
        await c.bind("default", "p", "n1", uid=made.uid)
        assert (await c.get(PODS, "p", namespace="default")).data["spec"]["nodeName"] == "n1"


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with HttpClient(Connection("http://127.0.0.1:9")) as c:
        with pytest.raises(Error) as error:
            await c.get(PODS, "p", namespace="default")
    assert error.value.code == 503

"""A whole API server over the memory store, and short words to speak to it with."""

from __future__ import annotations

import random
from typing import Any

import orjson

from busk8s.api.request import Request, Response, User
from busk8s.clock import LoopClock
from busk8s.ids import RandomIds
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import WatchCache

Json = dict[str, Any]
ADMIN = User("admin", ("system:masters",))
PODS = "/api/v1/namespaces/default/pods"
MERGE = "application/merge-patch+json"


class Api:
    """`do` answers (status code, JSON); `raw` the Response itself."""

    def __init__(self, **given: Any) -> None:
        self.clock = LoopClock()
        self.store = MemoryStore(self.clock)
        self.catalog = Catalog()
        self.cache = WatchCache(self.store, self.catalog.shelf, self.clock)
        self.server = ApiServer(
            self.store,
            self.cache,
            clock=self.clock,
            ids=RandomIds(random.Random(7)),
            catalog=self.catalog,
            **given,
        )

    async def open(self) -> Api:
        await self.store.open()
        await self.cache.open()
        self.server.open()
        return self

    async def raw(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "",
        user: User = ADMIN,
    ) -> Response:
        path, _, text = url.partition("?")
        query: dict[str, list[str]] = {}
        for pair in filter(None, text.split("&")):
            name, _, value = pair.partition("=")
            query.setdefault(name, []).append(value)
        data = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.server.dispatch(
            Request(method, path, user, query, data, content_type, accept)
        )

    async def do(self, method: str, url: str, body: Any = None, **more: Any) -> tuple[int, Json]:
        response = await self.raw(method, url, body, **more)
        if response.content_type.startswith("text/"):
            return response.status, {"text": response.body.decode()}
        return response.status, orjson.loads(response.body)

    async def must(self, method: str, url: str, body: Any = None, **more: Any) -> Json:
        status, data = await self.do(method, url, body, **more)
        assert status < 300, data
        return data

    async def patch(self, url: str, body: Any, kind: str = MERGE) -> tuple[int, Json]:
        return await self.do("PATCH", url, body, content_type=kind)


async def world(**given: Any) -> Api:
    return await Api(**given).open()


def pod(name: str = "a", **metadata: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "c", "image": "busybox"}]},
    }


def config_map(name: str = "a", data: Json | None = None, **metadata: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": data if data is not None else {"k": "v"},
    }


def deployment(name: str = "d", **spec: Any) -> Json:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "busybox"}]},
            },
            **spec,
        },
    }


def service(name: str = "s", **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], **spec},
    }


async def running_pod(api: Api, name: str = "a", node: str = "n1", **metadata: Any) -> Json:
    """A pod that is bound and runs, as the kubelet would have reported."""
    await api.must("POST", PODS, pod(name, **metadata))
    target = {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
    await api.must("POST", f"{PODS}/{name}/binding", target)
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"}
    status = {"status": {"phase": "Running", "conditions": [ready]}}
    return await api.must("PATCH", f"{PODS}/{name}/status", status, content_type=MERGE)


async def lines(response: Response, count: int) -> list[Json]:
    """The first `count` events of a watch, which is then closed."""
    found: list[Json] = []
    assert response.stream is not None
    async for chunk in response.stream:
        found += [orjson.loads(line) for line in chunk.splitlines()]
        if len(found) >= count:
            break
    await response.stream.aclose()  # type: ignore[attr-defined]  # an async generator
    return found

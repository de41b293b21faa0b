"""Health, metrics and default objects."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
import pytest
from shelf import default_shelf

from busk8s.api.request import ANONYMOUS, Request, Response
from busk8s.clock import LoopClock
from busk8s.master.apiserver.attributes import AllowAll
from busk8s.master.apiserver.authz import ClusterAuthorizer
from busk8s.master.apiserver.bootstrap import KEEP_EVERY_S, Address, bootstrap, keep, wanted
from busk8s.master.apiserver.front import Front
from busk8s.master.apiserver.health import Health
from busk8s.master.apiserver.metrics import Metrics, label
from busk8s.master.apiserver.node_authz import NodeAuthorizer
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.tasks import Nursery

SERVED = frozenset({("", "v1", "pods"), ("", "v1", "namespaces"), ("apps", "v1", "deployments")})


def health(store: str | None = None, ready: str | None = None) -> Health:
    return Health({"store": lambda: store}, {"bootstrap": lambda: ready})


def said(path: str, given: Health, **query: list[str]) -> tuple[int, str]:
    response = given.answer(Request("GET", path, query=query))
    assert response is not None
    return response.status, response.body.decode()


@pytest.mark.parametrize(
    ("path", "query", "answer"),
    [
        ("/healthz", {}, (200, "ok")),
        ("/readyz/store", {}, (200, "ok")),
        ("/livez/nothing", {}, (404, "404 page not found\n")),
        ("/livez", {"verbose": [""]}, (200, "[+]ping ok\n[+]store ok\nlivez check passed\n")),
    ],
)
def test_a_well_server_says(path: str, query: Any, answer: tuple[int, str]) -> None:
    assert said(path, health(), **query) == answer


def test_what_fails_is_named_but_not_why() -> None:
    status, text = said("/readyz", health(store="disk full"))
    assert status == 500
    assert text == "[+]ping ok\n[-]store failed: reason withheld\n[+]bootstrap ok\nreadyz check failed\n"  # fmt: skip  # noqa: E501


def test_not_ready_is_still_alive() -> None:
    given = health(ready="not yet")
    assert said("/livez", given) == (200, "ok")
    assert said("/readyz", given)[0] == 500
    assert said("/readyz", given, exclude=["bootstrap"])[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("LIST", "", "v1", "pods", "")),
        ("GET", "/api/v1/pods", {"watch": ["1"]}, ("WATCH", "", "v1", "pods", "")),
        ("GET", "/api/v1/namespaces/a/pods/b", {}, ("GET", "", "v1", "pods", "")),
        ("PUT", "/api/v1/namespaces/a/pods/b/status", {}, ("PUT", "", "v1", "pods", "status")),
        ("GET", "/api/v1/namespaces/a", {}, ("GET", "", "v1", "namespaces", "")),
        ("POST", "/apis/apps/v1/namespaces/a/deployments", {}, ("POST", "apps", "v1", "deployments", "")),  # noqa: E501
        ("BREW", "/api/v1/coffee/pot", {}, ("OTHER", "", "", "", "")),
        ("GET", "/apis", {}, ("GET", "", "", "", "")),
        ("GET", "/api/v1/pods/a/strange", {}, ("GET", "", "v1", "pods", "")),
    ],
)  # fmt: skip
def test_a_request_has_labels(method: str, path: str, query: Any, expected: Any) -> None:
    assert label(Request(method, path, query=query), SERVED) == expected


def front() -> Front:
    async def dispatch(request: Request) -> Response:
        return Response(200, b"{}")

    metrics = Metrics(SERVED, {"busk8s_watchers": ("Open watches.", lambda: 3.0)})
    return Front(dispatch, AllowAll(), health(), metrics, clock=LoopClock())


async def test_metrics_tell_what_was_asked() -> None:
    given = front()
    for _ in range(3):
        await given(Request("GET", "/api/v1/namespaces/a/pods/b"))
    text = (await given(Request("GET", "/metrics"))).body.decode()
    wanted_line = 'apiserver_request_total{code="200",group="",resource="pods",subresource="",verb="GET",version="v1"} 3.0'  # noqa: E501
    assert wanted_line in text
    assert "busk8s_watchers 3.0" in text
    assert "process_resident_memory_bytes" in text


async def test_a_stranger_gets_health_but_not_metrics() -> None:
    async def dispatch(request: Request) -> Response:
        return Response(404)

    roles = default_shelf()
    authorizer = ClusterAuthorizer(NodeAuthorizer(roles), RbacAuthorizer(roles))
    given = Front(dispatch, authorizer, health(), Metrics(SERVED, {}), clock=LoopClock())
    assert (await given(Request("GET", "/livez", ANONYMOUS))).status == 200
    refused = await given(Request("GET", "/metrics", ANONYMOUS))
    assert refused.status == 403
    assert orjson.loads(refused.body)["message"] == (
        'forbidden: User "system:anonymous" cannot get path "/metrics"'
    )


def test_counting_a_request_is_cheap() -> None:
    metrics = Metrics(SERVED, {})
    request = Request("GET", "/api/v1/namespaces/a/pods/b")
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(2_000):
            metrics.count(request, 200, 0.001)
        best = min(best, (time.perf_counter() - began) / 2_000)
    assert best < 6e-6  # 3 µs on an idle machine


class Table:
    """An API server as a dictionary: enough for default objects."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.writes: list[tuple[str, str]] = []

    async def __call__(self, request: Request) -> Response:
        if request.method == "GET":
            found = self.objects.get(request.path)
            return Response(200 if found else 404, orjson.dumps(found or {"code": 404}))
        self.writes.append((request.method, request.path))
        body = orjson.loads(request.body)
        path = request.path
        if request.method == "POST":
            path += "/" + body["metadata"]["name"]
        self.objects[path] = body
        return Response(200, request.body)


async def test_default_objects_are_made_once_and_the_address_follows() -> None:
    table = Table()
    first = Address("10.96.0.1", "192.0.2.1", 6440)
    await bootstrap(table, first)
    assert len(table.writes) == len(list(wanted(first))) == 28
    table.writes.clear()
    await bootstrap(table, first)
    assert table.writes == []
    await bootstrap(table, Address("10.96.0.1", "192.0.2.2", 6440))
    assert [method for method, _ in table.writes] == ["PUT", "PUT"]


async def test_a_default_object_that_is_deleted_comes_back_in_ten_seconds() -> None:
    table, address = Table(), Address("10.96.0.1", "192.0.2.1", 6440)
    await bootstrap(table, address)
    async with Nursery() as nursery:
        nursery.spawn(keep(table, address, LoopClock()))
        del table.objects["/api/v1/namespaces/default/services/kubernetes"]
        table.writes.clear()
        await asyncio.sleep(KEEP_EVERY_S + 1)
        assert table.writes == [("POST", "/api/v1/namespaces/default/services")]
        await asyncio.sleep(KEEP_EVERY_S * 3)
        assert len(table.writes) == 1

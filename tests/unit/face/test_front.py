"""Health, metrics and default objects."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from shelf import default_shelf

from busk8s.api.request import ANONYMOUS, Request, Response
from busk8s.clock import LoopClock
from busk8s.exposition import Page
from busk8s.master.apiserver.authz import ClusterAuthorizer
from busk8s.master.apiserver.bootstrap import KEEP_EVERY_S, Address, bootstrap, keep, wanted
from busk8s.master.apiserver.front import Front
from busk8s.master.apiserver.health import Health
from busk8s.master.apiserver.metrics.requests import RequestMetrics
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


def test_what_cannot_be_left_out_is_said() -> None:
    status, text = said("/livez", health(), verbose=[""], exclude=["stroe"])
    assert status == 200
    assert 'warn: some health checks cannot be excluded: no matches for "stroe"\n' in text


def test_not_ready_is_still_alive() -> None:
    given = health(ready="not yet")
    assert said("/livez", given) == (200, "ok")
    assert said("/readyz", given)[0] == 500
    assert said("/readyz", given, exclude=["bootstrap"])[0] == 200


async def test_a_stranger_gets_health_but_not_metrics() -> None:
    async def dispatch(request: Request) -> Response:
        return Response(404)

    roles = default_shelf()
    authorizer = ClusterAuthorizer(NodeAuthorizer(roles), RbacAuthorizer(roles))
    given = Front(
        dispatch,
        authorizer,
        health(),
        RequestMetrics(SERVED),
        clock=LoopClock(),
        pages=Page((), build={}),
    )
    assert (await given(Request("GET", "/livez", ANONYMOUS))).status == 200
    refused = await given(Request("GET", "/metrics", ANONYMOUS))
    assert refused.status == 403
    assert orjson.loads(refused.body)["message"] == (
        'forbidden: User "system:anonymous" cannot get path "/metrics"'
    )


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
    assert len(table.writes) == len(list(wanted(first))) == 29
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
        # Who does not want our volumes is left in peace until the next start.
        del table.objects["/apis/storage.k8s.io/v1/storageclasses/local"]
        table.writes.clear()
        await asyncio.sleep(KEEP_EVERY_S + 1)
        assert table.writes == [("POST", "/api/v1/namespaces/default/services")]
        await asyncio.sleep(KEEP_EVERY_S * 3)
        assert len(table.writes) == 1

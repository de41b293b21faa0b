"""Requests passed on over real sockets: proxy of Services and pods, extension API servers."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from hook_server import Certificates, Json

from busk8s.api.object import encode
from busk8s.api.openapi_wire import CONTENT_TYPE
from busk8s.api.request import Request, Response, User
from busk8s.clock import SystemClock
from busk8s.ids import RandomIds
from busk8s.master.apiserver.aggregation.aggregator import Aggregator
from busk8s.master.apiserver.aggregation.availability import Availability, condition
from busk8s.master.apiserver.authentication.peers import NOBODY, Peer
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.http import HttpServer
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.base import Write
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import WatchCache
from busk8s.tasks import Nursery

pytestmark = pytest.mark.realtime
ALICE = User("alice", ("dev", "ops"), "7", {"scopes/a b": ("x",)})
PROXY = "/api/v1/namespaces/default/services/s:web/proxy"
WIDGETS = "/apis/ext.example.com/v1/namespaces/default/widgets"
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


class Alice:
    def peer(self, tls: object) -> Peer:
        return NOBODY

    async def user(self, peer: Peer, headers: Mapping[str, str], path: str) -> User:
        return ALICE


class World:
    """An API server on a port, and a server behind it that speaks as the test says."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.catalog = Catalog()
        self.store = MemoryStore(clock)
        self.cache = WatchCache(self.store, self.catalog.shelf, clock)
        self.outgoing = Outgoing(self.cache, clock)
        self.aggregator = Aggregator(self.cache, self.outgoing)
        self.server = ApiServer(
            self.store,
            self.cache,
            clock=clock,
            ids=RandomIds(random.Random()),
            aggregator=self.aggregator,
            catalog=self.catalog,
        )
        self.availability = Availability(
            self.cache, self.catalog, self.aggregator, self.server.dispatch, clock
        )
        self.http = HttpServer(
            self.server.dispatch, Alice(), clock=clock, passed_on=self.aggregator.passes_on
        )
        self.heads: list[str] = []
        self.speak: Speak = answer()
        self.port = 0

    async def must(self, method: str, path: str, body: Json | None = None) -> Json:
        data = orjson.dumps(body) if body is not None else b""
        response = await self.server.dispatch(Request(method, path, ALICE, body=data))
        said: Json = orjson.loads(response.body)
        assert response.status < 300, said
        return said

    async def put(self, key: str, data: Json) -> None:
        await self.store.commit((Write(key, encode(data), expect=0),))

    async def ask(self, head: str, body: bytes = b"") -> tuple[int, str, bytes]:
        """One request over a connection of its own: status, head, body (chunks joined)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        writer.write(
            f"{head}\r\nHost: api.example.com\r\nConnection: close\r\n{length}\r\n".encode() + body
        )
        data = await reader.read()
        writer.close()
        said, _, rest = data.partition(b"\r\n\r\n")
        text = said.decode()
        if "chunked" in text.lower():
            rest = unchunked(rest)
        return int(text.split(" ")[1]), text, rest


def unchunked(data: bytes) -> bytes:
    whole = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        whole += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return whole


def answer(status: int = 200, body: bytes = b"hi", *headers: str) -> Speak:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return speak


@asynccontextmanager
async def world(tls: Any = None) -> AsyncIterator[World]:
    made = World()
    tasks, writers = Nursery(), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            made.heads.append(head)
            await made.speak(reader, writer, head)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the end of the connection or of the test
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.spawn(serve(reader, writer))

    behind = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    await made.store.open()
    await made.cache.open()
    made.server.open()
    made.aggregator.open()
    bound = socket.create_server(("127.0.0.1", 0))
    made.port = bound.getsockname()[1]
    await made.http.open([bound], None)
    namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "default"}}
    await made.must("POST", "/api/v1/namespaces", namespace)
    await _service(made, behind.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        await made.http.close()
        made.outgoing.close()
        behind.close()
        await tasks.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.02)  # transports that were cut off close their sockets


async def _service(made: World, port: int) -> None:
    ports = [{"name": "web", "port": 80}, {"name": "tls", "port": 443}, {"name": "no", "port": 9}]
    meta = {"name": "s", "namespace": "default"}
    service = {"kind": "Service", "apiVersion": "v1", "metadata": meta, "spec": {"ports": ports}}
    await made.must("POST", "/api/v1/namespaces/default/services", service)
    labels = {"kubernetes.io/service-name": "s"}
    await made.put(
        "endpointslices.discovery.k8s.io/default/s-1",
        {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {"name": "s-1", "namespace": "default", "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "web", "port": port}, {"name": "tls", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        },
    )


async def test_path_query_and_headers_arrive_as_they_were_sent_but_for_credentials() -> None:
    async with world() as api:
        status, _, body = await api.ask(
            f"GET {PROXY}/a%20b//c/?x=1&x=%2f HTTP/1.1\r\nAuthorization: Bearer secret\r\n"
            "Impersonate-User: bob\r\nX-Remote-User: root\r\nX-Mine: 1\r\nX-Mine: 2"
        )
        asked = api.heads[0]
    assert (status, body) == (200, b"hi")
    assert asked.startswith("GET /a%20b//c/?x=1&x=%2f HTTP/1.1\r\n")
    assert "X-Mine: 1\r\nX-Mine: 2\r\n" in asked
    assert f"X-Forwarded-Uri: {PROXY}/a%20b//c/\r\nX-Forwarded-Host: api.example.com" in asked
    for hidden in ("authorization", "impersonate", "x-remote"):
        assert hidden not in asked.lower()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_method_passes_with_its_body(method: str) -> None:
    async with world() as api:
        got = []

        async def speak(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str
        ) -> None:
            got.append(await reader.readexactly(5))
            await answer(204, b"")(reader, writer, head)

        api.speak = speak
        status, _, body = await api.ask(f"{method} {PROXY}/x HTTP/1.1", b"hello")
    assert (status, body, got) == (204, b"", [b"hello"])


async def test_an_answer_flows_while_it_is_made() -> None:
    async with world() as api:
        seen = asyncio.Event()

        async def speak(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str
        ) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\n\r\none")
            await asyncio.wait_for(seen.wait(), 5)
            writer.write(b"two")

        api.speak = speak
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(f"GET {PROXY}/x HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        first = await reader.readuntil(b"one")
        seen.set()
        await reader.readuntil(b"two\r\n0\r\n\r\n")
        writer.close()
    assert b"Content-Type: text/x" in first


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("/there?x=1", f"{PROXY}/there?x=1"),
        ("relative", "relative"),
        ("https://elsewhere.example.com/x", "https://elsewhere.example.com/x"),
        ("http://{host}/back", f"{PROXY}/back"),
    ],
    ids=["a path", "relative", "elsewhere", "its own address"],
)
async def test_a_redirect_stays_behind_the_proxy(location: str, told: str) -> None:
    async with world() as api:

        async def speak(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str
        ) -> None:
            host = head.split("Host: ")[1].split("\r\n")[0]
            said = f"Location: {location.replace('{host}', host)}"
            await answer(302, b"", said)(reader, writer, head)

        api.speak = speak
        status, head, _ = await api.ask(f"GET {PROXY}/x HTTP/1.1")
    assert status == 302
    assert f"Location: {told}\r\n" in head + "\r\n"


async def test_without_a_path_one_is_sent_to_the_root() -> None:
    async with world() as api:
        status, head, _ = await api.ask(f"GET {PROXY}?a=b HTTP/1.1")
    assert status == 301
    assert f"Location: {PROXY}/?a=b" in head


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
    assert "Connection: Upgrade\r\nUpgrade: echo" in head
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nready"
    )
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@pytest.mark.parametrize("path", [f"{PROXY}/up", f"{WIDGETS}/up"], ids=["proxy", "aggregation"])
async def test_an_upgraded_connection_is_a_tunnel_both_ways(
    path: str, certificates: Certificates
) -> None:
    foreign = path.startswith("/apis")
    async with world(certificates.server("s.default.svc") if foreign else None) as api:
        if foreign:
            await register(api, certificates, available=True)
        api.speak = _echo
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        head = f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        writer.write(head.encode() + b"early")
        got = await reader.readuntil(b"\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 101 ")
        assert await reader.readexactly(10) == b"readyearly"
        sent = random.Random(1).randbytes(1_000_000)
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        writer.close()


REFUSED = {
    "nobody behind": ("services/s:no/proxy/", 503, 'no endpoints available for service "s:no"'),
    "no such port": ("services/s:81/proxy/", 503, 'no service port 81 found for service "s"'),
    "no such service": ("services/x/proxy/", 404, 'services "x" not found'),
    "a bad scheme": ("services/ftp:s:web/proxy/", 400, 'invalid service request "ftp:s:web"'),
    "too many parts": ("pods/a:b:c:d/proxy/", 400, 'invalid pod request "a:b:c:d"'),
    "no such pod": ("pods/p/proxy/", 404, 'pods "p" not found'),
    "a pod on loopback": ("pods/here:80/proxy/", 400, "address not allowed"),
    "a pod without address": ("pods/nowhere:80/proxy/", 400, "address not allowed"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_leads_nowhere_is_refused_in_upstreams_words(case: str) -> None:
    path, code, said = REFUSED[case]
    async with world() as api:
        for name, address in (("here", "127.0.0.1"), ("nowhere", "")):
            pod = {
                "kind": "Pod",
                "apiVersion": "v1",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"containers": []},
                "status": {"podIP": address},
            }
            await api.put(f"pods/default/{name}", pod)
        status, _, body = await api.ask(f"GET /api/v1/namespaces/default/{path} HTTP/1.1")
    assert (status, orjson.loads(body)["message"]) == (code, said)


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
    writer.close()


async def _rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
    writer.write(b"\0\1\2 rubbish\r\n\r\n")


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
    while not writer.is_closing():
        writer.write(b"X-Header: y\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("speak", "said"),
    [
        pytest.param(_close, "error trying to reach service: EOF", id="closes"),
        pytest.param(_rubbish, "error trying to reach service: malformed", id="rubbish"),
        pytest.param(_endless, "error trying to reach service: net/http", id="endless head"),
    ],
)
async def test_a_server_that_is_none_costs_one_request(speak: Speak, said: str) -> None:
    async with world() as api:
        api.speak = speak
        status, _, body = await api.ask(f"GET {PROXY}/ HTTP/1.1")
        assert status == 503
        assert orjson.loads(body)["message"].startswith(said)


# Aggregation.


async def register(
    api: World, certificates: Certificates, *, available: bool = False, port: int = 443
) -> None:
    body: Json = {
        "kind": "APIService",
        "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {"name": "v1.ext.example.com"},
        "spec": {
            "group": "ext.example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "caBundle": certificates.bundle,
            "service": {"name": "s", "namespace": "default", "port": port},
        },
    }
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    made = await api.must("POST", path, body)
    if available:
        made["status"] = {"conditions": [{"type": "Available", "status": "True"}]}
        await api.must("PUT", f"{path}/v1.ext.example.com/status", made)


async def test_a_request_reaches_the_other_server_with_who_asks(certificates: Certificates) -> None:
    async with world(certificates.server("s.default.svc")) as api:
        await register(api, certificates, available=True)
        status, _, body = await api.ask(
            f"GET {WIDGETS}?limit=5 HTTP/1.1\r\nX-Remote-User: root\r\nX-Remote-Group: masters"
        )
        asked = api.heads[-1]
    assert (status, body) == (200, b"hi")
    assert asked.startswith(f"GET {WIDGETS}?limit=5 HTTP/1.1\r\nHost: s.default.svc:443\r\n")
    assert asked.count("X-Remote-User: ") == 1
    assert "X-Remote-User: alice\r\nX-Remote-Uid: 7\r\nX-Remote-Group: dev\r\n" in asked
    assert "X-Remote-Extra-scopes%2Fa%20b: x" in asked


async def test_an_unavailable_server_is_said_to_be_so(certificates: Certificates) -> None:
    async with world(certificates.server("s.default.svc")) as api:
        await register(api, certificates)
        status, head, body = await api.ask(f"GET {WIDGETS} HTTP/1.1")
    assert (status, body) == (503, b"service unavailable\n")
    assert "text/plain" in head


RESOURCES = {
    "kind": "APIResourceList",
    "groupVersion": "ext.example.com/v1",
    "resources": [
        {"name": "widgets", "kind": "Widget", "namespaced": True, "verbs": ["get", "list"]},
        {"name": "widgets/status", "kind": "Widget", "namespaced": True, "verbs": ["get"]},
    ],
}


async def _available(api: World) -> tuple[str, str, str] | None:
    for _ in range(200):
        found = api.cache.get("apiservices.apiregistration.k8s.io", "", "v1.ext.example.com")
        said = condition(found.data) if found is not None else None
        if said is not None:
            return said
        await asyncio.sleep(0.02)
    return None


async def test_discovery_is_merged_and_every_group_version_has_an_api_service(
    certificates: Certificates,
) -> None:
    async with world(certificates.server("s.default.svc")) as api:
        api.speak = answer(200, orjson.dumps(RESOURCES), "Content-Type: application/json")
        await register(api, certificates)
        async with Nursery() as nursery:
            nursery.spawn(api.availability.run())
            assert await _available(api) == ("True", "Passed", "all checks passed")
            assert "X-Remote-User: system:kube-aggregator" in api.heads[0]
            groups = await api.must("GET", "/apis")
            assert "ext.example.com" in [group["name"] for group in groups["groups"]]
            group = await api.must("GET", "/apis/ext.example.com")
            assert group["preferredVersion"]["groupVersion"] == "ext.example.com/v1"
            media = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            response = await api.server.dispatch(Request("GET", "/apis", ALICE, accept=media))
            item = orjson.loads(response.body)["items"][-1]
            known = {"if-none-match": dict(response.headers)["ETag"]}
            again = Request("GET", "/apis", ALICE, accept=media, headers=known)
            assert (await api.server.dispatch(again)).status == 304
            services = await api.must("GET", "/apis/apiregistration.k8s.io/v1/apiservices")
    assert item["metadata"]["name"] == "ext.example.com"
    (resource,) = item["versions"][0]["resources"]
    assert (resource["resource"], resource["scope"]) == ("widgets", "Namespaced")
    assert [part["subresource"] for part in resource["subresources"]] == ["status"]
    local = {s["metadata"]["name"]: s for s in services["items"]}
    assert {"v1.", "v1.apps", "v2.autoscaling"} <= set(local)
    said = local["v1.apps"]["status"]["conditions"][0]
    assert (said["status"], said["reason"]) == ("True", "Local")


GVK = {"group": "ext.example.com", "version": "v1", "kind": "Widget"}
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
PUBLISHED: Json = {
    "swagger": "2.0",
    "info": {"title": "ext", "version": "1"},
    "paths": {
        "/version/": {"get": {"responses": {}}},
        "/apis/ext.example.com/v1/namespaces/{namespace}/widgets": {
            "get": {
                "operationId": "listWidgets",
                "parameters": [{"$ref": "#/parameters/limit"}],
                "responses": {"200": {"schema": {"$ref": "#/definitions/com.example.Widget"}}},
            },
            "parameters": [],
        },
    },
    "parameters": {"limit": {"name": "limit", "in": "query", "type": "integer"}},
    "definitions": {
        "com.example.Widget": {
            "type": "object",
            "properties": {"metadata": {"$ref": f"#/definitions/{META}"}},
            "x-kubernetes-group-version-kind": [GVK],
        },
        META: {"type": "object", "properties": {"name": {"type": "string", "title": "theirs"}}},
        "com.example.Unused": {"type": "string"},
    },
}


def publishing(document: Any, asked: list[str]) -> Speak:
    """Discovery, and a document of OpenAPI v2."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        body, status = orjson.dumps(RESOURCES), 200
        if "/openapi/v2" in head:
            asked.append(head)
            body = document if isinstance(document, bytes) else orjson.dumps(document)
            status = 304 if "if-none-match" in head.lower() else 200
        await answer(status, b"" if status == 304 else body, 'ETag: "one"')(reader, writer, head)

    return speak


async def openapi_v2(api: World, **more: Any) -> Response:
    return await api.server.dispatch(Request("GET", "/openapi/v2", ALICE, **more))


async def test_openapi_v2_contains_what_other_servers_publish(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    async with world(certificates.server("s.default.svc")) as api:
        alone = orjson.loads((await openapi_v2(api)).body)
        api.speak = publishing(PUBLISHED, asked)
        await register(api, certificates)
        async with Nursery() as nursery:
            nursery.spawn(api.availability.run())
            assert await _available(api) == ("True", "Passed", "all checks passed")
            first = await openapi_v2(api)
            document = orjson.loads(first.body)
            etag = {"if-none-match": dict(first.headers)["ETag"]}
            assert (await openapi_v2(api, headers=etag)).status == 304
            assert len(asked) == 1  # Not asked again for a minute.
            assert "X-Remote-User: system:aggregator" in asked[0]
            told = await openapi_v2(api, accept=CONTENT_TYPE)
            assert told.content_type == CONTENT_TYPE
            assert b"listWidgets" in told.body
            monkeypatch.setattr("busk8s.master.apiserver.aggregation.documents.FRESH_S", 0.0)
            assert (await openapi_v2(api)).body == first.body  # 304: as it was last heard.
            assert len(asked) == 2
    path = "/apis/ext.example.com/v1/namespaces/{namespace}/widgets"
    assert document["paths"].keys() - alone["paths"].keys() == {path}
    operation = document["paths"][path]["get"]
    assert operation["parameters"] == [PUBLISHED["parameters"]["limit"]]
    assert document["definitions"].keys() - alone["definitions"].keys() == {
        "com.example.Widget",
        f"{META}_v2",
    }
    widget = document["definitions"]["com.example.Widget"]
    assert widget["properties"]["metadata"] == {"$ref": f"#/definitions/{META}_v2"}
    assert document["definitions"][META] == alone["definitions"][META]


BAD_DOCUMENTS: dict[str, Any] = {
    "no JSON": b"<html>",
    "no object": [1],
    "no paths": {"definitions": {}},
    "paths that are none": {"paths": 7},
    "definitions that are none": {"paths": {}, "definitions": [1]},
    "an operation that is none": {"paths": {"/apis/ext.example.com/v1/w": {"get": 7}}},
    "tags that are none": {"paths": {"/apis/ext.example.com/v1/w": {"get": {"tags": 7}}}},
    "a parameter nobody knows": {
        "paths": {"/apis/ext.example.com/v1/w": {"parameters": [{"$ref": "#/parameters/x"}]}}
    },
    "a definition that is none": {
        "paths": {"/apis/ext.example.com/v1/w": {"x": {"$ref": "#/definitions/a"}}},
        "definitions": {"a": 7},
    },
    "nested too deep": b'{"paths":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
    "too large": b" " * (8 * 1024 * 1024 + 1),
}


@pytest.mark.parametrize("case", BAD_DOCUMENTS)
async def test_a_document_that_is_none_is_left_out(certificates: Certificates, case: str) -> None:
    asked: list[str] = []
    async with world(certificates.server("s.default.svc")) as api:
        alone = await openapi_v2(api)
        api.speak = publishing(BAD_DOCUMENTS[case], asked)
        await register(api, certificates)
        async with Nursery() as nursery:
            nursery.spawn(api.availability.run())
            assert await _available(api) == ("True", "Passed", "all checks passed")
            merged = await openapi_v2(api)
    assert len(asked) == 1
    assert orjson.loads(merged.body) == orjson.loads(alone.body)


@pytest.mark.parametrize(
    ("port", "speak", "reason"),
    [
        pytest.param(1, answer(), "ServicePortError", id="no such port"),
        pytest.param(9, answer(), "MissingEndpoints", id="no endpoint has the port"),
        pytest.param(443, answer(500), "FailedDiscoveryCheck", id="it fails"),
        pytest.param(443, _close, "FailedDiscoveryCheck", id="it closes"),
    ],
)
async def test_why_a_server_is_unavailable(
    certificates: Certificates, port: int, speak: Speak, reason: str
) -> None:
    async with world(certificates.server("s.default.svc")) as api:
        api.speak = speak
        await register(api, certificates, port=port)
        async with Nursery() as nursery:
            nursery.spawn(api.availability.run())
            said = await _available(api)
    assert said is not None
    assert said[:2] == ("False", reason)

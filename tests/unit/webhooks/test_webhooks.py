"""Admission webhooks over real HTTPS: what they are asked, and what each sort of answer does."""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from hook_server import (
    Certificates,
    HookServer,
    Json,
    allow,
    deny,
    hook_server,
    patch,
    review,
)

from busk8s.api import scheme
from busk8s.api.request import Request, Response, User
from busk8s.clock import SystemClock
from busk8s.ids import RandomIds
from busk8s.master.apiserver.admission.chain import AdmissionChain
from busk8s.master.apiserver.admission.expressions import MatchConditions
from busk8s.master.apiserver.admission.webhooks.plugins import Webhooks
from busk8s.master.apiserver.attributes import AllowAll
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.metrics.admission import AdmissionMetrics
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import WatchCache
from busk8s.metrics import text

pytestmark = pytest.mark.realtime
ALICE = User("alice", ("dev", "system:authenticated"), "7", {"team": ("a", "b")})
MAPS = "/api/v1/namespaces/default/configmaps"
MINE = [
    {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


class Cluster:
    def __init__(self, hooks: HookServer, certificates: Certificates) -> None:
        self.hooks = hooks
        self.certificates = certificates
        clock = SystemClock()
        self.store = MemoryStore(clock)
        self.catalog = Catalog()
        self.cache = WatchCache(self.store, self.catalog.shelf, clock)
        ids = RandomIds(random.Random())
        self.outgoing = Outgoing(self.cache, clock)
        conditions = MatchConditions(self.cache, AllowAll())
        self.metrics = AdmissionMetrics(clock)
        self.webhooks = Webhooks(self.cache, self.outgoing, ids, clock, conditions, self.metrics)
        chain = AdmissionChain(
            self.cache,
            ids=ids,
            mutating=(self.webhooks.mutating,),
            validating=(self.webhooks.validating,),
            metrics=self.metrics,
        )
        self.server = ApiServer(
            self.store, self.cache, clock=clock, ids=ids, admission=chain, catalog=self.catalog
        )

    async def raw(self, method: str, url: str, body: Any = None, media: str = "") -> Response:
        path, _, text = url.partition("?")
        query = {k: [v] for k, _, v in (p.partition("=") for p in text.split("&") if p)}
        data = b"" if body is None else orjson.dumps(body)
        return await self.server.dispatch(
            Request(method, path, ALICE, query, data, media or "application/json")
        )

    async def do(
        self, method: str, url: str, body: Any = None, media: str = ""
    ) -> tuple[int, Json]:
        response = await self.raw(method, url, body, media)
        return response.status, orjson.loads(response.body)

    async def must(self, method: str, url: str, body: Any = None, media: str = "") -> Json:
        status, data = await self.do(method, url, body, media)
        assert status < 300, data
        return data

    async def configure(
        self, *hooks: Json, kind: str = "Validating", name: str = "mine"
    ) -> tuple[int, Json]:
        return await self.do(
            "POST",
            f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}webhookconfigurations",
            {
                "kind": f"{kind}WebhookConfiguration",
                "apiVersion": "admissionregistration.k8s.io/v1",
                "metadata": {"name": name},
                "webhooks": [self.hook(**hook) for hook in hooks] or [self.hook()],
            },
        )

    def hook(self, **over: Any) -> Json:
        client = {"url": self.hooks.url, "caBundle": self.certificates.bundle}
        return {
            "name": "h.example.com",
            "clientConfig": client,
            "rules": MINE,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 2,
        } | over

    async def create(self, name: str = "m", query: str = "", **data: Any) -> tuple[int, Json]:
        return await self.do("POST", MAPS + query, config_map(name, **data))


def config_map(name: str = "m", **data: Any) -> Json:
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": name},
        "data": data or {"a": "1"},
    }


@asynccontextmanager
async def cluster(
    certificates: Certificates, answer: Callable[[Json], Any] = allow, tls: Any = "good"
) -> AsyncIterator[Cluster]:
    context = certificates.server("127.0.0.1", "h.apps.svc") if tls == "good" else tls
    async with hook_server(context) as hooks:
        hooks.answer = answer
        made = Cluster(hooks, certificates)
        await made.store.open()
        await made.cache.open()
        made.server.open()
        made.webhooks.open()
        for name in ("default", "apps"):
            await made.must(
                "POST",
                "/api/v1/namespaces",
                {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}},
            )
        try:
            yield made
        finally:
            made.outgoing.close()


async def test_the_review_of_a_create_says_all_that_upstream_says(
    certificates: Certificates,
) -> None:
    async with cluster(certificates) as api:
        assert (await api.configure())[0] == 201
        assert (await api.create(query="?fieldManager=me"))[0] == 201
        asked = api.hooks.asked[0]
    request = asked["request"]
    stored = request.pop("object")
    assert asked["kind"], asked["apiVersion"] == ("AdmissionReview", "admission.k8s.io/v1")
    assert stored["metadata"]["uid"]
    assert len(request.pop("uid")) == 36
    kind = {"group": "", "version": "v1", "kind": "ConfigMap"}
    resource = {"group": "", "version": "v1", "resource": "configmaps"}
    assert request == {
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "m",
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {
            "username": "alice",
            "uid": "7",
            "groups": ["dev", "system:authenticated"],
            "extra": {"team": ["a", "b"]},
        },
        "oldObject": None,
        "dryRun": False,
        "options": {
            "kind": "CreateOptions",
            "apiVersion": "meta.k8s.io/v1",
            "fieldManager": "me",
        },
    }
    assert api.hooks.targets == ["/hook?timeout=2s"]


async def test_update_patch_and_delete_show_old_and_new(certificates: Certificates) -> None:
    async with cluster(certificates) as api:
        await api.create()
        await api.configure()
        await api.must("PUT", f"{MAPS}/m", config_map(a="2"))
        await api.must("PATCH", f"{MAPS}/m", {"data": {"a": "3"}}, "application/merge-patch+json")
        await api.must("DELETE", f"{MAPS}/m", {"kind": "DeleteOptions", "gracePeriodSeconds": 5})
        seen = [
            (
                r["operation"],
                (r["object"] or {}).get("data"),
                r["oldObject"]["data"],
                r["options"]["kind"],
            )
            for r in (asked["request"] for asked in api.hooks.asked)
        ]
        options = api.hooks.asked[-1]["request"]["options"]
    assert seen == [
        ("UPDATE", {"a": "2"}, {"a": "1"}, "UpdateOptions"),
        ("UPDATE", {"a": "3"}, {"a": "2"}, "PatchOptions"),
        ("DELETE", None, {"a": "3"}, "DeleteOptions"),
    ]
    assert options["gracePeriodSeconds"] == 5
    assert api.hooks.connections == 1, "connections are kept"


REFUSALS = {
    "with a message": (deny("no red"), 400, "", "denied the request: no red"),
    "with code and reason": (
        deny("full", code=429, reason="TooManyRequests", details={"retryAfterSeconds": 3}),
        429,
        "TooManyRequests",
        "denied the request: full",
    ),
    "with a reason alone": (deny(reason="Tired"), 400, "Tired", "denied the request: Tired"),
    "without explanation": (deny(), 400, "", "denied the request without explanation"),
    "with a code of success": (deny("x", code=200), 400, "", "denied the request: x"),
    "with a code that is none": (deny("x", code=9999), 400, "", "denied the request: x"),
}


@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_goes_to_the_client(
    certificates: Certificates, case: str, kind: str
) -> None:
    answer, code, reason, said = REFUSALS[case]
    async with cluster(certificates, answer) as api:
        await api.configure(kind=kind)
        status, data = await api.create()
        assert (status, data.get("reason", "")) == (code, reason)
        assert data["message"] == f'admission webhook "h.example.com" {said}'
        assert (await api.do("GET", f"{MAPS}/m"))[0] == 404


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"kind"')
    await writer.drain()
    writer.close()


async def _flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    while not writer.is_closing():
        writer.write(block)
        await writer.drain()
        await asyncio.sleep(0)


async def _long_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-Header: " + b"y" * 8192 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def _not_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 smtp.example.com ready\r\n")
    await writer.drain()
    await asyncio.sleep(1)


POST = 'failed to call webhook: Post "URL": '
BROKEN: dict[str, tuple[Any, str]] = {
    "hangs": (_hang, POST + "context deadline exceeded"),
    "closes": (_close, POST + "EOF"),
    "closes half way": (_half, POST + "unexpected EOF"),
    "floods": (_flood, POST + "the response body is larger than 8388608 bytes"),
    "floods headers": (_long_head, POST + "net/http: server response headers exceeded"),
    "is no web server": (_not_http, POST + "net/http: HTTP/1.x transport connection broken"),
}
LIES: dict[str, tuple[Callable[[Json], Any], str]] = {
    "another uid": (
        lambda asked: review(asked, uid="x"),
        'received invalid webhook response: expected response.uid="',
    ),
    "another kind": (
        lambda asked: {**review(asked), "kind": "Pod"},
        "received invalid webhook response: expected webhook response of "
        "admission.k8s.io/v1, Kind=AdmissionReview, got admission.k8s.io/v1, Kind=Pod",
    ),
    "no kind": (
        lambda asked: {"response": review(asked)["response"]},
        "received invalid webhook response: expected webhook response of "
        "admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
    ),
    "another version": (
        lambda asked: {**review(asked), "apiVersion": "admission.k8s.io/v1beta1"},
        "Kind=AdmissionReview, got admission.k8s.io/v1beta1, Kind=AdmissionReview",
    ),
    "no response": (
        lambda asked: {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"},
        "received invalid webhook response: webhook response was absent",
    ),
    "garbage": (
        lambda asked: b"<html>hello</html>",
        "couldn't get version/kind; json parse error: invalid character '<'",
    ),
    "a list": (lambda asked: b"[]", "failed to call webhook: couldn't get version/kind"),
    "deep nesting": (lambda asked: b"[" * 100_000, "failed to call webhook: couldn't get"),
    "nothing": (lambda asked: b"", "failed to call webhook: 0-length response"),
    "500": (
        lambda asked: (500, b"boom"),
        'failed to call webhook: an error on the server ("boom") has prevented the request',
    ),
    "404": (
        lambda asked: (404, b"nothing here"),
        "failed to call webhook: the server could not find the requested resource",
    ),
    "a redirect": (
        lambda asked: (302, b""),
        "failed to call webhook: the server responded with the status code 302 but did not",
    ),
    "a Status": (
        lambda asked: (403, {"kind": "Status", "message": "not you"}),
        "failed to call webhook: not you",
    ),
    "warnings that are none": (
        lambda asked: review(asked, warnings={"a": 1}),
        "failed to call webhook: json: cannot unmarshal response.warnings",
    ),
}
MUTATING_LIES: dict[str, tuple[Callable[[Json], Any], str]] = {
    "a patch without type": (
        lambda asked: review(asked, patch="W10="),
        "received invalid webhook response: webhook returned response.patch but not",
    ),
    "a type without patch": (
        lambda asked: review(asked, patchType="JSONPatch"),
        "received invalid webhook response: webhook returned response.patchType but not",
    ),
    "another patch type": (
        lambda asked: review(asked, patch="W3t9XQ==", patchType="Merge"),
        'unsupported patch type "Merge"',
    ),
    "a patch that is no base64": (
        lambda asked: review(asked, patch="%%%", patchType="JSONPatch"),
        "failed to call webhook: illegal base64 data",
    ),
    "a patch that is no JSON": (
        lambda asked: review(asked, patch=base64.b64encode(b"{").decode(), patchType="JSONPatch"),
        "received undecodable patch in webhook response",
    ),
}


async def _is_told(api: Cluster, kind: str, said: str) -> None:
    """Fail refuses with 500 in upstream's words; Ignore lets the write pass."""
    await api.configure({"timeoutSeconds": 1}, kind=kind)
    began = time.monotonic()
    status, data = await api.create()
    assert time.monotonic() - began < 2
    assert (status, data["reason"]) == (500, "InternalError")
    url = f"{api.hooks.url}?timeout=1s"
    failed = 'Internal error occurred: failed calling webhook "h.example.com": '
    assert data["message"].startswith(failed)
    assert said.replace("URL", url) in data["message"]
    assert data["details"]["causes"][0]["message"] in data["message"]
    where = f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}webhookconfigurations"
    await api.must("DELETE", f"{where}/mine")
    await api.configure({"failurePolicy": "Ignore", "timeoutSeconds": 1}, kind=kind)
    assert (await api.create())[0] == 201


@pytest.mark.parametrize("case", BROKEN)
async def test_a_webhook_that_breaks_off(certificates: Certificates, case: str) -> None:
    async with cluster(certificates) as api:
        api.hooks.raw, said = BROKEN[case]
        await _is_told(api, "Validating", said)


@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
@pytest.mark.parametrize("case", LIES)
async def test_a_webhook_that_lies(certificates: Certificates, case: str, kind: str) -> None:
    answer, said = LIES[case]
    async with cluster(certificates, answer) as api:
        await _is_told(api, kind, said)


@pytest.mark.parametrize("case", MUTATING_LIES)
async def test_a_patch_that_is_none(certificates: Certificates, case: str) -> None:
    answer, said = MUTATING_LIES[case]
    async with cluster(certificates, answer) as api:
        await _is_told(api, "Mutating", said)


async def test_a_validating_webhook_may_not_patch(certificates: Certificates) -> None:
    async with cluster(certificates, patch({"op": "add", "path": "/data/x", "value": "y"})) as api:
        await _is_told(api, "Validating", "validating webhook may not return response.patch")


async def test_nobody_listens(certificates: Certificates) -> None:
    async with cluster(certificates) as api:
        client = {"url": "https://127.0.0.1:1/x", "caBundle": certificates.bundle}
        await api.configure({"clientConfig": client})
        _, data = await api.create()
    assert data["message"].endswith(
        'Post "https://127.0.0.1:1/x?timeout=2s": dial tcp 127.0.0.1:1: connect: connection refused'
    )


async def test_a_server_without_tls(certificates: Certificates) -> None:
    async with cluster(certificates, tls=None) as api:

        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.transport.abort()

        api.hooks.serve = plain  # type: ignore[method-assign] # speaks before it is asked
        await api.configure()
        _, data = await api.create()
    assert data["message"].endswith("http: server gave HTTP response to HTTPS client")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(
            lambda good, other: other.server("127.0.0.1"),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            id="of another CA",
        ),
        pytest.param(
            lambda good, other: good.server("127.0.0.1", days=-2),
            "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
            id="expired",
        ),
        pytest.param(
            lambda good, other: good.server("h.elsewhere.svc"),
            "tls: failed to verify certificate: x509: certificate is not valid for 127.0.0.1",
            id="of another name",
        ),
    ],
)
async def test_a_certificate_that_is_not_good(
    certificates: Certificates, tmp_path: Path, made: Any, said: str
) -> None:
    context = made(certificates, Certificates(tmp_path))
    async with cluster(certificates, tls=context) as api:
        await api.configure()
        status, data = await api.create()
    assert status == 500
    assert data["message"].endswith(said)


async def test_a_bundle_that_is_no_certificate_fails_the_call(certificates: Certificates) -> None:
    async with cluster(certificates) as api:
        bundle = base64.b64encode(b"hello").decode()
        await api.configure({"clientConfig": {"url": api.hooks.url, "caBundle": bundle}})
        status, data = await api.create()
    assert status == 500
    assert "unable to load root certificates" in data["message"]


SERVICE = {"name": "h", "namespace": "apps", "path": "/check", "port": 8443}


async def _service(api: Cluster, **spec: Any) -> None:
    await api.must(
        "POST",
        "/api/v1/namespaces/apps/services",
        {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {"name": "h"},
            "spec": {"ports": [{"port": 8443}], **spec},
        },
    )


async def _slice(api: Cluster, host: str = "127.0.0.1") -> None:
    # Loopback endpoints are refused by the API, so it lies in the cache as if a node had it.
    from busk8s.api.object import encode
    from busk8s.master.store.base import Write

    body = encode(
        {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {
                "name": "h-1",
                "namespace": "apps",
                "labels": {"kubernetes.io/service-name": "h"},
            },
            "addressType": "IPv4",
            "ports": [{"name": "", "port": api.hooks.port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        }
    )
    await api.store.commit((Write("endpointslices.discovery.k8s.io/apps/h-1", body, expect=0),))


async def test_a_service_leads_to_its_endpoint_under_its_own_name(
    certificates: Certificates,
) -> None:
    async with cluster(certificates) as api:
        await _service(api)
        await _slice(api)
        await api.configure({"clientConfig": {"service": SERVICE, "caBundle": certificates.bundle}})
        assert (await api.create())[0] == 201
        assert api.hooks.targets == ["/check?timeout=2s"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(None, 'service "h" not found', id="no service"),
        pytest.param({}, 'no endpoints available for service "h"', id="no endpoints"),
        pytest.param(
            {"ports": [{"port": 1}]}, 'no service port 8443 found for service "h"', id="no port"
        ),
    ],
)
async def test_a_service_that_leads_nowhere(
    certificates: Certificates, spec: Json | None, said: str
) -> None:
    async with cluster(certificates) as api:
        if spec is not None:
            await _service(api, **spec)
        await api.configure({"clientConfig": {"service": SERVICE}})
        _, data = await api.create()
    assert data["message"].endswith(f'Post "https://h.apps.svc:8443/check?timeout=2s": {said}')


async def test_a_mutating_webhook_changes_and_the_object_is_completed(
    certificates: Certificates,
) -> None:
    answer = patch(
        {"op": "add", "path": "/spec/ports/-", "value": {"name": "b", "port": 81}},
        {"op": "add", "path": "/metadata/labels", "value": {"touched": "yes"}},
    )
    rules = [{**MINE[0], "resources": ["services"]}]
    async with cluster(certificates, answer) as api:
        await api.configure({"rules": rules}, kind="Mutating")
        body = {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {"name": "s"},
            "spec": {"ports": [{"name": "a", "port": 80}]},
        }
        made = await api.must("POST", "/api/v1/namespaces/default/services", body)
        shown = api.hooks.asked[0]["request"]["object"]
    assert made["metadata"]["labels"] == {"touched": "yes"}
    assert [p["targetPort"] for p in made["spec"]["ports"]] == [80, 81], "defaulted after the patch"
    assert shown["spec"]["type"] == "ClusterIP", "defaulted before it is shown"
    assert "uid" not in shown["metadata"], "made after mutation"


@pytest.mark.parametrize(
    ("operations", "code", "said"),
    [
        pytest.param(
            [{"op": "replace", "path": "/nope/x", "value": 1}], 500, "Internal error", id="unfit"
        ),
        pytest.param(
            [{"op": "add", "path": "/data", "value": "text"}], 500, "Internal error", id="typed"
        ),
        pytest.param(
            [{"op": "replace", "path": "/kind", "value": "Secret"}], 500, "changes kind", id="kind"
        ),
        pytest.param([{"op": "replace", "path": "", "value": 3}], 500, "Internal", id="whole"),
        pytest.param(
            [{"op": "add", "path": "/data/a b", "value": "1"}], 422, "is invalid", id="invalid"
        ),
        pytest.param(
            [{"op": "add", "path": "/metadata/namespace", "value": "apps"}],
            400,
            "does not match",
            id="namespace",
        ),
        pytest.param(
            [{"op": "test", "path": "/kind", "value": "ConfigMap"}] * 10_001,
            500,
            "allowed maximum operations",
            id="too long",
        ),
    ],
)
async def test_a_patch_that_makes_no_good_object(
    certificates: Certificates, operations: list[Json], code: int, said: str
) -> None:
    async with cluster(certificates, patch(*operations)) as api:
        await api.configure(kind="Mutating")
        status, data = await api.create()
        assert (status, said in data["message"]) == (code, True), data
        assert (await api.do("GET", f"{MAPS}/m"))[0] == 404


async def test_a_delete_cannot_be_patched(certificates: Certificates) -> None:
    async with cluster(certificates, patch({"op": "add", "path": "/x", "value": 1})) as api:
        await api.create()
        await api.configure(kind="Mutating")
        status, data = await api.do("DELETE", f"{MAPS}/m")
    assert status == 500
    assert "attempted to modify the object, which is not supported" in data["message"]


async def test_mutating_webhooks_run_in_order_and_again_when_they_asked_for_it(
    certificates: Certificates,
) -> None:
    """a (IfNeeded) runs, b changes, a runs again; c had no second wish."""

    def answer(asked: Json) -> Json:
        which = asked["request"]["object"]["data"]
        names = ["a", "b", "c"]
        turn = len(api.hooks.asked) - 1
        order.append(names[turn] if turn < 3 else "again")
        if turn == 1:
            return patch({"op": "add", "path": "/data/b", "value": "2"})(asked)
        seen.append(sorted(which))
        return allow(asked)

    order: list[str] = []
    seen: list[list[str]] = []
    async with cluster(certificates, answer) as api:
        await api.configure({"name": "c.example.com"}, kind="Mutating", name="3")
        await api.configure(
            {"name": "a.example.com", "reinvocationPolicy": "IfNeeded"},
            {"name": "b.example.com"},
            kind="Mutating",
            name="1",
        )
        made = await api.must("POST", MAPS, config_map(x="1"))
    assert order == ["a", "b", "c", "again"]
    assert seen == [["x"], ["b", "x"], ["b", "x"]]
    assert made["data"] == {"x": "1", "b": "2"}


async def test_validating_webhooks_are_asked_at_once(certificates: Certificates) -> None:
    async with cluster(certificates) as api:

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            mine = api.hooks.asked[-1]
            await asyncio.sleep(0.3)
            body = orjson.dumps(allow(mine))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()

        api.hooks.raw = slow
        await api.configure(*({"name": f"h{n}.example.com"} for n in range(5)))
        await api.create("warm")
        began = time.monotonic()
        assert (await api.create())[0] == 201
        assert time.monotonic() - began < 1.0


SELECTED = {
    "a label of the object": ({"objectSelector": {"matchLabels": {"a": "b"}}}, False),
    "any object": ({"objectSelector": {}}, True),
    "a label of the namespace": ({"namespaceSelector": {"matchLabels": {"a": "b"}}}, False),
    "the name of the namespace": (
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}},
        True,
    ),
    "all resources": ({"rules": [{**MINE[0], "resources": ["*/*"]}]}, True),
    "all but subresources": ({"rules": [{**MINE[0], "resources": ["*"]}]}, True),
    "subresources only": ({"rules": [{**MINE[0], "resources": ["configmaps/*"]}]}, True),
    "a subresource": ({"rules": [{**MINE[0], "resources": ["configmaps/status"]}]}, False),
    "another group": ({"rules": [{**MINE[0], "apiGroups": ["apps"]}]}, False),
    "another version": ({"rules": [{**MINE[0], "apiVersions": ["v2"]}]}, False),
    "another operation": ({"rules": [{**MINE[0], "operations": ["DELETE"]}]}, False),
    "cluster scope": ({"rules": [{**MINE[0], "scope": "Cluster"}]}, False),
    "namespaced scope": ({"rules": [{**MINE[0], "scope": "Namespaced"}]}, True),
}


@pytest.mark.parametrize("case", SELECTED)
async def test_who_is_asked(certificates: Certificates, case: str) -> None:
    over, asked = SELECTED[case]
    async with cluster(certificates) as api:
        status, said = await api.configure(over)
        assert status == 201, said
        await api.create()
        assert bool(api.hooks.asked) is asked


CONDITIONS: dict[str, tuple[list[str], str, int, bool]] = {
    "all true": (
        ["object.metadata.name == 'm'", "request.operation == 'CREATE'"],
        "Fail",
        201,
        True,
    ),
    "one false": (["true", "object.data.a == '2'"], "Fail", 201, False),
    "false beside an error": (["object.data.zz == '2'", "false"], "Fail", 201, False),
    "an error that refuses": (["object.data.zz == '2'"], "Fail", 403, False),
    "an error that is ignored": (["object.data.zz == '2'"], "Ignore", 201, False),
}


@pytest.mark.parametrize("case", CONDITIONS)
async def test_match_conditions_decide_who_is_asked(certificates: Certificates, case: str) -> None:
    texts, policy, code, asked = CONDITIONS[case]
    conditions = [{"name": f"c{n}", "expression": text} for n, text in enumerate(texts)]
    async with cluster(certificates) as api:
        await api.configure({"matchConditions": conditions, "failurePolicy": policy})
        status, said = await api.create()
        assert status == code, said
        assert bool(api.hooks.asked) is asked


async def test_an_equivalent_version_is_shown_in_the_version_that_was_asked_for(
    certificates: Certificates,
) -> None:
    rules = [
        {
            "operations": ["CREATE"],
            "apiGroups": ["autoscaling"],
            "apiVersions": ["v2"],
            "resources": ["horizontalpodautoscalers"],
        }
    ]
    answer = patch({"op": "replace", "path": "/spec/maxReplicas", "value": 9})
    body = {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "h"},
        "spec": {
            "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 70,
            "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
        },
    }
    url = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    async with cluster(certificates, answer) as api:
        await api.configure({"rules": rules, "matchPolicy": "Exact"}, kind="Mutating", name="exact")
        await api.configure({"rules": rules}, kind="Mutating", name="mine")
        made = await api.must("POST", url, body)
        (asked,) = api.hooks.asked
    request = asked["request"]
    assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v2", "v1")
    assert request["object"]["apiVersion"] == "autoscaling/v2"
    assert request["object"]["spec"]["metrics"][0]["resource"]["name"] == "cpu"
    assert made["apiVersion"] == "autoscaling/v1"
    assert made["spec"]["maxReplicas"] == 9
    assert made["spec"]["targetCPUUtilizationPercentage"] == 70


async def test_a_scale_is_shown_as_a_scale(certificates: Certificates) -> None:
    url = "/apis/apps/v1/namespaces/default/deployments"
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    }
    rules = [
        {
            "operations": ["*"],
            "apiGroups": ["apps"],
            "apiVersions": ["*"],
            "resources": ["deployments/scale"],
        }
    ]
    answer = patch({"op": "replace", "path": "/spec/replicas", "value": 2})
    async with cluster(certificates, answer) as api:
        await api.configure({"rules": rules}, kind="Mutating")
        body = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "d"}}
        await api.must("POST", url, {**body, "spec": spec})
        assert not api.hooks.asked
        media = "application/merge-patch+json"
        made = await api.must("PATCH", f"{url}/d/scale", {"spec": {"replicas": 50}}, media)
        request = api.hooks.asked[0]["request"]
    assert made["spec"]["replicas"] == 2
    assert request["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert request["resource"]["resource"] == "deployments"
    assert request["subResource"] == "scale"
    assert (request["object"]["kind"], request["object"]["spec"]["replicas"]) == ("Scale", 50)


@pytest.mark.parametrize(
    ("effects", "code"), [("None", 201), ("NoneOnDryRun", 201)], ids=["none", "none on dry run"]
)
async def test_a_dry_run_reaches_harmless_webhooks(
    certificates: Certificates, effects: str, code: int
) -> None:
    async with cluster(certificates) as api:
        await api.configure({"sideEffects": effects})
        assert (await api.create(query="?dryRun=All"))[0] == code
        request = api.hooks.asked[0]["request"]
        assert request["dryRun"] is True
        assert request["options"]["dryRun"] == ["All"]
        assert (await api.do("GET", f"{MAPS}/m"))[0] == 404


async def test_an_older_webhook_with_side_effects_ends_a_dry_run(
    certificates: Certificates,
) -> None:
    from busk8s.api.object import encode
    from busk8s.master.store.base import Write

    key = "validatingwebhookconfigurations.admissionregistration.k8s.io"
    async with cluster(certificates) as api:
        body = {
            "kind": "ValidatingWebhookConfiguration",
            "apiVersion": "admissionregistration.k8s.io/v1",
            "metadata": {"name": "old"},
            "webhooks": [api.hook(sideEffects="Some")],
        }
        await api.store.commit((Write(f"{key}//old", encode(body), expect=0),))
        status, data = await api.create(query="?dryRun=All")
        assert (status, data["message"]) == (
            400,
            'admission webhook "h.example.com" does not support dry run',
        )
        assert not api.hooks.asked


async def test_warnings_reach_the_client_whether_refused_or_not(
    certificates: Certificates,
) -> None:
    def answer(asked: Json) -> Json:
        allowed = asked["request"]["name"] == "good"
        return review(asked, allowed=allowed, warnings=["mind the gap", 'a "b"', "mind the gap"])

    async with cluster(certificates, answer) as api:
        await api.configure()
        for name, code in (("good", 201), ("bad", 400)):
            response = await api.raw("POST", MAPS, config_map(name))
            said = [value for key, value in response.headers if key == "Warning"]
            assert response.status == code
            assert said == ['299 - "mind the gap"', '299 - "a \\"b\\""']
        response = await api.raw("DELETE", f"{MAPS}/good")
        assert any(key == "Warning" for key, _ in response.headers)


@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
async def test_a_stored_webhook_that_cannot_be_used_refuses_what_it_covers(
    certificates: Certificates, kind: str
) -> None:
    from busk8s.api.object import encode
    from busk8s.master.store.base import Write

    key = f"{kind.lower()}webhookconfigurations.admissionregistration.k8s.io"
    async with cluster(certificates) as api:
        selector = {"matchExpressions": [{"key": "a", "operator": "Near", "values": ["b"]}]}
        body = {
            "kind": f"{kind}WebhookConfiguration",
            "apiVersion": "admissionregistration.k8s.io/v1",
            "metadata": {"name": "old"},
            "webhooks": [api.hook(objectSelector=selector)],
        }
        await api.store.commit((Write(f"{key}//old", encode(body), expect=0),))
        status, data = await api.create()
        assert status == 500
        assert 'webhook "h.example.com" cannot be used' in data["message"]
        await api.must("DELETE", f"/apis/admissionregistration.k8s.io/v1/{key.split('.')[0]}/old")
        assert (await api.create())[0] == 201


INVALID: dict[str, tuple[Json, str]] = {
    "a short name": (
        {"name": "short"},
        'webhooks[0].name: Invalid value: "short": should be a domain with at least three '
        "segments separated by dots",
    ),
    "side effects": (
        {"sideEffects": "Some"},
        'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", '
        '"NoneOnDryRun"',
    ),
    "a long timeout": (
        {"timeoutSeconds": 31},
        "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and "
        "30 seconds",
    ),
    "no way to it": (
        {"clientConfig": {}},
        "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
    ),
    "plain http": (
        {"clientConfig": {"url": "http://x.example.com"}},
        "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL "
        "scheme; desired format: https://host[/path]",
    ),
    "a URL with a query": (
        {"clientConfig": {"url": "https://x.example.com?a=b"}},
        'webhooks[0].clientConfig.url: Invalid value: "a=b": query parameters are not permitted '
        "in the URL",
    ),
    "a bad path": (
        {"clientConfig": {"service": {"name": "h", "namespace": "n", "path": "x//"}}},
        "webhooks[0].clientConfig.service.path: Invalid value: \"x//\": must start with a '/'",
    ),
    "no known version": (
        {"admissionReviewVersions": ["v9"]},
        'webhooks[0].admissionReviewVersions: Invalid value: ["v9"]: must include at least one of '
        "v1, v1beta1",
    ),
    "all and more": (
        {"rules": [{**MINE[0], "resources": ["*/*", "pods"]}]},
        'webhooks[0].rules[0].resources: Invalid value: ["*/*","pods"]: if \'*/*\' is present, '
        "must not specify other resources",
    ),
    "an unknown operation": (
        {"rules": [{**MINE[0], "operations": ["READ"]}]},
        'webhooks[0].rules[0].operations[0]: Unsupported value: "READ": supported values: "*", '
        '"CONNECT", "CREATE", "DELETE", "UPDATE"',
    ),
    "no rules' versions": (
        {"rules": [{**MINE[0], "apiVersions": []}]},
        "webhooks[0].rules[0].apiVersions: Required value",
    ),
    "a bad selector": (
        {"objectSelector": {"matchLabels": {"a b": "c"}}},
        "webhooks[0].objectSelector.matchLabels",
    ),
}


@pytest.mark.parametrize("case", INVALID)
async def test_a_configuration_is_validated_in_upstreams_words(
    certificates: Certificates, case: str
) -> None:
    over, said = INVALID[case]
    async with cluster(certificates) as api:
        status, data = await api.configure(over)
    assert status == 422
    assert said in data["message"]


@pytest.mark.parametrize("bundle", ["%%%", "abc", "", "aGVsbG8"])
async def test_no_bundle_can_hurt_the_store(certificates: Certificates, bundle: str) -> None:
    async with cluster(certificates) as api:
        status, _ = await api.configure(
            {"clientConfig": {"url": api.hooks.url, "caBundle": bundle}, "failurePolicy": "Ignore"}
        )
        assert status in (201, 400, 422)
        assert (await api.create())[0] in (201, 500)


async def test_a_flood_of_warnings_is_cut(certificates: Certificates) -> None:
    def answer(asked: Json) -> Json:
        return review(asked, warnings=[f"{n} " + "w" * 1000 for n in range(1000)])

    async with cluster(certificates, answer) as api:
        await api.configure()
        response = await api.raw("POST", MAPS, config_map())
    said = [value for key, value in response.headers if key == "Warning"]
    assert len(said) == 16
    assert all(len(value) < 300 for value in said)


async def test_configurations_are_exempt_so_nobody_locks_himself_out(
    certificates: Certificates,
) -> None:
    everything = [
        {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    ]
    async with cluster(certificates, deny("all")) as api:
        await api.configure({"rules": everything})
        await api.configure({"rules": everything}, kind="Mutating")
        assert (await api.create())[0] == 400
        where = "/apis/admissionregistration.k8s.io/v1"
        await api.must("DELETE", f"{where}/validatingwebhookconfigurations/mine")
        await api.must("DELETE", f"{where}/mutatingwebhookconfigurations/mine")
        assert (await api.create())[0] == 201


async def test_v1beta1_is_spoken_to_who_wants_nothing_else(certificates: Certificates) -> None:
    def answer(asked: Json) -> Json:
        assert asked["apiVersion"] == "admission.k8s.io/v1beta1"
        said = base64.b64encode(b'[{"op":"add","path":"/data/b","value":"2"}]').decode()
        return {"response": {"allowed": True, "patch": said}}

    async with cluster(certificates, answer) as api:
        await api.configure({"admissionReviewVersions": ["v3", "v1beta1"]}, kind="Mutating")
        made = await api.must("POST", MAPS, config_map())
    assert made["data"] == {"a": "1", "b": "2"}


async def test_nothing_configured_costs_nothing(certificates: Certificates) -> None:
    async with cluster(certificates) as api:
        from busk8s.master.apiserver.attributes import Attributes, Operation

        maps = scheme.RESOURCES["configmaps"]
        operation = Operation(Attributes(ALICE, "create", maps, namespace="default"), "CREATE", {})
        began = time.perf_counter()
        for _ in range(10_000):
            api.webhooks.mutating.interest_in(operation)
        assert (time.perf_counter() - began) / 10_000 < 5e-6


def _version(name: str, **more: Any) -> Json:
    size = {"type": "integer", "default": 3}
    spec = {"type": "object", "properties": {"size": size, "note": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": spec}}
    return {"name": name, "served": True, "schema": {"openAPIV3Schema": schema}, **more}


async def test_custom_resources_are_shown_completed_in_the_version_that_was_asked_for(
    certificates: Certificates,
) -> None:
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definition = {
        "kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1",
        "metadata": {"name": "cups.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "cups", "kind": "Cup"},
            "versions": [_version("v1", storage=True), _version("v2", storage=False)],
        },
    }
    rules = [
        {
            "operations": ["CREATE"],
            "apiGroups": ["example.com"],
            "apiVersions": ["v1"],
            "resources": ["*"],
        }
    ]
    url = "/apis/example.com/v2/namespaces/default/cups"
    cup = {"kind": "Cup", "apiVersion": "example.com/v2", "metadata": {"name": "c"}, "spec": {}}
    async with cluster(certificates) as api:
        made = await api.must("POST", definitions, definition)
        made["status"] = {
            "acceptedNames": {"plural": "cups", "kind": "Cup", "listKind": "CupList"},
            "storedVersions": ["v1"],
            "conditions": [{"type": "Established", "status": "True"}],
        }
        await api.must("PUT", f"{definitions}/cups.example.com/status", made)
        await api.configure({"rules": rules}, kind="Mutating")
        note = {"op": "add", "path": "/spec/note", "value": "hot"}
        lost = {"op": "add", "path": "/spec/lost", "value": "pruned"}
        api.hooks.answer = patch(note, lost)
        stored = await api.must("POST", url, cup)
        api.hooks.answer = patch({**note, "value": 7})
        status, said = await api.do("POST", url, {**cup, "metadata": {"name": "d"}})
    request = api.hooks.asked[0]["request"]
    assert request["object"]["apiVersion"] == "example.com/v1"
    assert request["requestKind"]["version"] == "v2"
    assert request["object"]["spec"] == {"size": 3}
    assert stored["apiVersion"] == "example.com/v2"
    assert stored["spec"] == {"size": 3, "note": "hot"}
    assert status == 422, said


async def test_what_webhooks_take_and_refuse_is_counted(certificates: Certificates) -> None:
    async with cluster(certificates, deny(code=418)) as api:
        await api.configure()
        status, _ = await api.create()
        assert status == 418
        api.hooks.answer = allow
        await api.create("n")
        found = text(api.metrics.families()).decode()
    of = 'name="h.example.com",operation="CREATE"'
    prefix = "apiserver_admission_webhook_"
    assert f'{prefix}request_total{{code="418",{of},rejected="true",type="validating"}} 1' in found
    assert f'{prefix}request_total{{code="200",{of},rejected="false",type="validating"}} 1' in found
    refused = f'error_type="no_error",{of},rejection_code="418",type="validating"'
    assert f"{prefix}rejection_count{{{refused}}} 1" in found
    step = 'operation="CREATE",rejected="true",type="validate"'
    assert f"apiserver_admission_step_admission_duration_seconds_count{{{step}}} 1" in found
    plugin = 'name="NamespaceLifecycle",operation="CREATE",rejected="false",type="admit"'
    assert f"apiserver_admission_controller_admission_duration_seconds_count{{{plugin}}}" in found

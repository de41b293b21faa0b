"""Whatever is asked, dispatch answers: never an exception, never harm to what is stored."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from api_world import ADMIN, PODS, Api, config_map, deployment, pod, service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from busk8s.api import scheme
from busk8s.api.object import Json
from busk8s.api.request import Request

REQUESTS_AT_ONCE = 10
STREAM_S = 0.02
EXAMPLES = 100  # Times REQUESTS_AT_ONCE: a thousand requests.

PATHS = st.sampled_from(
    [
        PODS, PODS + "/a", PODS + "/a/log", PODS + "/a/binding", PODS + "/a/eviction",
        PODS + "/a/status", PODS + "/a/exec", "/api/v1/pods", "/api/v1/namespaces/n/finalize",
        "/api/v1/namespaces", "/api/v1/namespaces/n", "/api/v1/nodes", "/api", "/apis",
        "/openapi/v3",
        "/api/v1/namespaces/default/services", "/api/v1/namespaces/default/services/s",
        "/apis/apps/v1/namespaces/default/deployments/d", "/apis/apps/v1/deployments",
        "/apis/apps/v1/namespaces/default/deployments/d/scale", "/api/v1/watch/pods",
        "/apis/events.k8s.io/v1/namespaces/default/events", "/version",
        "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
        "/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/configmaps/a",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews", "/api/v1/namespaces/default/bindings",
        "/apis/authentication.k8s.io/v1/tokenreviews", "/api/v1/namespaces/default/bindings/x",
    ]
) | st.text(alphabet="/apisv1podnme.é%0", max_size=30)  # fmt: skip
FIELDS = ["metadata", "spec", "status", "name", "kind", "op", "path", "data", "$patch"]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "status", "name", "kind", "op", "path", "data", "$patch"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
NAMED = st.sampled_from([pod(), deployment(), service(), config_map(), {"metadata": {"name": "a"}}])


@st.composite
def spoiled(draw: st.DrawFn) -> Json:
    """A good object with one thing wrong in it."""
    body: Json = orjson.loads(orjson.dumps(draw(NAMED)))
    place: Any = body
    for _ in range(draw(st.integers(0, 3))):
        values = place.values() if isinstance(place, dict) else place
        inside = [v for v in values if isinstance(v, dict | list) and v]
        if not inside:
            break
        place = draw(st.sampled_from(inside))
    key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = draw(JUNK)
    return body


def as_bytes(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except (TypeError, orjson.JSONEncodeError):
        return repr(body).encode(errors="replace")


BODIES = st.binary(max_size=40) | JUNK.map(as_bytes) | NAMED.map(as_bytes) | spoiled().map(as_bytes)
PARAMETERS = """
watch limit continue labelSelector fieldSelector resourceVersion resourceVersionMatch dryRun
fieldValidation gracePeriodSeconds propagationPolicy timeoutSeconds allowWatchBookmarks
sendInitialEvents container tailLines follow includeObject fieldManager force
""".split()  # noqa: SIM905  # a list of words is read as words
VALUES = ["", "0", "1", "-1", "true", "All", "x", "a=b", "a in (", "9" * 30, "Exact"]
QUERIES = st.dictionaries(
    st.sampled_from(PARAMETERS),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=2),
    max_size=3,
)
KINDS = st.sampled_from(
    [
        "", "application/json", "application/yaml", "application/merge-patch+json",
        "application/json-patch+json", "application/strategic-merge-patch+json",
        "application/apply-patch+yaml", "application/vnd.kubernetes.protobuf", "text/x",
    ]
)  # fmt: skip
ACCEPTS = st.sampled_from(
    [
        "", "*/*", "application/json;as=Table;v=v1;g=meta.k8s.io", "text/html", ";;=,",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    ]
)  # fmt: skip
REQUESTS = st.builds(
    Request,
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "NONE"]),
    PATHS,
    st.just(ADMIN),
    QUERIES,
    BODIES,
    KINDS,
    ACCEPTS,
)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.lists(REQUESTS, min_size=REQUESTS_AT_ONCE, max_size=REQUESTS_AT_ONCE))
def test_any_request_is_answered_and_harms_nothing(requests: list[Request]) -> None:
    asyncio.run(_ask(requests))


async def _ask(requests: list[Request]) -> None:
    api = await Api().open()
    await api.must("POST", PODS, pod())
    await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    await api.must("POST", "/apis/apps/v1/namespaces/default/deployments", deployment())
    await api.must("POST", "/api/v1/namespaces/default/services", service())
    for request in requests:
        before = api.store.revision
        response = await api.server.dispatch(request)
        assert 200 <= response.status < 600
        if response.stream is not None:
            try:
                async with asyncio.timeout(STREAM_S):  # A quiet watch has nothing to say.
                    chunk = await anext(aiter(response.stream), b"\n")
                    assert chunk.endswith(b"\n")
            except TimeoutError:
                pass
            await response.stream.aclose()  # type: ignore[attr-defined]  # an async generator
        elif not response.content_type.startswith("text/plain"):
            orjson.loads(response.body)
        if response.status >= 400:
            assert api.store.revision == before, response.body
        # A 500 is a bug of ours, whatever was asked; save one that upstream answers so.
        untyped = b"failed to create typed patch object" in response.body
        assert response.status != 500 or untyped, (request, response.body)
    for key in api.cache.resources():
        for obj in api.cache.list(key):
            data = orjson.loads(obj.body)
            assert data["metadata"]["name"] == obj.name
            assert data["kind"] == scheme.RESOURCES[key].kind
            assert data == obj.data

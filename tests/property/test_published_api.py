"""Requests that schemathesis makes of the published OpenAPI, right and wrong: all are answered.

Every operation of a group version is called at least once, in process: no sockets, virtual time.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from busk8s.api.object import Json
from busk8s.api.request import Request
from busk8s.testing.simloop import SimLoop

sys.path.append(str(Path(__file__).parents[1] / "unit" / "apiserver"))
from api_world import ADMIN, Api, config_map, deployment, pod, service, world

DOCUMENTS = ("api/v1", "apis/apps/v1", "apis/autoscaling/v2", "apis/networking.k8s.io/v1")
CALLS = 20  # Of one operation.
STREAM_S = 0.02
# What the paths' {name} and {namespace} become: things that are there, and things that are not.
NAMES = ("a", "d", "s", "n", "default", "Absent")


async def peopled() -> Api:
    api = await world()
    await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    here = "namespaces/default"
    await api.must("POST", f"/api/v1/{here}/pods", pod("a"))
    await api.must("POST", f"/api/v1/{here}/configmaps", config_map("a"))
    await api.must("POST", f"/api/v1/{here}/services", service("s"))
    await api.must("POST", f"/apis/apps/v1/{here}/deployments", deployment("d"))
    return api


def published(path: str) -> Json:
    async def ask() -> Json:
        said: Json = await (await world()).must("GET", f"/openapi/v3/{path}")
        return said

    with asyncio.Runner(loop_factory=SimLoop) as runner:
        return runner.run(ask())


def request_of(case: Any, name: str) -> Request:
    from schemathesis.core import NotSet

    body = case.body if isinstance(case.body, bytes) else b""
    if not isinstance(case.body, bytes | NotSet):
        body = orjson.dumps(plain(case.body))
    path = case.operation.path.replace("{namespace}", "default").replace("{name}", name)
    query = {
        key: value if isinstance(value, list) else [str(value)]
        for key, value in plain(case.query or {}).items()
    }
    query = {key: [str(each) for each in values] for key, values in query.items()}
    return Request(case.method, path, ADMIN, query, body, case.media_type or "")


def plain(value: Any) -> Any:
    """The value as JSON can carry it: integers of any size and lone surrogates are cut."""
    if isinstance(value, dict):
        return {plain(str(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**63) <= value < 2**64 else 2**63
    return value


async def answered(requests: list[Request]) -> None:
    api = await peopled()
    for request in requests:
        response = await api.server.dispatch(request)
        if response.stream is not None:
            try:
                async with asyncio.timeout(STREAM_S):
                    async for _ in response.stream:
                        pass
            except TimeoutError:
                pass
            continue
        said = orjson.loads(response.body) if response.body else {}
        assert response.status < 500 or said["reason"] == "NotImplemented", (request, said)
        assert response.status < 400 or said["kind"] == "Status", (request, said)
    assert (await api.do("GET", "/api/v1/namespaces/default/pods/a"))[0] in (200, 404)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_any_request_of_the_published_api_is_answered(document: str) -> None:
    import schemathesis  # Two seconds to import: only for who runs this.

    schema: Any = schemathesis.openapi.from_dict(published(document))
    for found in schema.get_all_operations():
        call(found.ok())


def call(operation: Any) -> None:
    from schemathesis import GenerationMode

    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    cases = st.tuples(operation.as_strategy() | wrong, st.sampled_from(NAMES))

    @settings(
        max_examples=1,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(st.lists(cases, min_size=CALLS, max_size=CALLS))
    def called(made: list[tuple[Any, str]]) -> None:
        with asyncio.Runner(loop_factory=SimLoop) as runner:
            runner.run(answered([request_of(case, name) for case, name in made]))

    called()

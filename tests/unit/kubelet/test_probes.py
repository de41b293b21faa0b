"""Probe thresholds as tables and laws; HTTP and TCP probes against real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pod_cases import make_pod

from busk8s.clock import SystemClock
from busk8s.worker.kubelet.probe_state import (
    ProbeSpec,
    failed_for_good,
    initial,
    parse_probe,
    step,
)
from busk8s.worker.kubelet.probers import Answer, ask, resolve_port
from busk8s.worker.runtime.hollow import HollowRuntime


def run(kind: Any, results: str, **raw: Any) -> list[bool]:
    """Verdicts after each result; `+` is a success."""
    spec, state, seen = parse_probe(kind, raw), initial(kind), []
    for result in results:
        state = step(spec, state, result == "+")
        seen.append(state.passed)
    return seen


@pytest.mark.parametrize(
    ("kind", "results", "raw", "wanted"),
    [
        ("readiness", "+", {}, [True]),
        ("readiness", "+--", {}, [True, True, True]),
        ("readiness", "+---", {}, [True, True, True, False]),
        ("readiness", "+--+--", {}, [True] * 6),
        ("readiness", "++", {"successThreshold": 2}, [False, True]),
        ("readiness", "+-+", {"successThreshold": 2}, [False] * 3),
        ("liveness", "--", {}, [True, True]),
        ("liveness", "---", {}, [True, True, False]),
        ("liveness", "-", {"failureThreshold": 1}, [False]),
        ("startup", "--+", {}, [False, False, True]),
    ],
)
def test_thresholds(kind: str, results: str, raw: dict[str, Any], wanted: list[bool]) -> None:
    assert run(kind, results, **raw) == wanted


def test_defaults_are_upstreams() -> None:
    assert parse_probe("liveness", {}) == ProbeSpec("liveness", {}, 0, 10, 1, 1, 3, None)


@given(st.text(alphabet="+-", max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_a_verdict_changes_only_after_its_threshold_in_a_row(
    results: str, successes: int, failures: int
) -> None:
    raw = {"successThreshold": successes, "failureThreshold": failures}
    verdicts = run("readiness", results, **raw)
    before = False
    for index, verdict in enumerate(verdicts):
        if verdict != before:
            needed = successes if verdict else failures
            tail = results[index + 1 - needed : index + 1]
            assert tail == ("+" if verdict else "-") * needed
        before = verdict


def test_a_startup_probe_gives_up_at_its_threshold() -> None:
    spec = parse_probe("startup", {"failureThreshold": 2})
    once = step(spec, initial("startup"), False)
    assert not failed_for_good(spec, once)
    assert failed_for_good(spec, step(spec, once, False))


CONTAINER = {"name": "c", "image": "i", "ports": [{"name": "web", "containerPort": 8080}]}
SPEC = make_pod({"containers": [CONTAINER]}).containers[0]


@pytest.mark.parametrize(("port", "wanted"), [(80, 80), ("web", 8080), ("81", 81)])
def test_ports_may_be_named(port: Any, wanted: int) -> None:
    assert resolve_port(port, SPEC) == wanted


@asynccontextmanager
async def server(answer: bytes, heard: list[bytes] | None = None) -> AsyncIterator[int]:
    served: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done = asyncio.Event()
        served.append(done)
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            done.set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(2_000)
        if heard is not None:
            heard.append(request)
        if answer == b"hang":
            await reader.read()
        writer.write(answer)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        for done in served:
            await done.wait()
        await asyncio.sleep(0.01)  # Both ends' transports close in the loop's next rounds.


async def asked(handler: dict[str, Any], limit_s: float = 2.0) -> Answer:
    runtime = HollowRuntime(SystemClock())
    return await ask(handler, SPEC, "id", "127.0.0.1", runtime, limit_s=limit_s)


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("head", "ok"),
    [("200 OK", True), ("302 Found", True), ("404 Not Found", False), ("500", False)],
)
async def test_http_probes_judge_by_the_status(head: str, ok: bool) -> None:
    async with server(f"HTTP/1.1 {head}\r\n\r\nbody".encode()) as port:
        answer = await asked({"httpGet": {"port": port, "path": "/healthz"}})
    assert answer.ok is ok
    if not ok:
        assert answer.output == f"HTTP probe failed with statuscode: {head[:3]}"


@pytest.mark.realtime
async def test_http_probes_send_their_headers() -> None:
    heard: list[bytes] = []
    headers = [{"name": "x-test", "value": "1"}, {"name": "host", "value": "me"}]
    async with server(b"HTTP/1.1 200 OK\r\n\r\n", heard) as port:
        await asked({"httpGet": {"port": port, "path": "/x?y", "httpHeaders": headers}})
    lines = heard[0].split(b"\r\n")
    assert lines[0] == b"GET /x?y HTTP/1.1"
    assert {b"X-Test: 1", b"Host: me", b"User-Agent: kube-probe/1.37"} <= {*lines}


@pytest.mark.realtime
@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n", b"HTTP/1.1\r\n"], ids=["nothing", "nonsense", "no-status"]
)
async def test_what_is_not_http_fails(answer: bytes) -> None:
    async with server(answer) as port:
        assert not (await asked({"httpGet": {"port": port}})).ok


@pytest.mark.realtime
async def test_a_probe_that_hangs_fails_when_its_time_is_over() -> None:
    async with server(b"hang") as port:
        answer = await asked({"httpGet": {"port": port}}, limit_s=0.1)
    assert not answer.ok


@pytest.mark.realtime
async def test_tcp_probes_connect() -> None:
    async with server(b"") as port:
        assert (await asked({"tcpSocket": {"port": port}})).ok
    refused = await asked({"tcpSocket": {"port": port}})
    assert refused.output == f"dial tcp 127.0.0.1:{port}: connect: connection refused"

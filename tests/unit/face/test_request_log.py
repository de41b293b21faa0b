"""Lines about requests, and the two forms of a line."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from busk8s import log
from busk8s.api.request import Request, Response, User
from busk8s.audit_settings import AuditSettings
from busk8s.master.apiserver import request_log, waits
from busk8s.master.apiserver.request_log import SLOW_S, tell

ANN = User("ann", ("dev",))


@pytest.fixture
def all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "verbosity", lambda: log.REQUESTS_V)


def asked(path: str = "/api/v1/pods", **more: Any) -> Request:
    headers = {"audit-id": "an-id", "user-agent": "kubectl/v1", "authorization": "Bearer secret"}
    return Request("GET", path, ANN, headers=headers, source="10.0.0.9", **more)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    return [(r.said, r.fields) for r in caplog.records]  # type: ignore[attr-defined]  # ours


@pytest.mark.usefixtures("all_told")
def test_a_request_is_one_line_with_who_what_and_how_it_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    headers = (("X-Kubernetes-PF-FlowSchema-UID", "fs"),)
    tell(asked(query={"limit": ["5"]}), Response(200, headers=headers), 0.0125)
    assert said(caplog) == [
        (
            "HTTP",
            {
                "verb": "GET",
                "URI": "/api/v1/pods?limit=5",
                "latency": "12.500ms",
                "user": "ann",
                "userAgent": "kubectl/v1",
                "audit-ID": "an-id",
                "srcIP": "10.0.0.9",
                "apf_fs": "fs",
                "resp": 200,
            },
        )
    ]
    assert "secret" not in caplog.text


def test_a_slow_one_is_told_always_with_what_it_waited(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    waits.waited.set(0.25)
    tell(asked(), Response(200), SLOW_S / 2)
    tell(asked(), Response(200), SLOW_S * 2)
    ((message, fields),) = said(caplog)
    assert (message, fields["waited"]) == ("slow request", "250.000ms")


async def test_a_watch_is_not_slow(caplog: pytest.LogCaptureFixture) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b""

    caplog.set_level(logging.INFO)
    tell(asked(), Response(200, stream=stream()), SLOW_S * 20)
    assert caplog.records == []


@pytest.mark.usefixtures("all_told")
@pytest.mark.parametrize("path", ["/a\nHTTP verb=GET", "/a b", "/ü\x00", "/" + "x" * 9_000])
def test_no_path_makes_a_second_line(caplog: pytest.LogCaptureFixture, path: str) -> None:
    caplog.set_level(logging.INFO)
    tell(asked(path), Response(404), 0.0)
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 6_000


def test_json_lines_have_upstreams_names() -> None:
    form = log.JsonForm()
    record = logging.LogRecord("busk8s.x", logging.INFO, "f.py", 1, "%s", ("bound pod=a",), None)
    record.created = 1_800_000_000.5
    record.__dict__.update(said="bound", fields={"pod": "a", "n": 3, "who": ("x",)})
    assert json.loads(form.format(record)) == {
        "ts": 1_800_000_000_500.0,
        "logger": "busk8s.x",
        "msg": "bound",
        "v": 0,
        "pod": "a",
        "n": 3,
        "who": "('x',)",
    }


def test_a_failure_is_told_with_its_trace() -> None:
    try:
        raise ValueError("no good")
    except ValueError as error:
        found = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f.py", 1, "failed", (), found)
    line = json.loads(log.JsonForm().format(record))
    assert (line["msg"], line["severity"], line["err"]) == ("failed", "error", "no good")
    assert "test_request_log" in line["stacktrace"]


@pytest.mark.parametrize(
    ("given", "flag"), [({"logging_format": "xml"}, "--logging-format"), ({"v": 11.0}, "--v")]
)
def test_flags_that_cannot_be_right(given: dict[str, Any], flag: str) -> None:
    assert flag in AuditSettings(**given).wrong()
    assert AuditSettings(logging_format="json", v=3).wrong() == ""

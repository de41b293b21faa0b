"""Audit events over HTTPS, in batches, to a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hook_server import Certificates, HookServer, hook_server

from busk8s.audit_settings import AuditSettings
from busk8s.client import kubeconfig
from busk8s.clock import SystemClock
from busk8s.config import DataDir
from busk8s.master.apiserver.audit import webhook as module
from busk8s.master.apiserver.audit.webhook import AuditWebhook, Batching
from busk8s.master.apiserver.audit.wiring import _target
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.tasks import Nursery

pytestmark = pytest.mark.realtime

Json = dict[str, Any]


class Nothing:
    """Meets endpoints.Lookup."""

    def get(self, *_: str) -> None:
        return None

    def list(self, *_: str | None) -> tuple[()]:
        return ()


def taken(_: Json) -> Any:
    return (200, b"")


def config(hooks: HookServer, bundle: str, **user: str) -> str:
    server = {"server": hooks.url, "certificate-authority-data": bundle}
    made = {
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return yaml.safe_dump(made)


@asynccontextmanager
async def sending(
    tmp_path: Path, batching: Batching, **user: str
) -> AsyncIterator[tuple[AuditWebhook, HookServer]]:
    certificates = Certificates(tmp_path)
    clock = SystemClock()
    async with hook_server(certificates.server("127.0.0.1")) as hooks:
        hooks.answer = taken
        named = kubeconfig.parse(config(hooks, certificates.bundle, **user))
        outgoing = Outgoing(Nothing(), clock)  # type: ignore[arg-type]  # nothing is looked up
        target = _target(named, DataDir(tmp_path))
        webhook = AuditWebhook(target, named.token, outgoing, clock, batching)
        try:
            async with Nursery() as nursery:
                nursery.spawn(webhook.run())
                yield webhook, hooks
        finally:
            outgoing.close()


def event(number: int) -> bytes:
    return orjson.dumps({"kind": "Event", "auditID": str(number)})


def ids(hooks: HookServer) -> list[list[str]]:
    return [[item["auditID"] for item in batch["items"]] for batch in hooks.asked]


async def until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_full_batch_goes_at_once_and_the_rest_after_the_wait(tmp_path: Path) -> None:
    batching = Batching(size_max=3, wait_s=0.3, buffer=100)
    async with sending(tmp_path, batching, token="secret") as (webhook, hooks):
        for number in range(4):
            webhook.add(event(number))
        await until(lambda: webhook.sent == 3)
        assert ids(hooks) == [["0", "1", "2"]]
        await until(lambda: webhook.sent == 4)
        assert ids(hooks)[1] == ["3"]
        first = hooks.asked[0]
        assert (first["kind"], first["apiVersion"]) == ("EventList", "audit.k8s.io/v1")
        assert "Authorization: Bearer secret\r\n" in hooks.heads[0]
        assert hooks.targets[0] == "/hook"


async def test_a_batch_that_is_refused_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKOFF_FIRST_S", 0.01)
    async with sending(tmp_path, Batching(1, 0.01, 10)) as (webhook, hooks):
        answers = [(500, b"no"), (503, b"no"), (200, b"")]
        hooks.answer = lambda _: answers.pop(0)
        webhook.add(event(1))
        await until(lambda: webhook.sent == 1)
        assert ids(hooks) == [["1"], ["1"], ["1"]]
        hooks.answer = lambda _: (500, b"never")
        webhook.add(event(2))
        await until(lambda: webhook.dropped == 1)
        assert len(hooks.asked) == 3 + module.TRIES_MAX


async def test_beyond_the_buffer_events_are_dropped_and_counted(tmp_path: Path) -> None:
    async with sending(tmp_path, Batching(size_max=5, wait_s=60, buffer=5)) as (webhook, hooks):
        for number in range(8):
            webhook.add(event(number))
        assert (webhook.added, webhook.dropped) == (8, 3)
        await until(lambda: webhook.sent == 5)
        assert ids(hooks) == [["0", "1", "2", "3", "4"]]


async def test_at_the_end_what_waits_is_sent(tmp_path: Path) -> None:
    async with sending(tmp_path, Batching(size_max=2, wait_s=60, buffer=50)) as (webhook, hooks):
        webhook.add(event(1))
        await webhook.close()
        assert ids(hooks) == [["1"]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"audit_webhook_mode": "blocking"}, "--audit-webhook-mode: 'blocking' is not supported"),
        ({"audit_webhook_batch_max_size": 0.0}, "--audit-webhook-batch-max-size"),
        ({"audit_webhook_batch_buffer_size": 1.0}, "--audit-webhook-batch-buffer-size"),
        ({"audit_webhook_batch_max_wait": "soon"}, "--audit-webhook-batch-max-wait"),
    ],
)
def test_flags_that_cannot_be_right(given: Json, said: str) -> None:
    assert said in AuditSettings(**given).wrong()

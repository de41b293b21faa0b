"""A node that was silent is back: its pods' statuses are its own again."""

from __future__ import annotations

import asyncio
from typing import Any

from busk8s.api.scheme import PODS
from busk8s.clock import LoopClock
from busk8s.tasks import Nursery
from busk8s.worker.kubelet.pods import parse_pod
from busk8s.worker.kubelet.status_writer import StatusWriter
from tests.model_cluster import ModelCluster


def ready(status: str, reason: str = "") -> dict[str, Any]:
    condition = {"type": "Ready", "status": status} | ({"reason": reason} if reason else {})
    return {"phase": "Running", "conditions": [condition]}


async def test_what_the_master_said_during_silence_is_taken_back() -> None:
    cluster = ModelCluster()
    stored = cluster.put(PODS, {"metadata": {"name": "a", "namespace": "default"}})
    writer = StatusWriter(cluster, LoopClock(), lambda _uid: None)
    async with Nursery() as nursery:
        nursery.spawn(writer.run())
        writer.submit(parse_pod(stored), ready("True"))
        await asyncio.sleep(1)
        overruled = cluster.change(stored, status=ready("False", "NodeNotReady"))
        writer.overruled(parse_pod(overruled))
        await asyncio.sleep(1)
        assert cluster.one(PODS, stored.key).data["status"] == ready("True")
        before = cluster.revision
        writer.overruled(parse_pod(cluster.one(PODS, stored.key)))
        await asyncio.sleep(1)
        assert cluster.revision == before

"""A kubelet on the hollow runtime with an API in memory, for tests on virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from busk8s.clock import LoopClock
from busk8s.ids import RandomIds
from busk8s.tasks import Nursery
from busk8s.testing.node_api import NodeApi
from busk8s.worker.kubelet.kubelet import Kubelet
from busk8s.worker.runtime.hollow import HollowRuntime, Stages

SLEEPER: dict[str, Any] = {
    "nodeName": "n1",
    "containers": [{"name": "c", "image": "sleep"}],
}


@dataclass
class World:
    api: NodeApi
    runtime: HollowRuntime
    clock: LoopClock
    root: Path
    nursery: Nursery
    first: Any = None

    async def stop_kubelet(self) -> None:
        await self.nursery.close()

    def save_checkpoint(self) -> None:
        self.first._checkpoint.save()

    def runtime_container(self, pod: str) -> str:
        """The id of the newest container of `pod`."""
        found = [
            c.id
            for c in self.runtime._containers.values()
            if self.runtime._sandboxes[c.sandbox_id].config.name == pod
        ]
        return found[-1]

    def has_node(self) -> bool:
        return ("nodes", "n1") in self.api._objects

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.pod(name).get("status") or {}
        return found

    def phase(self, name: str) -> str:
        return str(self.status(name).get("phase", ""))

    def container(self, name: str) -> dict[str, Any]:
        entries = self.status(name).get("containerStatuses") or [{}]
        return dict(entries[0])

    def ready(self, name: str) -> bool:
        conditions = self.status(name).get("conditions") or ()
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def kubelet(self, **more: Any) -> Kubelet:
        ids = RandomIds(random.Random(1))
        return Kubelet(
            "n1", self.api, self.api, self.runtime, self.clock, str(self.root), ids,
            **{"node_ips": ("10.0.0.1",), **more},
        )  # fmt: skip


@asynccontextmanager
async def world(
    root: Path, table: dict[str, Stages] | None = None, **more: Any
) -> AsyncIterator[World]:
    clock = LoopClock()
    async with Nursery() as nursery:
        made = World(NodeApi(clock), HollowRuntime(clock, table or {}), clock, root, nursery)
        made.first = made.kubelet(**more)
        nursery.spawn(made.first.run())
        yield made


async def until(what: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not what():
            await asyncio.sleep(0.05)

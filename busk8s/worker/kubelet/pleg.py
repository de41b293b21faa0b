"""The Pod Lifecycle Event Generator: the runtime's state as a cache, and who changed in it.

Owns      the only listing of the runtime: one relist serves every pod that waits for one.
Leaves    what a change means (plan).
Invariant `observe` never answers with a listing begun before the caller last acted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.tasks import supervise
from busk8s.worker.kubelet.relist import NOTHING, PodState, by_pod, changed
from busk8s.worker.runtime.base import Runtime, RuntimeFailure

RELIST_PERIOD_S = 10.0  # The net below the runtime's events.
RETRY_S = 1.0
SPACING_S = 0.005  # Under load one listing then serves many pods; alone a pod does not notice.

log = Logger("kubelet.pleg")


class Pleg:
    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        on_change: Callable[[str], None],
        *,
        period_s: float = RELIST_PERIOD_S,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._on_change = on_change
        self._period_s = period_s
        self._states: Mapping[str, PodState] = {}
        self._listed_at = float("-inf")
        self._waiters: list[asyncio.Future[None]] = []
        self._asked = asyncio.Event()
        self.failure = ""  # why the runtime cannot be listed; empty while it can

    async def run(self) -> None:
        await supervise(self._listen(), self._relist_forever())

    async def observe(self, uid: str, acted_at: float) -> PodState:
        """The pod's state from a listing that began after `acted_at` (monotonic)."""
        if self._listed_at <= acted_at:
            await self.relisted()
        return self._states.get(uid, NOTHING)

    async def relisted(self) -> Mapping[str, PodState]:
        """All pods, from a listing that begins after this call."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._asked.set()
        await waiter
        return self._states

    def peek(self, uid: str) -> PodState:
        return self._states.get(uid, NOTHING)

    async def _listen(self) -> None:
        async for _event in self._runtime.events():
            # A burst is one relist: what it finds changed wakes the pods.
            self._asked.set()

    async def _relist_forever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._period_s):
                    await self._asked.wait()
            except TimeoutError:
                pass
            early_s = self._listed_at + SPACING_S - self._clock.monotonic()
            if early_s > 0:
                await self._clock.sleep(early_s)
            self._asked.clear()
            waiters, self._waiters = self._waiters, []
            try:
                await self._relist()
            except (RuntimeFailure, OSError) as error:
                self.failure = str(error)
                log.warning("cannot list the runtime", error=error)
                self._waiters = waiters + self._waiters
                await self._clock.sleep(RETRY_S)
                self._asked.set()
                continue
            self.failure = ""
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def _relist(self) -> None:
        began = self._clock.monotonic()
        sandboxes = await self._runtime.list_sandboxes()
        containers = await self._runtime.list_containers()
        states = by_pod(sandboxes, containers)
        woken = changed(self._states, states)
        self._states = states
        self._listed_at = began
        for uid in woken:
            self._on_change(uid)

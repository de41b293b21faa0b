"""Audit events sent to a server, many at once.

Owns      the queue of events, when a batch is sent, trying again, what is dropped.
Leaves    what an event says (event), connections (outgoing), who the server is (wiring).
Invariant a request never waits for it; at most `buffer` events wait, what is dropped is counted.
Source    Kubernetes documentation, "Auditing", "Webhook backend"; its defaults of batching.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.outgoing import CallFailed, Outgoing, Target

CALL_S = 30.0
TRIES_MAX = 5  # Of one batch; then its events are dropped.
BACKOFF_FIRST_S = 10.0
BACKOFF_FACTOR = 1.5
LAST_S = 1.0  # What waits at the end is sent within this time, or not at all.

log = Logger("busk8s.audit")


@dataclass(frozen=True, slots=True)
class Batching:
    size_max: int = 400
    wait_s: float = 30.0
    buffer: int = 10_000


class AuditWebhook:
    """`run` sends until cancelled, `close` what is left."""

    def __init__(
        self,
        target: Target,
        token: str,
        outgoing: Outgoing,
        clock: Clock,
        batching: Batching = Batching(),
    ) -> None:
        self._target, self._outgoing, self._clock = target, outgoing, clock
        self._headers = (("Authorization", f"Bearer {token}"),) if token else ()
        self._batching = batching
        self._waiting: deque[bytes] = deque()
        self._some, self._full = asyncio.Event(), asyncio.Event()
        self.added = self.sent = self.dropped = 0

    def add(self, line: bytes) -> None:
        self.added += 1
        if len(self._waiting) >= self._batching.buffer:
            self.dropped += 1
            return
        self._waiting.append(line)
        self._some.set()
        if len(self._waiting) >= self._batching.size_max:
            self._full.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            try:
                async with asyncio.timeout(self._batching.wait_s):
                    await self._full.wait()
            except TimeoutError:
                pass
            await self._send_surely(self._take())

    async def close(self) -> None:
        """At the end, when nobody else sends: one try for each batch, and little time for all."""
        try:
            async with asyncio.timeout(LAST_S):
                while batch := self._take():
                    await self._send(batch)
        except (TimeoutError, CallFailed) as error:
            log.warning("the last audit events were not sent", why=error)

    def _take(self) -> Sequence[bytes]:
        waiting = self._waiting
        batch = [waiting.popleft() for _ in range(min(len(waiting), self._batching.size_max))]
        if not waiting:
            self._some.clear()
        if len(waiting) < self._batching.size_max:
            self._full.clear()
        return batch

    async def _send_surely(self, batch: Sequence[bytes]) -> None:
        """Until it is taken, or was refused too often."""
        delay_s = BACKOFF_FIRST_S
        for left in reversed(range(TRIES_MAX)):
            try:
                await self._send(batch)
                return
            except CallFailed as error:
                if not left:
                    self.dropped += len(batch)
                    log.error("audit events are lost", count=len(batch), why=error)
                    return
            await self._clock.sleep(delay_s)
            delay_s *= BACKOFF_FACTOR

    async def _send(self, batch: Sequence[bytes]) -> None:
        head = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
        body = b"%b%b]}" % (head, b",".join(batch))
        answer = await self._outgoing.call(
            self._target, body, timeout_s=CALL_S, headers=self._headers
        )
        if not 200 <= answer.status < 300:
            raise CallFailed(f"the server answers {answer.status}")
        self.sent += len(batch)

"""One followed topic of a link and those who read it.

Owns      the clone, when a Sync is due, a bounded queue for each reader.
Leaves    sockets (link), what the changes mean (client).
Invariant every reader sees a Replaced first, and again whenever it could not keep up; the changes
          after it are exactly those that lead from it to the clone's state.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from busk8s.api.scheme import Resource
from busk8s.bus.clone import Clone, Outcome
from busk8s.errors import Error
from busk8s.protocol import (
    BATCHES_WAITING_MAX,
    Deltas,
    Position,
    Refusal,
    SnapshotPart,
    Sync,
)

SYNC_REPEAT_S = 1.0  # A Sync that brought nothing is sent again after so long.


class Reading:
    """A reader's queue: an async iterator of batches."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._batches: deque[Sequence[Outcome]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._behind = True  # The next batch is the whole state.
        self._error: Error | None = None

    def put(self, batch: Sequence[Outcome]) -> None:
        if self._behind or len(self._batches) >= BATCHES_WAITING_MAX:
            self._batches.clear()
            self._behind = True
        else:
            self._batches.append(batch)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, error: Error) -> None:
        self._error = error
        self.put(())

    def __aiter__(self) -> Reading:
        return self

    async def __anext__(self) -> Sequence[Outcome]:
        while not self._batches and not (self._behind and self._follower.ready):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            if self._error is not None:
                raise self._error
        if self._behind:
            self._behind = False
            return (self._follower.clone.state(),)
        if len(self._batches) == 1:
            return self._batches.popleft()
        whole = [outcome for batch in self._batches for outcome in batch]
        self._batches.clear()
        return whole

    def close(self) -> None:
        self._follower.leave(self)


class Follower:
    def __init__(
        self, topic: str, resource_of: Callable[[str], Resource], on_empty: Callable[[str], None]
    ) -> None:
        self.clone = Clone(topic, resource_of)
        self.asked_at = float("-inf")
        self._readings: dict[Reading, None] = {}
        self._on_empty = on_empty

    @property
    def ready(self) -> bool:
        """A snapshot has come at least once: there is a state to show."""
        return self.clone.epoch != 0

    def read(self) -> Reading:
        reading = Reading(self)
        self._readings[reading] = None
        return reading

    def leave(self, reading: Reading) -> None:
        self._readings.pop(reading, None)
        if not self._readings:
            self._on_empty(self.clone.topic)

    def deltas(self, message: Deltas) -> None:
        self._tell(self.clone.deltas(message))

    def part(self, message: SnapshotPart, now: float) -> None:
        self.asked_at = now  # It is coming; do not ask again yet.
        self._tell(self.clone.part(message))

    def at(self, position: Position) -> bool:
        return self.clone.at(position)

    def cut_off(self) -> None:
        self.clone.cut_off()
        self.asked_at = float("-inf")

    def due(self, session: str, now: float) -> Sync | None:
        """The question to ask now, if the clone is lost and the last question is old enough."""
        if not self.clone.lost or now - self.asked_at < SYNC_REPEAT_S:
            return None
        self.asked_at = now
        epoch, seq = self.clone.position
        return Sync(session=session, topic=self.clone.topic, epoch=epoch, seq=seq)

    def refused(self, message: Refusal) -> None:
        """The master will not let us follow (403: every reader is told) or not now (429)."""
        if message.code == 403:
            for reading in self._readings:
                reading.fail(Error(message.code, message.reason, message.message))

    def _tell(self, batch: Sequence[Outcome]) -> None:
        if batch:
            for reading in self._readings:
                reading.put(batch)

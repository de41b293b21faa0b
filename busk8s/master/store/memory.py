"""A store that forgets when it closes: for tests and throw-away clusters.

Owns      nothing durable; the promises of base.py otherwise, durability aside.
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.clock import Clock
from busk8s.master.store.base import (
    HISTORY_AGE_MAX_S,
    HISTORY_CHANGES_MAX,
    Change,
    Compacted,
    Listener,
    Lost,
    Record,
    StoreError,
    Write,
)
from busk8s.master.store.log import Ledger, fold


class MemoryStore:
    """Implements base.Store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ledger = Ledger()
        self._base: dict[str, Change] = {}  # What keys held at revision `_oldest`.
        self._oldest = 0
        self._changes: list[Change] = []  # Everything after `_oldest`; index = revision offset.
        self._times: list[float] = []
        self._held: dict[str, Change] = {}
        self._opened = False

    @property
    def revision(self) -> int:
        return self._ledger.revision

    def size(self) -> int:
        return sum(len(change.value or b"") for change in (*self._base.values(), *self._changes))

    async def open(self) -> None:
        self._opened = True

    async def close(self) -> None:
        self._opened = False

    async def get(self, key: str) -> Record | None:
        change = self._held.get(key)
        return None if change is None else _record(change)

    async def list(self, prefix: str) -> Sequence[Record]:
        keys = sorted(key for key in self._held if key.startswith(prefix))
        return [_record(self._held[key]) for key in keys]

    async def commit(self, batch: Sequence[Write]) -> int | Lost:
        if not self._opened:
            raise StoreError("the store is closed")
        decided = self._ledger.decide(batch)
        if decided.lost is not None:
            return decided.lost
        self._ledger.keep()
        now = self._clock.now()
        for change in decided.changes:
            self._changes.append(Change(change.revision, change.key, change.value))
            self._times.append(now)
            if change.value is None:
                del self._held[change.key]
            else:
                self._held[change.key] = self._changes[-1]
        self._trim(now)
        self._ledger.tell(decided.changes)
        return self._ledger.revision

    async def history(self) -> tuple[Sequence[Record], Sequence[Change]]:
        return [_record(change) for change in self._base.values()], list(self._changes)

    async def changes(self, since: int, limit: int = 10_000) -> Sequence[Change]:
        if since < self._oldest:
            raise Compacted(self._oldest + 1)
        start = since - self._oldest
        return self._changes[start : start + limit]

    async def compact(self, before: int) -> None:
        """Keep changes from `before` on; fold the earlier ones into the base."""
        count = min(before - 1, self.revision) - self._oldest
        if count <= 0:
            return
        self._base = fold([*self._base.values(), *self._changes[:count]])
        self._oldest += count
        del self._changes[:count], self._times[:count]

    def listen(self, listener: Listener) -> None:
        self._ledger.listen(listener)

    def _trim(self, now: float) -> None:
        """Drop history in steps of a tenth, so that the cost per write stays constant."""
        slack = HISTORY_CHANGES_MAX // 10
        excess = len(self._changes) - HISTORY_CHANGES_MAX
        if excess < slack and not (
            len(self._times) > slack and self._times[slack] < now - HISTORY_AGE_MAX_S
        ):
            return
        count = max(excess, slack)
        self._base = fold([*self._base.values(), *self._changes[:count]])
        self._oldest += count
        del self._changes[:count], self._times[:count]


def _record(change: Change) -> Record:
    assert change.value is not None
    return Record(change.key, change.value, change.revision)

"""The store's seam: keys, bytes, one counter of revisions.

Owns      the interface every driver has, and what each promise means.
Leaves    what the bytes are (apiserver), who is told (watch).
Invariant an acknowledged write is durable in its class; revisions rise by one a write, gapless.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

HISTORY_CHANGES_MAX = 100_000  # Beyond it the oldest go, whatever their age.
HISTORY_AGE_MAX_S = 300.0  # As etcd's compaction under Kubernetes: five minutes.
COMMIT_BATCH_MAX = 512  # Writes in one transaction: bounds the time a crash can undo.
PENDING_WRITES_MAX = 20_000  # Beyond it commit() raises StoreBusy: push back, do not pile up.


@dataclass(frozen=True, slots=True)
class Record:
    """What a key holds now."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Write:
    """Put (`value` given) or delete (`value` None) under `key`.

    expect   the revision the key must have: 0 = must not exist, None = any.
    durable  False: may be lost in a crash (Events, beat-made Leases), never reordered.
    tag      whatever the writer wants back in the Change; drivers do not look at it.
    """

    key: str
    value: bytes | None
    expect: int | None = None
    durable: bool = True
    tag: Any = None


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write. `value` None: the key is gone since `revision`."""

    revision: int
    key: str
    value: bytes | None
    tag: Any = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The batch was not written: `key` stood at `found` (0 = absent), not where expected."""

    key: str
    found: int


class StoreError(Exception):
    """The store cannot do its work (disk full, file locked, damaged); says which and where."""


class StoreBusy(StoreError):
    """Too many writes wait; try again later."""


class Compacted(Exception):
    """The history asked for is gone; `oldest` is the first revision still there."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"history before revision {oldest} is compacted")
        self.oldest = oldest


Listener = Callable[[Sequence[Change]], None]


class Store(Protocol):
    @property
    def revision(self) -> int:
        """The revision of the last acknowledged write."""
        ...

    def size(self) -> int:
        """Bytes it takes, history and all; for people to look at."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def get(self, key: str) -> Record | None: ...

    async def list(self, prefix: str) -> Sequence[Record]:
        """Every record whose key begins with `prefix`, by key."""
        ...

    async def commit(self, batch: Sequence[Write]) -> int | Lost:
        """All of `batch` or nothing; the revision of its last write, or who was in the way.

        Each write gets its own revision, in order. Returns when the batch is durable; listeners
        have been told by then. Raises StoreError, StoreBusy.
        """
        ...

    async def changes(self, since: int, limit: int = 10_000) -> Sequence[Change]:
        """Committed changes with a revision above `since`, in order. Raises Compacted."""
        ...

    async def history(self) -> tuple[Sequence[Record], Sequence[Change]]:
        """What keys held at the oldest known revision, and every change since, in order."""
        ...

    async def compact(self, before: int) -> None:
        """Forget history below revision `before`; what keys hold now stays."""
        ...

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every committed change, in order, before commit() returns."""
        ...

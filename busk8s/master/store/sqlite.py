"""The default store: one SQLite file, written by group commit.

Owns      the queue of commits, the writer task and its thread, when to compact.
Leaves    compare-and-write (log.Ledger), the file (sqlite_file), who watches (watch).
Invariant a commit() that returned a revision is on disk; what failed left no trace.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.store.base import (
    COMMIT_BATCH_MAX,
    HISTORY_AGE_MAX_S,
    HISTORY_CHANGES_MAX,
    PENDING_WRITES_MAX,
    Change,
    Compacted,
    Listener,
    Lost,
    Record,
    StoreBusy,
    StoreError,
    Write,
)
from busk8s.master.store.log import Decided, Ledger
from busk8s.master.store.seal import Seal
from busk8s.master.store.sqlite_file import AFTER_ALL_KEYS, NO_LIMIT, LogFile, explain
from busk8s.tasks import Nursery

log = Logger("busk8s.store")
COMPACT_EVERY_S = 30.0
T = TypeVar("T")
Waiting = tuple[Sequence[Write], "asyncio.Future[int | Lost]"]


class SqliteStore:
    """Implements base.Store on the file `path`. One process at a time may have it open.

    `seal` None: Secrets lie in the file as they are.
    """

    def __init__(self, path: Path, clock: Clock, seal: Seal | None = None) -> None:
        self._path = path
        self._clock = clock
        self._file = LogFile(path, seal)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._ledger = Ledger()
        self._oldest = 0
        self._waiting: list[Waiting] = []
        self._waiting_writes = 0
        self._wake = asyncio.Event()
        self._nursery = Nursery(self._fell)
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._unusable: StoreError | None = StoreError(f"{path}: the store is not open")

    @property
    def revision(self) -> int:
        return self._ledger.revision

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written; None when it can."""
        return str(self._unusable) if self._unusable is not None else None

    def size(self) -> int:
        """Bytes of the file and of what it has not yet taken in."""
        return sum(_bytes(self._path.with_name(self._path.name + end)) for end in ("", "-wal"))

    async def open(self) -> None:
        """Raises StoreError: not a database, from a newer busk8s, or held by another process."""
        revision, index, self._oldest = await self._in_thread(self._file.open)
        listeners = self._ledger
        self._ledger = Ledger(revision=revision, index=index)
        self._ledger.take_listeners(listeners)
        self._unusable = None
        self._writer = self._nursery.spawn(self._write_groups(), name="store writer")
        self._nursery.spawn(self._compact_forever(), name="store compaction")

    async def close(self) -> None:
        """Write what waits, then let go of the file."""
        self._unusable = self._unusable or StoreError(f"{self._path}: the store is closed")
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            await asyncio.wait([self._writer])
        await self._nursery.close()
        await self._in_thread(self._file.close)
        self._thread.shutdown(wait=True)

    async def get(self, key: str) -> Record | None:
        found = await self._in_thread(lambda: self._file.select(key, key + "\0", self.revision))
        return found[0] if found else None

    async def list(self, prefix: str) -> Sequence[Record]:
        end = prefix + AFTER_ALL_KEYS
        return await self._in_thread(lambda: self._file.select(prefix, end, self.revision))

    async def commit(self, batch: Sequence[Write]) -> int | Lost:
        if self._unusable is not None:
            raise self._unusable
        if self._waiting_writes + len(batch) > PENDING_WRITES_MAX:
            raise StoreBusy(f"{self._path}: {self._waiting_writes} writes wait already")
        done: asyncio.Future[int | Lost] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, done))
        self._waiting_writes += len(batch)
        self._wake.set()
        return await done

    async def history(self) -> tuple[Sequence[Record], Sequence[Change]]:
        def read() -> tuple[Sequence[Record], Sequence[Change]]:
            base = self._file.select("", AFTER_ALL_KEYS, self._oldest)
            return base, self._file.changes(self._oldest, NO_LIMIT)

        return await self._in_thread(read)

    async def changes(self, since: int, limit: int = 10_000) -> Sequence[Change]:
        if since < self._oldest:
            raise Compacted(self._oldest + 1)
        return await self._in_thread(lambda: self._file.changes(since, limit))

    async def compact(self, before: int) -> None:
        horizon = min(before - 1, self.revision)
        if horizon <= self._oldest:
            return
        self._oldest = horizon
        while await self._in_thread(lambda: self._file.compact_step(horizon)):
            pass

    def listen(self, listener: Listener) -> None:
        self._ledger.listen(listener)

    async def _write_groups(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._write_group(self._take_group())

    def _take_group(self) -> Sequence[Waiting]:
        count, writes = 0, 0
        for batch, _ in self._waiting:
            if count and writes + len(batch) > COMMIT_BATCH_MAX:
                break
            count, writes = count + 1, writes + len(batch)
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_writes -= writes
        return group

    async def _write_group(self, group: Sequence[Waiting]) -> None:
        """One transaction for all of `group`; those who lost their race are told so."""
        fates = [self._ledger.decide(batch) for batch, _ in group]
        changes = [change for fate in fates for change in fate.changes]
        durable = any(write.durable for batch, _ in group for write in batch)
        try:
            if changes:
                now = self._clock.now()
                await self._in_thread(lambda: self._file.insert(changes, now, durable=durable))
        except StoreError as error:
            self._ledger.undo()
            _refuse(group, error)
            return
        self._ledger.keep()
        if changes:
            self._ledger.tell(changes)
        _acknowledge(group, fates)

    async def _compact_forever(self) -> None:
        while True:
            await self._clock.sleep(COMPACT_EVERY_S)
            try:
                await self._compact_by_age()
            except StoreError as error:  # A full disk, say: the next round tries again.
                log.warning("history is not compacted", why=error)

    async def _compact_by_age(self) -> None:
        too_old = self._clock.now() - HISTORY_AGE_MAX_S
        by_age = await self._in_thread(
            partial(self._file.newest_before, too_old, above=self._oldest)
        )
        await self.compact(max(by_age, self.revision - HISTORY_CHANGES_MAX) + 1)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, call)
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {explain(error)}") from error

    def _fell(self, task: str, error: BaseException) -> None:
        """The writer ended by a bug: refuse every commit from now on rather than hang it."""
        self._unusable = StoreError(f"{self._path}: the {task} fell: {error!r}")
        self._unusable.__cause__ = error
        _refuse(self._waiting, self._unusable)
        self._waiting, self._waiting_writes = [], 0


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _refuse(group: Sequence[Waiting], error: StoreError) -> None:
    for _, done in group:
        if not done.done():
            done.set_exception(error)


def _acknowledge(group: Sequence[Waiting], fates: Sequence[Decided]) -> None:
    for (_, done), fate in zip(group, fates, strict=True):
        if done.done():  # The caller was cancelled; what it wrote stands.
            continue
        if fate.lost is not None:
            done.set_result(fate.lost)
        else:
            done.set_result(fate.changes[-1].revision if fate.changes else 0)

"""Both drivers pass the store contract; SQLite also survives crashes, full disks and locks."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.clock import SystemClock
from busk8s.master.store.base import HISTORY_AGE_MAX_S, Lost, Store, StoreError, Write
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.sqlite import SqliteStore
from busk8s.testing.store_contract import StoreContract


class TestMemory(StoreContract):
    def opened(self) -> AbstractAsyncContextManager[Store]:
        @asynccontextmanager
        async def open_memory() -> AsyncIterator[Store]:
            store = MemoryStore(SystemClock())
            await store.open()
            yield store
            await store.close()

        return open_memory()


@asynccontextmanager
async def sqlite(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, SystemClock())
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.mark.realtime
class TestSqlite(StoreContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    def opened(self) -> AbstractAsyncContextManager[Store]:
        return sqlite(self.path)  # type: ignore[return-value]  # a SqliteStore is a Store


operations = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.one_of(st.none(), st.binary(max_size=3)), st.integers(-1, 3)
    ),
    max_size=30,
)


async def _run_against_a_dictionary(
    store: Store, steps: list[tuple[str, bytes | None, int]]
) -> None:
    model: dict[str, tuple[bytes, int]] = {}
    revision = 0
    for key, value, guess in steps:
        found = model.get(key, (b"", 0))[1]
        expect = None if guess < 0 else (found if guess == 3 else guess)
        outcome = await store.commit([Write(key, value, expect=expect)])
        if (expect is not None and expect != found) or (value is None and not found):
            assert outcome == Lost(key, found)
            continue
        revision += 1
        assert outcome == revision
        if value is None:
            del model[key]
        else:
            model[key] = (value, revision)
    assert {r.key: (r.value, r.revision) for r in await store.list("")} == model


@given(operations)
def test_a_memory_store_is_a_dictionary_with_a_revision_counter(
    steps: list[tuple[str, bytes | None, int]],
) -> None:
    async def run() -> None:
        store = MemoryStore(SystemClock())
        await store.open()
        await _run_against_a_dictionary(store, steps)

    asyncio.run(run())


@pytest.mark.realtime
async def test_state_and_counter_survive_reopening(tmp_path: Path) -> None:
    async with sqlite(tmp_path / "s.db") as store:
        await store.commit([Write("k", b"1"), Write("gone", b"2")])
        await store.commit([Write("gone", None)])
    async with sqlite(tmp_path / "s.db") as store:
        assert store.revision == 3
        assert [record.key for record in await store.list("")] == ["k"]
        assert len(await store.changes(0)) == 3
        await store.compact(before=4)
    async with sqlite(tmp_path / "s.db") as store:
        assert store.revision == 3, "a compacted tombstone keeps its number"
        assert await store.commit([Write("k", b"3", expect=1)]) == 4


@pytest.mark.realtime
async def test_concurrent_commits_share_transactions_and_keep_order(tmp_path: Path) -> None:
    async with sqlite(tmp_path / "s.db") as store:
        outcomes = await asyncio.gather(
            *(store.commit([Write(f"k{n}", b"v", expect=0)]) for n in range(500)),
            *(store.commit([Write(f"k{n}", b"w", expect=0)]) for n in range(500)),
        )
        assert outcomes[:500] == list(range(1, 501))
        assert all(isinstance(outcome, Lost) for outcome in outcomes[500:])


@pytest.mark.realtime
async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", SystemClock())
    await store.open()
    commits = [asyncio.ensure_future(store.commit([Write(f"k{n}", b"v")])) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*commits) == list(range(1, 51))
    with pytest.raises(StoreError, match="closed"):
        await store.commit([Write("k", b"v")])


WRITER = """
import asyncio, sys
from pathlib import Path
from busk8s.clock import SystemClock
from busk8s.master.store.base import Write
from busk8s.master.store.sqlite import SqliteStore

async def write(store, worker, start):
    for n in range(start, start + 100_000):
        revision = await store.commit([Write(f"w{worker}/{n}", b"x" * 200, expect=0)])
        sys.stdout.write(f"{revision} w{worker}/{n}\\n")
        sys.stdout.flush()

async def main():
    store = SqliteStore(Path(sys.argv[1]), SystemClock())
    await store.open()
    await asyncio.gather(*(write(store, w, int(sys.argv[2]) * 100_000) for w in range(8)))

asyncio.run(main())
"""


@pytest.mark.realtime
async def test_fifty_kills_under_load_lose_no_acknowledged_write(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    rng = random.Random(7)
    acknowledged: dict[str, int] = {}
    for run in range(50):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(run)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(rng.randrange(1, 60))]
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.wait()
        writer.stdout.close()
        for line in lines:
            if line.endswith(b"\n"):
                revision, key = line.decode().split()
                acknowledged[key] = int(revision)
    async with sqlite(path) as store:
        held = {record.key: record.revision for record in await store.list("")}
        assert acknowledged.items() <= held.items()
        assert [c.revision for c in await store.changes(0, 10**9)] == list(
            range(1, store.revision + 1)
        )
        assert len(acknowledged) > 500


@pytest.mark.realtime
async def test_a_full_disk_is_said_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with sqlite(path) as store:
        assert await store.commit([Write("before", b"1")]) == 1
        assert store._file._db is not None
        pages = store._file._db.execute("PRAGMA page_count").fetchone()[0]
        store._file._db.execute(f"PRAGMA max_page_count={pages + 2}")
        with pytest.raises(StoreError, match="disk is full"):
            await store.commit([Write("big", b"x" * 1_000_000)])
        assert store.revision == 1
        assert await store.get("big") is None
        store._file._db.execute("PRAGMA max_page_count=1000000")
        assert await store.commit([Write("after", b"2")]) == 2
    async with sqlite(path) as store:
        assert [record.key for record in await store.list("")] == ["after", "before"]


class Hurried(SystemClock):
    """Sleeps are short, and the time of day can be moved on."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        await super().sleep(0.005)


@pytest.mark.realtime
async def test_a_disk_that_is_full_when_history_is_compacted_costs_only_that_compaction(
    tmp_path: Path,
) -> None:
    """The writer used to end with the compaction: a full disk refused every write ever after."""
    clock = Hurried()
    store = SqliteStore(tmp_path / "s.db", clock)
    await store.open()
    try:
        # 1. History, and no room for a single page more when its time has come.
        for number in range(3):
            await store.commit([Write("k", b"%d" % number)])
        db = store._file._db
        assert db is not None
        db.execute(
            "CREATE TRIGGER full BEFORE DELETE ON log BEGIN SELECT raise(ABORT, 'full'); END"
        )
        clock.ahead_s += HISTORY_AGE_MAX_S + 1
        await asyncio.sleep(0.05)
        assert not db.in_transaction, "a compaction that failed leaves no transaction open"
        # 2. Writes go on; with room again the next round compacts.
        assert await store.commit([Write("k", b"3")]) == 4
        db.execute("DROP TRIGGER full")
        clock.ahead_s += HISTORY_AGE_MAX_S + 1
        await asyncio.sleep(0.05)
        assert db.execute("SELECT count(*) FROM log").fetchone() == (1,)
        assert [record.value for record in await store.list("")] == [b"3"]
    finally:
        await store.close()


@pytest.mark.realtime
async def test_a_store_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("busk8s.master.store.sqlite_file.LOCK_WAIT_S", 0.05)
    async with sqlite(tmp_path / "s.db") as store:
        await store.commit([Write("k", b"1")])
        second = SqliteStore(tmp_path / "s.db", SystemClock())
        with pytest.raises(StoreError, match="another master"):
            await second.open()
        await second.close()
        assert await store.commit([Write("k", b"2")]) == 2


@pytest.mark.realtime
@pytest.mark.parametrize("garbage", [b"not a database, but long enough to be looked at" * 30])
async def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(garbage)
    store = SqliteStore(path, SystemClock())
    with pytest.raises(StoreError, match="not a busk8s store"):
        await store.open()
    await store.close()
    assert path.read_bytes() == garbage


@pytest.mark.realtime
async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    async with sqlite(tmp_path / "s.db"):
        pass
    with sqlite3.connect(tmp_path / "s.db") as db:
        db.execute("UPDATE meta SET value = 99 WHERE name = 'schema'")
    db.close()
    store = SqliteStore(tmp_path / "s.db", SystemClock())
    with pytest.raises(StoreError, match="newer busk8s"):
        await store.open()
    await store.close()


@pytest.mark.realtime
async def test_compaction_keeps_what_keys_hold(tmp_path: Path) -> None:
    rng = random.Random(3)
    async with sqlite(tmp_path / "s.db") as store:
        for _ in range(300):
            key = f"k{rng.randrange(5)}"
            await store.commit(
                [Write(key, None if rng.random() < 0.3 else b"%d" % rng.randrange(9))]
            )
        want = await store.list("")
        for before in (10, 50, store.revision + 1):
            await store.compact(before)
            assert await store.list("") == want
            _, changes = await store.history()
            assert [c.revision for c in changes] == list(range(before, store.revision + 1))

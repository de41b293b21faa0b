"""What every store must do: one suite, run against each driver.

A test module subclasses `StoreContract` and supplies `opened()`, an async context manager that
gives an open, empty store. What a driver may do differently is written here and nowhere else:
the memory store forgets at close.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pytest

from busk8s.master.store.base import Change, Compacted, Lost, Store, Write


class StoreContract:
    def opened(self) -> AbstractAsyncContextManager[Store]:
        raise NotImplementedError

    async def test_a_put_key_can_be_read_at_its_revision(self) -> None:
        async with self.opened() as store:
            assert await store.commit([Write("a/x", b"1")]) == 1
            record = await store.get("a/x")
            assert record is not None
            assert (record.value, record.revision) == (b"1", 1)
            assert store.revision == 1

    async def test_an_absent_key_is_none(self) -> None:
        async with self.opened() as store:
            assert await store.get("a/x") is None

    async def test_list_gives_the_prefix_only_ordered_by_key(self) -> None:
        async with self.opened() as store:
            for key in ("a/y", "b/x", "a/x", "a"):
                await store.commit([Write(key, b"v")])
            assert [record.key for record in await store.list("a/")] == ["a/x", "a/y"]
            assert len(await store.list("")) == 4

    async def test_a_create_of_a_key_that_exists_is_lost(self) -> None:
        async with self.opened() as store:
            await store.commit([Write("k", b"1", expect=0)])
            assert await store.commit([Write("k", b"2", expect=0)]) == Lost("k", 1)
            assert store.revision == 1

    async def test_an_update_at_an_old_revision_is_lost(self) -> None:
        async with self.opened() as store:
            await store.commit([Write("k", b"1")])
            assert await store.commit([Write("k", b"2", expect=1)]) == 2
            assert await store.commit([Write("k", b"3", expect=1)]) == Lost("k", 2)
            record = await store.get("k")
            assert record is not None
            assert record.value == b"2"

    async def test_a_batch_is_written_whole_or_not_at_all(self) -> None:
        async with self.opened() as store:
            await store.commit([Write("k", b"1")])
            lost = await store.commit([Write("new", b"1", expect=0), Write("k", b"2", expect=9)])
            assert lost == Lost("k", 1)
            assert await store.get("new") is None
            assert await store.commit([Write("new", b"1"), Write("k", None, expect=1)]) == 3

    async def test_deleting_what_is_not_there_is_lost(self) -> None:
        async with self.opened() as store:
            assert await store.commit([Write("k", None)]) == Lost("k", 0)

    async def test_a_deleted_key_can_be_created_again(self) -> None:
        async with self.opened() as store:
            await store.commit([Write("k", b"1", expect=0)])
            await store.commit([Write("k", None, expect=1)])
            assert await store.get("k") is None
            assert await store.commit([Write("k", b"2", expect=0)]) == 3

    async def test_changes_are_gapless_and_in_order(self) -> None:
        async with self.opened() as store:
            await store.commit([Write("a", b"1"), Write("b", b"2")])
            await store.commit([Write("a", None)])
            changes = await store.changes(0)
            assert changes == [Change(1, "a", b"1"), Change(2, "b", b"2"), Change(3, "a", None)]
            assert await store.changes(1, limit=1) == [Change(2, "b", b"2")]
            assert await store.changes(3) == []

    async def test_compacted_history_is_refused_and_state_stays(self) -> None:
        async with self.opened() as store:
            for value in (b"1", b"2", b"3"):
                await store.commit([Write("k", value)])
            await store.commit([Write("gone", b"x")])
            await store.commit([Write("gone", None)])
            await store.compact(before=6)
            record = await store.get("k")
            assert record is not None
            assert record.value == b"3"
            assert await store.get("gone") is None
            with pytest.raises(Compacted) as refused:
                await store.changes(2)
            assert refused.value.oldest == 6
            assert await store.commit([Write("k", b"4")]) == 6
            assert await store.changes(5) == [Change(6, "k", b"4")]

    async def test_history_replayed_gives_the_current_state(self) -> None:
        async with self.opened() as store:
            for number in range(10):
                await store.commit([Write(f"k{number % 3}", b"%d" % number)])
            await store.commit([Write("k0", None)])
            await store.compact(before=6)
            base, changes = await store.history()
            state: dict[str, bytes | None] = {record.key: record.value for record in base}
            state |= {change.key: change.value for change in changes}
            assert state == {"k0": None, "k1": b"7", "k2": b"8"}
            assert [change.revision for change in changes] == list(range(6, 12))

    async def test_listeners_hear_every_change_before_commit_returns(self) -> None:
        async with self.opened() as store:
            heard: list[Change] = []

            def listen(changes: Sequence[Change]) -> None:
                heard.extend(changes)

            store.listen(listen)
            await store.commit([Write("k", b"1", tag="tag")])
            assert heard == [Change(1, "k", b"1", "tag")]
            await store.commit([Write("k", b"2", expect=7)])
            assert len(heard) == 1

"""The watch cache: state, order, resuming, slow watchers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.object import encode
from busk8s.api.scheme import Resource
from busk8s.clock import LoopClock
from busk8s.master.store import watch
from busk8s.master.store.base import HISTORY_AGE_MAX_S, Compacted, Write
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import Overflow, WatchCache, object_key

WIDGETS = Resource("", "v1", "widgets", "Widget", namespaced=True)


def widget(name: str, namespace: str = "default", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Widget", "metadata": metadata, **fields}


class Bench:
    def __init__(self) -> None:
        self.store = MemoryStore(LoopClock())
        self.cache = WatchCache(self.store, lambda _: WIDGETS, LoopClock())

    async def open(self) -> Bench:
        await self.store.open()
        await self.cache.open()
        return self

    async def put(self, name: str, namespace: str = "default", **fields: Any) -> int:
        data = widget(name, namespace, **fields)
        key = object_key("widgets", namespace, name)
        revision = await self.store.commit([Write(key, encode(data), tag=data)])
        assert isinstance(revision, int)
        return revision

    async def drop(self, name: str, namespace: str = "default") -> None:
        await self.store.commit([Write(object_key("widgets", namespace, name), None)])


async def test_an_object_carries_its_revision_in_its_bytes() -> None:
    bench = await Bench().open()
    await bench.put("a")
    await bench.put("a", spec={"x": 1})
    found = bench.cache.get("widgets", "default", "a")
    assert found is not None
    assert found.revision == 2
    assert b'"resourceVersion":"2"' in found.body
    before = found.data
    found.forget()
    assert found.labels == {"app": "a"}
    assert found.data == before
    assert found.data["spec"] == {"x": 1}


async def test_lists_are_ordered_and_bound_to_the_namespace() -> None:
    bench = await Bench().open()
    for name, namespace in [("z", "b"), ("a", "b"), ("m", "a"), ("m", "bb"), ("k", "b-")]:
        await bench.put(name, namespace)
    keys = [o.key for o in bench.cache.list("widgets")]
    assert keys == ["a/m", "b/a", "b/z", "b-/k", "bb/m"]
    assert [o.key for o in bench.cache.list("widgets", "b")] == ["b/a", "b/z"]
    assert bench.cache.list("gadgets") == []


async def test_a_watcher_hears_adds_changes_and_deletions_of_its_namespace() -> None:
    bench = await Bench().open()
    watcher = bench.cache.watch("widgets", "default")
    await bench.put("a")
    await bench.put("b", "other")
    await bench.put("a", spec={})
    await bench.drop("a")
    events = await watcher.next()
    assert [(e.type, e.object.key, e.revision) for e in events] == [
        ("ADDED", "default/a", 1),
        ("MODIFIED", "default/a", 3),
        ("DELETED", "default/a", 4),
    ]
    assert b'"resourceVersion":"4"' in events[2].object.body
    assert events[2].object.data["spec"] == {}
    assert events[1].line.startswith(b'{"type":"MODIFIED","object":{"kind":"Widget"')


async def test_a_watch_resumes_from_a_revision() -> None:
    bench = await Bench().open()
    for name in "abc":
        await bench.put(name)
    watcher = bench.cache.watch("widgets", since=1)
    assert [e.object.name for e in await watcher.next()] == ["b", "c"]


async def test_a_watch_from_a_forgotten_revision_is_refused() -> None:
    bench = await Bench().open()
    await bench.put("a")
    await asyncio.sleep(HISTORY_AGE_MAX_S + 1)
    await bench.put("b")
    with pytest.raises(Compacted):
        bench.cache.watch("widgets", since=0)
    bench.cache.watch("widgets", since=1).close()


async def test_a_slow_watcher_is_told_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "WATCH_QUEUE_MAX", 3)
    bench = await Bench().open()
    slow = bench.cache.watch("widgets")
    for number in range(5):
        await bench.put(f"w{number}")
    with pytest.raises(Overflow):
        await slow.next()
    assert not bench.cache._shelf("widgets").watchers


async def test_closing_wakes_the_reader_with_nothing() -> None:
    bench = await Bench().open()
    watcher = bench.cache.watch("widgets")
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(watcher.next())
        await asyncio.sleep(1)
        watcher.close()
    assert reading.result() == ()


async def test_a_new_cache_on_the_same_store_has_state_and_history() -> None:
    bench = await Bench().open()
    for name in "abc":
        await bench.put(name)
    await bench.drop("b")
    again = WatchCache(bench.store, lambda _: WIDGETS, LoopClock())
    await again.open()
    assert [o.name for o in again.list("widgets")] == ["a", "c"]
    assert again.revision == 4
    resumed = again.watch("widgets", since=2)
    assert [(e.type, e.object.name) for e in await resumed.next()] == [
        ("ADDED", "c"),
        ("DELETED", "b"),
    ]


steps = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=25)


@given(steps, st.integers(0, 25))
def test_list_then_watch_ends_in_the_caches_state(changes: list[tuple[str, bool]], at: int) -> None:
    """Whoever lists at any moment and watches from that revision arrives where the cache is."""

    async def run() -> None:
        bench = await Bench().open()
        mirror: dict[str, int] = {}
        since = 0
        for number, (name, put) in enumerate(changes):
            if number == at:
                mirror = {o.name: o.revision for o in bench.cache.list("widgets")}
                since = bench.cache.revision
            await (bench.put(name) if put else bench.drop(name))
        watcher = bench.cache.watch("widgets", since=since)
        watcher.close()
        for event in await watcher.next():
            if event.type == "DELETED":
                del mirror[event.object.name]
            else:
                mirror[event.object.name] = event.revision
        assert mirror == {o.name: o.revision for o in bench.cache.list("widgets")}

    asyncio.run(run())

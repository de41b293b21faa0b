"""API concepts: watches: where they begin, bookmarks, selectors, 410, their end."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from api_world import MERGE, PODS, Api, config_map, lines, pod, world

from busk8s.api.request import Response
from busk8s.master.store import watch as store_watch

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def seen(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(e["type"], e["object"]["metadata"].get("name", "")) for e in events]


async def test_without_a_version_a_watch_begins_with_what_is_there() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map("a"))
    stream = await api.raw("GET", MAPS + "?watch=1")
    reading = asyncio.create_task(lines(stream, 3))
    await asyncio.sleep(1)
    await api.must("POST", MAPS, config_map("b"))
    await asyncio.sleep(1)
    await api.must("DELETE", MAPS + "/a")
    assert seen(await reading) == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]


async def test_from_a_version_a_watch_shows_what_came_after() -> None:
    api = await world()
    for name in "abc":
        await api.must("POST", MAPS, config_map(name))
    events = await lines(await api.raw("GET", MAPS + "?watch=true&resourceVersion=1"), 2)
    assert seen(events) == [("ADDED", "b"), ("ADDED", "c")]


async def test_a_version_of_the_future_is_waited_for() -> None:
    """A client that knows a newer store than this one is not shown what it has seen."""
    api = await world()
    response = await api.raw("GET", MAPS + "?watch=1&resourceVersion=2&timeoutSeconds=5")
    assert response.status == 200
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(lines(response, 1))
        for name in ("a", "b", "c"):
            await asyncio.sleep(0.01)
            await api.must("POST", MAPS, config_map(name))
    assert seen(first.result()) == [("ADDED", "c")]


async def test_a_deleted_event_bears_the_revision_of_the_deletion() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    await api.must("DELETE", MAPS + "/a")
    (event,) = await lines(await api.raw("GET", MAPS + "?watch=1&resourceVersion=1"), 1)
    assert event["type"] == "DELETED"
    assert event["object"]["metadata"]["resourceVersion"] == "2"


async def test_a_version_that_is_forgotten_is_an_expired_event() -> None:
    api = await world()
    for _ in range(3):
        await api.must("POST", MAPS, {"metadata": {"generateName": "x"}})
    api.cache.oldest = 2
    (event,) = await lines(await api.raw("GET", MAPS + "?watch=1&resourceVersion=1"), 1)
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_selectors_turn_changes_into_coming_and_going() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map(labels={"colour": "blue"}))
    stream = await api.raw("GET", MAPS + "?watch=1&labelSelector=colour=red")
    reading = asyncio.create_task(lines(stream, 3))
    for colour in ("red", "red", "green"):
        await asyncio.sleep(1)
        change = {"metadata": {"labels": {"colour": colour}}, "data": {"now": colour * 2}}
        await api.patch(MAPS + "/a", change)
        await api.patch(MAPS + "/a", {"data": {"x": colour}})
    found = [kind for kind, _ in seen(await reading)]
    assert found == ["ADDED", "MODIFIED", "DELETED"]


async def test_one_object_can_be_watched_by_name() -> None:
    api = await world()
    stream = await api.raw("GET", MAPS + "?watch=1&fieldSelector=metadata.name=b")
    reading = asyncio.create_task(lines(stream, 1))
    await asyncio.sleep(1)
    for name in "abc":
        await api.must("POST", MAPS, config_map(name))
    assert seen(await reading) == [("ADDED", "b")]


async def test_initial_events_end_with_a_marked_bookmark() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    stream = await api.raw("GET", f"{MAPS}?{query}&allowWatchBookmarks=true")
    first, mark = await lines(stream, 2)
    assert first["type"] == "ADDED"
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["kind"] == "ConfigMap"
    assert mark["object"]["metadata"] == {
        "resourceVersion": "1",
        "annotations": {"k8s.io/initial-events-end": "true"},
    }


@pytest.mark.parametrize(
    "query", ["sendInitialEvents=true", "resourceVersionMatch=NotOlderThan"], ids=str
)
async def test_initial_events_need_both_parameters(query: str) -> None:
    api = await world()
    assert (await api.do("GET", f"{MAPS}?watch=1&{query}"))[0] == 422


async def test_bookmarks_come_each_minute_and_at_the_end() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    stream = await api.raw("GET", MAPS + "?watch=1&allowWatchBookmarks=1&timeoutSeconds=90")
    began = api.clock.now()
    events = await everything(stream)
    assert [e["type"] for e in events] == ["BOOKMARK", "BOOKMARK"]
    assert events[0]["object"]["metadata"]["resourceVersion"] == "1"
    assert api.clock.now() - began == pytest.approx(90)


async def test_a_busy_watch_that_sees_nothing_still_gets_bookmarks() -> None:
    """Without them its version would age out while others write."""
    api = await world()
    url = MAPS + "?watch=1&allowWatchBookmarks=1&timeoutSeconds=70&fieldSelector=metadata.name=no"
    reading = asyncio.create_task(everything(await api.raw("GET", url)))
    for _ in range(14):
        await asyncio.sleep(5)
        await api.must("POST", MAPS, {"metadata": {"generateName": "x"}})
    events = await reading
    assert events
    assert all(e["type"] == "BOOKMARK" for e in events)


async def test_without_bookmarks_a_watch_just_ends() -> None:
    api = await world()
    assert await everything(await api.raw("GET", MAPS + "?watch=1&timeoutSeconds=5")) == []


async def test_a_slow_watcher_is_told_to_start_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_watch, "WATCH_QUEUE_MAX", 3)
    api = await world()
    response = await api.raw("GET", MAPS + "?watch=1")
    assert response.stream is not None
    reading = asyncio.create_task(everything(response))
    await asyncio.sleep(1)
    watcher = next(iter(api.cache._shelf("configmaps").watchers))
    for name in "abcd":  # No await in between: the reader has no chance.
        watcher.push(_event(api, name))
    events = await reading
    assert events[-1]["type"] == "ERROR"
    assert events[-1]["object"]["code"] == 410


def _event(api: Api, name: str) -> store_watch.Event:
    from busk8s.api import scheme
    from busk8s.api.object import Object

    obj = Object(scheme.CONFIGMAPS, "default", name, revision=1, body=b"{}", data={})
    return store_watch.Event("ADDED", obj, None, 1, 0.0)


async def test_a_table_watch_describes_its_columns_once() -> None:
    api = await world()
    for name in "ab":
        await api.must("POST", MAPS, config_map(name))
    events = await lines(await api.raw("GET", MAPS + "?watch=1", accept=TABLE), 2)
    first, second = (e["object"] for e in events)
    assert first["kind"] == second["kind"] == "Table"
    assert first["columnDefinitions"][0]["name"] == "Name"
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["cells"][0] == "b"


async def test_a_watch_that_is_closed_leaves_no_watcher() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    await lines(await api.raw("GET", MAPS + "?watch=1"), 1)
    await api.raw("GET", MAPS + "?watch=1")  # Answered, never read.
    assert not api.cache._shelf("configmaps").watchers


async def test_a_status_change_is_seen_once() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    change = {"status": {"phase": "Running"}}
    await api.must("PATCH", PODS + "/a/status", change, content_type=MERGE)
    events = await lines(await api.raw("GET", PODS + "?watch=1&resourceVersion=1"), 1)
    assert [e["object"]["status"]["phase"] for e in events] == ["Running"]


async def everything(response: Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    assert response.stream is not None
    async for chunk in response.stream:
        found += [orjson.loads(line) for line in chunk.splitlines()]
    return found


async def test_many_watchers_of_two_namespaces_each_see_every_change_in_order() -> None:
    """Rounds and shared batches must neither lose, repeat, reorder nor mix."""
    api = await world()
    other = MAPS.replace("default", "other")
    urls = [MAPS, other, "/api/v1/configmaps"]
    url = "{}?watch=1&timeoutSeconds=30&resourceVersion=0"
    streams = [await api.raw("GET", url.format(urls[i % 3])) for i in range(60)]
    reading = [asyncio.create_task(everything(stream)) for stream in streams]
    await asyncio.sleep(1)
    for index in range(40):
        await api.must("POST", (MAPS, other)[index % 2], config_map(f"m{index:02}"))
        if index % 5 == 0:
            await asyncio.sleep(0.0003)
    wanted = [f"m{i:02}" for i in range(40)]
    for i, task in enumerate(reading):
        found = [name for _, name in seen(await task)]
        assert found == (wanted[0::2], wanted[1::2], wanted)[i % 3]


async def test_an_object_that_leaves_the_selection_is_shown_as_it_was_chosen() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map(labels={"colour": "red"}))
    await api.patch(MAPS + "/a", {"metadata": {"labels": {"colour": "blue"}}})
    url = MAPS + "?watch=1&labelSelector=colour=red&resourceVersion=1"
    (event,) = await lines(await api.raw("GET", url), 1)
    assert event["type"] == "DELETED"
    assert event["object"]["metadata"]["labels"] == {"colour": "red"}
    assert event["object"]["metadata"]["resourceVersion"] == "2"


async def test_initial_events_can_be_declined() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map("a"))
    query = "watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
    reading = asyncio.create_task(lines(await api.raw("GET", f"{MAPS}?{query}"), 1))
    await asyncio.sleep(1)
    await api.must("POST", MAPS, config_map("b"))
    assert seen(await reading) == [("ADDED", "b")]

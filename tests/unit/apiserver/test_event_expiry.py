"""Events expire an hour after they were last written."""

from __future__ import annotations

import asyncio

from api_world import Api, Json, world

from busk8s.master.apiserver.expiry import TTL_S, EventExpiry

EVENTS = "/api/v1/namespaces/default/events"


def event(name: str) -> Json:
    about = {"kind": "Pod", "namespace": "default", "name": "p"}
    return {"metadata": {"name": name}, "involvedObject": about, "reason": "R", "type": "Normal"}


async def left(api: Api) -> list[str]:
    found = await api.must("GET", EVENTS)
    return [each["metadata"]["name"] for each in found["items"]]


async def test_an_event_goes_an_hour_after_it_was_written() -> None:
    api = await world()
    expiry = EventExpiry(api.store, api.cache, api.clock)
    running = asyncio.create_task(expiry.run())
    await api.must("POST", EVENTS, event("old"))
    await asyncio.sleep(TTL_S / 2)
    await api.must("POST", EVENTS, event("young"))
    await asyncio.sleep(TTL_S / 2 + 60)
    assert await left(api) == ["young"]
    await asyncio.sleep(TTL_S)
    assert await left(api) == []
    running.cancel()


async def test_an_event_that_is_counted_again_lives_on() -> None:
    api = await world()
    running = asyncio.create_task(EventExpiry(api.store, api.cache, api.clock).run())
    await api.must("POST", EVENTS, event("again"))
    await asyncio.sleep(TTL_S - 60)
    await api.patch(f"{EVENTS}/again", {"count": 2})
    await asyncio.sleep(TTL_S / 2)
    assert await left(api) == ["again"]
    await asyncio.sleep(TTL_S)
    assert await left(api) == []
    running.cancel()


async def test_events_from_before_a_start_are_as_old_as_they_say() -> None:
    api = await world()
    await api.must("POST", EVENTS, event("before"))
    await asyncio.sleep(TTL_S * 2)
    await EventExpiry(api.store, api.cache, api.clock).expire()
    assert await left(api) == []


async def test_a_thousand_at_once() -> None:
    api = await world()
    expiry = EventExpiry(api.store, api.cache, api.clock)
    await asyncio.gather(*(api.must("POST", EVENTS, event(f"e{n}")) for n in range(1_000)))
    await asyncio.sleep(TTL_S + 1)
    await api.do("DELETE", f"{EVENTS}/e5")
    await expiry.expire()
    assert await left(api) == []

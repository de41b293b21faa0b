"""What is counted of writes, lists and watches, by resource."""

from __future__ import annotations

import asyncio

from api_world import PODS, lines, pod, world

from busk8s.metrics import text

MAPS = "/api/v1/namespaces/default/configmaps"


async def test_writes_are_timed_by_what_they_do() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    await api.patch(PODS + "/a", {"metadata": {"labels": {"a": "b"}}})
    await api.must("DELETE", PODS + "/a?gracePeriodSeconds=0")
    page = text(api.server.families()).decode()
    for operation in ("create", "update", "delete"):
        at = f'{{group="",operation="{operation}",resource="pods"}}'
        assert f"etcd_request_duration_seconds_count{at} 1\n" in page
        assert f"etcd_requests_total{at} 1\n" in page


async def test_lists_count_what_they_look_at_and_answer() -> None:
    api = await world()
    for name in "abc":
        await api.must("POST", PODS, pod(name, labels={"name": name}))
    await api.must("GET", PODS + "?labelSelector=name=a")
    await api.must("GET", PODS + "?labelSelector=name=a")  # From what was joined for the first.
    page = text(api.server.families()).decode()
    at = 'group="",index="",resource="pods",storage="watchcache"'
    assert f"apiserver_storage_list_total{{{at}}} 2\n" in page
    assert f"apiserver_storage_list_fetched_objects_total{{{at}}} 3\n" in page
    returned = 'group="",resource="pods",storage="watchcache"'
    assert f"apiserver_storage_list_returned_objects_total{{{returned}}} 2\n" in page


async def test_events_are_counted_for_each_who_is_sent_them() -> None:
    api = await world()
    await api.must("POST", PODS, pod("first"))
    all_of_them = [await api.raw("GET", PODS + "?watch=1") for _ in range(2)]
    some = await api.raw("GET", PODS + "?watch=1&labelSelector=in%3Ddeed".replace("%3D", "="))
    readers = [asyncio.create_task(lines(stream, 4)) for stream in all_of_them]
    reader = asyncio.create_task(lines(some, 1))
    await asyncio.sleep(1)
    await asyncio.gather(*(api.must("POST", PODS, pod(name)) for name in "ab"))
    await api.must("POST", PODS, pod("c", labels={"in": "deed"}))
    sent = [await one for one in readers]
    await reader
    assert [len(one) for one in sent] == [4, 4]
    page = text(api.server.families()).decode()
    at = '{group="",resource="pods",version="v1"}'
    assert f"apiserver_watch_events_total{at} 9\n" in page
    assert f"apiserver_watch_events_sizes_count{at} 9\n" in page


async def test_the_size_and_the_contents_of_the_store_are_told() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    page = text(api.server.families()).decode()
    assert 'apiserver_storage_objects{resource="pods"} 1\n' in page
    for what in ("received", "dispatched"):
        name = f"apiserver_watch_cache_events_{what}_total"
        assert f'{name}{{group="",resource="pods"}} 1\n' in page
    assert 'apiserver_resource_objects{group="",resource="pods"} 1\n' in page
    (size,) = [line for line in page.splitlines() if line.startswith("apiserver_storage_size_by")]
    assert int(size.split()[-1]) > 100

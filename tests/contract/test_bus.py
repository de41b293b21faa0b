"""The bus over real sockets: what gets through, what does not, what comes back by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest
from bus_world import cluster

from busk8s.bus.link import Identity, Link

pytestmark = pytest.mark.realtime


def held(link: Link, topic: str) -> list[str]:
    return sorted(key[2] for key in link._followers[topic].clone.objects)


async def test_a_follower_gets_the_snapshot_then_the_changes() -> None:
    async with cluster() as c, asyncio.timeout(10):
        c.world.put("node/n1", "a", "b")
        link = c.worker("n1")
        reading = link.follow("node/n1")
        first = await anext(reading)
        assert [o.name for o in first[0].objects] == ["a", "b"]
        c.world.put("node/n1", "c")
        c.world.remove("node/n1", "a")
        changes = await anext(reading)
        assert [(change.gone, change.object.name) for change in changes] == [
            (False, "c"),
            (True, "a"),
        ]
        assert link.user == "system:node:n1"


async def test_a_call_is_answered_as_the_user_of_the_key() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        answer = await link.call("GET", "/api/v1/pods")
        assert orjson.loads(answer.body) == {"path": "/api/v1/pods", "user": "system:node:n1"}


async def test_a_component_on_ipc_is_who_it_says(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c, asyncio.timeout(10):
        c.world.put("kind/pods", "a")
        link = c.link(Identity("kube-scheduler"), None)
        reading = link.follow("kind/pods")
        assert len((await anext(reading))[0].objects) == 1
        assert orjson.loads((await link.call("GET", "/x")).body)["user"] == "system:kube-scheduler"

"""Watchers are woken at once while they are few, in rounds when they are many."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from busk8s.master.store.fanout import FEW, REST_S_MAX, SLICE, Rounds


class Ear:
    def __init__(self) -> None:
        self.heard: list[float] = []

    def wake(self) -> None:
        self.heard.append(asyncio.get_running_loop().time())


async def rung(count: int, every_s: float, times: int) -> tuple[list[Ear], float]:
    ears = [Ear() for _ in range(count)]
    rounds = Rounds(lambda: ears)
    began = asyncio.get_running_loop().time()
    for _ in range(times):
        rounds.ring(count)
        await asyncio.sleep(every_s)
    await asyncio.sleep(1)
    return ears, began


async def test_few_watchers_hear_every_change_at_once() -> None:
    ears, began = await rung(FEW, 0.001, 20)
    for ear in ears:
        assert ear.heard == pytest.approx([began + 0.001 * i for i in range(20)])


@pytest.mark.parametrize("count", [FEW + 1, SLICE, SLICE + 1, 1_000])
async def test_a_lone_change_reaches_all_at_once(count: int) -> None:
    ears, began = await rung(count, 1.0, 1)
    assert all(ear.heard == [began] for ear in ears)


async def test_many_watchers_share_rounds_and_none_waits_longer_than_the_bound() -> None:
    ears, began = await rung(4_000, 0.01, 100)
    for ear in ears:
        assert ear.heard[0] == began
        assert 24 <= len(ear.heard) <= 35
        gaps = [b - a for a, b in pairwise(ear.heard)]
        assert max(gaps) <= REST_S_MAX + 0.011
        assert ear.heard[-1] >= began + 0.99


async def test_what_comes_while_a_round_is_under_way_has_one_round_more() -> None:
    ears = [Ear() for _ in range(2 * SLICE)]
    rounds = Rounds(lambda: ears)
    for _ in range(3):
        rounds.ring(len(ears))
    await asyncio.sleep(1)
    for ear in ears:
        first, second = ear.heard
        assert 0 < second - first <= REST_S_MAX
    rounds.ring(len(ears))  # After a quiet time: at once.
    assert ears[0].heard[-1] == asyncio.get_running_loop().time()

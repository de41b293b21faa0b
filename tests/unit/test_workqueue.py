"""The work queue's promises, as sentences and as laws."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from busk8s.client.workqueue import BACKOFF_FIRST_S, BACKOFF_MAX_S, WorkQueue
from busk8s.clock import LoopClock
from busk8s.tasks import Nursery


class HandClock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_key_added_twice_comes_up_once() -> None:
    queue = WorkQueue(HandClock())
    queue.add("a")
    queue.add("a")
    assert queue.take() == "a"
    assert queue.take() is None


def test_a_key_added_while_it_is_worked_on_comes_up_after_it_is_done() -> None:
    queue = WorkQueue(HandClock())
    queue.add("a")
    queue.take()
    queue.add("a")
    assert queue.take() is None
    queue.done("a")
    assert queue.take() == "a"


def test_done_without_work_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        WorkQueue(HandClock()).done("a")


def test_of_two_delays_the_earlier_counts() -> None:
    clock = HandClock()
    queue = WorkQueue(clock)
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("a", 20)
    clock.at = 5
    assert queue.take() == "a"
    queue.done("a")
    clock.at = 30
    assert queue.take() is None


def test_waiting_and_working_are_timed() -> None:
    clock = HandClock()
    queue = WorkQueue(clock)
    queue.add("a")
    clock.at = 2
    queue.add("a")  # It waits already: since the first time.
    assert queue.take() == "a"
    clock.at = 5
    assert queue.ages() == [3]
    queue.done("a")
    assert (queue.wait_s.total, queue.work_s.total, queue.ages()) == (2, 3, [])


def test_back_off_doubles_up_to_its_limit_and_starts_again_after_success() -> None:
    queue = WorkQueue(HandClock())
    delays = [queue.add_rate_limited("a") for _ in range(20)]
    assert delays[:3] == [BACKOFF_FIRST_S, BACKOFF_FIRST_S * 2, BACKOFF_FIRST_S * 4]
    assert delays[-1] == BACKOFF_MAX_S
    queue.forget("a")
    assert queue.add_rate_limited("a") == BACKOFF_FIRST_S


async def test_a_waiting_worker_wakes_for_a_key_and_for_a_delay() -> None:
    queue = WorkQueue(LoopClock())
    got = []

    async def work() -> None:
        while True:
            key = await queue.get()
            got.append((key, asyncio.get_running_loop().time()))
            queue.done(key)

    async with Nursery() as nursery:
        nursery.spawn(work())
        nursery.spawn(work())
        await asyncio.sleep(1)
        queue.add_after("late", 60)
        queue.add_after("soon", 5)
        queue.add("now")
        await asyncio.sleep(100)
    assert got == [("now", 1.0), ("soon", 6.0), ("late", 61.0)]


async def test_a_cancelled_worker_passes_its_wake_up_on() -> None:
    queue = WorkQueue(LoopClock())
    async with Nursery() as nursery:
        first = nursery.spawn(queue.get())
        second = nursery.spawn(queue.get())
        await asyncio.sleep(0)
        queue.add("a")
        first.cancel()
        assert await second == "a"


KEYS = st.sampled_from("abcd")


class QueueMachine(RuleBasedStateMachine):
    """Random use, against a model of what must still be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.queue = WorkQueue(self.clock)
        self.owed: set[str] = set()  # Added since they were last taken.
        self.working: set[str] = set()
        self.due: dict[str, float] = {}

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.owed.add(key)

    @rule(key=KEYS, delay_s=st.integers(1, 9))
    def add_later(self, key: str, delay_s: int) -> None:
        self.queue.add_after(key, delay_s)
        when = self.clock.at + delay_s
        self.due[key] = min(self.due.get(key, when), when)

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        self.clock.at += seconds

    @rule()
    def take(self) -> None:
        for key in [key for key, when in self.due.items() if when <= self.clock.at]:
            del self.due[key]
            self.owed.add(key)
        key = self.queue.take()
        if key is None:
            assert self.owed <= self.working
            return
        assert key in self.owed - self.working
        self.owed.discard(key)
        self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        self.working.discard(key)

    @invariant()
    def the_queue_holds_the_owed_that_nobody_works_on(self) -> None:
        assert len(self.queue) == len(self.owed - self.working)
        assert self.queue.working == len(self.working)


TestQueueLaws = QueueMachine.TestCase

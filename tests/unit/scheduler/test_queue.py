"""Where a waiting pod lies, and what moves it."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from busk8s.master.scheduler.pod import PodInfo, PodSort, pod_class
from busk8s.master.scheduler.queue import (
    BACKOFF_FIRST_S,
    UNSCHEDULABLE_MAX_S,
    SchedulingQueue,
)
from busk8s.master.scheduler.rules import NO_RULES

FIT = frozenset({"NodeResourcesFit"})


def queue() -> SchedulingQueue:
    return SchedulingQueue(
        lambda pod: (-pod.kind.priority, pod.queued_at), lambda failed, what: what == "node"
    )


def pod(name: str, priority: int = 0) -> PodInfo:
    kind = pod_class({"priority": priority, "containers": []})
    return PodInfo("default", name, name, PodSort("default", {}, kind, NO_RULES))


def test_higher_priority_goes_first_then_who_came_first() -> None:
    waiting = queue()
    for at, each in enumerate([pod("a"), pod("b"), pod("urgent", 9)]):
        waiting.add(each, float(at))
    popped = [waiting.pop(9.0) for _ in range(4)]
    assert [p.name if p else None for p in popped] == ["urgent", "a", "b", None]


def test_a_parked_pod_waits_for_a_change_that_may_help() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0.0)
    popped = waiting.pop(0.0)
    assert popped
    waiting.park(popped, FIT, 0.0)
    waiting.changed("pod", 1.0)
    assert waiting.pop(50.0) is None
    waiting.changed("node", 50.0)
    assert waiting.pop(50.0) is None, "it backs off first"
    assert waiting.pop(50.0 + BACKOFF_FIRST_S) is popped


def test_a_change_while_a_pod_was_in_flight_is_not_missed() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0.0)
    popped = waiting.pop(0.0)
    assert popped
    waiting.changed("node", 0.1)
    waiting.park(popped, FIT, 0.2)
    assert waiting.pop(0.2 + BACKOFF_FIRST_S) is popped


def test_back_off_doubles_up_to_the_maximum() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0.0)
    now, delays = 0.0, []
    for _ in range(6):
        popped = waiting.pop(now)
        assert popped
        waiting.retry(popped, now)
        at = waiting.next_at(now)
        assert at is not None
        delays.append(at - now)
        now = at
    assert delays == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_an_unschedulable_pod_is_looked_at_again_after_five_minutes() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0.0)
    popped = waiting.pop(0.0)
    assert popped
    waiting.park(popped, FIT, 0.0)
    assert waiting.next_at(0.0) == UNSCHEDULABLE_MAX_S
    assert waiting.pop(UNSCHEDULABLE_MAX_S) is popped


def test_a_pod_that_went_while_in_flight_does_not_come_back() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0.0)
    popped = waiting.pop(0.0)
    assert popped
    waiting.drop("a")
    waiting.retry(popped, 0.0)
    waiting.park(popped, FIT, 0.0)
    assert len(waiting) == 0
    assert waiting.pop(1e9) is None


class QueueMachine(RuleBasedStateMachine):
    """No pod is ever lost or handed out twice."""

    pods = Bundle("pods")

    def __init__(self) -> None:
        super().__init__()
        self.queue = queue()
        self.now = 0.0
        self.live: set[str] = set()
        self.in_flight: dict[str, PodInfo] = {}

    @rule(target=pods, name=st.sampled_from("abcdef"), priority=st.integers(0, 2))
    def add(self, name: str, priority: int) -> str:
        self.queue.add(pod(name, priority), self.now)
        self.live.add(name)
        return name

    @rule(name=pods)
    def drop(self, name: str) -> None:
        self.queue.drop(name)
        self.live.discard(name)
        self.in_flight.pop(name, None)

    @rule()
    def pop(self) -> None:
        found = self.queue.pop(self.now)
        if found is not None:
            assert found.uid in self.live
            assert found.uid not in self.in_flight
            self.in_flight[found.uid] = found

    @rule(park=st.booleans(), pick=st.randoms(use_true_random=False))
    def land(self, park: bool, pick: object) -> None:
        if self.in_flight:
            name = sorted(self.in_flight)[0]
            found = self.in_flight.pop(name)
            if park:
                self.queue.park(found, FIT, self.now)
            else:
                self.queue.retry(found, self.now)

    @rule(what=st.sampled_from(["node", "pod"]), seconds=st.sampled_from([0.0, 1.0, 400.0]))
    def time_passes(self, what: str, seconds: float) -> None:
        self.now += seconds
        self.queue.changed(what, self.now)

    @invariant()
    def every_live_pod_is_somewhere(self) -> None:
        active, backing_off, pooled = self.queue.counts
        assert len(self.queue) == len(self.live)
        assert active + backing_off + pooled + len(self.in_flight) == len(self.live)

    def teardown(self) -> None:
        for name, found in sorted(self.in_flight.items()):
            del name
            self.queue.retry(found, self.now)
        self.now += 1_000.0
        handed = set()
        while (found_ := self.queue.pop(self.now)) is not None:
            handed.add(found_.uid)
        assert handed == self.live


TestQueueMachine = QueueMachine.TestCase

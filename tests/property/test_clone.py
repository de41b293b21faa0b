"""A clone ends in its source's state, whatever the network does between snapshot and deltas."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from busk8s.api.scheme import Resource
from busk8s.bus.clone import Changed, Clone, Replaced
from busk8s.bus.topics import Topic
from busk8s.protocol import GONE, PUT, Deltas, Entry, SnapshotPart, decode

PODS = Resource("", "v1", "pods", "Pod", True)
NAMES = st.sampled_from([f"p{n}" for n in range(6)])


class Source:
    """A topic and what it truly holds; frames it would send lie in the network's hands."""

    def __init__(self, epoch: int) -> None:
        self.topic = Topic("kind/pods", epoch)
        self.topic.heard = True
        self.held: dict[tuple[str, str, str], Entry] = {}
        self.revision = 0

    def write(self, name: str, *, gone: bool) -> None:
        self.revision += 1
        key = ("pods", "default", name)
        op, body = (GONE, b"") if gone else (PUT, b"%d" % self.revision)
        made: Entry = (op, *key, self.revision, body)
        if gone:
            self.held.pop(key, None)
        else:
            self.held[key] = made
        self.topic.push([made], self.revision)


class CloneAgainstSource(RuleBasedStateMachine):
    """Every rule is something a network, a master or a user may do at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs = 1
        self.source = Source(1)
        self.clone = Clone("kind/pods", lambda key: PODS)
        self.wire: list[bytes] = []
        self.seen: dict[tuple[str, str], int] | None = None

    @rule(names=st.lists(NAMES, min_size=1, max_size=4), gone=st.booleans())
    def burst(self, names: list[str], gone: bool) -> None:
        for name in names:
            self.source.write(name, gone=gone)
        self.wire += self.source.topic.frames()

    @rule()
    def restart_of_the_master(self) -> None:
        held, revision = self.source.held, self.source.revision
        self.epochs += 1
        self.source = Source(self.epochs)
        self.source.held, self.source.revision = dict(held), revision

    @rule(seed=st.integers(0, 2**16))
    def reordering(self, seed: int) -> None:
        random.Random(seed).shuffle(self.wire)

    @rule(at=st.integers(0, 50))
    def loss(self, at: int) -> None:
        if self.wire:
            self.wire.pop(at % len(self.wire))

    @rule(at=st.integers(0, 50))
    def repetition(self, at: int) -> None:
        if self.wire:
            self.wire.append(self.wire[at % len(self.wire)])

    @rule(count=st.integers(1, 5))
    def delivery(self, count: int) -> None:
        for frame in self.wire[:count]:
            self.arrive(frame)
        del self.wire[:count]

    @rule()
    def question(self) -> None:
        """The clone asks; the answer travels like everything else."""
        self.wire += self.answer()

    @rule()
    def disconnection(self) -> None:
        self.wire.clear()
        self.clone.cut_off()

    @rule()
    def acknowledgement(self) -> None:
        self.clone.at(self.source.topic.position)

    @invariant()
    def nothing_is_half_applied(self) -> None:
        """What a reader was told adds up to what the clone holds."""
        held = {(o.namespace, o.name): o.revision for o in self.clone.objects.values()}
        assert self.seen is None or self.seen == held

    def teardown(self) -> None:
        """The network heals: within one question and answer all is as at the source."""
        self.wire.clear()
        for _ in range(3):
            if not self.clone.at(self.source.topic.position):
                for frame in self.answer():
                    self.arrive(frame)
        assert self.clone.at(self.source.topic.position)
        assert self.clone.position == self.source.topic.position
        held = {key: obj.revision for key, obj in self.clone.objects.items()}
        assert held == {key: made[4] for key, made in self.source.held.items()}

    def answer(self) -> list[bytes]:
        topic = self.source.topic
        self.wire += topic.frames()
        repair = topic.repair(self.clone.position)
        if repair is not None:
            return repair
        return list(topic.snapshot(self.source.held.values(), self.source.revision))

    def arrive(self, frame: bytes) -> None:
        message: Any = decode(frame)
        assert isinstance(message, Deltas | SnapshotPart)
        take = self.clone.deltas if isinstance(message, Deltas) else self.clone.part
        for outcome in take(message):
            if isinstance(outcome, Replaced):
                self.seen = {(o.namespace, o.name): o.revision for o in outcome.objects}
            else:
                assert isinstance(outcome, Changed)
                assert self.seen is not None
                key = (outcome.object.namespace, outcome.object.name)
                if outcome.gone:
                    del self.seen[key]
                else:
                    self.seen[key] = outcome.object.revision


TestCloneAgainstSource = CloneAgainstSource.TestCase
TestCloneAgainstSource.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_ring_that_has_forgotten_leads_to_a_snapshot(monkeypatch: Any) -> None:
    monkeypatch.setattr("busk8s.bus.topics.RING_DELTAS_MAX", 3)
    source = Source(9)
    for number in range(10):
        source.write(f"p{number}", gone=False)
    source.topic.frames()
    assert source.topic.repair((9, 8)) is not None
    assert source.topic.repair((9, 5)) is None
    assert source.topic.repair((8, 8)) is None
    assert source.topic.repair((9, 11)) is None


def test_big_snapshots_travel_in_parts_and_count_only_whole(monkeypatch: Any) -> None:
    monkeypatch.setattr("busk8s.bus.topics.SNAPSHOT_PART_BYTES", 300)
    source = Source(9)
    for number in range(7):
        source.write(f"p{number}", gone=False)
    parts = [decode(p) for p in source.topic.snapshot(source.held.values(), 7)]
    assert len(parts) > 2
    clone = Clone("kind/pods", lambda key: PODS)
    for part in parts[:-1]:
        assert isinstance(part, SnapshotPart)
        assert clone.part(part) == []
    assert clone.position == (0, 0)
    last = parts[-1]
    assert isinstance(last, SnapshotPart)
    (whole,) = clone.part(last)
    assert isinstance(whole, Replaced)
    assert len(whole.objects) == 7

"""A subscriber's copy of one topic: snapshot, deltas, gaps. ZeroMQ's Clone pattern, pure.

Owns      the position (epoch, seq), what the topic holds there, and what to ask for when lost.
Leaves    sockets and timers (link), who reads the changes (follower).
Invariant after any loss, repetition, reordering or disconnection, once the master answers a Sync
          the copy equals the source at its position; nothing is ever half applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from busk8s.api.object import Object
from busk8s.api.scheme import Resource
from busk8s.protocol import (
    HELD_FRAMES_MAX,
    PUT,
    Deltas,
    Entry,
    Position,
    SnapshotPart,
)

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Replaced:
    """The whole topic as it is at `revision`; all that was seen before is void."""

    objects: tuple[Object, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Changed:
    """One change in order: `gone` False = `object` is there now in this version."""

    gone: bool
    object: Object


Outcome = Replaced | Changed


class Clone:
    """Fed with what arrives; `lost` says that a Sync from `position` is needed."""

    def __init__(self, topic: str, resource_of: Callable[[str], Resource]) -> None:
        self.topic = topic
        self.epoch = 0
        self.seq = 0
        self.revision = 0
        self.lost = True
        self.objects: dict[Key, Object] = {}
        self._resource_of = resource_of
        self._held: list[Deltas] = []
        self._parts: list[SnapshotPart] = []

    @property
    def position(self) -> Position:
        return (self.epoch, self.seq)

    def state(self) -> Replaced:
        return Replaced(tuple(self.objects.values()), self.revision)

    def deltas(self, message: Deltas) -> list[Outcome]:
        """A frame of the feed, or a repair: applied if it continues the copy, else held."""
        if message.epoch == self.epoch and self.epoch and message.first <= self.seq + 1:
            changes = self._apply(message)
            if self.lost and not self._parts:
                self.lost = False
            return changes + self._release()
        self.lost = True
        self._hold(message)
        return []

    def part(self, message: SnapshotPart) -> list[Outcome]:
        """A part of a snapshot; the copy is replaced when the last one is in."""
        if message.part != len(self._parts) or (self._parts and not self._same(message)):
            self._parts.clear()
            if message.part != 0:
                self.lost = True
                return []
        self._parts.append(message)
        if len(self._parts) < message.parts:
            return []
        parts, self._parts = self._parts, []
        if message.epoch == self.epoch and message.seq < self.seq:
            return []  # An answer to an older question: the copy is already past it.
        self._replace(parts)
        return [self.state(), *self._release()]

    def at(self, position: Position) -> bool:
        """The master says the topic stands at `position`: True if the copy is there too."""
        epoch, seq = position
        if epoch != self.epoch or seq > self.seq:
            self.lost = True
        return not self.lost

    def cut_off(self) -> None:
        """The connection is new: what is under way will never end, what follows may not fit."""
        self.lost = True
        self._held.clear()
        self._parts.clear()

    def _same(self, message: SnapshotPart) -> bool:
        first = self._parts[0]
        return (first.epoch, first.seq, first.parts) == (message.epoch, message.seq, message.parts)

    def _replace(self, parts: list[SnapshotPart]) -> None:
        last = parts[-1]
        self.objects = {}
        for part in parts:
            for entry in part.entries:
                self.objects[entry[1:4]] = self._object(entry)
        self.epoch, self.seq, self.revision = last.epoch, last.seq, last.revision
        self.lost = False

    def _apply(self, message: Deltas) -> list[Outcome]:
        """The entries above `seq`; what is below was applied before and is passed over."""
        fresh = message.entries[max(0, self.seq + 1 - message.first) :]
        changes: list[Outcome] = []
        for entry in fresh:
            key = entry[1:4]
            if entry[0] == PUT:
                self.objects[key] = made = self._object(entry)
                changes.append(Changed(False, made))
            elif (old := self.objects.pop(key, None)) is not None:
                changes.append(Changed(True, old))
        self.seq += len(fresh)
        self.revision = max(self.revision, message.revision)
        return changes

    def _hold(self, message: Deltas) -> None:
        if len(self._held) >= HELD_FRAMES_MAX:
            self._held.clear()  # The repair will bring what they held.
        self._held.append(message)

    def _release(self) -> list[Outcome]:
        """Apply held frames that now continue the copy; what is left is a gap again."""
        held = sorted(self._held, key=lambda frame: frame.first)
        self._held = []
        changes: list[Outcome] = []
        for frame in held:
            if frame.epoch != self.epoch:
                continue  # Of another life of the topic; an ack tells if it is the newer one.
            if frame.first <= self.seq + 1:
                changes += self._apply(frame)
            else:
                self._held.append(frame)
        self.lost = self.lost or bool(self._held)
        return changes

    def _object(self, entry: Entry) -> Object:
        _, key, namespace, name, revision, body = entry
        return Object(self._resource_of(key), namespace, name, revision=revision, body=body)

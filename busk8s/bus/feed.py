"""The feed on the master's side: topics, bursts, who was granted what.

Owns      the topics and their numbers, flushing bursts, marks, generations of channels.
Leaves    what topics contain (views), who may hear them (`hears`), sockets (wire.Server).
Invariant work per burst does not grow with the number of subscribers; a peer that is expelled hears
          nothing more after GENERATION_OVERLAP_S, though it stays connected.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from busk8s import protocol
from busk8s.bus.tap import Tap
from busk8s.bus.topics import Topic
from busk8s.bus.wire import Server
from busk8s.protocol import Entry, Mark, channel, encode

MARK_PREFIX = "mark/"


@dataclass(slots=True, eq=False)
class Door:
    """One server the hub listens on, and the generations of channels it speaks on.

    `trusted`: only the master's own user can reach it (ipc), so peers are who they say.
    """

    server: Server
    trusted: bool
    generations: list[int] = field(default_factory=lambda: [0])

    def publish(self, topic: str, frame: bytes) -> None:
        for generation in self.generations:
            self.server.publish(channel(topic, generation), frame)


class Feed:
    """`hears(door, key, topic)` decides about each subscription, at once."""

    def __init__(self, epoch: int, tap: Tap, hears: Callable[[Door, str, str], bool]) -> None:
        self.doors: list[Door] = []
        self._epochs = itertools.count(epoch)
        self._tap, self._hears = tap, hears
        self._topics: dict[str, Topic] = {}
        self._dirty: dict[str, Topic] = {}
        self._hearers: dict[str, None] = {}  # Keys that were ever granted a subscription.
        self._turning = False
        self._turn_again = False

    def attach(self, server: Server, trusted: bool) -> Door:
        door = Door(server, trusted)
        self.doors.append(door)
        return door

    # --- publishing -------------------------------------------------------------------------------

    def topic(self, name: str) -> Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name, next(self._epochs))
        return topic

    def publish(self, name: str, entries: Sequence[Entry], revision: int) -> None:
        """Number the deltas now; send them with all others of this burst, when the tick ends."""
        topic = self.topic(name)
        topic.push(entries, revision)
        if self._tap.open:
            for entry in entries:
                subject = f"{entry[1]} {entry[2]}/{entry[3]}"
                self._tap.note("", ">" if entry[0] else "x", name, subject, len(entry[5]))
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush)
        self._dirty[name] = topic

    def forget(self, name: str) -> None:
        """The topic is over; a later one of that name has another epoch."""
        if (topic := self._topics.pop(name, None)) is not None:
            self._send(topic)
            self._dirty.pop(name, None)

    def flush_tap(self) -> None:
        if frame := self._tap.take():
            for door in self.doors:
                door.publish(protocol.TAP, frame)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for topic in dirty.values():
            self._send(topic)

    def _send(self, topic: Topic) -> None:
        for frame in topic.frames():
            for door in self.doors:
                door.publish(topic.name, frame)

    # --- subscriptions ----------------------------------------------------------------------------

    def subscribe(self, door: Door, key: str, prefix: bytes, on: bool) -> bool:
        """A peer asks for a channel: whether it is granted. Called before the next is read."""
        named = protocol.topic_of(prefix)
        if not on or named is None:
            return not on
        topic, generation = named
        if topic.startswith(MARK_PREFIX):
            frame = encode(Mark(nonce=topic.removeprefix(MARK_PREFIX)))
            # After this call returns the mark itself is granted; only then it can be heard.
            asyncio.get_running_loop().call_soon(door.server.publish, prefix, frame)
            return True
        if generation not in door.generations or not self._hears(door, key, topic):
            return False
        self._hearers[key] = None
        self.topic(topic).heard = True
        return True

    def expel(self, key: str) -> None:
        """`key` shall hear nothing more."""
        if key in self._hearers:
            del self._hearers[key]
            self._turn()

    def heard_by(self, key: str) -> bool:
        """Whether `key` was ever granted a subscription, and was not expelled since."""
        return key in self._hearers

    def _turn(self) -> None:
        """Go over to new channels; peers learn of them by their acks, the expelled one does not."""
        self._turn_again = self._turning
        if not self._turning:
            self._turning = True
            for door in self.doors:
                door.generations.append(door.generations[-1] + 1)
            loop = asyncio.get_running_loop()
            loop.call_later(protocol.GENERATION_OVERLAP_S, self._turned)

    def _turned(self) -> None:
        self._turning = False
        for door in self.doors:
            del door.generations[:-1]
        if self._turn_again:
            self._turn()

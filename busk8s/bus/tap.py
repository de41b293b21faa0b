"""Seeing the bus as it flows: what passed, for as long as somebody looks.

Owns      the bounded list of events since the last flush. Leaves   who may look (hub's policy).
Invariant nobody looks: nothing is kept and nothing is sent. Message contents never get in here.
"""

from __future__ import annotations

from collections.abc import Callable

from busk8s.clock import Clock
from busk8s.protocol import (
    TAP_EVENTS_MAX,
    Beat,
    Call,
    Message,
    Sync,
    Tapped,
    encode,
)

LISTENS_S = 10.0  # A listener says so every few seconds; unrenewed, the tap closes.


class Tap:
    def __init__(self, clock: Clock, due: Callable[[], None]) -> None:
        """`due` is called when there is something to take, once until it is taken."""
        self._clock, self._due = clock, due
        self._until = 0.0
        self._events: list[tuple[float, str, str, str, str, int]] = []
        self._dropped = 0

    @property
    def open(self) -> bool:
        return self._until > 0.0

    def listen(self) -> None:
        """Somebody looks, for the next seconds."""
        self._until = self._clock.monotonic() + LISTENS_S

    def note(self, peer: str, way: str, what: str, subject: str, size: int) -> None:
        """`way`: `<` to the master, `>` from it, `!` refused."""
        if self._until == 0.0:
            return
        if not self._events:
            self._due()
        if len(self._events) >= TAP_EVENTS_MAX:
            self._dropped += 1
        else:
            self._events.append((self._clock.now(), peer, way, what, subject, size))

    def message(self, peer: str, way: str, message: Message, size: int) -> None:
        if self._until == 0.0:
            return
        if isinstance(message, Call):
            self.note(peer, way, f"call {message.method}", message.path, size)
        elif isinstance(message, Sync):
            self.note(peer, way, "sync", message.topic, size)
        elif isinstance(message, Beat):
            self.note(peer, way, "beat", message.node, size)
        else:
            self.note(peer, way, message.TAG, "", size)

    def take(self) -> bytes:
        """The events since the last call as one frame; empty when there are none."""
        if self._until == 0.0:
            return b""
        events, self._events = self._events, []
        dropped, self._dropped = self._dropped, 0
        if self._clock.monotonic() > self._until:
            self._until = 0.0
        return encode(Tapped(dropped=dropped, events=tuple(events))) if events or dropped else b""

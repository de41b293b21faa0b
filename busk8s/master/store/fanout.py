"""When the watchers of a resource are woken: at once, or together after a short rest.

Owns      the rest between two rounds, the slices of a round.
Leaves    the watchers' queues (watch), what they do when awake.
Invariant the first change after a quiet time wakes at once; none waits longer than for the round
          under way and REST_S_MAX. A round of many watchers lets the loop poll between its slices.
Source    docs/decisions/0072-watchers-are-woken-in-rounds.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

FEW = 16  # Watchers that are woken for each change, however fast they come.
REST_S = 15e-6  # A watcher of a round; waking one and writing to it costs about as much.
REST_S_MAX = 0.03
SLICE = 64  # Watchers woken before the loop polls again: about a millisecond of work.


class Sleeper(Protocol):
    def wake(self) -> None: ...


class Rounds:
    """Wakes all of `sleepers()` when it is rung, not more often than their number allows."""

    __slots__ = ("_count", "_next_at", "_rung", "_sleepers", "_timer", "_under_way")

    def __init__(self, sleepers: Callable[[], Iterable[Sleeper]]) -> None:
        self._sleepers = sleepers
        self._timer: asyncio.TimerHandle | None = None
        self._next_at = 0.0
        self._count = 0  # Of the round under way, or the last one.
        self._under_way = self._rung = False

    def ring(self, count: int) -> None:
        """Something waits for the `count` sleepers."""
        if count <= FEW:
            for sleeper in tuple(self._sleepers()):
                sleeper.wake()
        elif self._under_way:
            self._rung = True  # Who has been woken already needs the next round.
        elif self._timer is None:
            self._schedule(asyncio.get_running_loop())

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() >= self._next_at:
            self._begin()
        else:
            self._timer = loop.call_at(self._next_at, self._begin)

    def _begin(self) -> None:
        self._timer = None
        sleepers = tuple(self._sleepers())
        self._under_way, self._count = True, len(sleepers)
        self._slice(iter(sleepers), asyncio.get_running_loop())

    def _slice(self, left: Iterable[Sleeper], loop: asyncio.AbstractEventLoop) -> None:
        woken = 0
        for sleeper in islice(left, SLICE):
            sleeper.wake()
            woken += 1
        loop.call_soon(self._slice if woken == SLICE else self._end, left, loop)

    def _end(self, left: Iterable[Sleeper], loop: asyncio.AbstractEventLoop) -> None:
        """The rest is counted from here: a busy machine makes rounds rarer, not longer."""
        rung, self._under_way, self._rung = self._rung, False, False
        self._next_at = loop.time() + min(self._count * REST_S, REST_S_MAX)
        if rung:
            self._schedule(loop)

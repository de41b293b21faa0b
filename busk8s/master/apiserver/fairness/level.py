"""One priority level: so many seats at once, and a fair queue by flow for those that wait.

Owns      seats, the order of waiting requests (self-clocked fair queueing), the bounds of waiting.
Leaves    which request belongs to which level and flow (gate), how wide a request is (width).
Invariant a flow that asks for little is served before the backlog of one that asks for much; what
          is taken is given back once; no more wait than the bounds say.
Differs from Kubernetes: every flow has a queue of its own in place of shuffle sharding, so
          handSize only bounds how many wait; levels do not lend each other seats.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from busk8s import errors
from busk8s.master.apiserver.fairness.tally import Tally

WAIT_S_MAX = 15.0  # As upstream: a quarter of a request's minute. Then 429.
RETRY_AFTER_S = 1


class TurnedAway(errors.Error):
    """`why` in upstream's words: queue-full, concurrency-limit or time-out."""

    def __init__(self, why: str) -> None:
        said = "Too many requests, please try again later."
        super().__init__(429, "TooManyRequests", said, retry_after_s=RETRY_AFTER_S)
        self.why = why


@dataclass(slots=True)
class Shape:
    """What a PriorityLevelConfiguration says. `seats` 0: exempt. `per_flow` 0: none may wait."""

    seats: int = 0
    per_flow: int = 0
    waiting: int = 0


@dataclass(slots=True, order=True)
class _Waiting:
    end: float
    number: int
    width: int = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


class Seat:
    """What a running request holds; given back when it is let go, at the latest when it is gone.

    A long answer carries its seat until it is written (or its client lost), wherever that is.
    """

    __slots__ = ("_level", "_tally", "_width")

    def __init__(self, level: Level, width: int, tally: Tally) -> None:
        self._level = level
        self._width = width
        self._tally = tally
        tally.executing += 1
        tally.seats += width

    def free(self) -> None:
        width, self._width = self._width, 0
        if width:
            self._tally.executing -= 1
            self._tally.seats -= width
            self._level.give_back(width)

    __del__ = free


class Level:
    def __init__(self, name: str, uid: str, shape: Shape) -> None:
        self.name = name
        self.uid = uid
        self.shape = shape
        self.in_use = 0
        self.refused = 0
        self._waiting: list[_Waiting] = []
        self._of_flow: Counter[str] = Counter()
        self._finish: dict[str, float] = {}  # Of flows that wait: the end of their last request.
        self._now = 0.0  # Virtual: the end of the request that was let in last.
        self._numbers = count()

    @property
    def seats(self) -> int:
        return self.shape.seats

    @property
    def waiting(self) -> int:
        return sum(self._of_flow.values())

    def queues(self) -> Mapping[str, int]:
        """How many requests of each flow wait."""
        return dict(self._of_flow)

    def take(self, width: int) -> bool:
        """Seats at once, if nobody waits and there are enough. No queue is touched."""
        seats = self.shape.seats
        if seats and (self._waiting or not self._fits(width)):
            return False
        self.in_use += width
        return True

    def _fits(self, width: int) -> bool:
        """One request always runs, however wide."""
        return self.in_use == 0 or self.in_use + width <= self.shape.seats

    async def wait(self, flow: str, width: int) -> None:
        """Seats when it is this flow's turn. Raises 429."""
        shape = self.shape
        if self._of_flow[flow] >= shape.per_flow or len(self._waiting) >= shape.waiting:
            raise self._refusal("queue-full" if shape.per_flow else "concurrency-limit")
        turn = asyncio.get_running_loop().create_future()
        end = self._finish[flow] = max(self._now, self._finish.get(flow, 0.0)) + width
        heapq.heappush(self._waiting, _Waiting(end, next(self._numbers), width, turn))
        self._of_flow[flow] += 1
        self._admit()
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await turn
        except TimeoutError:
            self._leave(turn, width)
            raise self._refusal("time-out") from None
        except asyncio.CancelledError:
            self._leave(turn, width)
            raise
        finally:
            self._forget(flow)

    def _leave(self, turn: asyncio.Future[None], width: int) -> None:
        """Who gives up may have been let in at the same moment."""
        if turn.done() and not turn.cancelled():
            self.give_back(width)
        turn.cancel()

    def _forget(self, flow: str) -> None:
        self._of_flow[flow] -= 1
        if self._of_flow[flow] <= 0:
            del self._of_flow[flow]
            self._finish.pop(flow, None)

    def give_back(self, width: int) -> None:
        self.in_use -= width
        if self._waiting:
            self._admit()

    def _admit(self) -> None:
        """Let in who is next, as long as there are seats."""
        waiting = self._waiting
        while waiting:
            first = waiting[0]
            if first.turn.done():  # It gave up.
                heapq.heappop(waiting)
                continue
            if self.shape.seats and not self._fits(first.width):
                return
            heapq.heappop(waiting)
            self._now = first.end
            self.in_use += first.width
            first.turn.set_result(None)

    def _refusal(self, why: str) -> TurnedAway:
        self.refused += 1
        return TurnedAway(why)

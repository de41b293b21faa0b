"""A queue of keys that want work: each at most once, never to two workers at a time.

Owns      which key is next, delayed adds, and how long a failing key waits.
Leaves    what a key means, what the work is.
Invariant (client-go's) a key is handed out to one worker at a time; a key added while it is being
          worked on comes up again after `done`; `queue` holds exactly the dirty keys that nobody
          works on. Bound: one entry a key, so as many as there are objects of the kind.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque

from busk8s.clock import Clock
from busk8s.metrics import Cell, exponential

BACKOFF_FIRST_S = 0.005
BACKOFF_MAX_S = 1_000.0
WAIT_EDGES_S = exponential(10e-9, 10, 10)  # As upstream's workqueue_*_duration_seconds.


class WorkQueue:
    """`get` a key, work, then `done(key)` always, and `forget` or `add_rate_limited`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[str] = deque()
        self._dirty: set[str] = set()
        self._processing: set[str] = set()
        self._failures: dict[str, int] = {}
        self._waiting: dict[str, float] = {}  # key -> when; the heap may hold older entries.
        self._heap: list[tuple[float, int, str]] = []
        self._serial = 0
        self._getters: deque[asyncio.Future[None]] = deque()
        self.added_total = 0
        self.retried_total = 0
        self.wait_s = Cell(WAIT_EDGES_S)  # From being added to being taken.
        self.work_s = Cell(WAIT_EDGES_S)
        self._added: dict[str, float] = {}
        self._taken: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def ages(self) -> list[float]:
        """How long each key that is worked on has been, in seconds."""
        now = self._clock.monotonic()
        return [now - taken for taken in self._taken.values()]

    @property
    def waiting(self) -> int:
        """Keys that come up later by themselves."""
        return len(self._waiting)

    @property
    def working(self) -> int:
        """Keys that are being worked on."""
        return len(self._processing)

    def add(self, key: str) -> None:
        if key in self._dirty:
            return
        self.added_total += 1
        self._dirty.add(key)
        self._added[key] = self._clock.monotonic()
        if key not in self._processing:
            self._queue.append(key)
            self._wake_one()

    def add_after(self, key: str, delay_s: float) -> None:
        """Add `key` in `delay_s`; of several waits for one key the earliest counts."""
        if delay_s <= 0:
            self.add(key)
            return
        when = self._clock.monotonic() + delay_s
        known = self._waiting.get(key)
        if known is not None and known <= when:
            return
        self._waiting[key] = when
        self._serial += 1
        heapq.heappush(self._heap, (when, self._serial, key))
        if self._heap[0][2] == key:
            self._wake_one()  # Whoever waits must wait less now.

    def add_rate_limited(self, key: str) -> float:
        """Add `key` after its back-off, which doubles each time; returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retried_total += 1
        delay_s = min(BACKOFF_FIRST_S * 2.0 ** min(failures, 60), BACKOFF_MAX_S)
        self.add_after(key, delay_s)
        return delay_s

    def forget(self, key: str) -> None:
        """The work went well: the next failure starts from the shortest wait."""
        self._failures.pop(key, None)

    def failures(self, key: str) -> int:
        return self._failures.get(key, 0)

    def take(self) -> str | None:
        """The next key if there is one now; the caller works on it until `done`."""
        self._release_due()
        if not self._queue:
            return None
        key = self._queue.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        now = self._taken[key] = self._clock.monotonic()
        self.wait_s.observe(now - self._added.pop(key))
        return key

    async def get(self) -> str:
        while (key := self.take()) is None:
            await self._wait()
        return key

    def done(self, key: str) -> None:
        assert key in self._processing, f"{key} is not being worked on"
        self._processing.discard(key)
        self.work_s.observe(self._clock.monotonic() - self._taken.pop(key))
        if key in self._dirty:
            self._queue.append(key)
            self._wake_one()

    def _release_due(self) -> None:
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            when, _, key = heapq.heappop(self._heap)
            if self._waiting.get(key) == when:
                del self._waiting[key]
                self.add(key)

    async def _wait(self) -> None:
        """Until something was added, or the first delayed key is due."""
        getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._getters.append(getter)
        timeout_s = None
        if self._heap:
            timeout_s = max(0.0, self._heap[0][0] - self._clock.monotonic())
        try:
            async with asyncio.timeout(timeout_s):
                await getter
        except TimeoutError:
            return
        except asyncio.CancelledError:
            if getter.done() and not getter.cancelled():
                self._wake_one()  # This wake was ours; another worker must not miss the key.
            raise

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

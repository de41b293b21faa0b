"""Events live for an hour after they were last written.

Owns      when an Event is deleted.
Leaves    writing and counting Events (client/recorder).
Invariant an Event that was written again in between stays; a quiet cluster costs one timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from busk8s.api.meta import parse_time
from busk8s.api.object import Object
from busk8s.api.scheme import EVENTS
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.best_effort import commit
from busk8s.master.store.base import Store, Write
from busk8s.master.store.watch import Event, WatchCache, object_key

TTL_S = 3_600.0  # Upstream's --event-ttl.
ROUND_MAX = 500  # Deleted in one transaction.
AGAIN_S = 5.0  # After the store refused, and at the most often.

log = Logger("busk8s.expiry")


class EventExpiry:
    """`run` deletes until cancelled."""

    def __init__(
        self, store: Store, cache: WatchCache, clock: Clock, *, ttl_s: float = TTL_S
    ) -> None:
        self._store, self._cache, self._clock, self._ttl_s = store, cache, clock, ttl_s
        self._awake = asyncio.Event()
        found = sorted(((_written(obj), obj) for obj in cache.list(EVENTS.key)), key=lambda f: f[0])
        # (when, namespace, name, revision), the first due first; superseded ones are passed over.
        self._due = deque((at + ttl_s, o.namespace, o.name, o.revision) for at, o in found)
        cache.on_events(self._observe)

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            obj = event.object
            if obj.resource.key == EVENTS.key and event.type != "DELETED":
                at = self._clock.now() + self._ttl_s
                self._due.append((at, obj.namespace, obj.name, obj.revision))
                self._awake.set()

    async def run(self) -> None:
        while True:
            if not self._due:
                self._awake.clear()
                await self._awake.wait()
            await self._clock.sleep(max(self._due[0][0] - self._clock.now(), AGAIN_S))
            await self.expire()

    async def expire(self) -> None:
        """Delete what is due now."""
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            batch: list[Write] = []
            while self._due and self._due[0][0] <= now and len(batch) < ROUND_MAX:
                _, namespace, name, revision = self._due.popleft()
                obj = self._cache.get(EVENTS.key, namespace, name)
                if obj is not None and obj.revision == revision:
                    key = object_key(EVENTS.key, namespace, name)
                    batch.append(Write(key, None, expect=revision, durable=False))
            await commit(self._store, batch, log, "old Events stay")


def _written(event: Object) -> float:
    """When it was last written, as far as it says."""
    data = event.data
    for text in (
        (data.get("series") or {}).get("lastObservedTime"),
        data.get("lastTimestamp"),
        data.get("eventTime"),
        data["metadata"].get("creationTimestamp"),
    ):
        if text:
            with suppress(ValueError):
                return parse_time(text)
    return 0.0

"""The watch cache: every object now, the recent past, and who waits for the future.

Owns      the parsed keys, one Object per version, the history ring, the watchers' queues.
Leaves    durability (drivers), selectors and encodings of lists (apiserver).
Invariant an Event reaches all watchers in revision order, after it is durable and before the
          write that made it is answered. Nothing is encoded per watcher.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from busk8s.api.object import Object, head_length, part, with_revision
from busk8s.api.scheme import Resource
from busk8s.clock import Clock
from busk8s.master.store.base import (
    HISTORY_AGE_MAX_S,
    HISTORY_CHANGES_MAX,
    Change,
    Compacted,
    Store,
)
from busk8s.master.store.fanout import Rounds

WATCH_QUEUE_MAX = 10_000  # Events a watcher may lag behind before it is closed with 410.
PARSED_MAX = 1_024  # Recently written objects whose parsed form is kept; others parse again.
SHARED_MAX = 512  # Texts of managedFields that are kept once; then the memory starts anew.
LINES_MAX = 1_024  # Recent events whose watch line is kept; who resumes far back encodes again.
HISTORY_BYTES_MAX = 64 * 1024 * 1024  # Bodies the ring may hold alive beyond the current ones.

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


class Overflow(Exception):
    """The watcher was too slow; it must list again."""


class Event:
    """One change of one object. For DELETED, `object` is its last state at the new revision."""

    __slots__ = ("_line", "at", "frame", "object", "previous", "revision", "type")

    def __init__(
        self, kind: EventType, obj: Object, previous: Object | None, revision: int, at: float
    ) -> None:
        self.type = kind
        self.object = obj
        self.previous = previous
        self.revision = revision
        self.at = at
        self._line: bytes | None = None
        self.frame: bytes | None = None  # The line in protobuf, once somebody has made it.

    @property
    def line(self) -> bytes:
        """The JSON watch line, encoded once for all watchers."""
        if self._line is None:
            self._line = b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.object.body)
        return self._line

    def forget_line(self) -> None:
        """Let go of the encoded lines: each is nearly as large as the object once more."""
        self._line = self.frame = None


def object_key(resource_key: str, namespace: str, name: str) -> str:
    """The store's key of an object; cluster-scoped ones have an empty namespace."""
    return f"{resource_key}/{namespace}/{name}"


class Watcher:
    """A bounded queue of events. One reader."""

    __slots__ = (
        "_closed", "_forget", "_queue", "_timer", "_waiter", "namespace", "overflowed",
    )  # fmt: skip

    def __init__(self, namespace: str | None, forget: Callable[[Watcher], None]) -> None:
        self.namespace = namespace
        self.overflowed = False
        self._queue: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._forget = forget
        self._closed = False

    def push(self, event: Event) -> None:
        """Queue `event`; whoever pushes wakes, too, when it is time (fanout)."""
        if len(self._queue) >= WATCH_QUEUE_MAX:
            self.overflowed = True
            self._queue.clear()
            self._forget(self)
            self.wake()
        else:
            self._queue.append(event)

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self, timeout_s: float | None = None) -> Sequence[Event]:
        """All events that wait, at least one. Raises Overflow; empty after close() or a timeout.

        Empty after a timeout means that nothing waits: the cache's revision is a bookmark then.
        """
        loop = asyncio.get_running_loop()
        end = None if timeout_s is None else loop.time() + timeout_s
        while not self._queue and not self.overflowed and not self._closed:
            if end is not None and loop.time() >= end:
                break
            if end is not None:
                self._alarm(loop, end)
            self._waiter = loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self.overflowed:
            raise Overflow
        batch = tuple(self._queue)
        self._queue.clear()
        return batch

    def _alarm(self, loop: asyncio.AbstractEventLoop, end: float) -> None:
        """Wake at `end`. One alarm outlives many waits: setting one anew each time costs more."""
        if self._timer is not None:
            if self._timer.when() <= end and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer = loop.call_at(end, self._rung)

    def _rung(self) -> None:
        self._timer = None
        self.wake()

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._forget(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.wake()


class _Shelf:
    """Everything of one resource: objects by key, their order, history, watchers."""

    __slots__ = ("history", "objects", "order", "received", "resource", "rounds", "watchers")

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.objects: dict[tuple[str, str], Object] = {}
        self.order: list[tuple[str, str]] = []
        self.history: deque[Event] = deque()
        self.watchers: dict[Watcher, None] = {}
        self.received = 0  # Changes since the start.
        self.rounds = Rounds(lambda: self.watchers)

    def put(self, key: tuple[str, str], obj: Object) -> Object | None:
        previous = self.objects.get(key)
        self.objects[key] = obj
        if previous is None:
            if not self.order or key > self.order[-1]:
                self.order.append(key)
            else:
                insort(self.order, key)
        return previous

    def drop(self, key: tuple[str, str]) -> Object:
        obj = self.objects.pop(key)
        del self.order[bisect_right(self.order, key) - 1]
        return obj


class _Shared:
    """Texts of managedFields, each once: pods that one controller makes within a second have the
    same, and a version has mostly that of the one before."""

    def __init__(self) -> None:
        self._texts: dict[bytes, bytes] = {}

    def once(self, text: bytes) -> bytes:
        if not text:
            return text
        found = self._texts.setdefault(text, text)
        if len(self._texts) > SHARED_MAX:
            self._texts.clear()
        return found


class WatchCache:
    """What the API server reads. `resource_of` maps a resource key to its Resource."""

    def __init__(self, store: Store, resource_of: Callable[[str], Resource], clock: Clock) -> None:
        self._store = store
        self._resource_of = resource_of
        self._clock = clock
        self._shelves: dict[str, _Shelf] = {}
        self._callbacks: list[Callable[[Sequence[Event]], None]] = []
        self._ring: deque[tuple[_Shelf, Event]] = deque()
        self._ring_bytes = 0
        self._parsed: deque[Object] = deque()
        self._managed = _Shared()
        self._recent: deque[Event] = deque()
        self.revision = 0
        self.overflowed: dict[str, int] = {}  # Watches that were too slow, by resource.
        self.oldest = 0  # Watches may resume from here on.

    async def open(self) -> None:
        """Load what the store holds, with its history, and follow it from now on."""
        base, changes = await self._store.history()
        for record in base:
            self._put(record.key, record.value, record.revision, None)
        first = changes[0].revision if changes else self._store.revision + 1
        self.revision = self.oldest = first - 1
        self.apply(changes)
        self.revision = self._store.revision
        self._store.listen(self.apply)

    def get(self, resource_key: str, namespace: str, name: str) -> Object | None:
        shelf = self._shelves.get(resource_key)
        return None if shelf is None else shelf.objects.get((namespace, name))

    def list(self, resource_key: str, namespace: str | None = None) -> Sequence[Object]:
        """All of a resource, or of one namespace, ordered by (namespace, name)."""
        shelf = self._shelves.get(resource_key)
        if shelf is None:
            return []
        order, objects = shelf.order, shelf.objects
        if namespace is not None:
            low = bisect_right(order, (namespace, ""))
            order = order[low : bisect_right(order, (namespace + "\0", ""))]
        return [objects[key] for key in order]

    def list_at(self, resource_key: str, namespace: str | None, revision: int) -> Sequence[Object]:
        """As `list`, but as it was at `revision`. Raises Compacted for what is forgotten."""
        if revision < self.oldest:
            raise Compacted(self.oldest + 1)
        shelf = self._shelves.get(resource_key)
        since = () if shelf is None else _after(shelf.history, revision)
        if not since:
            return self.list(resource_key, namespace)
        found = {(obj.namespace, obj.name): obj for obj in self.list(resource_key, namespace)}
        for event in reversed(since):
            key = event.object.namespace, event.object.name
            if namespace is None or namespace == key[0]:
                if event.previous is None:
                    del found[key]
                else:
                    found[key] = event.previous
        return [found[key] for key in sorted(found)]

    def count(self, resource_key: str) -> int:
        shelf = self._shelves.get(resource_key)
        return 0 if shelf is None else len(shelf.objects)

    def received(self, resource_key: str) -> int:
        """How many changes of a resource came since the start."""
        shelf = self._shelves.get(resource_key)
        return 0 if shelf is None else shelf.received

    def resources(self) -> Sequence[str]:
        """Keys of the resources that hold or held objects."""
        return sorted(self._shelves)

    def watch(
        self, resource_key: str, namespace: str | None = None, since: int | None = None
    ) -> Watcher:
        """Events above revision `since`, or from now on. Raises Compacted."""
        shelf = self._shelf(resource_key)
        watcher = Watcher(namespace, lambda gone: self._forget(shelf, gone))
        if since is not None and since < self.revision:
            if since < self.oldest:
                raise Compacted(self.oldest + 1)
            for event in _after(shelf.history, since):
                if namespace is None or event.object.namespace == namespace:
                    watcher.push(event)
        shelf.watchers[watcher] = None
        return watcher

    def _forget(self, shelf: _Shelf, gone: Watcher) -> None:
        if shelf.watchers.pop(gone, gone) is None and gone.overflowed:
            key = shelf.resource.key
            self.overflowed[key] = self.overflowed.get(key, 0) + 1

    def end_watches(self, resource_key: str) -> None:
        """End every watch of a resource, as when its definition changes; clients watch again."""
        shelf = self._shelves.get(resource_key)
        for watcher in tuple(shelf.watchers) if shelf is not None else ():
            watcher.close()

    def on_events(self, callback: Callable[[Sequence[Event]], None]) -> None:
        """Call back with the events of each committed group, in order, on the loop."""
        self._callbacks.append(callback)

    def apply(self, changes: Sequence[Change]) -> None:
        """Take in committed changes and wake who waits."""
        now = self._clock.now()
        events = []
        heard: dict[_Shelf, None] = {}
        for change in changes:
            shelf, event = self._event(change, now)
            shelf.history.append(event)
            shelf.received += 1
            self._ring.append((shelf, event))
            self._recent.append(event)
            self._ring_bytes += event.object.size_bytes
            self.revision = change.revision
            events.append(event)
            if shelf.watchers:
                heard[shelf] = None
                for watcher in tuple(shelf.watchers):
                    if watcher.namespace is None or watcher.namespace == event.object.namespace:
                        watcher.push(event)
        for shelf in heard:
            shelf.rounds.ring(len(shelf.watchers))
        self._trim(now)
        while len(self._recent) > LINES_MAX:
            self._recent.popleft().forget_line()
        for callback in self._callbacks:
            callback(events)
        for event in events:
            if event.previous is not None:
                event.previous.forget()  # History keeps bytes; old versions are rarely read.

    def _event(self, change: Change, now: float) -> tuple[_Shelf, Event]:
        if change.value is not None:
            shelf, obj, previous = self._put(change.key, change.value, change.revision, change.tag)
            kind: EventType = "ADDED" if previous is None else "MODIFIED"
            return shelf, Event(kind, obj, previous, change.revision, now)
        resource_key, namespace, name = change.key.split("/", 2)
        shelf = self._shelf(resource_key)
        previous = shelf.drop((namespace, name))
        last = at_revision(previous, change.revision)
        return shelf, Event("DELETED", last, previous, change.revision, now)

    def _put(
        self, key: str, value: bytes, revision: int, data: dict[str, object] | None
    ) -> tuple[_Shelf, Object, Object | None]:
        resource_key, namespace, name = key.split("/", 2)
        shelf = self._shelf(resource_key)
        resource = shelf.resource
        at = head_length(resource, value)
        rest, managed = part(value, at)
        body = with_revision(rest, revision, head_length=at)
        managed = self._managed.once(managed)
        if data is not None:
            data["metadata"]["resourceVersion"] = str(revision)  # type: ignore[index]  # Json
        obj = Object(
            resource, namespace, name, revision=revision, body=body, data=data, managed=managed
        )
        if data is not None:
            self._parsed.append(obj)
            if len(self._parsed) > PARSED_MAX:
                self._parsed.popleft().forget()
        return shelf, obj, shelf.put((namespace, name), obj)

    def _shelf(self, resource_key: str) -> _Shelf:
        shelf = self._shelves.get(resource_key)
        if shelf is None:
            shelf = self._shelves[resource_key] = _Shelf(self._resource_of(resource_key))
        return shelf

    def _trim(self, now: float) -> None:
        """Forget events beyond the limits of count, bytes and age."""
        too_old = now - HISTORY_AGE_MAX_S
        ring = self._ring
        while ring and (
            len(ring) > HISTORY_CHANGES_MAX
            or self._ring_bytes > HISTORY_BYTES_MAX
            or ring[0][1].at < too_old
        ):
            shelf, event = ring.popleft()
            shelf.history.popleft()
            self._ring_bytes -= event.object.size_bytes
            self.oldest = event.revision


def _after(history: deque[Event], since: int) -> Sequence[Event]:
    """The tail of `history` above revision `since`."""
    found: list[Event] = []
    for event in reversed(history):
        if event.revision <= since:
            break
        found.append(event)
    found.reverse()
    return found


def at_revision(last: Object, revision: int) -> Object:
    """`last` as a DELETED event shows it: same content, the resourceVersion of its going."""
    body, managed = last.lean, last.managed
    if not managed:
        body = last.body
    at = head_length(last.resource, body)
    old = b'"resourceVersion":"%d",' % last.revision
    body = with_revision(body[:at] + body[at + len(old) :], revision, head_length=at)
    return Object(
        last.resource, last.namespace, last.name, revision=revision, body=body, managed=managed
    )

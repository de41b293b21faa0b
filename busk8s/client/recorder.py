"""Events: what happened to an object, for people who run `kubectl describe`.

Owns      aggregation, counting and rate limits of Events (as client-go's correlator), writing them.
Leaves    what is worth an Event (callers), how long Events live (apiserver).
Invariant recording never waits and never fails its caller; beyond QUEUE_MAX the newest is dropped.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import EVENTS
from busk8s.client.interface import Client
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.ids import IdSource
from busk8s.log import Logger

QUEUE_MAX = 1_000  # Events that wait to be written.
KEYS_MAX = 4_096  # Objects and messages remembered, as client-go's LRU.
SIMILAR_MAX = 10  # From so many messages of one kind on they are written as one, until none comes
SIMILAR_WINDOW_S = 600.0  # for so long.
SPAM_BURST = 25  # Events at once about one object, then one each SPAM_REFILL_S.
SPAM_REFILL_S = 300.0
MESSAGE_MAX = 1_024
COMBINED = "(combined from similar events): "

EventType = Literal["Normal", "Warning"]

_log = Logger("busk8s.events")


@dataclass(frozen=True)
class Happening:
    about: Json  # involvedObject
    type: EventType
    reason: str
    message: str
    component: str = ""


@dataclass
class _Observed:
    """`name`: of its Event, "" before there is one; `count` goes on where none is written."""

    name: str
    count: int
    first: float


@dataclass
class _Similar:
    messages: dict[str, None] = field(default_factory=dict)
    last: float = 0.0


@dataclass
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True)
class NewEvent:
    """`count` above 1: it happened before, and was not written."""

    happening: Happening
    key: tuple[str, ...]
    count: int = 1
    first: float = 0.0


@dataclass(frozen=True)
class AgainEvent:
    """The Event `name` happened once more."""

    happening: Happening
    key: tuple[str, ...]
    name: str
    count: int
    first: float = 0.0


class Correlator:
    """Pure but for its memory: which Event a happening becomes, if any."""

    def __init__(self) -> None:
        self._observed: OrderedDict[tuple[str, ...], _Observed] = OrderedDict()
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, ...], _Bucket] = OrderedDict()

    def correlate(self, what: Happening, now: float) -> NewEvent | AgainEvent | None:
        """None: too many about this object lately."""
        what, key = self._aggregate(what, now)
        seen = self._observed.get(key)
        if seen is None:
            seen = self._observed[key] = _Observed("", 0, now)
            _trim(self._observed)
        seen.count += 1
        self._observed.move_to_end(key)
        if not self._allowed((what.component, *_subject(what.about)), now):
            return None
        if not seen.name:
            return NewEvent(what, key, seen.count, seen.first)
        return AgainEvent(what, key, seen.name, seen.count, seen.first)

    def written(self, key: tuple[str, ...], name: str) -> None:
        """The Event of `key` is there, as `name`."""
        if (seen := self._observed.get(key)) is not None:
            seen.name = name

    def _allowed(self, subject: tuple[str, ...], now: float) -> bool:
        bucket = self._buckets.get(subject)
        if bucket is None:
            bucket = self._buckets[subject] = _Bucket(SPAM_BURST, now)
            _trim(self._buckets)
        bucket.tokens = min(SPAM_BURST, bucket.tokens + (now - bucket.at) / SPAM_REFILL_S)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _aggregate(self, what: Happening, now: float) -> tuple[Happening, tuple[str, ...]]:
        """`what` under its own key, or as one of many that differ by their message alone."""
        group = (*_subject(what.about), what.type, what.reason, what.component)
        similar = self._similar.get(group)
        if similar is None or now - similar.last > SIMILAR_WINDOW_S:
            similar = self._similar[group] = _Similar()
            _trim(self._similar)
        similar.last = now
        similar.messages[what.message] = None
        if len(similar.messages) < SIMILAR_MAX:
            return what, (*group, str(what.about.get("fieldPath", "")), what.message)
        similar.messages.popitem()
        return replace(what, message=COMBINED + what.message), group


class Recorder:
    def __init__(
        self, client: Client, component: str, *, clock: Clock, ids: IdSource, host: str = ""
    ) -> None:
        self._client = client
        self._source = {"component": component} | ({"host": host} if host else {})
        self._component = component
        self._clock = clock
        self._ids = ids
        self._correlator = Correlator()
        self._queue: asyncio.Queue[tuple[Happening, float]] = asyncio.Queue(QUEUE_MAX)
        self._last_stamp = 0
        self.dropped_total = 0

    def event(
        self,
        about: Object | Json,
        type_: EventType,
        reason: str,
        message: str,
        *,
        component: str = "",
    ) -> None:
        """Note it; `about` is the object, or an ObjectReference to it."""
        reference = reference_to(about) if isinstance(about, Object) else about
        component = component or self._component
        what = Happening(reference, type_, reason, message[:MESSAGE_MAX], component)
        try:
            self._queue.put_nowait((what, self._clock.now()))
        except asyncio.QueueFull:
            self.dropped_total += 1

    async def run(self) -> None:
        while True:
            happening, noted = await self._queue.get()
            try:
                await self._write(happening, noted)
            except Error as error:
                # As upstream: an Event that the server refuses is lost, the cluster goes on.
                _log.debug("event not written", reason=happening.reason, why=error.message)

    async def _write(self, happening: Happening, noted: float) -> None:
        now = self._clock.now()
        match self._correlator.correlate(happening, now):
            case AgainEvent() as again:
                try:
                    await self._again(again, now)
                except Error as error:
                    if error.reason != "NotFound":
                        raise
                    new = NewEvent(again.happening, again.key, again.count, again.first)
                    await self._new(new, now, noted)
            case NewEvent() as new:
                await self._new(new, now, noted)
            case None:
                self.dropped_total += 1

    async def _again(self, again: AgainEvent, now: float) -> None:
        patch: Json = {
            "count": again.count,
            "lastTimestamp": format_time(now),
            "message": again.happening.message,
        }
        namespace = _namespace(again.happening.about)
        await self._client.patch(EVENTS, again.name, patch, namespace=namespace)

    def _stamp(self, noted: float) -> int:
        """Nanoseconds as upstream ends an Event's name with, so that lists by name are in order;
        below a millisecond by chance, that others who note something of the object do not collide.
        """
        chance = int(self._ids.uid()[:5], 16)
        self._last_stamp = max(int(noted * 1e9) & ~0xFFFFF | chance, self._last_stamp + 1)
        return self._last_stamp

    async def _new(self, new: NewEvent, now: float, noted: float) -> None:
        what = new.happening
        name = f"{what.about['name']}.{self._stamp(noted):x}"
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": _namespace(what.about)},
            "involvedObject": what.about,
            "reason": what.reason,
            "message": what.message,
            "type": what.type,
            "source": {**self._source, "component": what.component},
            "firstTimestamp": format_time(new.first),
            "lastTimestamp": format_time(now),
            "count": new.count,
            "eventTime": None,
            "reportingComponent": what.component,
            "reportingInstance": self._source.get("host", ""),
        }
        await self._client.create(EVENTS, event, namespace=_namespace(what.about))
        self._correlator.written(new.key, name)


def reference_to(obj: Object) -> Json:
    """The ObjectReference of this version of `obj`."""
    reference = {
        "kind": obj.resource.kind,
        "name": obj.name,
        "uid": obj.uid,
        "apiVersion": obj.resource.api_version,
        "resourceVersion": str(obj.revision),
    }
    if obj.namespace:
        reference["namespace"] = obj.namespace
    return reference


def _namespace(about: Json) -> str:
    return str(about.get("namespace") or "default")


def _subject(about: Json) -> tuple[str, ...]:
    names = ("kind", "namespace", "name", "uid", "apiVersion")
    return tuple(str(about.get(name, "")) for name in names)


def _trim(memory: OrderedDict[Any, Any]) -> None:
    while len(memory) > KEYS_MAX:
        memory.popitem(last=False)

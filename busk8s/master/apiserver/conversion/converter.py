"""Calls of conversion webhooks: which objects are sent, together, and what is kept of the answers.

Owns      batches, calls shared by all who wait for the same object, what was converted lately.
Leaves    what a review says (review), transport (reviews_sent), completing and pruning by schemas
          (reading), which version a request is about (versions).
Invariant an object's state is converted into a version once while it is kept, however many ask;
          a webhook that hangs, lies or fails costs its own kind alone, one call at a time for
          each object, and nobody is left waiting.
Differs from Kubernetes: what was converted answers every read for a minute; there a get always
asks the webhook, and lists and watches show what was converted for as long as nothing changes.
A list is asked for in reviews of many objects; there in one for each object.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from busk8s import errors
from busk8s.api.customkind import Family
from busk8s.api.object import Json, Object, encode, head_length, with_revision
from busk8s.api.scheme import Resource
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.master.apiserver.conversion import reading
from busk8s.master.apiserver.conversion.review import (
    VERSIONS,
    Asked,
    NotConverted,
    converted,
    request_of,
    subject,
)
from busk8s.master.apiserver.metrics.conversion import ConversionMetrics, Failure
from busk8s.master.apiserver.outgoing import Outgoing, Target, target_of
from busk8s.master.apiserver.reviews_sent import NoAnswer, parsed, post

CALL_S = 30.0  # What a webhook has for one review; upstream's number.
CALLS_AT_ONCE_MAX = 16  # To the webhook of one definition; the next one waits within its time.
BATCH_OBJECTS_MAX = 500  # Objects of one review.
BATCH_BYTES_MAX = 2 * 1024 * 1024  # The same in bytes, beyond the first object.
KEPT_BYTES_MAX = 32 * 1024 * 1024  # Converted objects kept; beyond it the oldest go.
# A kept conversion is not asked for again for this long: the webhook itself may have changed.
KEPT_S = 60.0

# Family, target version, namespace, name, revision.
_Key = tuple[Family, str, str, str, int]


@dataclass(frozen=True, slots=True)
class _Kept:
    source: Object
    made: Object
    at: float


@dataclass(slots=True)
class _Wanted:
    """An object on its way to the webhook and back; `key` None: of no interest to others."""

    obj: Object
    places: list[int]
    key: _Key | None = None
    landing: asyncio.Future[Object] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(slots=True)
class _Webhook:
    """Of one definition, as it stands."""

    target: Target
    version: str  # Of the reviews it is sent.
    calls: asyncio.Semaphore


class Conversions:
    """`outgoing` None: nobody can be called."""

    def __init__(self, outgoing: Outgoing | None, ids: IdSource, clock: Clock) -> None:
        self._outgoing, self._ids, self._clock = outgoing, ids, clock
        self.metrics = ConversionMetrics()
        self._webhooks: dict[Family, _Webhook] = {}
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._flights: dict[_Key, _Wanted] = {}

    def forget(self) -> None:
        """Definitions have changed."""
        self._webhooks.clear()
        self._kept.clear()
        self._bytes = 0

    async def object(self, resource: Resource, obj: Object) -> Object:
        return (await self.objects(resource, (obj,)))[0]

    async def objects(self, resource: Resource, objects: Sequence[Object]) -> list[Object]:
        """`objects`, as they lie in the store, as `resource` shows them."""
        made: list[Object | None] = [None] * len(objects)
        open_ = list(range(len(objects)))
        while open_:
            open_ = await self._round(resource, objects, made, open_)
        return [each for each in made if each is not None]

    async def document(self, source: Resource, target: Resource, data: Json) -> Json:
        """A document of `source` as one of `target`. Nothing of it is kept."""
        if source.version == target.version:
            return data
        if not data.get("metadata"):
            return {**data, "kind": target.kind, "apiVersion": target.api_version}
        family = _family(target)
        metadata = {k: v for k, v in data["metadata"].items() if k != "resourceVersion"}
        body = orjson.dumps({**data, "metadata": metadata})
        asked = Asked(body, metadata, source.api_version, source.kind)
        [found] = await self._call(family, target, [asked])
        reading.prune(target, found)
        return found

    async def _round(
        self,
        resource: Resource,
        objects: Sequence[Object],
        made: list[Object | None],
        open_: Sequence[int],
    ) -> list[int]:
        """Fill in what is at hand or can be had; answers what is left, because who had asked for
        it went away."""
        family, now = _family(resource), self._clock.monotonic()
        mine: dict[_Key, _Wanted] = {}
        alone: list[_Wanted] = []
        theirs: list[tuple[int, asyncio.Future[Object]]] = []
        for at in open_:
            obj = objects[at]
            if reading.lies_as(resource, obj):
                made[at] = reading.shown(resource, obj)
                continue
            key = (family, resource.version, obj.namespace, obj.name, obj.revision)
            kept, flight, same = self._kept.get(key), self._flights.get(key), mine.get(key)
            if kept and kept.source.body == obj.body and now - kept.at < KEPT_S:
                made[at] = kept.made
            elif same is not None and same.obj.body == obj.body:
                same.places.append(at)
            elif flight is not None and flight.obj.body == obj.body:
                theirs.append((at, flight.landing))
            elif flight is None and same is None:
                mine[key] = _Wanted(obj, [at], key)
            else:  # A dry run shows another state at the same revision: nobody shares that.
                alone.append(_Wanted(obj, [at]))
        for wanted in await self._fetch(resource, [*mine.values(), *alone]):
            for at in wanted.places:
                made[at] = wanted.landing.result()
        return [at for at, landing in theirs if not await _landed(landing, made, at)]

    async def _fetch(self, resource: Resource, wanted: Sequence[_Wanted]) -> Sequence[_Wanted]:
        """Convert what nobody else is converting, for all who come to wait for it meanwhile."""
        self._flights |= {each.key: each for each in wanted if each.key is not None}
        try:
            for batch in _batches(wanted):
                found = await self._convert(resource, [each.obj for each in batch])
                for each, shown in zip(batch, found, strict=True):
                    each.landing.set_result(shown)
                    if each.key is not None:
                        del self._flights[each.key]
                        self._keep(each.key, each.obj, shown)
        except errors.Error as error:
            for each in wanted:
                if not each.landing.done():
                    each.landing.set_exception(error)
                    each.landing.exception()  # Perhaps nobody waits for it.
            raise
        finally:
            for each in wanted:
                each.landing.cancel()  # Who waits for one of these asks anew.
                if each.key is not None and self._flights.get(each.key) is each:
                    del self._flights[each.key]
        return wanted

    async def _convert(self, resource: Resource, objects: Sequence[Object]) -> list[Object]:
        """One batch."""
        asked = []
        for obj in objects:
            source = reading.source_of(resource, obj)
            whole = reading.shown(source, obj)
            metadata = whole.glance()["metadata"]
            asked.append(Asked(whole.body, metadata, source.api_version, source.kind))
        found = await self._call(_family(resource), resource, asked)
        made = []
        for obj, data in zip(objects, found, strict=True):
            reading.prune(resource, data)
            made.append(_as_object(resource, obj, data))
        return made

    async def _call(self, family: Family, target: Resource, asked: Sequence[Asked]) -> list[Json]:
        """One review. Raises errors.Error, upstream's: without a reason of its own."""
        began = self._clock.monotonic()
        failure: Failure = "conversion_webhook_call_failure"
        try:
            webhook = self._webhook(family)
            uid = self._ids.uid()
            review = request_of(webhook.version, uid, target.api_version, asked)
            answer = await self._asked(webhook, review)
            made = converted(parsed(answer), webhook.version, uid, asked, target)
            failure = ""
            return made
        except NoAnswer as error:
            said = f"conversion webhook for {subject(asked, target)} failed: {error}"
        except NotConverted as error:
            failure = "conversion_webhook_invalid_converted_object_failure"
            said = f"conversion webhook for {subject(asked, target)}{error}"
        finally:
            took = self._clock.monotonic() - began
            self.metrics.called(target, asked[0].api_version, took, failure)
        raise errors.Error(500, "", said)

    async def _asked(self, webhook: _Webhook, review: bytes) -> bytes:
        if self._outgoing is None:
            raise NoAnswer("this server makes no calls")
        begin = self._clock.monotonic()
        try:
            async with asyncio.timeout(CALL_S):
                await webhook.calls.acquire()
        except TimeoutError:
            url = webhook.target.url(f"timeout={CALL_S:.0f}s")
            raise NoAnswer(f'Post "{url}": context deadline exceeded') from None
        try:
            left = max(CALL_S - (self._clock.monotonic() - begin), 0.001)
            return await post(self._outgoing, webhook.target, review, left)
        finally:
            webhook.calls.release()

    def _webhook(self, family: Family) -> _Webhook:
        found = self._webhooks.get(family)
        if found is None:
            assert family.webhook is not None
            offered = family.webhook.get("conversionReviewVersions") or ()
            version = next((each for each in offered if each in VERSIONS), None)
            if version is None:
                raise errors.Error(500, "", "no supported conversion review versions")
            target = target_of(family.webhook.get("clientConfig") or {})
            calls = asyncio.Semaphore(CALLS_AT_ONCE_MAX)
            found = self._webhooks[family] = _Webhook(target, version, calls)
        return found

    def _keep(self, key: _Key, source: Object, made: Object) -> None:
        self._drop(key)
        self._kept[key] = _Kept(source, made, self._clock.monotonic())
        self._bytes += len(made.body)
        while self._bytes > KEPT_BYTES_MAX:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._bytes -= len(dropped.made.body)


async def _landed(flight: asyncio.Future[Object], made: list[Object | None], at: int) -> bool:
    """Whether somebody else's call brought the object; raises what it raised."""
    await asyncio.wait((flight,))
    if flight.cancelled():
        return False
    made[at] = flight.result()
    return True


def _batches(wanted: Sequence[_Wanted]) -> Iterator[list[_Wanted]]:
    batch: list[_Wanted] = []
    size = 0
    for each in wanted:
        length = len(each.obj.body)
        if batch and (len(batch) >= BATCH_OBJECTS_MAX or size + length > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += length
    if batch:
        yield batch


def _family(resource: Resource) -> Family:
    assert resource.custom is not None
    return resource.custom.family


def _as_object(resource: Resource, obj: Object, data: Json) -> Object:
    body = encode(data)
    if "resourceVersion" in data["metadata"]:
        body = with_revision(body, obj.revision, head_length=head_length(resource, body))
    return Object(resource, obj.namespace, obj.name, revision=obj.revision, body=body)

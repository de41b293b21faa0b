"""Watch: a stream of JSON lines, one a change.

Owns      where a watch begins, its synthetic first events, bookmarks, its end; what a selector
          makes of a change (an object that enters is ADDED, one that leaves is DELETED).
Leaves    the queue and its bound (store/watch), shapes (render), transport.
Invariant lines come in revision order; after a bookmark nothing at or below its revision comes.
          An event is encoded once for all watchers of the plain shape.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing

import orjson

from busk8s import errors
from busk8s.api import protobuf
from busk8s.api.object import Json, Object
from busk8s.api.request import JSON, Response
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.attributes import Unstored
from busk8s.master.apiserver.batches import packed
from busk8s.master.apiserver.conversion.converter import BATCH_OBJECTS_MAX
from busk8s.master.apiserver.list_options import check_watch_options
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.read import revision_of
from busk8s.master.apiserver.render import partial, table
from busk8s.master.apiserver.selection import Selection, selection_of
from busk8s.master.apiserver.versions import as_stored, lies_ready, to_served
from busk8s.master.store.base import Compacted
from busk8s.master.store.watch import Event, Overflow, Watcher, at_revision

BOOKMARK_EVERY_S = 60.0  # How often an idle watcher that allows bookmarks gets one.
TIMEOUT_S_DEFAULT = 3_600.0  # A watch ends after this long; clients watch again from where it was.
TIMEOUT_S_MAX = 86_400.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


async def watch(parts: Parts, call: Call) -> Response:
    """GET with watch=1: checks everything, then answers with the stream."""
    request = call.request
    selection = selection_of(request, call.resource, call.name)
    initial = _sends_initial(call)
    revision = revision_of(request)  # One of the future waits until the store is there.
    timeout = rest.integer(request, "timeoutSeconds")
    bookmarks = rest.flag(request, "allowWatchBookmarks")
    watch = _Watch(parts, call, selection, bookmarks=bookmarks, initial_end=initial is True)
    fresh = initial or (initial is None and revision == 0)
    since = revision or parts.cache.revision
    limit = min(float(timeout or TIMEOUT_S_DEFAULT), TIMEOUT_S_MAX)
    media = protobuf.WATCH_CONTENT_TYPE if watch.messages else JSON
    stream = watch.run(None if fresh else since, limit)
    if parts.unstored is not None and parts.unstored.holds(call.stored.key):
        stream = _written(parts.unstored, call.namespace, stream)
    if request.upgrade and request.headers.get("upgrade", "").lower() == "websocket":
        from busk8s.master.apiserver.streaming.watch_socket import over_websocket

        return over_websocket(request, stream, messages=watch.messages)
    return Response(200, b"", media, stream=stream)


async def _written(
    unstored: Unstored, namespace: str, stream: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """`stream`, while what only memory knows is written where it sees it."""
    async with aclosing(stream), unstored.watched(namespace):
        async for chunk in stream:
            yield chunk


def _sends_initial(call: Call) -> bool | None:
    """sendInitialEvents: asked for, refused, or (None) by the old rule of resourceVersion."""
    request = call.request
    check_watch_options(request)
    if "sendInitialEvents" not in request.query:
        return None
    return rest.flag(request, "sendInitialEvents")


def _wrapped(kind: str, body: Json, *, messages: bool) -> bytes:
    """An event about no stored object."""
    if messages:
        return protobuf.watch_frame(kind, protobuf.encode(body))
    return orjson.dumps({"type": kind, "object": body}) + b"\n"


class _Watch:
    """One watch: how its changes look, and how long it runs."""

    def __init__(
        self,
        parts: Parts,
        call: Call,
        selection: Selection,
        *,
        bookmarks: bool,
        initial_end: bool,
    ) -> None:
        self._parts = parts
        self._call = call
        self._selection = selection
        self._bookmarks = bookmarks
        self._initial_end = initial_end
        self.messages = call.accept.media == protobuf.CONTENT_TYPE
        self._plain = call.accept.shape == "object" and as_stored(call)
        # Of a definition that has changed, the objects written since are plain.
        self._may_be_plain = call.accept.shape == "object" and call.resource is call.stored
        self._waits = call.converts and not as_stored(call)
        self._converted: dict[Object, Object] = {}  # Of the events in hand, by a webhook.
        self._columns_sent = False
        self._future = 0  # What the client has seen already, of a store that is not there yet.
        self._told = parts.metrics.told(call.resource)

    async def run(self, since: int | None, limit_s: float) -> AsyncGenerator[bytes, None]:
        """The stream; `since` None: begin with what is there. Nothing is held before it starts."""
        call, cache = self._call, self._parts.cache
        scope = call.namespace or (None if call.resource.namespaced else "")
        begin = cache.list(call.stored.key, scope) if since is None else ()
        revision = cache.revision
        self._future = since if since is not None and since > revision else 0
        try:
            watcher = cache.watch(call.stored.key, scope, since)
        except Compacted as gone:
            yield self._error(errors.expired(f"too old resource version: {since} ({gone.oldest})"))
            return
        try:
            for some in self._parts_of(begin):
                if self._waits:
                    await self._convert(some)
                for chunk in packed(map(self._counted, map(self._first, some))):
                    yield chunk
                    await asyncio.sleep(0)  # A long beginning is made between the work of others.
            if self._initial_end and self._bookmarks:
                yield self._bookmark(revision, initial_end=True)
            async for chunk in self._live(watcher, limit_s):
                yield chunk
        except errors.Error as error:  # A webhook's: the client begins anew.
            yield self._error(error)
        except Overflow:
            yield self._error(
                errors.expired("too slow: the watch fell behind; list and watch again")
            )
        finally:
            watcher.close()

    async def _live(self, watcher: Watcher, limit_s: float) -> AsyncIterator[bytes]:
        """What happens from now on, and bookmarks while nothing does and at the end."""
        clock = self._parts.clock
        now = clock.monotonic()
        end, due = now + limit_s, now + BOOKMARK_EVERY_S
        while (now := clock.monotonic()) < end:
            events = self._unseen(await watcher.next(max(min(end, due) - now, 0.0)))
            if self._waits:
                await self._convert_all(events)
            for chunk in self._chunks(events):
                yield chunk
            if watcher.closed:
                return
            if self._bookmarks and (not events or clock.monotonic() >= due):
                # With events at hand more may have come since: the last of them is sure.
                yield self._bookmark(events[-1].revision if events else self._parts.cache.revision)
            if not events or clock.monotonic() >= due:
                due = clock.monotonic() + BOOKMARK_EVERY_S

    def _parts_of(self, objects: Sequence[Object]) -> Iterable[Sequence[Object]]:
        """All at once, or as many as a webhook is asked to convert together."""
        size = BATCH_OBJECTS_MAX if self._waits else len(objects) or 1
        return (objects[at : at + size] for at in range(0, len(objects), size))

    async def _convert_all(self, events: Sequence[Event]) -> None:
        """Have at hand what `_shown` is asked for; what went is as it was, at its end."""
        wanted: dict[Object, None] = {}
        for event in events:
            if event.type != "DELETED":
                wanted[event.object] = None
            if event.previous is not None and not (
                self._selection.everything and event.type != "DELETED"
            ):
                wanted[event.previous] = None
        await self._convert(list(wanted))
        for event in events:
            if event.type == "DELETED" and event.previous is not None:
                last = self._converted[event.previous]
                self._converted[event.object] = at_revision(last, event.revision)

    async def _convert(self, objects: Sequence[Object]) -> None:
        call = self._call
        made = await self._parts.conversions.objects(call.resource, objects)
        self._converted = dict(zip(objects, made, strict=True))

    def _shown(self, obj: Object) -> Object:
        return self._converted[obj] if self._waits else to_served(self._call.resource, obj)

    def _unseen(self, events: Sequence[Event]) -> Sequence[Event]:
        if not self._future:
            return events
        unseen = [event for event in events if event.revision > self._future]
        if unseen:
            self._future = 0
        return unseen

    def _chunks(self, events: Sequence[Event]) -> Iterable[bytes]:
        """What this watch shows of `events`."""
        lines = map(self._line, events)
        plain = self._plain or (self._may_be_plain and all(map(self._is_plain, events)))
        if plain and self._selection.everything and events:
            if len(events) == 1:
                line = next(lines)
                self._told.one(len(line))
                return (line,)
            batch = self._parts.batches.of(events, self.messages, lines)
            self._told.batch(batch.measured)
            return batch.chunks
        return packed(map(self._counted, lines))

    def _is_plain(self, event: Event) -> bool:
        if self._plain or not self._may_be_plain:
            return self._plain
        return lies_ready(self._call.resource, event)

    def _counted(self, line: bytes) -> bytes:
        if line:
            self._told.one(len(line))
        return line

    def _first(self, obj: Object) -> bytes:
        seen = self._shown(obj)
        if not self._selection.everything and not self._selection.chooses(seen):
            return b""
        return self._event(b"ADDED", seen)

    def _line(self, event: Event) -> bytes:
        """The line of `event` for this watch; empty when it does not concern it."""
        selection = self._selection
        if selection.everything:
            if self._is_plain(event):
                return self._plain_line(event)
            return self._event(event.type.encode(), self._now(event))
        now = self._now(event)
        matches = selection.chooses(now)
        before = event.previous and self._shown(event.previous)
        matched = before is not None and selection.chooses(before)
        if event.type == "DELETED":
            return self._event(b"DELETED", now) if matched else b""
        if matches and matched == (event.type == "MODIFIED") and self._is_plain(event):
            return self._plain_line(event)
        if matches:
            return self._event(b"MODIFIED" if matched else b"ADDED", now)
        if before is None or not matched:
            return b""
        return self._event(b"DELETED", at_revision(before, event.revision))  # As it was chosen.

    def _now(self, event: Event) -> Object:
        """The object of a change as it is shown. What went is judged by its age, not by the
        revision of its going."""
        last = event.previous
        custom = self._call.resource.custom is not None and not self._waits
        if custom and event.type == "DELETED" and last is not None:
            return at_revision(self._shown(last), event.revision)
        return self._shown(event.object)

    def _plain_line(self, event: Event) -> bytes:
        """The whole event, encoded once for all watchers of its form."""
        if not self.messages:
            return event.line
        if event.frame is None:
            body = self._parts.messages.body_of(event.object, "object", keep=False)
            event.frame = protobuf.watch_frame(event.type, body)
        return event.frame

    def _event(self, kind: bytes, obj: Object) -> bytes:
        if self.messages:
            body = self._parts.messages.body_of(obj, self._call.accept.shape)
            return protobuf.watch_frame(kind.decode(), body)
        return b'{"type":"%b","object":%b}\n' % (kind, self._body(obj))

    def _body(self, obj: Object) -> bytes:
        shape = self._call.accept.shape
        if shape == "object":
            return obj.body
        if shape == "partial":
            return partial(obj)
        data = table(self._call.request, self._call.resource, [obj], self._parts.clock.now())
        if self._columns_sent:  # Only the first event of a watch describes the columns.
            data["columnDefinitions"] = None
        self._columns_sent = True
        return orjson.dumps(data)

    def _bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        resource, shape = self._call.resource, self._call.accept.shape
        metadata: Json = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        kind, version = resource.kind, resource.api_version
        body: Json = {"kind": kind, "apiVersion": version, "metadata": metadata}
        if shape == "partial":
            body["kind"], body["apiVersion"] = "PartialObjectMetadata", "meta.k8s.io/v1"
        elif shape == "table":
            body = {
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": str(revision)},
                "columnDefinitions": None,
                "rows": [{"cells": [], "object": body}],
            }
        return _wrapped("BOOKMARK", body, messages=self.messages)

    def _error(self, error: errors.Error) -> bytes:
        """The ERROR event that ends a watch."""
        return _wrapped("ERROR", error.to_status(), messages=self.messages)

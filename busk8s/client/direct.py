"""The client inside the API server's own process: requests are calls, watches share its objects.

Owns      turning the watch cache's events into changes, without encoding or parsing anything.
Leaves    the verbs (rest), authorisation and storage (the dispatch it is given).
Invariant what a watch yields are the very Objects the watch cache holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from busk8s.api.object import Object
from busk8s.api.request import Request, Response, User
from busk8s.api.scheme import Resource
from busk8s.client.interface import Change, Gone, Put, Reset
from busk8s.client.rest import RestClient
from busk8s.errors import Error

Dispatch = Callable[[Request], Awaitable[Response]]
Views = Callable[[str], AsyncIterator[Sequence[Change]]]


class SourceEvent(Protocol):
    @property
    def type(self) -> str: ...
    @property
    def object(self) -> Object: ...


class SourceWatcher(Protocol):
    @property
    def closed(self) -> bool: ...
    async def next(self) -> Sequence[SourceEvent]: ...
    def close(self) -> None: ...


class Source(Protocol):
    """What is needed of the API server's watch cache."""

    @property
    def revision(self) -> int: ...
    def list(self, resource_key: str, namespace: str | None = None) -> Sequence[Object]: ...
    def watch(
        self, resource_key: str, namespace: str | None = None, since: int | None = None
    ) -> SourceWatcher: ...


class DirectClient(RestClient):
    """`lost` are the exceptions by which a watcher says that it was too slow."""

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        user: User,
        source: Source | None = None,
        lost: tuple[type[Exception], ...] = (),
        views: Views | None = None,
        field_manager: str = "busk8s",
    ) -> None:
        super().__init__(user, manager=field_manager)
        self._dispatch = dispatch
        self._source = source
        self._lost = lost
        self._views = views

    async def _send(self, request: Request) -> Response:
        return await self._dispatch(request)

    async def watch(self, resource: Resource) -> AsyncIterator[Sequence[Change]]:
        if self._source is None:
            async for batch in super().watch(resource):
                yield batch
            return
        while True:
            # No await between list and watch: nothing can be committed in between.
            watcher = self._source.watch(resource.key)
            objects = tuple(self._source.list(resource.key))
            revision = self._source.revision
            try:
                yield [Reset(objects, revision)]
                while True:
                    events = await watcher.next()
                    if events:
                        yield [_change(event) for event in events]
                    if watcher.closed:  # A definition changed: closed, it would answer for ever.
                        break
            except self._lost:
                pass  # Too slow: start again from the whole state.
            finally:
                watcher.close()
            await asyncio.sleep(0)

    def watch_view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        if self._views is None:
            raise Error(501, "NotImplemented", f"no views in this process: {topic}")
        return self._views(topic)


def _change(event: SourceEvent) -> Change:
    return Gone(event.object) if event.type == "DELETED" else Put(event.object)

"""Caches kept true by the client's watches, shared by everybody in the process.

Owns      one watch and one cache a kind, and telling listeners what changed.
Leaves    resuming, gaps and lost connections (the client), what a change means (listeners).
Invariant a listener hears of a change after the cache shows it; our own writes count as changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

from busk8s.api.object import Object
from busk8s.api.scheme import Resource
from busk8s.client.cache import Cache, Delta, metadata_only
from busk8s.client.interface import Change, Client
from busk8s.tasks import supervise

Listener = Callable[[Object | None, Object | None], None]
Keep = Callable[[Object], Object]


async def reflect(
    changes: AsyncIterator[Sequence[Change]],
    cache: Cache,
    tell: Callable[[Sequence[Delta]], None],
) -> None:
    """Apply `changes` to `cache` for ever; `tell` hears what each batch changed."""
    async for batch in changes:
        deltas: list[Delta] = []
        for change in batch:
            deltas += cache.apply(change)
        tell(deltas)


class SharedCaches:
    """The caches of a process. Ask for all of them first, then `run`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._caches: dict[str, Cache] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._synced: dict[str, asyncio.Event] = {}

    def need(
        self,
        resource: Resource,
        indexes: Iterable[str] = (),
        *,
        whole: bool = True,
        keep: Keep | None = None,
    ) -> Cache:
        """The cache of `resource` with at least `indexes`.

        Objects are whole if anyone needs them so, else what `keep` leaves of them: metadata.
        """
        cache = self._caches.get(resource.key)
        if cache is None:
            reduce = None if whole else (keep or metadata_only)
            cache = self._caches[resource.key] = Cache(resource, indexes, keep=reduce)
            self._listeners[resource.key] = []
            self._synced[resource.key] = asyncio.Event()
            return cache
        if whole:
            cache.keep(None)
        elif keep is not None and cache.keeps_less:
            cache.keep(keep)
        for name in indexes:
            cache.add_index(name)
        return cache

    def of(self, resource: Resource) -> Cache:
        return self._caches[resource.key]

    def find(self, resource_key: str) -> Cache | None:
        return self._caches.get(resource_key)

    def __iter__(self) -> Iterator[Cache]:
        return iter(self._caches.values())

    def listen(self, resource: Resource, listener: Listener) -> None:
        self._listeners[resource.key].append(listener)

    def assume(self, obj: Object) -> None:
        """An answer to a write of ours: readers see it now, listeners are told now."""
        cache = self._caches.get(obj.resource.key)
        if cache is not None:
            self._tell(obj.resource.key, cache.assume(obj))

    def assume_deleted(self, obj: Object) -> None:
        cache = self._caches.get(obj.resource.key)
        if cache is not None:
            cache.assume_deleted(obj)

    async def synced(self, resources: Iterable[Resource]) -> None:
        """Until each of `resources` has been listed once."""
        for resource in resources:
            await self._synced[resource.key].wait()

    async def run(self) -> None:
        await supervise(*[self._reflect(cache) for cache in self._caches.values()])

    async def follow(
        self, resource: Resource, indexes: Iterable[str], keep: Keep, adopt: Callable[[Cache], None]
    ) -> None:
        """Keep a cache of a kind that came later, until cancelled; `adopt` is given it first."""
        cache = self._caches[resource.key] = Cache(resource, indexes, keep=keep)
        self._listeners[resource.key] = []
        self._synced[resource.key] = asyncio.Event()
        adopt(cache)
        try:
            await self._reflect(cache)
        finally:
            for known in (self._caches, self._listeners, self._synced):
                known.pop(resource.key, None)

    async def _reflect(self, cache: Cache) -> None:
        key = cache.resource.key

        def tell(deltas: Sequence[Delta]) -> None:
            self._tell(key, deltas)
            if cache.synced:
                self._synced[key].set()

        await reflect(self._client.watch(cache.resource), cache, tell)

    def _tell(self, key: str, deltas: Sequence[Delta]) -> None:
        for listener in self._listeners[key]:
            for old, new in deltas:
                listener(old, new)

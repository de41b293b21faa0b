"""Kinds that come and go while the controllers run: the garbage collector follows them, too.

Owns      which custom kinds are followed, and beginning and ending that with their definitions.
Leaves    what is collected (garbage), serving them (apiserver).
Invariant objects of a followed kind name the resource by which they can be written.
"""

from __future__ import annotations

import asyncio

from busk8s.api.definitions import in_force, resources_of, written_as
from busk8s.api.object import Object
from busk8s.api.scheme import CUSTOMRESOURCEDEFINITIONS, Resource
from busk8s.client.cache import OWNERS, Cache, metadata_only
from busk8s.client.reflector import SharedCaches
from busk8s.log import Logger
from busk8s.master.controllers.garbage import GarbageCollector
from busk8s.master.controllers.loop import Loop
from busk8s.tasks import Nursery

_log = Logger("busk8s.controllers")


class CustomKinds:
    def __init__(self, caches: SharedCaches, garbage: GarbageCollector) -> None:
        self._caches, self._garbage = caches, garbage
        self._definitions = caches.need(CUSTOMRESOURCEDEFINITIONS)
        self._changed = asyncio.Event()
        self._followed: dict[str, tuple[Resource, asyncio.Task[None]]] = {}

    async def run(self, loop: Loop) -> None:
        """Until cancelled."""
        self._caches.listen(CUSTOMRESOURCEDEFINITIONS, lambda old, new: self._changed.set())
        async with Nursery(on_error=_report) as nursery:
            while True:
                self._settle(loop, nursery)
                await self._changed.wait()
                self._changed.clear()

    def _settle(self, loop: Loop, nursery: Nursery) -> None:
        wanted: dict[str, Resource] = {}
        for definition in self._definitions:
            data = in_force(definition)
            if data is not None:
                resources = resources_of(definition, data)
                if resources:
                    resource = written_as(resources)
                    wanted[resource.key] = resource
        for key in [key for key in self._followed if wanted.get(key) != self._followed[key][0]]:
            resource, task = self._followed.pop(key)
            task.cancel()
            self._garbage.release(resource)
        for key, resource in wanted.items():
            if key not in self._followed:
                task = nursery.spawn(self._follow(resource, loop), name=f"follow {key}")
                self._followed[key] = (resource, task)

    async def _follow(self, resource: Resource, loop: Loop) -> None:
        def keep(obj: Object) -> Object:
            body, data = obj.body, None if obj.body else obj.data
            named = Object(
                resource, obj.namespace, obj.name, revision=obj.revision, body=body, data=data
            )
            return metadata_only(named)

        def adopt(cache: Cache) -> None:
            self._garbage.adopt(cache)
            loop.wake_by(self._garbage.name, resource, self._garbage.woken)

        await self._caches.follow(resource, (OWNERS,), keep, adopt)


def _report(name: str, error: BaseException) -> None:
    _log.error("a kind is not followed any more", task=name, error=error)

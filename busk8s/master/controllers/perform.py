"""Carry out a plan's actions through the client, and let the caches know of each write.

Owns      order and concurrency of the actions of one plan, slow start, retry of unclear creates.
Leaves    when to try the whole again (loop), what to do (plans).
Invariant at most CONCURRENT_MAX requests of one plan are under way; a create whose answer was lost
          is asked again under the same name, never under another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

from busk8s.api.meta import GENERATE_BASE_LENGTH_MAX
from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource
from busk8s.client.interface import Client
from busk8s.client.recorder import EventType, Recorder
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.ids import IdSource
from busk8s.master.controllers.actions import (
    Action,
    Call,
    Create,
    Delete,
    Emit,
    Patch,
    Told,
    Update,
)

CONCURRENT_MAX = 128  # Enough to fill the apiserver's group commits.
SLOW_START_FIRST = 1  # As Kubernetes: 1, 2, 4, …: a full quota is hit once, not 500 times.
UNCLEAR_TRIES = 3


class Performer:
    def __init__(
        self,
        client: Client,
        caches: SharedCaches,
        recorder: Recorder,
        ids: IdSource,
        component: str = "",
    ) -> None:
        self._client = client
        self._caches = caches
        self._recorder = recorder
        self._ids = ids
        self._component = component

    def named(self, component: str) -> Performer:
        """The same, but Events are from `component`."""
        return Performer(self._client, self._caches, self._recorder, self._ids, component)

    async def perform(self, actions: Sequence[Action]) -> None:
        """All of `actions`, runs of creates or deletes at once; stops at the first error."""
        for kind, run in groupby(actions, key=type):
            alike = list(run)
            if kind is Create:
                await self._slow_start(alike)
            elif kind is Delete:
                await self._at_once(alike)
            else:
                for action in alike:
                    await self._do(action)

    async def _slow_start(self, actions: Sequence[Action]) -> None:
        size, start = SLOW_START_FIRST, 0
        while start < len(actions) and size < CONCURRENT_MAX:
            await self._at_once(actions[start : start + size])
            start += size
            size *= 2
        await self._at_once(actions[start:])

    async def _at_once(self, actions: Sequence[Action]) -> None:
        """All of them, CONCURRENT_MAX under way at a time; the first error when all are done."""
        if len(actions) == 1:
            return await self._do(actions[0])
        slots = asyncio.Semaphore(CONCURRENT_MAX)

        async def one(action: Action) -> None:
            async with slots:
                await self._do(action)

        results = await asyncio.gather(*map(one, actions), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _do(self, action: Action) -> None:
        match action:
            case Emit(about=about, type=type_, reason=reason, message=message):
                self._emit(about, type_, reason, message)
            case Create():
                data = self._named(action.data)
                await self._told(action.told, data, lambda: self._create(action.resource, data))
            case Update():
                await self._told(action.told, action.data, lambda: self._update(action))
            case Patch(object=obj):
                await self._told(action.told, obj.data, lambda: self._patch(action))
            case Delete(object=obj):
                await self._told(action.told, obj.data, lambda: self._delete(action))
            case Call():
                await action.run(self._client)

    def _emit(self, about: Object, type_: EventType, reason: str, message: str) -> None:
        self._recorder.event(about, type_, reason, message, component=self._component)

    async def _told(
        self, told: Told | None, data: Json, attempt: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            await attempt()
        except Error as error:
            if told is not None and told.failure is not None and not is_benign(error):
                reason, text = told.failure
                message = text.format(name=data["metadata"].get("name", ""), error=error)
                self._emit(told.about, "Warning", reason, message)
            raise
        if told is not None and told.success is not None:
            reason, text = told.success
            message = text.format(name=data["metadata"].get("name", ""))
            self._emit(told.about, "Normal", reason, message)

    def _named(self, data: Json) -> Json:
        """`data` under a name chosen here, so that a second try cannot make a second object."""
        metadata = data["metadata"]
        if metadata.get("name"):
            return data
        name = metadata["generateName"][:GENERATE_BASE_LENGTH_MAX] + self._ids.suffix()
        return {**data, "metadata": {**metadata, "name": name}}

    async def _create(self, resource: Resource, data: Json) -> None:
        namespace = data["metadata"].get("namespace", "")
        for attempt in range(UNCLEAR_TRIES):
            try:
                made = await self._client.create(resource, data, namespace=namespace)
                break
            except Error as error:
                if attempt and error.reason == "AlreadyExists":
                    made = await self._ours(resource, data, error)
                    break
                if not is_unclear(error) or attempt == UNCLEAR_TRIES - 1:
                    raise
        self._caches.assume(made)

    async def _ours(self, resource: Resource, data: Json, error: Error) -> Object:
        """The object that an earlier, unclear try made; `error` if it is another's."""
        metadata = data["metadata"]
        found = await self._client.get(
            resource, metadata["name"], namespace=metadata.get("namespace", "")
        )
        if found.metadata.get("ownerReferences") != metadata.get("ownerReferences"):
            raise error
        return found

    async def _update(self, action: Update) -> None:
        self._caches.assume(
            await self._client.update(action.resource, action.data, subresource=action.subresource)
        )

    async def _patch(self, action: Patch) -> None:
        obj = action.object
        self._caches.assume(
            await self._client.patch(
                obj.resource,
                obj.name,
                action.patch,
                namespace=obj.namespace,
                kind=action.kind,
                subresource=action.subresource,
            )
        )

    async def _delete(self, action: Delete) -> None:
        obj = action.object
        try:
            await self._client.delete(
                obj.resource,
                obj.name,
                namespace=obj.namespace,
                uid=obj.uid,
                grace_period_s=action.grace_period_s,
                propagation=action.propagation,
            )
        except Error as error:
            if error.reason != "NotFound" and not is_other_uid(error):
                raise
        self._caches.assume_deleted(obj)


def is_unclear(error: Error) -> bool:
    """Whether the request may have been carried out although the answer is an error."""
    return error.code >= 500


def is_other_uid(error: Error) -> bool:
    """A delete's precondition failed: the object we meant is gone already."""
    return error.reason == "Conflict" and "Precondition" in error.message


def is_benign(error: Error) -> bool:
    """A lost race, a busy server, a namespace on its way out: nobody needs to hear of it."""
    if error.reason in ("Conflict", "NotFound", "AlreadyExists", "TooManyRequests"):
        return True
    return any(cause.reason == "NamespaceTerminating" for cause in error.causes)

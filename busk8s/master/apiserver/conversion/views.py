"""What a call sees of the objects it is about, whoever converts them.

Owns      the choice: bytes as they are, a conversion of ours, or a webhook's; documents that a pure
          function wants in another version, got for it between two tries.
Leaves    conversions of ours (versions), webhooks (converter).
Invariant what no webhook converts is answered without waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.conversion import reading
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.versions import served_data, to_served, to_stored

DOCUMENTS_MAX = 64  # Converted for one write, for managers of fields in other versions.

T = TypeVar("T")


async def served(parts: Parts, call: Call, obj: Object) -> Object:
    """`obj`, as it lies in the store, as the version asked for."""
    if call.converts:
        return await parts.conversions.object(call.resource, obj)
    return to_served(call.resource, obj)


async def all_served(parts: Parts, call: Call, objects: Sequence[Object]) -> list[Object]:
    if call.converts:
        return await parts.conversions.objects(call.resource, objects)
    return [to_served(call.resource, obj) for obj in objects]


async def laid_down(parts: Parts, call: Call, data: Json) -> Json:
    """`data`, in the version asked for, as it is to be stored."""
    if not call.converts:
        return reading.laid_down(call.stored, data)
    return await parts.conversions.document(call.resource, call.stored, data)


class Unconverted(Exception):
    """A document is wanted in another version, and only a webhook can make it."""

    def __init__(self, source: Resource, target: Resource, document: Json) -> None:
        super().__init__(f"{source.api_version} as {target.api_version}")
        self.source, self.target, self.document = source, target, document


def document(call: Call, source: Resource, target: Resource, data: Json) -> Json:
    """A copy of `data`, a `source`, as a `target`. Raises Unconverted inside `settled`."""
    if call.converts and source.version != target.version:
        found = (call.documents or {}).get(_key(source, target, data))
        if found is None:
            raise Unconverted(source, target, data)
        return found
    copy = orjson.loads(orjson.dumps(data))
    copy.setdefault("metadata", {})
    return served_data(target, to_stored(source, copy))


async def settled(parts: Parts, call: Call, run: Callable[[], T]) -> T:
    """What `run` answers, a function that may be run again: tried until no document is missing."""
    for _ in range(DOCUMENTS_MAX):
        try:
            return run()
        except Unconverted as need:
            made = await parts.conversions.document(need.source, need.target, need.document)
            call.documents = call.documents or {}
            call.documents[_key(need.source, need.target, need.document)] = made
    raise errors.internal(f"more than {DOCUMENTS_MAX} conversions for one write")


def _key(source: Resource, target: Resource, data: Json) -> tuple[str, str, bytes]:
    return source.version, target.version, orjson.dumps(data)

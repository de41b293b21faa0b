"""The one place that writes: an object's bytes go to the store, the cached Object comes back.

Owns      encoding, the limit of an object's size, what the outcome of a commit means.
Leaves    everything before (write, delete) and after (watch cache).
Invariant the answer shows what was written, at the revision it was written at.
"""

from __future__ import annotations

from busk8s import errors
from busk8s.api.decode import OBJECT_BYTES_MAX
from busk8s.api.object import Json, Object, encode, head_length, with_revision
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.metrics.storage import Change
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.strategies.table import strategy_of
from busk8s.master.store.base import Lost, StoreError, Write
from busk8s.master.store.watch import object_key

_APPLY = "application/apply-patch"


async def put(
    parts: Parts, call: Call, data: Json, old: Object | None, dry_run: bool
) -> Object | None:
    """Write `data` where `old` (None: nothing) stands; None when something else stands there.

    `data` belongs to the cache afterwards: do not change it.
    """
    resource, metadata = call.stored, data["metadata"]
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    body = _fitting(call, data)
    if dry_run:
        return _imagined(parts, call, body, old, name)
    write = Write(
        object_key(resource.key, namespace, name),
        body,
        expect=old.revision if old is not None else 0,
        durable=strategy_of(resource).durable,
        tag=data,
    )
    outcome = await _commit(parts, resource, write)
    if isinstance(outcome, Lost):
        return None
    obj = parts.cache.get(resource.key, namespace, name)
    if obj is not None and obj.revision == outcome:
        return obj
    body = with_revision(body, outcome, head_length=resource.head_length)
    return Object(resource, namespace, name, revision=outcome, body=body)


async def _commit(parts: Parts, resource: Resource, write: Write) -> int | Lost:
    """What became of `write`, timed."""
    change: Change = "create" if write.expect == 0 else "update"
    if write.value is None:
        change = "delete"
    now = parts.clock.monotonic
    began = now()
    try:
        outcome = await parts.store.commit((write,))
    except StoreError:
        parts.metrics.failed(resource, change)
        raise
    parts.metrics.wrote(resource, change, now() - began)
    return outcome


def _fitting(call: Call, data: Json) -> bytes:
    """The bytes of `data`; what is too large only for its managedFields loses them, in place."""
    body = encode(data)
    if len(body) <= OBJECT_BYTES_MAX:
        return body
    applied = call.request.content_type.startswith(_APPLY)
    if not applied and data["metadata"].pop("managedFields", None):
        return _fitting(call, data)
    raise errors.too_large(OBJECT_BYTES_MAX)


def _imagined(
    parts: Parts, call: Call, body: bytes, old: Object | None, name: str
) -> Object | None:
    """The object a dry run would have written: no revision of its own."""
    resource, namespace = call.stored, call.namespace
    present = parts.cache.get(resource.key, namespace, name)
    if present is not old:
        return None
    revision = 0
    if old is not None:
        revision = old.revision
        body = with_revision(body, revision, head_length=resource.head_length)
    return Object(resource, namespace, name, revision=revision, body=body)


async def remove(parts: Parts, call: Call, last: Json, old: Object, dry_run: bool) -> Object | None:
    """Delete `old`; the answer is `last`, its state at the end. None when a race was lost."""
    bare = encode(last)
    head = head_length(call.stored, bare)
    body = with_revision(bare, old.revision, head_length=head)
    final = Object(call.stored, old.namespace, old.name, revision=old.revision, body=body)
    if dry_run:
        return final
    write = Write(
        object_key(call.stored.key, old.namespace, old.name),
        None,
        expect=old.revision,
        durable=strategy_of(call.stored).durable,
    )
    outcome = await _commit(parts, call.stored, write)
    return None if isinstance(outcome, Lost) else final

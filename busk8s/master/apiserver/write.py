"""Create, update and patch: one path for every kind.

Owns      the order of a write: decode, default, owners of fields, admit, strategy, validate,
          admit, encode, commit.
Leaves    what each step decides (api/*, admission, strategies), deletes (delete).
Invariant an object is encoded once a write; a write that changes nothing makes no revision; who
          loses a race is told 409, or tries again when the write did not name a version.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson

from busk8s import errors
from busk8s.api import patch as patches
from busk8s.api import scheme
from busk8s.api.decode import RAW_FIELDS, Unfit, check, check_depth, decode, json_error, strip_nulls
from busk8s.api.defaults import apply_defaults
from busk8s.api.meta import format_time, generated_name
from busk8s.api.mismatch import json_kind
from busk8s.api.object import Json, Object
from busk8s.api.request import Response
from busk8s.api.scheme import Resource
from busk8s.api.strategic import strategic_patch
from busk8s.api.validation import validate_create, validate_write
from busk8s.api.warnings.table import on_create, on_update
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.attributes import Attributes, Operation
from busk8s.master.apiserver.commit import put, remove
from busk8s.master.apiserver.conversion.views import laid_down, served, settled
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.patch_refusals import unfit_patch
from busk8s.master.apiserver.read import missing
from busk8s.master.apiserver.refusals import access_denied
from busk8s.master.apiserver.render import render
from busk8s.master.apiserver.strategies.base import (
    Strategy,
    prepare_create,
    prepare_status,
    prepare_update,
    tidy_metadata,
)
from busk8s.master.apiserver.strategies.pods import prepare_ephemeral, prepare_resize
from busk8s.master.apiserver.strategies.table import strategy_of
from busk8s.master.apiserver.tracking import (
    keep_sound,
    keep_times,
    may_name_managers,
    track_create,
    track_update,
)
from busk8s.master.apiserver.versions import served_data, to_stored

# Lost races after which a patch is told 409. Upstream goes on for ever (each lost race is somebody
# else's success); with group commit a hundred writers of one object need a hundred rounds.
PATCH_ATTEMPTS_MAX = 200
UPDATE_ATTEMPTS_MAX = 200  # The same for updates that name no version.
NAME_ATTEMPTS_MAX = 8  # Generated names tried before AlreadyExists; upstream's number.

Prepare = Callable[[Strategy, Json, Json], None]
Make = Callable[[Object], tuple[Json, list[str]]]


async def create(parts: Parts, call: Call) -> Response:
    """POST to a collection."""
    options = rest.write_options(call.request)
    refuse_inert(call)
    data, warnings = decode(
        call.resource, call.request.body, call.request.content_type, options.field_validation
    )
    obj = await create_object(parts, call, data, options, warnings)
    return rest.with_warnings(render(call, await served(parts, call, obj), 201), warnings)


def refuse_inert(call: Call) -> None:
    why = strategy_of(call.stored).refused
    if why:
        raise errors.Error(
            501, "NotImplemented", why, group=call.resource.group, kind=call.resource.plural
        )


async def create_object(
    parts: Parts, call: Call, data: Json, options: rest.WriteOptions, warnings: list[str]
) -> Object:
    """Create what `data` (served version, decoded) describes."""
    resource = call.resource
    metadata = check_address(call, data)
    for key in _NOT_ON_CREATE:
        metadata.pop(key, None)
    custom = resource.custom
    if custom is not None and custom.family.terminating:
        why = "create not allowed while custom resource definition is terminating"
        name = metadata.get("name") or ""
        raise errors.forbidden(resource.plural, name, why, group=resource.group)
    operation = Operation(
        call.attributes, "CREATE", data, None, options.dry_run, warnings, rest.told(options),
        annotations=call.request.notes,
        convert=parts.conversions.document if call.converts else None,
    )  # fmt: skip
    tidy_metadata(metadata)
    apply_defaults(resource, data)
    await _track(parts, call, options, data, None)
    data = await _mutated(parts, call, operation)
    metadata = check_address(call, data)
    # After mutation, as upstream: webhooks see the name a client gave, and no other.
    base = "" if metadata.get("name") else metadata.get("generateName", "")
    if base:
        metadata["name"] = generated_name(base, parts.ids.suffix())
    metadata["uid"] = parts.ids.uid()
    metadata["creationTimestamp"] = format_time(parts.clock.now())
    new = _working(call, data)
    prepare_create(strategy_of(_judged(call)), new, call.attributes.user)
    _refuse_invalid(call, data, validate_create(_judged(call), new))
    warnings += on_create(call.stored.key, new)
    with parts.services.reserve(call.stored, call.namespace, new, None):
        operation.object = _shown(call, new)
        await parts.admission.validate(operation)
        stored = await _laid_down(parts, call, new)
        with parts.quotas.charge(call.stored, call.namespace, stored, None):
            for _ in range(NAME_ATTEMPTS_MAX if base else 1):
                name = stored["metadata"]["name"]
                obj = await put(parts, call, stored, None, options.dry_run)
                if obj is not None:
                    return obj
                stored["metadata"]["name"] = generated_name(base, parts.ids.suffix())
    raise errors.already_exists(resource.plural, name, group=resource.group)


_NOT_ON_CREATE = (
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


async def _mutated(parts: Parts, call: Call, operation: Operation) -> Json:
    """The object after mutating admission, complete, its managedFields sound."""
    assert operation.object is not None
    entries = operation.object["metadata"].get("managedFields")
    await parts.admission.mutate(operation)
    data = operation.object
    if operation.changed:  # What built-in plug-ins add is complete; who knows what others add.
        apply_defaults(call.resource, data)
        tidy_metadata(data["metadata"])
    keep_sound(data, entries, operation.warnings)
    return data


def _shown(call: Call, new: Json) -> Json:
    """What admission sees: the version asked for."""
    if call.resource is _judged(call):
        return new
    return served_data(call.resource, orjson.loads(orjson.dumps(new)))


def _judged(call: Call) -> Resource:
    """Whose rules are asked: a version of a custom resource has a schema of its own."""
    return call.resource if call.resource.custom is not None else call.stored


def _working(call: Call, data: Json) -> Json:
    """`data` (served version) in the version whose rules it is judged by."""
    return data if call.resource.custom is not None else to_stored(call.resource, data)


async def _laid_down(parts: Parts, call: Call, data: Json) -> Json:
    """`data` (as judged) as it is stored."""
    return data if call.resource.custom is None else await laid_down(parts, call, data)


async def _track(
    parts: Parts, call: Call, options: rest.WriteOptions, new: Json, seen: Json | None
) -> None:
    now = parts.clock.now()
    if seen is None:
        run = partial(track_create, call, options, new, now, parts.anew)
    else:
        run = partial(track_update, call, options, new, seen, now)
    if call.converts:
        await settled(parts, call, run)
    else:
        run()


def _refuse_invalid(call: Call, data: Json, causes: list[errors.Cause]) -> None:
    if causes:
        name = data["metadata"].get("name") or data["metadata"].get("generateName") or ""
        raise errors.invalid(call.resource.kind, name, causes, group=call.resource.group)


def check_address(call: Call, data: Json) -> Json:
    """The object's metadata, completed from the URL; 400 where the two disagree."""
    metadata = data.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise errors.bad_request("metadata is not an object")
    if call.resource.namespaced:
        given = metadata.get("namespace") or call.namespace
        if given != call.namespace:
            raise errors.bad_request(
                f"the namespace of the provided object does not match the namespace sent on the "
                f"request ({given} != {call.namespace})"
            )
        metadata["namespace"] = call.namespace
    else:
        metadata.pop("namespace", None)
    if call.name:
        given = metadata.get("name") or call.name
        if given != call.name:
            raise errors.bad_request(
                f"the name of the object ({given}) does not match the name on the URL ({call.name})"
            )
        metadata["name"] = call.name
    return metadata


async def update(parts: Parts, call: Call) -> Response:
    """PUT of an object."""
    options = rest.write_options(call.request)
    body, warnings = decode(
        call.resource, call.request.body, call.request.content_type, options.field_validation
    )
    if not (body.get("metadata") or {}).get("name"):
        raise errors.bad_request(
            f"the name of the object ({call.name} based on URL) was undeterminable: name must be "
            "provided"
        )
    check_address(call, body)
    strategy = strategy_of(call.stored)
    old = parts.cache.get(call.stored.key, call.namespace, call.name)
    if old is None and strategy.create_on_update and not call.attributes.subresource:
        return await _create_by_update(parts, call, body, options, warnings)
    if old is None:
        raise missing(call)
    check_uid(call, body, old)
    _check_conditional(call, strategy, body)
    raw = orjson.dumps(body)

    def make(old: Object) -> tuple[Json, list[str]]:
        return orjson.loads(raw), []

    prepare, attempts = prepare_of(call), UPDATE_ATTEMPTS_MAX
    obj = await replace(parts, call, make, options, warnings, prepare=prepare, attempts=attempts)
    return rest.with_warnings(render(call, await served(parts, call, obj)), warnings)


async def _create_by_update(
    parts: Parts, call: Call, body: Json, options: rest.WriteOptions, warnings: list[str]
) -> Response:
    reason = parts.authorizer.authorize(as_create(call))
    if reason is not None:
        raise access_denied(as_create(call), reason)
    if body["metadata"].get("uid"):
        raise errors.conflict(
            call.resource.plural,
            call.name,
            f"Precondition failed: UID in precondition: {body['metadata']['uid']}, "
            "UID in object meta: ",
            group=call.resource.group,
        )
    obj = await create_object(parts, call, body, options, warnings)
    return rest.with_warnings(render(call, await served(parts, call, obj), 201), warnings)


def as_create(call: Call) -> Attributes:
    return dataclasses.replace(call.attributes, verb="create")


def _check_conditional(call: Call, strategy: Strategy, body: Json) -> None:
    if strategy.unconditional_update or body["metadata"].get("resourceVersion"):
        return
    cause = errors.Cause(
        "FieldValueInvalid",
        "Invalid value: 0: must be specified for an update",
        "metadata.resourceVersion",
    )
    raise errors.invalid(call.resource.plural, call.name, [cause], group=call.resource.group)


_PREPARES: Mapping[str, Prepare] = {
    "status": prepare_status,
    "ephemeralcontainers": prepare_ephemeral,
    "resize": prepare_resize,
}


def prepare_of(call: Call) -> Prepare:
    return _PREPARES.get(call.attributes.subresource, prepare_update)


async def replace(
    parts: Parts,
    call: Call,
    make: Make,
    options: rest.WriteOptions,
    warnings: list[str],
    *,
    prepare: Prepare,
    attempts: int,
) -> Object:
    """Replace the object with what `make` makes of its present state (served versions).

    `make` may be asked again for the same state.
    """
    for _ in range(attempts):
        old = parts.cache.get(call.stored.key, call.namespace, call.name)
        if old is None:
            raise missing(call)
        seen = await served(parts, call, old)
        if call.converts:
            new, said = await settled(parts, call, partial(make, seen))
        else:
            new, said = make(seen)
        warnings[:] = list(dict.fromkeys([*warnings, *said]))
        if call.request.method == "PATCH":  # Whose uid may not change, by validation.
            check_version(call, new, old)
        else:
            check_preconditions(call, new, old)
        obj = await _replace_once(parts, call, new, (old, seen), options, warnings, prepare)
        if obj is not None:
            return obj
    raise errors.conflict(call.resource.plural, call.name, group=call.resource.group)


def check_preconditions(call: Call, new: Json, old: Object) -> None:
    """409 when the write names another version or another object of the same name."""
    check_uid(call, new, old)
    check_version(call, new, old)


def check_uid(call: Call, new: Json, old: Object) -> None:
    """409 when the write names another object of the same name."""
    uid = new["metadata"].get("uid")
    if uid and uid != old.uid:
        raise errors.conflict(
            call.resource.plural,
            call.name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.uid}",
            group=call.resource.group,
        )


def check_version(call: Call, new: Json, old: Object) -> None:
    """409 when the write names another version than the present one."""
    version = new["metadata"].get("resourceVersion")
    if version and version not in ("0", str(old.revision)):
        raise errors.conflict(call.resource.plural, call.name, group=call.resource.group)


async def _replace_once(
    parts: Parts,
    call: Call,
    new: Json,
    state: tuple[Object, Object],
    options: rest.WriteOptions,
    warnings: list[str],
    prepare: Prepare,
) -> Object | None:
    """One attempt; None when somebody else wrote in between. `state`: as stored, as served."""
    old, seen = state
    operation = Operation(
        call.attributes, "UPDATE", new, seen, options.dry_run, warnings, rest.told(options),
        annotations=call.request.notes,
        convert=parts.conversions.document if call.converts else None,
    )  # fmt: skip
    tidy_metadata(new["metadata"])
    apply_defaults(call.resource, new)
    await _track(parts, call, options, new, seen.data)
    new = await _mutated(parts, call, operation)
    check_address(call, new)
    new, before = _working(call, new), (old if call.resource.custom is None else seen).data
    prepare(strategy_of(_judged(call)), new, before)
    is_status = prepare is prepare_status
    causes = validate_write(_judged(call), call.attributes.subresource, new, before)
    _refuse_invalid(call, new, causes)
    if not is_status:
        warnings += on_update(call.stored.key, new, before)
    with parts.services.reserve(call.stored, call.namespace, new, before):
        operation.object = _shown(call, new)
        await parts.admission.validate(operation)
        new["metadata"]["resourceVersion"] = str(old.revision)
        keep_times(new, before)
        if is_over(call, new):
            return await remove(parts, call, new, old, options.dry_run)
        if new == before and old.data["apiVersion"] == call.stored.api_version:
            return old
        stored = await _laid_down(parts, call, new)
        with parts.quotas.charge(call.stored, call.namespace, stored, before):
            return await put(parts, call, stored, old, options.dry_run)


def is_over(call: Call, data: Json) -> bool:
    """Whether nothing holds a deleted object any more."""
    metadata = data["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if metadata.get("deletionGracePeriodSeconds"):
        return False
    if call.stored.key == "namespaces":
        return not (data.get("spec") or {}).get("finalizers")
    return True


JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"  # Decided on before (applying).
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
CUSTOM_PATCHES = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)


async def patch(parts: Parts, call: Call) -> Response:
    """PATCH of an object or its status."""
    options = rest.write_options(call.request)
    warnings: list[str] = []
    obj = await replace(
        parts,
        call,
        patcher(call, options),
        options,
        warnings,
        prepare=prepare_of(call),
        attempts=PATCH_ATTEMPTS_MAX,
    )
    return rest.with_warnings(render(call, await served(parts, call, obj)), warnings)


def patcher(call: Call, options: rest.WriteOptions) -> Make:
    """What makes the new object of the present one, as the body says."""
    apply = patch_function(call, call.resource)
    whole = may_name_managers(call.request)

    def make(seen: Object) -> tuple[Json, list[str]]:
        new = apply(orjson.loads(seen.body if whole else seen.lean))
        if not isinstance(new, dict):
            raise errors.bad_request("the patch leaves no object")
        # A null is an absent field; in a custom resource it may be a value.
        nulls = b"null" in call.request.body or b":null" in seen.body
        if nulls and call.resource.custom is None:
            strip_nulls(new, keep=RAW_FIELDS.get(call.resource.key, ""))
        try:
            said = check(call.resource, new, options.field_validation)
        except Unfit as error:
            # `check` has dropped what it named: the object is made once more to be shown.
            strategic = media_of(call) == STRATEGIC_PATCH
            patched = None if strategic else apply(orjson.loads(seen.body))
            raise unfit_patch(error, call.request.body, patched) from None
        check_address(call, new)
        return new, said

    return make


def media_of(call: Call) -> str:
    return call.request.content_type.partition(";")[0].strip().lower()


def patch_function(call: Call, resource: Resource) -> Callable[[Json], Any]:
    """The body as a function over a document of `resource`; raises 415 and 400."""
    media = media_of(call)
    offered = PATCHES if resource.custom is None else CUSTOM_PATCHES
    if media not in offered or media == APPLY_PATCH:
        if resource.custom is None:
            raise errors.unsupported_patch()
        raise errors.unsupported_media_type(media, offered)
    said = "" if media == STRATEGIC_PATCH else "error decoding patch: "
    try:
        document = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise errors.bad_request(said + json_error(call.request.body, error)) from None
    check_depth(document)
    if media == JSON_PATCH:
        return lambda data: patches.json_patch(data, document)
    if not isinstance(document, dict):
        kind = json_kind(document)
        raise errors.bad_request(
            f"{said}json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )
    if media == MERGE_PATCH:
        return lambda data: patches.merge_patch(data, document)
    model = scheme.model_of(resource)
    return lambda data: strategic_patch(data, document, model)

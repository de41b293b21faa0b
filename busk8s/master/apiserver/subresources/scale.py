"""The `scale` of a workload: autoscaling/v1 Scale over spec.replicas.

Owns      the two-way view between a workload and its Scale.
Leaves    the write itself (write.replace).
"""

from __future__ import annotations

from typing import Any

import orjson

from busk8s import errors
from busk8s.api.apply import managers
from busk8s.api.apply.extract import WrongType, fields_of
from busk8s.api.apply.fieldset import FieldSet, field_element
from busk8s.api.apply.layout import layout_of
from busk8s.api.customkind import ScalePaths, member
from busk8s.api.decode import Unfit, check, decode
from busk8s.api.object import Json, Object
from busk8s.api.request import Response
from busk8s.api.scheme import Resource, model_of
from busk8s.api.selectors import from_label_selector
from busk8s.master.apiserver import applying, rest
from busk8s.master.apiserver.conversion.views import served
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.patch_refusals import unfit_patch
from busk8s.master.apiserver.read import find
from busk8s.master.apiserver.render import partial, table
from busk8s.master.apiserver.strategies.base import prepare_update
from busk8s.master.apiserver.tracking import setting_of, split
from busk8s.master.apiserver.write import (
    PATCH_ATTEMPTS_MAX,
    STRATEGIC_PATCH,
    UPDATE_ATTEMPTS_MAX,
    Make,
    check_address,
    media_of,
    patch_function,
    replace,
)

SCALE = Resource("autoscaling", "v1", "scales", "Scale", namespaced=True)
_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


_REPLICAS = ScalePaths(("spec", "replicas"), ("status", "replicas"), ())


def _paths(resource: Resource) -> ScalePaths:
    scale = resource.custom.scale if resource.custom is not None else None
    return scale or _REPLICAS


def scale_of(obj: Object, resource: Resource) -> Json:
    """The Scale that shows `obj`, a `resource`."""
    paths = _paths(resource)
    shown: Json = {"replicas": member(obj.data, paths.status) or 0}
    if resource.custom is not None:
        selector = member(obj.data, paths.selector) if paths.selector else ""
    else:
        selector = _selector_text(member(obj.data, ("spec", "selector")))
    if selector:
        shown["selector"] = selector
    wanted = member(obj.data, paths.spec)
    if wanted is None and resource.custom is not None:
        raise errors.internal(f"the spec replicas field {_dotted(paths.spec)!r} does not exist")
    metadata = {**obj.metadata, "resourceVersion": str(obj.revision)}
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {key: metadata[key] for key in _META if key in metadata},
        "spec": {"replicas": wanted} if wanted else {},
        "status": shown,
    }


def _dotted(path: tuple[str, ...]) -> str:
    return "".join(f".{step}" for step in path)


def _selector_text(selector: Json | None) -> str:
    if not selector:
        return ""
    structured = "matchLabels" in selector or "matchExpressions" in selector
    return str(from_label_selector(selector if structured else {"matchLabels": selector}))


async def get(parts: Parts, call: Call) -> Response:
    return _answer(call, await served(parts, call, find(parts, call)))


def _answer(call: Call, obj: Object, status: int = 200) -> Response:
    """The Scale of `obj` in the shape that is accepted."""
    data = scale_of(obj, call.resource)
    revision, body = obj.revision, orjson.dumps(data)
    shown = Object(SCALE, obj.namespace, obj.name, revision=revision, body=body, data=data)
    if call.accept.shape == "table":
        return rest.answer(table(call.request, SCALE, [shown], call.now), status)
    return Response(status, partial(shown) if call.accept.shape == "partial" else body)


async def update(parts: Parts, call: Call) -> Response:
    options = rest.write_options(call.request)
    scale, warnings = decode(
        SCALE, call.request.body, call.request.content_type, options.field_validation
    )
    check_address(call, scale)

    def make(old: Object) -> tuple[Json, list[str]]:
        return _scaled(old, scale, call.resource), []

    return await _write(parts, call, make, options, warnings, attempts=UPDATE_ATTEMPTS_MAX)


async def patch(parts: Parts, call: Call) -> Response:
    if applying.is_apply(call):
        return await _apply(parts, call)
    options = rest.write_options(call.request)
    apply = patch_function(call, SCALE)

    def make(old: Object) -> tuple[Json, list[str]]:
        scale = apply(scale_of(old, call.resource))
        if not isinstance(scale, dict):
            raise errors.bad_request("the patch leaves no object")
        try:
            said = check(SCALE, scale, options.field_validation)
        except Unfit as error:
            strategic = media_of(call) == STRATEGIC_PATCH
            patched = None if strategic else apply(scale_of(old, call.resource))
            raise unfit_patch(error, call.request.body, patched) from None
        check_address(call, scale)
        return _scaled(old, scale, call.resource), said

    warnings: list[str] = []
    return await _write(parts, call, make, options, warnings, attempts=PATCH_ATTEMPTS_MAX)


async def _write(
    parts: Parts,
    call: Call,
    make: Make,
    options: rest.WriteOptions,
    warnings: list[str],
    *,
    attempts: int,
) -> Response:
    """Write what `make` makes of the workload; answer with its Scale."""
    obj = await replace(
        parts, call, make, options, warnings, prepare=prepare_update, attempts=attempts
    )
    return rest.with_warnings(_answer(call, await served(parts, call, obj)), warnings)


async def _apply(parts: Parts, call: Call) -> Response:
    """An applied Scale is an apply of its replicas to the workload, under the name of `scale`."""
    options = rest.write_options(call.request, applies=True)
    warnings: list[str] = []
    config = applying.configuration(call, SCALE, options, warnings)
    check_address(call, config)
    try:
        fields_of(config, layout_of(model_of(SCALE)))
    except WrongType as error:
        raise applying.untyped(call, SCALE, str(error)) from None
    given = config.get("spec") or {}
    path = _paths(call.resource).spec
    wanted: Json = nested(path, given["replicas"]) if "replicas" in given else {}
    writer = managers.applier(options.field_manager, "scale")

    def make(old: Object) -> tuple[Json, list[str]]:
        setting = setting_of(call, parts.clock.now())
        live, entries = split(old.data)
        replicas = nested(path, member(live, path) or 0)
        managed = applying.known_owners(replicas, [], "scale", setting)
        known = managers.read(entries, trusted=True)
        if any(_owns(owned.fields, path) for owned in known.values()):
            managed = {}
        managed = {**known, **managed}
        shown, managed = applying.applied(call, live, wanted, managed, writer, setting, options)
        spec = {"replicas": member(shown, path) or 0}
        new = _scaled(old, {"metadata": config["metadata"], "spec": spec}, call.resource)
        new["metadata"]["managedFields"] = managers.write(managed)
        return new, []

    return await _write(parts, call, make, options, warnings, attempts=PATCH_ATTEMPTS_MAX)


def _owns(fields: FieldSet, path: tuple[str, ...]) -> bool:
    node: Any = fields
    for step in path:
        node = (node or {}).get(field_element(step))
    return node is not None


def nested(path: tuple[str, ...], value: Any) -> Json:
    """The object that holds `value` at `path` and nothing else."""
    for step in reversed(path):
        value = {step: value}
    made: Json = value
    return made


def _scaled(old: Object, scale: Json, resource: Resource) -> Json:
    """`old` with the replicas, and the version and uid preconditions, that `scale` names."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        cause = errors.Cause(
            "FieldValueInvalid",
            f"Invalid value: {replicas}: must be greater than or equal to 0",
            "spec.replicas",
        )
        raise errors.invalid(SCALE.kind, old.name, [cause], group=SCALE.group)
    new: Json = orjson.loads(old.body)
    *parents, last = _paths(resource).spec
    place = new
    for step in parents:
        place = place.setdefault(step, {})
    place[last] = replicas
    for key in ("resourceVersion", "uid"):
        if given := scale["metadata"].get(key):
            new["metadata"][key] = given
    return new

"""Ownership of fields for every write of an object: the API server's side of `api.apply`.

Owns      what may be owned by which way of writing, the writer's name, managedFields of plain
          writes, versions of a kind.
Leaves    the rules of ownership (api.apply), applying (applying).
Invariant a plain write of an untracked object costs two look-ups.
Differs from Kubernetes: an object is tracked from its first apply on, not from its creation; what
it had then belongs to `before-first-apply`, as with objects from before there was tracking. What
admission changes in a plain write of a tracked object counts as the writer's; upstream it is
nobody's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from busk8s.api import scheme
from busk8s.api.apply import managers, ownership
from busk8s.api.apply.fieldset import FieldSet
from busk8s.api.apply.layout import Layout, layout_of
from busk8s.api.apply.managers import NAME_CHARACTERS_MAX, Managed
from busk8s.api.apply.ownership import Setting, View
from busk8s.api.meta import format_time
from busk8s.api.object import Json
from busk8s.api.request import Request
from busk8s.api.scheme import Resource
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.conversion.views import document
from busk8s.master.apiserver.parts import Call
from busk8s.master.apiserver.versions import served_data, stored_of

_RESET: list[Json] = [{}]  # Sent as managedFields: forget all ownership.
_NOT_SPEC: dict[str, FieldSet] = {
    "": {"f:status": {}},
    "status": {"f:spec": {}},
    "approval": {"f:spec": {}},
}
# Subresources that write these fields of a pod's spec, and nothing else.
_PARTS_OF_PODS = {
    "ephemeralcontainers": ("ephemeralContainers",),
    "resize": ("containers", "initContainers"),
}
# What else a write through `status` does not own, by Resource.key.
_NOT_BY_STATUS: dict[str, FieldSet] = {
    "pods": {"f:deletionTimestamp": {}, "f:ownerReferences": {}},
    "deployments.apps": {"f:labels": {}},
}


def ignored_fields(resource: Resource, subresource: str) -> FieldSet:
    """The fields a write through `subresource` ("" the object itself) can never own."""
    if resource.key == "pods" and subresource in _PARTS_OF_PODS:
        return _outside(subresource)
    if subresource not in _NOT_SPEC or "status" not in resource.subresources:
        return {}
    fields = _NOT_SPEC[subresource]
    metadata = _NOT_BY_STATUS.get(resource.key) if subresource == "status" else None
    return {**fields, "f:metadata": metadata} if metadata else fields


@lru_cache(maxsize=8)  # One entry a subresource of `_PARTS_OF_PODS`.
def _outside(subresource: str) -> FieldSet:
    """All of a pod that a write through `subresource` can never own."""
    model = scheme.model_named("", "v1", "PodSpec")
    assert model is not None
    names = {field.alias or name for name, field in model.model_fields.items()}
    others: FieldSet = {f"f:{name}": {} for name in sorted(names)}
    for name in _PARTS_OF_PODS[subresource]:
        del others[f"f:{name}"]
    return {"f:metadata": {}, "f:status": {}, "f:spec": others}


def setting_of(call: Call, now: float) -> Setting:
    resource = call.resource

    def view(version: str) -> View | None:
        return _view(call, version)

    return Setting(
        resource.api_version,
        layout_for(resource),
        ignored_fields(resource, call.attributes.subresource),
        format_time(now),
        view,
    )


def layout_for(resource: Resource) -> Layout:
    if resource.custom is not None:
        return resource.custom.schema.layout
    return layout_of(scheme.model_of(resource))


def _view(call: Call, version: str) -> View | None:
    """Documents of the same kind in another version, when both are kept as one."""
    resource = call.resource
    group, _, name = version.rpartition("/")
    if resource.custom is not None:
        family = resource.custom.family
        # As upstream, who owns fields in a version that is served no more owns them no more.
        served = group == resource.group and name in family.served
        other = family.version(name) if served else None
    else:
        other = scheme.by_kind(group, name, resource.kind)
    if other is None or stored_of(other).key != stored_of(resource).key:
        return None

    def convert(data: Json) -> Json:
        return document(call, resource, other, data)

    def back(data: Json) -> Json:
        return document(call, other, resource, data)

    return View(layout_for(other), convert, back)


def writer_name(request: Request, options: rest.WriteOptions) -> str:
    """`fieldManager`, or the first part of the User-Agent; components that send none are known
    by who they are."""
    if options.field_manager:
        return options.field_manager
    agent = request.headers.get("user-agent", "").partition("/")[0]
    if not agent and request.user.name.startswith("system:"):
        agent = request.user.name.removeprefix("system:").partition(":")[0]
        agent = "kubelet" if agent == "node" else agent
    return "".join(c for c in agent if c.isprintable())[:NAME_CHARACTERS_MAX]


def split(data: Json) -> tuple[Json, list[Json]]:
    """`data` without its managedFields, and those; `data` stays as it is."""
    metadata = data["metadata"]
    if "managedFields" not in metadata:
        return data, []
    rest_ = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {**data, "metadata": rest_}, metadata["managedFields"]


def track(
    call: Call, options: rest.WriteOptions, stored: Json, before: Json | None, now: float
) -> None:
    """Bring `stored`'s managedFields up to date with a plain write over `before`; in place.

    Both are in the version whose rules they are judged by: of custom kinds, the one asked for.
    """
    metadata = stored["metadata"]
    sent = metadata.get("managedFields")
    kept = before["metadata"].get("managedFields") if before is not None else None
    if not sent and not kept:
        metadata.pop("managedFields", None)
        return
    if options.applies:
        return
    if sent == _RESET and not call.attributes.subresource:
        del metadata["managedFields"]
        return
    managed = _managed(call, sent, kept)
    if not managed:
        metadata.pop("managedFields", None)
        return
    setting = setting_of(call, now)
    new, _ = split(_shown(call, stored))
    live = split(_shown(call, before))[0] if before is not None else {}
    name = writer_name(call.request, options)
    writer = managers.updater(name, setting.version, call.attributes.subresource)
    after = ownership.update(live, new, managed, writer, setting)
    if after:
        metadata["managedFields"] = managers.write(after)
    else:
        metadata.pop("managedFields", None)


def _managed(call: Call, sent: Any, kept: list[Json] | None) -> Managed:
    """What the client sent, if it is sound and may be sent here; else what was there."""
    if sent and sent != kept and not call.attributes.subresource:
        try:
            managed = managers.read(sent)
        except (ValueError, AttributeError, RecursionError):
            managed = {}
        if managed:
            return managed
    return managers.read(kept, trusted=True) if kept else {}


def _shown(call: Call, stored: Json) -> Json:
    if call.resource is call.stored or call.resource.custom is not None:
        return stored
    return served_data(call.resource, orjson.loads(orjson.dumps(stored)))


def keep_times(stored: Json, before: Json) -> None:
    """A write that changed nothing but the times of entries changed nothing; in place."""
    new, old = stored["metadata"].get("managedFields"), before["metadata"].get("managedFields")
    if not new or not old or new == old or _timeless(new) != _timeless(old):
        return
    if split(stored)[0] == split(before)[0]:
        stored["metadata"]["managedFields"] = old


def _timeless(entries: list[Json]) -> list[Json]:
    return sorted(
        ({key: value for key, value in entry.items() if key != "time"} for entry in entries),
        key=lambda entry: tuple(
            entry.get(k, "") for k in ("manager", "operation", "apiVersion", "subresource")
        ),
    )

"""Ownership of fields for every write of an object: the API server's side of `api.apply`.

Owns      what may be owned by which way of writing, the writer's name, managedFields of plain
          writes, versions of a kind.
Leaves    the rules of ownership (api.apply), applying (applying).
Invariant ownership is decided on what the writer sent, with its defaults, before admission: what
          admission changes is nobody's. Every object is tracked from its creation on; one that has
          no managedFields (it was reset, or is older than they are) is not until its first apply.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from busk8s.api import scheme
from busk8s.api.apply import managers, ownership
from busk8s.api.apply.anew import Anew
from busk8s.api.apply.fieldset import ANY, FieldSet
from busk8s.api.apply.layout import Layout, layout_of
from busk8s.api.apply.managers import NAME_CHARACTERS_MAX, Managed, Writer
from busk8s.api.apply.ownership import Setting, View
from busk8s.api.meta import format_time
from busk8s.api.object import Json
from busk8s.api.request import Request
from busk8s.api.scheme import Resource
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.conversion.views import document
from busk8s.master.apiserver.parts import Call
from busk8s.master.apiserver.versions import stored_of

_RESETS: tuple[list[Json], ...] = ([], [{}])  # Sent as managedFields: forget all ownership.
INVALID_AFTER_ADMISSION = (
    ".metadata.managedFields was in an invalid state after admission; this could be caused by an "
    "outdated mutating admission controller; please fix your requests: "
)
_NOT_SPEC: dict[str, FieldSet] = {
    "": {"f:status": {}},
    "status": {"f:spec": {}},
    "approval": {"f:spec": {}},
}
# Subresources that write these fields of a pod's spec, and nothing else; of the items of a list
# only those named.
_RESIZABLE = ("resources", "resizePolicy")
_PARTS_OF_PODS: dict[str, dict[str, tuple[str, ...]]] = {
    "ephemeralcontainers": {"ephemeralContainers": ()},
    "resize": {"containers": _RESIZABLE, "initContainers": _RESIZABLE},
}
SCALE = "scale"
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
    others = _all_of("PodSpec")
    for name, taken in _PARTS_OF_PODS[subresource].items():
        del others[f"f:{name}"]
        if taken:
            items = _all_of("Container")
            for field in taken:
                del items[f"f:{field}"]
            others[f"f:{name}"] = {ANY: items}
    return {"f:metadata": {}, "f:status": {}, "f:spec": others}


def _all_of(kind: str) -> FieldSet:
    model = scheme.model_named("", "v1", kind)
    assert model is not None
    names = {field.alias or name for name, field in model.model_fields.items()}
    return {f"f:{name}": {} for name in sorted(names)}


def setting_of(call: Call, now: float) -> Setting:
    resource = call.resource
    subresource = call.attributes.subresource
    return Setting(
        resource.api_version,
        layout_for(resource),
        ignored_fields(resource, subresource),
        "" if subresource == SCALE else format_time(now),  # Upstream loses it on the way.
        partial(_view, call),
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


def track_create(call: Call, options: rest.WriteOptions, new: Json, now: float, anew: Anew) -> None:
    """Give `new` (in the version asked for, with its defaults) its managedFields; in place."""
    if options.applies:
        return
    resource, metadata = call.resource, new["metadata"]
    sent = metadata.get("managedFields")
    writer = managers.updater(writer_name(call.request, options), resource.api_version)
    managed = {} if not sent or sent in _RESETS else _sound(sent)
    if managed:
        after = ownership.update({}, split(new)[0], managed, writer, setting_of(call, now))
        entries = managers.write(after)
    else:
        fields = anew.fields_of(new, layout_for(resource), ignored_fields(resource, ""))
        moment = format_time(now)
        entries = [managers.entry_of(writer, writer.version, moment, fields)] if fields else []
    _set(metadata, entries)


def track_update(call: Call, options: rest.WriteOptions, new: Json, seen: Json, now: float) -> None:
    """Bring `new`'s managedFields up to date with a write over `seen`; in place, at the end.

    Both are in the version asked for; `new` has its defaults.
    """
    if options.applies:
        return
    metadata, subresource = new["metadata"], call.attributes.subresource
    sent, kept = metadata.get("managedFields"), seen["metadata"].get("managedFields")
    if sent in _RESETS and not subresource:
        return _set(metadata, [])
    managed = _sound(sent) if sent and sent != kept and not subresource else {}
    if not managed and kept:
        managed = managers.read(kept, trusted=True)
    if not managed:
        return _set(metadata, [])
    setting = setting_of(call, now)
    writer = managers.updater(writer_name(call.request, options), setting.version, subresource)
    after = ownership.update(split(seen)[0], split(new)[0], managed, writer, setting)
    if subresource == SCALE and _took_from_nobody(managed, after, writer):
        after = managed
    _set(metadata, managers.write(after))


def _set(metadata: Json, entries: list[Json]) -> None:
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)


def _took_from_nobody(before: Managed, after: Managed, writer: Writer) -> bool:
    """A Scale of replicas that nobody owns is an object nobody tracks."""
    return writer not in before and all(after.get(w) is owned for w, owned in before.items())


def _sound(sent: Any) -> Managed:
    """The entries that a client sent; none when they are not what an API server writes."""
    try:
        return managers.read(sent)
    except (ValueError, RecursionError):
        return {}


def may_name_managers(request: Request) -> bool:
    """Whether a patch may touch or look at managedFields; most do not, and need not parse them."""
    body = request.body
    by_path = request.content_type.startswith("application/json-patch")
    return by_path or b"managedFields" in body or b"\\u" in body or b"$" in body


def keep_sound(data: Json, entries: Any, warnings: list[str]) -> None:
    """What admission left as managedFields, in our form, or `entries` again when it makes no
    sense; in place."""
    metadata = data["metadata"]
    left = metadata.get("managedFields")
    if left is entries or not left:
        return
    try:
        metadata["managedFields"] = managers.write(managers.read(left))
    except (ValueError, RecursionError) as error:
        warnings.append(f"{INVALID_AFTER_ADMISSION}{error}")
        if entries:
            metadata["managedFields"] = entries
        else:
            del metadata["managedFields"]


def keep_times(stored: Json, before: Json) -> None:
    """A write that changed nothing but the times of entries changed nothing; in place."""
    new, old = stored["metadata"].get("managedFields"), before["metadata"].get("managedFields")
    if not new or not old or len(new) != len(old):
        return
    if all(map(_same_but_for_time, new, old)) and split(stored)[0] == split(before)[0]:
        stored["metadata"]["managedFields"] = old


def _same_but_for_time(one: Json, other: Json) -> bool:
    return one is other or {**one, "time": ""} == {**other, "time": ""}

"""Objects and lists in the shape the caller accepts: as they are, as a Table, as metadata only.

Owns      the choice of shape and the bytes of PartialObjectMetadata and Table answers.
Leaves    the columns (api/tables), negotiation (rest).
Invariant the plain shape sends the cached bytes; nothing is decoded for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.api.request import Request, Response
from busk8s.api.scheme import Resource
from busk8s.api.tables import table as tables
from busk8s.master.apiserver.parts import Call
from busk8s.master.apiserver.rest import Accept

_PARTIAL = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%b}'
_PLAIN = Accept()
INCLUDE_OBJECT = ("None", "Metadata", "Object")


def render(call: Call, obj: Object, status: int = 200) -> Response:
    """One object of `call.resource`."""
    if call.accept.shape == "object":
        return Response(status, obj.body)
    return Response(status, shaped(call, obj))


def shaped(call: Call, obj: Object) -> bytes:
    """The bytes of `obj` in the accepted shape, alone (not in a list)."""
    if call.accept.shape == "partial":
        return partial(obj)
    if call.accept.shape == "table":
        return orjson.dumps(table(call.request, call.resource, [obj], call.now))
    return obj.body


def list_metadata(revision: int, token: str = "", left: int = 0) -> Json:
    """ListMeta at `revision`; `token` and `left` where the list goes on."""
    metadata: Json = {"resourceVersion": str(revision)}
    if token:
        metadata["continue"] = token
        if left:
            metadata["remainingItemCount"] = left
    return metadata


def list_kind(call: Call) -> tuple[str, str]:
    """apiVersion and kind of a list in the accepted shape (Tables aside)."""
    if call.accept.shape == "partial":
        return "meta.k8s.io/v1", "PartialObjectMetadataList"
    return call.resource.api_version, call.resource.list_kind or call.resource.kind + "List"


def render_list(call: Call, objects: Sequence[Object], metadata: Json) -> Response:
    """A list of `objects` with this ListMeta."""
    if call.accept.shape == "table":
        data = table(call.request, call.resource, objects, call.now)
        data["metadata"] = metadata
        return Response(200, orjson.dumps(data))
    one = partial if call.accept.shape == "partial" else _whole
    items = b",".join([one(obj) for obj in objects])
    version, kind = list_kind(call)
    head = orjson.dumps({"kind": kind, "apiVersion": version, "metadata": metadata})
    return Response(200, b'%b,"items":[%b]}' % (head[:-1], items))


def _whole(obj: Object) -> bytes:
    return obj.body


def partial(obj: Object) -> bytes:
    """PartialObjectMetadata: the object's metadata and nothing else."""
    return _PARTIAL % orjson.dumps(obj.glance()["metadata"])


def included(request: Request) -> str:
    """What goes with each row of a Table; asked before anything is done, as it may be refused."""
    include = request.param("includeObject") or "Metadata"
    if include not in INCLUDE_OBJECT:
        raise errors.bad_request(
            f'unrecognized includeObject value: "{include}"; one of {", ".join(INCLUDE_OBJECT)}'
        )
    return include


def table(request: Request, resource: Resource, objects: Sequence[Object], now: float) -> Json:
    """A meta.k8s.io/v1 Table with the columns of the kind."""
    include = included(request)
    if order := tables.order(resource):
        objects = sorted(objects, key=lambda obj: order(obj.glance()))
    rows = []
    for obj in objects:
        row = tables.entry(resource, obj.glance(), now)
        if include == "Metadata":
            row["object"] = orjson.Fragment(partial(obj))
        elif include == "Object":
            row["object"] = orjson.Fragment(obj.body)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": str(objects[0].revision)} if len(objects) == 1 else {},
        "columnDefinitions": tables.columns(resource),
        "rows": rows,
    }

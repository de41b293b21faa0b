"""`application/vnd.kubernetes.protobuf`: the envelope of objects, lists and watch events.

Owns      the magic prefix, runtime.Unknown, how encoded parts are joined, the frames of a watch.
Leaves    field numbers, JSON forms (api.wire), the wire itself (the protobuf runtime).
Invariant what `decode` gives equals what the same client would have sent as JSON; any bytes give
          data or ValueError. What is encoded once is joined, never encoded again.
Source    apimachinery runtime/serializer/protobuf; the published .proto files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

from busk8s.api.object import Json
from busk8s.api.wire.messages import message_class, message_name
from busk8s.api.wire.reading import text, to_json
from busk8s.api.wire.writing import fill

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
WATCH_CONTENT_TYPE = "application/vnd.kubernetes.protobuf;stream=watch"
MAGIC = b"k8s\x00"


def decode(body: bytes) -> Json:
    """The object in `body`, with kind and apiVersion. Raises ValueError, which says why."""
    from google.protobuf.message import DecodeError

    if not body.startswith(MAGIC):
        raise ValueError("the protobuf envelope does not begin with its magic number")
    try:
        unknown = message_class("runtime.Unknown").FromString(body[len(MAGIC) :])
        api_version, kind = text(unknown.typeMeta.apiVersion), text(unknown.typeMeta.kind)
        name = message_name(api_version, kind)
        if name is None:
            raise ValueError(f'no kind "{kind}" is known in version "{api_version}" as protobuf')
        message = message_class(name).FromString(unknown.raw)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a protobuf message: {error}") from error
    data = to_json(name)(message)
    if not isinstance(data, dict):
        raise ValueError(f'"{kind}" is not an object')
    return {"kind": kind, "apiVersion": api_version, **data}


def encode(data: Json) -> bytes:
    """The inverse of `decode`. Raises KeyError for a kind without a protobuf form."""
    return enveloped(data["apiVersion"], data["kind"], message(data))


def message(data: Json) -> bytes:
    """An object's message alone, without the envelope. Raises KeyError and ValueError."""
    name = message_name(data["apiVersion"], data["kind"])
    if name is None:
        raise KeyError(f"{data['apiVersion']} {data['kind']}")
    raw: bytes = fill(name, data).SerializeToString()
    return raw


def has_form(api_version: str, kind: str) -> bool:
    return message_name(api_version, kind) is not None


def enveloped(api_version: str, kind: str, raw: bytes) -> bytes:
    """A message of that kind as a body."""
    return _envelope(api_version, kind) + _unknown_raw(raw)


def list_message(metadata: Json, items: Iterable[bytes]) -> bytes:
    """The message of a list, whatever its kind: all have metadata as 1 and items as 2."""
    head = fill("meta.v1.ListMeta", metadata).SerializeToString()
    raw: bytes = message_class("frame.List")(metadata=head, items=items).SerializeToString()
    return raw


def watch_frame(kind: str, body: bytes) -> bytes:
    """One event of a watch: its length, then a WatchEvent that holds a whole body."""
    inside = message_class("runtime.RawExtension")(raw=body).SerializeToString()
    event = message_class("frame.WatchEvent")(type=kind.encode(), object=inside)
    raw: bytes = event.SerializeToString()
    return struct.pack(">I", len(raw)) + raw


@cache
def _envelope(api_version: str, kind: str) -> bytes:
    """What comes before the message: the same for all objects of a kind."""
    unknown = message_class("runtime.Unknown")()
    unknown.typeMeta.apiVersion, unknown.typeMeta.kind = api_version, kind
    return MAGIC + bytes(unknown.SerializeToString())


def _unknown_raw(raw: bytes) -> bytes:
    """The rest of runtime.Unknown; messages may be joined where their fields do not repeat.

    Go writes contentEncoding and contentType too, empty, and reads their absence as that.
    """
    rest: bytes = message_class("runtime.Unknown")(
        raw=raw, contentEncoding="", contentType=""
    ).SerializeToString()
    return rest

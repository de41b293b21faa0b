"""`application/vnd.kubernetes.protobuf`: the envelope, and messages of built-in kinds as JSON data.

Owns      the magic prefix, runtime.Unknown, the JSON form of each message as Go would write it.
Leaves    field numbers (types/wire.json, generated), the wire itself (the protobuf runtime).
Invariant what `decode` gives equals what the same client would have sent as JSON; any bytes give
          data or ValueError.
Source    apimachinery runtime/serializer/protobuf; the published .proto files.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

import orjson

from busk8s.api.object import Json

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_MAX = 253_402_300_799  # The end of year 9999, where RFC 3339 ends.
_META_KINDS = frozenset({"DeleteOptions", "Status", "ListOptions", "WatchEvent", "PatchOptions"})
_SCALARS = {"string": 9, "bytes": 12, "bool": 8, "int32": 5, "int64": 3}  # descriptor.proto
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3


def decode(body: bytes) -> Json:
    """The object in `body`, with kind and apiVersion. Raises ValueError, which says why."""
    from google.protobuf.message import DecodeError

    if not body.startswith(MAGIC):
        raise ValueError("the protobuf envelope does not begin with its magic number")
    try:
        unknown = _message("runtime.Unknown").FromString(body[len(MAGIC) :])
        api_version, kind = _text(unknown.typeMeta.apiVersion), _text(unknown.typeMeta.kind)
        name = message_name(api_version, kind)
        if name is None:
            raise ValueError(f'no kind "{kind}" is known in version "{api_version}" as protobuf')
        message = _message(name).FromString(unknown.raw)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a protobuf message: {error}") from error
    data = _to_json(name)(message)
    if not isinstance(data, dict):
        raise ValueError(f'"{kind}" is not an object')
    return {"kind": kind, "apiVersion": api_version, **data}


def encode(data: Json) -> bytes:
    """The inverse of `decode`. Raises KeyError for a kind without a protobuf form."""
    name = message_name(data["apiVersion"], data["kind"])
    if name is None:
        raise KeyError(f"{data['apiVersion']} {data['kind']}")
    unknown = _message("runtime.Unknown")()
    unknown.typeMeta.apiVersion, unknown.typeMeta.kind = data["apiVersion"], data["kind"]
    message = _message(name)()
    _fill(message, name, data)
    unknown.raw = message.SerializeToString()
    return MAGIC + bytes(unknown.SerializeToString())


def message_name(api_version: str, kind: str) -> str | None:
    """`core.v1.Pod` for ("v1", "Pod"); None where there is no such message."""
    group, _, version = api_version.rpartition("/")
    package = f"{group.partition('.')[0] or 'core'}.{version}"
    if kind in _META_KINDS:
        package = "meta.v1"
    return f"{package}.{kind}" if kind in _table().get(package, {}) else None


@dataclass(frozen=True, slots=True)
class Field:
    """`label` is 1, n (list) or m (map by string); `pointer`: Go tells zero from absent;
    `inline`: JSON has the message's fields where the message would be."""

    name: str
    number: int
    label: str
    type: str
    pointer: bool
    omitted_when_empty: bool
    inline: bool


@cache
def fields_of(name: str) -> tuple[Field, ...]:
    package, _, message = name.rpartition(".")
    return tuple(_field(text) for text in _table()[package][message])


def _field(text: str) -> Field:
    name, number, label, kind, flags = (*text.split(" "), "")[:5]
    return Field(name, int(number), label, kind, "p" in flags, "o" in flags, "i" in flags)


@cache
def _table() -> Mapping[str, Mapping[str, list[str]]]:
    source = resources.files("busk8s.api.types").joinpath("wire.json")
    table: dict[str, dict[str, list[str]]] = orjson.loads(source.read_bytes())
    return table


@cache
def _pool() -> Any:
    """Every message as the protobuf runtime wants it; built at the first use of protobuf."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool

    file = FileDescriptorProto(name="kubernetes.proto", package="k", syntax="proto2")
    for package, messages in _table().items():
        for message in messages:
            name = f"{package}.{message}"
            described = file.message_type.add(name=_flat(name))
            for field in fields_of(name):
                _describe(described, field)
    pool = DescriptorPool()
    pool.Add(file)
    return pool


def _describe(message: Any, field: Field) -> None:
    label = _OPTIONAL if field.label == "1" else _REPEATED
    described = message.field.add(name=field.name, number=field.number, label=label)
    target = described
    if field.label == "m":
        entry = message.nested_type.add(name=f"{field.name[0].upper()}{field.name[1:]}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=_OPTIONAL, type=_SCALARS["string"])
        target = entry.field.add(name="value", number=2, label=_OPTIONAL)
        described.type = _MESSAGE
        described.type_name = f".k.{message.name}.{entry.name}"
    if field.type in _SCALARS:
        target.type = _SCALARS[field.type]
    else:
        target.type, target.type_name = _MESSAGE, f".k.{_flat(field.type)}"


def _flat(name: str) -> str:
    return name.replace(".", "_")


@cache
def _message(name: str) -> Any:
    from google.protobuf.message_factory import GetMessageClass

    return GetMessageClass(_pool().FindMessageTypeByName(f"k.{_flat(name)}"))


# Messages to JSON data.


@cache
def _to_json(name: str) -> Callable[[Any], Any]:
    """The function that turns a message `name` into its JSON form."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    fields = fields_of(name)
    if [(f.name, f.label) for f in fields] == [("items", "n")]:
        return lambda message: [
            _text(item) for item in message.items
        ]  # ExtraValue, Verbs: a list in JSON.
    by_number = {field.number: field for field in fields}

    def convert(message: Any) -> Json:
        found: Json = {}
        for descriptor, value in message.ListFields():
            field = by_number[descriptor.number]
            part = _value(field, value)
            if field.inline:
                found.update(part)
            elif part is not None:
                found[field.name] = part
        return found

    return convert


def _value(field: Field, value: Any) -> Any:
    """JSON of a present field; None where Go's JSON would leave it out."""
    one = _SCALAR_FORM.get(field.type) or _to_json(field.type)
    if field.label == "n":
        return [one(item) for item in value]
    if field.label == "m":
        return {_text(key): one(value[key]) for key in sorted(value)}
    if field.type in _SCALARS and not value and field.omitted_when_empty and not field.pointer:
        return None
    return one(value)


def _text(value: str | bytes) -> str:
    """proto2 allows any bytes in a string, and the runtime then gives bytes; JSON does not."""
    if isinstance(value, bytes):
        raise ValueError("a string is not UTF-8")
    return value


_SCALAR_FORM: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "bytes": lambda value: base64.b64encode(value).decode(),
    "bool": bool,
    "int32": int,
    "int64": int,
}


def _time(message: Any, digits: str = "seconds") -> str | None:
    if not message.seconds and not message.nanos:
        return None
    if not 0 <= message.seconds <= _SECONDS_MAX:
        raise ValueError("a time outside the years 1970 to 9999")
    at = _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
    return at.isoformat(timespec=digits).replace("+00:00", "Z")


def _int_or_string(message: Any) -> int | str:
    return _text(message.strVal) if message.type else int(message.intVal)


def _raw_json(data: bytes) -> Any:
    return orjson.loads(data) if data else None


_SPECIAL: dict[str, Callable[[Any], Any]] = {
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": lambda message: _time(message, "microseconds"),
    "resource.Quantity": lambda message: _text(message.string),
    "intstr.IntOrString": _int_or_string,
    "runtime.RawExtension": lambda message: _raw_json(message.raw),
    "meta.v1.FieldsV1": lambda message: _raw_json(message.Raw),
}


# JSON data to messages.


def _fill(message: Any, name: str, data: Any) -> None:
    if name in _FILL_SPECIAL:
        _FILL_SPECIAL[name](message, data)
        return
    fields = fields_of(name)
    if isinstance(data, list):
        message.items.extend(data)
        return
    for field in fields:
        value = data if field.inline else data.get(field.name)
        if value is not None:
            _fill_field(message, field, value)
        elif not field.omitted_when_empty and field.label == "1" and not field.pointer:
            _fill_absent(message, field)


def _fill_field(message: Any, field: Field, value: Any) -> None:
    scalar = field.type in _SCALARS
    target = getattr(message, field.name)
    if field.label == "1" and scalar:
        setattr(message, field.name, _unscalar(field, value))
    elif field.label == "1":
        target.SetInParent()
        _fill(target, field.type, value)
    elif field.label == "n" and scalar:
        target.extend(_unscalar(field, item) for item in value)
    elif field.label == "n":
        for item in value:
            _fill(target.add(), field.type, item)
    elif scalar:
        for key, item in value.items():
            target[key] = _unscalar(field, item)
    else:
        for key, item in value.items():
            target[key].SetInParent()
            _fill(target[key], field.type, item)


def _fill_absent(message: Any, field: Field) -> None:
    """Go writes such a field even when it is empty."""
    if field.type not in _SCALARS:
        getattr(message, field.name).SetInParent()


def _unscalar(field: Field, value: Any) -> Any:
    if field.type != "bytes":
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError(f"{field.name}: not base64: {error}") from error


def _fill_time(message: Any, data: str) -> None:
    at = datetime.fromisoformat(data) - _EPOCH
    message.seconds = at.days * 86_400 + at.seconds
    message.nanos = at.microseconds * 1_000


def _fill_int_or_string(message: Any, data: int | str) -> None:
    if isinstance(data, str):
        message.type, message.strVal = 1, data
    else:
        message.type, message.intVal = 0, data


_FILL_SPECIAL: dict[str, Callable[[Any, Any], None]] = {
    "meta.v1.Time": _fill_time,
    "meta.v1.MicroTime": _fill_time,
    "resource.Quantity": lambda message, data: setattr(message, "string", str(data)),
    "intstr.IntOrString": _fill_int_or_string,
    "runtime.RawExtension": lambda message, data: setattr(message, "raw", orjson.dumps(data)),
    "meta.v1.FieldsV1": lambda message, data: setattr(message, "Raw", orjson.dumps(data)),
}

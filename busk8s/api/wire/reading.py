"""Messages to JSON data, as Go would write it.

Owns      the JSON form of each message.
Leaves    the messages (messages), the other way (writing).
Invariant data that Go could have written, or ValueError.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from busk8s.api.wire.messages import SCALARS, Field, fields_of, is_text_list

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_MAX = 253_402_300_799  # The end of year 9999, where RFC 3339 ends.


@cache
def to_json(name: str) -> Callable[[Any], Any]:
    """The function that turns a message `name` into its JSON form."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    fields = fields_of(name)
    if is_text_list(name):
        return lambda message: [text(item) for item in message.items]
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
    one = _SCALAR_FORM.get(field.type) or to_json(field.type)
    if field.label == "n":
        return [one(item) for item in value]
    if field.label == "m":
        return {text(key): one(value[key]) for key in sorted(value)}
    if field.type in SCALARS and not value and field.omitted_when_empty and not field.pointer:
        return None
    return one(value)


def text(value: str | bytes) -> str:
    """proto2 allows any bytes in a string, and the runtime then gives bytes; JSON does not."""
    if isinstance(value, bytes):
        raise ValueError("a string is not UTF-8")
    return value


_SCALAR_FORM: dict[str, Callable[[Any], Any]] = {
    "string": text,
    "bytes": lambda value: base64.b64encode(value).decode(),
    "bool": bool,
    "int32": int,
    "int64": int,
    "double": lambda value: int(value) if value.is_integer() else float(value),
}


def _time(message: Any, digits: str = "seconds") -> str | None:
    if not message.seconds and not message.nanos:
        return None
    if not 0 <= message.seconds <= _SECONDS_MAX:
        raise ValueError("a time outside the years 1970 to 9999")
    at = _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
    return at.isoformat(timespec=digits).replace("+00:00", "Z")


def _int_or_string(message: Any) -> int | str:
    return text(message.strVal) if message.type else int(message.intVal)


def _raw_json(data: bytes) -> Any:
    return orjson.loads(data) if data else None


def _or_list(message: Any) -> Any:
    schema = to_json(_SCHEMA)
    if message.jSONSchemas:
        return [schema(one) for one in message.jSONSchemas]
    return schema(message.schema) if message.HasField("schema") else None


def _or_bool(message: Any) -> Any:
    if message.HasField("schema"):
        return to_json(_SCHEMA)(message.schema)
    return bool(message.allows)


def _or_names(message: Any) -> Any:
    if message.HasField("schema"):
        return to_json(_SCHEMA)(message.schema)
    return [text(name) for name in message.property]


_SCHEMA = "apiextensions.v1.JSONSchemaProps"
_SPECIAL: dict[str, Callable[[Any], Any]] = {
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": lambda message: _time(message, "microseconds"),
    "resource.Quantity": lambda message: text(message.string),
    "intstr.IntOrString": _int_or_string,
    "runtime.RawExtension": lambda message: _raw_json(message.raw),
    "apiextensions.v1.JSON": lambda message: _raw_json(message.raw),
    "apiextensions.v1.JSONSchemaPropsOrArray": _or_list,
    "apiextensions.v1.JSONSchemaPropsOrBool": _or_bool,
    "apiextensions.v1.JSONSchemaPropsOrStringArray": _or_names,
    "meta.v1.FieldsV1": lambda message: _raw_json(message.Raw),
}

"""JSON data to messages.

Owns      how each message is filled: a plan a message, made at its first use; what needs no
          change on the way goes to the runtime as it is, which fills whole trees by itself.
Leaves    the messages (messages), the other way (reading).
Invariant what `reading` makes of the message means the same as the data. Fields that the message
          has not are left out; ValueError where a value does not fit its field.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

import orjson

from busk8s.api.wire.messages import SCALARS, Field, fields_of, is_text_list, message_class

Json = dict[str, Any]
Form = Callable[[Any], Any]
TIMES_CACHED_MAX = 1_024  # Objects made together bear the same few times.

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fill(name: str, data: Json) -> Any:
    """The message `name` that holds `data`. Raises ValueError."""
    try:
        return message_class(name)(**_former(name)(data))
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{name}: {error}") from error


@cache
def _former(name: str) -> Form:
    """The function from JSON to what the runtime takes for a message `name`."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    if is_text_list(name):
        return lambda data: {"items": data}
    plan: dict[str, tuple[str, Form | None]] = {}
    inline: dict[str, str] = {}
    for field in fields_of(name):
        if field.inline:
            inline |= dict.fromkeys(_keys(field.type), field.attribute)
        else:
            plan[field.name] = (field.attribute, _form(field))
    inner = {f.attribute: _former(f.type) for f in fields_of(name) if f.inline}

    def form(data: Json) -> Json:
        found: Json = {}
        parts: dict[str, Json] = {}
        for key, value in data.items():
            entry = plan.get(key)
            if entry is not None:
                if value is not None:
                    attribute, change = entry
                    found[attribute] = value if change is None else change(value)
            elif key in inline:
                parts.setdefault(inline[key], {})[key] = value
        for key, part in parts.items():
            found[key] = inner[key](part)
        return found

    return form


def _keys(name: str) -> list[str]:
    """The JSON names of a message's fields, those of its inline ones with them."""
    found: list[str] = []
    for field in fields_of(name):
        found += _keys(field.type) if field.inline else [field.name]
    return found


def _form(field: Field) -> Form | None:
    """What a field's value goes through; None: nothing."""
    if field.type in SCALARS:
        if field.type != "bytes":
            return None
        one: Form = _bytes
    else:
        one = _later(field.type)
    if field.label == "n":
        return lambda values: [one(value) for value in values]
    if field.label == "m":
        return lambda values: {key: one(value) for key, value in values.items()}
    return one


def _later(name: str) -> Form:
    """The form of `name`, found when it is needed: messages may hold themselves."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    found: list[Form] = []

    def form(data: Any) -> Any:
        if not found:
            found.append(_former(name))
        return found[0](data)

    return form


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError(f"not base64: {error}") from error


@lru_cache(maxsize=TIMES_CACHED_MAX)
def _time(data: str) -> Mapping[str, int]:
    at = datetime.fromisoformat(data) - _EPOCH
    return {"seconds": at.days * 86_400 + at.seconds, "nanos": at.microseconds * 1_000}


def _int_or_string(data: int | str) -> Json:
    return {"type": 1, "strVal": data} if isinstance(data, str) else {"type": 0, "intVal": data}


def _or_list(data: Any) -> Json:
    schema = _later(_SCHEMA)
    if isinstance(data, list):
        return {"jSONSchemas": [schema(one) for one in data]}
    return {"schema": schema(data)}


def _or_bool(data: Any) -> Json:
    if isinstance(data, bool):
        return {"allows": data}
    return {"allows": True, "schema": _later(_SCHEMA)(data)}


def _or_names(data: Any) -> Json:
    return {"property": data} if isinstance(data, list) else {"schema": _later(_SCHEMA)(data)}


_SCHEMA = "apiextensions.v1.JSONSchemaProps"
_SPECIAL: dict[str, Form] = {
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _time,
    "resource.Quantity": lambda data: {"string": str(data)},
    "intstr.IntOrString": _int_or_string,
    "runtime.RawExtension": lambda data: {"raw": orjson.dumps(data)},
    "apiextensions.v1.JSON": lambda data: {"raw": orjson.dumps(data)},
    "apiextensions.v1.JSONSchemaPropsOrArray": _or_list,
    "apiextensions.v1.JSONSchemaPropsOrBool": _or_bool,
    "apiextensions.v1.JSONSchemaPropsOrStringArray": _or_names,
    "meta.v1.FieldsV1": lambda data: {"Raw": orjson.dumps(data)},
}

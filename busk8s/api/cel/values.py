"""Values of CEL in Python: JSON values are themselves; the rest are the small classes here.

Owns      Uint, Timestamp, Duration, Optional, TypeValue, what type a value is of, equality.
Leaves    Kubernetes' own types (library/*), which are values with a `cel_type`.
Invariant equality of values of different kinds is False, never an error; its work is bounded.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from busk8s.api.cel import types
from busk8s.api.cel.errors import CelEvalError, CostExceeded
from busk8s.api.cel.times import NANOS, parse_duration, parse_timestamp, show_duration, show_time
from busk8s.api.cel.types import CelType

COMPARED_MAX = 1_000_000  # elements looked at by one comparison


class Uint(int):
    """An unsigned integer; a plain int is signed."""

    __slots__ = ()


class Timestamp(int):
    """Nanoseconds since 1970."""

    __slots__ = ()
    cel_type = types.TIMESTAMP

    def when(self) -> datetime:
        return datetime.fromtimestamp(self // NANOS, UTC)

    def __str__(self) -> str:
        return show_time(int(self))


class Duration(int):
    """Nanoseconds."""

    __slots__ = ()
    cel_type = types.DURATION

    def __str__(self) -> str:
        return show_duration(int(self))


class TypeValue:
    """What `type(x)` gives, and what a type's name stands for."""

    __slots__ = ("name",)
    cel_type = CelType("type")

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeValue) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Optional:
    __slots__ = ("present", "value")
    cel_type = types.optional_of(types.DYN)

    def __init__(self, present: bool, value: Any = None) -> None:
        self.present, self.value = present, value


NONE = Optional(False)


class Made(dict[str, Any]):
    """What `Kind{field: value}` gives; `kind` is the name it was made by."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind


_KINDS: dict[type, CelType] = {
    type(None): types.NULL,
    bool: types.BOOL,
    int: types.INT,
    Uint: types.UINT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    list: CelType("list", (types.DYN,)),
    dict: CelType("map", (types.DYN, types.DYN)),
}
_NAMES = {
    "null": "null_type",
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
}


def type_of(value: Any) -> CelType:
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    if isinstance(value, dict):
        return _KINDS[dict]
    return getattr(value, "cel_type", types.DYN)


def type_name(value: Any) -> str:
    of = type_of(value)
    return of.name or _NAMES.get(of.kind, of.kind)


_NUMBERS = frozenset((int, Uint, float))


def equal(a: Any, b: Any) -> bool:
    kind_a, kind_b = type(a), type(b)
    if kind_a is kind_b and kind_a is not list and kind_a is not dict and kind_a is not Optional:
        return bool(a == b)
    if kind_a in _NUMBERS and kind_b in _NUMBERS:
        return bool(a == b)
    return _deep(a, b, [COMPARED_MAX])


def _deep(a: Any, b: Any, left: list[int]) -> bool:
    left[0] -= 1
    if left[0] < 0:
        raise CostExceeded("operation cancelled: actual cost limit exceeded")
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_deep(x, y, left) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(k in b and _deep(v, b[k], left) for k, v in a.items())
    if isinstance(a, Optional) and isinstance(b, Optional):
        return a.present == b.present and (not a.present or _deep(a.value, b.value, left))
    if type(a) is type(b) or (type(a) in _NUMBERS and type(b) in _NUMBERS):
        return bool(a == b)
    return False


def equal_unordered(a: Any, b: Any) -> bool:
    """Of lists that are sets, or maps by key."""
    if not isinstance(a, list) or not isinstance(b, list):
        return equal(a, b)
    if len(a) != len(b):
        return False
    rest, left = list(b), [COMPARED_MAX]
    for one in a:
        found = next((i for i, other in enumerate(rest) if _deep(one, other, left)), -1)
        if found < 0:
            return False
        rest.pop(found)
    return True


def size_of(value: Any) -> int:
    """The length that costs are counted by; 1 for whatever has none."""
    if isinstance(value, (str, list, dict, bytes)):
        return len(value)
    if isinstance(value, Optional) and value.present:
        return size_of(value.value)
    return int(getattr(value, "cel_size", 1))


# ---- JSON values as the type of their schema ----

Convert = Callable[[Any], Any]


def conversion(of: CelType) -> Convert | None:
    """What turns a JSON value into a value of `of`; None where it is one already.

    Objects are left as they are: their fields are turned when they are selected.
    """
    scalar = _SCALARS.get(of.kind)
    if scalar is not None:
        return _unless_null(scalar)
    if of.kind == "list":
        below = conversion(of.params[0])
        return None if below is None else _each(below)
    if of.kind == "map":
        below = conversion(of.params[1])
        return None if below is None else _each_value(below)
    return None


def _unless_null(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _each(below: Convert) -> Convert:
    return lambda value: [below(v) for v in value] if isinstance(value, list) else value


def _each_value(below: Convert) -> Convert:
    def convert(value: Any) -> Any:
        return {k: below(v) for k, v in value.items()} if isinstance(value, dict) else value

    return convert


def _double(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise CelEvalError("invalid data, expected base64 encoded string") from None


def _timestamp(value: Any) -> Any:
    return Timestamp(parse_timestamp(value)) if isinstance(value, str) else value


def _duration(value: Any) -> Any:
    return Duration(parse_duration(value)) if isinstance(value, str) else value


_SCALARS: dict[str, Convert] = {
    "double": _double,
    "bytes": _bytes,
    "timestamp": _timestamp,
    "duration": _duration,
}


def to_json(value: Any) -> Any:
    """The value as JSON; raises CelEvalError where it has no such form."""
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, (Timestamp, Duration)):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    raise CelEvalError(f"type {type_name(value)} has no JSON form")

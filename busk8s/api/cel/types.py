"""The types of CEL, and how a structural schema is one.

Owns      CelType, its names, property names escaped as identifiers, sizes that bound cost.
Leaves    which value is of which type (values), unification (check).
Invariant a type is immutable; equality is structural and ignores sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

REQUEST_BYTES_MAX = 3 * 1024 * 1024  # upstream's bound of one request, from which sizes follow
_UNTYPED_SIZE = 1


@dataclass(frozen=True, slots=True)
class CelType:
    """`kind` is bool, int, uint, double, string, bytes, dyn, null, timestamp, duration, type, list,
    map, object, opaque, param or error; `size_max` bounds length where the schema does."""

    kind: str
    params: tuple[CelType, ...] = ()
    name: str = ""
    fields: Mapping[str, CelType] | None = field(default=None, compare=False)
    # The JSON names of escaped fields, where they differ.
    real_names: Mapping[str, str] = field(default_factory=dict, compare=False)
    size_max: int | None = field(default=None, compare=False)
    size_min_json: int = field(default=_UNTYPED_SIZE, compare=False)
    # x-kubernetes-list-type of a list: "set" and "map" compare without order.
    list_type: str = field(default="", compare=False)
    list_keys: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        if self.kind in ("object", "param"):
            return self.name
        if self.kind == "type" and not self.params:
            return "type"
        named = self.name if self.kind == "opaque" else _SHOWN.get(self.kind, self.kind)
        if not self.params:
            return named
        return f"{named}({', '.join(map(str, self.params))})"


_SHOWN = {"error": "!error!"}

BOOL, INT, UINT, DOUBLE = CelType("bool"), CelType("int"), CelType("uint"), CelType("double")
STRING, BYTES, NULL, DYN = CelType("string"), CelType("bytes"), CelType("null"), CelType("dyn")
TIMESTAMP, DURATION, ERROR = CelType("timestamp"), CelType("duration"), CelType("error")


def list_of(element: CelType, *, size_max: int | None = None) -> CelType:
    return CelType("list", (element,), size_max=size_max)


def map_of(element: CelType, key: CelType = STRING) -> CelType:
    return CelType("map", (key, element))


def object_of(fields: Mapping[str, CelType], name: str = "object") -> CelType:
    return CelType("object", (), name, fields)


def optional_of(element: CelType) -> CelType:
    return CelType("opaque", (element,), "optional_type")


def type_of(element: CelType) -> CelType:
    return CelType("type", (element,))


def opaque(name: str) -> CelType:
    return CelType("opaque", (), name)


# ---- names ----

_KEYWORDS = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
    ]
)
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def escape(name: str) -> str | None:
    """The identifier that stands for a property; None when it cannot be reached."""
    if name in _KEYWORDS:
        return f"__{name}__"
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.\-/]*", name):
        return None
    return re.sub(r"__|[.\-/]", lambda found: _ESCAPES[found[0]], name)


# ---- structural schemas ----


def of_schema(schema: Mapping[str, Any], *, resource_root: bool = False) -> CelType | None:
    """The type rules see; None where the schema says too little for them to see anything."""
    if schema.get("x-kubernetes-int-or-string"):
        length = schema.get("maxLength")
        size = REQUEST_BYTES_MAX - 2 if length is None else max(0, length) * 4
        return CelType("dyn", size_max=size)
    kind = schema.get("type")
    if kind == "array":
        return _array(schema)
    if kind == "object":
        return _object(schema, resource_root)
    if kind == "string":
        return _string(schema)
    return {"boolean": _sized(BOOL, 4), "number": DOUBLE, "integer": INT}.get(str(kind))


def _sized(of: CelType, size_min_json: int, size_max: int | None = None) -> CelType:
    return CelType(of.kind, size_min_json=size_min_json, size_max=size_max)


def _root(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("x-kubernetes-embedded-resource"))


def _array(schema: Mapping[str, Any]) -> CelType | None:
    items = schema.get("items")
    element = of_schema(items, resource_root=_root(items)) if isinstance(items, dict) else None
    if element is None:
        return None
    most = schema.get("maxItems")
    if most is None:
        most = (REQUEST_BYTES_MAX - 2) // (element.size_min_json + 1)
    return CelType(
        "list",
        (element,),
        size_max=max(0, most),
        size_min_json=2,
        list_type=schema.get("x-kubernetes-list-type") or "",
        list_keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
    )


_META = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
    },
}


def _object(schema: Mapping[str, Any], resource_root: bool) -> CelType | None:
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict) and not schema.get("properties"):
        return _mapping(schema, extra)
    properties = dict(schema.get("properties") or {})
    if resource_root:
        properties = {**properties, **_META}
    required = set(schema.get("required") or ())
    fields: dict[str, CelType] = {}
    real: dict[str, str] = {}
    size_min_json = 2
    for name, below in properties.items():
        of = of_schema(below, resource_root=_root(below))
        if of is None:
            continue
        escaped = escape(name)
        if escaped is not None:
            fields[escaped] = of
            if escaped != name:
                real[escaped] = name
        if name in required and below.get("default") is None:
            size_min_json += len(name) + of.size_min_json + 4
    return CelType("object", (), "object", fields, real, size_min_json=size_min_json)


def _mapping(schema: Mapping[str, Any], extra: Mapping[str, Any]) -> CelType | None:
    element = of_schema(extra, resource_root=_root(extra))
    if element is None:
        return None
    most = schema.get("maxProperties")
    if most is None:
        most = (REQUEST_BYTES_MAX - 2) // (element.size_min_json + 6)
    # Upstream takes keys for empty when it estimates: definitions in use rely on it.
    key = _sized(STRING, 2, 0)
    return CelType("map", (key, element), size_max=max(0, most), size_min_json=2)


def _string(schema: Mapping[str, Any]) -> CelType:
    length, choices = schema.get("maxLength"), schema.get("enum")
    match schema.get("format"):
        case "byte":
            most = REQUEST_BYTES_MAX - 2 if length is None else max(0, length)
            return _sized(BYTES, 2, most)
        case "duration":
            return _sized(DURATION, 3, 32)
        case "date":
            return _sized(TIMESTAMP, 12, 12)
        case "date-time":
            return _sized(TIMESTAMP, 21, 32)
    if length is not None:
        return _sized(STRING, 2, max(0, length) * 4)
    if choices:
        return _sized(STRING, 2, max((len(c) for c in choices if isinstance(c, str)), default=0))
    return _sized(STRING, 2, REQUEST_BYTES_MAX - 2)


def walk(of: CelType) -> Iterator[CelType]:
    yield of
    for below in (*of.params, *(of.fields or {}).values()):
        yield from walk(below)

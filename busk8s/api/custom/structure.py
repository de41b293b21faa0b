"""Whether a schema is structural: types at every level, values restricted beside them.

Owns      upstream's invariants of structural schemas, and that all a junctor reasons about is
          also declared outside of it.
Leaves    the rules of each keyword (schemarules), defaults (defaultrules).
Source    upstream's schema/validation.go.
"""

from __future__ import annotations

from typing import Any, Literal

from busk8s.api.custom.patterns import BadPattern, compiled
from busk8s.api.rules.cause import forbidden, invalid, required
from busk8s.errors import Cause

Json = dict[str, Any]
Level = Literal["root", "item", "field"]

_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_EMPTY_TYPE: dict[Level, str] = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_EMBEDDED, _PRESERVE = "x-kubernetes-embedded-resource", "x-kubernetes-preserve-unknown-fields"
_INT_STRING = "x-kubernetes-int-or-string"
# What may not stand inside a junctor, and how upstream says so.
_OUTSIDE_ONLY = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    (_PRESERVE, "must be false to be structural"),
    (_EMBEDDED, "must be false to be structural"),
    (_INT_STRING, "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)


def structural_failures(schema: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    _level(schema, "root", path, causes)
    # Upstream asks this of the root's junctors alone; real definitions rely on it.
    _complete(schema, schema, path, path, causes)
    return sorted(causes, key=lambda cause: f"{cause.field}: {cause.message}")


def _level(schema: Json, level: Level, path: str, causes: list[Cause]) -> None:
    items = schema.get("items")
    if schema.get("type") == "array" and not isinstance(items, dict):
        causes.append(required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        _level(items, "item", f"{path}.items", causes)
    for name, inner in (schema.get("properties") or {}).items():
        _level(inner, "field", f"{path}.properties[{name}]", causes)
    additional = schema.get("additionalProperties")
    if additional is not None and level == "root":
        causes.append(forbidden(f"{path}.additionalProperties", "must not be used at the root"))
    if isinstance(additional, dict):
        _level(additional, "field", f"{path}.additionalProperties", causes)
    _extensions(schema, path, causes)
    any_of, all_of = schema.get("anyOf"), schema.get("allOf") or [{}]
    _junctors(
        schema, path, causes,
        skip_any=any_of == _INT_OR_STRING,
        skip_first_all=all_of[0].get("anyOf") == _INT_OR_STRING,
    )  # fmt: skip
    _types(schema, level, path, causes)
    _metadata(schema, level, path, causes)


def _extensions(schema: Json, path: str, causes: list[Cause]) -> None:
    if not schema.get(_INT_STRING):
        return
    for name in (_PRESERVE, _EMBEDDED):
        if schema.get(name):
            detail = f"must be false if {_INT_STRING} is true"
            causes.append(invalid(f"{path}.{name}", True, detail))


def _types(schema: Json, level: Level, path: str, causes: list[Cause]) -> None:
    kind = schema.get("type") or ""
    at = f"{path}.type"
    if schema.get(_EMBEDDED):
        detail = f"must be object if {_EMBEDDED} is true"
        if not kind:
            causes.append(required(at, detail))
        elif kind != "object":
            causes.append(invalid(at, kind, detail))
        if schema.get("additionalProperties") is not None:
            detail = f"must not be used if {_EMBEDDED} is set"
            causes.append(forbidden(f"{path}.additionalProperties", detail))
        if not schema.get(_PRESERVE) and not schema.get("properties"):
            detail = f"must not be empty if {_EMBEDDED} is true without {_PRESERVE}"
            causes.append(required(f"{path}.properties", detail))
    elif not kind and not schema.get(_INT_STRING) and not schema.get(_PRESERVE):
        causes.append(required(at, _EMPTY_TYPE[level]))
    if level == "root" and kind and kind != "object":
        causes.append(invalid(at, kind, "must be object at the root"))


def _metadata(schema: Json, level: Level, path: str, causes: list[Cause]) -> None:
    properties = schema.get("properties") or {}
    checked = level == "root" or bool(schema.get(_EMBEDDED))
    for name in ("kind", "apiVersion"):
        if checked and name in properties and properties[name].get("type") != "string":
            kind = properties[name].get("type") or ""
            causes.append(invalid(f"{path}.properties[{name}].type", kind, "must be string"))
    metadata = properties.get("metadata")
    if metadata is None:
        return
    at = f"{path}.properties[metadata]"
    if checked and metadata.get("type") != "object":
        causes.append(invalid(f"{at}.type", metadata.get("type") or "", "must be object"))
    if level != "root":
        return
    rest = {name: value for name, value in metadata.items() if value and name != "default"}
    rest.pop("type", None)
    if set(rest.get("properties") or {}) <= {"name", "generateName"}:
        rest.pop("properties", None)
    if rest:
        detail = (
            "must not specify anything other than name and generateName, but metadata is "
            "implicitly specified"
        )
        causes.append(forbidden(at, detail))


def _junctors(
    schema: Json,
    path: str,
    causes: list[Cause],
    *,
    skip_any: bool = False,
    skip_first_all: bool = False,
) -> None:
    for name in ("anyOf", "allOf", "oneOf"):
        for at, branch in enumerate(schema.get(name) or ()):
            if name == "anyOf" and skip_any:
                break
            skip = name == "allOf" and at == 0 and skip_first_all
            _inside(branch, f"{path}.{name}[{at}]", causes, skip_any=skip)
    if (refused := schema.get("not")) is not None:
        _inside(refused, f"{path}.not", causes)
    if pattern := schema.get("pattern"):
        try:
            compiled(pattern)
        except BadPattern as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            causes.append(invalid(f"{path}.pattern", pattern, detail))


def _inside(schema: Json, path: str, causes: list[Cause], *, skip_any: bool = False) -> None:
    _junctors(schema, path, causes, skip_any=skip_any)
    if isinstance(items := schema.get("items"), dict):
        _inside(items, f"{path}.items", causes)
    properties = schema.get("properties") or {}
    for name, inner in properties.items():
        _inside(inner, f"{path}.properties[{name}]", causes)
    for name, detail in _OUTSIDE_ONLY:
        value = schema.get(name)
        stands = value is not None if detail.startswith("must be undefined") else bool(value)
        if name == "additionalProperties" and value is False:
            stands = False
        if stands:
            causes.append(forbidden(f"{path}.{name}", detail))
    if "metadata" in properties:
        detail = "must not be specified in a nested context"
        causes.append(forbidden(f"{path}.properties[metadata]", detail))


def _complete(
    values: Json, schema: Json | None, where: str, said: str, causes: list[Cause]
) -> None:
    """That what `values` restricts in its junctors is declared by `schema`."""
    for name in ("not", "allOf", "anyOf", "oneOf"):
        found = values.get(name)
        if found is None:
            continue
        branches = [found] if name == "not" else found
        for at, branch in enumerate(branches):
            inner = f"{said}.not" if name == "not" else f"{said}.{name}[{at}]"
            _complete_branch(branch, schema, where, inner, causes)


def _complete_branch(
    values: Json, schema: Json | None, where: str, said: str, causes: list[Cause]
) -> None:
    if schema is None:
        causes.append(required(where, f"because it is defined in {said}"))
        return
    _complete(values, schema, where, said, causes)
    if isinstance(items := values.get("items"), dict):
        own = schema.get("items")
        own = own if isinstance(own, dict) else None
        _complete_branch(items, own, f"{where}.items", f"{said}.items", causes)
    declared = schema.get("properties") or {}
    for name, inner in (values.get("properties") or {}).items():
        at = f"properties[{name}]"
        _complete_branch(inner, declared.get(name), f"{where}.{at}", f"{said}.{at}", causes)

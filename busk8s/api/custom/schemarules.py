"""What each keyword of a custom schema must look like.

Owns      types by name, constructs that are not supported, lists and maps, embedded resources,
          and the texts of x-kubernetes-validations.
Leaves    structure as a whole (structure), defaults (defaultrules), compiling rules (rulecheck).
Source    upstream's apiextensions validation of OpenAPI schemas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from busk8s.api.custom.jsonpath import BadPath, field_path
from busk8s.api.rules.cause import forbidden, invalid, not_supported, required
from busk8s.errors import Cause

Json = dict[str, Any]
TYPES = ("array", "boolean", "integer", "number", "object", "string")
REASONS = (
    "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired",
)  # fmt: skip
_META = frozenset(("metadata", "kind", "apiVersion"))
_LIST_TYPE, _MAP_TYPE = "x-kubernetes-list-type", "x-kubernetes-map-type"
_KEYS, _EMBEDDED = "x-kubernetes-list-map-keys", "x-kubernetes-embedded-resource"
_PRESERVE, _RULES = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"
_LINES = re.compile(r"[\n\r]")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema the walk is."""

    root: bool = False
    in_meta: bool = False
    no_defaults: str | None = None


def keyword_failures(schema: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    _walk(schema, path, _Place(root=True), causes)
    return causes


def _walk(schema: Any, path: str, place: _Place, causes: list[Cause]) -> None:
    if not isinstance(schema, dict):
        return
    _supported(schema, path, place, causes)
    inner = replace(place, root=False)
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        below = inner
        if place.in_meta:
            below = replace(
                inner, no_defaults=" inside additionalProperties applying to object metadata"
            )
        _walk(additional, f"{path}.additionalProperties", below, causes)
    resource = place.root or bool(schema.get(_EMBEDDED))
    for name, each in (schema.get("properties") or {}).items():
        below = inner
        if resource and name in _META:
            below = replace(inner, in_meta=True)
            if place.root:
                below = replace(below, no_defaults=f" in top-level {name}")
        _walk(each, f"{path}.properties[{name}]", below, causes)
    if schema.get("not") is not None:
        _walk(schema["not"], f"{path}.not", inner, causes)
    for name in ("allOf", "oneOf", "anyOf"):
        for at, each in enumerate(schema.get(name) or ()):
            _walk(each, f"{path}.{name}[{at}]", inner, causes)
    _walk(schema.get("items"), f"{path}.items", inner, causes)
    _extensions(schema, path, causes)
    _rule_texts(schema, path, causes)


def _supported(schema: Json, path: str, place: _Place, causes: list[Cause]) -> None:
    kind = schema.get("type")
    if kind and kind not in TYPES:
        causes.append(not_supported(f"{path}.type", kind, TYPES))
    if schema.get("default") is not None and place.no_defaults is not None:
        causes.append(forbidden(f"{path}.default", f"must not be set{place.no_defaults}"))
    causes += [
        forbidden(f"{path}.{name}", f"{name} is not supported")
        for name in _UNSUPPORTED
        if schema.get(name) not in (None, {}, "")
    ]
    if kind == "null":
        detail = "type cannot be set to null, use nullable as an alternative"
        causes.append(forbidden(f"{path}.type", detail))
    if isinstance(schema.get("items"), list):
        causes.append(forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if place.in_meta and schema.get(_EMBEDDED):
        detail = "must not be used inside of resource meta"
        causes.append(forbidden(f"{path}.{_EMBEDDED}", detail))
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        causes.append(forbidden(f"{path}.uniqueItems", detail))
    additional = schema.get("additionalProperties")
    if additional is not None and schema.get("properties") and additional is not True:
        detail = "additionalProperties and properties are mutual exclusive"
        causes.append(forbidden(f"{path}.additionalProperties", detail))


def _extensions(schema: Json, path: str, causes: list[Cause]) -> None:
    if schema.get(_PRESERVE) is False:
        causes.append(invalid(f"{path}.{_PRESERVE}", False, "must be true or undefined"))
    _kind_for(schema, _MAP_TYPE, "object", path, causes)
    map_type, list_type = schema.get(_MAP_TYPE), schema.get(_LIST_TYPE)
    if map_type is not None and map_type not in ("atomic", "granular"):
        causes.append(not_supported(f"{path}.{_MAP_TYPE}", map_type, ("atomic", "granular")))
    _kind_for(schema, _LIST_TYPE, "array", path, causes)
    items = schema.get("items")
    if list_type == "set" and schema.get("type") == "array" and isinstance(items, dict):
        _set_items(items, f"{path}.items", causes)
    if list_type is not None and list_type not in ("atomic", "set", "map"):
        supported = ("atomic", "set", "map")
        causes.append(not_supported(f"{path}.{_LIST_TYPE}", list_type, supported))
    if schema.get(_KEYS) and list_type != "map":
        at, detail = f"{path}.{_LIST_TYPE}", f"must be map if {_KEYS} is non-empty"
        causes.append(required(at, detail) if list_type is None else invalid(at, list_type, detail))
    if list_type == "map":
        _list_map(schema, path, causes)
    if list_type in ("map", "set") and isinstance(items, dict):
        _named_items(schema, items, path, causes)


def _kind_for(schema: Json, name: str, kind: str, path: str, causes: list[Cause]) -> None:
    found = schema.get("type")
    if schema.get(name) is None or found == kind:
        return
    detail = f"must be {kind} if {name} is specified"
    at = f"{path}.type"
    causes.append(invalid(at, found, detail) if found else required(at, detail))


def _set_items(items: Json, path: str, causes: list[Cause]) -> None:
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    list_type = items.get(_LIST_TYPE)
    if items.get("type") == "array" and list_type not in (None, "atomic"):
        causes.append(invalid(f"{path}.{_LIST_TYPE}", list_type, detail))
    if items.get("type") == "object" and items.get(_MAP_TYPE) != "atomic":
        causes.append(invalid(f"{path}.{_MAP_TYPE}", list_type, detail))


def _list_map(schema: Json, path: str, causes: list[Cause]) -> None:
    keys, items = schema.get(_KEYS) or [], schema.get("items")
    at = f"{path}.{_KEYS}"
    if not keys:
        causes.append(required(at, "must not be empty if x-kubernetes-list-type is map"))
    if items is None:
        detail = "must have a schema if x-kubernetes-list-type is map"
        causes.append(required(f"{path}.items", detail))
    if not isinstance(items, dict):
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        causes.append(invalid(f"{path}.items.type", items.get("type") or "", detail))
        return
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            causes.append(invalid(at, keys, "entries must all be names of item properties"))
        elif properties[key].get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            causes.append(invalid(f"{path}.items.properties[{key}].type", "object", detail))
        if key in keys[:index]:
            causes.append(invalid(at, keys, "must not contain duplicate entries"))


def _named_items(schema: Json, items: Json, path: str, causes: list[Cause]) -> None:
    if items.get("nullable"):
        detail = f"cannot be nullable when x-kubernetes-list-type is {schema[_LIST_TYPE]}"
        causes.append(forbidden(f"{path}.items.nullable", detail))
    if schema[_LIST_TYPE] != "map":
        return
    properties = items.get("properties") or {}
    this = "this property is in x-kubernetes-list-map-keys, so it"
    for key in schema.get(_KEYS) or ():
        found = properties.get(key)
        if found is None:
            continue
        at = f"{path}.items.properties[{key}]"
        if key not in (items.get("required") or ()) and found.get("default") is None:
            detail = f"{this} must have a default or be a required property"
            causes.append(required(f"{at}.default", detail))
        if found.get("nullable"):
            causes.append(forbidden(f"{at}.nullable", f"{this} cannot be nullable"))


def _rule_texts(schema: Json, path: str, causes: list[Cause]) -> None:
    for at, rule in enumerate(schema.get(_RULES) or ()):
        where = f"{path}.{_RULES}[{at}]"
        text, message = rule.get("rule") or "", rule.get("message") or ""
        if not text.strip():
            causes.append(required(f"{where}.rule", "rule is not specified"))
        elif message and not message.strip():
            causes.append(invalid(f"{where}.message", message, "must be non-empty if specified"))
        elif _LINES.search(message.strip()):
            causes.append(invalid(f"{where}.message", message, "must not contain line breaks"))
        elif _LINES.search(text.strip()) and not message.strip():
            detail = "message must be specified if rule contains line breaks"
            causes.append(required(f"{where}.message", detail))
        expression = rule.get("messageExpression") or ""
        if expression and not expression.strip():
            detail = "messageExpression must be non-empty if specified"
            causes.append(required(f"{where}.messageExpression", detail))
        reason = rule.get("reason")
        if reason is not None and reason not in REASONS:
            causes.append(not_supported(f"{where}.reason", reason, REASONS))
        _rule_path(schema, rule.get("fieldPath") or "", f"{where}.fieldPath", causes)


def _rule_path(schema: Json, text: str, path: str, causes: list[Cause]) -> None:
    if not text:
        return
    if not text.strip():
        causes.append(invalid(path, text, "must be non-empty if specified"))
    if _LINES.search(text):
        causes.append(invalid(path, text, "must not contain line breaks"))
    try:
        field_path(text, schema)
    except BadPath:
        causes.append(invalid(path, text, "must be a valid path"))

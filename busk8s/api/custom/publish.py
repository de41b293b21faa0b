"""Schemas as OpenAPI documents show them.

Owns      what clients of OpenAPI v3 and of v2 get to see of a schema.
Leaves    the root's metadata, group-version-kind and paths (the API server's documents).
Source    upstream's controller/openapi: v2 loses what old kubectl cannot read.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_JUNCTORS = ("allOf", "anyOf", "oneOf", "not")
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def published_v3(schema: Json) -> Json:
    """A copy, complete; int-or-string is told as a choice of types too."""
    out = _mapped(schema, published_v3)
    if out.get("x-kubernetes-int-or-string") and not out.get("anyOf"):
        first = (out.get("allOf") or [{}])[0]
        if first.get("anyOf") != _INT_OR_STRING:
            out["anyOf"] = [dict(each) for each in _INT_OR_STRING]
    return out


def published_v2(schema: Json) -> Json:
    """A copy without what OpenAPI v2 lacks: junctors, nullable, children of untyped places."""
    out = _mapped(schema, published_v2)
    nullable = bool(out.pop("nullable", False))
    for name in _JUNCTORS:
        out.pop(name, None)
    if nullable:
        out.pop("type", None)
    if nullable or out.get("x-kubernetes-preserve-unknown-fields"):
        out.pop("items", None)
        out.pop("properties", None)
        if out.get("type") == "object":
            del out["type"]
    if out.get("type") == "array" and "items" not in out:
        del out["type"]
    if required := out.get("required"):
        inner = schema.get("properties") or {}
        kept = [name for name in required if not (inner.get(name) or {}).get("nullable")]
        additional = schema.get("additionalProperties")
        if isinstance(additional, dict) and additional.get("nullable"):
            kept = []
        out["required"] = kept
        if not kept:
            del out["required"]
    return out


def _mapped(schema: Json, of: Any) -> Json:
    out = dict(schema)
    if isinstance(properties := schema.get("properties"), dict):
        out["properties"] = {name: of(each) for name, each in properties.items()}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            out[name] = of(schema[name])
    return out

"""Printer columns, scale paths and selectable fields of a definition.

Owns      whether they are well formed and point where they may.
Leaves    reading values by them (jsonpath).
Source    upstream's apiextensions validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from busk8s.api.custom.jsonpath import BadPath, field_path, parse
from busk8s.api.rules.cause import duplicate, invalid, required
from busk8s.errors import Cause

Json = dict[str, Any]

SELECTABLE_MAX = 8
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = (
    "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip


def column_failures(column: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if not column.get("name"):
        causes.append(required(f"{path}.name"))
    kind, form = column.get("type") or "", column.get("format") or ""
    types = f"must be one of {','.join(COLUMN_TYPES)}"
    if not kind:
        causes.append(required(f"{path}.type", types))
    elif kind not in COLUMN_TYPES:
        causes.append(invalid(f"{path}.type", kind, types))
    if form and form not in COLUMN_FORMATS:
        detail = f"must be one of {','.join(COLUMN_FORMATS)}"
        causes.append(invalid(f"{path}.format", form, detail))
    text = column.get("jsonPath") or ""
    if not text:
        return [*causes, required(f"{path}.JSONPath")]
    found = _simple(text, f"{path}.JSONPath")
    if not found:
        try:
            parse(text)
        except BadPath as error:
            detail = f"unrecognized column definition {error}"
            found = [invalid(f"{path}.JSONPath", text, detail)]
    return causes + found


def scale_failures(subresources: Json, path: str) -> list[Cause]:
    scale = subresources.get("scale")
    if scale is None:
        return []
    causes: list[Cause] = []
    for name, under in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        text, at = scale.get(name) or "", f"{path}.scale.{name}"
        if not text:
            causes.append(required(at))
        elif found := _simple(text, at):
            causes += found
        elif not text.startswith(f"{under}."):
            causes.append(invalid(at, text, f"should be a json path under {under}"))
    text, at = scale.get("labelSelectorPath") or "", f"{path}.scale.labelSelectorPath"
    if text and (found := _simple(text, at)):
        causes += found
    elif text and not text.startswith((".spec.", ".status.")):
        detail = "should be a json path under either .spec or .status"
        causes.append(invalid(at, text, detail))
    return causes


def _simple(text: str, path: str) -> list[Cause]:
    if not text.startswith("."):
        return [invalid(path, text, "must be a simple json path starting with .")]
    return []


def selectable_failures(fields: Sequence[Json], schema: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, ...]] = set()
    for index, field in enumerate(fields):
        text, at = field.get("jsonPath") or "", f"{path}[{index}].jsonPath"
        if not text:
            causes.append(required(at))
            continue
        try:
            names, found = field_path(text, schema, arrays=False)
        except BadPath as error:
            causes.append(invalid(at, text, f"is an invalid path: {error}"))
            continue
        if names[:1] == ("metadata",):
            causes.append(invalid(at, text, "must not point to fields in metadata"))
        if found.get("type") not in ("string", "boolean", "integer"):
            detail = (
                "must point to a field of type string, boolean or integer. Enum string fields and "
                "strings with formats are allowed."
            )
            causes.append(invalid(at, text, detail))
        if names in seen:
            causes.append(duplicate(at, text))
        seen.add(names)
    if len(seen) > SELECTABLE_MAX:
        message = f"Too many: {len(seen)}: must have at most {SELECTABLE_MAX} items"
        causes.append(Cause("FieldValueTooMany", message, path))
    return causes

"""Schemas inside schemas that the API's types leave open: `items`, `additionalProperties`.

Owns      checking that they are schemas, field by field; dropping what no schema has.
Leaves    all that the decoder's models see by themselves (decode).
Invariant what passes here can be walked as a schema without a further look at JSON types.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.custom.node import inner_schemas
from busk8s.errors import Cause

Json = dict[str, Any]
_OPEN = ("items", "additionalProperties", "additionalItems")


def type_failures(schema: Json, path: str) -> list[Cause]:
    """The first part that is no schema. Unknown fields of open parts are dropped in place."""
    from busk8s.api.fieldcheck import check
    from busk8s.api.mismatch import TypeMismatch
    from busk8s.api.types.apiextensions_v1 import JSONSchemaProps

    pending: list[Any] = [schema]
    while pending:
        here = pending.pop()
        for name in _OPEN:
            part = here.get(name)
            if isinstance(part, dict):
                try:
                    check(part, JSONSchemaProps)
                except TypeMismatch as error:
                    return [_wrong(path, str(error))]
            elif not _closed(name, part):
                return [_wrong(path, f"{name} must be a schema")]
        pending += [each for each in inner_schemas(here) if isinstance(each, dict)]
    return []


def _closed(name: str, part: Any) -> bool:
    """A boolean or nothing; a list of items is refused by name elsewhere."""
    if name == "items":
        return part is None or isinstance(part, list)
    return part is None or isinstance(part, bool)


def _wrong(path: str, detail: str) -> Cause:
    return Cause("FieldValueInvalid", f'Invalid value: "": {detail}', path)

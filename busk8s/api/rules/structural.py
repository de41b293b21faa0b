"""What every kind must have, for the kinds that have no rules of their own here.

Owns      required names: a field that its type requires and a decoder would leave empty.
Leaves    kinds with a module in this package; JSON types and unknown fields (decode).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from busk8s.api import scheme
from busk8s.api.formats import describe
from busk8s.api.rules.cause import required
from busk8s.api.scheme import Resource
from busk8s.errors import Cause

Json = dict[str, Any]

# Required strings that upstream lets be empty, by their struct and JSON name.
MAY_BE_EMPTY = frozenset((("Subject", "name"), ("Condition", "message"), ("Condition", "reason")))
# Not the sender's to fill: servers write them.
_SKIPPED = frozenset(("metadata", "status"))


def validate_structure(resource: Resource, obj: Json) -> list[Cause]:
    causes: list[Cause] = []
    _visit(obj, scheme.model_of(resource), "", causes)
    return causes


def _visit(data: Json, model: type[BaseModel], path: str, causes: list[Cause]) -> None:
    for name, needed, shape, inner in _fields(model):
        if not path and name in _SKIPPED:
            continue
        value = data.get(name)
        here = f"{path}.{name}" if path else name
        if needed and not value:
            causes.append(required(here))
        elif inner is None or not value:
            continue
        elif shape == "list":
            for index, element in enumerate(value):
                _visit(element, inner, f"{here}[{index}]", causes)
        elif shape == "map":
            for key, element in value.items():
                _visit(element, inner, f"{here}[{key}]", causes)
        else:
            _visit(value, inner, here, causes)


@lru_cache(None)
def _fields(
    model: type[BaseModel],
) -> tuple[tuple[str, bool, str, type[BaseModel] | None], ...]:
    """(JSON name, a string that must not be empty, container, struct) of the fields to visit."""
    fields = []
    for name, info in model.model_fields.items():
        alias = info.alias or name
        found = describe(info.annotation, tuple(info.metadata))
        needed = (
            info.is_required()
            and info.annotation is str
            and (model.__name__, alias) not in MAY_BE_EMPTY
        )
        if needed or found.model is not None:
            fields.append((alias, needed, found.shape, found.model))
    return tuple(fields)

"""Scalars with a format of their own, wherever the types mark them, brought to their one text.

Owns      the paths of quantities, times and bytes in each kind, and writing them canonically.
Leaves    the texts themselves (quantity, meta), everything else about the fields (fieldcheck).
Invariant only what is not canonical already is written, so an object that went through here once
          may share its parts with others and go through again.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from busk8s.api.meta import format_micro_time, format_time, parse_time
from busk8s.api.quantity import canonical
from busk8s.api.types.markers import Format, PatchMerge

Json = dict[str, Any]
_UTC_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_UTC_MICROS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(slots=True)
class Plan:
    """What to visit in a struct: `leaves` by their name, `inner` structs, lists and maps."""

    leaves: tuple[tuple[str, _Leaf], ...] = ()
    inner: tuple[tuple[str, Plan, str], ...] = field(default=())

    @property
    def empty(self) -> bool:
        return not self.leaves and not self.inner


@lru_cache(None)
def plan_of(model: type[BaseModel]) -> Plan:
    return _Planning().plan(model)


def normalise(data: Json, plan: Plan) -> None:
    """In place. ValueError, in the words of the scalar's own parser, on a text that is illegal."""
    for name, leaf in plan.leaves:
        value = data.get(name)
        if value is not None:
            leaf(data, name, value)
    for name, inner, shape in plan.inner:
        value = data.get(name)
        if not value:
            continue
        if shape == "struct":
            if isinstance(value, dict):
                normalise(value, inner)
        elif isinstance(value, list) or (shape == "map" and isinstance(value, dict)):
            for element in value if isinstance(value, list) else value.values():
                if isinstance(element, dict):
                    normalise(element, inner)


_Leaf = Callable[[Json, str, Any], None]


def _quantity(owner: Json, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return  # the type check names it
    if (text := canonical(value)) != value:
        owner[name] = text


def _quantities(owner: Json, name: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, quantity in value.items():
            _quantity(value, key, quantity)


def _time(owner: Json, name: str, value: Any) -> None:
    if isinstance(value, str) and not _UTC_SECONDS.fullmatch(value):
        owner[name] = format_time(_parsed_time(value, "2006-01-02T15:04:05Z07:00"))


def _micro_time(owner: Json, name: str, value: Any) -> None:
    if isinstance(value, str) and not _UTC_MICROS.fullmatch(value):
        owner[name] = format_micro_time(_parsed_time(value, "2006-01-02T15:04:05.000000Z07:00"))


def _parsed_time(text: str, layout: str) -> float:
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        message = f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"'
        raise ValueError(message) from None


def _bytes(owner: Json, name: str, value: Any) -> None:
    if isinstance(value, str):
        try:
            binascii.a2b_base64(value.replace("\n", "").replace("\r", ""), strict_mode=True)
        except ValueError:
            raise ValueError("illegal base64 data at input byte 0") from None


def _many_bytes(owner: Json, name: str, value: Any) -> None:
    for key, text in value.items() if isinstance(value, dict) else ():
        _bytes(value, key, text)


_LEAVES: dict[tuple[str, str], _Leaf] = {
    ("quantity", ""): _quantity,
    ("quantity", "map"): _quantities,
    ("time", ""): _time,
    ("micro-time", ""): _micro_time,
    ("bytes", ""): _bytes,
    ("bytes", "map"): _many_bytes,
}


class _Planning:
    """Walks a model once. A model that contains itself is cut where it comes up again."""

    def __init__(self) -> None:
        self._open: dict[type[BaseModel], Plan] = {}

    def plan(self, model: type[BaseModel]) -> Plan:
        if model in self._open:
            return self._open[model]
        self._open[model] = plan = Plan()
        leaves, inner = [], []
        for name, info in model.model_fields.items():
            alias = info.alias or name
            found = describe(info.annotation, tuple(info.metadata))
            if leaf := _LEAVES.get((found.format, found.shape)):
                leaves.append((alias, leaf))
            elif found.model is not None:
                child = self.plan(found.model)
                if not child.empty or child is plan:
                    inner.append((alias, child, found.shape or "struct"))
        plan.leaves, plan.inner = tuple(leaves), tuple(inner)
        return plan


@dataclass(slots=True)
class Description:
    """Format, container, struct and merge rule of one field."""

    format: str = ""
    shape: str = ""
    model: type[BaseModel] | None = None
    patch_strategy: str = ""
    merge_key: str = ""


def describe(annotation: Any, metadata: tuple[Any, ...]) -> Description:
    """Reads a field's annotation and the metadata beside it."""
    found = Description()
    pending = [(annotation, metadata)]
    while pending:
        here, marks = pending.pop()
        for mark in marks:
            if isinstance(mark, Format):
                found.format = mark.name
            elif isinstance(mark, PatchMerge):
                found.patch_strategy, found.merge_key = mark.strategy, mark.key
        if extra := getattr(here, "__metadata__", None):
            pending.append((here.__origin__, extra))
        elif (origin := get_origin(here)) is list:
            found.shape = "list"
            pending.append((get_args(here)[0], ()))
        elif origin is dict:
            found.shape = "map"
            pending.append((get_args(here)[1], ()))
        elif isinstance(here, type):
            if issubclass(here, BaseModel):
                found.model = here
        else:
            pending += [(arg, ()) for arg in get_args(here) if arg is not type(None)]
    return found

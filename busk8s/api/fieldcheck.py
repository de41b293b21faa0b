"""Checks a document against its model: unknown fields, wrong types, absent required fields.

Owns      which of pydantic's findings is told, dropping unknown fields, and filling required ones
          with zero values, as a Go decoder leaves them.
Leaves    reading bytes (decode), the words for a wrong type (mismatch), what values mean
          (validation).
Invariant one pass of the model's validator when nothing is wrong; the rest is the slow path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ValidationError

from busk8s.api.formats import describe
from busk8s.api.mismatch import TypeMismatch, core_of
from busk8s.api.shapes import validator_of

Json = dict[str, Any]
Location = tuple[str | int, ...]

# A zero value may itself lack required fields; no kind nests them deeper than this.
FILL_ROUNDS_MAX = 8
# Upstream names at most this many strict errors of one body.
STRICT_ERRORS_MAX = 100


def check(data: Json, model: type[BaseModel]) -> list[str]:
    """Makes `data` fit `model` in place; answers the paths of the unknown fields it dropped."""
    unknown: list[str] = []
    for _ in range(FILL_ROUNDS_MAX):
        try:
            validator_of(model).validate_python(data)
            return unknown
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False)
        wrong = [e for e in found if e["type"] not in ("extra_forbidden", "missing")]
        if wrong:
            raise _mismatch(model, wrong[0]["loc"], wrong[0]["input"])
        for entry in found:
            if entry["type"] == "extra_forbidden":
                unknown.append(path_text(entry["loc"]))
                _drop(data, entry["loc"])
            else:
                _fill(data, entry["loc"], model)
    return unknown


def path_text(location: Sequence[str | int]) -> str:
    """`spec.containers[0].name`."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return text


def _drop(data: Any, location: Location) -> None:
    for step in location[:-1]:
        data = data[step]
    data.pop(location[-1], None)


def _fill(data: Any, location: Location, model: type[BaseModel]) -> None:
    owner, annotation = _described(model, location)
    for step in location[:-1]:
        data = data[step]
    info = _field(owner, str(location[-1]))
    quantity = info is not None and describe(annotation, tuple(info.metadata)).format == "quantity"
    data[location[-1]] = "0" if quantity else _zero(annotation)


def _zero(annotation: Any) -> Any:
    core = core_of(annotation)
    origin = get_origin(core) or core
    if origin in (list, dict, str, int, bool, float):
        return origin()
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        return {}
    arms = [core_of(arg) for arg in get_args(core)]
    return arms[0]() if arms and arms[0] in (str, int) else None


def _mismatch(model: type[BaseModel], location: Location, value: Any) -> TypeMismatch:
    owner, annotation = _described(model, location)
    fields = _fields(model, _real(model, location))
    return TypeMismatch(owner, fields, annotation, value)


def _fields(model: type[BaseModel], location: Location) -> list[str]:
    """The fields on the way: keys of maps and places in lists are none."""
    found: list[str] = []
    for index, step in enumerate(location):
        _, annotation = _described(model, location[:index])
        if isinstance(step, str) and get_origin(core_of(annotation)) is not dict:
            found.append(step)
    return found


def _described(model: type[BaseModel], location: Location) -> tuple[type[BaseModel], Any]:
    """The struct that holds the field at `location`, and the annotation of the value there."""
    owner, annotation = model, model
    for step in location:
        core: Any = core_of(annotation)
        origin = get_origin(core)
        if isinstance(core, type) and issubclass(core, BaseModel):
            info = _field(core, str(step))
            if info is None:
                break
            owner, annotation = core, info.annotation
        elif origin is list and isinstance(step, int):
            annotation = get_args(core)[0]
        elif origin is dict:
            annotation = get_args(core)[1]
        else:
            break
    return owner, annotation


def _real(model: type[BaseModel], location: Location) -> Location:
    """`location` without the steps pydantic adds for the arms of a union."""
    kept = list(location)
    while len(kept) > 1 and kept[-1] in ("int", "str", "[key]"):
        kept.pop()
    return tuple(kept)


def _field(model: type[BaseModel], alias: str) -> Any:
    for name, info in model.model_fields.items():
        if (info.alias or name) == alias:
            return info
    return None

"""What a field of a built-in kind looks like: the answers patch, decode and field ownership need.

Owns      reading the models' annotations and markers, once a field, into a plain value.
Leaves    the models (api.types), what is done with the answers.
Invariant no validator is built for an answer; the same field always gives the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ForwardRef, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from busk8s.api.types.markers import Format, ListType, MapType, PatchMerge

_SCALARS: dict[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    Any: "any",
}


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field. Of a list or map, `model` and `scalar` speak of the items; `inner` is their shape.

    `scalar` is "" for a struct, else string, integer, number, boolean, quantity, time, micro-time,
    int-or-string, bytes (base64) or any. `map_type` is "atomic" where the whole is one value.
    """

    model: type[BaseModel] | None = None
    is_list: bool = False
    is_map: bool = False
    list_type: str = ""
    keys: tuple[str, ...] = ()
    patch_strategy: str = ""
    merge_key: str = ""
    scalar: str = ""
    map_type: str = ""
    required: bool = False
    inner: FieldShape | None = None


@cache
def shapes(model: type[BaseModel]) -> Mapping[str, FieldShape]:
    """JSON name -> shape, for every field of `model`."""
    return {
        field.alias or name: _field_shape(field, model)
        for name, field in model.model_fields.items()
    }


def shape(model: type[BaseModel], json_name: str) -> FieldShape | None:
    """The shape of one field; None when `model` has no such field."""
    return shapes(model).get(json_name)


def _field_shape(field: FieldInfo, owner: type[BaseModel]) -> FieldShape:
    found = _annotation_shape(field.annotation, owner)
    for marker in field.metadata:
        found = _with_marker(found, marker)
    return replace(found, required=field.is_required())


def _annotation_shape(annotation: Any, owner: type[BaseModel]) -> FieldShape:
    if isinstance(annotation, str | ForwardRef):
        # Only a class that contains itself is named by a string in the generated modules.
        return _named_shape(annotation, owner)
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *markers = get_args(annotation)
        found = _annotation_shape(inner, owner)
        for marker in markers:
            found = _with_marker(found, marker)
        return found
    if origin in (Union, UnionType):
        choices = [arg for arg in get_args(annotation) if arg is not NoneType]
        return _annotation_shape(choices[0], owner)
    if origin is list:
        inner_shape = _annotation_shape(get_args(annotation)[0], owner)
        return _around(inner_shape, is_list=True)
    if origin is dict:
        inner_shape = _annotation_shape(get_args(annotation)[1], owner)
        return _around(inner_shape, is_map=True)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return FieldShape(model=annotation, map_type=getattr(annotation, "map_type", ""))
    return FieldShape(scalar=_SCALARS[annotation])


def _named_shape(annotation: str | ForwardRef, owner: type[BaseModel]) -> FieldShape:
    text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
    itself = FieldShape(model=owner)
    if text.startswith("dict["):
        return _around(itself, is_map=True)
    return _around(itself, is_list=True) if text.startswith("list[") else itself


def _around(inner: FieldShape, *, is_list: bool = False, is_map: bool = False) -> FieldShape:
    return FieldShape(
        model=inner.model, scalar=inner.scalar, is_list=is_list, is_map=is_map, inner=inner
    )


def _with_marker(found: FieldShape, marker: object) -> FieldShape:
    if isinstance(marker, ListType):
        return replace(found, list_type=marker.kind, keys=marker.keys)
    if isinstance(marker, MapType):
        return replace(found, map_type=marker.kind)
    if isinstance(marker, PatchMerge):
        return replace(found, patch_strategy=marker.strategy, merge_key=marker.key)
    if isinstance(marker, Format):
        return replace(found, scalar=marker.name)
    return found

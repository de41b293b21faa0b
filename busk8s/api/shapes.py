"""The check of a plain document against a model, without making the model.

Owns      one pydantic-core validator a kind, built from the model's fields: closed structs, exact
          JSON types, required fields.
Leaves    the messages (fieldcheck), formats of scalars (formats).
Invariant answers as `model.model_validate(data, strict=True, extra="forbid", by_name=False)`
          would, save for required times: their zero value is null, so absent is right. Making no
          instance with its defaults is what makes it faster: a pod's spec has some forty fields,
          and its sender names ten.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from busk8s.api.formats import describe

_SCALARS: dict[Any, CoreSchema] = {
    str: core_schema.str_schema(strict=True),
    int: core_schema.int_schema(strict=True),
    bool: core_schema.bool_schema(strict=True),
    float: core_schema.float_schema(strict=True),
    Any: core_schema.any_schema(),
}


_TIMES = ("time", "micro-time")


@lru_cache(None)
def validator_of(model: type[BaseModel]) -> SchemaValidator:
    building = _Building()
    schema = building.of(model)
    return SchemaValidator(core_schema.definitions_schema(schema, building.definitions))


class _Building:
    """Structs are written in place; only one that contains itself becomes a definition."""

    def __init__(self) -> None:
        self.definitions: list[CoreSchema] = []
        self._open: list[type[BaseModel]] = []
        self._recursive: set[type[BaseModel]] = set()

    def of(self, annotation: Any) -> CoreSchema:
        if hasattr(annotation, "__metadata__"):
            return self.of(annotation.__origin__)
        if (scalar := _SCALARS.get(annotation)) is not None:
            return scalar
        origin = get_origin(annotation)
        arms = [arg for arg in get_args(annotation) if arg is not type(None)]
        if origin is list:
            return core_schema.list_schema(self.of(arms[0]), strict=True)
        if origin is dict:
            return core_schema.dict_schema(_SCALARS[str], self.of(arms[1]), strict=True)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self._struct(annotation)
        if len(arms) == 1:
            return self.of(arms[0])
        return core_schema.union_schema([self.of(arm) for arm in arms])

    def _struct(self, model: type[BaseModel]) -> CoreSchema:
        name = f"{model.__module__}.{model.__name__}"
        if model in self._open or model in self._recursive:
            self._recursive.add(model)
            return core_schema.definition_reference_schema(name)
        self._open.append(model)
        schema = core_schema.typed_dict_schema(
            {
                info.alias or field: core_schema.typed_dict_field(
                    self.of(info.annotation), required=_required(info)
                )
                for field, info in model.model_fields.items()
            },
            strict=True,
            extra_behavior="forbid",
        )
        self._open.pop()
        if model not in self._recursive:
            return schema
        self.definitions.append({**schema, "ref": name})
        return core_schema.definition_reference_schema(name)


def _required(info: FieldInfo) -> bool:
    times = describe(info.annotation, tuple(info.metadata)).format in _TIMES
    return info.is_required() and not times

"""What the published definitions say of a field beyond its Python type.

Owns      the markers the generated models carry in `Annotated`, and the scalar types made of them.
Leaves    the models (generated, beside this file), reading the markers (api.structure).
Invariant a marker is frozen and compared by value; it never changes what a model accepts, save
          that quantities may be given as numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True, slots=True)
class ListType:
    """`x-kubernetes-list-type` and, for `map`, the keys that tell its items apart."""

    kind: Literal["atomic", "set", "map"]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MapType:
    """`x-kubernetes-map-type`: `atomic` maps and structs are owned and replaced whole."""

    kind: Literal["atomic", "granular"]


@dataclass(frozen=True, slots=True)
class PatchMerge:
    """How a strategic merge patch treats the field: `merge`, `retainKeys`, or both."""

    strategy: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """Names what a scalar's text means: quantity, time, micro-time, int-or-string, bytes, any."""

    name: str


# A number is accepted and kept as its text: `cpu: 2` means the same as `cpu: "2"`.
Quantity: TypeAlias = Annotated[
    str, Field(strict=False, coerce_numbers_to_str=True), Format("quantity")
]
Time: TypeAlias = Annotated[str, Format("time")]
MicroTime: TypeAlias = Annotated[str, Format("micro-time")]
IntOrString: TypeAlias = Annotated[int | str, Format("int-or-string")]
Base64: TypeAlias = Annotated[str, Format("bytes")]
AnyJson: TypeAlias = Annotated[Any, Format("any")]


class Model(BaseModel):
    """The base of every generated model. Its validator is built when it is first needed."""

    model_config = ConfigDict(
        populate_by_name=True,
        extra="ignore",
        strict=True,
        defer_build=True,
        protected_namespaces=(),
    )

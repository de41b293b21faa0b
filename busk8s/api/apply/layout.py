"""How the fields of a kind are owned: each by itself, by key, by value, or as one whole.

Owns      Layout, one node a type, compiled once from a model's shapes.
Leaves    reading the models (api.structure), everything done with a document (beside this).
Invariant the same model always gives the same Layout; a type that contains itself is a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel

from busk8s.api.apply.presence import always
from busk8s.api.structure import FieldShape, shapes

Kind = Literal["leaf", "struct", "map", "keyed", "set", "any"]

# The defaults of built-in kinds' fields that are keys of lists: absent means this.
KEY_DEFAULTS: dict[str, Any] = {"protocol": "TCP"}


@dataclass(slots=True, eq=False)
class Layout:
    """leaf    a scalar, or a list, map or struct that is owned as one value.
    struct  named fields; `fields` by JSON name.
    map     any keys, each holding an `item`.
    keyed   a list of structs (`item`) told apart by `keys`.
    set     a list of scalars told apart by their value.
    any     untyped: maps are entered, all else is a leaf.

    Of a struct `always` names fields that are there, empty, when a document leaves them out.
    Of a keyed list `key_defaults` says what keys mean that an item leaves out.
    Of a leaf `whole` is what it must look like inside; None: a scalar of the type `scalar`.
    """

    kind: Kind
    fields: dict[str, Layout] = field(default_factory=dict)
    item: Layout | None = None
    keys: tuple[str, ...] = ()
    whole: Layout | None = None
    scalar: str = "any"
    key_defaults: dict[str, Any] = field(default_factory=lambda: KEY_DEFAULTS)
    always: tuple[str, ...] = ()
    _typed: bool | None = None

    def child(self, name: str) -> Layout | None:
        """What a map or struct holds under `name`; None: a struct has no such field."""
        return self.fields.get(name) if self.kind == "struct" else self.item or ANYTHING

    @property
    def typed(self) -> bool:
        """Whether nothing below is untyped: then Python's `==` tells JSON values apart."""
        if self._typed is None:
            self._typed = not _holds_anything(self, [])
        return self._typed


def _holds_anything(layout: Layout, above: list[Layout]) -> bool:
    if layout.kind == "any":
        return True
    if layout in above:
        return False
    # managedFields are taken apart before documents are compared, and mean nothing deeper down.
    fields = [inner for name, inner in layout.fields.items() if name != "managedFields"]
    inner = [*fields, *filter(None, (layout.item, layout.whole))]
    return any(_holds_anything(one, [*above, layout]) for one in inner)


ANYTHING = Layout("any")
_SCALARS = ("string", "integer", "number", "boolean")
_TEXTS = ("bytes",)


@cache
def layout_of(model: type[BaseModel]) -> Layout:
    """The layout of a kind's documents."""
    return _Compiling().struct(model)


class _Compiling:
    def __init__(self) -> None:
        self._known: dict[type[BaseModel], Layout] = {}

    def struct(self, model: type[BaseModel]) -> Layout:
        known = self._known.get(model)
        if known is None:
            known = self._known[model] = Layout("struct")
            known.fields = {name: self.of(shape) for name, shape in shapes(model).items()}
            known.always = tuple(sorted(always(model) & known.fields.keys()))
        return known

    def of(self, shape: FieldShape) -> Layout:
        if shape.is_list:
            return self._list(shape)
        if shape.is_map:
            assert shape.inner is not None
            return self._maybe_whole(shape, Layout("map", item=self.of(shape.inner)))
        if shape.model is not None:
            return self._maybe_whole(shape, self.struct(shape.model))
        if shape.scalar == "any":
            return ANYTHING
        if shape.scalar in _TEXTS:
            return Layout("leaf", scalar="string")
        return Layout("leaf", scalar=shape.scalar if shape.scalar in _SCALARS else "any")

    def _list(self, shape: FieldShape) -> Layout:
        assert shape.inner is not None
        item = self.of(shape.inner)
        if shape.list_type == "map":
            return Layout("keyed", item=item, keys=tuple(sorted(shape.keys)))
        if shape.list_type == "set":
            return Layout("set", item=item)
        return Layout("leaf", whole=Layout("set", item=item))

    def _maybe_whole(self, shape: FieldShape, layout: Layout) -> Layout:
        return Layout("leaf", whole=layout) if shape.map_type == "atomic" else layout

"""How the fields of custom objects are owned: the layout that server-side apply walks.

Owns      turning a schema into a Layout (list maps, sets, atomics, typed and untyped places).
Leaves    applying (api.apply).
Source    upstream's conversion of published schemas into types of structured-merge-diff.
"""

from __future__ import annotations

from busk8s.api.apply.layout import ANYTHING, Layout, layout_of
from busk8s.api.custom.node import Node

# Most places are scalars: all share a leaf.
_SCALARS = {
    kind: Layout("leaf", scalar=kind) for kind in ("string", "integer", "number", "boolean")
}
_EITHER = Layout("leaf", scalar="any")


def root_layout(root: Node) -> Layout:
    """The layout of whole objects: `metadata` is ObjectMeta's whatever the schema says."""
    fields = {name: layout_from(child) for name, child in root.properties.items()}
    fields |= _typed_meta()
    return _open(fields) if root.preserve else Layout("struct", fields=fields)


def _typed_meta() -> dict[str, Layout]:
    from busk8s.api.types.meta_v1 import ObjectMeta

    text = _SCALARS["string"]
    return {"apiVersion": text, "kind": text, "metadata": layout_of(ObjectMeta)}


class _OpenStruct(Layout):
    """A struct that may hold more than its fields: the rest is untyped."""

    __slots__ = ()

    def child(self, name: str) -> Layout | None:
        return self.fields.get(name, self.item or ANYTHING)


def _open(fields: dict[str, Layout], item: Layout | None = None) -> Layout:
    return _OpenStruct("map", fields=fields, item=item or ANYTHING)


def layout_from(node: Node) -> Layout:
    if node.int_or_string:
        return _EITHER
    if not node.types:
        return ANYTHING
    kind = node.types[0]
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind == "array":
        return _list(node)
    return _object(node)


def _object(node: Node) -> Layout:
    if isinstance(node.additional, Node):
        inner = layout_from(node.additional)
        layout = (
            _open({n: layout_from(c) for n, c in node.properties.items()}, inner)
            if node.properties
            else Layout("map", item=inner)
        )
    elif node.preserve or node.additional is True:
        named = _struct(node).fields
        layout = _open(named) if named else ANYTHING
    else:
        layout = _struct(node)
    return Layout("leaf", whole=layout) if node.map_type == "atomic" else layout


def _struct(node: Node) -> Layout:
    fields = {name: layout_from(child) for name, child in node.properties.items()}
    if node.embedded:
        fields |= _typed_meta()
    return Layout("struct", fields=fields)


def _list(node: Node) -> Layout:
    item = layout_from(node.items) if node.items is not None else ANYTHING
    if node.list_type == "map":
        inner = node.items.properties if node.items is not None else {}
        defaults = {
            key: inner[key].default
            for key in node.list_keys
            if key in inner and inner[key].has_default
        }
        keys = tuple(sorted(node.list_keys))
        return Layout("keyed", item=item, keys=keys, key_defaults=defaults)
    if node.list_type == "set":
        return Layout("set", item=item)
    return Layout("leaf", whole=Layout("set", item=item))

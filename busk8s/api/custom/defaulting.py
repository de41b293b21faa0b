"""Fills in the defaults of a schema.

Owns      defaults of absent fields, and of nulls where null is not allowed.
Leaves    whether a default is legal (defaultrules).
Invariant twice does no more than once; what is filled in is never shared between objects.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from busk8s.api.custom.node import Node


def apply_defaults(value: Any, node: Node | None) -> None:
    """In place."""
    if node is None:
        return
    if isinstance(value, dict):
        _fill_object(value, node)
    elif isinstance(value, list) and (item := node.items) is not None:
        for at, each in enumerate(value):
            if each is None and not item.nullable:
                value[at] = deepcopy(item.default)
            if isinstance(value[at], dict | list):
                apply_defaults(value[at], item)


def _fill_object(value: dict[str, Any], node: Node) -> None:
    for key, child in node.properties.items():
        if child.has_default and (key not in value or (value[key] is None and not child.nullable)):
            value[key] = deepcopy(child.default)
    for key in value:
        found = node.properties.get(key)
        if found is None:
            found = node.under(key)
            if found is None:
                continue
            if value[key] is None and not found.nullable:
                value[key] = deepcopy(found.default)
        if isinstance(value[key], dict | list):
            apply_defaults(value[key], found)


def drop_nulls(value: Any, node: Node | None) -> None:
    """Drops fields that are null, may not be, and have no default to take their place. In place."""
    if node is None:
        return
    if isinstance(value, dict):
        for key, each in list(value.items()):
            if each is not None and not isinstance(each, dict | list):
                continue
            child = node.under(key)
            if each is not None:
                drop_nulls(each, child)
            elif child is not None and not child.nullable and not child.has_default:
                del value[key]
    elif isinstance(value, list):
        for each in value:
            drop_nulls(each, node.items)

"""Drops what a schema does not name.

Owns      pruning of unknown fields, with their paths; nulls that no schema allows.
Leaves    metadata of the object and of embedded resources (embedded).
Invariant twice does no more than once; `apiVersion`, `kind` and `metadata` of an object and of an
          embedded resource are left alone.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.custom.node import Node

META_FIELDS = frozenset(("apiVersion", "kind", "metadata"))


def prune(value: Any, root: Node) -> list[str]:
    """In place. The paths of what was dropped, sorted, as strict decoding names them."""
    dropped: list[str] = []
    _prune(value, root, "", dropped)
    return sorted(dropped)


def _prune(value: Any, node: Node | None, path: str, dropped: list[str]) -> None:
    if node is not None and node.preserve:
        _keep_unknown(value, node, path, dropped)
    elif isinstance(value, dict):
        _prune_object(value, node, path, dropped)
    elif isinstance(value, list):
        item = node.items if node is not None else None
        for at, each in enumerate(value):
            if isinstance(each, dict | list):
                _prune(each, item, f"{path}[{at}]", dropped)


def _prune_object(value: dict[str, Any], node: Node | None, path: str, dropped: list[str]) -> None:
    unknown: list[str] = []
    for key, each in value.items():
        if node is not None:
            if node.embedded and key in META_FIELDS:
                continue
            child = node.properties.get(key)
            if child is not None or node.additional is not None:
                if isinstance(each, dict | list):
                    inner = child if child is not None else node.under(key)
                    _prune(each, inner, f"{path}.{key}" if path else key, dropped)
                continue
        unknown.append(key)
    for key in unknown:
        del value[key]
        dropped.append(f"{path}.{key}" if path else key)


def _keep_unknown(value: Any, node: Node | None, path: str, dropped: list[str]) -> None:
    """Where unknown fields are kept, what is named is still pruned inside."""
    if node is None:
        return
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(each, dict | list) or (node.embedded and key in META_FIELDS):
                continue
            if key in node.properties or node.additional is not None:
                _prune(each, node.under(key), f"{path}.{key}" if path else key, dropped)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            _keep_unknown(each, node.items, f"{path}[{at}]", dropped)

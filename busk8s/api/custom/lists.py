"""Lists whose items are told apart: sets by value, maps by their keys.

Owns      finding what is there twice, with upstream's causes.
Leaves    whether such lists may be declared (schemarules).
Invariant each repeated item is named once, at its second place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from busk8s.api.custom.findings import duplicate, invalid, shown
from busk8s.api.custom.node import Node
from busk8s.errors import Cause


def list_failures(value: Any, node: Node | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    _walk(value, node, path, causes)
    return causes


def _walk(value: Any, node: Node | None, path: str, causes: list[Cause]) -> None:
    if node is None:
        return
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, dict | list) and (child := node.under(key)) is not None:
                at = f"{path}.{key}" if path else key
                if key not in node.properties:
                    at = f"{path}[{key}]"
                _walk(each, child, at, causes)
    elif isinstance(value, list):
        if node.list_type == "set":
            causes += [duplicate(f"{path}[{at}]", value[at]) for at in _repeated(value)]
        elif node.list_type == "map":
            causes += _map_failures(value, node, path)
        if (item := node.items) is not None:
            for at, each in enumerate(value):
                if isinstance(each, dict | list):
                    _walk(each, item, f"{path}[{at}]", causes)


def _map_failures(value: Sequence[Any], node: Node, path: str) -> list[Cause]:
    for at, each in enumerate(value):
        if each is not None and not isinstance(each, dict):
            detail = "must be an object for an array of list-type map"
            return [invalid(f"{path}[{at}]", each, detail)]
    if len(value) < 2:
        return []
    keys = [
        {name: each[name] for name in node.list_keys if name in each} for each in _objects(value)
    ]
    return [duplicate(f"{path}[{at}]", keys[at]) for at in _repeated(keys)]


def _objects(value: Sequence[Any]) -> list[dict[str, Any]]:
    return [each or {} for each in value]


def _repeated(values: Sequence[Any]) -> list[int]:
    """Where a value comes up for the second time."""
    times: dict[tuple[str, Any], int] = {}
    found = []
    for at, value in enumerate(values):
        scalar = not isinstance(value, dict | list)
        key = (type(value).__name__, value if scalar else shown(value))
        seen = times[key] = times.get(key, 0) + 1
        if seen == 2:
            found.append(at)
    return found

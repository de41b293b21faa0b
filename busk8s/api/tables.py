"""The columns that `kubectl get` shows, and each object's cells.

Owns      column definitions and cells per kind.
Leaves    which shape is answered (apiserver/render).
"""

from __future__ import annotations

from typing import Any

from busk8s.api.scheme import Resource

Json = dict[str, Any]


def columns(resource: Resource) -> list[Json]:
    """columnDefinitions of a Table of `resource`."""
    return [
        {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
        {"name": "Created At", "type": "date", "format": "", "description": "", "priority": 0},
    ]


def cells(resource: Resource, data: Json, *, now: float) -> list[Any]:
    """The cells of one object, one a column."""
    return [data["metadata"].get("name", ""), data["metadata"].get("creationTimestamp")]

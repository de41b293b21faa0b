"""The columns that `kubectl get` shows for each kind, and each object's cells.

Owns      which kind has which columns, by Resource.key; other kinds show name and creation.
Leaves    which shape is answered (apiserver/render).
Invariant a row has one cell a column, in the columns' order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from busk8s.api import columns_core, columns_groups, columns_pods
from busk8s.api.columns import CREATED, NAME, Column, Json
from busk8s.api.scheme import Resource

COLUMNS: dict[str, Sequence[Column]] = {
    **columns_pods.COLUMNS,
    **columns_core.COLUMNS,
    **columns_groups.COLUMNS,
}
_OTHERS = (NAME, CREATED)


def columns(resource: Resource) -> list[Json]:
    """columnDefinitions of a Table of `resource`."""
    return [column.definition() for column in COLUMNS.get(resource.key, _OTHERS)]


def cells(resource: Resource, data: Json, *, now: float) -> list[Any]:
    """The cells of one object."""
    return [column.cell(data, now) for column in COLUMNS.get(resource.key, _OTHERS)]

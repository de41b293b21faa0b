"""Server-side tables: what `kubectl get` prints, for every kind.

Owns      `columns`, `cells` (also `row`), `entry` and `table`; which kind has which printer.
Leaves    the cells of each kind (modules of this package), negotiation (apiserver).
Invariant a kind without a printer of its own shows its name and when it was made, as upstream's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from busk8s.api.scheme import Resource
from busk8s.api.tables import cluster, network, pod, policy, storage, workloads
from busk8s.api.tables.column import Cells, ColumnDefinition, Json, Printer, column, name_of

__all__ = ["ColumnDefinition", "cells", "columns", "entry", "order", "row", "table"]

Include = Literal["None", "Metadata", "Object"]

_OTHERS = Printer(
    (column("Name", format_="name"), column("Created At", "date")),
    lambda obj, _now: [name_of(obj), obj["metadata"].get("creationTimestamp", "")],
)
_PRINTERS: Mapping[str, Printer] = {
    **pod.PRINTERS,
    **workloads.PRINTERS,
    **network.PRINTERS,
    **cluster.PRINTERS,
    **storage.PRINTERS,
    **policy.PRINTERS,
}


def columns(resource: Resource) -> list[ColumnDefinition]:
    """The column definitions of a kind's table."""
    return list(_printer(resource).columns)


def cells(resource: Resource, obj: Json, now: float) -> Cells:
    """The cells of one object, one a column."""
    return _printer(resource).cells(obj, now)


row = cells


def entry(resource: Resource, obj: Json, now: float) -> Json:
    """The row of one object, but for the object it goes with: a finished pod's is marked."""
    found: Json = {"cells": cells(resource, obj, now)}
    if resource.key == "pods" and (conditions := pod.pod_conditions(obj)):
        found["conditions"] = conditions
    return found


def order(resource: Resource) -> Callable[[Json], Any] | None:
    """What the rows of a kind are sorted by, where that is not how its objects are listed."""
    return policy.precedence if resource.key == policy.FLOW_SCHEMAS else None


def table(
    resource: Resource,
    objects: Iterable[Json],
    now: float,
    *,
    include_object: Include = "Metadata",
    metadata: Mapping[str, Any] | None = None,
) -> Json:
    """A meta.k8s.io/v1 Table; `metadata` is the list's (resourceVersion, continue, ...)."""
    rows = []
    for obj in objects:
        found = entry(resource, obj, now)
        if include_object == "Metadata":
            found["object"] = {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": obj["metadata"],
            }
        elif include_object == "Object":
            found["object"] = obj
        rows.append(found)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata or {}),
        "columnDefinitions": columns(resource),
        "rows": rows,
    }


def _printer(resource: Resource) -> Printer:
    if resource.custom is not None:
        return resource.custom.printer
    return _PRINTERS.get(resource.key, _OTHERS)

"""Tables of custom resources: columns as their definition names them.

Owns      the columns and cells of `additionalPrinterColumns`, and the simple JSON paths they use.
Leaves    which kinds there are; tables of built-in kinds.
Invariant a path that finds nothing, or what is not of the column's type, is a null cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from busk8s.api.tables.column import Cells, ColumnDefinition, Json, Printer, column, name_of, since

_NAME_TEXT = (
    "Name must be unique within a namespace. Is required when creating resources, although some "
    "resources may allow a client to request the generation of an appropriate name automatically. "
    "Name is primarily intended for creation idempotence and configuration definition. Cannot be "
    "updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names"
    "#names"
)
_STEP = re.compile(
    r"""\.?\[\?\(@\.(?P<field>[\w.\-]+)\s*==\s*(?:"(?P<dq>[^"]*)"|'(?P<sq>[^']*)')\)\]"""
    r"""|\[['"](?P<quoted>[^'"]+)['"]\]|\[(?P<index>-?\d+)\]|(?P<all>\[\*\]|\.\*)"""
    r"""|\.(?P<name>(?:\\.|[^.\[\]\\])+)"""
)


def printer_of(entries: Sequence[Json]) -> Printer:
    """Name, what `entries` say, and the age alone where they say nothing."""
    if not entries:
        entries = [
            {
                "name": "Age",
                "type": "date",
                "jsonPath": ".metadata.creationTimestamp",
                "description": "CreationTimestamp is a timestamp representing the server time when "
                "this object was created. It is not guaranteed to be set in happens-before order "
                "across separate operations. Clients may not set this value. It is represented in "
                "RFC3339 form and is in UTC.",
            }
        ]
    name: ColumnDefinition = {**column("Name", format_="name"), "description": _NAME_TEXT}
    defined = tuple(_column(entry) for entry in entries)
    paths = [(str(entry.get("type", "")), _steps(str(entry["jsonPath"]))) for entry in entries]

    def cells(obj: Json, now: float) -> Cells:
        return [name_of(obj), *(_cell(obj, kind, steps, now) for kind, steps in paths)]

    return Printer((name, *defined), cells)


def _column(entry: Json) -> ColumnDefinition:
    described = entry.get("description") or (
        f"Custom resource definition column (in JSONPath format): {entry['jsonPath']}"
    )
    return {
        "name": entry["name"],
        "type": entry.get("type", ""),
        "format": entry.get("format", ""),
        "description": described,
        "priority": entry.get("priority", 0),
    }


def _steps(path: str) -> list[re.Match[str]] | None:
    """The steps of a JSON path; None for one of a form nobody knows."""
    found, at = [], 0
    path = path if path.startswith((".", "[")) else "." + path
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return None
        found.append(step)
        at = step.end()
    return found


def _values(obj: Any, steps: list[re.Match[str]]) -> list[Any]:
    values = [obj]
    for step in steps:
        values = [found for value in values for found in _step(value, step)]
    return values


def _step(value: Any, step: re.Match[str]) -> list[Any]:
    name = step["name"] or step["quoted"]
    if name is not None:
        name = re.sub(r"\\(.)", r"\1", name)
        return [value[name]] if isinstance(value, dict) and name in value else []
    items = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(items, list):
        return []
    if step["index"] is not None:
        index = int(step["index"])
        return [items[index]] if -len(items) <= index < len(items) else []
    if step["all"]:
        return items
    wanted = step["dq"] if step["dq"] is not None else step["sq"]
    return [item for item in items if _at(item, step["field"]) == wanted]


def _at(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = item.get(name) if isinstance(item, dict) else None
    return item


def _cell(obj: Json, kind: str, steps: list[re.Match[str]] | None, now: float) -> Any:
    values = _values(obj, steps) if steps is not None else []
    if not values or values[0] is None:
        return None
    return _typed(values, kind, now)


def _typed(values: list[Any], kind: str, now: float) -> Any:
    value = values[0]
    if kind == "integer":
        whole = isinstance(value, int | float) and not isinstance(value, bool)
        return int(value) if whole else None
    if kind == "number":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if number else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "date":
        return _age(value, now)
    return " ".join(map(_text, values)) if len(values) > 1 else _text(value)


def _age(value: Any, now: float) -> str:
    try:
        return since(value, now) if isinstance(value, str) else "<invalid>"
    except ValueError:
        return "<invalid>"


def _text(value: Any) -> str:
    """As Go's template would print it, near enough: JSON for what is no scalar."""
    import orjson

    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()

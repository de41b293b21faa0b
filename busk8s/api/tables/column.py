"""What a kind's table is made of: its columns, and the function that fills a row.

Owns      the column and printer values, and the texts cells share: ages, selectors, short lists.
Leaves    which kind has which columns (the modules beside this one).
Invariant a cell that cannot be told says so in upstream's words: <none>, <unset>, <unknown>.
Source    kubernetes pkg/printers/internalversion; apimachinery duration.HumanDuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from busk8s.api.meta import parse_time

Json = dict[str, Any]
Cells = list[Any]

NONE = "<none>"
UNSET = "<unset>"
UNKNOWN = "<unknown>"
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY
# How many items a list cell shows before it says how many more there are.
SHOWN_MAX = 3


class ColumnDefinition(TypedDict):
    """meta.k8s.io/v1 TableColumnDefinition."""

    name: str
    type: str
    format: str
    description: str
    priority: int


@dataclass(frozen=True, slots=True)
class Printer:
    """How one kind is printed: `cells(obj, now)` has one entry a column."""

    columns: tuple[ColumnDefinition, ...]
    cells: Callable[[Json, float], Cells]


def column(
    name: str, type_: str = "string", *, format_: str = "", wide: bool = False
) -> ColumnDefinition:
    return {
        "name": name,
        "type": type_,
        "format": format_,
        "description": "",
        "priority": 1 if wide else 0,
    }


def columns(names: str) -> tuple[ColumnDefinition, ...]:
    """Columns from words: `Name|Data|Age`; `#X` is an integer, `+X` is shown by -o wide only."""
    found = []
    for word in names.split("|"):
        name = word.lstrip("#+")
        marks = word[: len(word) - len(name)]
        type_ = "integer" if "#" in marks else "string"
        format_ = "name" if name == "Name" and "+" not in marks else ""
        found.append(column(name, type_, format_=format_, wide="+" in marks))
    return tuple(found)


def name_of(obj: Json) -> str:
    return str(obj["metadata"].get("name", ""))


def at(obj: Mapping[str, Any], *path: str) -> Any:
    """The member at `path`, None where any step is missing."""
    found: Any = obj
    for step in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return found


def age(obj: Json, now: float) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(timestamp: str | None, now: float) -> str:
    """How long ago an RFC 3339 time was."""
    return human_duration(now - parse_time(timestamp)) if timestamp else UNKNOWN


def human_duration(seconds: float) -> str:
    """Two units at most, and one where the second says little: 90s, 5m30s, 3h, 2d4h, 3y12d."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole == -1 else "<invalid>"
    if whole < 2 * MINUTE:
        return f"{whole}s"
    if whole < 10 * MINUTE:
        return _two(whole, MINUTE, "m", 1, "s")
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    if whole < 8 * HOUR:
        return _two(whole, HOUR, "h", MINUTE, "m")
    if whole < 2 * DAY:
        return f"{whole // HOUR}h"
    if whole < 8 * DAY:
        return _two(whole, DAY, "d", HOUR, "h")
    if whole < 2 * YEAR:
        return f"{whole // DAY}d"
    return _two(whole, YEAR, "y", DAY, "d") if whole < 8 * YEAR else f"{whole // YEAR}y"


def _two(seconds: int, big: int, big_name: str, small: int, small_name: str) -> str:
    rest = seconds % big // small
    return f"{seconds // big}{big_name}" + (f"{rest}{small_name}" if rest else "")


def labels_text(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector as kubectl would take it on the command line."""
    if not selector:
        return NONE
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression["key"], expression["operator"]
        values = ",".join(sorted(expression.get("values") or ()))
        text = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": "!" + key,
        }.get(operator, "<error>")
        parts.append((key, text))
    return ",".join(text for _key, text in sorted(parts)) or NONE


def container_cells(template: Mapping[str, Any] | None) -> tuple[str, str]:
    """Names and images of a pod template's containers."""
    containers = at(template or {}, "spec", "containers") or ()
    names = ",".join(str(c.get("name", "")) for c in containers)
    return names, ",".join(str(c.get("image", "")) for c in containers)


def first_few(items: Sequence[str], *, separator: str = ",", limit: int = SHOWN_MAX) -> str:
    """The first `limit` items, and how many more there are."""
    shown = separator.join(items[:limit])
    return f"{shown} + {len(items) - limit} more..." if len(items) > limit else shown

"""What the columns of Tables are made of: a column, and the cells that many kinds share.

Owns      Column, ages, and short texts for selectors, containers, conditions.
Leaves    which kind has which columns (columns_*, tables).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from busk8s.api.meta import parse_time
from busk8s.api.selectors import from_label_selector

Json = dict[str, Any]
Cell = Callable[[Json, float], Any]

UNKNOWN = "<unknown>"
NONE = "<none>"
UNSET = "<unset>"


@dataclass(frozen=True, slots=True)
class Column:
    """`wide`: shown only by `-o wide`."""

    name: str
    cell: Cell
    type: str = "string"
    wide: bool = False

    def definition(self) -> Json:
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": "",
            "priority": 1 if self.wide else 0,
        }


def duration(seconds: float) -> str:
    """A length of time as kubectl shows it: 5s, 3m20s, 4h5m, 2d3h, 9d, 3y12d."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(big: int, unit: str, small: int, small_unit: str) -> str:
    return f"{big}{unit}{small}{small_unit}" if small else f"{big}{unit}"


def since(text: str | None, now: float) -> str:
    """How long ago an RFC 3339 time was."""
    if not text:
        return UNKNOWN
    try:
        return duration(now - parse_time(text))
    except ValueError:
        return UNKNOWN


def at(*path: str, default: Any = "") -> Cell:
    """The value at `path`."""

    def cell(data: Json, now: float) -> Any:
        found: Any = data
        for step in path:
            if not isinstance(found, Mapping):
                return default
            found = found.get(step)
        return default if found is None else found

    return cell


def spec(*path: str, default: Any = "") -> Cell:
    return at("spec", *path, default=default)


def status(*path: str, default: Any = "") -> Cell:
    return at("status", *path, default=default)


def _name(data: Json, now: float) -> str:
    return str(data["metadata"].get("name", ""))


def _age(data: Json, now: float) -> str:
    return since(data["metadata"].get("creationTimestamp"), now)


def _created(data: Json, now: float) -> Any:
    return data["metadata"].get("creationTimestamp")


NAME = Column("Name", _name)
AGE = Column("Age", _age)
CREATED = Column("Created At", _created, "date")


def number(name: str, cell: Cell, *, wide: bool = False) -> Column:
    return Column(name, cell, "integer", wide)


def text(name: str, cell: Cell, *, wide: bool = False) -> Column:
    return Column(name, cell, "string", wide)


def selector_text(selector: Json | None) -> str:
    """A label selector, structured or a plain map, as text."""
    if not selector:
        return NONE
    structured = "matchLabels" in selector or "matchExpressions" in selector
    return str(from_label_selector(selector if structured else {"matchLabels": selector})) or NONE


def containers(path: Sequence[str] = ("spec", "template", "spec")) -> tuple[Column, Column]:
    """The wide columns Containers and Images."""
    find = at(*path, "containers", default=())

    def names(data: Json, now: float) -> str:
        return ",".join(str(c.get("name", "")) for c in find(data, now))

    def images(data: Json, now: float) -> str:
        return ",".join(str(c.get("image", "")) for c in find(data, now))

    return text("Containers", names, wide=True), text("Images", images, wide=True)


def selector_column(*path: str, wide: bool = True, name: str = "Selector") -> Column:
    find = at(*path, default=None)
    return text(name, lambda data, now: selector_text(find(data, now)), wide=wide)


def joined(name: str, cell: Cell, *, empty: str = NONE, wide: bool = False) -> Column:
    """A list as text, with commas."""

    def show(data: Json, now: float) -> str:
        return ",".join(str(one) for one in cell(data, now) or ()) or empty

    return text(name, show, wide=wide)

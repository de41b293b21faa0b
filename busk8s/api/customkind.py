"""One served version of a CustomResourceDefinition, as the rest of the API sees a kind.

Owns      what is compiled of a version, and when: nothing before it is asked for.
Leaves    the schema engine (api.custom), which definitions are in force (apiserver catalog).
Invariant a CustomKind never changes; a changed definition makes others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from busk8s.api.tables.column import (
    ColumnDefinition,
    Json,
    Printer,
    column,
    name_of,
    since,
)

if TYPE_CHECKING:
    from busk8s.api.custom.structural import Structural
    from busk8s.api.scheme import Resource

_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
_PATH = re.compile(r"\.([A-Za-z0-9_-]+)|\['([^']+)'\]")


@dataclass(slots=True, eq=False)
class Family:
    """What the versions of one definition share.

    mixed      objects of more than one version may lie in the store.
    webhook    versions are converted by a webhook.
    """

    storage: Resource | None = None
    mixed: bool = False
    webhook: bool = False
    versions: dict[str, Resource] = field(default_factory=dict)

    def version(self, name: str) -> Resource | None:
        return self.versions.get(name)


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where the replicas and the selector of a custom resource are."""

    spec: tuple[str, ...]
    status: tuple[str, ...]
    selector: tuple[str, ...]


class CustomKind:
    """`version` is an entry of the definition's `spec.versions`, which stays as it is."""

    def __init__(self, version: Json, family: Family) -> None:
        self._version = version
        self.family = family

    @property
    def storage(self) -> Resource:
        assert self.family.storage is not None
        return self.family.storage

    @cached_property
    def schema(self) -> Structural:
        from busk8s.api.custom.structural import compile_schema

        return compile_schema((self._version.get("schema") or {}).get("openAPIV3Schema") or {})

    @cached_property
    def selectable(self) -> frozenset[str]:
        """The fields, beside those of metadata, that a field selector may name."""
        fields = self._version.get("selectableFields") or ()
        return frozenset(str(each["jsonPath"]).removeprefix(".") for each in fields)

    @cached_property
    def warning(self) -> str:
        """What users of this version are told; "" when it is not deprecated."""
        if not self._version.get("deprecated"):
            return ""
        return str(self._version.get("deprecationWarning") or "")

    @property
    def deprecated(self) -> bool:
        return bool(self._version.get("deprecated"))

    @cached_property
    def scale(self) -> ScalePaths | None:
        found = (self._version.get("subresources") or {}).get("scale")
        if found is None:
            return None
        return ScalePaths(
            steps(found["specReplicasPath"]),
            steps(found["statusReplicasPath"]),
            steps(found.get("labelSelectorPath") or ""),
        )

    @cached_property
    def printer(self) -> Printer:
        return printer_of(self._version.get("additionalPrinterColumns") or [_AGE])


def steps(path: str) -> tuple[str, ...]:
    """The names in a path of names: `.spec.replicas`, `.metadata.annotations['a.b/c']`."""
    return tuple(dotted or quoted for dotted, quoted in _PATH.findall(path))


def member(obj: Any, path: tuple[str, ...]) -> Any:
    """What lies at `path`; None where a step is missing."""
    for step in path:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def printer_of(entries: list[Json]) -> Printer:
    """The table of the `additionalPrinterColumns` of a version, after the name."""
    definitions = (column("Name", format_="name"), *map(_definition, entries))
    paths = [(steps(entry["jsonPath"]), entry["type"]) for entry in entries]

    def cells(obj: Json, now: float) -> list[Any]:
        return [name_of(obj), *(_cell(_found(obj, path), type_, now) for path, type_ in paths)]

    return Printer(definitions, cells)


def _definition(entry: Json) -> ColumnDefinition:
    path = entry["jsonPath"]
    said = f"Custom resource definition column (in JSONPath format): {path}"
    return {
        "name": entry["name"],
        "type": entry["type"],
        "format": entry.get("format") or "",
        "description": entry.get("description") or said,
        "priority": entry.get("priority") or 0,
    }


def _cell(found: list[Any], type_: str, now: float) -> Any:
    if not found:
        return None
    if type_ == "string":
        return " ".join(map(_text, found)) if len(found) > 1 else _text(found[0])
    value = found[0]
    if type_ == "date":
        return _age(value, now)
    return value if isinstance(value, _TYPES[type_]) else None


_TYPES: dict[str, type | tuple[type, ...]] = {
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def _age(value: Any, now: float) -> str:
    try:
        return since(value, now)
    except (ValueError, TypeError, AttributeError):
        return "<invalid>"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _found(obj: Json, path: tuple[str, ...]) -> list[Any]:
    value = member(obj, path)
    return [] if value is None else [value]

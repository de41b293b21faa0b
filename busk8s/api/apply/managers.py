"""`metadata.managedFields`: who owns which fields, read and written.

Owns      Writer (a manager's identity), Owned, the entries' form, their order and their limit.
Leaves    how ownership changes (ownership).
Invariant reading what was written gives the same; entries that say nothing are not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from busk8s.api.apply.fieldset import FieldSet, in_order, parse, union

Json = dict[str, Any]

UPDATERS_MAX = 10  # Entries of Update kept apart; older ones go together. Upstream's number.
APPLY, UPDATE = "Apply", "Update"
OLD_UPDATES = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"
NAME_CHARACTERS_MAX = 128
SUBRESOURCE_CHARACTERS_MAX = 256


class Writer(NamedTuple):
    """Whose entry it is. One who applies is the same whatever version he applies in: `version`
    is empty then."""

    name: str
    operation: str
    version: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        said = f'"{self.name}"'
        if self.subresource:
            said += f' with subresource "{self.subresource}"'
        return said + (f" using {self.version}" if self.operation == UPDATE else "")


def applier(name: str, subresource: str = "") -> Writer:
    return Writer(name, APPLY, "", subresource)


def updater(name: str, version: str, subresource: str = "") -> Writer:
    return Writer(name or "unknown", UPDATE, version, subresource)


@dataclass(slots=True)
class Owned:
    """The fields of one writer, in the words of `version`, last changed at `time`.

    A value, never changed; not frozen, as several are made at every write.
    `entry`: what it was read from, still true; writing it again costs nothing.
    """

    fields: FieldSet
    version: str
    time: str = ""
    entry: Json | None = field(default=None, compare=False, repr=False)

    def with_fields(self, fields: FieldSet) -> Owned:
        return self if fields is self.fields else Owned(fields, self.version, self.time)


Managed = dict[Writer, Owned]


def read(entries: Sequence[Json], *, trusted: bool = False) -> Managed:
    """The entries of an object; ValueError on what no API server writes.

    `trusted`: they were written here, and need no look at every field.
    """
    managed: Managed = {}
    for index, entry in enumerate(entries):
        if not trusted:
            _check(entry, index)
        version, operation = str(entry.get("apiVersion", "")), str(entry.get("operation"))
        fields = entry.get("fieldsV1") or {}
        writer = Writer(
            str(entry.get("manager", "")),
            operation,
            "" if operation == APPLY else version,
            str(entry.get("subresource", "")),
        )
        time = str(entry.get("time", ""))
        if trusted:
            managed[writer] = Owned(fields, version, time, entry)
        else:
            managed[writer] = Owned(parse(fields), version, time)
    return managed


def _check(entry: Any, index: int) -> None:
    if not isinstance(entry, dict):
        raise ValueError("an entry is not an object")
    if entry.get("operation") not in (APPLY, UPDATE):
        raise ValueError("operation must be `Apply` or `Update`")
    if not entry.get("apiVersion"):
        raise ValueError("apiVersion must not be empty")
    kind = entry.get("fieldsType") or ""
    if not kind:
        raise ValueError(f"missing fieldsType in managed fields entry {index}")
    if kind != "FieldsV1":
        raise ValueError(f'invalid fieldsType "{kind}" in managed fields entry {index}')


def write(managed: Mapping[Writer, Owned]) -> list[Json]:
    """The entries in upstream's order: appliers first, then by time."""
    entries = [owned.entry or _entry(writer, owned) for writer, owned in managed.items()]
    return sorted(entries, key=_order) if len(entries) > 1 else entries


def _entry(writer: Writer, owned: Owned) -> Json:
    return entry_of(writer, owned.version, owned.time, in_order(owned.fields))


def entry_of(writer: Writer, version: str, time: str, fields: FieldSet) -> Json:
    """An entry of `fields`, which have their names in order."""
    entry: Json = {"manager": writer.name, "operation": writer.operation, "apiVersion": version}
    if time:
        entry["time"] = time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = fields
    if writer.subresource:
        entry["subresource"] = writer.subresource
    return entry


def _order(entry: Json) -> tuple[str, ...]:
    return (
        entry["operation"],
        entry.get("time", ""),
        entry["manager"],
        entry["apiVersion"],
        entry.get("subresource", ""),
    )


def cap(managed: Managed) -> Managed:
    """At most UPDATERS_MAX entries of Update: the oldest of one version become one entry."""
    updaters = [writer for writer in managed if writer.operation == UPDATE]
    excess = len(updaters) - UPDATERS_MAX
    if excess <= 0:
        return managed
    updaters.sort(key=lambda writer: (managed[writer].time, writer))
    capped = dict(managed)
    first: dict[str, Writer] = {}
    for writer in updaters:
        if excess <= 0:
            break
        owned = capped[writer]
        if owned.version not in first:
            first[owned.version] = writer
            continue
        bucket = Writer(OLD_UPDATES, UPDATE, owned.version)
        if bucket not in capped:
            capped[bucket] = capped.pop(first[owned.version])
        fields = union(owned.fields, capped[bucket].fields)
        capped[bucket] = Owned(fields, owned.version, owned.time)
        if writer != bucket:
            del capped[writer]
        excess -= 1
    return capped

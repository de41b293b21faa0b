"""What a write does to ownership: apply, and every other write of an object that is tracked.

Owns      apply (merge, prune, conflicts, force), update, the fields that nobody owns.
Leaves    the document's structure (layout), bytes and versions (the API server).
Invariant nothing is changed in place; who owned a field that somebody else changed owns it no
          more; only fields their last owner gave up are removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from busk8s.api.apply.compare import Difference, compare
from busk8s.api.apply.extract import fields_of
from busk8s.api.apply.fieldset import (
    FieldSet,
    difference,
    intersection,
    is_member,
    path_text,
    paths,
    union,
    without,
)
from busk8s.api.apply.layout import Layout
from busk8s.api.apply.managers import Managed, Owned, Writer, cap
from busk8s.api.apply.merge import merge, remove
from busk8s.errors import Cause, Error

Json = dict[str, Any]

_METADATA = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
)
# Nobody owns these: they say which object it is, or are the system's alone.
UNOWNED: FieldSet = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {".": {}, **{f"f:{name}": {} for name in _METADATA}},
}


@dataclass(frozen=True, slots=True)
class View:
    """Documents of one version: their layout, and the ways from and to the request's version."""

    layout: Layout
    convert: Callable[[Json], Json]
    back: Callable[[Json], Json]


def _as_it_is(document: Json) -> Json:
    return document


@dataclass(slots=True)
class Setting:
    """What holds for one request. A value, not frozen: one is made at every write.

    version   the apiVersion its documents are in; `layout` theirs.
    ignored   fields this way of writing cannot change (status, or all but status).
    now       the time, as entries have it; "": entries keep the time they have.
    views     another version's view; None: no such version any more.
    """

    version: str
    layout: Layout
    ignored: FieldSet
    now: str
    views: Callable[[str], View | None] = lambda version: None

    def view(self, version: str) -> View | None:
        return (
            View(self.layout, _as_it_is, _as_it_is)
            if version == self.version
            else self.views(version)
        )


class Conflicts(Exception):
    """Fields somebody else owns and the applied configuration would change."""

    def __init__(self, fields: dict[Writer, FieldSet]) -> None:
        super().__init__("conflicts")
        self.fields = fields

    def union(self) -> FieldSet:
        found: FieldSet = {}
        for fields in self.fields.values():
            found = union(found, fields)
        return found

    def beyond(self, allowed: FieldSet) -> dict[Writer, FieldSet]:
        rest = {writer: difference(fields, allowed) for writer, fields in self.fields.items()}
        return {writer: fields for writer, fields in rest.items() if fields}


def update(live: Json, new: Json, managed: Managed, writer: Writer, setting: Setting) -> Managed:
    """Ownership after `writer` made `new` of `live` (both without managedFields)."""
    found = compare(live, new, setting.layout).ignoring(setting.ignored)
    if not found:
        return managed
    owners = _taken(managed, live, new, found, setting, but=None)
    mine = difference(found.written, UNOWNED)
    if mine:
        before = owners.get(writer)
        fields = union(before.fields, mine) if before else mine
        time = setting.now or (before.time if before else "")
        owners[writer] = Owned(fields, setting.version, time)
    return cap(owners)


def apply(
    live: Json, applied: Json, managed: Managed, writer: Writer, setting: Setting, *, force: bool
) -> tuple[Json, Managed]:
    """The document and ownership after `writer` applied `applied`; `live` itself if it is the same.

    Conflicts where others own what would change; WrongType where `applied` does not fit.
    """
    fields = without(fields_of(applied, setting.layout), setting.ignored)
    last = managed.get(writer)
    claimed = {**managed, writer: Owned(fields, setting.version, last.time if last else "")}
    merged = merge(live, applied, setting.layout)
    new = _prune(merged, last, claimed, setting) if last else merged
    found = compare(live, new, setting.layout).ignoring(setting.ignored)
    conflicts = {} if force else _conflicts(claimed, live, new, found, setting, writer)
    if conflicts:
        raise Conflicts(conflicts)
    owners = _taken(claimed, live, new, found, setting, but=writer) if found else claimed
    owners = _settled(owners, managed, writer, setting, changed=bool(found))
    return (new if found else live), owners


def _settled(
    owners: Managed, before: Managed, writer: Writer, setting: Setting, *, changed: bool
) -> Managed:
    """The applier's entry without what nobody owns, and with its time."""
    owned = owners[writer]
    fields = difference(owned.fields, UNOWNED)
    rest = {key: value for key, value in owners.items() if key != writer}
    if not fields:
        return rest
    last = before.get(writer)
    same = not changed and last is not None and last.fields == fields
    same = same and last is not None and last.version == owned.version
    time = last.time if last is not None and (same or not setting.now) else setting.now
    return {**rest, writer: Owned(fields, owned.version, time)}


def _conflicts(
    managed: Managed, live: Json, new: Json, found: Difference, setting: Setting, writer: Writer
) -> dict[Writer, FieldSet]:
    conflicts = {}
    for other, owned in managed.items():
        if other == writer:
            continue
        there = _seen_at(owned.version, live, new, found, setting)
        if there is not None and (both := intersection(owned.fields, there.written)):
            conflicts[other] = both
    return conflicts


def _taken(
    managed: Managed,
    live: Json,
    new: Json,
    found: Difference,
    setting: Setting,
    *,
    but: Writer | None,
) -> Managed:
    """Everybody but `but` loses what was changed or went away; who has nothing left is gone."""
    kept: Managed = {}
    for writer, owned in managed.items():
        if writer == but:
            kept[writer] = owned
            continue
        there = _seen_at(owned.version, live, new, found, setting)
        if there is None:
            continue
        fields = difference(difference(owned.fields, there.written), there.removed)
        if fields:
            kept[writer] = owned.with_fields(fields)
    return kept


def _seen_at(
    version: str, live: Json, new: Json, found: Difference, setting: Setting
) -> Difference | None:
    """The difference in the words of `version`; None where that version is no more."""
    if version == setting.version:
        return found
    view = setting.view(version)
    if view is None:
        return None
    there = compare(view.convert(live), view.convert(new), view.layout)
    return there.ignoring(setting.ignored)


def _prune(merged: Json, last: Owned, managed: Managed, setting: Setting) -> Json:
    """`merged` without what the applier owned last time and nobody owns now."""
    view = setting.view(last.version)
    if view is None or _covers(managed, last):
        return merged
    gone = _unclaimed(_named(last.fields, view.layout), managed, last.version, view.layout)
    document = view.convert(merged)
    rest = remove(document, gone, view.layout)
    if rest is document:
        return merged
    pruned = view.back(rest or {})
    for version in dict.fromkeys(owned.version for owned in managed.values()):
        other = setting.view(version)
        if version == last.version or other is None:
            continue
        whole, part = other.convert(merged), other.convert(pruned)
        lost = compare(whole, part, other.layout).removed
        lost = _unclaimed(lost, managed, version, other.layout)
        pruned = other.back(remove(whole, lost, other.layout) or {})
    return pruned


def _covers(managed: Managed, last: Owned) -> bool:
    """Whether somebody owns all of `last`: then there is nothing to remove."""
    return any(
        owned.version == last.version and not difference(last.fields, owned.fields)
        for owned in managed.values()
    )


def _unclaimed(fields: FieldSet, managed: Managed, version: str, layout: Layout) -> FieldSet:
    for owned in managed.values():
        if not fields:
            break
        if owned.version == version:
            fields = difference(fields, _named(owned.fields, layout))
    return fields


def _named(fields: FieldSet, layout: Layout | None) -> FieldSet:
    """`fields` with every struct's field that leads to a member made one itself."""
    named: FieldSet = {}
    struct = layout is not None and layout.kind == "struct"
    for element, below in fields.items():
        inner = _below(element, layout)
        node = _named(below, inner) if below else below
        if struct and node and not is_member(node):
            node = {".": {}, **node}
        named[element] = node
    return named


def _below(element: str, layout: Layout | None) -> Layout | None:
    if layout is None or layout.kind == "leaf":
        return None
    return layout.child(element[2:]) if element[:2] == "f:" else layout.item


def refusal(conflicts: dict[Writer, FieldSet]) -> Error:
    """409 in upstream's words: a cause for each field of each manager."""
    found = [
        (writer, path_text(path))
        for writer, fields in sorted(conflicts.items())
        for path in paths(fields)
    ]
    causes = [Cause("FieldManagerConflict", f"conflict with {w}", path) for w, path in found]
    if len(found) == 1:
        writer, path = found[0]
        said = f"Apply failed with 1 conflict: conflict with {writer}: {path}"
    else:
        said = f"Apply failed with {len(found)} conflicts: " + "\n".join(
            f"conflicts with {writer}:\n"
            + "\n".join(f"- {path}" for other, path in found if other == writer)
            for writer in dict.fromkeys(writer for writer, _ in found)
        )
    return Error(409, "Conflict", said, causes=causes)

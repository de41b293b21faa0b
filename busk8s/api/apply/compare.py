"""Which fields two documents differ in, by the structural type.

Owns      Difference: the fields that were written and those that went away.
Leaves    whom they belong to (ownership).
Invariant neither document is changed; parts that both share are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from busk8s.api.apply.fieldset import SELF, FieldSet, field_element, without
from busk8s.api.apply.layout import ANYTHING, Layout
from busk8s.api.apply.merge import elements, same

_Found = tuple[FieldSet | None, FieldSet | None]
_NOTHING: _Found = (None, None)
_WRITTEN: _Found = ({}, None)
_ABSENT: Any = object()


@dataclass(slots=True)
class Difference:
    """`written`: added or changed; a container that was added is in it, with all below.

    A value; not frozen, as one is made at every write and freezing costs more than the rest.
    """

    written: FieldSet
    removed: FieldSet

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)

    def ignoring(self, ignored: FieldSet) -> Difference:
        if not self or not ignored:
            return self
        return Difference(without(self.written, ignored), without(self.removed, ignored))


SAME = Difference({}, {})


def compare(old: Any, new: Any, layout: Layout) -> Difference:
    written, removed = _compare(old, new, layout)
    return Difference(written or {}, removed or {})


def added(name: str, value: Any, layout: Layout) -> FieldSet | None:
    """What comes with the member `name` where there was no document; None: nothing new."""
    inner = layout.child(name) or ANYTHING
    if name in layout.always:
        return _compare(_zero(inner), value, inner)[0]
    return whole(value, inner)


def _compare(old: Any, new: Any, layout: Layout) -> _Found:
    if old is new:
        return _NOTHING
    kind = layout.kind
    if layout.typed and type(old) is type(new) and old == new:
        return _NOTHING
    if kind in ("struct", "map", "any"):
        if _both(dict, old, new, kind == "any"):
            return _compare_members(old or {}, new or {}, layout)
    elif kind in ("keyed", "set") and _both(list, old, new, False):
        return _compare_items(old or [], new or [], layout)
    return _NOTHING if same(old, new) else _WRITTEN


def _both(kind: type, old: Any, new: Any, strictly: bool) -> bool:
    """Whether to look inside: what is empty or null on both sides is a value like any other."""
    if not (old or new):
        return False
    if old is None or new is None:
        return not strictly and isinstance(new if old is None else old, kind)
    return isinstance(old, kind) and isinstance(new, kind)


def _compare_members(old: Any, new: Any, layout: Layout) -> _Found:
    written: FieldSet = {}
    removed: FieldSet = {}
    for name, value in new.items():
        before = old.get(name, _ABSENT)
        if before is value or (type(value) is str and before == value):
            continue  # Most members of most writes; the rest need the layout.
        inner = layout.child(name) or ANYTHING
        if before is not _ABSENT:
            _note(field_element(name), _compare(before, value, inner), written, removed)
        elif name in layout.always:
            _note(field_element(name), _compare(_zero(inner), value, inner), written, removed)
        else:
            written[field_element(name)] = whole(value, inner)
    for name, value in old.items():
        if name not in new:
            inner = layout.child(name) or ANYTHING
            if name in layout.always:
                _note(field_element(name), _compare(value, _zero(inner), inner), written, removed)
            else:
                removed[field_element(name)] = whole(value, inner)
    return written or None, removed or None


def _zero(layout: Layout) -> Any:
    """What a field holds that is always there and was left out."""
    inside = layout.whole or layout
    return {} if inside.kind == "struct" else None


def _compare_items(old: list[Any], new: list[Any], layout: Layout) -> _Found:
    item = layout.item or ANYTHING
    before, after = _grouped(old, layout), _grouped(new, layout)
    written: FieldSet = {}
    removed: FieldSet = {}
    for element, values in after.items():
        others = before.get(element, ())
        if len(values) == 1 and len(others) == 1:
            _note(element, _compare(others[0], values[0], item), written, removed)
        elif len(values) > 1 and len(others) > 1:
            if not same(values, others):
                written[element] = {}
        else:
            written[element] = whole(values[0], item) if len(values) == 1 else {}
            if others:
                removed[element] = whole(others[0], item) if len(others) == 1 else {}
    for element, values in before.items():
        if element not in after:
            removed[element] = whole(values[0], item) if len(values) == 1 else {}
    return written or None, removed or None


def _grouped(items: list[Any], layout: Layout) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for element, item in zip(elements(items, layout), items, strict=True):
        found.setdefault(element, []).append(item)
    return found


def _note(element: str, found: _Found, written: FieldSet, removed: FieldSet) -> None:
    if found[0] is not None:
        written[element] = found[0]
    if found[1] is not None:
        removed[element] = found[1]


def whole(value: Any, layout: Layout) -> FieldSet:
    """The node of a value that came or went as a whole: itself and all below."""
    below: FieldSet = {}
    kind = layout.kind
    if kind == "leaf" or not (value or layout.always):
        return below
    if isinstance(value, dict) and kind in ("struct", "map", "any"):
        for name, member in value.items():
            below["f:" + name] = whole(member, layout.child(name) or ANYTHING)
        for name in layout.always:
            if name not in value:
                inner = layout.child(name) or ANYTHING
                below["f:" + name] = whole(_zero(inner), inner)
    elif isinstance(value, list) and kind in ("keyed", "set"):
        item = layout.item or ANYTHING
        for element, values in _grouped(value, layout).items():
            below[element] = whole(values[0], item) if len(values) == 1 else {}
    return {SELF: {}, **below} if below else below

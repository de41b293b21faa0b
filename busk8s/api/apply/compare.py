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


@dataclass(frozen=True, slots=True)
class Difference:
    """`written`: added or changed; a container that was added is in it, with all below."""

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


def _compare(old: Any, new: Any, layout: Layout) -> _Found:
    if old is new:
        return _NOTHING
    kind = layout.kind
    if layout.typed and type(old) is type(new) and old == new:
        return _NOTHING
    maps = isinstance(old, dict) and isinstance(new, dict)
    if kind in ("struct", "map", "any") and maps and (old or new):
        return _compare_members(old, new, layout)
    lists = isinstance(old, list) and isinstance(new, list)
    if kind in ("keyed", "set") and lists and (old or new):
        return _compare_items(old, new, layout)
    return _NOTHING if same(old, new) else _WRITTEN


def _compare_members(old: Any, new: Any, layout: Layout) -> _Found:
    written: FieldSet = {}
    removed: FieldSet = {}
    for name, value in new.items():
        if name in old:
            before = old[name]
            if before is value:
                continue
            inner = layout.child(name) or ANYTHING
            _note(field_element(name), _compare(before, value, inner), written, removed)
        else:
            written[field_element(name)] = whole(value, layout.child(name) or ANYTHING)
    for name, value in old.items():
        if name not in new:
            removed[field_element(name)] = whole(value, layout.child(name) or ANYTHING)
    return written or None, removed or None


def _compare_items(old: list[Any], new: list[Any], layout: Layout) -> _Found:
    item = layout.item or ANYTHING
    before, after = _grouped(old, layout), _grouped(new, layout)
    written: FieldSet = {}
    removed: FieldSet = {}
    for element, values in after.items():
        others = before.get(element)
        if others is None:
            written[element] = whole(values[0], item) if len(values) == 1 else {}
        elif len(values) > 1 or len(others) > 1:
            if not same(values, others):
                written[element] = {}
        else:
            _note(element, _compare(others[0], values[0], item), written, removed)
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
    if isinstance(value, dict) and layout.kind in ("struct", "map", "any"):
        for name, member in value.items():
            below[field_element(name)] = whole(member, layout.child(name) or ANYTHING)
    elif isinstance(value, list) and layout.kind in ("keyed", "set"):
        item = layout.item or ANYTHING
        for element, values in _grouped(value, layout).items():
            below[element] = whole(values[0], item) if len(values) == 1 else {}
    return {SELF: {}, **below} if below else below

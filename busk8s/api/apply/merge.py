"""An applied configuration laid over a live document, by the structural type.

Owns      merging, the order of merged lists, taking fields out of a document.
Leaves    which fields to take out, whose they are (ownership).
Invariant nothing is changed in place: the answer shares with both arguments what is as it was, and
          is the live document itself when there is nothing new.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.apply.extract import NoKey, element_of
from busk8s.api.apply.fieldset import FieldSet, field_element, is_member
from busk8s.api.apply.layout import ANYTHING, Layout
from busk8s.api.patch import same_json

_ABSENT: Any = object()


def merge(live: Any, applied: Any, layout: Layout) -> Any:
    """`live` with everything `applied` says; None: an applied null, nothing is to be there."""
    kind = layout.kind
    if kind in ("struct", "map") or (kind == "any" and applied and isinstance(applied, dict)):
        return _merge_members(live, applied, layout)
    if kind in ("keyed", "set"):
        return _merge_items(live, applied, layout)
    return live if same(live, applied) else present(applied, layout)


def present(value: Any, layout: Layout) -> Any:
    """An applied value without the nulls in it, which mean absence; untyped data keeps them."""
    if layout.kind == "any" or not isinstance(value, dict | list):
        return value
    inside = layout.whole or layout
    if isinstance(value, dict):
        kept = {
            name: present(member, inside.child(name) or ANYTHING)
            for name, member in value.items()
            if member is not None
        }
        return kept
    return [present(member, inside.item or ANYTHING) for member in value]


def same(left: Any, right: Any) -> bool:
    """Equal as JSON; the cheap comparison decides nearly always."""
    if type(left) is not type(right) or left != right:
        return False
    return not isinstance(left, dict | list) or same_json(left, right)


def _merge_members(live: Any, applied: Any, layout: Layout) -> Any:
    if not isinstance(live, dict):
        return present(applied, layout)
    if not applied:
        return live
    merged: Any = None
    for name, value in applied.items():
        old, inner = live.get(name, _ABSENT), layout.child(name) or ANYTHING
        if old is _ABSENT:
            if value is None:
                continue
            new = present(value, inner)
        else:
            new = merge(old, value, inner)
        if new is not old:
            if merged is None:
                merged = dict(live)
            if new is None:
                del merged[name]
            else:
                merged[name] = new
    return live if merged is None else merged


def _merge_items(live: Any, applied: Any, layout: Layout) -> Any:
    if not isinstance(live, list):
        return present(applied, layout)
    if not applied:
        return live
    left, right = elements(live, layout), elements(applied, layout)
    if left == right:
        pairs = [_merge_item(a, b, layout) for a, b in zip(live, applied, strict=True)]
    else:
        pairs = _interleave(live, applied, left, right, layout)
    unchanged = len(pairs) == len(live) and all(a is b for a, b in zip(pairs, live, strict=True))
    return live if unchanged else pairs


def _interleave(
    live: list[Any], applied: list[Any], left: list[str], right: list[str], layout: Layout
) -> list[Any]:
    """The applied items in their order, live ones that are not among them kept in between."""
    found = _by_element(live, left)
    wanted = set(right)
    shared = iter([element for element in right if element in found])
    upcoming = next(shared, None)
    merged: list[Any] = []
    at, to, done = 0, 0, set[str]()
    while at < len(left) or to < len(right):
        if at < len(left):
            element = left[at]
            if element not in wanted:
                merged.append(live[at])
                at += 1
                continue
            if element in done or element != upcoming:
                at += 1
                continue
        element = right[to]
        old = found.get(element, _ABSENT)
        merged.append(_merge_item(old, applied[to], layout))
        done.add(element)
        if element == upcoming:
            upcoming = next(shared, None)
        at += at < len(left) and left[at] == element
        to += 1
    return merged


def _merge_item(old: Any, new: Any, layout: Layout) -> Any:
    assert layout.item is not None
    return present(new, layout.item) if old is _ABSENT else merge(old, new, layout.item)


def elements(items: list[Any], layout: Layout) -> list[str]:
    return [element_or_index(item, index, layout) for index, item in enumerate(items)]


def element_or_index(item: Any, index: int, layout: Layout) -> str:
    """A stored item without a key is known by its place: it stays what it is."""
    try:
        return element_of(item, layout)
    except NoKey:
        return f"i:{index}"


def _by_element(items: list[Any], names: list[str]) -> dict[str, Any]:
    """Items by element. Of one that is there twice nothing is kept: the applied one replaces it."""
    found: dict[str, Any] = {}
    for name, item in zip(names, items, strict=True):
        found[name] = _ABSENT if name in found else item
    return found


def remove(document: Any, fields: FieldSet, layout: Layout) -> Any:
    """`document` without the members of `fields`; a container that is left empty goes with them."""
    if not fields:
        return document
    if isinstance(document, dict) and layout.kind in ("struct", "map", "any"):
        return _remove_members(document, fields, layout)
    if isinstance(document, list) and layout.kind in ("keyed", "set"):
        return _remove_items(document, fields, layout)
    return document


def _remove_members(document: Any, fields: FieldSet, layout: Layout) -> Any:
    kept: Any = {}
    changed = False
    for name, value in document.items():
        below = fields.get(field_element(name))
        if below is None:
            kept[name] = value
        elif is_member(below):
            changed = True
        else:
            rest = remove(value, below, layout.child(name) or ANYTHING)
            changed = changed or rest is not value
            if rest is not None:
                kept[name] = rest
    if not changed:
        return document
    return kept or None


def _remove_items(document: list[Any], fields: FieldSet, layout: Layout) -> Any:
    kept: list[Any] = []
    changed = False
    for item, element in zip(document, elements(document, layout), strict=True):
        below = fields.get(element)
        if below is None:
            kept.append(item)
        elif is_member(below):
            changed = True
        else:
            assert layout.item is not None
            rest = remove(item, below, layout.item)
            changed = changed or rest is not item
            if rest is not None:
                kept.append(rest)
    if not changed:
        return document
    return kept or None

"""Sets of fields, in the very form `fieldsV1` has: a tree of path elements.

Owns      FieldSet and its algebra, path elements and how a path is written for people.
Leaves    which fields a document has (extract, compare), whose they are (managers).
Invariant no function changes its arguments; answers may share parts with them. A node `{}` is a
          member without members below; a node with members below is one itself if it has `.`.
          The root is never a member: `{}` there is the empty set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import orjson

FieldSet: TypeAlias = dict[str, Any]

EMPTY: FieldSet = {}
SELF = "."
ANY = "*"  # In a set to be taken away (`without`): whatever item of a list has no element there.
DEPTH_MAX = 200  # As deep as a document may be; a set that is deeper describes none.
_INDEX = re.compile(r"i:-?\d{1,18}", re.ASCII)


def field_element(name: str) -> str:
    return "f:" + name


def value_element(value: Any) -> str:
    return "v:" + orjson.dumps(value).decode()


def key_element(key: Mapping[str, Any]) -> str:
    """The element of an item of a list map; `key` must be in the order of its names."""
    return "k:" + orjson.dumps(key).decode()


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or not right:
        return left or right
    return _union(left, right)


def _union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Of two nodes at the same path, where `{}` is a member."""
    if left is right or left == right:
        return left
    merged = dict(left) if left else {SELF: {}}
    if not right:
        merged[SELF] = {}
    for element, below in right.items():
        found = merged.get(element)
        merged[element] = below if found is None else _union(found, below)
    return merged


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """The paths of `left` that are not in `right`; what is below a path stays. `left` itself
    where they share none."""
    return (_difference(left, right, root=True) or {}) if left and right else left


def _difference(left: FieldSet, right: FieldSet, *, root: bool = False) -> FieldSet | None:
    kept: FieldSet = {}
    changed = False
    for element, below in left.items():
        if element == SELF:
            continue
        other = right.get(element)
        rest = below if other is None else _difference(below, other)
        changed = changed or rest is not below
        if rest is not None:
            kept[element] = rest
    was = not root and _is_member(left)
    member = was and not _is_member(right)
    if member is was and not changed:
        return left
    if kept:
        return {SELF: {}, **kept} if member else kept
    return {} if member else None


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """The paths of `left` that are neither in `right` nor below a path of it."""
    return (_without(left, right) or {}) if left and right else left


def _without(left: FieldSet, right: FieldSet) -> FieldSet | None:
    kept: FieldSet = {}
    for element, below in left.items():
        other = right.get(element)
        if other is None and element != SELF:
            other = right.get(ANY)
        if other is None:
            kept[element] = below
        elif not _is_member(other) and (rest := _without_below(below, other)) is not None:
            kept[element] = rest
    return kept or None


def _without_below(left: FieldSet, right: FieldSet) -> FieldSet | None:
    if not left:
        return left
    rest = _without(left, right)
    return {} if rest is not None and rest.keys() == {SELF} else rest


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or not right:
        return {}
    return _intersection(left, right, root=True) or {}


def _intersection(left: FieldSet, right: FieldSet, *, root: bool = False) -> FieldSet | None:
    shared: FieldSet = {}
    for element, below in left.items():
        other = right.get(element)
        if element == SELF or other is None:
            continue
        both = _intersection(below, other)
        if both is not None:
            shared[element] = both
    member = not root and _is_member(left) and _is_member(right)
    if shared:
        return {SELF: {}, **shared} if member else shared
    return {} if member else None


def _is_member(node: FieldSet) -> bool:
    return not node or SELF in node


is_member = _is_member


def paths(fields: FieldSet, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member, as its path elements."""
    for element, below in fields.items():
        if element == SELF:
            yield prefix
            continue
        path = (*prefix, element)
        if below:
            yield from paths(below, path)
        else:
            yield path


def path_text(path: tuple[str, ...]) -> str:
    """`.spec.containers[name="c"].image`."""
    return "".join(map(element_text, path))


def element_text(element: str) -> str:
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return "." + rest
    if kind == "k:":
        pairs = orjson.loads(rest).items()
        return "[" + ",".join(f"{name}={orjson.dumps(v).decode()}" for name, v in pairs) + "]"
    return f"[={rest}]" if kind == "v:" else f"[{rest}]"


def parse(fields: Any) -> FieldSet:
    """Checks what somebody sent as `fieldsV1` and brings its keys to our form; ValueError."""
    return _parsed(fields, DEPTH_MAX)


def _parsed(fields: Any, depth: int) -> FieldSet:
    if not isinstance(fields, dict):
        raise ValueError("a node of a field set is not an object")
    if depth == 0:
        raise ValueError("the field set is too deep")
    found: FieldSet = {}
    for element, below in fields.items():
        if element == SELF:
            found[SELF] = {}
        else:
            found[_element(element)] = _parsed(below, depth - 1)
    return {} if found.keys() == {SELF} else found


def _element(text: str) -> str:
    kind, rest = text[:2], text[2:]
    if kind == "f:" or (kind == "i:" and _INDEX.fullmatch(text)):
        return text
    if kind == "v:":
        return value_element(orjson.loads(rest))
    if kind == "k:":
        key = orjson.loads(rest)
        if isinstance(key, dict) and not any(isinstance(v, dict | list) for v in key.values()):
            return key_element(dict(sorted(key.items())))
    raise ValueError(f"not a path element: {text}")


def in_order(value: Any) -> Any:
    """`value` with the names of every object sorted: the order upstream writes sets in."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))

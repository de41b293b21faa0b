"""The fields a configuration names, by the structural type; what does not fit the type.

Owns      the set of an applied document, the element of a list's item, upstream's typed errors.
Leaves    defaults, values that are wrong but have the right JSON type (validation).
Invariant every field of the document is in the set or below a member of it, save containers that
          only lead to others; or TypeErrors says what is wrong, every finding with its path.
"""

from __future__ import annotations

from typing import Any

import orjson

from busk8s.api.apply.fieldset import (
    SELF,
    FieldSet,
    element_text,
    field_element,
    key_element,
    value_element,
)
from busk8s.api.apply.layout import Layout

FINDINGS_MAX = 100  # Named in one refusal; more helps nobody.

_PathTo = tuple[Any, str]  # The path before, and the text of this step.
_ROOT: _PathTo = (None, "")


class WrongType(ValueError):
    """A document that its kind's structural type does not admit; the text names each place."""


class NoKey(ValueError):
    """An item of a list that cannot be told apart from others."""


def fields_of(document: Any, layout: Layout) -> FieldSet:
    """The set of `document`; WrongType where it does not fit."""
    findings: list[str] = []
    fields, _ = _fields(document, layout, _ROOT, findings)
    if len(findings) == 1:
        raise WrongType(findings[0])
    if findings:
        raise WrongType("\n  ".join(["errors:", *findings[:FINDINGS_MAX]]))
    return fields


def element_of(item: Any, layout: Layout) -> str:
    """The path element of an item of the set or keyed list `layout`; NoKey if it has none."""
    if layout.kind == "set":
        if isinstance(item, dict):
            raise NoKey("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise NoKey("not supported: associative list with lists as elements")
        if item is None:
            raise NoKey("associative list without keys has an element that's an explicit null")
        return value_element(item)
    if item is None:
        raise NoKey("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise NoKey("associative list with keys may not have non-map elements")
    key = {}
    for name in layout.keys:
        value = item.get(name, layout.key_defaults.get(name))
        if value is not None:
            key[name] = value
    if not key:
        names = " ".join(f'"{name}"' for name in layout.keys)
        raise NoKey(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return key_element(key)


def _fields(
    value: Any, layout: Layout, path: _PathTo, findings: list[str]
) -> tuple[FieldSet, bool]:
    """What is below `value`, and whether it is a leaf itself."""
    kind = layout.kind
    if kind == "leaf":
        if layout.whole is None:
            _check_scalar(value, layout.scalar, path, findings)
        else:
            _check_whole(value, layout.whole, path, findings)
        return {}, True
    if kind == "any":
        return (
            (_members(value, layout, path, findings), False)
            if value and isinstance(value, dict)
            else ({}, True)
        )
    if value is None:
        return {}, True
    if kind in ("struct", "map"):
        if not isinstance(value, dict):
            findings.append(_found(path, f"expected map, got {_shown(value)}"))
            return {}, True
        return _members(value, layout, path, findings), False
    if not isinstance(value, list):
        findings.append(_found(path, f"expected list, got {_shown(value)}"))
        return {}, True
    return _items(value, layout, path, findings), False


def _members(value: Any, layout: Layout, path: _PathTo, findings: list[str]) -> FieldSet:
    fields: FieldSet = {}
    declared = layout.kind == "struct"
    for name, member in value.items():
        inner = layout.child(name)
        here = (path, "." + name)
        if inner is None:
            findings.append(_found(here, "field not declared in schema"))
            continue
        below, leaf = _fields(member, inner, here, findings)
        if leaf or member == {} or not declared:
            fields[field_element(name)] = {SELF: {}, **below} if below else below
        elif below:
            fields[field_element(name)] = below
    return fields


def _items(value: list[Any], layout: Layout, path: _PathTo, findings: list[str]) -> FieldSet:
    fields: FieldSet = {}
    assert layout.item is not None
    for index, item in enumerate(value):
        try:
            element = element_of(item, layout)
        except (NoKey, TypeError) as error:
            findings.append(_found(path, f"element {index}: {error}"))
            continue
        if element in fields:
            text = element_text(element)
            findings.append(_found(path, f"duplicate entries for key {text}"))
            continue
        below, _ = _fields(item, layout.item, (path, element_text(element)), findings)
        fields[element] = {SELF: {}, **below} if below else below
    return fields


def _check_whole(value: Any, whole: Layout, path: _PathTo, findings: list[str]) -> None:
    """Inside what is owned as one value the type counts all the same."""
    if value is None:
        return
    if whole.kind != "set":
        _fields(value, whole, path, findings)
    elif not isinstance(value, list):
        findings.append(_found(path, f"expected list, got {_shown(value)}"))
    else:
        assert whole.item is not None
        for index, item in enumerate(value):
            _fields(item, whole.item, (path, f"[{index}]"), findings)


def _check_scalar(value: Any, scalar: str, path: _PathTo, findings: list[str]) -> None:
    kind = type(value)
    if value is None or (scalar == "string" and kind is str):
        return
    if scalar in ("integer", "number"):
        if kind not in (int, float):
            said = f"expected numeric (int or float), got {_go_type(value)}"
            findings.append(_found(path, said))
    elif scalar == "string":
        findings.append(_found(path, f"expected string, got {_shown(value)}"))
    elif scalar == "boolean":
        if kind is not bool:
            findings.append(_found(path, f"expected boolean, got {_shown(value)}"))
    elif kind in (dict, list):
        findings.append(_found(path, f"expected scalar, got {_shown(value)}"))


def _go_type(value: Any) -> str:
    names = {str: "string", bool: "bool", dict: "map[string]interface {}", list: "[]interface {}"}
    return names.get(type(value), "<nil>")


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 200 else text[:200] + "..."


def _found(path: _PathTo, what: str) -> str:
    steps: list[str] = []
    here: Any = path
    while here is not None:
        steps.append(here[1])
        here = here[0]
    text = "".join(reversed(steps))
    return f"{text}: {what}" if text else what

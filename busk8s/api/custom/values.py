"""Validates a document against a schema, value by value.

Owns      types, nulls, enums, sizes, required fields, allOf/anyOf/oneOf/not; the quick answer
          (`fits`) and the full one (`explain`) with upstream's causes.
Leaves    strings and numbers (scalars), list keys and sets (lists), rules in CEL (celrules).
Invariant `fits` says yes exactly where `explain` finds nothing; what did not change since the old
          object is not found fault with (ratcheting).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from busk8s.api.custom.correlation import Correlated
from busk8s.api.custom.findings import (
    Result,
    anywhere,
    invalid,
    quoted,
    shown,
    wrong_type,
)
from busk8s.api.custom.formats import checked_format
from busk8s.api.custom.node import Node
from busk8s.api.custom.scalars import is_json_integer, number_failures, string_failures
from busk8s.errors import Cause

_NAMES: dict[type, tuple[str, str]] = {
    dict: ("object", ""),
    list: ("array", ""),
    str: ("string", ""),
    bool: ("boolean", ""),
    int: ("integer", "int64"),
    float: ("number", "float64"),
}
_UNRATCHETED = ("apiVersion", "kind")


def fits(node: Node, value: Any) -> bool:
    """Whether nothing is wrong with `value`; the common case, and quick."""
    if value is None:
        return (not node.types or node.nullable) and not node.enum
    kind = _NAMES[type(value)][0]
    if kind not in node.types and _type_failure(node, value, "") is not None:
        return False
    if type(value) is dict:
        if not _object_fits(node, value):
            return False
    elif type(value) is list and not _items_fit(node.items, value):
        return False
    if node.plain:
        return True
    if _local_failures(node, value, ""):
        return False
    return not node.junctors or _junctors_fit(node, value)


def _object_fits(node: Node, value: dict[str, Any]) -> bool:
    properties, additional = node.properties, node.additional
    for key, each in value.items():
        child = properties.get(key)
        if child is not None:
            if not fits(child, each):
                return False
        elif additional is False or (isinstance(additional, Node) and not fits(additional, each)):
            return False
    return all(key in value for key in node.required)


def _items_fit(item: Node | None, value: list[Any]) -> bool:
    return item is None or all(fits(item, each) for each in value)


def _junctors_fit(node: Node, value: Any) -> bool:
    branches = node.junctors
    if "anyOf" in branches and not any(fits(each, value) for each in branches["anyOf"]):
        return False
    if "oneOf" in branches and sum(fits(each, value) for each in branches["oneOf"]) != 1:
        return False
    if "allOf" in branches and not all(fits(each, value) for each in branches["allOf"]):
        return False
    return "not" not in branches or not fits(branches["not"][0], value)


def explain(node: Node, value: Any, path: str, old: Correlated | None = None) -> Result:
    """Every cause, in upstream's order; fields by path from the document that was given first."""
    result = Result()
    wrong = _type_failure(node, value, path)
    if value is None:
        if wrong is None:
            result.matched = 1
        else:
            result.add(wrong)
        result.add(*_enum_failure(node, value, path))
        return _ratcheted(result, old)
    if node.types or checked_format(node.schema):
        if wrong is None:
            result.matched += 1
        else:
            result.add(wrong)
        result.matched += 1
    _explain_junctors(node, value, path, old, result)
    result.matched += 3  # the junctors' own, and those two that always apply
    if isinstance(value, dict):
        result.add(*_local_failures(node, value, path))
        _explain_object(node, value, path, old, result)
        result.matched += 1
    elif isinstance(value, list):
        _explain_items(node, value, path, old, result)
        result.add(*_local_failures(node, value, path))
        result.matched += 2
    else:
        result.add(*_local_failures(node, value, path))
        if isinstance(value, str):
            result.matched += 2 if checked_format(node.schema) else 1
        elif not isinstance(value, bool):
            result.matched += 2
    result.matched += 1
    return _ratcheted(result, old)


def _ratcheted(result: Result, old: Correlated | None) -> Result:
    if not result.valid and old is not None and old.unchanged:
        return Result(matched=result.matched)
    return result


def _type_failure(node: Node, value: Any, path: str) -> Cause | None:
    types = node.types
    if value is None:
        legal = not types or node.nullable
        return None if legal else wrong_type(path, ",".join(types), "null")
    name, width = _NAMES[type(value)]
    has_format = bool(checked_format(node.schema))
    if not types and not has_format:
        return None
    counts = (
        name in types
        or (name == "integer" and "number" in types)
        or (name == "number" and "integer" in types and is_json_integer(value))
    )
    textual = name in ("string", "array")
    if has_format:
        if not textual and not counts:
            return wrong_type(path, str(node.schema["format"]), width)
        # Upstream leaves strings and lists under a format of texts to the format.
        if textual and "number" not in types and "integer" not in types:
            return None
    return None if counts else wrong_type(path, ",".join(types), name)


def _local_failures(node: Node, value: Any, path: str) -> list[Cause]:
    """What is wrong with the value itself, whatever is inside it; type aside."""
    if node.plain:
        return []
    schema = node.schema
    causes: list[Cause] = []
    if isinstance(value, str):
        causes += string_failures(schema, value, path)
    elif isinstance(value, dict):
        # Upstream looks at the enum first: it comes before the object's own checks.
        return _enum_failure(node, value, path) + _size_failures(
            schema, len(value), path, "Properties", "properties"
        )
    elif isinstance(value, list):
        causes += _size_failures(schema, len(value), path, "Items", "items")
        if schema.get("uniqueItems") and _repeats(value):
            detail = f"{path} in body shouldn't contain duplicates"
            causes.append(invalid(path, "", detail))
    elif not isinstance(value, bool):
        causes += number_failures(schema, node.types, value, path)
    return causes + _enum_failure(node, value, path)


def _size_failures(schema: Any, size: int, path: str, suffix: str, word: str) -> list[Cause]:
    causes: list[Cause] = []
    fewest, most = schema.get(f"min{suffix}"), schema.get(f"max{suffix}")
    if fewest is not None and size < fewest:
        detail = f"{path} in body should have at least {fewest} {word}"
        causes.append(invalid(path, size, detail))
    if most is not None and size > most:
        message = f"Too many: {size}: must have at most {most} items"
        causes.append(Cause("FieldValueTooMany", message, path))
    return causes


def _repeats(values: Sequence[Any]) -> bool:
    seen = set()
    for value in values:
        text = f"{type(value).__name__}:{shown(value)}"
        if text in seen:
            return True
        seen.add(text)
    return False


def _enum_failure(node: Node, value: Any, path: str) -> list[Cause]:
    if not node.enum or any(_same(value, each) for each in node.enum):
        return []
    supported = ", ".join(
        quoted(each if isinstance(each, str) else shown(each)) for each in node.enum
    )
    message = f"Unsupported value: {shown(value)}: supported values: {supported}"
    return [Cause("FieldValueNotSupported", message, path)]


def _same(value: Any, allowed: Any) -> bool:
    """A null is never one of an enum, as upstream compares."""
    if value is None or allowed is None:
        return False
    if isinstance(value, bool) or isinstance(allowed, bool):
        return value is allowed
    if isinstance(value, float) and isinstance(allowed, int):
        return value == value and abs(value) < 1e18 and int(value) == allowed
    return bool(value == allowed)


def _explain_object(
    node: Node, value: dict[str, Any], path: str, old: Correlated | None, result: Result
) -> None:
    properties, additional = node.properties, node.additional
    for key in sorted(value):
        if key in properties or result.full:
            continue
        if additional is False:
            detail = f"{path}.{key} in body is a forbidden property"
            result.add(invalid(path, key, detail))
        elif isinstance(additional, Node):
            inner = old.key(key) if old is not None else None
            result.merge(explain(additional, value[key], f"{path}.{key}", inner))
    for key, child in properties.items():
        if key in value:
            inner = old.key(key) if old is not None else None
            if not path and key in _UNRATCHETED:
                inner = None
            result.merge(explain(child, value[key], f"{path}.{key}" if path else key, inner))
    for key in node.required:
        if key not in value:
            result.add(Cause("FieldValueRequired", "Required value", f"{path}.{key}"))


def _explain_items(
    node: Node, value: list[Any], path: str, old: Correlated | None, result: Result
) -> None:
    if (item := node.items) is None:
        return
    for at, each in enumerate(value):
        inner = old.index(at) if old is not None else None
        result.merge(explain(item, each, f"{path}[{at}]", inner))
        if result.full:
            break


def _explain_junctors(
    node: Node, value: Any, path: str, old: Correlated | None, result: Result
) -> None:
    branches = node.junctors
    if not branches:
        return
    where = quoted(path)
    if "anyOf" in branches:
        _explain_any(branches["anyOf"], value, path, old, result)
    if "oneOf" in branches:
        _explain_one(branches["oneOf"], value, path, old, result)
    if "allOf" in branches:
        found = [explain(each, value, path, old) for each in branches["allOf"]]
        for each in found:
            result.merge(each)
        passed = sum(each.valid for each in found)
        if passed != len(found):
            more = "" if passed else ". None validated"
            result.add(anywhere(f"{where} must validate all the schemas (allOf){more}"))
    if "not" in branches and explain(branches["not"][0], value, path, old).valid:
        result.add(anywhere(f"{where} must not validate the schema (not)"))


def _explain_any(
    branches: Sequence[Node], value: Any, path: str, old: Correlated | None, result: Result
) -> None:
    best: Result | None = None
    for branch in branches:
        found = explain(branch, value, path, old)
        if found.valid:
            result.merge(found)
            return
        if best is None or found.matched > best.matched:
            best = found
    result.add(anywhere(f"{quoted(path)} must validate at least one schema (anyOf)"))
    if best is not None:
        result.merge(best)


def _explain_one(
    branches: Sequence[Node], value: Any, path: str, old: Correlated | None, result: Result
) -> None:
    found = [explain(branch, value, path, old) for branch in branches]
    passed = [each for each in found if each.valid]
    if len(passed) == 1:
        result.merge(passed[0])
        return
    more = f"Found {len(passed)} valid alternatives" if passed else "Found none valid"
    detail = f"{quoted(path)} must validate one and only one schema (oneOf). {more}"
    result.add(anywhere(detail))
    if not passed:
        result.merge(max(found, key=lambda each: each.matched))

"""Field errors in upstream's words.

Owns      the wording and reason of each sort of field error.
Source    apimachinery pkg/util/validation/field; clients match on reasons, people read the words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from busk8s.errors import Cause

IMMUTABLE = "field is immutable"
NEGATIVE = "must be greater than or equal to 0"


def shown(value: Any) -> str:
    """A bad value as the message quotes it."""
    return "null" if value is None else orjson.dumps(value).decode()


def required(path: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", _with("Required value", detail), path)


def invalid(path: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", _with(f"Invalid value: {shown(value)}", detail), path)


def wrong(path: str, detail: str) -> Cause:
    """An invalid value that is not shown: too much, or too little of it says why."""
    return Cause("FieldValueInvalid", _with("Invalid value", detail), path)


def not_supported(path: str, value: Any, supported: Iterable[str]) -> Cause:
    values = ", ".join(f'"{each}"' for each in supported)
    message = f"Unsupported value: {shown(value)}: supported values: {values}"
    return Cause("FieldValueNotSupported", message, path)


def duplicate(path: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", path)


def forbidden(path: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", _with("Forbidden", detail), path)


def not_found(path: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {shown(value)}", path)


def too_long(path: str, limit: int) -> Cause:
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", path)


def too_many(path: str, count: int, limit: int) -> Cause:
    message = f"Too many: {count}: must have at most {limit} items"
    return Cause("FieldValueTooMany", message, path)


def immutable(path: str, value: Any) -> Cause:
    return invalid(path, value, IMMUTABLE)


def invalid_each(path: str, value: Any, messages: Iterable[str]) -> list[Cause]:
    """One cause a message, as the `*_errors` functions of `meta` give them."""
    return [invalid(path, value, message) for message in messages]


def not_negative(path: str, value: Any) -> list[Cause]:
    return [invalid(path, value, NEGATIVE)] if value is not None and value < 0 else []


def in_range(path: str, value: Any, low: int, high: int) -> list[Cause]:
    if value is None or low <= value <= high:
        return []
    return [invalid(path, value, f"must be between {low} and {high}, inclusive")]


def one_of(path: str, value: Any, supported: Iterable[str]) -> list[Cause]:
    """`supported` in the order upstream lists it."""
    if not value:
        return [required(path)]
    return [] if value in supported else [not_supported(path, value, supported)]


def _with(message: str, detail: str) -> str:
    return f"{message}: {detail}" if detail else message

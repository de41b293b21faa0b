"""Checks of strings and numbers: lengths, patterns, formats, bounds, multiples.

Owns      the order and words of these checks.
Leaves    formats (formats), regular expressions (patterns), types and enums (values).
Source    what upstream's OpenAPI validator answers, its odd corners included.
"""

from __future__ import annotations

import math
from typing import Any

from busk8s.api.custom.findings import anywhere, invalid, number_text, wrong_type
from busk8s.api.custom.formats import checked_format, fits_format
from busk8s.api.custom.patterns import matches
from busk8s.errors import Cause

Json = dict[str, Any]
_INTEGERS = {"int32": 1 << 31, "int64": 1 << 63}
_FLOAT32_MAX = 3.4028235677973366e38
# JSON numbers up to here are exact; how near to a whole number counts as one.
_EXACT_MAX = float((1 << 53) - 1)
_NEAR = 1e-9


def string_failures(schema: Json, value: str, path: str) -> list[Cause]:
    """The first of length and pattern that fails, and the format."""
    causes: list[Cause] = []
    if (cause := _text_failure(schema, value, path)) is not None:
        causes.append(cause)
    name = checked_format(schema)
    if name and not fits_format(name, value):
        causes.append(wrong_type(path, str(schema["format"]), value))
    return causes


def _text_failure(schema: Json, value: str, path: str) -> Cause | None:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        message = f"Too long: may not be more than {longest} bytes"
        return Cause("FieldValueTooLong", message, path)
    if shortest is not None and len(value) < shortest:
        return invalid(path, value, f"{path} in body should be at least {shortest} chars long")
    pattern = schema.get("pattern")
    if pattern and not matches(pattern, value):
        return invalid(path, value, f"{path} in body should match '{pattern}'")
    return None


def number_failures(
    schema: Json, types: tuple[str, ...], value: int | float, path: str
) -> list[Cause]:
    kind = types[0] if len(types) == 1 and types[0] in ("integer", "number") else ""
    width = checked_format(schema) if kind else ""
    causes: list[Cause] = []
    _in_range(causes, "Checked", value, (kind, width), path)
    if (factor := schema.get("multipleOf")) is not None:
        if _in_range(causes, "MultipleOf", factor, (kind, width), path) and _whole(value):
            factor = int(factor)
        _multiple(causes, value, factor, path)
    for name, word in (("maximum", "Maximum"), ("minimum", "Minimum")):
        if (bound := schema.get(name)) is not None:
            if _in_range(causes, f"{word} boundary", bound, (kind, width), path) and _whole(value):
                bound = int(bound)
            exclusive = bool(schema.get(f"exclusive{word}"))
            _bounded(causes, value, bound, path, word=word, exclusive=exclusive)
    return causes


def _whole(value: int | float) -> bool:
    return isinstance(value, int)


def _bounded(
    causes: list[Cause],
    value: int | float,
    bound: int | float,
    path: str,
    *,
    word: str,
    exclusive: bool,
) -> None:
    if word == "Maximum":
        beyond, words = value > bound, "less than"
    else:
        beyond, words = value < bound, "greater than"
    if beyond or (exclusive and value == bound):
        words += "" if exclusive else " or equal to"
        detail = f"{path} in body should be {words} {number_text(bound)}"
        causes.append(invalid(path, value, detail))


def _multiple(causes: list[Cause], value: int | float, factor: int | float, path: str) -> None:
    if factor <= 0:
        text = f"factor MultipleOf declared for {path} must be positive: {number_text(factor)}"
        causes.append(invalid(path, factor, text))
        return
    if isinstance(factor, int) and isinstance(value, int):
        fits = value % factor == 0
    else:
        quotient = 1 / factor * value if factor < 1 else value / factor
        fits = is_json_integer(quotient)
    if not fits:
        detail = f"{path} in body should be a multiple of {number_text(factor)}"
        causes.append(invalid(path, value, detail))


def _in_range(
    causes: list[Cause], what: str, value: int | float, kind: tuple[str, str], path: str
) -> bool:
    name, width = kind
    if name == "integer":
        most = _INTEGERS.get(width, 1 << 63)
        fits = (isinstance(value, int) or float(value).is_integer()) and -most <= value < most
    else:
        fits = width != "float" or abs(value) <= _FLOAT32_MAX
    if not fits:
        of = f"{name} with format {width}" if width else f"{name} (default format)"
        causes.append(anywhere(f"{what} value must be of type {of} in {path}"))
    return fits


def is_json_integer(value: float) -> bool:
    """Whether a number that is written with a fraction is still a whole one."""
    if not math.isfinite(value) or abs(value) > _EXACT_MAX:
        return False
    if float(value).is_integer():
        return True
    whole = abs(float(math.trunc(value)))
    return abs(abs(value) - whole) / (abs(value) + whole) < _NEAR

"""Resource quantities: `1500m`, `1.5Gi`, `1e3`, exact, and their canonical text.

Owns      the grammar, the arithmetic value and the canonical form of a quantity.
Leaves    where quantities stand in objects (api/types marks them), sums of them (scheduler).
Invariant a quantity is a whole number of billionths: what is finer is rounded away from zero, as
          upstream does, so `nanos` is the value and no float is ever involved.
Source    apimachinery pkg/api/resource; the user-visible grammar is in the API reference.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

NANOS = 10**9
# Values above what fits in 64 bits are cut to it, as upstream does on its exact path.
VALUE_MAX = 2**63 - 1
# Quantities repeat ("100m", "128Mi"): a few thousand distinct texts cover a large cluster.
CACHE_ENTRIES = 4096
# Longer texts are legal but come from nobody sane; they are parsed each time, never remembered.
CACHED_LENGTH_MAX = 40
# Past this many digits the number is beyond VALUE_MAX, or below one nano, whatever they are.
EXPONENT_MAX = 64
TEXT_LENGTH_MAX = 4096

_FORMAT = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?", re.ASCII)
_SHAPE = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([-+]?[0-9]+)", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")

Text = str | int | float


class QuantityError(ValueError):
    """The text is no quantity; the message is upstream's."""


def nanos(quantity: Text) -> int:
    """The exact value in billionths."""
    return _parsed(_text(quantity))[0]


def parse(quantity: Text) -> Fraction:
    """The exact value."""
    return Fraction(nanos(quantity), NANOS)


def value(quantity: Text) -> int:
    """The value in whole units, rounded away from zero (memory in bytes, counts)."""
    return _rounded_up(nanos(quantity), NANOS)


def millis(quantity: Text) -> int:
    """The value in thousandths, rounded away from zero (CPU)."""
    return _rounded_up(nanos(quantity), 10**6)


def canonical(quantity: Text) -> str:
    """The one text of this value in its own notation: `1000m` -> `1`, `1.5Gi` -> `1536Mi`."""
    text = _text(quantity)
    if len(text) > CACHED_LENGTH_MAX:
        return _canonical_of(*_parsed(text))
    return _canonical(text)


def rounded_to_millis(quantity: Text) -> str:
    """Canonical, and no finer than a thousandth: what upstream stores in resource lists."""
    text = canonical(quantity)
    if text[-1] not in "nu" and "e-" not in text:
        return text
    exact, notation = _parsed(text)
    return _canonical_of(_rounded_up(exact, 10**6) * 10**6, notation)


def render(exact_nanos: int, like: str = "") -> str:
    """The canonical text of a value, in the notation of `like` (a suffix: `Ki`, `m`, `e3`)."""
    return _canonical_of(exact_nanos, _interpreted(like)[2])


def is_quantity(candidate: object) -> bool:
    if not isinstance(candidate, str | int | float) or isinstance(candidate, bool):
        return False
    try:
        nanos(candidate)
    except QuantityError:
        return False
    return True


def _text(quantity: Text) -> str:
    if type(quantity) is str:
        return quantity
    return str(quantity)


def _rounded_up(exact: int, unit: int) -> int:
    """Away from zero: someone who asks for a sliver gets a whole unit, never nothing."""
    return -(-exact // unit) if exact >= 0 else exact // unit


def _parsed(text: str) -> tuple[int, str]:
    """(nanos, notation): notation is `decimal`, `binary` or `exponent`."""
    return _parse(text) if len(text) > CACHED_LENGTH_MAX else _parse_cached(text)


def _parse(text: str) -> tuple[int, str]:
    text = text.strip()
    shape = _SHAPE.fullmatch(text) if len(text) <= TEXT_LENGTH_MAX else None
    if shape is None:
        raise QuantityError(f"quantities must match the regular expression '{_FORMAT}'")
    number = _NUMBER.fullmatch(shape[1])
    whole, part = (number[2] or "", number[3] or "") if number else ("", "")
    if not (whole or part) or number is None:
        raise QuantityError("unable to parse numeric part of quantity")
    base, exponent, notation = _interpreted(shape[2])
    exact = _scaled((whole + part).lstrip("0"), exponent, len(part), base)
    return (-exact if number[1] == "-" else exact), notation


def _scaled(digits: str, exponent: int, places: int, base: int) -> int:
    """`digits` x base^exponent / 10^places in nanos, without ever building an absurd number."""
    if not digits:
        return 0
    if base == 2:
        return _bounded((int(digits) << exponent) * NANOS, 10**places)
    shift = exponent - places + 9
    if shift + len(digits) > EXPONENT_MAX:
        return VALUE_MAX * NANOS
    if shift + len(digits) < -EXPONENT_MAX:
        return 1
    mantissa = int(digits)
    if shift >= 0 and len(digits) <= 18:
        return mantissa * int(10**shift)
    return _bounded(mantissa * 10 ** max(shift, 0), 10 ** max(-shift, 0))


def _bounded(numerator: int, denominator: int) -> int:
    return min(-(-numerator // denominator), VALUE_MAX * NANOS)


def _interpreted(suffix: str) -> tuple[int, int, str]:
    """(base, exponent, notation) of a suffix."""
    if (exponent := _DECIMAL.get(suffix)) is not None:
        return 10, exponent, "decimal"
    if (exponent := _BINARY.get(suffix)) is not None:
        return 2, exponent, "binary"
    if scientific := _EXPONENT.fullmatch(suffix):
        digits = scientific[1]
        # The sign is all that matters of an exponent with more digits than any sane one.
        capped = int(digits) if len(digits) <= 9 else (-(10**9) if digits[0] == "-" else 10**9)
        return 10, capped, "exponent"
    raise QuantityError("unable to parse quantity's suffix")


def _canonical_of(exact: int, notation: str) -> str:
    if exact == 0:
        return "0"
    if notation == "binary" and abs(exact) >= 1024 * NANOS and exact % NANOS == 0:
        return _binary_text(exact // NANOS)
    exponent = -9
    while exact % 1000 == 0:
        exact //= 1000
        exponent += 3
    if notation == "exponent" or exponent > 18:
        return f"{exact}e{exponent}" if exponent else str(exact)
    return f"{exact}{_DECIMAL_SUFFIX[exponent]}"


def _binary_text(units: int) -> str:
    power = 0
    while units % 1024 == 0 and power < len(_BINARY_SUFFIX) - 1:
        units //= 1024
        power += 1
    return f"{units}{_BINARY_SUFFIX[power]}"


@lru_cache(CACHE_ENTRIES)
def _parse_cached(text: str) -> tuple[int, str]:
    return _parse(text)


@lru_cache(CACHE_ENTRIES)
def _canonical(text: str) -> str:
    return _canonical_of(*_parse(text))

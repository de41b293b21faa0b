"""Timestamps and durations as text, in whole nanoseconds, as Go reads and writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from busk8s.api.cel.errors import CelEvalError

NANOS: Final = 1_000_000_000
INT_MAX: Final = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = (-62135596800 * NANOS, 253402300799 * NANOS + NANOS - 1)  # years 1 to 9999
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": NANOS,
    "m": 60 * NANOS,
    "h": 3600 * NANOS,
}
_PART = re.compile(
    r"(\d{1,25})(?:\.(\d{0,25}))?(ns|us|µs|μs|ms|s|m|h)|\.(\d{1,25})(ns|us|µs|μs|ms|s|m|h)"
)
_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?([Zz]|[+-]\d\d:\d\d))?",
    re.ASCII,
)
TEXT_MAX = 256


def parse_duration(text: str) -> int:
    """`1h30m`, `-1.5s`, as Go's ParseDuration."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total, at = 0, 0
    if not rest or len(text) > TEXT_MAX:
        raise CelEvalError(f'time: invalid duration "{text[:TEXT_MAX]}"')
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None:
            raise CelEvalError(f'time: invalid duration "{text}"')
        whole, fraction = found[1] or "0", found[2] or found[4] or ""
        scale = _UNITS[found[3] or found[5]]
        total += int(whole) * scale
        if fraction:
            total += int(fraction) * scale // 10 ** len(fraction)
        at = found.end()
    total = -total if text[0] == "-" else total
    if not -INT_MAX - 1 <= total <= INT_MAX:
        raise CelEvalError(f'time: invalid duration "{text}"')
    return total


def show_duration(nanos: int) -> str:
    """In seconds, as the language's string() gives it."""
    sign, nanos = ("-", -nanos) if nanos < 0 else ("", nanos)
    whole, rest = divmod(nanos, NANOS)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{sign}{whole}{fraction}s"


def parse_timestamp(text: str) -> int:
    found = _STAMP.fullmatch(text) if len(text) <= TEXT_MAX else None
    if found is None:
        raise CelEvalError(f'parsing time "{text[:TEXT_MAX]}": not an RFC 3339 timestamp')
    try:
        when = datetime(*(int(part or 0) for part in found.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type, misc]  # six numbers
    except ValueError as error:
        raise CelEvalError(f'parsing time "{text}": {error}') from None
    nanos = int((when - _EPOCH).total_seconds()) * NANOS
    if found[7]:
        nanos += int(found[7][:9].ljust(9, "0"))
    zone = found[8] or "Z"
    if zone not in "Zz":
        minutes = int(zone[1:3]) * 60 + int(zone[4:6])
        if int(zone[1:3]) > 23 or int(zone[4:6]) > 59:
            raise CelEvalError(f'parsing time "{text}": time zone offset out of range')
        nanos -= (minutes if zone[0] == "+" else -minutes) * 60 * NANOS
    return in_years(nanos)


def in_years(nanos: int) -> int:
    if not _YEARS[0] <= nanos <= _YEARS[1]:
        raise CelEvalError("timestamp overflow")
    return nanos


def show_time(nanos: int) -> str:
    whole, rest = divmod(nanos, NANOS)
    text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"

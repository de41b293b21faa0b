"""Literals that can be checked before anything runs: patterns, durations, timestamps.

Owns      which arguments these are, and upstream's words for what is wrong with one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from busk8s.api.cel.errors import CelEvalError
from busk8s.api.cel.times import parse_duration, parse_timestamp
from busk8s.api.cel.tree import Call, Const, Node


def _pattern(text: str) -> Any:
    from busk8s.api.cel.library.regexes import compiled

    return compiled(text)


_LITERALS: dict[str, tuple[Callable[[str], Any], str]] = {
    "matches": (_pattern, "invalid matches argument"),
    "duration": (parse_duration, "invalid duration argument"),
    "timestamp": (parse_timestamp, "invalid timestamp argument"),
}


def wrong(calls: Iterable[Node]) -> list[tuple[int, str]]:
    """Place and message of each that cannot be read."""
    found: list[tuple[int, str]] = []
    for call in calls:
        if not isinstance(call, Call) or not call.args or call.function not in _LITERALS:
            continue
        literal = call.args[-1]
        if not isinstance(literal, Const) or not isinstance(literal.value, str):
            continue
        read, why = _LITERALS[call.function]
        try:
            read(literal.value)
        except CelEvalError:
            found.append((literal.at, why))
    return found

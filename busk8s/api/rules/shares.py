"""Amounts of pods: a number, or a share in per cent.

Source    Kubernetes API reference, IntOrString; the rules of apps and policy validation.
"""

from __future__ import annotations

import re

from busk8s.api.rules.cause import invalid, not_negative
from busk8s.errors import Cause

_PERCENT = re.compile(r"[0-9]+%", re.ASCII)
_PERCENT_MESSAGE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or "
    "'93%', regex used for validation is '[0-9]+%')"
)


def positive(value: int | str, path: str) -> list[Cause]:
    """A number from 0 on, or a text that is a share."""
    if isinstance(value, int):
        return not_negative(path, value)
    return [] if _PERCENT.fullmatch(value) else [invalid(path, value, _PERCENT_MESSAGE)]


def at_most_all(value: int | str, path: str) -> list[Cause]:
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def amount(value: int | str) -> int:
    """The number of either; 0 for a text that is no share."""
    if isinstance(value, int):
        return value
    return int(value[:-1]) if _PERCENT.fullmatch(value) else 0

"""What is wrong with a cron schedule, in the words of upstream's cron library.

Leaves    when it is due (api/schedule), which may refuse what passes here.
Source    robfig/cron, the five-field parser that Kubernetes uses: bounds, names, messages.
"""

from __future__ import annotations

import re

# Lowest and highest value of each field, and the names for values.
_MONTHS = {name: at for at, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)}  # fmt: skip # noqa: E501 - one table, one line
_DAYS = {name: at for at, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _DAYS),
)  # fmt: skip
_MACROS = frozenset(
    ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
)
_DURATION = re.compile(r"[-+]?(0|([0-9]*\.?[0-9]+|[0-9]+\.)(ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9]+", re.ASCII)


def schedule_error(schedule: str) -> str:
    """Why the text is no schedule; empty if it is one. A time zone before it is not looked at."""
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        schedule = schedule.partition(" ")[2].strip()
    if schedule.startswith("@"):
        return _macro_error(schedule)
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        shown = " ".join(fields)
        return f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{shown}]"
    for text, (low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in filter(None, text.split(",")):
            if error := _range_error(part, low, high, names):
                return error
    return ""


def _macro_error(schedule: str) -> str:
    if schedule in _MACROS:
        return ""
    if not schedule.startswith("@every "):
        return f"unrecognized descriptor: {schedule}"
    duration = schedule.removeprefix("@every ")
    if _DURATION.fullmatch(duration):
        return ""
    return f'failed to parse duration {schedule}: time: invalid duration "{duration}"'


def _range_error(part: str, low: int, high: int, names: dict[str, int]) -> str:
    ends, *steps = part.split("/")
    first, *others = ends.split("-")
    try:
        if first in ("*", "?"):
            start, end = low, high
        else:
            start = end = _value(first, names)
            if len(others) == 1:
                end = _value(others[0], names)
            elif others:
                return f"too many hyphens: {part}"
        if len(steps) > 1:
            return f"too many slashes: {part}"
        step = _value(steps[0], {}) if steps else 1
    except ValueError as error:
        return str(error)
    if steps and not others:
        end = high
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {part}"
    if end > high:
        return f"end of range ({end}) above maximum ({high}): {part}"
    if start > end:
        return f"beginning of range ({start}) beyond end of range ({end}): {part}"
    return f"step of range should be a positive number: {part}" if step == 0 else ""


def _value(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not _NUMBER.fullmatch(text):
        raise ValueError(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    if int(text) < 0:
        raise ValueError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)

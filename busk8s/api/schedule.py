"""Cron schedules with their time zones: when a CronJob was last due, and when it is next. Pure.

Owns      upstream's spellings (`@daily`, `@every 5m`, `?`), time zones, the search for moments.
Leaves    the five fields and daylight saving (cronsim), what is done at those moments (cronjob).
Invariant for one schedule moments are totally ordered and never depend on who asks, nor when.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|m|s)")
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0}
SCHEDULES_CACHED_MAX = 512


class BadSchedule(ValueError):
    """The text is no schedule, or the zone is not known."""


def check(schedule: str, zone: str = "") -> None:
    """Raises BadSchedule when the two cannot be used."""
    if _every_s(schedule) is None:
        _walk(schedule, 0.0, zone_of(zone), reverse=False)
    zone_of(zone)


def last_due(schedule: str, zone: str, since: float, now: float) -> float | None:
    """The latest moment after `since` and not after `now`, if there is one."""
    every_s = _every_s(schedule)
    if every_s is not None:
        passed = int((now - since) // every_s)
        return since + passed * every_s if passed > 0 else None
    # A reverse walk gives what lies strictly before its start.
    found = next(_walk(schedule, float(int(now) + 1), zone_of(zone), reverse=True)).timestamp()
    return found if since < found <= now else None


def next_due(schedule: str, zone: str, since: float, now: float) -> float:
    """The first moment after `now`; `since` is where an interval begins to count."""
    every_s = _every_s(schedule)
    if every_s is not None:
        return since + (int((now - since) // every_s) + 1) * every_s
    return next(_walk(schedule, now, zone_of(zone), reverse=False)).timestamp()


def missed(schedule: str, zone: str, since: float, now: float, most: int) -> int:
    """How many moments lie after `since` and not after `now`, counted up to `most`."""
    every_s = _every_s(schedule)
    if every_s is not None:
        return min(most, int((now - since) // every_s))
    found = 0
    for moment in _walk(schedule, since, zone_of(zone), reverse=False):
        if moment.timestamp() > now or found >= most:
            return found
        found += 1
    return found


def zone_of(name: str) -> tzinfo:
    """The zone of that name; UTC for none, as the controller manager's own zone is upstream."""
    if not name:
        return UTC
    return _zone(name)


@lru_cache(maxsize=SCHEDULES_CACHED_MAX)
def _zone(name: str) -> tzinfo:
    if name.lower() == "local":
        raise BadSchedule(f"unknown time zone {name}")
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise BadSchedule(f"unknown time zone {name}") from error


def _walk(schedule: str, start: float, zone: tzinfo, *, reverse: bool) -> CronSim:
    text = MACROS.get(schedule.strip(), schedule).replace("?", "*")
    if len(text.split()) != 5:
        raise BadSchedule(f"expected exactly 5 fields, found {len(text.split())}: [{schedule}]")
    moment = datetime.fromtimestamp(start, UTC).replace(microsecond=0).astimezone(zone)
    try:
        return CronSim(text, moment, reverse=reverse)
    except CronSimError as error:
        raise BadSchedule(f"{error}: [{schedule}]") from error


def _every_s(schedule: str) -> float | None:
    """Seconds of `@every <duration>`; at least one, as upstream."""
    word, _, text = schedule.strip().partition(" ")
    if word != "@every":
        return None
    text = text.strip()
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise BadSchedule(f"failed to parse duration {schedule}")
    whole = timedelta(seconds=sum(float(number) * _UNITS_S[unit] for number, unit in parts))
    return max(1.0, float(int(whole.total_seconds())))

"""Crash-loop back-off of one container: 10 s, doubling to 5 min, forgotten after 10 min of peace.

Invariant the first restart is at once; only the second crash waits (as upstream).
"""

from __future__ import annotations

from dataclasses import dataclass

INITIAL_S = 10.0
MAX_S = 300.0
FORGET_S = 2 * MAX_S


@dataclass(frozen=True, slots=True)
class BackOff:
    """`delay_s` is what the next restart waits; `updated_at` is when the last one was."""

    delay_s: float
    updated_at: float


def remaining_s(entry: BackOff | None, ended_at: float, now: float) -> float:
    """How long a container that ended at `ended_at` still has to wait; 0 = restart now."""
    if entry is None or _forgotten(entry, ended_at):
        return 0.0
    return max(0.0, ended_at + entry.delay_s - now)


def after_restart(entry: BackOff | None, ended_at: float, now: float) -> BackOff:
    """The entry once the container that ended at `ended_at` is started again."""
    if entry is None or _forgotten(entry, ended_at):
        return BackOff(INITIAL_S, now)
    return BackOff(min(entry.delay_s * 2, MAX_S), now)


def _forgotten(entry: BackOff, ended_at: float) -> bool:
    return ended_at - entry.updated_at > FORGET_S


def render_delay(seconds: float) -> str:
    """As Go prints a duration: 10s, 1m20s, 5m0s."""
    whole = int(seconds)
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60}s"

"""Probe thresholds: a run of results becomes a verdict. Pure.

Owns      ProbeSpec (with upstream's defaults) and the step from one result to the next state.
Leaves    asking (probers.py), when (probes.py).
Invariant a verdict changes only after its whole threshold of like results in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from busk8s.api.object import Json

ProbeKind = Literal["liveness", "readiness", "startup"]


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    kind: ProbeKind
    raw: Json
    initial_delay_s: float
    period_s: float
    timeout_s: float
    successes: int
    failures: int
    grace_s: float | None


@dataclass(frozen=True, slots=True)
class ProbeState:
    """`passed` is the verdict; `streak` counts like results in a row."""

    passed: bool
    last: bool | None = None
    streak: int = 0


def parse_probe(kind: ProbeKind, raw: Json) -> ProbeSpec:
    grace = raw.get("terminationGracePeriodSeconds")
    return ProbeSpec(
        kind=kind,
        raw=raw,
        initial_delay_s=float(raw.get("initialDelaySeconds") or 0),
        period_s=float(raw.get("periodSeconds") or 10),
        timeout_s=float(raw.get("timeoutSeconds") or 1),
        successes=int(raw.get("successThreshold") or 1),
        failures=int(raw.get("failureThreshold") or 3),
        grace_s=None if grace is None else float(grace),
    )


def initial(kind: ProbeKind) -> ProbeState:
    """Alive until shown dead; neither ready nor started until shown so."""
    return ProbeState(passed=kind == "liveness")


def step(spec: ProbeSpec, state: ProbeState, ok: bool) -> ProbeState:
    streak = state.streak + 1 if state.last is ok else 1
    needed = spec.successes if ok else spec.failures
    passed = ok if streak >= needed else state.passed
    return ProbeState(passed, ok, streak)


def failed_for_good(spec: ProbeSpec, state: ProbeState) -> bool:
    """A startup probe that reached its failure threshold: the container is to be restarted."""
    return state.last is False and state.streak >= spec.failures

"""What the scheduler does, under upstream's names of metrics.

Owns      the families of scheduling.
Leaves    deciding and telling (loop), where they are read (run).
Source    Kubernetes reference, "Kubernetes Metrics Reference": scheduler_*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from busk8s.metrics import Counter, Family, Gauge, Histogram, exponential

Result = Literal["scheduled", "unschedulable", "error"]
ATTEMPT_S = exponential(0.001, 2, 15)
WHOLE_S = exponential(0.01, 2, 20)
_BY = ("profile", "result")
_MANY_ATTEMPTS = 15  # More are told as this, as upstream does.


class SchedulingMetrics:
    def __init__(self, profile: str) -> None:
        self._profile = profile
        self._attempts = Counter(
            "scheduler_schedule_attempts_total", "Attempts to find a node, by their result.", _BY
        )
        self._times = Histogram(
            "scheduler_scheduling_attempt_duration_seconds",
            "Time of an attempt: deciding and binding.",
            ATTEMPT_S,
            _BY,
        )
        self.decisions = Histogram(
            "scheduler_scheduling_algorithm_duration_seconds", "Time to decide.", ATTEMPT_S
        )
        self._waits = Histogram(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "Time from a pod's arrival in the queue to its node.",
            WHOLE_S,
            ("attempts",),
        )
        self._tries = Histogram(
            "scheduler_pod_scheduling_attempts",
            "Attempts until a pod had its node.",
            exponential(1, 2, 5),
        )

    def attempted(self, result: Result, seconds: float) -> None:
        self._attempts.inc((self._profile, result))
        self._times.observe(seconds, (self._profile, result))

    def placed(self, attempts: int, seconds: float) -> None:
        """A pod has its node, `seconds` after it came."""
        said = str(attempts) if attempts < _MANY_ATTEMPTS else f"{_MANY_ATTEMPTS}+"
        self._waits.observe(seconds, (said,))
        self._tries.observe(attempts)

    def families(
        self,
        pending: Callable[[], tuple[int, int, int]],
        known: Callable[[], tuple[int, int, int]],
    ) -> Sequence[Family]:
        """`pending`: pods active, backing off, unschedulable; `known`: nodes, pods, assumed."""
        places = ("active", "backoff", "unschedulable")
        kinds = ("nodes", "pods", "assumed_pods")
        return (
            self._attempts,
            self._times,
            self.decisions,
            self._waits,
            self._tries,
            Gauge("scheduler_pending_pods", "Pods that wait, by where.",
                  lambda: {(at,): n for at, n in zip(places, pending(), strict=True)},
                  ("queue",)),
            Gauge("scheduler_scheduler_cache_size", "What the scheduler knows of.",
                  lambda: {(at,): n for at, n in zip(kinds, known(), strict=True)},
                  ("type",)),
        )  # fmt: skip

"""What webhooks that convert custom resources take, and how their calls end.

Owns      the families and their labels. Leaves   converting (conversion).
Source    Kubernetes reference, "Kubernetes Metrics Reference".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from busk8s.api.scheme import Resource
from busk8s.metrics import Counter, Family, Histogram, exponential

CONVERSION_S = exponential(0.001, 2, 15)
CALL_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 45, 60)
Failure = Literal[
    "", "conversion_webhook_call_failure", "conversion_webhook_invalid_converted_object_failure"
]


class ConversionMetrics:
    def __init__(self) -> None:
        self._times = Histogram(
            "apiserver_crd_conversion_webhook_duration_seconds",
            "Time of a conversion, by definition and versions.",
            CONVERSION_S,
            ("crd_name", "from_version", "succeeded", "to_version"),
        )
        self._calls = Histogram(
            "apiserver_conversion_webhook_duration_seconds",
            "Time of a call of a conversion webhook.",
            CALL_S,
            ("failure_type", "result"),
        )
        self._total = Counter(
            "apiserver_conversion_webhook_request_total",
            "Calls of conversion webhooks, by how they ended.",
            ("failure_type", "result"),
        )

    def called(self, target: Resource, source: str, seconds: float, failure: Failure) -> None:
        """`source`: the apiVersion that was to be converted."""
        done = "false" if failure else "true"
        version = source.rpartition("/")[2]
        self._times.observe(seconds, (target.key, version, done, target.version))
        result = (failure, "failure" if failure else "success")
        self._calls.observe(seconds, result)
        self._total.inc(result)

    def families(self) -> Sequence[Family]:
        return (self._times, self._calls, self._total)

"""What admission costs and refuses, by plug-in, by step and by webhook.

Owns      the families and their labels. Leaves   admitting (admission).
Source    Kubernetes reference, "Kubernetes Metrics Reference".
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.clock import Clock
from busk8s.metrics import Cell, Counter, Family, Histogram

STEP_S = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
WEBHOOK_S = (*STEP_S, 10.0, 25.0)
CODE_MAX = 600  # Of a webhook's refusal: greater ones are told as this.
_BY = ("operation", "rejected", "type")


class AdmissionMetrics:
    def __init__(self, clock: Clock) -> None:
        self.now = clock.monotonic
        self._steps = Histogram(
            "apiserver_admission_step_admission_duration_seconds",
            "Time of a whole step of admission.",
            STEP_S,
            _BY,
        )
        self._plugins = Histogram(
            "apiserver_admission_controller_admission_duration_seconds",
            "Time in one built-in plug-in of admission.",
            STEP_S,
            ("name", *_BY),
        )
        self._webhooks = Histogram(
            "apiserver_admission_webhook_admission_duration_seconds",
            "Time until a webhook had answered.",
            WEBHOOK_S,
            ("name", *_BY),
        )
        self._asked = Counter(
            "apiserver_admission_webhook_request_total",
            "Calls of webhooks and how they ended.",
            ("code", "name", *_BY),
        )
        self._rejected = Counter(
            "apiserver_admission_webhook_rejection_count",
            "Writes that webhooks, or their failures, refused.",
            ("error_type", "name", "operation", "rejection_code", "type"),
        )
        self._opened = Counter(
            "apiserver_admission_webhook_fail_open_count",
            "Failures of webhooks that were ignored, as configured.",
            ("name", "type"),
        )

    def families(self) -> Sequence[Family]:
        return (
            self._steps, self._plugins, self._webhooks, self._asked, self._rejected, self._opened,
        )  # fmt: skip

    def plugin(self, name: str, operation: str, kind: str) -> tuple[Cell, Cell]:
        """Where the times of a plug-in go: when it admits, when it refuses."""
        cell = self._plugins.cell
        return cell((name, operation, "false", kind)), cell((name, operation, "true", kind))

    def step(self, operation: str, kind: str, seconds: float, *, rejected: bool) -> None:
        self._steps.observe(seconds, (operation, _said(rejected), kind))

    def webhook(
        self,
        name: str,
        operation: str,
        kind: str,
        seconds: float,
        *,
        code: int = 200,
        error: str = "",
    ) -> None:
        """One call. `error`: why the write was refused by it, in upstream's three words."""
        told, rejected = str(min(code, CODE_MAX)), _said(bool(error))
        self._webhooks.observe(seconds, (name, operation, rejected, kind))
        self._asked.inc((told, name, operation, rejected, kind))
        if error:
            self._rejected.inc((error, name, operation, told, kind))

    def failed_open(self, name: str, kind: str) -> None:
        self._opened.inc((name, kind))


def _said(truth: bool) -> str:
    return "true" if truth else "false"

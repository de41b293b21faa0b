"""/metrics and /metrics/slis of one process: every family there is, when somebody asks.

Owns      which families are on which page, those of the process itself.
Leaves    counting (each part), the text form (metrics; prometheus_client for the process).
Invariant what is told of costs nothing before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from busk8s.metrics import Family, Gauge, text


class Page:
    """`families` are told of on /metrics, `slis` on both pages; `build` is who we are."""

    def __init__(
        self, families: Sequence[Family], slis: Sequence[Family] = (), *, build: Mapping[str, str]
    ) -> None:
        info = Gauge(
            "kubernetes_build_info",
            "The version of this component; always 1.",
            lambda: {tuple(build.values()): 1},
            tuple(build),
        )
        self._families = (*families, *slis, info)
        self._slis = tuple(slis)
        self._process: Any = None

    def whole(self) -> bytes:
        return text(self._families) + self._of_process()

    def slis(self) -> bytes:
        return text(self._slis)

    def _of_process(self) -> bytes:
        """process_* and python_*; prometheus_client is imported at the first question only."""
        import prometheus_client as prometheus

        if self._process is None:
            self._process = prometheus.CollectorRegistry()
            prometheus.ProcessCollector(registry=self._process)
            prometheus.PlatformCollector(registry=self._process)
            prometheus.GCCollector(registry=self._process)
        return prometheus.generate_latest(self._process)

"""PrioritySort: higher priority first, then who waited longest."""

from __future__ import annotations

from busk8s.master.scheduler.pod import PodInfo


class PrioritySort:
    name = "PrioritySort"

    def sort_key(self, pod: PodInfo) -> tuple[float, ...]:
        return (-pod.kind.priority, pod.queued_at)

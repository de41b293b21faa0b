"""What the controllers do, under upstream's names of metrics.

Owns      the families of work queues and of syncs.
Leaves    counting (the queues, the loop), where they are read (run).
Source    Kubernetes reference, "Kubernetes Metrics Reference": workqueue_*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from busk8s.client.workqueue import WAIT_EDGES_S, WorkQueue
from busk8s.metrics import Family, Gauge, Histogram, Labels

_NAME = ("name",)


def families(queues: Mapping[str, WorkQueue]) -> Sequence[Family]:
    """Of the queues of all controllers, by the controllers' names."""
    waits = Histogram(
        "workqueue_queue_duration_seconds", "Time keys wait in a queue.", WAIT_EDGES_S, _NAME
    )
    works = Histogram(
        "workqueue_work_duration_seconds", "Time keys are worked on.", WAIT_EDGES_S, _NAME
    )
    for name, queue in queues.items():
        waits.adopt((name,), queue.wait_s)
        works.adopt((name,), queue.work_s)

    def each(
        name: str, help: str, read: Callable[[WorkQueue], float], kind: str = "gauge"
    ) -> Family:
        def values() -> dict[Labels, float]:
            return {(of,): read(queue) for of, queue in queues.items()}

        return Gauge(f"workqueue_{name}", help, values, _NAME, kind=kind)

    return (
        waits,
        works,
        each("depth", "Keys in the queue.", len),
        each("adds_total", "Keys added.", lambda queue: queue.added_total, "counter"),
        each("retries_total", "Keys tried again.", lambda queue: queue.retried_total, "counter"),
        each(
            "unfinished_work_seconds", "Age of all work under way.", lambda queue: sum(queue.ages())
        ),
        each(
            "longest_running_processor_seconds",
            "Age of the oldest work under way.",
            lambda queue: max(queue.ages(), default=0.0),
        ),
    )

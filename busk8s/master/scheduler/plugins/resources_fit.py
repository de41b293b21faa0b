"""NodeResourcesFit: what a pod requests must be free; emptier nodes score higher.

Source  scoring strategy LeastAllocated over cpu and memory, weight 1 each.
"""

from __future__ import annotations

import numpy as np

from busk8s.master.scheduler.framework import SCORE_MAX, Scores, Verdict
from busk8s.master.scheduler.pod import CPU, MEMORY, PODS, PodInfo
from busk8s.master.scheduler.snapshot import Amounts, Mask, Snapshot


class NodeResourcesFit:
    name = "NodeResourcesFit"
    static = False
    wakes_on = frozenset({"node", "pod"})
    weight = 1.0

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict:
        full = snapshot.free(PODS) < 1
        passes = ~full
        reasons = {"Too many pods": full}
        for name, amount in pod.kind.requests.items():
            if amount:
                short = snapshot.free(name) < amount
                reasons[f"Insufficient {name}"] = short
                passes &= ~short
        return Verdict(passes, reasons)

    def score(self, pod: PodInfo, snapshot: Snapshot, feasible: Mask) -> Scores | None:
        cpu, memory = fractions(pod, snapshot)
        return SCORE_MAX * (2.0 - cpu - memory) / 2.0


def fractions(pod: PodInfo, snapshot: Snapshot) -> tuple[Scores, Scores]:
    """How full cpu and memory of each node would be with `pod` on it, 0..1."""
    rows = len(snapshot.rows)
    cpu = snapshot.scored_cpu[:rows] + pod.kind.scored_cpu_millis
    memory = snapshot.scored_memory[:rows] + pod.kind.scored_memory_bytes
    return (
        _fraction(cpu, snapshot.allocatable[CPU][:rows]),
        _fraction(memory, snapshot.allocatable[MEMORY][:rows]),
    )


def _fraction(used: Amounts, allocatable: Amounts) -> Scores:
    return np.minimum(used / np.maximum(allocatable, 1), 1.0)

"""NodeResourcesBalancedAllocation: prefer nodes whose cpu and memory fill evenly."""

from __future__ import annotations

import numpy as np

from busk8s.master.scheduler.framework import SCORE_MAX, Scores
from busk8s.master.scheduler.plugins.resources_fit import fractions
from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.snapshot import Mask, Snapshot


class BalancedAllocation:
    name = "NodeResourcesBalancedAllocation"
    static = False
    weight = 1.0

    def score(self, pod: PodInfo, snapshot: Snapshot, feasible: Mask) -> Scores | None:
        """100 when both would be equally full; the standard deviation lowers it."""
        cpu, memory = fractions(pod, snapshot)
        return SCORE_MAX * (1.0 - np.abs(cpu - memory) / 2.0)

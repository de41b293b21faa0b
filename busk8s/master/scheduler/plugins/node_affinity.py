"""NodeAffinity: nodeSelector and node affinity, required and preferred.

Leaves  what a term means (api/placement).
"""

from __future__ import annotations

import numpy as np

from busk8s.api.object import Json
from busk8s.api.placement import term_matches
from busk8s.master.scheduler.framework import SCORE_MAX, Scores, Verdict
from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.snapshot import Mask, NodeInfo, Snapshot


class NodeAffinity:
    name = "NodeAffinity"
    static = True
    wakes_on = frozenset({"node"})
    weight = 2.0

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict:
        selector = pod.kind.node_selector.items()
        required = pod.kind.affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
        terms = None if required is None else required.get("nodeSelectorTerms") or ()

        def wanted(node: NodeInfo | None) -> bool:
            if node is None:
                return False
            if not selector <= node.labels.items():
                return False
            return terms is None or any(matches(term, node) for term in terms)

        if not selector and terms is None:
            return Verdict(np.ones(len(snapshot.rows), bool))
        passes = snapshot.select([wanted(node) for node in snapshot.rows])
        return Verdict(passes, {"node(s) didn't match Pod's node affinity/selector": ~passes})

    def score(self, pod: PodInfo, snapshot: Snapshot, feasible: Mask) -> Scores | None:
        preferred = pod.kind.affinity.get("preferredDuringSchedulingIgnoredDuringExecution")
        if not preferred:
            return None
        weights = np.zeros(len(snapshot.rows))
        for index, node in enumerate(snapshot.rows):
            if node is not None and feasible[index]:
                weights[index] = sum(
                    term.get("weight") or 0
                    for term in preferred
                    if matches(term.get("preference") or {}, node)
                )
        most = float(weights.max())
        return None if most <= 0 else SCORE_MAX * weights / most


def matches(term: Json, node: NodeInfo) -> bool:
    return term_matches(term, node.labels, node.name)

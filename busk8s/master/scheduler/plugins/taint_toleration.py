"""TaintToleration: NoSchedule and NoExecute taints keep pods off, PreferNoSchedule weighs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from busk8s.api.object import Json
from busk8s.master.scheduler.framework import SCORE_MAX, Scores, Verdict
from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.snapshot import Mask, NodeInfo, Snapshot

Taint = tuple[str, str, str]  # key, value, effect
_KEEPS_OFF = ("NoSchedule", "NoExecute")


class TaintToleration:
    name = "TaintToleration"
    static = True
    wakes_on = frozenset({"node"})
    weight = 3.0

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict:
        known: dict[tuple[Taint, ...], bool] = {}

        def repels(node: NodeInfo | None) -> bool:
            if node is None or not node.taints:
                return False
            found = known.get(node.taints)
            if found is None:
                found = known[node.taints] = any(
                    taint[2] in _KEEPS_OFF and not tolerates(pod.kind.tolerations, taint)
                    for taint in node.taints
                )
            return found

        repelled = snapshot.select([repels(node) for node in snapshot.rows])
        return Verdict(~repelled, {"node(s) had untolerated taint(s)": repelled})

    def score(self, pod: PodInfo, snapshot: Snapshot, feasible: Mask) -> Scores | None:
        counts = [_disliked(pod, node) for node in snapshot.rows]
        most = max(counts, default=0)
        if not most:
            return None
        return SCORE_MAX * (1.0 - np.asarray(counts, float) / most)


def _disliked(pod: PodInfo, node: NodeInfo | None) -> int:
    if node is None or not node.taints:
        return 0
    return sum(
        taint[2] == "PreferNoSchedule" and not tolerates(pod.kind.tolerations, taint)
        for taint in node.taints
    )


def tolerates(tolerations: Sequence[Json], taint: Taint) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Json, taint: Taint) -> bool:
    """core/v1 Toleration: an empty key with Exists matches all keys, an empty effect all."""
    key, value, effect = taint
    if toleration.get("effect") and toleration["effect"] != effect:
        return False
    if toleration.get("key") and toleration["key"] != key:
        return False
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.get("key")) and (toleration.get("value") or "") == value
        case "Lt":
            return _number(value) < _number(toleration.get("value") or "")
        case "Gt":
            return _number(value) > _number(toleration.get("value") or "")
    return False


def _number(text: str) -> float:
    try:
        return float(int(text))
    except ValueError:
        return float("nan")

"""NodeUnschedulable: cordoned nodes take only pods that tolerate it."""

from __future__ import annotations

from busk8s.master.scheduler.framework import Verdict
from busk8s.master.scheduler.plugins.taint_toleration import tolerates
from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.snapshot import Snapshot

_TAINT = ("node.kubernetes.io/unschedulable", "", "NoSchedule")


class NodeUnschedulable:
    name = "NodeUnschedulable"
    static = True
    wakes_on = frozenset({"node"})

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict:
        cordoned = snapshot.select([n is not None and n.unschedulable for n in snapshot.rows])
        if tolerates(pod.kind.tolerations, _TAINT):
            return Verdict(snapshot.select([True] * len(snapshot.rows)))
        return Verdict(~cordoned, {"node(s) were unschedulable": cordoned})

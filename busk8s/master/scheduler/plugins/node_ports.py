"""NodePorts: two pods on one node cannot hold the same host port."""

from __future__ import annotations

import numpy as np

from busk8s.master.scheduler.framework import Verdict
from busk8s.master.scheduler.pod import HostPort, PodInfo
from busk8s.master.scheduler.snapshot import NodeInfo, Snapshot

_ALL_ADDRESSES = ("0.0.0.0", "::")


class NodePorts:
    name = "NodePorts"
    static = False
    wakes_on = frozenset({"node", "pod"})

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict:
        wanted = pod.kind.host_ports
        if not wanted:
            return Verdict(np.ones(len(snapshot.rows), bool))

        def taken(node: NodeInfo | None) -> bool:
            return node is not None and any(
                _clash(port, held) for held in node.host_ports for port in wanted
            )

        busy = snapshot.select([taken(node) for node in snapshot.rows])
        return Verdict(~busy, {"node(s) didn't have free ports for the requested pod ports": busy})


def _clash(one: HostPort, other: HostPort) -> bool:
    if one[1:] != other[1:]:
        return False
    return one[0] == other[0] or one[0] in _ALL_ADDRESSES or other[0] in _ALL_ADDRESSES

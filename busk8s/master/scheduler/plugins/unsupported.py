"""Unsupported: rules that must hold but that nothing here can judge are refused by name.

Differs from Kubernetes: claims of devices and ephemeral volumes keep a pod pending with a reason
that names them, instead of being ignored.
"""

from __future__ import annotations

from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.snapshot import Snapshot


class Unsupported:
    name = "Unsupported"
    wakes_on: frozenset[str] = frozenset()  # Nothing that happens makes it judgeable.

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> str | None:
        if not pod.kind.unsupported:
            return None
        return f"node(s) cannot be judged: not supported: {', '.join(pod.kind.unsupported)}"

"""What one pod was given of its node, which is not always what its spec asks for.

Owns      the resources given to each container, and when they follow the spec.
Leaves    whether there is room (admit), bringing it about (plan), showing it (status).
Invariant a pod holds what it was given until it can have all that it asks for; after a restart of
          the kubelet that is what its status shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from busk8s.api.object import Json
from busk8s.worker.kubelet.admit import Claim, claim
from busk8s.worker.kubelet.pods import ContainerSpec, Pod
from busk8s.worker.kubelet.resize import Pending

Judge = Callable[[Claim], Pending | None]


class Allocation:
    def __init__(self, pod: Pod) -> None:
        self._given = _shown(pod)
        self.pending: Pending | None = None
        self.claim = claim(self.applied(pod))

    def follow(self, pod: Pod, judge: Judge) -> None:
        """Give the pod what it asks for, if there is room."""
        wanted = _asked(pod)
        if wanted == self._given:
            self.pending = None
            return
        asked = claim(pod)
        self.pending = judge(asked)
        if self.pending is None:
            self._given, self.claim = wanted, asked

    def applied(self, pod: Pod) -> Pod:
        """`pod` as if it asked for what it has; the same one where it does."""
        if _asked(pod) == self._given:
            return pod
        containers = tuple(map(self._with, pod.containers))
        init = tuple(map(self._with, pod.init))
        spec = {**pod.spec, "containers": [each.raw for each in containers]}
        if init:
            spec["initContainers"] = [each.raw for each in init]
        return replace(pod, containers=containers, init=init, raw={**pod.raw, "spec": spec})

    def _with(self, spec: ContainerSpec) -> ContainerSpec:
        resources = self._given.get(spec.name, {})
        if resources == (spec.raw.get("resources") or {}):
            return spec
        return replace(spec, raw={**spec.raw, "resources": resources})


def _asked(pod: Pod) -> dict[str, Json]:
    return {spec.name: spec.raw.get("resources") or {} for spec in (*pod.init, *pod.containers)}


def _shown(pod: Pod) -> dict[str, Json]:
    """What the status says was given; what nobody has said anything of is as asked for."""
    given = _asked(pod)
    for field in ("initContainerStatuses", "containerStatuses"):
        for entry in pod.status.get(field) or ():
            asked, resources = given.get(entry.get("name")), entry.get("resources")
            if asked is None or resources is None:
                continue
            requests = entry.get("allocatedResources") or resources.get("requests") or {}
            shown = {"limits": resources.get("limits") or {}, "requests": requests}
            if any((asked.get(part) or {}) != shown[part] for part in shown):
                kept = {key: value for key, value in asked.items() if key not in shown}
                given[entry["name"]] = kept | {k: v for k, v in shown.items() if v}
    return given

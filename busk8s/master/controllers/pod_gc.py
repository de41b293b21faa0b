"""Pod garbage: pods that no kubelet will ever finish deleting, and too many finished ones.

Owns      pods on nodes that are gone, terminating pods that were never bound, the archive's size.
Leaves    pods of live nodes (kubelet), pods without owners (garbage).
Invariant a pod counts as orphaned by its node only after the server itself said, GONE_FOR_S apart,
          that there is no such node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Object
from busk8s.api.scheme import NODES, PODS, Resource
from busk8s.client.cache import NODE
from busk8s.client.interface import Client
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Action, Call, Delete, Patch, Plan
from busk8s.master.controllers.children import is_finished, no_execute, spec_of, status_of
from busk8s.master.controllers.loop import Wake
from busk8s.master.controllers.slim import slim_node, slim_pod

# Differs from Kubernetes: 40 s there; nodes fall silent here after 5 s, so everything is quicker.
GONE_FOR_S = 5.0
GONE_MAX = 4_096  # Nodes remembered as gone.
FINISHED_MAX = 12_500  # As Kubernetes' --terminated-pod-gc-threshold.
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
ARCHIVE = "finished pods"  # The key under which finished pods are counted; no pod has it.


@dataclass(frozen=True)
class Lonely:
    """A pod with a node that is not known, or that is not bound and must go."""

    pod: Object
    node: str
    gone_since: float | None  # When the server first said that the node is not there.
    out_of_service: bool = False


@dataclass(frozen=True)
class Archive:
    finished: tuple[Object, ...]


class PodGarbageCollector:
    name = "pod-gc"
    component = "pod-garbage-collector"

    def __init__(self, caches: SharedCaches) -> None:
        self._pods = caches.need(PODS, (NODE,), whole=False, keep=slim_pod)
        self._nodes = caches.need(NODES, whole=False, keep=slim_node)
        self._gone: dict[str, float] = {}
        self._finished = 0
        self.wakes: Mapping[Resource, Wake] = {PODS: self._woken_by_pod, NODES: self._woken_by_node}

    def _woken_by_pod(self, old: Object | None, new: Object | None) -> Iterable[str]:
        self._finished += _finished(new) - _finished(old)
        keys = [ARCHIVE] if self._finished > FINISHED_MAX else []
        if new is None:
            return keys
        name = spec_of(new).get("nodeName") or ""
        node = self._nodes.get(name)
        unwanted = node is not None and new.deleting and _is_out_of_service(node)
        if unwanted or (node is None and (name or new.deleting)):
            keys.append(new.key)
        return keys

    def _woken_by_node(self, old: Object | None, new: Object | None) -> Iterable[str]:
        node = new or old
        if node is None:
            return ()
        if new is not None:
            self._gone.pop(new.name, None)
        if new is None or _is_out_of_service(new):
            return [pod.key for pod in self._pods.by(NODE, node.name)]
        return ()

    def observe(self, key: str, failure: Error | None) -> Lonely | Archive | None:
        if key == ARCHIVE:
            pods = [p for p in self._pods if is_finished(p) and not self._pods.is_deleting(p)]
            return Archive(tuple(pods))
        pod = self._pods.get(key)
        if pod is None:
            return None
        name = spec_of(pod).get("nodeName") or ""
        node = self._nodes.get(name) if name else None
        if node is not None:
            unwanted = pod.deleting and _is_out_of_service(node)
            return Lonely(pod, name, None, out_of_service=True) if unwanted else None
        if not name and not pod.deleting:
            return None
        return Lonely(pod, name, self._gone.get(name))

    def plan(self, observed: Lonely | Archive, now: float) -> Plan:
        if isinstance(observed, Archive):
            return plan_archive(observed)
        if observed.node and not observed.out_of_service:
            if observed.gone_since is None:
                return Plan((self._ask(observed.node, now),), GONE_FOR_S)
            if now < observed.gone_since + GONE_FOR_S:
                return Plan(look_again_after_s=observed.gone_since + GONE_FOR_S - now)
        return plan_lonely(observed, now)

    def _ask(self, node: str, now: float) -> Call:
        async def ask(client: Client) -> None:
            try:
                await client.get(NODES, node)
            except Error as error:
                if error.reason != "NotFound":
                    raise
                if len(self._gone) >= GONE_MAX:
                    del self._gone[next(iter(self._gone))]
                self._gone.setdefault(node, now)

        return Call(f"is node {node} there", ask)


def plan_lonely(observed: Lonely, now: float) -> Plan:
    """Delete by force; a pod that was running is marked as failed first, for its owner to see."""
    pod, actions = observed.pod, list[Action]()
    if observed.node and not is_finished(pod):
        gone = not observed.out_of_service
        disrupted = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists" if gone else "PodGC: node is out of service",
            "lastTransitionTime": format_time(now),
        }
        status = {"phase": "Failed", "conditions": [disrupted]}
        patch = {"metadata": {"uid": pod.uid}, "status": status}
        actions.append(Patch(pod, patch, "strategic", subresource="status"))
    actions.append(Delete(pod, grace_period_s=0))
    return Plan(tuple(actions))


def plan_archive(observed: Archive) -> Plan:
    excess = len(observed.finished) - FINISHED_MAX
    oldest = sorted(observed.finished, key=_created)[: max(0, excess)]
    return Plan(tuple(Delete(pod, grace_period_s=0) for pod in oldest))


def _created(pod: Object) -> tuple[float, str]:
    stamp = pod.metadata.get("creationTimestamp")
    return (parse_time(stamp) if stamp else 0.0, pod.name)


def _finished(pod: Object | None) -> bool:
    return pod is not None and status_of(pod).get("phase") in ("Succeeded", "Failed")


def _is_out_of_service(node: Object) -> bool:
    return any(taint["key"] == OUT_OF_SERVICE for taint in no_execute(node))

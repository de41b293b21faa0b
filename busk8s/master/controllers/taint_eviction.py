"""Eviction by taint: pods leave a node whose NoExecute taints they do not tolerate, in time.

Owns      when a pod must go because of its node's taints.
Leaves    who taints (node_lifecycle, people), where the next pod runs (scheduler).
Invariant the moment is taint's `timeAdded` plus the shortest toleration: it does not depend on
          when anybody looked, so a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Json, Object
from busk8s.api.placement import tolerates
from busk8s.api.scheme import NODES, PODS, Resource
from busk8s.client.cache import NODE
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Action, Delete, Emit, Patch, Plan
from busk8s.master.controllers.children import is_finished, no_execute, spec_of
from busk8s.master.controllers.loop import Wake
from busk8s.master.controllers.slim import slim_node, slim_pod

SEEN_MAX = 10_000  # Taints without a time whose first sight is remembered.


@dataclass(frozen=True)
class Observed:
    pod: Object
    node: str
    taints: tuple[Json, ...]


class TaintEvictionController:
    name = "taint-eviction"
    component = "taint-eviction-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._pods = caches.need(PODS, (NODE,), whole=False, keep=slim_pod)
        self._nodes = caches.need(NODES, whole=False, keep=slim_node)
        self._seen: dict[tuple[str, str, str], str] = {}  # Taints without a time: when first seen.
        self.wakes: Mapping[Resource, Wake] = {PODS: self._woken_by_pod, NODES: self._woken_by_node}

    def _woken_by_pod(self, old: Object | None, new: Object | None) -> Iterable[str]:
        if new is None:
            return ()
        if old is not None and _bearing(old) == _bearing(new):
            return ()
        node = self._nodes.get(spec_of(new).get("nodeName") or "")
        return (new.key,) if node is not None and no_execute(node) else ()

    def _woken_by_node(self, old: Object | None, new: Object | None) -> Iterable[str]:
        before = no_execute(old) if old is not None else ()
        after = no_execute(new) if new is not None else ()
        if new is None or before == after:
            return ()
        return [pod.key for pod in self._pods.by(NODE, new.name)]

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        pod = self._pods.get(key)
        if pod is None or self._pods.is_deleting(pod) or is_finished(pod):
            return None
        node = self._nodes.get(spec_of(pod).get("nodeName") or "")
        return None if node is None else Observed(pod, node.uid, no_execute(node))

    def plan(self, observed: Observed, now: float) -> Plan:
        dated = tuple(self._dated(observed.node, taint, now) for taint in observed.taints)
        return plan(replace(observed, taints=dated), now)

    def _dated(self, node: str, taint: Json, now: float) -> Json:
        """`taint` with a time: people who taint by hand do not write one."""
        if taint.get("timeAdded"):
            return taint
        key = (node, taint["key"], taint.get("value", ""))
        if key not in self._seen and len(self._seen) >= SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return {**taint, "timeAdded": self._seen.setdefault(key, format_time(now))}


def plan(observed: Observed, now: float) -> Plan:
    at = leaves_at(spec_of(observed.pod).get("tolerations") or (), observed.taints, now)
    if at is None:
        return Plan()
    if at > now:
        return Plan(look_again_after_s=at - now)
    return Plan(tuple(_evict(observed.pod, now)))


def leaves_at(tolerations: Sequence[Json], taints: Iterable[Json], now: float) -> float | None:
    """When the pod must go: `now` or earlier = at once, None = it may stay."""
    moments: list[float] = []
    for taint in taints:
        matching = [t for t in tolerations if tolerates(t, taint)]
        if not matching:
            return now
        added = parse_time(taint["timeAdded"]) if taint.get("timeAdded") else now
        for toleration in matching:
            seconds = toleration.get("tolerationSeconds")
            if seconds is not None:
                moments.append(added + max(0, seconds))
    return min(moments, default=None)


def _evict(pod: Object, now: float) -> list[Action]:
    disrupted = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": format_time(now),
    }
    patch = {"metadata": {"uid": pod.uid}, "status": {"conditions": [disrupted]}}
    message = f"Marking for deletion Pod {pod.key}"
    return [
        Emit(pod, "Normal", "TaintManagerEviction", message),
        Patch(pod, patch, "strategic", subresource="status"),
        Delete(pod),
    ]


def _bearing(pod: Object) -> tuple[object, ...]:
    spec = spec_of(pod)
    return (pod.uid, spec.get("nodeName"), spec.get("tolerations"))

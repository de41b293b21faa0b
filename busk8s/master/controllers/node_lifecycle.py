"""Node lifecycle: what the cluster thinks of a node that is silent or unwell.

Owns      the conditions of silent nodes, the taints that follow from conditions, and telling pods'
          readers that pods on a silent node are not ready.
Leaves    hearing beats (apiserver's liveness), eviction by taints (taint_eviction).
Invariant the conditions of a node that is heard of are its kubelet's alone; taints of other
          people are never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import NODES, PODS, Resource
from busk8s.client.cache import NODE
from busk8s.client.interface import Change, Gone, Put, Reset
from busk8s.client.reflector import SharedCaches
from busk8s.client.workqueue import WorkQueue
from busk8s.errors import Error
from busk8s.master.controllers.actions import Action, Emit, Patch, Plan
from busk8s.master.controllers.children import is_finished, is_ready, spec_of, status_of
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import slim_node, slim_pod

STOPPED = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
NEVER = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
PRESSURE_TAINTS = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
OURS = frozenset((NOT_READY, UNREACHABLE, UNSCHEDULABLE, *PRESSURE_TAINTS.values()))


@dataclass(frozen=True)
class Observed:
    node: Object
    silent: bool
    pods: tuple[Object, ...]
    new: bool = False  # Seen for the first time in this life of the controller.
    gone: bool = False  # `node` is what it was last.


class NodeLifecycleController:
    name = "node-lifecycle"
    component = "node-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._nodes = caches.need(NODES, whole=False, keep=slim_node)
        self._pods = caches.need(PODS, (NODE,), whole=False, keep=slim_pod)
        self._silent: set[str] = set()
        self._known: dict[str, Object] = {}  # Nodes that were announced, as seen last.
        self.wakes: Mapping[Resource, Wake] = {NODES: own_key, PODS: self._woken_by_pod}

    def heard(self, changes: Sequence[Change], queue: WorkQueue) -> None:
        """Take in what the topic `liveness` says."""
        for change in changes:
            match change:
                case Reset(objects=objects):
                    now_silent = {obj.name for obj in objects if obj.data.get("silent")}
                    flipped = sorted(now_silent ^ self._silent)
                    self._silent = now_silent
                case Put(object=obj):
                    flipped = [obj.name]
                    (self._silent.add if obj.data.get("silent") else self._silent.discard)(obj.name)
                case Gone(object=obj):
                    flipped = [obj.name]
                    self._silent.discard(obj.name)
            for name in flipped:
                queue.add(name)

    def _woken_by_pod(self, old: Object | None, new: Object | None) -> Iterable[str]:
        """A pod that claims to be ready on a silent node: its status came late."""
        node = spec_of(new).get("nodeName", "") if new is not None else ""
        return (node,) if node in self._silent else ()

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        node = self._nodes.get(key)
        if node is None:
            last = self._known.pop(key, None)
            return None if last is None else Observed(last, False, (), gone=True)
        before = self._known.get(key)
        new = before is None or before.uid != node.uid
        self._known[key] = node
        silent = key in self._silent
        pods = tuple(self._pods.by(NODE, key)) if silent else ()
        return Observed(node, silent, pods, new)

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed, now)


def plan(observed: Observed, now: float) -> Plan:
    name = observed.node.name
    if observed.gone:
        message = f"Node {name} event: Removing Node {name} from Controller"
        return Plan((Emit(observed.node, "Normal", "RemovingNode", message),))
    decided = _decide(observed, now)
    if not observed.new:
        return decided
    message = f"Node {name} event: Registered Node {name} in Controller"
    told = Emit(observed.node, "Normal", "RegisteredNode", message)
    return replace(decided, actions=(told, *decided.actions))


def _decide(observed: Observed, now: float) -> Plan:
    node = observed.node
    conditions: list[Json] = list(status_of(node).get("conditions") or ())
    unknown = _unknown(conditions, now) if observed.silent else []
    if unknown:
        # Taints follow when this is written: their patch needs the node's newest revision.
        patch = {"status": {"conditions": unknown}}
        message = f"Node {node.name} status is now: NodeNotReady"
        return Plan(
            (
                Patch(node, patch, "strategic", subresource="status"),
                Emit(node, "Normal", "NodeNotReady", message),
            )
        )
    return Plan((*_taint(node, conditions, now), *_not_ready_pods(observed.pods, now)))


def _unknown(conditions: Sequence[Json], now: float) -> list[Json]:
    """The conditions that a silent node can no longer vouch for."""
    result = []
    stamp = format_time(now)
    for type_ in REPORTED:
        before = next((c for c in conditions if c["type"] == type_), None)
        reason, message = STOPPED if before is not None else NEVER
        if before is not None and before["status"] == "Unknown":
            continue
        entry = {
            "type": type_,
            "status": "Unknown",
            "reason": reason,
            "message": message,
            "lastTransitionTime": stamp,
        }
        entry["lastHeartbeatTime"] = (before or {}).get("lastHeartbeatTime") or stamp
        result.append(entry)
    return result


def _taint(node: Object, conditions: Sequence[Json], now: float) -> list[Action]:
    """The taints that follow from `conditions`, beside those that are not ours."""
    before: list[Json] = spec_of(node).get("taints") or []
    wanted = _wanted(node, conditions)
    kept = [t for t in before if t["key"] not in OURS or (t["key"], t["effect"]) in wanted]
    have = {(t["key"], t["effect"]) for t in kept}
    added = []
    for key, effect in wanted:
        if (key, effect) not in have:
            taint = {"key": key, "effect": effect}
            if effect == "NoExecute":
                taint["timeAdded"] = format_time(now)
            added.append(taint)
    if not added and len(kept) == len(before):
        return []
    # The revision guards the taints that others set at the same time.
    metadata = {"resourceVersion": str(node.revision)}
    return [Patch(node, {"metadata": metadata, "spec": {"taints": [*kept, *added] or None}})]


def _wanted(node: Object, conditions: Sequence[Json]) -> list[tuple[str, str]]:
    status = {c["type"]: c.get("status") for c in conditions}
    wanted: list[tuple[str, str]] = []
    unwell = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(str(status.get("Ready")))
    if unwell:
        wanted += [(unwell, "NoSchedule"), (unwell, "NoExecute")]
    elif "Ready" not in status:
        wanted.append((NOT_READY, "NoSchedule"))  # Nobody has reported yet: no new pods.
    wanted += [
        (key, "NoSchedule") for type_, key in PRESSURE_TAINTS.items() if status.get(type_) == "True"
    ]
    if spec_of(node).get("unschedulable"):
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    return wanted


def _not_ready_pods(pods: Iterable[Object], now: float) -> list[Action]:
    actions: list[Action] = []
    for pod in pods:
        if is_ready(pod) and not is_finished(pod):
            entry = {
                "type": "Ready",
                "status": "False",
                "reason": "NodeNotReady",
                "lastTransitionTime": format_time(now),
            }
            patch = {"metadata": {"uid": pod.uid}, "status": {"conditions": [entry]}}
            actions.append(Patch(pod, patch, "strategic", subresource="status"))
            actions.append(Emit(pod, "Warning", "NodeNotReady", "Node is not ready"))
    return actions

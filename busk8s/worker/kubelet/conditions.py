"""The conditions of a pod: words, reasons and order as upstream's kubelet.

Invariant a condition's lastTransitionTime changes only with its status; conditions of others stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from busk8s.api.meta import format_time
from busk8s.api.object import Json
from busk8s.worker.kubelet.plan import Situation
from busk8s.worker.kubelet.pods import ContainerSpec
from busk8s.worker.kubelet.resize import differences
from busk8s.worker.kubelet.resources import limits_of

ALWAYS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
# There while they are true, and then gone.
AT_TIMES = ("PodResizePending", "PodResizeInProgress")
OURS = (*ALWAYS, *AT_TIMES)
FINAL_REASON = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}

# status, reason, message
Finding = tuple[bool, str, str]


def conditions(
    now: float,
    seen: Situation,
    phase: str,
    init: Sequence[Json],
    main: Sequence[Json],
    old: Sequence[Json],
) -> list[Json]:
    containers = _containers_ready(phase, main, init, seen)
    found: dict[str, Finding] = {
        "PodReadyToStartContainers": (seen.state.ready_sandbox is not None, "", ""),
        "Initialized": _initialized(phase, seen, init),
        "Ready": _ready(containers, seen, old),
        "ContainersReady": containers,
        "PodScheduled": (True, "", ""),
    }
    if phase not in FINAL_REASON:
        found |= _resize(seen)
    before = {entry.get("type"): entry for entry in old}
    made = [_condition(now, kind, found[kind], before, seen.pod.generation) for kind in found]
    return made + [entry for entry in old if entry.get("type") not in OURS]


def _condition(
    now: float, kind: str, finding: Finding, before: Mapping[str | None, Json], generation: int
) -> Json:
    status = "True" if finding[0] else "False"
    old = before.get(kind) or {}
    made: Json = {"type": kind}
    if generation:
        made["observedGeneration"] = generation
    made["status"] = status
    kept = old.get("lastTransitionTime") if old.get("status") == status else None
    made["lastTransitionTime"] = kept or format_time(now)
    if finding[1]:
        made["reason"] = finding[1]
    if finding[2]:
        made["message"] = finding[2]
    return made


def _resize(seen: Situation) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    if seen.pending is not None:
        found["PodResizePending"] = (True, seen.pending.reason, seen.pending.message)
    under_way = [spec.name for spec in (*seen.pod.init, *seen.pod.containers) if lags(seen, spec)]
    if under_way:
        failures = [seen.not_resized[name] for name in under_way if name in seen.not_resized]
        reason, message = (failures[0].reason, failures[0].message) if failures else ("", "")
        found["PodResizeInProgress"] = (True, reason, message)
    return found


def lags(seen: Situation, spec: ContainerSpec) -> bool:
    """It runs with other resources than it is to have."""
    newest = seen.state.latest(spec.name)
    if newest is None or newest.state != "running":
        return False
    return bool(differences(newest.config.limits, limits_of(spec.raw)))


def _initialized(phase: str, seen: Situation, init: Sequence[Json]) -> Finding:
    if phase == "Succeeded":
        return True, "PodCompleted", ""
    waiting = [
        entry["name"]
        for spec, entry in zip(seen.pod.init, init, strict=True)
        if not (entry.get("started") if spec.sidecar else entry["ready"])
    ]
    begun = any(_begun(seen, spec.name) for spec in seen.pod.containers)
    if waiting and not begun:
        text = " ".join(waiting)
        return False, "ContainersNotInitialized", f"containers with incomplete status: [{text}]"
    return True, "", ""


def _begun(seen: Situation, name: str) -> bool:
    return seen.state.latest(name) is not None


def _containers_ready(
    phase: str, main: Sequence[Json], init: Sequence[Json], seen: Situation
) -> Finding:
    if phase in FINAL_REASON:
        return False, FINAL_REASON[phase], ""
    sidecars = [e for s, e in zip(seen.pod.init, init, strict=True) if s.sidecar]
    unready = [entry["name"] for entry in (*sidecars, *main) if not entry["ready"]]
    if unready or not main:
        text = " ".join(unready)
        return False, "ContainersNotReady", f"containers with unready status: [{text}]"
    return True, "", ""


def _ready(containers: Finding, seen: Situation, old: Sequence[Json]) -> Finding:
    if not containers[0]:
        return containers
    status = {entry.get("type"): entry.get("status") for entry in old}
    missing = [_gate(gate, status.get(gate)) for gate in seen.pod.readiness_gates]
    messages = [message for message in missing if message]
    if messages:
        return False, "ReadinessGatesNotReady", ", ".join(messages)
    return True, "", ""


def _gate(gate: str, status: str | None) -> str:
    if status is None:
        return f'corresponding condition of pod readiness gate "{gate}" does not exist.'
    if status != "True":
        return f'the status of pod readiness gate "{gate}" is not "True", but {status}'
    return ""

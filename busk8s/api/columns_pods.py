"""The columns of pods: how far they are, in one word.

Source    pkg/printers/internalversion printPod: the rules, not the text.
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.api.columns import AGE, NAME, NONE, Column, Json, duration, spec, status, text
from busk8s.api.meta import parse_time


def _ready(pod: Json, now: float) -> str:
    total, ready = _containers(pod), 0
    sidecars = _sidecars(pod)
    for one in _statuses(pod, "initContainerStatuses"):
        if one.get("name") in sidecars:
            ready += bool(one.get("ready"))
    if not _initializing(pod)[0]:
        for one in _statuses(pod, "containerStatuses"):
            ready += bool(one.get("ready")) and "running" in (one.get("state") or {})
    return f"{ready}/{total}"


def _containers(pod: Json) -> int:
    return len((pod.get("spec") or {}).get("containers") or ()) + len(_sidecars(pod))


def _sidecars(pod: Json) -> dict[str, None]:
    """Init containers that run as long as the pod."""
    init = (pod.get("spec") or {}).get("initContainers") or ()
    return {c.get("name", ""): None for c in init if c.get("restartPolicy") == "Always"}


def _statuses(pod: Json, key: str) -> Sequence[Json]:
    return (pod.get("status") or {}).get(key) or ()


def pod_reason(pod: Json, now: float = 0.0) -> str:
    """The STATUS column: the phase, or what says more."""
    state = pod.get("status") or {}
    reason = state.get("reason") or state.get("phase") or ""
    for condition in state.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    initializing, why = _initializing(pod)
    if initializing:
        reason = why
    else:
        reason = _container_reason(pod, reason)
    if "deletionTimestamp" in pod["metadata"]:
        if state.get("reason") == "NodeLost":
            return "Unknown"
        if state.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return str(reason)


def _initializing(pod: Json) -> tuple[bool, str]:
    """Whether init containers still hold the pod, and in which state."""
    init = _statuses(pod, "initContainerStatuses")
    count, sidecars = len((pod.get("spec") or {}).get("initContainers") or ()), _sidecars(pod)
    for index, one in enumerate(init):
        state = one.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if one.get("name") in sidecars and one.get("started"):
            continue
        if ended is not None:
            return True, "Init:" + _ended(ended)
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return True, f"Init:{waiting['reason']}"
        return True, f"Init:{index}/{count}"
    return False, ""


def _ended(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _container_reason(pod: Json, reason: str) -> str:
    """The state of the first container that says something, else `reason`."""
    running = False
    for one in reversed(_statuses(pod, "containerStatuses")):
        state = one.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            reason = _ended(ended)
        elif one.get("ready") and "running" in state:
            running = True
    if reason == "Completed" and running:
        return "Running" if _has_condition(pod, "Ready") else "NotReady"
    return reason


def _has_condition(pod: Json, kind: str) -> bool:
    conditions = _statuses(pod, "conditions")
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)


def _restarts(pod: Json, now: float) -> str:
    count, last = 0, 0.0
    initializing = _initializing(pod)[0]
    key = "initContainerStatuses" if initializing else "containerStatuses"
    for one in _statuses(pod, key):
        count += one.get("restartCount", 0)
        ended = ((one.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        if ended:
            last = max(last, parse_time(ended))
    return f"{count} ({duration(now - last)} ago)" if count and last else str(count)


def _gates(pod: Json, now: float) -> str:
    gates = (pod.get("spec") or {}).get("readinessGates") or ()
    if not gates:
        return NONE
    met = sum(_has_condition(pod, gate.get("conditionType", "")) for gate in gates)
    return f"{met}/{len(gates)}"


COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": (
        NAME,
        text("Ready", _ready),
        text("Status", pod_reason),
        text("Restarts", _restarts),
        AGE,
        text("IP", status("podIP", default=NONE), wide=True),
        text("Node", spec("nodeName", default=NONE), wide=True),
        text("Nominated Node", status("nominatedNodeName", default=NONE), wide=True),
        text("Readiness Gates", _gates, wide=True),
    ),
}

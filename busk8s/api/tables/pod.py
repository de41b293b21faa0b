"""The pod's row, with the rules that turn a pod's whole status into the one word people read.

Owns      STATUS (CrashLoopBackOff, Init:0/1, Terminating, ...), READY and RESTARTS.
Leaves    everything that sets the status (kubelet, node lifecycle).
Invariant the word depends on the object alone; only ages depend on `now`.
Source    kubernetes pkg/printers/internalversion/printers.go, printPod.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from busk8s.api.meta import parse_time
from busk8s.api.tables.column import NONE, Cells, Json, Printer, age, columns, human_duration

_COLUMNS = columns("Name|Ready|Status|Restarts|Age|+IP|+Node|+Nominated Node|+Readiness Gates")
TERMINAL_PHASES = ("Succeeded", "Failed")
_COMPLETED: dict[str, Json] = {
    phase: {"type": "Completed", "status": "True", "reason": phase, "message": message}
    for phase, message in (
        ("Succeeded", "The pod has completed successfully."),
        ("Failed", "The pod failed."),
    )
}


@dataclass(slots=True)
class _Tally:
    """What is gathered from the container statuses."""

    reason: str
    total: int
    ready: int = 0
    restarts: int = 0
    last_restart: float = 0.0

    def add_restarts(self, status: Mapping[str, Any]) -> None:
        self.restarts += status.get("restartCount", 0)
        finished = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        if finished:
            self.last_restart = max(self.last_restart, parse_time(finished))


def pod_cells(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    status = obj.get("status") or {}
    tally = _tally(obj["metadata"], spec, status)
    restarts = str(tally.restarts)
    if tally.restarts and tally.last_restart:
        restarts = f"{restarts} ({human_duration(now - tally.last_restart)} ago)"
    ips = status.get("podIPs")
    return [
        obj["metadata"].get("name", ""),
        f"{tally.ready}/{tally.total}",
        tally.reason,
        restarts,
        age(obj, now),
        (ips[0].get("ip") if ips else status.get("podIP")) or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(spec, status),
    ]


def pod_conditions(obj: Json) -> list[Json]:
    """The row's conditions: a finished pod's row is marked as completed."""
    found = _COMPLETED.get((obj.get("status") or {}).get("phase", ""))
    return [found] if found else []


def _tally(metadata: Json, spec: Json, status: Json) -> _Tally:
    sidecars = {
        container["name"]
        for container in spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    total = len(spec.get("containers") or ()) + len(sidecars)
    phase = status.get("phase", "")
    tally = _Tally(status.get("reason") or phase, total)
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    if conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
        tally.reason = "SchedulingGated"
    of_sidecars = _Tally("", 0)
    initializing = _tally_init(spec, status, sidecars, tally, of_sidecars)
    if not initializing or conditions.get("Initialized", {}).get("status") == "True":
        tally.restarts, tally.last_restart = of_sidecars.restarts, of_sidecars.last_restart
        running = _tally_containers(status, tally)
        if tally.reason == "Completed" and running:
            ready = conditions.get("Ready", {}).get("status") == "True"
            tally.reason = "Running" if ready else "NotReady"
    if "deletionTimestamp" in metadata:
        if status.get("reason") == "NodeLost":
            tally.reason = "Unknown"
        elif phase not in TERMINAL_PHASES:
            tally.reason = "Terminating"
    return tally


def _tally_init(
    spec: Json, status: Json, sidecars: set[str], tally: _Tally, of_sidecars: _Tally
) -> bool:
    """True when an init container holds the pod back; the reason then names it."""
    for number, container in enumerate(status.get("initContainerStatuses") or ()):
        tally.add_restarts(container)
        sidecar = container.get("name") in sidecars
        if sidecar:
            of_sidecars.add_restarts(container)
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if sidecar and container.get("started"):
            tally.ready += bool(container.get("ready"))
            continue
        if terminated is not None:
            tally.reason = "Init:" + _ended(terminated)
        elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
            tally.reason = "Init:" + waiting["reason"]
        else:
            tally.reason = f"Init:{number}/{len(spec.get('initContainers') or ())}"
        return True
    return False


def _tally_containers(status: Json, tally: _Tally) -> bool:
    """True when a container runs and is ready. The first container that does not has the word."""
    running = False
    for container in reversed(status.get("containerStatuses") or ()):
        tally.add_restarts(container)
        state = container.get("state") or {}
        terminated = state.get("terminated")
        if (state.get("waiting") or {}).get("reason"):
            tally.reason = state["waiting"]["reason"]
        elif terminated is not None:
            tally.reason = _ended(terminated)
        elif container.get("ready") and state.get("running") is not None:
            running = True
            tally.ready += 1
    return running


def _ended(terminated: Mapping[str, Any]) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _readiness_gates(spec: Json, status: Json) -> str:
    gates = spec.get("readinessGates")
    if not gates:
        return NONE
    true = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
    return f"{sum(gate.get('conditionType') in true for gate in gates)}/{len(gates)}"


PRINTERS = {"pods": Printer(_COLUMNS, pod_cells)}

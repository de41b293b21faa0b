"""The PodStatus that the API shows, from what the runtime, the probes and the plan know.

Owns      phase, container states and reasons, addresses; words and order as upstream's.
Leaves    conditions (conditions.py), writing it (status_writer.py).
Invariant pure; unchanged facts give an equal status, whatever the time is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.meta import format_time
from busk8s.api.object import Json
from busk8s.worker.kubelet.conditions import conditions, lags
from busk8s.worker.kubelet.plan import HEALTHY, Plan, Situation, Waiting
from busk8s.worker.kubelet.pods import ContainerSpec, Pod, restarts
from busk8s.worker.kubelet.resources import qos_class
from busk8s.worker.kubelet.runs import LOST_EXIT_CODE, LOST_MESSAGE, LOST_REASON
from busk8s.worker.runtime.base import Container


@dataclass(frozen=True, slots=True)
class Host:
    """What a status says of the node: its addresses, and the scheme of container ids."""

    ips: tuple[str, ...] = ()
    runtime: str = "hollow"


def pod_status(now: float, seen: Situation, plan: Plan, old: Json, host: Host) -> Json:
    """The whole status; `old` is the last one known, whose times are kept where nothing changed."""
    pod = seen.pod
    if pod.finished and not seen.state.containers:
        return old  # It ended under an earlier kubelet, and the runtime has forgotten it.
    init = [_container(seen, plan, spec, old, host) for spec in pod.init]
    main = [_container(seen, plan, spec, old, host) for spec in pod.containers]
    phase = old["phase"] if pod.finished else _phase(seen, plan, init, main)
    status: Json = {}
    if pod.generation:
        status["observedGeneration"] = pod.generation
    status["phase"] = phase
    status["conditions"] = conditions(now, seen, phase, init, main, old.get("conditions") or [])
    if seen.verdict is not None:
        status["reason"] = seen.verdict.reason
        status["message"] = seen.verdict.message
    for field in ("reason", "message"):
        if pod.finished and old.get(field):
            status[field] = old[field]
    status.update(_addresses(seen, old, host))
    status["startTime"] = format_time(seen.started_at or now)
    if init:
        status["initContainerStatuses"] = init
    if seen.verdict is None or seen.state.containers or old.get("containerStatuses"):
        status["containerStatuses"] = main
    if pod.ephemeral:
        extra = [_container(seen, plan, spec, old, host) for spec in pod.ephemeral]
        status["ephemeralContainerStatuses"] = extra
    status["qosClass"] = old.get("qosClass") or qos_class(pod.spec)
    return status


def _addresses(seen: Situation, old: Json, host: Host) -> Json:
    found: Json = {}
    if host.ips:
        found["hostIP"] = host.ips[0]
        found["hostIPs"] = [{"ip": ip} for ip in host.ips]
    ip = pod_ip(seen, host) or old.get("podIP", "")
    if ip:
        found["podIP"] = ip
        found["podIPs"] = [{"ip": ip}]
    return found


def pod_ip(seen: Situation, host: Host) -> str:
    """Empty until there is a sandbox. Without a network of its own a pod has the node's address."""
    sandbox = seen.state.ready_sandbox
    if sandbox is None:
        return ""
    return sandbox.ip or (host.ips[0] if host.ips else "")


_STATUSES = {
    "containers": "containerStatuses",
    "initContainers": "initContainerStatuses",
    "ephemeralContainers": "ephemeralContainerStatuses",
}


def _container(seen: Situation, plan: Plan, spec: ContainerSpec, old: Json, host: Host) -> Json:
    attempts = seen.state.attempts(spec.name)
    before = _old_entry(old, spec)
    if attempts:
        status = _from_runtime(seen, plan, spec, attempts, host)
    else:
        status = _from_memory(seen, plan, spec, before)
    if spec.field == "ephemeralContainers":
        del status["started"]  # Nobody waits for one: it has neither probes nor resources.
    else:
        status["resources"] = spec.raw.get("resources") or {}
        if before is not None and lags(seen, spec):
            status["resources"] = before.get("resources") or {}
        if requests := (spec.raw.get("resources") or {}).get("requests"):
            status["allocatedResources"] = requests
    if mounts := spec.raw.get("volumeMounts"):
        status["volumeMounts"] = [_mount(mount) for mount in mounts]
    return status


def _mount(mount: Json) -> Json:
    shown = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        shown.update(readOnly=True, recursiveReadOnly="Disabled")
    return shown


def _old_entry(old: Json, spec: ContainerSpec) -> Json | None:
    for entry in old.get(_STATUSES[spec.field]) or ():
        if entry.get("name") == spec.name:
            found: Json = entry
            return found
    return None


def _from_memory(seen: Situation, plan: Plan, spec: ContainerSpec, before: Json | None) -> Json:
    """The runtime has none: not started yet, or started and lost."""
    ran = before is not None and bool(before.get("containerID"))
    if not ran or before is None:
        state = {"waiting": _waiting(seen, plan, spec)}
        return _entry(spec, state, {}, restart_count=0, image_ref="", container_id="")
    state = before.get("state") or {}
    if "terminated" not in state:
        lost = {"exitCode": LOST_EXIT_CODE, "reason": LOST_REASON, "message": LOST_MESSAGE}
        lost["containerID"] = before["containerID"]
        state = {"terminated": lost}
    return _entry(
        spec, state, before.get("lastState") or {},
        restart_count=int(before.get("restartCount") or 0),
        image_ref=before.get("imageID", ""), container_id=before["containerID"],
    )  # fmt: skip


def _waiting(seen: Situation, plan: Plan, spec: ContainerSpec) -> Json:
    said = plan.waiting.get(spec.name) or _failure(seen, spec.name)
    if said is None:
        return {"reason": "PodInitializing" if seen.pod.init else "ContainerCreating"}
    shown = {"reason": said.reason}
    if said.message:
        shown["message"] = said.message
    return shown


def _failure(seen: Situation, name: str) -> Waiting | None:
    failure = seen.failures.get(name)
    return None if failure is None else Waiting(failure.reason, failure.message)


def _from_runtime(
    seen: Situation,
    plan: Plan,
    spec: ContainerSpec,
    attempts: Sequence[Container],
    host: Host,
) -> Json:
    newest = attempts[0]
    last: Json = {}
    if len(attempts) > 1 and attempts[1].state == "exited":
        last = {"terminated": _terminated(attempts[1], host)}
    if newest.state == "running":
        state: Json = {"running": {"startedAt": format_time(newest.started_at)}}
    elif newest.state == "created":
        state = {"waiting": _waiting(seen, plan, spec)}
    else:
        state = {"terminated": _terminated(newest, host)}
        if spec.name in plan.waiting:
            last, state = state, {"waiting": _waiting(seen, plan, spec)}
    status = _entry(
        spec, state, last,
        restart_count=newest.config.attempt,
        image_ref=newest.image_ref or newest.config.image,
        container_id=f"{host.runtime}://{newest.id}",
    )  # fmt: skip
    if spec.field != "ephemeralContainers":
        _readiness(seen, spec, newest, status)
    return status


def _readiness(seen: Situation, spec: ContainerSpec, newest: Container, status: Json) -> None:
    init = spec.field == "initContainers"
    if newest.state == "running":
        health = seen.health.get(newest.id, HEALTHY)
        started = health.started and newest.id not in seen.hooking
        ready = started and health.ready and newest.id not in seen.stopping
        status["started"] = started
        status["ready"] = ready and (spec.sidecar or not init)
    elif init and not spec.sidecar:
        status["ready"] = newest.state == "exited" and newest.exit_code == 0


def _terminated(container: Container, host: Host) -> Json:
    reason = container.reason or ("Completed" if container.exit_code == 0 else "Error")
    shown: Json = {"exitCode": container.exit_code}
    if container.signal:
        shown["signal"] = container.signal
    shown["reason"] = reason
    if container.message:
        shown["message"] = container.message
    if container.started_at:
        shown["startedAt"] = format_time(container.started_at)
    if container.finished_at:
        shown["finishedAt"] = format_time(container.finished_at)
    shown["containerID"] = f"{host.runtime}://{container.id}"
    return shown


def _entry(
    spec: ContainerSpec,
    state: Json,
    last: Json,
    *,
    restart_count: int,
    image_ref: str,
    container_id: str,
) -> Json:
    entry: Json = {
        "name": spec.name,
        "state": state,
        "lastState": last,
        "ready": False,
        "restartCount": restart_count,
        "image": spec.image,
        "imageID": image_ref,
    }
    if container_id:
        entry["containerID"] = container_id
    entry["started"] = False
    return entry


def _phase(seen: Situation, plan: Plan, init: Sequence[Json], main: Sequence[Json]) -> str:
    if seen.verdict is not None and (plan.terminal or not seen.state.sandboxes):
        return "Failed"
    if plan.terminal:
        return _final(main)
    if seen.pod.deleting or seen.verdict is not None:
        # While it terminates a pod keeps the phase it had: it still has containers.
        was = seen.pod.status.get("phase", "Pending")
        return was if was != "Pending" or not seen.state.containers else "Running"
    return _live_phase(seen, init, main)


def _final(main: Sequence[Json]) -> str:
    ended = [entry["state"].get("terminated") for entry in main]
    fine = all(end is not None and end.get("exitCode") == 0 for end in ended)
    return "Succeeded" if fine and main else "Failed"


def _live_phase(seen: Situation, init: Sequence[Json], main: Sequence[Json]) -> str:
    pod = seen.pod
    specs = {spec.name: spec for spec in (*pod.init, *pod.containers)}
    states = [_sort(entry, specs, seen.resized) for entry in main]
    if _init_pending(pod, init) and all(state == "waiting" for state in states):
        return "Pending"
    if "waiting" in states and all(state == "waiting" for state in states):
        return "Pending"
    if all(state == "ended" for state in states) and states:
        return _final(main) if not _any_running(init) else "Running"
    return "Running"


def _sort(entry: Json, specs: Mapping[str, ContainerSpec], resized: frozenset[str]) -> str:
    """running, ended (for good), stopped (will run again), or waiting (never ran)."""
    state = entry["state"]
    if "running" in state:
        return "running"
    ended = state.get("terminated") or (entry.get("lastState") or {}).get("terminated")
    if ended is None:
        return "waiting"
    if entry.get("containerID", "").rpartition("//")[2] in resized:
        return "stopped"
    return "stopped" if restarts(specs[entry["name"]], int(ended["exitCode"])) else "ended"


def _init_pending(pod: Pod, init: Sequence[Json]) -> bool:
    for spec, entry in zip(pod.init, init, strict=True):
        ended = entry["state"].get("terminated")
        if spec.sidecar and not entry.get("started"):
            return True
        if not spec.sidecar and (ended is None or ended.get("exitCode") != 0):
            return True
    return False


def _any_running(init: Sequence[Json]) -> bool:
    return any("running" in entry["state"] for entry in init)

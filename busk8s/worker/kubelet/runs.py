"""The last run of each container: from the runtime, or, where that forgot it, from the API.

Owns      Run, and the rule for a container that ran but can no longer be found.
Leaves    whether it runs again (plan) and how it is shown (status).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from busk8s.worker.kubelet.pods import Pod, parse_time
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.runtime.base import Container

HASH_ANNOTATION = "io.kubernetes.container.hash"
GRACE_ANNOTATION = "io.kubernetes.pod.terminationGracePeriod"

LOST_EXIT_CODE = 137
LOST_REASON = "ContainerStatusUnknown"
LOST_MESSAGE = "The container could not be located when the pod was terminated"


@dataclass(frozen=True, slots=True)
class Run:
    """`container_id` and `sandbox_id` are empty when only the API remembers the run."""

    name: str
    attempt: int
    state: Literal["created", "running", "exited"]
    exit_code: int = 0
    started_at: float = 0.0
    finished_at: float = 0.0
    container_id: str = ""
    sandbox_id: str = ""
    hash: str = ""


def last_run(pod: Pod, state: PodState, name: str) -> Run | None:
    """None: it has never been started."""
    container = state.latest(name)
    if container is not None:
        return _of_container(container, _ready(state))
    return _of_status(_status_of(pod.status, name))


def _ready(state: PodState) -> frozenset[str]:
    return frozenset(sandbox.id for sandbox in state.sandboxes if sandbox.state == "ready")


def _of_container(container: Container, ready: frozenset[str]) -> Run:
    alive = container.sandbox_id in ready
    state: Literal["created", "running", "exited"] = "exited"
    if container.state in ("created", "running") and alive:
        state = "created" if container.state == "created" else "running"
    lost = state == "exited" and container.state != "exited"
    return Run(
        name=container.config.name,
        attempt=container.config.attempt,
        state=state,
        exit_code=LOST_EXIT_CODE if lost else container.exit_code,
        started_at=container.started_at,
        finished_at=container.finished_at or container.started_at or container.created_at,
        container_id=container.id,
        sandbox_id=container.sandbox_id,
        hash=container.config.annotations.get(HASH_ANNOTATION, ""),
    )


def _status_of(status: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for entry in status.get(field) or ():
            if entry.get("name") == name:
                found: Mapping[str, Any] = entry
                return found
    return None


def _of_status(entry: Mapping[str, Any] | None) -> Run | None:
    if entry is None or not entry.get("containerID"):
        return None
    state = entry.get("state") or {}
    ended = state.get("terminated") or (entry.get("lastState") or {}).get("terminated")
    if state.get("running") or ended is None:
        ended = {"exitCode": LOST_EXIT_CODE}
    return Run(
        name=entry["name"],
        attempt=int(entry.get("restartCount") or 0),
        state="exited",
        exit_code=int(ended.get("exitCode") or 0),
        started_at=parse_time(ended.get("startedAt")),
        finished_at=parse_time(ended.get("finishedAt")),
    )

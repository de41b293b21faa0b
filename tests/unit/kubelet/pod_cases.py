"""Short words for the pods, sandboxes and containers of the kubelet's table tests."""

from __future__ import annotations

from typing import Any

import orjson

from busk8s.api.object import Object
from busk8s.api.scheme import PODS
from busk8s.worker.kubelet.plan import Situation
from busk8s.worker.kubelet.pods import Pod, container_hash, parse_pod
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.kubelet.runs import HASH_ANNOTATION
from busk8s.worker.runtime.base import Container, ContainerConfig, Limits, Sandbox, SandboxConfig

NO_LIMITS = Limits()


def make_pod(
    spec: dict[str, Any],
    *,
    status: dict[str, Any] | None = None,
    deleting: bool = False,
    grace: int = 30,
    **meta: Any,
) -> Pod:
    metadata: dict[str, Any] = {"name": "p", "namespace": "default", "uid": "u1", **meta}
    if deleting:
        metadata |= {"deletionTimestamp": "2027-01-01T00:00:00Z"}
        metadata |= {"deletionGracePeriodSeconds": grace}
    data = {"metadata": metadata, "spec": spec, "status": status or {}}
    body = orjson.dumps(data)
    return parse_pod(Object(PODS, "default", "p", revision=1, body=body))


def sandbox(name: str, *, up: bool = True, attempt: int = 0, ip: str = "10.1.0.2") -> Sandbox:
    config = SandboxConfig("default", "p", "u1", attempt)
    return Sandbox(name, config, "ready" if up else "notready", 900.0, ip if up else "")


def container(
    name: str,
    what: str = "",
    *,
    attempt: int = 0,
    exit_code: int | None = None,
    finished_at: float = 990.0,
    hash: str = "",
    box: str = "s0",
    limits: Limits = NO_LIMITS,
    **more: Any,
) -> Container:
    annotations = {HASH_ANNOTATION: hash or container_hash({"name": name, "image": "i"})}
    config = ContainerConfig(name, "i", attempt, annotations=annotations, limits=limits)
    if exit_code is not None:
        return Container(
            f"{name}-{attempt}", box, config, "exited", 900.0, 900.0, finished_at, exit_code,
            **more,
        )  # fmt: skip
    state = "created" if what == "created" else "running"
    started = 0.0 if state == "created" else 900.0
    return Container(f"{name}-{attempt}", box, config, state, 900.0, started, **more)  # type: ignore[arg-type]  # one of two literals


def state(
    sandboxes: list[Sandbox] | None = None, containers: list[Container] | None = None
) -> PodState:
    return PodState(tuple(sandboxes or ()), tuple(containers or ()))


def situation(
    spec: dict[str, Any],
    seen: PodState,
    *,
    status: dict[str, Any] | None = None,
    deleting: bool = False,
    grace: int = 30,
    **more: Any,
) -> Situation:
    pod = make_pod(spec, status=status, deleting=deleting, grace=grace)
    return Situation(pod=pod, state=seen, started_at=900.0, **more)

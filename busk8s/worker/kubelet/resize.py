"""Resizing a running container: what differs, and whether it can be done without a restart.

Leaves    whether the node has room (admit), who was given what (allocation), doing it (plan).
Source    KEP 1287, "In-place update of pod resources".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from busk8s.worker.kubelet.pods import ContainerSpec
from busk8s.worker.runtime.base import Limits


@dataclass(frozen=True, slots=True)
class Pending:
    """Why a pod has not been given what it asks for: Deferred (for now) or Infeasible."""

    reason: str
    message: str


def differences(actual: Limits, wanted: Limits) -> tuple[str, ...]:
    """The resources in which they differ."""
    cpu = (actual.cpu_request_millis, actual.cpu_limit_millis)
    found = []
    if cpu != (wanted.cpu_request_millis, wanted.cpu_limit_millis):
        found.append("cpu")
    if actual.memory_limit_bytes != wanted.memory_limit_bytes:
        found.append("memory")
    return tuple(found)


def restarts_for(spec: ContainerSpec, changed: Collection[str]) -> bool:
    return any(
        policy.get("resourceName") in changed and policy.get("restartPolicy") == "RestartContainer"
        for policy in spec.raw.get("resizePolicy") or ()
    )

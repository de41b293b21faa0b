"""Counts of pods in the status of the kinds that make them.

Owns      which counts there are, and which may not be greater than which.
Leaves    Jobs (job_status).
Source    Kubernetes API reference, "Workload Resources"; the rules of apps and core validation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from busk8s.api.rules.cause import invalid, not_negative
from busk8s.errors import Cause

Json = dict[str, Any]

_ALL = "cannot be greater than status.replicas"


def _counted(
    *names: str, bounded: tuple[str, ...] = (), ready: str = ""
) -> Callable[[Json, Json, list[Cause]], None]:
    """`bounded`: not more than all replicas; `ready`: what available ones are not more than."""

    def validate(new: Json, old: Json, causes: list[Cause]) -> None:
        status, was = new.get("status") or {}, old.get("status") or {}
        for name in names:
            causes += not_negative(f"status.{name}", status.get(name))
        for name in bounded:
            if (count := status.get(name, 0)) > status.get("replicas", 0):
                causes.append(invalid(f"status.{name}", count, _ALL))
        available = status.get("availableReplicas", 0)
        if ready and available > status.get("readyReplicas", 0):
            detail = f"cannot be greater than {ready}"
            causes.append(invalid("status.availableReplicas", available, detail))
        collisions = status.get("collisionCount", 0)
        if "collisionCount" in names and collisions < was.get("collisionCount", 0):
            causes.append(invalid("status.collisionCount", collisions, "cannot be decremented"))

    return validate


validate_deployment_status = _counted(
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
    bounded=("updatedReplicas", "readyReplicas", "availableReplicas"),
    ready="readyReplicas",
)
validate_replica_set_status = _counted(
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "terminatingReplicas",
    "observedGeneration",
    bounded=("fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
    ready="readyReplicas",
)
validate_stateful_set_status = _counted(
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
    "collisionCount",
    bounded=("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
    ready="status.readyReplicas",
)
validate_daemon_set_status = _counted(
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)

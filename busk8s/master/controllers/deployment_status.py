"""What a Deployment's status says: counts, and whether the rollout is getting anywhere. Pure.

Owns      counts, the conditions Available, Progressing and ReplicaFailure, the progress deadline.
Leaves    sizes (deployment_scale), the order of steps (deployment_plan).
Invariant reasons and messages are upstream's: `kubectl rollout status` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Json, Object
from busk8s.master.controllers.children import (
    condition,
    spec_of,
    status_of,
    with_condition,
    without_condition,
)
from busk8s.master.controllers.deployment_scale import Bounds, member

NO_DEADLINE = 2**31 - 1
TIMED_OUT = "ProgressDeadlineExceeded"
NEW_AVAILABLE = "NewReplicaSetAvailable"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"


@dataclass(frozen=True)
class Note:
    """Something this step did that the Progressing condition should tell of."""

    status: str
    reason: str
    message: str


def deadline_of(deployment: Object) -> int | None:
    seconds = spec_of(deployment).get("progressDeadlineSeconds")
    return None if seconds is None or seconds == NO_DEADLINE else int(seconds)


def counts(
    deployment: Object, bound: Bounds, new: Object | None, sets: Sequence[Object], now: float
) -> Json:
    """The new status but for progress: sums over the ReplicaSets, and availability."""
    total = sum(member(rs).replicas for rs in sets)
    available = _sum(sets, "availableReplicas")
    old = status_of(deployment)
    numbers = {
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total - available),
        "terminatingReplicas": _sum(sets, "terminatingReplicas"),
    }
    status: Json = {k: v for k, v in numbers.items() if v}
    status["observedGeneration"] = deployment.metadata.get("generation", 0)
    if old.get("collisionCount") is not None:
        status["collisionCount"] = old["collisionCount"]
    enough = available >= bound.available_min
    status["conditions"] = with_condition(
        old.get("conditions") or (), _available(enough), now, update_time=True
    )
    return status


def with_progress(
    deployment: Object,
    status: Json,
    new: Object | None,
    sets: Sequence[Object],
    note: Note | None,
    now: float,
) -> Json:
    """`status` with the Progressing and ReplicaFailure conditions that belong to it."""
    conditions: list[Json] = status["conditions"]
    if deadline_of(deployment) is None:
        conditions = without_condition(conditions, "Progressing")
    else:
        if note is not None:
            conditions = _say(conditions, note, now)
        conditions = _progress(deployment, {**status, "conditions": conditions}, new, now)
    return {**status, "conditions": _replica_failure(conditions, new, sets, now)}


def paused_note(deployment: Object) -> Note | None:
    """Pausing and resuming stop and restart the deadline."""
    current = condition(status_of(deployment), "Progressing")
    if current is not None and current.get("reason") == TIMED_OUT:
        return None
    was_paused = current is not None and current.get("reason") == PAUSED
    if is_paused(deployment) and not was_paused:
        return Note("Unknown", PAUSED, "Deployment is paused")
    if not is_paused(deployment) and was_paused:
        return Note("Unknown", RESUMED, "Deployment is resumed")
    return None


def is_paused(deployment: Object) -> bool:
    return bool(spec_of(deployment).get("paused"))


def is_complete(deployment: Object, status: Json, replicas: int) -> bool:
    """Every pod is of the new template, available, and nothing else is left."""
    generation: int = deployment.metadata.get("generation", 0)
    return (
        status.get("updatedReplicas", 0) == replicas
        and status.get("replicas", 0) == replicas
        and status.get("availableReplicas", 0) == replicas
        and int(status.get("observedGeneration", 0)) >= generation
    )


def deadline_in_s(deployment: Object, status: Json, now: float) -> float | None:
    """When the progress deadline will have passed; None when that cannot happen."""
    deadline = deadline_of(deployment)
    current = condition(status, "Progressing")
    if deadline is None or current is None or is_paused(deployment):
        return None
    if current["reason"] in (NEW_AVAILABLE, TIMED_OUT):
        return None
    # One second more: times are written in whole seconds.
    return max(0.0, parse_time(current["lastUpdateTime"]) + deadline - now) + 1.0


def _progress(deployment: Object, status: Json, new: Object | None, now: float) -> list[Json]:
    conditions: list[Json] = status["conditions"]
    current = condition(status, "Progressing")
    settled = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current["reason"] == NEW_AVAILABLE
    )
    if settled or is_paused(deployment):
        return conditions
    who = f'ReplicaSet "{new.name}"' if new else f'Deployment "{deployment.name}"'
    spec_replicas = spec_of(deployment).get("replicas")
    replicas = 1 if spec_replicas is None else int(spec_replicas)
    if is_complete(deployment, status, replicas):
        note = Note("True", NEW_AVAILABLE, f"{who} has successfully progressed.")
        return _say(conditions, note, now)
    if _moved(status_of(deployment), status):
        note = Note("True", "ReplicaSetUpdated", f"{who} is progressing.")
        return _renew(conditions, note, now)
    if _timed_out(deployment, current, now):
        note = Note("False", TIMED_OUT, f"{who} has timed out progressing.")
        return _say(conditions, note, now)
    return conditions


def _moved(old: Json, new: Json) -> bool:
    def number(status: Json, name: str) -> int:
        return int(status.get(name) or 0)

    def outdated(status: Json) -> int:
        return number(status, "replicas") - number(status, "updatedReplicas")

    rising = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return outdated(new) < outdated(old) or any(
        number(new, name) > number(old, name) for name in rising
    )


def _timed_out(deployment: Object, current: Json | None, now: float) -> bool:
    deadline = deadline_of(deployment)
    if current is None or deadline is None or current["reason"] == NEW_AVAILABLE:
        return False
    if current["reason"] == TIMED_OUT:
        return True
    return parse_time(current["lastUpdateTime"]) + deadline < now


def _say(conditions: Sequence[Json], note: Note, now: float) -> list[Json]:
    entry = {
        "type": "Progressing",
        "status": note.status,
        "reason": note.reason,
        "message": note.message,
    }
    return with_condition(conditions, entry, now, update_time=True)


def _renew(conditions: Sequence[Json], note: Note, now: float) -> list[Json]:
    """As `_say`, but the time of the last update moves although nothing else does."""
    before = next((c for c in conditions if c["type"] == "Progressing"), None)
    said = _say(without_condition(conditions, "Progressing"), note, now)
    if before is not None and before["status"] == note.status:
        said[-1]["lastTransitionTime"] = before.get("lastTransitionTime", format_time(now))
    return said


def _replica_failure(
    conditions: list[Json], new: Object | None, sets: Sequence[Object], now: float
) -> list[Json]:
    for rs in ([new] if new else []) + [rs for rs in sets if rs is not new]:
        failure = condition(status_of(rs), "ReplicaFailure")
        if failure is not None:
            entry = {key: failure.get(key, "") for key in ("type", "status", "reason", "message")}
            return with_condition(conditions, entry, now, update_time=True)
    return without_condition(conditions, "ReplicaFailure")


def _available(enough: bool) -> dict[str, str]:
    return {
        "type": "Available",
        "status": "True" if enough else "False",
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": "Deployment has minimum availability."
        if enough
        else "Deployment does not have minimum availability.",
    }


def _sum(sets: Sequence[Object], field: str) -> int:
    return sum(int(status_of(rs).get(field) or 0) for rs in sets)

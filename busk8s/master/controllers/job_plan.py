"""One step of a Job: count what ended, judge, make and give up pods. Pure.

Owns      which pods are made, given up and let go; suspension, expiry, conditions.
Leaves    numbers (job_count), the end (job_end), failures (job_failures), what a pod looks like and
          who goes first (job_pods), who wakes a Job (job).
Invariant what a status says of a pod is written before the pod is let go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import PODS
from busk8s.master.controllers.actions import (
    Action,
    Create,
    Delete,
    Emit,
    Patch,
    Plan,
    Told,
    put_status,
    sooner,
)
from busk8s.master.controllers.children import condition, spec_of, status_of, with_condition
from busk8s.master.controllers.job_count import (
    Observed,
    Tally,
    completions_of,
    count,
    is_indexed,
    status_with,
)
from busk8s.master.controllers.job_end import (
    TARGETS,
    Verdict,
    announced,
    deadline_in_s,
    ended,
    judge,
)
from busk8s.master.controllers.job_failures import (
    annotations_after,
    index_backoff_until,
    limit_per_index,
    replaces_failed_only,
)
from busk8s.master.controllers.job_pods import (
    FINALIZER,
    backoff_until,
    free_indexes,
    index_of,
    is_tracked,
    pod_for,
    surplus,
)

BURST_MAX = 500  # As Kubernetes: one step never asks more of the apiserver than this.
OWN = "kubernetes.io/job-controller"


def plan(observed: Observed, now: float) -> Plan:
    """What to do next so that the Job goes on; nothing when it waits for its pods."""
    job = observed.job
    if spec_of(job).get("managedBy") not in (None, "", OWN):
        return Plan()
    if observed.claim.patches:
        return Plan(observed.claim.patches)
    if finished := ended(job):
        tracked = [pod for pod in observed.claim.mine if is_tracked(pod)]
        expiry = _expire(job, finished, now)
        return Plan((*_release(tracked), *expiry.actions), expiry.look_again_after_s)
    tally = count(observed)
    verdict = announced(job) or judge(job, tally, now)
    if verdict is not None:
        return _wind_up(observed, tally, verdict, now)
    if spec_of(job).get("suspend") and not job.deleting:
        return _suspend(observed, tally, now)
    status = status_with(job, tally)
    emits = _start(job, status, now)
    released = _release(tally.release if job.deleting else tally.releasable)
    scale = _scale(observed, tally, now) if not job.deleting else Plan()
    again_s = sooner(scale.look_again_after_s, deadline_in_s(job, status, now))
    actions = (*put_status(job, status), *released, *emits, *scale.actions)
    return Plan(actions, again_s)


def _wind_up(observed: Observed, tally: Tally, verdict: Verdict, now: float) -> Plan:
    """End the pods that still run; say how it ended when all have ended and are counted."""
    job, (type_, reason, message) = observed.job, verdict
    status = status_with(job, tally)
    _say(status, TARGETS[type_], reason, message, now)
    actions: list[Action] = []
    drop: list[Object] = []
    if type_ == "Complete":  # Who is not needed any more has not failed.
        drop = [p for p in (*tally.active, *tally.terminating) if is_tracked(p)]
        drop = [pod for pod in drop if pod not in tally.release]
    if tally.settled:
        _say(status, type_, reason, message, now)
        if type_ == "Complete":
            status["completionTime"] = format_time(now)
            actions.append(Emit(job, "Normal", "Completed", "Job completed"))
        else:
            actions.append(Emit(job, "Warning", reason, message))
    writes = put_status(job, status)
    released = _release([*tally.release, *drop])
    deletes = _delete(job, tally.active[:BURST_MAX])
    again_s = _expire_in_s(job, now, now) if tally.settled else None
    return Plan((*writes, *released, *deletes, *(actions if writes else ())), again_s)


def _suspend(observed: Observed, tally: Tally, now: float) -> Plan:
    """Pods that a suspension ends are not counted as failed."""
    job = observed.job
    status = status_with(job, tally)
    before = condition(status_of(job), "Suspended")
    emits: list[Action] = []
    if before is None or before.get("status") != "True":
        _say(status, "Suspended", "JobSuspended", "Job suspended", now)
        emits.append(Emit(job, "Normal", "Suspended", "Job suspended"))
    status.pop("startTime", None)
    going = tally.active[:BURST_MAX]
    released = _release([*tally.releasable, *[p for p in going if is_tracked(p)]])
    return Plan((*put_status(job, status), *released, *_delete(job, going), *emits))


def _start(job: Object, status: Json, now: float) -> list[Action]:
    """Note when the Job began, or began again."""
    if job.deleting:
        return []
    emits: list[Action] = []
    before = condition(status, "Suspended")
    if before is not None and before.get("status") == "True":
        _say(status, "Suspended", "JobResumed", "Job resumed", now, value="False")
        status["startTime"] = format_time(now)
        emits.append(Emit(job, "Normal", "Resumed", "Job resumed"))
    status.setdefault("startTime", format_time(now))
    return emits


def _scale(observed: Observed, tally: Tally, now: float) -> Plan:
    """Bring the number of active pods to what is wanted, one way at a time."""
    job = observed.job
    want = _want(job, tally)
    bound = completions_of(job) if is_indexed(job) else None
    victims = surplus(tally.active, len(tally.active) - want, bound)[:BURST_MAX]
    if victims:
        # Released first, so that what we give up is not counted as failed.
        return Plan((*_release(filter(is_tracked, victims)), *_delete(job, victims)))
    busy = list(tally.active)
    if replaces_failed_only(job):
        busy += tally.terminating
    missing = min(want - len(busy), BURST_MAX)
    if missing <= 0:
        return Plan()
    wait_s = 0.0 if limit_per_index(job) is not None else backoff_until(observed.claim.mine) - now
    if wait_s > 0:
        return Plan(look_again_after_s=wait_s)
    if bound is None:
        return _creates(job, [(None, {})] * missing)
    taken = tally.indexes | tally.failed_indexes
    taken |= {i for pod in busy if (i := index_of(pod)) is not None}
    indexes = free_indexes(missing, bound, taken)
    if limit_per_index(job) is None:
        return _creates(job, [(index, {}) for index in indexes])
    return _scale_indexes(job, tally, indexes, now)


def _scale_indexes(job: Object, tally: Tally, indexes: Iterable[int], now: float) -> Plan:
    """Each index has a back-off of its own, and its pods know how often it has failed."""
    waits = {index: index_backoff_until(tally.kept.get(index)) - now for index in indexes}
    due = [index for index, wait_s in waits.items() if wait_s <= 0]
    made = _creates(job, [(index, annotations_after(job, tally.kept.get(index))) for index in due])
    again_s = min((wait_s for wait_s in waits.values() if wait_s > 0), default=None)
    return Plan(made.actions, again_s)


def _creates(job: Object, wanted: Sequence[tuple[int | None, dict[str, str]]]) -> Plan:
    told = Told(
        job,
        success=("SuccessfulCreate", "Created pod: {name}"),
        failure=("FailedCreate", "Error creating: {error}"),
    )
    return Plan(tuple(Create(PODS, pod_for(job, *one), told) for one in wanted))


def _want(job: Object, tally: Tally) -> int:
    spec = spec_of(job)
    parallelism = spec.get("parallelism")
    parallelism = 1 if parallelism is None else int(parallelism)
    completions = spec.get("completions")
    if completions is None:  # A work queue: once one pod found it empty, no new ones start.
        return min(len(tally.active), parallelism) if tally.successes else parallelism
    return min(max(0, int(completions) - tally.successes), parallelism)


def _say(
    status: Json, type_: str, reason: str, message: str, now: float, *, value: str = "True"
) -> None:
    new = {"type": type_, "status": value, "reason": reason, "message": message}
    new["lastProbeTime"] = format_time(now)
    status["conditions"] = with_condition(status.get("conditions") or [], new, now)


def _release(pods: Iterable[Object]) -> list[Patch]:
    """Without our finalizer the pods may go: they are counted, or not to be."""
    directive = "$deleteFromPrimitiveList/finalizers"
    return [
        Patch(pod, {"metadata": {"uid": pod.uid, directive: [FINALIZER]}}, kind="strategic")
        for pod in pods
    ]


def _delete(job: Object, pods: Iterable[Object]) -> list[Delete]:
    told = Told(
        job,
        success=("SuccessfulDelete", "Deleted pod: {name}"),
        failure=("FailedDelete", "Error deleting: {error}"),
    )
    return [Delete(pod, told=told) for pod in pods]


def _expire(job: Object, finished: Json, now: float) -> Plan:
    """A Job that is over goes with its pods when its time to live has passed."""
    if job.deleting:
        return Plan()
    stamp = finished.get("lastTransitionTime")
    in_s = _expire_in_s(job, parse_time(stamp), now) if stamp else None
    if in_s is None or in_s > 0:
        return Plan(look_again_after_s=in_s)
    return Plan((Delete(job, propagation="Foreground"),))


def _expire_in_s(job: Object, since: float, now: float) -> float | None:
    ttl_s = spec_of(job).get("ttlSecondsAfterFinished")
    return None if ttl_s is None else since + float(ttl_s) - now

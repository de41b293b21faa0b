"""One step of a Job: count what ended, judge, make and give up pods. Pure.

Owns      what pods count for, when a Job is done or has failed, suspension, expiry, the status.
Leaves    what a pod looks like and who goes first (job_pods), who wakes a Job (job).
Invariant a pod is counted once: its uid (or index) is in the status before its finalizer goes, and
          leaves the list of uncounted uids in the write that adds it to the number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import PODS
from busk8s.errors import Error
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
from busk8s.master.controllers.children import (
    Claim,
    condition,
    is_ready,
    spec_of,
    status_of,
    with_condition,
)
from busk8s.master.controllers.job_pods import (
    FINALIZER,
    backoff_until,
    free_indexes,
    index_of,
    is_tracked,
    parse_indexes,
    pod_for,
    render_indexes,
    surplus,
)

BURST_MAX = 500  # As Kubernetes: one step never asks more of the apiserver than this.
UNCOUNTED_MAX = 500  # As Kubernetes: uids in the status at a time.
BACKOFF_LIMIT = 6
OWN = "kubernetes.io/job-controller"

Verdict = tuple[str, str, str]  # condition type, reason, message
DONE: Verdict = ("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
TOO_MANY: Verdict = (
    "Failed",
    "BackoffLimitExceeded",
    "Job has reached the specified backoff limit",
)
TOO_LATE: Verdict = (
    "Failed",
    "DeadlineExceeded",
    "Job was active longer than specified deadline",
)
TARGETS = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}


@dataclass(frozen=True)
class Observed:
    """`deleting`: uids of pods on their way out, as watched or because we asked for it."""

    job: Object
    claim: Claim
    deleting: frozenset[str] = frozenset()
    failure: Error | None = None


@dataclass
class Tally:
    """What the pods come to, with what the status knew already."""

    succeeded: int = 0
    failed: int = 0
    indexes: set[int] = field(default_factory=set)
    uncounted_succeeded: list[str] = field(default_factory=list)
    uncounted_failed: list[str] = field(default_factory=list)
    active: list[Object] = field(default_factory=list)
    terminating: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)  # Counted by this step's status.
    waiting: int = 0  # Ended, but there is no more room for uids in this step.

    @property
    def failures(self) -> int:
        return self.failed + len(self.uncounted_failed)

    @property
    def successes(self) -> int:
        return self.succeeded + len(self.uncounted_succeeded)

    @property
    def settled(self) -> bool:
        """Every pod has ended and is counted."""
        counted = not (self.uncounted_failed or self.uncounted_succeeded or self.waiting)
        return counted and not (self.active or self.terminating or self.release)


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
    verdict = _target(job) or judge(job, tally, observed.claim.mine, now)
    if verdict is not None:
        return _wind_up(observed, tally, verdict, now)
    if spec_of(job).get("suspend") and not job.deleting:
        return _suspend(observed, tally, now)
    status = _status(job, tally)
    emits = _start(job, status, now)
    released = _release(tally.release)
    scale = _scale(observed, tally, now) if not job.deleting else Plan()
    again_s = sooner(scale.look_again_after_s, _deadline_in_s(job, status, now))
    actions = (*put_status(job, status), *released, *emits, *scale.actions)
    return Plan(actions, again_s)


def ended(job: Object) -> Json | None:
    """The condition that says that the Job is over."""
    for type_ in ("Complete", "Failed"):
        found = condition(status_of(job), type_)
        if found is not None and found.get("status") == "True":
            return found
    return None


def count(observed: Observed) -> Tally:
    job, pods = observed.job, observed.claim.mine
    status = status_of(job)
    known = status.get("uncountedTerminatedPods") or {}
    tracked = {pod.uid for pod in pods if is_tracked(pod)}
    tally = Tally(
        succeeded=int(status.get("succeeded") or 0),
        failed=int(status.get("failed") or 0),
        indexes=parse_indexes(status.get("completedIndexes") or ""),
    )
    for uid in known.get("succeeded") or ():
        if uid in tracked:
            tally.uncounted_succeeded.append(uid)
        else:
            tally.succeeded += 1
    for uid in known.get("failed") or ():
        if uid in tracked:
            tally.uncounted_failed.append(uid)
        else:
            tally.failed += 1
    for pod in pods:
        _count_pod(tally, pod, observed)
    if _is_indexed(job):
        tally.indexes = {i for i in tally.indexes if i < _completions(job)}
        tally.succeeded = len(tally.indexes)
    return tally


def _count_pod(tally: Tally, pod: Object, observed: Observed) -> None:
    job = observed.job
    phase = status_of(pod).get("phase")
    going = pod.uid in observed.deleting
    over = phase in ("Succeeded", "Failed")
    if not over:
        (tally.terminating if going else tally.active).append(pod)
    failed = phase == "Failed" or (going and not over and not _replaces_failed_only(job))
    if not is_tracked(pod):
        return
    if pod.uid in tally.uncounted_succeeded or pod.uid in tally.uncounted_failed:
        tally.release.append(pod)
    elif phase == "Succeeded" and _is_indexed(job):
        index = index_of(pod)
        if index is not None and index < _completions(job):
            tally.indexes.add(index)
        tally.release.append(pod)
    elif phase == "Succeeded" or failed:
        if len(tally.uncounted_succeeded) + len(tally.uncounted_failed) >= UNCOUNTED_MAX:
            tally.waiting += 1
            return
        succeeded = phase == "Succeeded"
        (tally.uncounted_succeeded if succeeded else tally.uncounted_failed).append(pod.uid)
        tally.release.append(pod)
    elif job.deleting:
        tally.release.append(pod)


def judge(job: Object, tally: Tally, pods: Iterable[Object], now: float) -> Verdict | None:
    """Whether the Job is to end now, and how."""
    spec = spec_of(job)
    limit = spec.get("backoffLimit")
    limit = BACKOFF_LIMIT if limit is None else int(limit)
    if tally.failures > limit or _restarted_too_often(job, tally.active, limit):
        return TOO_MANY
    suspended = bool(spec.get("suspend"))
    remaining_s = _deadline_in_s(job, status_of(job), now)
    if remaining_s is not None and remaining_s <= 0 and not suspended:
        return TOO_LATE
    completions = spec.get("completions")
    if completions is not None:
        return DONE if tally.successes >= int(completions) else None
    return DONE if tally.successes and not (tally.active or tally.terminating) else None


def _restarted_too_often(job: Object, active: Iterable[Object], limit: int) -> bool:
    """Containers that are restarted in place count as failures, too."""
    template = spec_of(job).get("template") or {}
    if (template.get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        int(container.get("restartCount") or 0)
        for pod in active
        for container in status_of(pod).get("containerStatuses") or ()
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _target(job: Object) -> Verdict | None:
    """The end that was announced already: it stays, whatever the pods do now."""
    for type_, target in TARGETS.items():
        found = condition(status_of(job), target)
        if found is not None and found.get("status") == "True":
            return type_, found.get("reason", ""), found.get("message", "")
    return None


def _wind_up(observed: Observed, tally: Tally, verdict: Verdict, now: float) -> Plan:
    """End the pods that still run; say how it ended when all have ended and are counted."""
    job, (type_, reason, message) = observed.job, verdict
    status = _status(job, tally)
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
    status = _status(job, tally)
    before = condition(status_of(job), "Suspended")
    emits: list[Action] = []
    if before is None or before.get("status") != "True":
        _say(status, "Suspended", "JobSuspended", "Job suspended", now)
        emits.append(Emit(job, "Normal", "Suspended", "Job suspended"))
    status.pop("startTime", None)
    going = tally.active[:BURST_MAX]
    released = _release([*tally.release, *[p for p in going if is_tracked(p)]])
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
    bound = _completions(job) if _is_indexed(job) else None
    victims = surplus(tally.active, len(tally.active) - want, bound)[:BURST_MAX]
    if victims:
        # Released first, so that what we give up is not counted as failed.
        return Plan((*_release(filter(is_tracked, victims)), *_delete(job, victims)))
    busy = list(tally.active)
    if _replaces_failed_only(job):
        busy += tally.terminating
    missing = min(want - len(busy), BURST_MAX)
    if missing <= 0:
        return Plan()
    wait_s = backoff_until(observed.claim.mine) - now
    if wait_s > 0:
        return Plan(look_again_after_s=wait_s)
    indexes: Sequence[int | None] = [None] * missing
    if bound is not None:
        taken = tally.indexes | {i for pod in busy if (i := index_of(pod)) is not None}
        indexes = free_indexes(missing, bound, taken)
    told = Told(
        job,
        success=("SuccessfulCreate", "Created pod: {name}"),
        failure=("FailedCreate", "Error creating: {error}"),
    )
    return Plan(tuple(Create(PODS, pod_for(job, index), told) for index in indexes))


def _want(job: Object, tally: Tally) -> int:
    spec = spec_of(job)
    parallelism = spec.get("parallelism")
    parallelism = 1 if parallelism is None else int(parallelism)
    completions = spec.get("completions")
    if completions is None:  # A work queue: once one pod found it empty, no new ones start.
        return min(len(tally.active), parallelism) if tally.successes else parallelism
    return min(max(0, int(completions) - tally.successes), parallelism)


def _status(job: Object, tally: Tally) -> Json:
    status = dict(status_of(job))
    counts = {
        "active": len(tally.active),
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "completedIndexes": render_indexes(tally.indexes) if _is_indexed(job) else "",
    }
    for name, value in counts.items():
        status.pop(name, None)
        if value:
            status[name] = value
    status["ready"] = sum(is_ready(pod) for pod in tally.active)
    status["terminating"] = len(tally.terminating)
    uncounted = {"succeeded": tally.uncounted_succeeded, "failed": tally.uncounted_failed}
    status["uncountedTerminatedPods"] = {k: v for k, v in uncounted.items() if v}
    return status


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


def _deadline_in_s(job: Object, status: Json, now: float) -> float | None:
    allowed_s, start = spec_of(job).get("activeDeadlineSeconds"), status.get("startTime")
    if allowed_s is None or not start:
        return None
    return parse_time(start) + float(allowed_s) - now


def _is_indexed(job: Object) -> bool:
    return spec_of(job).get("completionMode") == "Indexed"


def _completions(job: Object) -> int:
    return int(spec_of(job).get("completions") or 0)


def _replaces_failed_only(job: Object) -> bool:
    return spec_of(job).get("podReplacementPolicy") == "Failed"

"""CronJob: a Job at each moment of a schedule.

Owns      which moment is due, what to do when Jobs overlap or moments were missed, the history.
Leaves    the Jobs themselves (job), the meaning of schedules (schedule).
Invariant one moment makes one Job: its name says the minute; a moment is noted as done in the
          status only after its Job is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Json, Object
from busk8s.api.schedule import BadSchedule, last_due, missed, next_due
from busk8s.api.scheme import CRONJOBS, JOBS, Resource
from busk8s.client.cache import CONTROLLER
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import (
    Action,
    Create,
    Delete,
    Emit,
    Plan,
    Told,
    patch_status,
)
from busk8s.master.controllers.children import (
    condition,
    controller_reference,
    owned_key,
    spec_of,
    status_of,
)
from busk8s.master.controllers.loop import Wake, own_key

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MISSED_MAX = 100  # As Kubernetes: more missed moments than these are worth a warning.
MARGIN_S = 0.1  # As Kubernetes: the look at a moment comes a little after it.
OVERDUE = (
    "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
)
BUSY = "Not starting job because prior execution is running and concurrency policy is Forbid"


@dataclass(frozen=True)
class Observed:
    cron: Object
    jobs: tuple[Object, ...]  # Those it controls, but for what is being deleted.


class CronJobController:
    name = "cronjob"
    component = "cronjob-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._crons = caches.need(CRONJOBS)
        self._jobs = caches.need(JOBS, (CONTROLLER,))
        self.wakes: Mapping[Resource, Wake] = {CRONJOBS: own_key, JOBS: self._woken_by_job}

    def _woken_by_job(self, old: Object | None, new: Object | None) -> Iterable[str]:
        found = (owned_key(job, "CronJob") for job in (old, new) if job is not None)
        return dict.fromkeys(key for key in found if key)

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        cron = self._crons.get(key)
        if cron is None:
            return None
        mine = self._jobs.by(CONTROLLER, cron.uid)
        return Observed(cron, tuple(job for job in mine if not self._jobs.is_deleting(job)))

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed, now)


def plan(observed: Observed, now: float) -> Plan:
    """Tidy up, then start what is due; look again at the next moment."""
    cron, spec = observed.cron, spec_of(observed.cron)
    if cron.deleting:
        return Plan()
    status, actions = _followed(observed)
    actions += _forget(cron, observed.jobs)
    schedule, zone = spec.get("schedule") or "", spec.get("timeZone") or ""
    if spec.get("suspend"):
        return Plan((*actions, *patch_status(cron, status)))
    since, earliest = _since(cron, now)
    try:
        due = last_due(schedule, zone, since, now)
        again_s = next_due(schedule, zone, since, now) + MARGIN_S - now
        late = missed(schedule, zone, earliest, now, MISSED_MAX + 1) > MISSED_MAX
    except BadSchedule as error:
        text = f"unparseable schedule: {schedule!r} : {error}"
        return Plan((*actions, Emit(cron, "Warning", "UnparseableSchedule", text)))
    except StopIteration:
        return Plan((*actions, *patch_status(cron, status)))  # No such day in fifty years.
    if due is not None and due > earliest:
        if late:
            actions.append(Emit(cron, "Warning", "TooManyMissedTimes", OVERDUE))
        actions += _start(observed, status, due, now)
    return Plan((*actions, *patch_status(cron, status)), again_s)


def job_for(cron: Object, due: float) -> Json:
    """The Job of a moment, named by its minute as upstream names it."""
    template = spec_of(cron).get("jobTemplate") or {}
    given = template.get("metadata") or {}
    metadata: Json = {
        "name": name_at(cron, due),
        "namespace": cron.namespace,
        "annotations": {**(given.get("annotations") or {}), SCHEDULED_AT: format_time(due)},
        "ownerReferences": [controller_reference(cron)],
    }
    if given.get("labels"):
        metadata["labels"] = given["labels"]
    spec = template.get("spec") or {}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def name_at(cron: Object, due: float) -> str:
    return f"{cron.name}-{int(due) // 60}"


def finished(job: Object) -> str:
    """Complete, Failed, or nothing yet."""
    for type_ in ("Complete", "Failed"):
        found = condition(status_of(job), type_)
        if found is not None and found.get("status") == "True":
            return type_
    return ""


def _followed(observed: Observed) -> tuple[Json, list[Action]]:
    """The status with the Jobs that run, and what became of those that did."""
    cron = observed.cron
    status = dict(status_of(cron))
    jobs = {job.uid: job for job in observed.jobs}
    actions: list[Action] = []
    for entry in status.get("active") or ():
        job = jobs.get(entry.get("uid", ""))
        if job is None:
            text = f"Active job went missing: {entry.get('name')}"
            actions.append(Emit(cron, "Normal", "MissingJob", text))
        elif end := finished(job):
            text = f"Saw completed job: {job.name}, condition: {end}"
            actions.append(Emit(cron, "Normal", "SawCompletedJob", text))
    for job in observed.jobs:
        if finished(job) == "Complete" and (at := status_of(job).get("completionTime")):
            status["lastSuccessfulTime"] = max(status.get("lastSuccessfulTime") or "", at)
    status["active"] = [_reference(job) for job in _running(observed)]
    if not status["active"]:
        del status["active"]
    return status, actions


def _running(observed: Observed) -> list[Object]:
    """What the schedule started; a Job that a user made from the template runs beside it."""
    return [
        job
        for job in observed.jobs
        if not finished(job) and SCHEDULED_AT in (job.metadata.get("annotations") or {})
    ]


def _reference(job: Object) -> Json:
    """An ObjectReference; without a version, which would change with each of its pods."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "namespace": job.namespace,
        "name": job.name,
        "uid": job.uid,
    }


def _since(cron: Object, now: float) -> tuple[float, float]:
    """Moments up to the first are done with; those up to the second are too late to be started."""
    spec, status = spec_of(cron), status_of(cron)
    stamp = status.get("lastScheduleTime") or cron.metadata.get("creationTimestamp")
    since = parse_time(stamp) if stamp else now
    deadline_s = spec.get("startingDeadlineSeconds")
    return since, since if deadline_s is None else max(since, now - float(deadline_s))


def _start(observed: Observed, status: Json, due: float, now: float) -> list[Action]:
    """Make the Job of the moment `due`, unless one of it is there or others must end first."""
    cron = observed.cron
    running = _running(observed)
    name = name_at(cron, due)
    if any(job.name == name for job in observed.jobs):
        status["lastScheduleTime"] = format_time(due)
        return []
    actions: list[Action] = []
    policy = spec_of(cron).get("concurrencyPolicy")
    if policy == "Forbid" and running:
        return [Emit(cron, "Normal", "JobAlreadyActive", BUSY)]
    if policy == "Replace":
        actions += [_delete(cron, job) for job in running]
    told = Told(
        cron,
        success=("SuccessfulCreate", "Created job {name}"),
        failure=("FailedCreate", "Error creating job: {error}"),
    )
    actions.append(Create(JOBS, job_for(cron, due), told))
    status["lastScheduleTime"] = format_time(due)
    return actions


def _forget(cron: Object, jobs: Sequence[Object]) -> list[Action]:
    """Finished Jobs beyond the limits of the history, the oldest first."""
    actions: list[Action] = []
    for end, field in (
        ("Complete", "successfulJobsHistoryLimit"),
        ("Failed", "failedJobsHistoryLimit"),
    ):
        limit = spec_of(cron).get(field)
        if limit is None:
            continue
        over = sorted((job for job in jobs if finished(job) == end), key=_started)
        actions += [_delete(cron, job) for job in over[: max(0, len(over) - int(limit))]]
    return actions


def _started(job: Object) -> tuple[str, str]:
    return (status_of(job).get("startTime") or "", job.name)


def _delete(cron: Object, job: Object) -> Delete:
    told = Told(
        cron,
        success=("SuccessfulDelete", "Deleted job {name}"),
        failure=("FailedDelete", "Deleted job: {error}"),
    )
    return Delete(job, propagation="Background", told=told)

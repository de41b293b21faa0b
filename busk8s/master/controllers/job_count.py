"""What the pods of a Job come to, each counted once. Pure.

Owns      Tally: numbers, indexes, who still runs, whose finalizer may go; the status made of it.
Leaves    what a failure means (job_failures), whether that ends the Job (job_end).
Invariant a pod is counted once: its uid (or index) is in the status before its finalizer goes, and
          leaves the list of uncounted uids in the write that adds it to the number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from busk8s.api.object import Json, Object
from busk8s.errors import Error
from busk8s.master.controllers.children import Claim, is_ready, spec_of, status_of
from busk8s.master.controllers.job_failures import (
    fails_index,
    is_failed,
    last_failed,
    limit_per_index,
    match,
)
from busk8s.master.controllers.job_pods import (
    index_of,
    is_tracked,
    parse_indexes,
    render_indexes,
)

UNCOUNTED_MAX = 500  # As Kubernetes: uids in the status at a time.


@dataclass(frozen=True)
class Observed:
    """`deleting`: uids of pods on their way out, as watched or because we asked for it."""

    job: Object
    claim: Claim
    deleting: frozenset[str] = frozenset()
    failure: Error | None = None


@dataclass
class Tally:
    """What the pods come to, with what the status knew already.

    `failed_indexes` are not tried again. `kept`, by index: the failed pod that knows how often
    its index has failed, until there is another.
    """

    succeeded: int = 0
    failed: int = 0
    indexes: set[int] = field(default_factory=set)
    failed_indexes: set[int] = field(default_factory=set)
    uncounted_succeeded: list[str] = field(default_factory=list)
    uncounted_failed: list[str] = field(default_factory=list)
    active: list[Object] = field(default_factory=list)
    terminating: list[Object] = field(default_factory=list)
    broken: list[Object] = field(default_factory=list)  # Failed, whether it counts or not.
    release: list[Object] = field(default_factory=list)  # Counted by this step's status.
    kept: dict[int, Object] = field(default_factory=dict)
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

    @property
    def releasable(self) -> list[Object]:
        kept = {pod.uid for pod in self.kept.values()}
        return [pod for pod in self.release if pod.uid not in kept]


def count(observed: Observed) -> Tally:
    job, pods = observed.job, observed.claim.mine
    status = status_of(job)
    known = status.get("uncountedTerminatedPods") or {}
    tracked = {pod.uid for pod in pods if is_tracked(pod)}
    tally = Tally(
        succeeded=int(status.get("succeeded") or 0),
        failed=int(status.get("failed") or 0),
        indexes=parse_indexes(status.get("completedIndexes") or ""),
        failed_indexes=parse_indexes(status.get("failedIndexes") or ""),
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
    if is_indexed(job):
        tally.indexes = {i for i in tally.indexes if i < completions_of(job)}
        tally.succeeded = len(tally.indexes)
        _count_failed_indexes(tally, job)
    return tally


def _count_pod(tally: Tally, pod: Object, observed: Observed) -> None:
    job = observed.job
    phase = status_of(pod).get("phase")
    going = pod.uid in observed.deleting
    if phase not in ("Succeeded", "Failed"):
        (tally.terminating if going else tally.active).append(pod)
    if not is_tracked(pod):
        return
    failed = is_failed(job, pod, going=going)
    if failed:
        tally.broken.append(pod)
    if pod.uid in tally.uncounted_succeeded or pod.uid in tally.uncounted_failed:
        tally.release.append(pod)
    elif phase == "Succeeded" and is_indexed(job):
        index = index_of(pod)
        if index is not None and index < completions_of(job):
            tally.indexes.add(index)
        tally.release.append(pod)
    elif phase == "Succeeded" or failed:
        _count_end(tally, pod, job)
    elif job.deleting:
        tally.release.append(pod)


def _count_end(tally: Tally, pod: Object, job: Object) -> None:
    succeeded = status_of(pod).get("phase") == "Succeeded"
    if not succeeded and match(job, pod).action == "Ignore":
        tally.release.append(pod)
    elif len(tally.uncounted_succeeded) + len(tally.uncounted_failed) >= UNCOUNTED_MAX:
        tally.waiting += 1
    else:
        (tally.uncounted_succeeded if succeeded else tally.uncounted_failed).append(pod.uid)
        tally.release.append(pod)


def _count_failed_indexes(tally: Tally, job: Object) -> None:
    if limit_per_index(job) is None:
        return
    completions = completions_of(job)
    mine = [p for p in tally.broken if (i := index_of(p)) is not None and i < completions]
    tally.failed_indexes |= {
        i for p in mine if fails_index(job, p) and (i := index_of(p)) is not None
    }
    tally.failed_indexes = {i for i in tally.failed_indexes if i < completions} - tally.indexes
    busy = {index_of(pod) for pod in tally.active}
    settled = tally.indexes | tally.failed_indexes
    tally.kept = {
        index: pod
        for index, pod in last_failed(mine).items()
        if index not in busy and index not in settled
    }


def status_with(job: Object, tally: Tally) -> Json:
    """The status of `job` with the numbers of `tally`."""
    status = dict(status_of(job))
    counts = {
        "active": len(tally.active),
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "completedIndexes": render_indexes(tally.indexes) if is_indexed(job) else "",
    }
    for name, value in counts.items():
        status.pop(name, None)
        if value:
            status[name] = value
    if limit_per_index(job) is not None:
        status["failedIndexes"] = render_indexes(tally.failed_indexes)
    status["ready"] = sum(is_ready(pod) for pod in tally.active)
    status["terminating"] = len(tally.terminating)
    uncounted = {"succeeded": tally.uncounted_succeeded, "failed": tally.uncounted_failed}
    status["uncountedTerminatedPods"] = {k: v for k, v in uncounted.items() if v}
    return status


def is_indexed(job: Object) -> bool:
    return spec_of(job).get("completionMode") == "Indexed"


def completions_of(job: Object) -> int:
    return int(spec_of(job).get("completions") or 0)

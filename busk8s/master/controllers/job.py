"""Job: pods that run to completion, each counted once.

Owns      what wakes a Job and what is looked at; pods that wait for a Job that is gone.
Leaves    the decisions (job_plan), deletion of what it owned (garbage), when to make one (cronjob).
Invariant only pods it controls are touched; no finalizer of ours outlives its Job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from busk8s.api.object import Object
from busk8s.api.scheme import JOBS, PODS, Resource
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.client.cache import CONTROLLER, NAMESPACE, orphans_in
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Patch, Plan
from busk8s.master.controllers.children import claim, controller_of, is_finished, owned_key, spec_of
from busk8s.master.controllers.job_count import Observed
from busk8s.master.controllers.job_plan import plan
from busk8s.master.controllers.job_pods import FINALIZER, is_tracked
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import slim_pod

STRAY = "pod:"  # Begins the keys of pods whose Job is gone; no Job's key has a colon.


@dataclass(frozen=True)
class Stray:
    pod: Object


class JobController:
    name = "job"
    component = "job-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._jobs = caches.need(JOBS)
        self._pods = caches.need(PODS, (CONTROLLER,), whole=False, keep=slim_pod)
        self.wakes: Mapping[Resource, Wake] = {
            JOBS: self._woken_by_job,
            PODS: self._woken_by_pod,
        }

    def _woken_by_job(self, old: Object | None, new: Object | None) -> Iterable[str]:
        keys = list(own_key(old, new))
        if new is None and old is not None:
            keys += [f"{STRAY}{pod.key}" for pod in self._pods.by(CONTROLLER, old.uid)]
        return keys

    def _woken_by_pod(self, old: Object | None, new: Object | None) -> Iterable[str]:
        keys: dict[str, None] = {}
        for pod in (old, new):
            if pod is not None and (key := owned_key(pod, "Job")):
                keys[key] = None
        if new is None:
            return keys
        if is_tracked(new) and not self._has_job(new):
            keys[f"{STRAY}{new.key}"] = None
        if controller_of(new) is None and not new.deleting:
            for job in self._jobs.by(NAMESPACE, new.namespace):
                if selector_of(job).matches(new.labels):
                    keys[job.key] = None
        return keys

    def _has_job(self, pod: Object) -> bool:
        key, reference = owned_key(pod, "Job"), controller_of(pod)
        job = self._jobs.get(key) if key else None
        return job is not None and reference is not None and job.uid == reference["uid"]

    def observe(self, key: str, failure: Error | None) -> Observed | Stray | None:
        if key.startswith(STRAY):
            pod = self._pods.get(key.removeprefix(STRAY))
            lost = pod is not None and is_tracked(pod) and not self._has_job(pod)
            return Stray(pod) if pod is not None and lost else None
        job = self._jobs.get(key)
        if job is None:
            return None
        deleting = self._pods.is_deleting
        claimed = claim(
            job,
            selector_of(job),
            self._pods.by(CONTROLLER, job.uid),
            self._pods.by(CONTROLLER, orphans_in(job.namespace)),
            lambda pod: deleting(pod) or is_finished(pod),
        )
        going = frozenset(pod.uid for pod in claimed.mine if deleting(pod))
        return Observed(job, claimed, going, failure)

    def plan(self, observed: Observed | Stray, now: float) -> Plan:
        if isinstance(observed, Stray):
            return plan_stray(observed)
        return plan(observed, now)


def plan_stray(observed: Stray) -> Plan:
    """Nobody will count this pod: let it go."""
    pod = observed.pod
    directive = {"uid": pod.uid, "$deleteFromPrimitiveList/finalizers": [FINALIZER]}
    return Plan((Patch(pod, {"metadata": directive}, kind="strategic"),))


def selector_of(job: Object) -> LabelSelector:
    return from_label_selector(spec_of(job).get("selector"))

"""ReplicaSet and ReplicationController: keep `replicas` active pods that the set controls.

Owns      how many pods there are, which one goes first when there are too many, the status.
Leaves    where a pod runs (scheduler), whether it runs (kubelet), rollouts (deployment).
Invariant one step never both creates and deletes; only pods it controls are counted or deleted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.meta import parse_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import PODS, REPLICASETS, REPLICATIONCONTROLLERS, Resource
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.client.cache import CONTROLLER, NAMESPACE, orphans_in
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import (
    Action,
    Create,
    Delete,
    Plan,
    Told,
    patch_status,
    sooner,
)
from busk8s.master.controllers.children import (
    Claim,
    available_in_s,
    claim,
    controller_of,
    controller_reference,
    is_finished,
    is_ready,
    owned_key,
    spec_of,
    status_of,
    with_condition,
    without_condition,
)
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import DELETION_COST, slim_pod

BURST_MAX = 500  # As Kubernetes: one step never asks more of the apiserver than this.

PHASE_RANK = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True)
class Observed:
    rs: Object
    claim: Claim
    active: tuple[Object, ...]
    terminating: int
    neighbours: Mapping[str, int]  # node -> active pods there of all revisions of the workload
    failure: Error | None


class ReplicaSetController:
    """`resource` is ReplicaSets, or ReplicationControllers: the same by an older name."""

    def __init__(self, caches: SharedCaches, resource: Resource = REPLICASETS) -> None:
        older = resource is REPLICATIONCONTROLLERS
        self.name = "replicationcontroller" if older else "replicaset"
        self.component = "replication-controller" if older else "replicaset-controller"
        self._kind = resource.kind
        self._sets = caches.need(resource, (CONTROLLER,))
        self._pods = caches.need(PODS, (CONTROLLER,), whole=False, keep=slim_pod)
        self.wakes: Mapping[Resource, Wake] = {resource: own_key, PODS: self._woken_by_pod}

    def _woken_by_pod(self, old: Object | None, new: Object | None) -> Iterable[str]:
        keys: dict[str, None] = {}
        for pod in (old, new):
            if pod is not None and (key := owned_key(pod, self._kind)):
                keys[key] = None
        if new is not None and controller_of(new) is None and _might_be_claimed(old, new):
            for rs in self._sets.by(NAMESPACE, new.namespace):
                if selector_of(rs).matches(new.labels):
                    keys[rs.key] = None
        return keys

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        rs = self._sets.get(key)
        if rs is None:
            return None
        owned = self._pods.by(CONTROLLER, rs.uid)
        deleting = self._pods.is_deleting
        claimed = claim(
            rs,
            selector_of(rs),
            owned,
            self._pods.by(CONTROLLER, orphans_in(rs.namespace)),
            lambda pod: deleting(pod) or is_finished(pod),
        )
        unfinished = [pod for pod in claimed.mine if not is_finished(pod)]
        active = tuple(pod for pod in unfinished if not deleting(pod))
        too_many = len(active) > replicas_of(rs)
        return Observed(
            rs=rs,
            claim=claimed,
            active=active,
            terminating=len(unfinished) - len(active),
            neighbours=self._neighbours(rs) if too_many else {},
            failure=failure,
        )

    def _neighbours(self, rs: Object) -> Mapping[str, int]:
        """Active pods by node, over every ReplicaSet of the same Deployment."""
        owner = controller_of(rs)
        family = self._sets.by(CONTROLLER, owner["uid"]) if owner else [rs]
        count: dict[str, int] = {}
        for member in family:
            for pod in self._pods.by(CONTROLLER, member.uid):
                if not is_finished(pod) and not self._pods.is_deleting(pod):
                    node = spec_of(pod).get("nodeName", "")
                    count[node] = count.get(node, 0) + 1
        return count

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed, now)


def plan(observed: Observed, now: float) -> Plan:
    """What to do next so that the pods come to match; nothing when they do."""
    rs = observed.rs
    status, soon = new_status(observed, now)
    actions: list[Action] = [*observed.claim.patches, *patch_status(rs, status)]
    if observed.claim.patches:
        return Plan(tuple(actions), soon)  # Count again when it is settled whose they are.
    if not rs.deleting:
        actions += scale(observed, now)
    return Plan(tuple(actions), soon)


def scale(observed: Observed, now: float) -> Sequence[Action]:
    surplus = len(observed.active) - replicas_of(observed.rs)
    if surplus < 0:
        create = Create(PODS, pod_from(observed.rs), _told_create(observed.rs))
        return [create] * min(-surplus, BURST_MAX)
    if surplus > 0:
        rank = cost_of_loss(observed.neighbours, now)
        victims = sorted(observed.active, key=rank)[: min(surplus, BURST_MAX)]
        told = Told(
            observed.rs,
            success=("SuccessfulDelete", "Deleted pod: {name}"),
            failure=("FailedDelete", "Error deleting: {error}"),
        )
        return [Delete(pod, told=told) for pod in victims]
    return []


def pod_from(rs: Object) -> Json:
    """The pod of the template, to be named by whoever creates it."""
    template = spec_of(rs).get("template") or {}
    given = template.get("metadata") or {}
    metadata: Json = {"generateName": f"{rs.name}-", "namespace": rs.namespace}
    for field in ("labels", "annotations", "finalizers"):
        if given.get(field):
            metadata[field] = given[field]
    metadata["ownerReferences"] = [controller_reference(rs)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }


def new_status(observed: Observed, now: float) -> tuple[Json, float | None]:
    """The status that fits what is observed, and when time alone will change it."""
    rs, spec = observed.rs, spec_of(observed.rs)
    wanted_labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    min_ready_s = spec.get("minReadySeconds") or 0
    ready = available = labelled = 0
    soon: float | None = None
    for pod in observed.active:
        labelled += wanted_labels.items() <= pod.labels.items()
        wait_s = available_in_s(pod, min_ready_s, now)
        ready += is_ready(pod)
        if wait_s == 0.0:
            available += 1
        soon = sooner(soon, wait_s or None)
    counts = {
        "replicas": len(observed.active),
        "fullyLabeledReplicas": labelled,
        "readyReplicas": ready,
        "availableReplicas": available,
        "terminatingReplicas": observed.terminating,
    }
    if rs.resource is REPLICATIONCONTROLLERS:
        del counts["terminatingReplicas"]  # It has no such field.
    status: Json = {k: v for k, v in counts.items() if v or k == "replicas"}
    status["observedGeneration"] = rs.metadata.get("generation", 0)
    if conditions := _conditions(observed, now):
        status["conditions"] = conditions
    return status, soon


def _conditions(observed: Observed, now: float) -> list[Json]:
    conditions: Sequence[Json] = status_of(observed.rs).get("conditions") or ()
    if observed.failure is None:
        return without_condition(conditions, "ReplicaFailure")
    missing = len(observed.active) < replicas_of(observed.rs)
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate" if missing else "FailedDelete",
        "message": observed.failure.message,
    }
    return with_condition(conditions, failure, now)


def cost_of_loss(
    neighbours: Mapping[str, int], now: float
) -> Callable[[Object], tuple[object, ...]]:
    """Sort key: the pod that is cheapest to lose comes first (upstream's ActivePodsWithRanks)."""

    def cost(pod: Object) -> tuple[object, ...]:
        spec, status = spec_of(pod), status_of(pod)
        node = spec.get("nodeName", "")
        ready = is_ready(pod)
        return (
            bool(node),
            PHASE_RANK.get(status.get("phase", "Pending"), 0),
            ready,
            deletion_cost(pod),
            -neighbours.get(node, 0),
            _age_rank(_ready_since(pod), now) if ready else 0,
            -sum(c.get("restartCount", 0) for c in status.get("containerStatuses") or ()),
            _age_rank(pod.metadata.get("creationTimestamp"), now),
            pod.uid,
        )

    return cost


def deletion_cost(pod: Object) -> int:
    text = (pod.metadata.get("annotations") or {}).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def _ready_since(pod: Object) -> str | None:
    for found in status_of(pod).get("conditions") or ():
        if found.get("type") == "Ready":
            since: str | None = found.get("lastTransitionTime")
            return since
    return None


def _age_rank(since: str | None, now: float) -> int:
    """Ages in powers of two: among pods of about one age, chance (the uid) decides."""
    if not since:
        return -1
    age_s = now - parse_time(since)
    return int(math.log2(age_s)) if age_s >= 1 else 0


def replicas_of(rs: Object) -> int:
    replicas = spec_of(rs).get("replicas")
    return 1 if replicas is None else int(replicas)


def selector_of(rs: Object) -> LabelSelector:
    selector = spec_of(rs).get("selector")
    if rs.resource is REPLICATIONCONTROLLERS and selector is not None:
        selector = {"matchLabels": selector}
    return from_label_selector(selector)


def _told_create(rs: Object) -> Told:
    return Told(
        rs,
        success=("SuccessfulCreate", "Created pod: {name}"),
        failure=("FailedCreate", "Error creating: {error}"),
    )


def _might_be_claimed(old: Object | None, new: Object) -> bool:
    if new.deleting:
        return False
    return old is None or old.labels != new.labels or controller_of(old) is not None

"""One step of a StatefulSet: pods with stable names, in order unless told otherwise. Pure.

Owns      which ordinal is made, replaced or given up next, partitions, the status.
Leaves    revisions (history), claims (statefulset_claims), the Service that names the pods
          (endpointslices).
Invariant with OrderedReady one step touches one pod, and none while a lower one is not available;
          an ordinal has at most one pod, for its name is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from busk8s.api.object import Json, Object
from busk8s.api.scheme import PODS
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
    controller_reference,
    is_finished,
    is_ready,
    spec_of,
    status_of,
)
from busk8s.master.controllers.deployment_scale import portion
from busk8s.master.controllers.history import HASH_LABEL, forget, template_in, update_revision
from busk8s.master.controllers.statefulset_claims import (
    Claims,
    claims_going,
    missing_claims,
    owner_patches,
    with_volumes,
)

REVISION_HASH = "controller.kubernetes.io/hash"  # On the revisions.
POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
BURST_MAX = 500  # As other controllers: one step never asks more of the apiserver than this.


@dataclass(frozen=True)
class Observed:
    """`deleting`: uids of pods on their way out, as watched or because we asked for it."""

    sts: Object
    pods: Claim
    revisions: Claim
    bearer: Object | None = None  # What has the name that a new revision would get.
    deleting: frozenset[str] = frozenset()
    failure: Error | None = None
    claims: Claims = field(default_factory=dict)  # Those that members have or would have.


@dataclass(frozen=True)
class _View:
    observed: Observed
    current: str  # Names of revisions.
    update: str
    now: float

    @property
    def sts(self) -> Object:
        return self.observed.sts

    @property
    def ordered(self) -> bool:
        return spec_of(self.sts).get("podManagementPolicy") != "Parallel"

    @property
    def start(self) -> int:
        return int((spec_of(self.sts).get("ordinals") or {}).get("start") or 0)

    @property
    def rolling(self) -> Json | None:
        strategy = spec_of(self.sts).get("updateStrategy") or {}
        return None if strategy.get("type") == "OnDelete" else strategy.get("rollingUpdate") or {}

    @property
    def first_updated(self) -> int:
        """The lowest ordinal that an update reaches."""
        return self.start + int((self.rolling or {}).get("partition") or 0)

    def going(self, pod: Object) -> bool:
        return pod.uid in self.observed.deleting

    def wait_s(self, pod: Object) -> float | None:
        min_ready_s = spec_of(self.sts).get("minReadySeconds") or 0
        return available_in_s(pod, min_ready_s, self.now) if _runs(pod) else None

    def healthy(self, pod: Object) -> bool:
        return self.wait_s(pod) == 0.0 and not self.going(pod)


def plan(observed: Observed, now: float) -> Plan:
    """What to do next so that each ordinal has its pod, of the revision it is to have."""
    sts = observed.sts
    if patches := (*observed.pods.patches, *observed.revisions.patches):
        return Plan(patches)
    update = update_revision(sts, observed.revisions.mine, observed.bearer, REVISION_HASH)
    if update.actions and not sts.deleting:
        return Plan(update.actions)
    known = {revision.name for revision in observed.revisions.mine}
    current = status_of(sts).get("currentRevision") or update.name
    view = _View(observed, current if current in known else update.name, update.name, now)
    status = new_status(view)
    said = patch_status(sts, status)
    if sts.deleting:
        return Plan(tuple(said))
    steps = _step(view)
    live = {view.current, view.update, *(p.labels.get(HASH_LABEL, "") for p in observed.pods.mine)}
    old = [] if steps else forget(sts, observed.revisions.mine, live)
    again_s = sooner(*(view.wait_s(pod) or None for pod in observed.pods.mine))
    return Plan((*said, *steps, *old), again_s)


def ordinal_of(sts: Object, pod: Object) -> int | None:
    """The number at the end of the pod's name, if it is a member's name."""
    parent, _, number = pod.name.rpartition("-")
    canonical = number.isdecimal() and str(int(number)) == number
    return int(number) if parent == sts.name and canonical else None


def replicas_of(sts: Object) -> int:
    replicas = spec_of(sts).get("replicas")
    return 1 if replicas is None else int(replicas)


def pod_for(sts: Object, ordinal: int, template: Json, revision: str) -> Json:
    given, own = template.get("metadata") or {}, f"{sts.name}-{ordinal}"
    labels = {**(given.get("labels") or {}), HASH_LABEL: revision}
    labels |= {POD_NAME: own, POD_INDEX: str(ordinal)}
    metadata: Json = {
        "name": own,
        "namespace": sts.namespace,
        "labels": labels,
        "ownerReferences": [controller_reference(sts)],
    }
    metadata |= {name: given[name] for name in ("annotations", "finalizers") if given.get(name)}
    spec = {**with_volumes(sts, ordinal, template.get("spec") or {}), "hostname": own}
    if service := spec_of(sts).get("serviceName"):
        spec["subdomain"] = service
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def new_status(view: _View) -> Json:
    """The status that fits what is observed; a finished update becomes the current revision."""
    sts, pods = view.sts, view.observed.pods.mine
    staying = [pod for pod in pods if not view.going(pod)]
    ready = sum(_runs(pod) and is_ready(pod) for pod in pods)
    of = [pod.labels.get(HASH_LABEL) for pod in staying]
    status: Json = {
        "replicas": len(pods),
        "availableReplicas": sum(view.wait_s(pod) == 0.0 for pod in pods),
        "observedGeneration": sts.metadata.get("generation", 0),
        "updateRevision": view.update,
        "currentRevision": view.current,
        "collisionCount": status_of(sts).get("collisionCount") or 0,
    }
    current, updated, wanted = of.count(view.current), of.count(view.update), replicas_of(sts)
    if view.rolling is not None and updated == ready == len(pods) == wanted:
        status["currentRevision"], current = view.update, updated
    some = {"readyReplicas": ready, "currentReplicas": current, "updatedReplicas": updated}
    status |= {name: value for name, value in some.items() if value}
    if conditions := status_of(sts).get("conditions"):
        status["conditions"] = conditions
    return status


def _step(view: _View) -> list[Action]:
    """Fill the ordinals, then give up those beyond, then update: each only when the one before
    leaves nothing to do or to wait for."""
    by_ordinal = by_ordinals(sts := view.sts, view.observed.pods.mine)
    last = view.start + replicas_of(sts)
    members = range(view.start, last)
    if owners := owner_patches(sts, by_ordinal, members, view.observed.claims):
        return list(owners)
    condemned = [n for n in by_ordinal if not view.start <= n < last]
    actions, waits = _fill(view, by_ordinal, members)
    if waits:
        return actions
    more, waits = _give_up(view, by_ordinal, sorted(condemned, reverse=True))
    actions += more
    if waits or view.rolling is None:
        return actions
    # What this step makes or ends is not there to be updated.
    return actions or _roll(view, by_ordinal, members)


def by_ordinals(sts: Object, pods: Iterable[Object]) -> dict[int, Object]:
    found: dict[int, Object] = {}
    for pod in pods:
        if (ordinal := ordinal_of(sts, pod)) is not None:
            found[ordinal] = pod
    return found


def _fill(view: _View, pods: dict[int, Object], ordinals: range) -> tuple[list[Action], bool]:
    """Make what is missing, replace what is over; whether to wait before anything else."""
    actions: list[Action] = []
    for ordinal in ordinals:
        pod = pods.get(ordinal)
        if pod is None:
            actions += _create(view, ordinal)
        elif is_finished(pod) and not view.going(pod):
            actions.append(_delete(view.sts, pod))
        elif view.healthy(pod):
            continue
        else:
            actions += _missing(view, ordinal, pod)
            if not view.ordered:
                continue
        if view.ordered or len(actions) >= BURST_MAX:
            return actions, True
    return actions, False


def _give_up(
    view: _View, pods: dict[int, Object], condemned: Sequence[int]
) -> tuple[list[Action], bool]:
    """From the highest down; an unhealthy one only when no lower one is unhealthy, too. What is
    over will not be healthy again: nobody waits for it."""
    ailing = [n for n in condemned if not view.healthy(pods[n]) and not is_finished(pods[n])]
    lowest_ailing = min(ailing, default=None)
    actions: list[Action] = []
    for ordinal in condemned:
        pod = pods[ordinal]
        if view.going(pod):
            if view.ordered:
                return actions, True
            continue
        if view.ordered and ordinal in ailing and ordinal != lowest_ailing:
            return actions, True
        actions.append(_delete(view.sts, pod))
        if view.ordered or len(actions) >= BURST_MAX:
            return actions, True
    return actions, False


def _roll(view: _View, pods: dict[int, Object], ordinals: range) -> list[Action]:
    """From the highest down to the partition, as many at a time as may be missed."""
    value = (view.rolling or {}).get("maxUnavailable")
    most = max(1, portion(1 if value is None else value, len(ordinals), round_up=True))
    missed, actions = 0, list[Action]()
    for ordinal in reversed(ordinals):
        if ordinal < view.first_updated or missed >= most:
            break
        pod = pods[ordinal]
        if pod.labels.get(HASH_LABEL) != view.update and not view.going(pod):
            actions.append(_delete(view.sts, pod))
            missed += 1
        elif not view.healthy(pod):
            missed += 1
    return actions


def _missing(view: _View, ordinal: int, pod: Object) -> list[Create]:
    """A pod that waits for a claim that somebody deleted gets another."""
    if status_of(pod).get("phase") != "Pending":
        return []
    return missing_claims(view.sts, ordinal, pod.name, view.observed.claims)


def _create(view: _View, ordinal: int) -> list[Create]:
    """The pod, once its claims are there."""
    sts, claims = view.sts, view.observed.claims
    if missing := missing_claims(sts, ordinal, f"{sts.name}-{ordinal}", claims):
        return missing
    if claims_going(sts, ordinal, claims):
        return []
    revision, template = view.update, spec_of(sts).get("template") or {}
    if view.rolling is not None and ordinal < view.first_updated and view.current != view.update:
        held = next(r for r in view.observed.revisions.mine if r.name == view.current)
        revision, template = view.current, template_in(held)
    told = Told(
        sts,
        success=("SuccessfulCreate", f"create Pod {{name}} in StatefulSet {sts.name} successful"),
        failure=(
            "FailedCreate",
            f"create Pod {{name}} in StatefulSet {sts.name} failed error: {{error}}",
        ),
    )
    return [Create(PODS, pod_for(sts, ordinal, template, revision), told)]


def _delete(sts: Object, pod: Object) -> Delete:
    told = Told(
        sts,
        success=("SuccessfulDelete", f"delete Pod {{name}} in StatefulSet {sts.name} successful"),
        failure=(
            "FailedDelete",
            f"delete Pod {{name}} in StatefulSet {sts.name} failed error: {{error}}",
        ),
    )
    return Delete(pod, told=told)


def _runs(pod: Object) -> bool:
    return status_of(pod).get("phase") == "Running"

"""PodDisruptionBudget: how many pods may be evicted now, for the eviction subresource to spend.

Owns      the status of budgets: expected, healthy and desired pods, what is left to disrupt, and
          how long an eviction is believed in.
Leaves    spending the budget (the eviction subresource), evicting (drain, taint eviction).
Invariant a pod whose eviction was granted is not counted as healthy until it is seen to go, or
          DELETION_TIMEOUT_S have passed; the status is written only over the one it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.meta import parse_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import (
    DEPLOYMENTS,
    PODDISRUPTIONBUDGETS,
    PODS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    STATEFULSETS,
    Resource,
)
from busk8s.api.selectors import from_label_selector
from busk8s.client.cache import CONTROLLER, NAMESPACE
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Action, Emit, Plan, put_status, sooner
from busk8s.master.controllers.children import (
    controller_of,
    is_ready,
    owned_key,
    spec_of,
    status_of,
    with_condition,
)
from busk8s.master.controllers.deployment_scale import portion
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import slim_pod

DELETION_TIMEOUT_S = 120.0  # As Kubernetes: so long a granted eviction counts without a deletion.
ALLOWED = "DisruptionAllowed"
SCALED = (DEPLOYMENTS, REPLICASETS, STATEFULSETS, REPLICATIONCONTROLLERS)


@dataclass(frozen=True)
class Observed:
    """`scale`: what the owners of the pods ask for in all; or why that cannot be known."""

    budget: Object
    pods: tuple[Object, ...]
    deleting: frozenset[str]  # names
    scale: int | str
    unmanaged: tuple[str, ...] = ()


class DisruptionController:
    name = "disruption"
    component = "controllermanager"

    def __init__(self, caches: SharedCaches) -> None:
        self._budgets = caches.need(PODDISRUPTIONBUDGETS)
        self._pods = caches.need(PODS, (CONTROLLER,), whole=False, keep=slim_pod)
        self._scaled = {kind.kind: caches.need(kind) for kind in SCALED}
        self.wakes: Mapping[Resource, Wake] = {
            PODDISRUPTIONBUDGETS: own_key,
            PODS: self._woken_by_pod,
            **dict.fromkeys(SCALED, self._woken_by_scale),
        }

    def _woken_by_pod(self, old: Object | None, new: Object | None) -> Iterable[str]:
        changed = [pod for pod in (old, new) if pod is not None]
        return [
            budget.key
            for budget in self._budgets.by(NAMESPACE, changed[0].namespace)
            if any(_covers(budget, pod) for pod in changed)
        ]

    def _woken_by_scale(self, old: Object | None, new: Object | None) -> Iterable[str]:
        if old is not None and new is not None and _replicas(old) == _replicas(new):
            return ()
        owner = new or old
        assert owner is not None
        return [budget.key for budget in self._budgets.by(NAMESPACE, owner.namespace)]

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        budget = self._budgets.get(key)
        if budget is None:
            return None
        pods = [p for p in self._pods.by(NAMESPACE, budget.namespace) if _covers(budget, p)]
        scale, unmanaged = self._scale_of(pods)
        deleting = frozenset(pod.name for pod in pods if self._pods.is_deleting(pod))
        return Observed(budget, tuple(pods), deleting, scale, unmanaged)

    def _scale_of(self, pods: Iterable[Object]) -> tuple[int | str, tuple[str, ...]]:
        """The sum of what the owners ask for; pods without owner are left out, and named."""
        owners: dict[str, int] = {}
        unmanaged: list[str] = []
        for pod in pods:
            reference = controller_of(pod)
            if reference is None:
                unmanaged.append(pod.name)
                continue
            if reference["uid"] in owners:
                continue
            owner = self._owner(pod, reference)
            if owner is None:
                kind, group = reference.get("kind", ""), reference.get("apiVersion", "")
                return f"no size is known of {kind} {reference['name']} of {group}", ()
            owners[owner.uid] = _replicas(owner)
            owners.setdefault(reference["uid"], 0)  # A ReplicaSet counts by its Deployment.
        return sum(owners.values()), tuple(unmanaged)

    def _owner(self, child: Object, reference: Json) -> Object | None:
        cache = self._scaled.get(reference.get("kind", ""))
        key = cache and owned_key(child, reference["kind"])
        owner = cache.get(key) if cache is not None and key else None
        if owner is None or owner.uid != reference["uid"]:
            return None
        above = controller_of(owner) if owner.resource == REPLICASETS else None
        return self._owner(owner, above) if above else owner

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed, now)


def plan(observed: Observed, now: float) -> Plan:
    """The status that lets as many pods go as the budget says."""
    budget = observed.budget
    status = dict(status_of(budget))
    disrupted, overdue, again_s = believed(observed, now)
    status["disruptedPods"] = disrupted
    if not disrupted:
        del status["disruptedPods"]
    count = wanted(spec_of(budget), len(observed.pods), observed.scale)
    if isinstance(count, str):
        status["disruptionsAllowed"] = 0
        said = _condition(budget, "False", "SyncFailed", count)
        emits = [Emit(budget, "Warning", "CalculateExpectedPodCountFailed", count)]
    else:
        expected, desired = count
        healthy = healthy_of(observed, disrupted)
        allowed = max(0, healthy - desired) if expected > 0 else 0
        status |= {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "disruptionsAllowed": allowed,
        }
        reason = "SufficientPods" if allowed else "InsufficientPods"
        said = _condition(budget, "True" if allowed else "False", reason, "")
        emits = _unmanaged(observed)
    status["observedGeneration"] = budget.metadata.get("generation", 0)
    status["conditions"] = with_condition(_other_generation(status, said), said, now)
    writes = put_status(budget, status)
    told: Sequence[Action] = [*_not_deleted(budget, overdue), *emits] if writes else ()
    return Plan((*writes, *told), again_s)


def wanted(spec: Json, pods: int, scale: int | str) -> tuple[int, int] | str:
    """Pods that are expected, and healthy ones that are desired; or why that is unknown."""
    at_most = spec.get("maxUnavailable")
    if at_most is not None:
        if isinstance(scale, str):
            return scale
        return scale, max(0, scale - portion(at_most, scale, round_up=True))
    at_least = spec.get("minAvailable")
    if at_least is None:
        return 0, 0
    if isinstance(at_least, int):
        return pods, at_least
    if isinstance(scale, str):
        return scale
    return scale, portion(at_least, scale, round_up=True)


def believed(
    observed: Observed, now: float
) -> tuple[dict[str, str], tuple[str, ...], float | None]:
    """Granted evictions that are still to be seen, pods that were not deleted in time, and when
    the next of them is overdue."""
    kept: dict[str, str] = {}
    overdue: list[str] = []
    again_s: float | None = None
    there = {pod.name for pod in observed.pods} - observed.deleting
    for name, since in (status_of(observed.budget).get("disruptedPods") or {}).items():
        if name not in there:
            continue
        left_s = parse_time(since) + DELETION_TIMEOUT_S - now
        if left_s <= 0:
            overdue.append(name)
        else:
            kept[name] = since
            again_s = sooner(again_s, left_s)
    return kept, tuple(overdue), again_s


def healthy_of(observed: Observed, disrupted: Mapping[str, str]) -> int:
    gone = observed.deleting | disrupted.keys()
    return sum(is_ready(pod) for pod in observed.pods if pod.name not in gone)


def _condition(budget: Object, status: str, reason: str, message: str) -> Json:
    return {
        "type": ALLOWED,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": budget.metadata.get("generation", 0),
    }


def _other_generation(status: Json, said: Json) -> list[Json]:
    """The conditions, brought to this generation and message without a transition."""
    fresh = {k: said[k] for k in ("observedGeneration", "message")}
    found: list[Json] = status.get("conditions") or []
    return [{**c, **fresh} if c["type"] == ALLOWED else c for c in found]


def _not_deleted(budget: Object, names: Iterable[str]) -> list[Action]:
    text = "Pod {} was expected by PDB {} to be deleted but it wasn't"
    return [Emit(budget, "Warning", "NotDeleted", text.format(name, budget.key)) for name in names]


def _unmanaged(observed: Observed) -> list[Emit]:
    if not observed.unmanaged or isinstance(spec_of(observed.budget).get("minAvailable"), int):
        return []
    message = (
        f"Pods {list(observed.unmanaged[:5])} selected by this PodDisruptionBudget are unmanaged, "
        'so its status cannot be calculated correctly. Set ".spec.minAvailable" to an integer '
        "value to account for them."
    )
    return [Emit(observed.budget, "Warning", "UnmanagedPods", message)]


def _covers(budget: Object, pod: Object) -> bool:
    selector = spec_of(budget).get("selector")
    return selector is not None and from_label_selector(selector).matches(pod.labels)


def _replicas(owner: Object) -> int:
    replicas = spec_of(owner).get("replicas")
    return 1 if replicas is None else int(replicas)

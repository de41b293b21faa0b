"""Eviction: a delete that honours disruption budgets.

Owns      which budget covers a pod, whether it allows one more disruption, taking it.
Leaves    counting healthy pods (disruption controller), deleting (delete).
Source    pkg/registry/core/pod/storage/eviction.go: the behaviour.
"""

from __future__ import annotations

import dataclasses

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.decode import check
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.request import Response
from busk8s.api.scheme import PODDISRUPTIONBUDGETS, Resource
from busk8s.api.selectors import from_label_selector
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.attributes import Operation
from busk8s.master.apiserver.commit import put
from busk8s.master.apiserver.delete import (
    check_preconditions,
    checked_options,
    delete_object,
)
from busk8s.master.apiserver.delete_plan import DeleteOptions
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.read import find
from busk8s.master.apiserver.subresources.binding import CREATED
from busk8s.master.apiserver.write import check_address

EVICTION = Resource("policy", "v1", "evictions", "Eviction", namespaced=True)
OLD_VERSION = "policy/v1beta1"  # Of kubectl before 1.22; the same body, and still taken.
BUDGET_ATTEMPTS_MAX = 20  # Lost races for one budget before the caller is asked to come back.
SAID_ATTEMPTS_MAX = 20  # Lost races for the pod, its kubelet's for the most part.
DISRUPTED_PODS_MAX = 2_000  # Pods a budget may wait for; upstream's number.
RETRY_AFTER_S = 10
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
SEVERAL = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
    "support."
)
_UNPROTECTED = ("Succeeded", "Failed", "Pending")


async def create(parts: Parts, call: Call) -> Response:
    options = rest.write_options(call.request)
    eviction = rest.document(call.request.body, call.request.content_type)
    if eviction.get("apiVersion") == OLD_VERSION:
        eviction["apiVersion"] = EVICTION.api_version
    warnings = check(
        EVICTION,
        eviction,
        options.field_validation,
        model=scheme.model_named(EVICTION.group, EVICTION.version, EVICTION.kind),
    )
    check_address(call, eviction)
    asked = checked_options(eviction.get("deleteOptions") or {})
    asked = dataclasses.replace(asked, dry_run=asked.dry_run or options.dry_run)
    operation = Operation(call.attributes, "CREATE", eviction, None, asked.dry_run, warnings)
    await parts.admission.mutate(operation)
    await parts.admission.validate(operation)
    pod = find(parts, call)
    if not _unprotected(pod):
        budgets = budgets_of(pod, parts.cache.list(PODDISRUPTIONBUDGETS.key, pod.namespace))
        if len(budgets) > 1:
            raise errors.Error(500, "", SEVERAL)
        if budgets:
            await _take_disruption(parts, call, pod, asked)
    if not asked.uid:
        asked = dataclasses.replace(asked, uid=pod.uid)
    check_preconditions(call, pod, asked)
    revision = await _say_why(parts, call, asked.dry_run)
    if asked.revision and asked.revision == str(pod.revision):
        asked = dataclasses.replace(asked, revision=revision)
    await delete_object(parts, call, asked)
    return rest.with_warnings(Response(201, CREATED), warnings)


async def _say_why(parts: Parts, call: Call, dry_run: bool) -> str:
    """Note in the pod why it goes, for its Job to read; the version that says so."""
    reason = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    for _ in range(SAID_ATTEMPTS_MAX):
        pod = find(parts, call)
        status = pod.data.get("status") or {}
        conditions = list(status.get("conditions") or ())
        said: Json = next((c for c in conditions if c.get("type") == "DisruptionTarget"), {})
        if all(said.get(key) == value for key, value in reason.items()):
            return str(pod.revision)
        since = said.get("lastTransitionTime") if said.get("status") == "True" else None
        stamp = since or format_time(parts.clock.now())
        conditions = [c for c in conditions if c is not said]
        conditions.append({**said, **reason, "lastTransitionTime": stamp})
        data = {**pod.data, "metadata": dict(pod.metadata)}
        data["status"] = {**status, "conditions": conditions}
        if (made := await put(parts, call, data, pod, dry_run)) is not None:
            return str(made.revision)
    raise errors.conflict(call.resource.plural, call.name)


def _unprotected(pod: Object) -> bool:
    phase = (pod.data.get("status") or {}).get("phase")
    return phase in _UNPROTECTED or pod.deleting


async def _take_disruption(parts: Parts, call: Call, pod: Object, asked: DeleteOptions) -> None:
    """Count the eviction against the pod's budget; raises 429 when there is nothing left."""
    on_budget = _budget_call(call)
    for _ in range(BUDGET_ATTEMPTS_MAX):
        budgets = budgets_of(pod, parts.cache.list(PODDISRUPTIONBUDGETS.key, pod.namespace))
        if not budgets:
            return
        changed = spend(budgets[0].data, pod, parts.clock.now())
        if changed is None:
            return
        if await put(parts, on_budget, changed, budgets[0], asked.dry_run) is not None:
            return
    raise errors.too_many_requests("the disruption budget changes too often", RETRY_AFTER_S)


def _budget_call(call: Call) -> Call:
    return dataclasses.replace(call, resource=PODDISRUPTIONBUDGETS, stored=PODDISRUPTIONBUDGETS)


def budgets_of(pod: Object, budgets: object) -> list[Object]:
    """Those of `budgets` whose selector covers `pod`; one without a selector covers nothing."""
    assert isinstance(budgets, list)
    return [
        budget
        for budget in budgets
        if (selector := (budget.data.get("spec") or {}).get("selector")) is not None
        and from_label_selector(selector).matches(pod.labels)
    ]


def spend(budget: Json, pod: Object, now: float) -> Json | None:
    """The budget with one disruption less, None when none need be counted; raises 429, 403."""
    metadata, spec, status = budget["metadata"], budget["spec"], budget.get("status") or {}
    name = metadata["name"]
    if not _ready(pod):
        policy = spec.get("unhealthyPodEvictionPolicy", "IfHealthyBudget")
        healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        if policy == "AlwaysAllow" or (healthy >= desired > 0):
            return None
    if status.get("observedGeneration", 0) < metadata.get("generation", 0):
        raise _violation(f"The disruption budget {name} is still being processed by the server.")
    allowed = status.get("disruptionsAllowed", 0)
    disrupted = status.get("disruptedPods") or {}
    if allowed < 0 or len(disrupted) > DISRUPTED_PODS_MAX:
        why = "pdb disruptions allowed is negative" if allowed < 0 else "DisruptedPods too large"
        raise errors.forbidden("poddisruptionbudgets", name, why, group="policy")
    if allowed == 0:
        raise _violation(
            f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods "
            f"and has {status.get('currentHealthy', 0)} currently",
            retry_after_s=0,
        )
    spent = {
        **status,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**disrupted, pod.name: format_time(now)},
    }
    return {**budget, "metadata": dict(metadata), "status": spent}


def _ready(pod: Object) -> bool:
    conditions = (pod.data.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _violation(why: str, retry_after_s: int = RETRY_AFTER_S) -> errors.Error:
    cause = errors.Cause("DisruptionBudget", why)
    return errors.Error(
        429, "TooManyRequests", VIOLATES, causes=[cause], retry_after_s=retry_after_s
    )

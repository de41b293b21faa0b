"""Deployments, ReplicaSets and budgets; what Jobs and CronJobs have in common.

Leaves    StatefulSets, DaemonSets, Jobs and CronJobs (a module each), statuses (workload_status).
Source    Kubernetes API reference, "Workload Resources"; the rules of apps and batch validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import (
    forbidden,
    invalid,
    not_negative,
    not_supported,
    required,
)
from busk8s.api.rules.conditions import validate_conditions
from busk8s.api.rules.pod import validate_template
from busk8s.api.rules.ratcheting import of_template
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.api.rules.selected import (
    has_bad_values,
    read_selector,
    selector_stays,
    validate_endless,
    validate_match,
    validate_selector,
)
from busk8s.api.rules.shares import amount, at_most_all, positive
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]

STRATEGIES = ("Recreate", "RollingUpdate")
JOB_RESTARTS = ("OnFailure", "Never")


def validate_deployment(deployment: Json, causes: list[Cause], allowed: Tolerance = STRICT) -> None:
    spec = deployment.get("spec") or {}
    causes += not_negative("spec.replicas", spec.get("replicas"))
    _validate_selected(spec, causes, allowed)
    _validate_strategy(spec.get("strategy") or {}, causes)
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        causes += not_negative(f"spec.{name}", spec.get(name))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        detail = "must be greater than minReadySeconds"
        causes.append(invalid("spec.progressDeadlineSeconds", deadline, detail))


def validate_deployment_update(new: Json, old: Json, causes: list[Cause]) -> None:
    if new.get("spec") != old.get("spec"):
        validate_deployment(new, causes, _allowed(old))
        selector_stays(new, old, causes)


def validate_replica_set(
    replica_set: Json, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    spec = replica_set.get("spec") or {}
    causes += not_negative("spec.replicas", spec.get("replicas"))
    causes += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    _validate_selected(spec, causes, allowed)


def validate_replica_set_update(new: Json, old: Json, causes: list[Cause]) -> None:
    if new.get("spec") != old.get("spec"):
        validate_replica_set(new, causes, _allowed(old))
        selector_stays(new, old, causes)


def _allowed(old: Json) -> Tolerance:
    return of_template((old.get("spec") or {}).get("template") or {})


def _validate_selected(spec: Json, causes: list[Cause], allowed: Tolerance) -> None:
    """A selector, and a template whose labels it matches."""
    validate_selector(spec, "deployment", causes)
    selector, template = read_selector(spec.get("selector")), spec.get("template") or {}
    if selector is None:
        causes.append(invalid("spec.selector", spec.get("selector"), "invalid label selector"))
        return
    if not selector.everything:
        causes += validate_match(selector, template, "spec.template")
    validate_template(template, "spec.template", causes, allowed)
    validate_endless(template, "ReplicaSet", "spec.template", causes)


def validate_disruption_budget(budget: Json, causes: list[Cause]) -> None:
    _validate_budget(budget.get("spec") or {}, causes, allow_values=False)


def validate_disruption_budget_update(new: Json, old: Json, causes: list[Cause]) -> None:
    bad = has_bad_values((old.get("spec") or {}).get("selector"))
    _validate_budget(new.get("spec") or {}, causes, allow_values=bad)


def _validate_budget(spec: Json, causes: list[Cause], *, allow_values: bool) -> None:
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        detail = "minAvailable and maxUnavailable cannot be both set"
        causes.append(invalid("spec", spec, detail))
    for name in ("minAvailable", "maxUnavailable"):
        if (value := spec.get(name)) is not None:
            causes += positive(value, f"spec.{name}") + at_most_all(value, f"spec.{name}")
    policy, supported = spec.get("unhealthyPodEvictionPolicy"), ("AlwaysAllow", "IfHealthyBudget")
    if policy is not None and policy not in supported:
        causes.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, supported))
    if spec.get("selector") is not None:
        validate_label_selector(spec["selector"], "spec.selector", causes, allow_values)


def validate_disruption_budget_status(new: Json, old: Json, causes: list[Cause]) -> None:
    status = new.get("status") or {}
    validate_conditions(status.get("conditions") or [], "status.conditions", causes)
    for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        causes += not_negative(f"status.{name}", status.get(name))


def validate_job_spec(
    spec: Json, path: str, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    """What a Job's spec says of its pods, in a Job or in a CronJob."""
    for name in (
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
        "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes",
    ):  # fmt: skip
        causes += not_negative(f"{path}.{name}", spec.get(name))
    template = spec.get("template") or {}
    validate_template(template, f"{path}.template", causes, allowed)
    policy = (template.get("spec") or {}).get("restartPolicy") or ""
    if policy not in ("", "Always", *JOB_RESTARTS):
        here = f"{path}.template.spec.restartPolicy"
        causes.append(not_supported(here, policy, JOB_RESTARTS))
    if policy in ("", "Always"):
        detail = 'valid values: "OnFailure", "Never"'
        causes.append(required(f"{path}.template.spec.restartPolicy", detail))
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        detail = "when completion mode is Indexed"
        causes.append(required(f"{path}.completions", detail))


def _validate_strategy(strategy: Json, causes: list[Cause]) -> None:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            causes.append(forbidden("spec.strategy.rollingUpdate", detail))
    elif kind == "RollingUpdate":
        if rolling is None:
            detail = "this should be defaulted and never be nil"
            causes.append(required("spec.strategy.rollingUpdate", detail))
        else:
            _validate_rolling(rolling, "spec.strategy.rollingUpdate", causes)
    else:
        causes.append(not_supported("spec.strategy", strategy, STRATEGIES))


def _validate_rolling(rolling: Json, path: str, causes: list[Cause]) -> None:
    gone, more = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    causes += positive(gone, f"{path}.maxUnavailable")
    causes += positive(more, f"{path}.maxSurge")
    if amount(gone) == 0 and amount(more) == 0:
        detail = "may not be 0 when `maxSurge` is 0"
        causes.append(invalid(f"{path}.maxUnavailable", gone, detail))
    causes += at_most_all(gone, f"{path}.maxUnavailable")

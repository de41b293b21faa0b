"""The kinds that make pods: selectors that match, strategies, and what stays as it was.

Source    Kubernetes API reference, "Workload Resources"; the rules of apps and batch validation.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.rules.cause import (
    forbidden,
    immutable,
    invalid,
    not_negative,
    not_supported,
    one_of,
    required,
)
from busk8s.api.rules.pod import validate_template
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.api.schedule import BadSchedule, zone_of
from busk8s.api.schedule import check as check_schedule
from busk8s.api.selectors import from_label_selector
from busk8s.errors import Cause, Error

Json = dict[str, Any]

STRATEGIES = ("Recreate", "RollingUpdate")
UPDATE_STRATEGIES = ("OnDelete", "RollingUpdate")
STATEFUL_CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip
CRON_NAME_MAX = 52  # The minute of each Job's moment is to fit behind it.
JOB_REFUSED = ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes")
_STATUS_COUNTS = (
    "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
    "fullyLabeledReplicas", "observedGeneration", "collisionCount", "terminatingReplicas",
)  # fmt: skip
_PERCENT = re.compile(r"[0-9]+%", re.ASCII)
_PERCENT_MESSAGE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or "
    "'93%', regex used for validation is '[0-9]+%')"
)


def validate_deployment(deployment: Json, causes: list[Cause]) -> None:
    spec = deployment.get("spec") or {}
    causes += not_negative("spec.replicas", spec.get("replicas"))
    _validate_selected(spec, causes)
    _validate_strategy(spec.get("strategy") or {}, causes)
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        causes += not_negative(f"spec.{name}", spec.get(name))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        detail = "must be greater than minReadySeconds"
        causes.append(invalid("spec.progressDeadlineSeconds", deadline, detail))


def validate_deployment_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_deployment(new, causes)
    _selector_stays(new, old, causes)


def validate_replica_set(replica_set: Json, causes: list[Cause]) -> None:
    spec = replica_set.get("spec") or {}
    causes += not_negative("spec.replicas", spec.get("replicas"))
    causes += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    _validate_selected(spec, causes)


def validate_replica_set_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_replica_set(new, causes)
    _selector_stays(new, old, causes)


def validate_counts(new: Json, old: Json, causes: list[Cause]) -> None:
    """The status of a Deployment or ReplicaSet."""
    status = new.get("status") or {}
    replicas, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    for name in _STATUS_COUNTS:
        causes += not_negative(f"status.{name}", status.get(name))
    for name in _STATUS_COUNTS[1:4] + _STATUS_COUNTS[5:6]:
        if status.get(name, 0) > replicas:
            detail = "cannot be greater than status.replicas"
            causes.append(invalid(f"status.{name}", status.get(name, 0), detail))
    if available > status.get("readyReplicas", 0):
        detail = "cannot be greater than readyReplicas"
        causes.append(invalid("status.availableReplicas", available, detail))


def validate_daemon_set(daemon_set: Json, causes: list[Cause]) -> None:
    spec = daemon_set.get("spec") or {}
    _validate_selected(spec, causes, kind="daemonset")
    strategy = spec.get("updateStrategy") or {}
    causes += one_of("spec.updateStrategy.type", strategy.get("type"), UPDATE_STRATEGIES)
    if rolling := strategy.get("rollingUpdate"):
        _validate_daemon_rolling(rolling, "spec.updateStrategy.rollingUpdate", causes)
    for name in ("minReadySeconds", "revisionHistoryLimit"):
        causes += not_negative(f"spec.{name}", spec.get(name))


def _validate_daemon_rolling(rolling: Json, path: str, causes: list[Cause]) -> None:
    """Either pods go before new ones come, or new ones come first; never both, never neither."""
    known = len(causes)
    _validate_rolling(rolling, path, causes)
    if len(causes) > known:
        return
    if _number(rolling.get("maxSurge", 0)) and _number(rolling.get("maxUnavailable", 0)):
        detail = "may not be set when maxUnavailable is non-zero"
        causes.append(invalid(f"{path}.maxSurge", rolling["maxSurge"], detail))


def validate_disruption_budget(budget: Json, causes: list[Cause]) -> None:
    spec = budget.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        detail = "minAvailable and maxUnavailable cannot be both set"
        causes.append(invalid("spec", "", detail))
    for name in ("minAvailable", "maxUnavailable"):
        if name in spec:
            _validate_amount(spec[name], f"spec.{name}", causes)
    policies = ("AlwaysAllow", "IfHealthyBudget")
    if spec.get("unhealthyPodEvictionPolicy") is not None:
        path = "spec.unhealthyPodEvictionPolicy"
        causes += one_of(path, spec["unhealthyPodEvictionPolicy"], policies)
    if spec.get("selector") is not None:
        validate_label_selector(spec["selector"], "spec.selector", causes)


def _validate_amount(value: int | str, path: str, causes: list[Cause]) -> None:
    """A number of pods, or a share of them."""
    if isinstance(value, int):
        causes += not_negative(path, value)
    elif not _PERCENT.fullmatch(value):
        causes.append(invalid(path, value, _PERCENT_MESSAGE))
    elif _number(value) > 100:
        causes.append(invalid(path, value, "must not be greater than 100%"))


def validate_daemon_set_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_daemon_set(new, causes)
    _selector_stays(new, old, causes)


def validate_stateful_set(stateful_set: Json, causes: list[Cause]) -> None:
    spec = stateful_set.get("spec") or {}
    policy = spec.get("podManagementPolicy")
    causes += one_of("spec.podManagementPolicy", policy, ("OrderedReady", "Parallel"))
    strategy = spec.get("updateStrategy") or {}
    causes += one_of("spec.updateStrategy.type", strategy.get("type"), UPDATE_STRATEGIES)
    rolling = strategy.get("rollingUpdate") or {}
    causes += not_negative("spec.updateStrategy.rollingUpdate.partition", rolling.get("partition"))
    if "maxUnavailable" in rolling:
        path = "spec.updateStrategy.rollingUpdate.maxUnavailable"
        _validate_amount(rolling["maxUnavailable"], path, causes)
    causes += not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    causes += not_negative("spec.replicas", spec.get("replicas"))
    causes += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    _validate_selected(spec, causes, kind="statefulset")


def validate_stateful_set_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_stateful_set(new, causes)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    names = (spec.keys() | was.keys()) - set(STATEFUL_CHANGEABLE)
    if any(spec.get(name) != was.get(name) for name in names):
        listed = ", ".join(f"'{name}'" for name in STATEFUL_CHANGEABLE[:-1])
        detail = (
            f"updates to statefulset spec for fields other than {listed} and "
            f"'{STATEFUL_CHANGEABLE[-1]}' are forbidden"
        )
        causes.append(forbidden("spec", detail))


def validate_job(job: Json, causes: list[Cause]) -> None:
    _validate_job_spec(job.get("spec") or {}, "spec", causes)


def validate_job_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_job(new, causes)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    for name in ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"):
        if spec.get(name) != was.get(name):
            causes.append(immutable(f"spec.{name}", spec.get(name)))
    completions = spec.get("completions")
    elastic = spec.get("completionMode") == "Indexed" and completions == spec.get("parallelism")
    if completions != was.get("completions") and not (elastic and completions is not None):
        causes.append(immutable("spec.completions", completions))
    if spec.get("template") != was.get("template") and not was.get("suspend"):
        causes.append(immutable("spec.template", spec.get("template")))


def validate_cron_job(cron_job: Json, causes: list[Cause]) -> None:
    spec = cron_job.get("spec") or {}
    _validate_schedule(spec, causes)
    if len(cron_job["metadata"].get("name") or "") > CRON_NAME_MAX:
        detail = f"must be no more than {CRON_NAME_MAX} characters"
        causes.append(invalid("metadata.name", cron_job["metadata"]["name"], detail))
    policies = ("Allow", "Forbid", "Replace")
    causes += one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), policies)
    for name in (
        "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit",
    ):  # fmt: skip
        causes += not_negative(f"spec.{name}", spec.get(name))
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    _validate_job_spec(job, "spec.jobTemplate.spec", causes)


def _validate_schedule(spec: Json, causes: list[Cause]) -> None:
    schedule, zone = spec.get("schedule") or "", spec.get("timeZone")
    if not schedule:
        causes.append(required("spec.schedule"))
    elif "TZ=" in schedule:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        causes.append(invalid("spec.schedule", schedule, detail))
    else:
        try:
            check_schedule(schedule)
        except BadSchedule as error:
            causes.append(invalid("spec.schedule", schedule, str(error)))
    if zone is not None:
        try:
            zone_of(zone or "local")
        except BadSchedule as error:
            causes.append(invalid("spec.timeZone", zone, str(error)))


def _validate_job_spec(spec: Json, path: str, causes: list[Cause]) -> None:
    for name in (
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
        "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes",
    ):  # fmt: skip
        causes += not_negative(f"{path}.{name}", spec.get(name))
    # Differs from Kubernetes: what the Job controller does not act upon is refused, not ignored.
    causes += [
        forbidden(f"{path}.{name}", f"{name} is not supported by busk8s yet")
        for name in JOB_REFUSED
        if spec.get(name) is not None
    ]
    template = spec.get("template") or {}
    validate_template(template, f"{path}.template", causes)
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy == "Always":
        detail = 'valid values: "OnFailure", "Never"'
        causes.append(required(f"{path}.template.spec.restartPolicy", detail))
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        detail = "when completion mode is Indexed"
        causes.append(required(f"{path}.completions", detail))


def _validate_selected(spec: Json, causes: list[Cause], kind: str = "deployment") -> None:
    """A selector, and a template whose labels it matches."""
    selector = spec.get("selector")
    if selector is None:
        causes.append(required("spec.selector"))
    else:
        validate_label_selector(selector, "spec.selector", causes)
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            detail = f"empty selector is invalid for {kind}"
            causes.append(invalid("spec.selector", selector, detail))
    template = spec.get("template")
    if not template:
        causes.append(required("spec.template"))
        return
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector and not _matches(selector, labels):
        detail = "`selector` does not match template `labels`"
        causes.append(invalid("spec.template.metadata.labels", labels, detail))
    validate_template(template, "spec.template", causes)
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") not in (None, "", "Always"):
        path = "spec.template.spec.restartPolicy"
        causes.append(not_supported(path, pod["restartPolicy"], ("Always",)))
    if "activeDeadlineSeconds" in pod:
        detail = "activeDeadlineSeconds in ReplicaSet is not Supported"
        causes.append(forbidden("spec.template.spec.activeDeadlineSeconds", detail))


def _matches(selector: Json, labels: Json) -> bool:
    try:
        return from_label_selector(selector).matches(labels)
    except Error:
        return True  # its own causes say what is wrong with it


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
        causes += one_of("spec.strategy.type", kind, STRATEGIES)


def _validate_rolling(rolling: Json, path: str, causes: list[Cause]) -> None:
    for name in ("maxUnavailable", "maxSurge"):
        value = rolling.get(name, 0)
        if isinstance(value, int):
            causes += not_negative(f"{path}.{name}", value)
        elif not _PERCENT.fullmatch(value):
            causes.append(invalid(f"{path}.{name}", value, _PERCENT_MESSAGE))
            return
    unavailable = rolling.get("maxUnavailable", 0)
    if _number(unavailable) == 0 and _number(rolling.get("maxSurge", 0)) == 0:
        detail = "may not be 0 when `maxSurge` is 0"
        causes.append(invalid(f"{path}.maxUnavailable", unavailable, detail))
    if isinstance(unavailable, str) and _number(unavailable) > 100:
        detail = "must not be greater than 100%"
        causes.append(invalid(f"{path}.maxUnavailable", unavailable, detail))


def _number(value: int | str) -> int:
    return value if isinstance(value, int) else int(value[:-1])


def _selector_stays(new: Json, old: Json, causes: list[Cause]) -> None:
    selector = (new.get("spec") or {}).get("selector")
    if selector != (old.get("spec") or {}).get("selector"):
        causes.append(immutable("spec.selector", selector))

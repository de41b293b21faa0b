"""Horizontal pod autoscalers: bounds, metrics and behaviour.

Source    Kubernetes API reference, autoscaling/v2; the rules of autoscaling validation. Objects of
          autoscaling/v1 are checked in this form, in which they are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from busk8s.api.meta import path_segment_errors
from busk8s.api.quantity import nanos
from busk8s.api.rules.cause import (
    forbidden,
    invalid,
    invalid_each,
    not_negative,
    not_supported,
    required,
)
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.errors import Cause

Json = dict[str, Any]

PERIOD_MAX_S = 1800
STABILIZATION_MAX_S = 3600
SELECT_POLICIES = ("Disabled", "Max", "Min")
POLICY_TYPES = ("Percent", "Pods")
TARGET_TYPES = ("AverageValue", "Utilization", "Value")
# Which values a target of each kind of metric may carry.
_TARGETS = {
    "Object": ("value", "averageValue"),
    "External": ("value", "averageValue"),
    "Pods": ("averageValue",),
    "Resource": ("averageUtilization", "averageValue"),
    "ContainerResource": ("averageUtilization", "averageValue"),
}
METRIC_TYPES = ("ContainerResource", "External", "Object", "Pods", "Resource")


def validate_autoscaler(autoscaler: Json, causes: list[Cause]) -> None:
    spec = autoscaler.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    metrics = spec.get("metrics") or []
    # Down to nothing only where something but the pods themselves is measured.
    outside = any(metric.get("type") in ("Object", "External") for metric in metrics)
    if least is not None and least < (0 if outside else 1):
        bound = 0 if outside else 1
        detail = f"must be greater than or equal to {bound}"
        causes.append(invalid("spec.minReplicas", least, detail))
    if most < 1:
        causes.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        detail = "must be greater than or equal to `minReplicas`"
        causes.append(invalid("spec.maxReplicas", most, detail))
    _validate_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef", causes)
    for index, metric in enumerate(metrics):
        _validate_metric(metric, f"spec.metrics[{index}]", causes)
    behavior = spec.get("behavior") or {}
    for name in ("scaleUp", "scaleDown"):
        if name in behavior:
            _validate_scaling(behavior[name], f"spec.behavior.{name}", causes)


def _validate_reference(reference: Json, path: str, causes: list[Cause]) -> None:
    for name in ("kind", "name"):
        value = reference.get(name)
        if not value:
            causes.append(required(f"{path}.{name}"))
        else:
            causes += invalid_each(f"{path}.{name}", value, path_segment_errors(value))


def _validate_metric(metric: Json, path: str, causes: list[Cause]) -> None:
    kind = metric.get("type") or ""
    if not kind:
        causes.append(required(f"{path}.type", "must specify a metric source type"))
        return
    if kind not in METRIC_TYPES:
        causes.append(not_supported(f"{path}.type", kind, METRIC_TYPES))
        return
    own = kind[0].lower() + kind[1:]
    for name in sorted(set(_SOURCES) & metric.keys()):
        if name != own:
            detail = (
                "must populate the given metric source only" if own in metric else
                "must populate information for the given metric source"
            )  # fmt: skip
            causes.append(forbidden(f"{path}.{name}", detail))
    if metric.get(own) is None:
        detail = "must populate information for the given metric source"
        causes.append(required(f"{path}.{own}", detail))
        return
    _SOURCES[own](metric[own], f"{path}.{own}", causes)
    _validate_target(metric[own].get("target") or {}, kind, f"{path}.{own}.target", causes)


def _resource(source: Json, path: str, causes: list[Cause]) -> None:
    if not source.get("name"):
        causes.append(required(f"{path}.name", "must specify a resource name"))


def _container_resource(source: Json, path: str, causes: list[Cause]) -> None:
    _resource(source, path, causes)
    if not source.get("container"):
        causes.append(required(f"{path}.container", "must specify a container"))


def _identified(source: Json, path: str, causes: list[Cause]) -> None:
    metric = source.get("metric") or {}
    name = metric.get("name")
    if not name:
        causes.append(required(f"{path}.metric.name"))
    else:
        causes += invalid_each(f"{path}.metric.name", name, path_segment_errors(name))
    if selector := metric.get("selector"):
        validate_label_selector(selector, f"{path}.metric.selector", causes)


def _object(source: Json, path: str, causes: list[Cause]) -> None:
    described = source.get("describedObject") or {}
    _validate_reference(described, f"{path}.describedObject", causes)
    _identified(source, path, causes)


_SOURCES: dict[str, Callable[[Json, str, list[Cause]], None]] = {
    "containerResource": _container_resource,
    "external": _identified,
    "object": _object,
    "pods": _identified,
    "resource": _resource,
}


def _validate_target(target: Json, kind: str, path: str, causes: list[Cause]) -> None:
    named = target.get("type") or ""
    if not named:
        causes.append(required(f"{path}.type", "must specify a metric target type"))
    elif named not in TARGET_TYPES:
        detail = "must be either Utilization, Value, or AverageValue"
        causes.append(invalid(f"{path}.type", named, detail))
    for name in ("value", "averageValue"):
        if name in target and nanos(target[name]) <= 0:
            causes.append(invalid(f"{path}.{name}", target[name], "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        causes.append(invalid(f"{path}.averageUtilization", share, "must be greater than 0"))
    allowed = _TARGETS[kind]
    given = [name for name in allowed if name in target]
    if not given:
        what = " or ".join(_WORDS[name] for name in allowed)
        detail = (
            f"must set either {what}" if len(allowed) > 1 else f"must specify a positive {what}"
        )
        causes.append(required(f"{path}.{allowed[-1]}", detail))
    elif len(given) > 1:
        detail = f"may not set both {_WORDS[allowed[0]]} and {_WORDS[allowed[1]]}"
        causes.append(forbidden(f"{path}.{allowed[0]}", detail))


_WORDS = {
    "value": "a target value for metric",
    "averageValue": "a per-pod target",
    "averageUtilization": "a target utilization",
}


def _validate_scaling(rules: Json, path: str, causes: list[Cause]) -> None:
    window = rules.get("stabilizationWindowSeconds")
    causes += not_negative(f"{path}.stabilizationWindowSeconds", window)
    if window is not None and window > STABILIZATION_MAX_S:
        detail = f"must be less than or equal to {STABILIZATION_MAX_S}"
        causes.append(invalid(f"{path}.stabilizationWindowSeconds", window, detail))
    select = rules.get("selectPolicy")
    if select is not None and select not in SELECT_POLICIES:
        causes.append(not_supported(f"{path}.selectPolicy", select, SELECT_POLICIES))
    tolerance = rules.get("tolerance")
    if tolerance is not None and nanos(tolerance) < 0:
        detail = "must be greater or equal to zero"
        causes.append(invalid(f"{path}.tolerance", tolerance, detail))
    policies = rules.get("policies") or ()
    if not policies:
        causes.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        here = f"{path}.policies[{index}]"
        if policy.get("type") not in POLICY_TYPES:
            causes.append(not_supported(f"{here}.type", policy.get("type"), POLICY_TYPES))
        if policy.get("value", 0) <= 0:
            causes.append(
                invalid(f"{here}.value", policy.get("value", 0), "must be greater than zero")
            )
        period = policy.get("periodSeconds", 0)
        if period <= 0:
            causes.append(invalid(f"{here}.periodSeconds", period, "must be greater than zero"))
        elif period > PERIOD_MAX_S:
            detail = f"must be less than or equal to {PERIOD_MAX_S}"
            causes.append(invalid(f"{here}.periodSeconds", period, detail))

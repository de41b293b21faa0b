"""Limit ranges and resource quotas.

Source    Kubernetes API reference, "Policy Resources"; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import qualified_name_errors
from busk8s.api.quantity import NANOS, nanos
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    immutable,
    invalid,
    invalid_each,
    required,
)
from busk8s.errors import Cause

Json = dict[str, Any]

SCOPES = (
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass",
    "Terminating", "VolumeAttributesClass",
)  # fmt: skip
OPERATORS = ("DoesNotExist", "Exists", "In", "NotIn")
_EXISTS_ONLY = frozenset(SCOPES) - {"PriorityClass", "VolumeAttributesClass"}
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
STANDARD = frozenset((
    "cpu", "memory", "ephemeral-storage", "storage", "requests.cpu", "requests.memory",
    "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory",
    "limits.ephemeral-storage", "pods", "services", "replicationcontrollers", "resourcequotas",
    "secrets", "persistentvolumeclaims", "configmaps", "services.nodeports",
    "services.loadbalancers",
))  # fmt: skip
_COUNTED = frozenset((
    "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
    "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
))  # fmt: skip
_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
_PARTS = ("default", "defaultRequest", "max", "maxLimitRequestRatio", "min")


def validate_quota(quota: Json, causes: list[Cause]) -> None:
    for part, name in (("spec", "hard"), ("status", "hard"), ("status", "used")):
        for resource, amount in ((quota.get(part) or {}).get(name) or {}).items():
            _validate_amount(resource, amount, f"{part}.{name}[{resource}]", causes)
    spec = quota.get("spec") or {}
    _validate_scopes(spec.get("scopes") or [], "spec.scopes", causes)
    selector = spec.get("scopeSelector")
    if selector is not None:
        _validate_selector(selector, "spec.scopeSelector.matchExpressions", causes)


def _validate_amount(resource: str, amount: Any, path: str, causes: list[Cause]) -> None:
    if errors := qualified_name_errors(resource):
        causes += invalid_each(path, resource, errors)
    elif "/" not in resource and resource not in STANDARD and not _prefixed(resource):
        causes.append(invalid(path, resource, "must be a standard resource for quota"))
    if nanos(amount) < 0:
        causes.append(invalid(path, amount, "must be greater than or equal to 0"))
    elif (resource in _COUNTED or resource.startswith("count/")) and nanos(amount) % NANOS:
        causes.append(invalid(path, amount, "must be an integer"))


def _prefixed(resource: str) -> bool:
    return resource.startswith(("hugepages-", "requests.hugepages-"))


def _validate_scopes(scopes: list[str], path: str, causes: list[Cause]) -> None:
    if not scopes:
        return
    for scope in scopes:
        if scope not in SCOPES:
            causes.append(invalid(path, scope, "unsupported scope"))
    for pair in _OPPOSITES:
        if pair <= set(scopes):
            causes.append(invalid(path, scopes, "conflicting scopes"))


def _validate_selector(selector: Json, path: str, causes: list[Cause]) -> None:
    expressions = selector.get("matchExpressions") or []
    for index, each in enumerate(expressions):
        here, scope, operator = f"{path}[{index}]", each.get("scopeName"), each.get("operator")
        values = each.get("values") or []
        if not scope:
            causes.append(required(f"{here}.scopeName", "must specify a scope"))
        elif scope not in SCOPES:
            causes.append(invalid(f"{here}.scopeName", scope, "unsupported scope"))
        elif scope in _EXISTS_ONLY and operator != "Exists":
            detail = (
                "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
                "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            causes.append(invalid(f"{here}.operator", operator, detail))
        if operator not in OPERATORS:
            causes.append(invalid(f"{here}.operator", operator, "not a valid selector operator"))
        elif operator in ("In", "NotIn") and not values:
            detail = (
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            )
            causes.append(required(f"{here}.values", detail))
        elif operator in ("Exists", "DoesNotExist") and values:
            detail = (
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            )
            causes.append(invalid(f"{here}.values", values, detail))
    _validate_scopes([str(each.get("scopeName")) for each in expressions], path, causes)


def validate_quota_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_quota(new, causes)
    scopes = (new.get("spec") or {}).get("scopes") or []
    if set(scopes) != set((old.get("spec") or {}).get("scopes") or []):
        causes.append(immutable("spec.scopes", scopes))


def validate_quota_status(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_quota({"status": new.get("status") or {}}, causes)


def validate_limit_range(limit_range: Json, causes: list[Cause]) -> None:
    kinds: set[str] = set()
    for index, item in enumerate((limit_range.get("spec") or {}).get("limits") or ()):
        here, kind = f"spec.limits[{index}]", item.get("type") or ""
        if kind in kinds:
            causes.append(duplicate(f"{here}.type", kind))
        kinds.add(kind)
        if kind not in _TYPES and "/" not in kind:
            detail = "must be a standard limit type or fully qualified"
            causes.append(invalid(f"{here}.type", kind, detail))
        _validate_limit(item, kind, here, causes)


def _validate_limit(item: Json, kind: str, path: str, causes: list[Cause]) -> None:
    if kind == "Pod":
        for part in ("default", "defaultRequest"):
            if item.get(part):
                detail = "may not be specified when `type` is 'Pod'"
                causes.append(forbidden(f"{path}.{part}", detail))
    bounds = {**(item.get("min") or {}), **(item.get("max") or {})}
    if kind == "PersistentVolumeClaim" and "storage" not in bounds:
        detail = "either minimum or maximum storage value is required, but neither was provided"
        causes.append(required(f"{path}.limits", detail))
    names = {name for part in _PARTS for name in item.get(part) or {}}
    for name in sorted(names):
        found = {part: (item.get(part) or {}).get(name) for part in _PARTS}
        _validate_order(found, name, path, causes)


def _validate_order(found: dict[str, Any], name: str, path: str, causes: list[Cause]) -> None:
    """min ≤ defaultRequest ≤ default ≤ max, and a ratio that these leave room for."""
    order = ("min", "defaultRequest", "default", "max")
    said = {"defaultRequest": "default request", "default": "default"}
    for at, low in enumerate(order):
        for high in order[at + 1 :]:
            if found[low] is None or found[high] is None or nanos(found[low]) <= nanos(found[high]):
                continue
            detail = (
                f"{said.get(low, low)} value {found[low]} is greater than "
                f"{said.get(high, high)} value {found[high]}"
            )
            causes.append(invalid(f"{path}.{low}[{name}]", found[low], detail))
    ratio = found["maxLimitRequestRatio"]
    if ratio is None:
        return
    where = f"{path}.maxLimitRequestRatio[{name}]"
    if nanos(ratio) < NANOS:
        causes.append(invalid(where, ratio, f"ratio {ratio} is less than 1"))
    if found["min"] is not None and found["max"] is not None and nanos(found["min"]):
        limit = nanos(found["max"]) / nanos(found["min"])
        if nanos(ratio) / NANOS > limit:
            detail = f"ratio {ratio} is greater than max/min = {limit:f}"
            causes.append(invalid(where, ratio, detail))

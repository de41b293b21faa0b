"""Limit ranges and resource quotas.

Source    Kubernetes API reference, "Policy Resources"; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import qualified_name_errors
from busk8s.api.quantity import NANOS, canonical, nanos
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    immutable,
    invalid,
    invalid_each,
    required,
)
from busk8s.api.rules.resources import HUGE_PAGES, STANDARD_RESOURCES, is_extended
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
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
    "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory",
    "limits.ephemeral-storage", "pods", "services", "replicationcontrollers", "resourcequotas",
    "secrets", "persistentvolumeclaims", "configmaps", "services.nodeports",
    "services.loadbalancers",
))  # fmt: skip
_COUNTED = frozenset((
    "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
    "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
))  # fmt: skip
_OF_PODS = frozenset((
    "pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory",
))  # fmt: skip
# What a scope can be asked of: the rest is not counted by it.
_SCOPED: dict[str, frozenset[str]] = {
    **dict.fromkeys((
        "Terminating", "NotTerminating", "NotBestEffort", "PriorityClass",
        "CrossNamespacePodAffinity",
    ), _OF_PODS),
    "BestEffort": frozenset(("pods",)),
    "VolumeAttributesClass": frozenset(("persistentvolumeclaims", "requests.storage")),
}  # fmt: skip
_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
_PARTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def validate_quota(quota: Json, causes: list[Cause]) -> None:
    _validate_spec(quota.get("spec") or {}, causes)
    _validate_status(quota, causes)


def validate_quota_status(new: Json, old: Json, causes: list[Cause]) -> None:
    _validate_status(new, causes)


def _validate_status(quota: Json, causes: list[Cause]) -> None:
    status = quota.get("status") or {}
    for name in ("hard", "used"):
        for resource, amount in (status.get(name) or {}).items():
            _validate_amount(resource, amount, f"status.{name}[{resource}]", causes)


def _validate_spec(spec: Json, causes: list[Cause]) -> None:
    hard = spec.get("hard") or {}
    for resource, amount in hard.items():
        _validate_amount(resource, amount, f"spec.hard[{resource}]", causes)
    scopes = spec.get("scopes") or []
    for scope in scopes:
        _validate_scope(scope, hard, "spec.scopes", scopes, scopes, causes)
    _validate_opposites(scopes, "spec.scopes", scopes, causes)
    if (selector := spec.get("scopeSelector")) is not None:
        _validate_selector(selector, hard, scopes, causes)


def _validate_amount(resource: str, amount: Any, path: str, causes: list[Cause]) -> None:
    causes += resource_errors(resource, path)
    if "/" not in resource and not _is_quota_resource(resource):
        causes.append(invalid(path, resource, "must be a standard resource for quota"))
    validate_quantity(resource, amount, path, causes)


def validate_quantity(resource: str, amount: Any, path: str, causes: list[Cause]) -> None:
    if nanos(amount) < 0:
        causes.append(invalid(path, amount, "must be greater than or equal to 0"))
    if nanos(amount) % NANOS and (resource in _COUNTED or is_extended(resource)):
        causes.append(invalid(path, amount, "must be an integer"))


def resource_errors(name: str, path: str, *, container: bool = False) -> list[Cause]:
    """`container`: it must be something that a container can ask for."""
    causes = invalid_each(path, name, qualified_name_errors(name))
    plain = "/" not in name
    if not causes and plain and name != "storage" and not _is_quota_resource(name):
        causes.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    if not container:
        return causes
    if plain:
        if name not in STANDARD_RESOURCES and not name.startswith(HUGE_PAGES):
            causes.append(invalid(path, name, "must be a standard resource for containers"))
    elif "kubernetes.io/" not in name and not is_extended(name):
        causes.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return causes


def _is_quota_resource(name: str) -> bool:
    return name in STANDARD or name.startswith((HUGE_PAGES, f"requests.{HUGE_PAGES}"))


def _validate_scope(
    scope: str, hard: Json, path: str, shown: Any, named: Any, causes: list[Cause]
) -> None:
    """`shown` where it does not fit a resource, `named` where it is none."""
    where = path if named is shown else f"{path}.scopeName"
    if scope not in SCOPES:
        causes.append(invalid(where, named, "unsupported scope"))
    fitting = _SCOPED.get(scope)
    causes += [
        invalid(path, shown, "unsupported scope applied to resource")
        for name in sorted(hard)
        if fitting is not None and name not in fitting and _is_quota_resource(name)
    ]


def _validate_opposites(
    scopes: list[str], path: str, shown: list[str], causes: list[Cause]
) -> None:
    for pair in _OPPOSITES:
        if pair <= set(scopes):
            causes.append(invalid(path, shown, "conflicting scopes"))


def _validate_selector(selector: Json, hard: Json, scopes: list[str], causes: list[Cause]) -> None:
    """Upstream does not say which expression it means."""
    expressions, path = (
        selector.get("matchExpressions") or [],
        "spec.scopeSelector.matchExpressions",
    )
    for each in expressions:
        scope, operator = each.get("scopeName") or "", each.get("operator") or ""
        values = each.get("values") or []
        _validate_scope(scope, hard, path, selector, scope, causes)
        if scope in _EXISTS_ONLY and operator != "Exists":
            detail = (
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            causes.append(invalid(f"{path}.operator", operator, detail))
        if operator not in OPERATORS:
            causes.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
        elif operator in ("In", "NotIn") and not values:
            detail = (
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            )
            causes.append(required(f"{path}.values", detail))
        elif operator in ("Exists", "DoesNotExist") and values:
            detail = (
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            )
            causes.append(invalid(f"{path}.values", values, detail))
    _validate_opposites([each.get("scopeName") or "" for each in expressions], path, scopes, causes)


def validate_quota_update(new: Json, old: Json, causes: list[Cause]) -> None:
    _validate_spec(new.get("spec") or {}, causes)
    scopes = (new.get("spec") or {}).get("scopes") or []
    if set(scopes) != set((old.get("spec") or {}).get("scopes") or []):
        causes.append(immutable("spec.scopes", scopes))


def validate_limit_range(limit_range: Json, causes: list[Cause]) -> None:
    kinds: set[str] = set()
    for index, item in enumerate((limit_range.get("spec") or {}).get("limits") or ()):
        here, kind = f"spec.limits[{index}]", item.get("type") or ""
        if errors := qualified_name_errors(kind):
            causes += invalid_each(f"{here}.type", kind, errors)
        elif "/" not in kind and kind not in _TYPES:
            detail = "must be a standard limit type or fully qualified"
            causes.append(invalid(f"{here}.type", kind, detail))
        if kind in kinds:
            causes.append(duplicate(f"{here}.type", kind))
        kinds.add(kind)
        _validate_limit(item, kind, here, causes)


def _validate_limit(item: Json, kind: str, path: str, causes: list[Cause]) -> None:
    container, parts = kind in ("Pod", "Container"), list(_PARTS)
    if kind == "Pod":
        for part in ("default", "defaultRequest"):
            parts.remove(part)
            if item.get(part):
                detail = "may not be specified when `type` is 'Pod'"
                causes.append(forbidden(f"{path}.{part}", detail))
    names: dict[str, None] = {}
    for part in parts:
        for name in item.get(part) or ():
            causes += resource_errors(name, f"{path}.{part}[{name}]", container=container)
            names[name] = None
    bounds = {**(item.get("min") or {}), **(item.get("max") or {})}
    if kind == "PersistentVolumeClaim" and "storage" not in bounds:
        detail = "either minimum or maximum storage value is required, but neither was provided"
        causes.append(required(f"{path}.limits", detail))
    for name in sorted(names):
        found = {part: (item.get(part) or {}).get(name) for part in parts}
        _validate_order(found, name, path, causes)
        _validate_ratio(found, name, path, causes)
        usual, asked = found.get("default"), found.get("defaultRequest")
        fixed = name.startswith(HUGE_PAGES) or ("/" in name and "kubernetes.io/" not in name)
        if fixed and usual is not None and asked is not None and nanos(usual) != nanos(asked):
            detail = (
                f"default value {canonical(usual)} must equal to defaultRequest value "
                f"{canonical(asked)} in {name}"
            )
            causes.append(invalid(f"{path}.defaultRequest[{name}]", canonical(asked), detail))


# Which is to be no more than which; the field that is named, and the one whose value is shown.
_ORDER = (
    ("min", "max", "min", "min"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest"),
    ("min", "default", "default", "min"),
    ("default", "max", "default", "max"),
)
_SAID = {"defaultRequest": "default request"}


def _validate_order(found: Json, name: str, path: str, causes: list[Cause]) -> None:
    for low, high, field, shown in _ORDER:
        less, more = found.get(low), found.get(high)
        if less is None or more is None or nanos(less) <= nanos(more):
            continue
        above = "default limit" if (low, high) == ("defaultRequest", "default") else high
        detail = (
            f"{_SAID.get(low, low)} value {canonical(less)} is greater than "
            f"{_SAID.get(above, above)} value {canonical(more)}"
        )
        causes.append(invalid(f"{path}.{field}[{name}]", canonical(found[shown]), detail))


def _validate_ratio(found: Json, name: str, path: str, causes: list[Cause]) -> None:
    ratio, least, most = (found.get(part) for part in ("maxLimitRequestRatio", "min", "max"))
    if ratio is None:
        return
    where, shown = f"{path}.maxLimitRequestRatio[{name}]", canonical(ratio)
    if nanos(ratio) < NANOS:
        causes.append(invalid(where, shown, f"ratio {shown} is less than 1"))
    if least is not None and most is not None and nanos(least):
        limit = nanos(most) / nanos(least)
        if nanos(ratio) / NANOS > limit:
            detail = f"ratio {shown} is greater than max/min = {limit:f}"
            causes.append(invalid(where, shown, detail))

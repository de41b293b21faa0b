"""Amounts a container, or a pod as a whole, asks for and is held to.

Source    Kubernetes API reference, ResourceRequirements; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors
from busk8s.api.podresources import Part, total
from busk8s.api.quantity import nanos, render
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_found,
    not_supported,
    required,
)
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]

WHOLE = 10**9  # nanos of one
HUGE_PAGES = "hugepages-"
STANDARD_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
POD_RESOURCES = ("cpu", "memory")
_ELSEWHERE = frozenset((
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
    "persistentvolumeclaims", "storage", "requests.storage", "services.nodeports",
    "services.loadbalancers", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
    "limits.cpu", "limits.memory", "limits.ephemeral-storage",
))  # fmt: skip
_NATIVE = "kubernetes.io/"


def validate_resources(
    resources: Json,
    path: str,
    causes: list[Cause],
    *,
    claims: frozenset[str] = frozenset(),
    allowed: Tolerance = STRICT,
    of_pod: bool = False,
) -> None:
    """`claims`: names of the pod's resource claims, for the container to refer to."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    huge = False
    for kind, quantities in (("limits", limits), ("requests", requests)):
        for name, quantity in quantities.items():
            if name not in POD_RESOURCES or nanos(quantity) < 0:
                here = f"{path}.{kind}[{name}]"
                _validate_name(name, here, of_pod, causes)
                validate_amount(name, quantity, here, causes)
            if quantities is requests:
                _validate_request(name, quantity, limits.get(name), path, causes)
            if name.startswith(HUGE_PAGES):
                huge = True
                if not allowed.huge_pages:
                    causes += indivisible(name, quantity, f"{path}.{kind}[{name}]")
    if huge and not ({*POD_RESOURCES} & {*limits, *requests}):
        causes.append(forbidden(path, "HugePages require cpu or memory"))
    if listed := resources.get("claims"):
        _validate_claims(listed, f"{path}.claims", claims, causes)


def validate_amount(name: str, quantity: str, path: str, causes: list[Cause]) -> None:
    exact = nanos(quantity)
    if exact < 0:
        causes.append(invalid(path, quantity, "must be greater than or equal to 0"))
    if exact % WHOLE and is_extended(name):
        causes.append(invalid(path, quantity, "must be an integer"))


def is_extended(name: str) -> bool:
    """A resource that a vendor names, not Kubernetes."""
    if "/" not in name or _NATIVE in name or name.startswith("requests."):
        return False
    return not qualified_name_errors(f"requests.{name}")


def _validate_name(name: str, path: str, of_pod: bool, causes: list[Cause]) -> None:
    if name in POD_RESOURCES or (name in STANDARD_RESOURCES and not of_pod):
        return
    pages = name.startswith(HUGE_PAGES)
    if errors := qualified_name_errors(name):
        causes += invalid_each(path, name, errors)
    elif "/" not in name and not pages and name not in STANDARD_RESOURCES | _ELSEWHERE:
        causes.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    elif of_pod:
        if not pages:
            causes.append(not_supported(path, name, POD_RESOURCES))
        return
    if of_pod or pages:
        return
    if "/" not in name:
        causes.append(invalid(path, name, "must be a standard resource for containers"))
    elif _NATIVE not in name and not is_extended(name):
        causes.append(invalid(path, name, "doesn't follow extended resource name standard"))


def _validate_request(
    name: str, quantity: str, limit: str | None, path: str, causes: list[Cause]
) -> None:
    if quantity == limit or (limit is None and name in POD_RESOURCES):
        return
    exclusive = name.startswith(HUGE_PAGES) or ("/" in name and _NATIVE not in name)
    if limit is None:
        if exclusive:
            detail = "Limit must be set for non overcommitable resources"
            causes.append(required(f"{path}.limits", detail))
        return
    if exclusive and nanos(quantity) != nanos(limit):
        detail = f"must be equal to {name} limit of {limit}"
        causes.append(invalid(f"{path}.requests", quantity, detail))
    elif nanos(quantity) > nanos(limit):
        detail = f"must be less than or equal to {name} limit of {limit}"
        causes.append(invalid(f"{path}.requests", quantity, detail))


def indivisible(name: str, quantity: str, path: str) -> list[Cause]:
    try:
        size = nanos(name.removeprefix(HUGE_PAGES))
    except ValueError:
        size = 0
    if size > 0 and size % WHOLE == 0 and nanos(quantity) % size == 0:
        return []
    detail = f"{quantity} is not positive integer multiple of {name}"
    return [invalid(path, quantity, detail)]


def _validate_claims(
    claims: list[Json], path: str, known: frozenset[str], causes: list[Cause]
) -> None:
    """A claim is referred to as a whole, or by some of its requests, but not both ways."""
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        here, name, request = f"{path}[{index}]", claim.get("name"), claim.get("request")
        if not name:
            causes.append(required(here))
            continue
        key = f"{name}/{request}" if request else name
        if name in seen:
            causes.append(duplicate(here, name))
        else:
            if request:
                causes += invalid_each(f"{here}.request", request, label_errors(request))
            if key in seen:
                causes.append(duplicate(here, key))
            elif not request:
                causes += [duplicate(here, name) for each in seen if each.partition("/")[0] == name]
            seen.add(key)
        if name not in known:
            among = ": " + ", ".join(sorted(known)) if known else " which is empty"
            found = not_found(here, name)
            detail = f"{found.message}: must be one of the names in pod.spec.resourceClaims{among}"
            causes.append(Cause(found.reason, detail, here))


def validate_pod_resources(
    spec: Json, path: str, claims: frozenset[str], allowed: Tolerance, causes: list[Cause]
) -> None:
    """`spec.resources`: what all containers have together, no less than each of them says."""
    resources, here = spec["resources"], f"{path}.resources"
    if (spec.get("os") or {}).get("name") == "windows":
        causes.append(forbidden(here, "may not be set for a windows pod"))
        return
    if resources.get("claims") is not None:
        detail = "claims may not be set for Resources at pod-level"
        causes.append(forbidden(f"{here}.claims", detail))
    validate_resources(resources, here, causes, claims=claims, allowed=allowed, of_pod=True)
    _validate_totals(spec, resources, here, causes)
    limits = resources.get("limits") or {}
    for index, container in enumerate(spec.get("containers") or ()):
        own = (container.get("resources") or {}).get("limits") or {}
        for name, limit in own.items():
            if name in limits and nanos(limit) > nanos(limits[name]):
                detail = f"must be less than or equal to pod limits of {limits[name]}"
                at = f"{here}.containers[{index}][{name}].limits"
                causes.append(invalid(at, limit, detail))


def _validate_totals(spec: Json, resources: Json, path: str, causes: list[Cause]) -> None:
    kinds: tuple[Part, ...] = ("requests", "limits")
    for kind in kinds:
        given = resources.get(kind) or {}
        for name, needed in total(spec, kind, overhead=False).items():
            if name not in given or (kind == "limits" and not name.startswith(HUGE_PAGES)):
                continue
            if needed > nanos(given[name]):
                shown = render(needed, "" if name == "cpu" else "Ki")
                detail = f"must be greater than or equal to aggregate container {kind} of {shown}"
                causes.append(invalid(f"{path}.{kind}[{name}]", given[name], detail))

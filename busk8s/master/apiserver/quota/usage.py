"""What one object uses, by the names that a ResourceQuota bounds.

Owns      the evaluators of pods, Services, claims and of every other kind, scopes.
Leaves    sums and bounds (ledger).
Invariant pure; amounts are billionths of the resource's unit; an object of a kind that a quota
          does not name uses nothing of it.
Source    Kubernetes documentation, "Resource Quotas"; the evaluators' facts, not their text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from busk8s.api.object import Json
from busk8s.api.podresources import as_running, containers, is_best_effort, total
from busk8s.api.quantity import NANOS, nanos

CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
# Core kinds that are counted under their plain names as well.
PLAIN_COUNTS = frozenset((
    "configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas",
    "secrets", "services",
))  # fmt: skip
_OF_PODS = ("cpu", "memory", "ephemeral-storage", "pods")
_OF_SERVICES = ("services.nodeports", "services.loadbalancers")
# A pod must name these for each container where a quota bounds them.
MUST_NAME = frozenset(
    ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
)
Amounts = dict[str, int]


def counted_by(name: str) -> str:
    """The key of the resource whose objects use `name` of a quota."""
    if name.startswith("count/"):
        return name.removeprefix("count/")
    if name in PLAIN_COUNTS:
        return name
    if name in _OF_SERVICES:
        return "services"
    if name == "requests.storage" or CLASS_SUFFIX in name:
        return "persistentvolumeclaims"
    return "pods"


def usage(key: str, data: Json) -> Amounts:
    """What an object of the resource `key` uses, by every name it may be bounded by."""
    used = {f"count/{key}": NANOS}
    if key == "pods":
        return {**used, **_pod(data)}
    if key in PLAIN_COUNTS:
        used[key] = NANOS
    if key == "services":
        used |= _service(data)
    elif key == "persistentvolumeclaims":
        used |= _claim(data)
    return used


def _pod(pod: Json) -> Amounts:
    status = pod.get("status") or {}
    if status.get("phase") in ("Failed", "Succeeded"):
        return {}
    spec = as_running(pod.get("spec") or {}, status)
    used: Amounts = {"pods": NANOS}
    for name, amount in total(spec, "requests").items():
        used[f"requests.{name}"] = amount
        if name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-"):
            used[name] = amount
    used |= {f"limits.{name}": amount for name, amount in total(spec, "limits").items()}
    return used


def _service(service: Json) -> Amounts:
    spec = service.get("spec") or {}
    ports = len(spec.get("ports") or ())
    kind = spec.get("type")
    if kind == "NodePort":
        return {"services.nodeports": ports * NANOS}
    if kind != "LoadBalancer":
        return {}
    used = {"services.loadbalancers": NANOS}
    if spec.get("allocateLoadBalancerNodePorts") is False:
        ports = sum(1 for port in spec.get("ports") or () if port.get("nodePort"))
    return {**used, "services.nodeports": ports * NANOS}


def _claim(claim: Json) -> Amounts:
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    granted = (status.get("allocatedResources") or {}).get("storage")
    used = {}
    if asked is not None:
        used["requests.storage"] = max(nanos(asked), nanos(granted) if granted else 0)
    if name := spec.get("storageClassName"):
        used[f"{name}{CLASS_SUFFIX}persistentvolumeclaims"] = NANOS
        if asked is not None:
            used[f"{name}{CLASS_SUFFIX}requests.storage"] = used["requests.storage"]
    return used


def unnamed(pod: Json, hard: Mapping[str, Any]) -> dict[str, list[str]]:
    """Bounded resource -> the containers that do not say how much of it they need."""
    missing: dict[str, list[str]] = {}
    spec = pod.get("spec") or {}
    for name in sorted(MUST_NAME & hard.keys()):
        part, _, resource = name.rpartition(".")
        for container in containers(spec):
            given = (container.get("resources") or {}).get(part or "requests") or {}
            if resource not in given:
                missing.setdefault(name, []).append(str(container.get("name")))
    return missing


def in_scope(key: str, data: Json, scopes: list[Json]) -> bool:
    """Whether the object is one of those that a quota with `scopes` is about."""
    return all(_fits(key, data, scope) for scope in scopes)


def _fits(key: str, data: Json, scope: Json) -> bool:
    name, operator = scope["scopeName"], scope["operator"]
    spec = data.get("spec") or {}
    if key == "persistentvolumeclaims" and name == "VolumeAttributesClass":
        return _selected(operator, scope, spec.get("volumeAttributesClassName"))
    if key != "pods":
        return False
    if name == "PriorityClass":
        return _selected(operator, scope, spec.get("priorityClassName"))
    if name in ("Terminating", "NotTerminating"):
        ends: bool = spec.get("activeDeadlineSeconds") is not None
        return ends is (name == "Terminating")
    if name in ("BestEffort", "NotBestEffort"):
        return is_best_effort(spec) is (name == "BestEffort")
    return bool(name == "CrossNamespacePodAffinity") and _crosses(spec)


def _selected(operator: str, scope: Json, value: str | None) -> bool:
    if operator in ("Exists", "DoesNotExist"):
        return bool(value) is (operator == "Exists")
    chosen: bool = (value or "") in (scope.get("values") or ())
    return chosen is (operator == "In")


def _crosses(spec: Json) -> bool:
    """Whether a rule about other pods looks into other namespaces."""
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [weighted.get("podAffinityTerm") or {} for weighted in preferred]
        if any(t.get("namespaces") or t.get("namespaceSelector") is not None for t in terms):
            return True
    return False

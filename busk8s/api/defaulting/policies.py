"""Defaults of the kinds that name, bound and govern others.

Source    Kubernetes API reference; core/v1, rbac/v1, scheduling/v1, autoscaling/v2 and
          admissionregistration/v1 defaults.
"""

from __future__ import annotations

import base64
from copy import deepcopy
from typing import Any

from busk8s.api.defaulting.pod import Json, default_resource_list, filling

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
RBAC_GROUP = "rbac.authorization.k8s.io"
CPU_TARGET_PERCENT = 80

_webhook = filling(failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10)


def default_event(event: Json) -> None:
    """The older half of an Event's fields is written even when it is empty."""
    if event.get("apiVersion") == "v1":
        event.setdefault("source", {})
        for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
            event.setdefault(name, None)
        for name in ("reportingComponent", "reportingInstance"):
            event.setdefault(name, "")
    else:
        event.setdefault("deprecatedSource", {})
        for name in ("deprecatedFirstTimestamp", "deprecatedLastTimestamp", "eventTime"):
            event.setdefault(name, None)


def default_namespace(namespace: Json) -> None:
    metadata = namespace["metadata"]
    name = metadata.get("name")
    labels = metadata.get("labels") or {}
    if name and labels.get(NAMESPACE_LABEL) != name:
        metadata["labels"] = {**labels, NAMESPACE_LABEL: name}
    status = namespace.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Active"


_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)


def default_node(node: Json) -> None:
    """Without allocatable, all of the capacity is. What a node is, is written even when empty."""
    status = node.setdefault("status", {})
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    status.setdefault("nodeInfo", dict.fromkeys(_NODE_INFO, ""))
    for name in ("capacity", "allocatable"):
        if quantities := status.get(name):
            default_resource_list(quantities)
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def default_secret(secret: Json) -> None:
    """`stringData` is written into `data`, and never stored."""
    if not secret.get("type"):
        secret["type"] = "Opaque"
    written = secret.pop("stringData", None)
    if written:
        encoded = {k: base64.b64encode(v.encode()).decode() for k, v in written.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def default_limit_range(limit_range: Json) -> None:
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        for quantities in item.values():
            if isinstance(quantities, dict):
                default_resource_list(quantities)
        if item.get("type") == "Container":
            _default_limits(item)


def _default_limits(item: Json) -> None:
    """Container defaults fall from max to default to defaultRequest; min comes last."""
    default = {**(item.get("max") or {}), **(item.get("default") or {})}
    request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
    if default and default != item.get("default"):
        item["default"] = default
    if request and request != item.get("defaultRequest"):
        item["defaultRequest"] = request


def default_resource_quota(quota: Json) -> None:
    for part, name in (("spec", "hard"), ("status", "hard"), ("status", "used")):
        if quantities := (quota.get(part) or {}).get(name):
            default_resource_list(quantities)


def default_role_binding(binding: Json) -> None:
    reference = binding.get("roleRef")
    if reference is not None and not reference.get("apiGroup"):
        reference["apiGroup"] = RBAC_GROUP
    for subject in binding.get("subjects") or ():
        if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = RBAC_GROUP


def default_priority_class(priority_class: Json) -> None:
    if not priority_class.get("preemptionPolicy"):
        priority_class["preemptionPolicy"] = "PreemptLowerPriority"


def default_autoscaler(autoscaler: Json) -> None:
    spec = autoscaler.setdefault("spec", {})
    if "minReplicas" not in spec:
        spec["minReplicas"] = 1
    if autoscaler.get("apiVersion") == "autoscaling/v1":
        spec.setdefault("targetCPUUtilizationPercentage", CPU_TARGET_PERCENT)
    if autoscaler.get("apiVersion") == "autoscaling/v2" and autoscaler.get("status"):
        autoscaler["status"].setdefault("currentMetrics", None)
    if autoscaler.get("apiVersion") == "autoscaling/v2" and not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": CPU_TARGET_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if (behavior := spec.get("behavior")) is not None:
        for name, rules in _SCALING.items():
            behavior[name] = {**deepcopy(rules), **(behavior.get(name) or {})}


# Upstream's rules of scaling, where a behaviour leaves them out.
_SCALING: Json = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ],
    },
    "scaleDown": {
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    },
}


def default_api_service(service: Json) -> None:
    where = (service.get("spec") or {}).get("service")
    if where is not None and "port" not in where:
        where["port"] = 443


def default_hooks(configuration: Json) -> None:
    for hook in configuration.get("webhooks") or ():
        _default_hook(hook)


def default_mutating_hooks(configuration: Json) -> None:
    for hook in configuration.get("webhooks") or ():
        _default_hook(hook)
        if not hook.get("reinvocationPolicy"):
            hook["reinvocationPolicy"] = "Never"


def _default_hook(hook: Json) -> None:
    _webhook(hook)
    for name in ("namespaceSelector", "objectSelector"):
        if name not in hook:
            hook[name] = {}
    for rule in hook.get("rules") or ():
        if not rule.get("scope"):
            rule["scope"] = "*"
    service: dict[str, Any] | None = (hook.get("clientConfig") or {}).get("service")
    if service is not None and "port" not in service:
        service["port"] = 443

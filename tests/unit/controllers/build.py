"""Objects for tables: what a test says is what is there, the rest is small and valid enough."""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import PODS, Resource

NOW = 1_800_000_000.0


def thing(resource: Resource, name: str = "web", **content: Any) -> Object:
    """`metadata` is merged, everything else is top level."""
    namespace = "default" if resource.namespaced else ""
    metadata: Json = {"name": name, "uid": f"uid of {name}", "generation": 1}
    if namespace:
        metadata["namespace"] = namespace
    metadata |= content.pop("metadata", {})
    data = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return Object(resource, namespace, name, revision=7, body=b"", data=data | content)


def pod(
    name: str,
    *,
    node: str = "n1",
    ready: bool = True,
    ready_for_s: float = 100,
    phase: str = "Running",
    ip: str = "10.1.0.1",
    deleting: bool = False,
    **spec: Any,
) -> Object:
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": format_time(NOW - ready_for_s),
    }
    metadata: Json = {"labels": spec.pop("labels", {"app": "web"})}
    metadata["annotations"] = spec.pop("annotations", {})
    metadata["creationTimestamp"] = format_time(NOW - spec.pop("age_s", 1_000))
    if owner := spec.pop("owner", None):
        metadata["ownerReferences"] = [{"kind": "ReplicaSet", "uid": owner, "controller": True}]
    if deleting:
        metadata["deletionTimestamp"] = format_time(NOW)
    restarts = spec.pop("restarts", 0)
    status = {
        "phase": phase,
        "podIP": ip,
        "podIPs": [{"ip": ip}] if ip else [],
        "conditions": [condition],
        "containerStatuses": [{"restartCount": restarts}],
    }
    if node:
        spec["nodeName"] = node
    return thing(PODS, name, metadata=metadata, spec=spec, status=status)

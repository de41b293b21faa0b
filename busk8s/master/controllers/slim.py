"""Pods and nodes as the controllers keep them: what they decide by, and nothing else.

Owns      which fields survive in the caches. Thousands of pods share one template: equal parts are
          kept once.
Leaves    whole objects (whoever needs more asks the server).
Invariant a slim object is for reading: patches are made from differences, never from it.
"""

from __future__ import annotations

from typing import Any

import orjson

from busk8s.api.claiming import VOLUMES_PLACE
from busk8s.api.object import Json, Object

SHARED_MAX = 2_048  # Different values kept once; beyond it the memory starts anew.

METADATA = (
    "name", "namespace", "uid", "labels", "ownerReferences", "finalizers", "deletionTimestamp",
    "creationTimestamp", "resourceVersion", "generation",
)  # fmt: skip
SHARED_METADATA = frozenset(("labels", "ownerReferences", "finalizers", "namespace"))
POD_SPEC = ("nodeName", "hostname", "subdomain")
POD_STATUS = ("phase", "podIP", "podIPs")
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

# What a pod may cost; where a node keeps volumes; how often pods of its index of a Job have failed
# before it.
ANNOTATIONS = (
    DELETION_COST, VOLUMES_PLACE, "batch.kubernetes.io/job-index-failure-count",
    "batch.kubernetes.io/job-index-ignored-failure-count",
)  # fmt: skip

_shared: dict[bytes, Any] = {}


def slim_pod(pod: Object) -> Object:
    whole = pod.glance()
    spec, status = whole.get("spec") or {}, whole.get("status") or {}
    kept = {key: spec[key] for key in POD_SPEC if key in spec}
    if "nodeName" not in kept and (affinity := spec.get("affinity")):
        kept["affinity"] = _share(affinity)  # The node a daemon's pod is to go to.
    if tolerations := [t for t in spec.get("tolerations") or () if _matters(t)]:
        kept["tolerations"] = _share(tolerations)
    for field in ("containers", "initContainers"):
        if containers := [_container(c) for c in spec.get(field) or () if c.get("ports")]:
            kept[field] = _share(containers)
    state = {key: status[key] for key in POD_STATUS if key in status}
    state["conditions"] = [c for c in status.get("conditions") or () if c["type"] == "Ready"]
    ran = status.get("containerStatuses") or ()
    restarts = sum(c.get("restartCount", 0) for c in ran)
    if restarts:
        state["containerStatuses"] = [{"restartCount": restarts}]
    if state.get("phase") == "Failed":
        _keep_failure(state, status)
    if finished := [at for c in ran if (at := _finished_at(c))]:
        state["finishedAt"] = max(finished)
    return _slim(pod, whole, {"spec": kept, "status": state})


def _keep_failure(state: Json, status: Json) -> None:
    """What a Job's policy may look at: how containers ended, what was said of the pod."""
    state["conditions"] += [
        {"type": c["type"], "status": c.get("status")}
        for c in status.get("conditions") or ()
        if c["type"] != "Ready"
    ]
    for field in ("containerStatuses", "initContainerStatuses"):
        if ended := [_ended(c) for c in status.get(field) or ()]:
            state[field] = ended


def _ended(container: Json) -> Json:
    terminated = (container.get("state") or {}).get("terminated")
    state = {"terminated": {"exitCode": terminated.get("exitCode", 0)}} if terminated else {}
    name, restarts = container.get("name"), container.get("restartCount", 0)
    return {"name": name, "restartCount": restarts, "state": state}


def slim_node(node: Object) -> Object:
    whole = node.glance()
    conditions = (whole.get("status") or {}).get("conditions") or []
    return _slim(
        node, whole, {"spec": whole.get("spec") or {}, "status": {"conditions": conditions}}
    )


def _slim(obj: Object, whole: Json, content: Json) -> Object:
    before = whole["metadata"]
    metadata = {
        key: _share(before[key]) if key in SHARED_METADATA else before[key]
        for key in METADATA
        if key in before
    }
    annotations = before.get("annotations") or {}
    if kept := {key: annotations[key] for key in ANNOTATIONS if key in annotations}:
        metadata["annotations"] = kept
    resource = obj.resource
    data = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return Object(
        resource,
        obj.namespace,
        obj.name,
        revision=obj.revision,
        body=b"",
        data={**data, **content},
    )


def _matters(toleration: Json) -> bool:
    """Only NoExecute is acted upon here; scheduling is over for a pod that is bound."""
    return toleration.get("effect") in (None, "", "NoExecute")


def _finished_at(container: Json) -> str:
    ended = (container.get("state") or {}).get("terminated") or {}
    return str(ended.get("finishedAt") or "")


def _container(container: Json) -> Json:
    kept = {"name": container.get("name"), "ports": container["ports"]}
    if "restartPolicy" in container:
        kept["restartPolicy"] = container["restartPolicy"]
    return kept


def _share(value: Any) -> Any:
    """The one kept copy of `value`."""
    key = orjson.dumps(value)
    found = _shared.get(key)
    if found is None:
        if len(_shared) >= SHARED_MAX:
            _shared.clear()
        found = _shared[key] = value
    return found

"""A resize in place: cpu and memory of containers change, and nothing else of the pod.

Owns      updates through the subresource `resize` of pods.
Leaves    whether the node has room (kubelet), what resources are (container).
Source    KEP 1287; the rules of core validation.

Differs from Kubernetes: pods with resources of the whole pod cannot be resized, as before 1.36.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.qos import qos_class
from busk8s.api.quantity import nanos
from busk8s.api.rules.cause import forbidden, invalid
from busk8s.api.rules.ephemeral import MIRROR
from busk8s.api.rules.pod import validate_whole_pod
from busk8s.api.rules.ratcheting import of_spec
from busk8s.errors import Cause

Json = dict[str, Any]

_ONLY = "only cpu and memory resources are mutable"


def validate_resize(new: Json, old: Json, causes: list[Cause]) -> None:
    """The pods differ in resources and resize policies alone, or in their list of containers."""
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    validate_whole_pod(new, causes, of_spec(was, old.get("metadata") or {}))
    why = _unresizable(new, old)
    if why:
        causes[:] = [forbidden("", why)]
        return
    status = old.get("status") or {}
    if (status.get("qosClass") or qos_class(old)) != qos_class(new):
        detail = "Pod QOS Class may not change as a result of resizing"
        causes.append(invalid("spec", status.get("qosClass", ""), detail))
    if not _node_resizes(status):
        causes.append(forbidden("spec", "Pod running on node without support for resize"))
    if moved := _moved(spec, was):
        causes += moved
        return
    for name in ("initContainers", "containers"):
        pairs = zip(spec.get(name) or (), was.get(name) or (), strict=True)
        for index, (container, before) in enumerate(pairs):
            _container(container, before, f"spec.{name}[{index}]", causes)


def _unresizable(new: Json, old: Json) -> str:
    if any((pod.get("spec") or {}).get("resources") for pod in (new, old)):
        return "pods with pod-level resources cannot be resized"
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return "static pods cannot be resized"
    if ((old.get("spec") or {}).get("os") or {}).get("name") == "windows":
        return "windows pods cannot be resized"
    return ""


def _node_resizes(status: Json) -> bool:
    """A kubelet that can do it says what resources a running container has."""
    for each in status.get("containerStatuses") or ():
        if "running" in (each.get("state") or {}):
            return each.get("resources") is not None
    return True


def _moved(spec: Json, was: Json) -> list[Cause]:
    found = []
    for field in ("containers", "initContainers"):
        now, before = spec.get(field) or [], was.get(field) or []
        if len(now) != len(before):
            detail = f"{field} may not be added or removed on resize"
            found.append(forbidden(f"spec.{field}", detail))
            continue
        for index, (container, other) in enumerate(zip(now, before, strict=True)):
            if container.get("name") != other.get("name"):
                detail = f"{field} may not be renamed or reordered on resize"
                found.append(forbidden(f"spec.{field}[{index}].name", detail))
    return found


def _container(new: Json, old: Json, path: str, causes: list[Cause]) -> None:
    resources, before = new.get("resources") or {}, old.get("resources") or {}
    for part in ("requests", "limits"):
        if (before.get(part) or {}).keys() - (resources.get(part) or {}).keys():
            detail = f"resource {part} cannot be removed"
            causes.append(forbidden(f"{path}.resources.{part}", detail))
    init = ".initContainers[" in path
    if _rest(new) != _rest(old):
        if init:
            detail = "only cpu and memory resources for init or sidecar containers are mutable"
            causes.append(forbidden(path, detail))
        else:
            causes.append(forbidden("spec", _ONLY))
    policies = [policy.get("restartPolicy") for policy in new.get("resizePolicy") or ()]
    plain = init and new.get("restartPolicy") != "Always"
    if plain and new != old and "RestartContainer" in policies:
        detail = (
            "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
        )
        causes.append(forbidden(path, detail))


def _rest(container: Json) -> Json:
    """A container without what a resize may change of it."""
    resources = container.get("resources") or {}
    kept = {
        part: {
            name: nanos(amount)
            for name, amount in (resources.get(part) or {}).items()
            if name not in ("cpu", "memory")
        }
        for part in ("requests", "limits")
    }
    rest = {key: value for key, value in container.items() if key != "resources" and value}
    return {**rest, "resources": {**kept, "claims": resources.get("claims") or []}}

"""The downward API: a pod's own fields and resources, as text, for env and volumes.

Source    Kubernetes: fieldpath.ExtractFieldPathAsString, resource.ExtractContainerResourceValue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from busk8s.api import quantity
from busk8s.api.object import Json
from busk8s.worker.kubelet.pods import Pod

_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


class DownwardError(ValueError):
    """The path names nothing that the downward API offers."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What only the node knows: addresses, and its allocatable where a limit is not set."""

    node_name: str = ""
    host_ip: str = ""
    pod_ip: str = ""
    cpu_millis: int = 0
    memory_bytes: int = 0
    storage_bytes: int = 0


def field_value(pod: Pod, path: str, facts: Facts) -> str:
    metadata = pod.metadata
    simple: dict[str, str] = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": pod.spec.get("nodeName") or facts.node_name,
        "spec.serviceAccountName": pod.spec.get("serviceAccountName", ""),
        "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip,
        "status.podIP": facts.pod_ip,
        "status.podIPs": facts.pod_ip,
    }
    if path in simple:
        return str(simple[path])
    if path in ("metadata.labels", "metadata.annotations"):
        return _render_map(metadata.get(path.removeprefix("metadata.")) or {})
    if found := _SUBSCRIPT.match(path):
        return str((metadata.get(found[1]) or {}).get(found[2], ""))
    raise DownwardError(f"unsupported fieldPath: {path}")


def _render_map(values: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(values.items()))


def _quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(char, char) for char in text) + '"'


def resource_value(pod: Pod, container: Json, reference: Json, facts: Facts) -> str:
    """The amount in units of the divisor, rounded up."""
    name = reference.get("containerName")
    if name and name != container.get("name"):
        spec = pod.container(name)
        if spec is None:
            raise DownwardError(f"container {name} not found")
        container = spec.raw
    resource = reference["resource"]
    which, _, what = resource.partition(".")
    defaults = {
        "cpu": facts.cpu_millis,
        "memory": facts.memory_bytes * 1000,
        "ephemeral-storage": facts.storage_bytes * 1000,
    }
    if which not in ("limits", "requests") or what not in defaults:
        raise DownwardError(f"unsupported container resource: {resource}")
    divisor = quantity.millis(reference.get("divisor") or "1") or 1000
    amounts = (container.get("resources") or {}).get(which) or {}
    if what in amounts:
        millis = quantity.millis(amounts[what])
    else:
        millis = defaults[what] if which == "limits" else 0
    return str(-(-millis // divisor))

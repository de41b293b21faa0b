"""The Node as its kubelet reports it: addresses, conditions, capacity and allocatable, info.

Owns      the content of the Node's labels and status, in upstream's words.
Leaves    sending it (the heartbeat), deciding that a node is lost (the master).
Invariant pure; times change only when a condition does, or with the heartbeat every REFRESH_S.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from busk8s.api.claiming import VOLUMES_PLACE
from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Json
from busk8s.worker.kubelet.admit import Room
from busk8s.worker.kubelet.machine import Machine

KUBELET_VERSION = "v1.37.0+busk8s"
REFRESH_S = 300.0  # As upstream's nodeStatusReportFrequency.
MEMORY_PRESSURE_BYTES = 100 << 20  # As upstream's default eviction threshold memory.available.
DISK_PRESSURE_SHARE = 0.10  # nodefs.available


@dataclass(frozen=True, slots=True)
class Health:
    """What conditions are made of. `problem` empty = the runtime answers."""

    problem: str = ""
    memory_pressure: bool = False
    disk_pressure: bool = False
    pid_pressure: bool = False


def node_labels(node_name: str, machine: Machine) -> dict[str, str]:
    labels = {"os": "linux", "arch": machine.architecture}
    made = {f"kubernetes.io/{key}": value for key, value in labels.items()}
    made |= {f"beta.kubernetes.io/{key}": value for key, value in labels.items()}
    return made | {"kubernetes.io/hostname": node_name}


def node_object(node_name: str, machine: Machine) -> Json:
    """What is created when the API has no Node of this name."""
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": node_name, "labels": node_labels(node_name, machine)},
        "spec": {},
    }


def missing_annotations(node: Json, root: str) -> dict[str, str]:
    """Where volumes of this node's own disk are; nowhere when nothing is kept on disk."""
    wanted = {VOLUMES_PLACE: f"{root.rstrip('/')}/volumes"} if root.startswith("/") else {}
    have = node["metadata"].get("annotations") or {}
    return {key: value for key, value in wanted.items() if have.get(key) != value}


def missing_labels(node: Json, machine: Machine) -> dict[str, str]:
    name = node["metadata"]["name"]
    have = node["metadata"].get("labels") or {}
    return {k: v for k, v in node_labels(name, machine).items() if have.get(k) != v}


def node_status(
    now: float,
    node_name: str,
    machine: Machine,
    ips: Sequence[str],
    health: Health,
    runtime: str,
    *,
    pods_max: int,
    old: Json,
) -> Json:
    """`old`: the last status made; `runtime` is like process://0.1.0."""
    capacity = {
        "cpu": str(machine.cpus),
        "ephemeral-storage": f"{machine.storage_bytes // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{machine.memory_bytes // 1024}Ki",
        "pods": str(pods_max),
    }
    return {
        "addresses": [
            *({"type": "InternalIP", "address": ip} for ip in ips),
            {"type": "Hostname", "address": node_name},
        ],
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": _conditions(now, health, old.get("conditions") or ()),
        "nodeInfo": _info(machine, runtime),
        "images": [],
    }


def room(machine: Machine, pods_max: int) -> Room:
    return Room(pods_max, machine.cpus * 1000, machine.memory_bytes)


def _info(machine: Machine, runtime: str) -> Json:
    return {
        "machineID": machine.machine_id,
        "systemUUID": machine.system_uuid,
        "bootID": machine.boot_id,
        "kernelVersion": machine.kernel,
        "osImage": machine.os_image,
        "containerRuntimeVersion": runtime,
        "kubeletVersion": KUBELET_VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": machine.architecture,
    }


# type: what the trouble is called, and its absence.
_WORDS = {
    "MemoryPressure": (
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ),
    "DiskPressure": (
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ),
    "PIDPressure": (
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ),
}


def _conditions(now: float, health: Health, old: Sequence[Json]) -> list[Json]:
    pressures = {
        "MemoryPressure": health.memory_pressure,
        "DiskPressure": health.disk_pressure,
        "PIDPressure": health.pid_pressure,
    }
    made = [
        _condition(now, kind, pressed, *_WORDS[kind][0 if pressed else 1], old)
        for kind, pressed in pressures.items()
    ]
    if health.problem:
        ready = _condition(now, "Ready", False, "KubeletNotReady", health.problem, old)
    else:
        text = "kubelet is posting ready status"
        ready = _condition(now, "Ready", True, "KubeletReady", text, old)
    return [*made, ready]


# type: the reason of the Event when it becomes True, and when it becomes False.
_EVENTS = {
    "MemoryPressure": ("NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
    "DiskPressure": ("NodeHasDiskPressure", "NodeHasNoDiskPressure"),
    "PIDPressure": ("NodeHasInsufficientPID", "NodeHasSufficientPID"),
    "Ready": ("NodeReady", "NodeNotReady"),
}


def news(old: Json, new: Json) -> list[str]:
    """Reasons of Events for what changed between two statuses of a node, its first one included."""
    before = {c["type"]: c["status"] for c in old.get("conditions") or ()}
    return [
        _EVENTS[c["type"]][0 if c["status"] == "True" else 1]
        for c in new["conditions"]
        if before.get(c["type"]) != c["status"]
    ]


def _condition(
    now: float, kind: str, truth: bool, reason: str, message: str, old: Sequence[Json]
) -> Json:
    status = "True" if truth else "False"
    before = next((c for c in old if c["type"] == kind), None)
    since = format_time(now)
    beat = since
    if before is not None and before["status"] == status:
        since = before["lastTransitionTime"]
        if now - parse_time(before["lastHeartbeatTime"]) < REFRESH_S:
            beat = before["lastHeartbeatTime"]
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": beat,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }

"""May this pod run here? Room, host ports, and what this node cannot do, by name.

Owns      the last check before a pod is started, in upstream's words.
Leaves    choosing a node (scheduler), acting on the answer (pod_worker).
Invariant pure. A field is enforced, refused or reported, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from busk8s.worker.kubelet.account_tokens import sources
from busk8s.worker.kubelet.pods import ContainerSpec, Pod
from busk8s.worker.kubelet.resize import Pending
from busk8s.worker.kubelet.resources import Requests, pod_requests

Refusal = tuple[str, str]  # reason, message


@dataclass(frozen=True, slots=True)
class Room:
    """The node's allocatable; 0 = not known, not checked."""

    pods: int = 110
    cpu_millis: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What one pod takes of its node."""

    requests: Requests
    ports: tuple[tuple[str, str, int], ...]


def claim(pod: Pod) -> Claim:
    return Claim(pod_requests(pod.spec), tuple(host_ports(pod)))


def refusal(wanted: Claim, held: Sequence[Claim], room: Room) -> Refusal | None:
    """`held`: the claims of the pods that this node already runs."""
    if len(held) + 1 > room.pods:
        return _out_of("pods", 1, len(held), room.pods)
    asked = wanted.requests
    cpu = sum(other.requests.cpu for other in held)
    if room.cpu_millis and asked.cpu and asked.cpu + cpu > room.cpu_millis:
        return _out_of("cpu", asked.cpu, cpu, room.cpu_millis)
    memory = sum(other.requests.memory for other in held)
    if room.memory_bytes and asked.memory and asked.memory + memory > room.memory_bytes:
        return _out_of("memory", asked.memory, memory, room.memory_bytes)
    if wanted.ports:
        taken = [port for other in held for port in other.ports]
        if any(_clash(port, have) for port in wanted.ports for have in taken):
            return "NodePorts", "Pod was rejected: Predicate NodePorts failed"
    return None


def judge(wanted: Claim, held: Sequence[Claim], room: Room) -> Pending | None:
    """Why a pod that runs cannot be given `wanted`; None: it can."""
    asked, beside = wanted.requests, [other.requests for other in held]
    lines = (
        ("cpu", asked.cpu, sum(other.cpu for other in beside), room.cpu_millis),
        ("memory", asked.memory, sum(other.memory for other in beside), room.memory_bytes),
    )
    impossible = [
        f"{name}, requested: {want}, capacity: {most}"
        for name, want, _, most in lines
        if most and want > most
    ]
    if impossible:
        why = f"Node didn't have enough capacity: {', '.join(impossible)}"
        return Pending("Infeasible", why)
    for name, want, used, most in lines:
        if most and want and want + used > most:
            _, text = _out_of(name, want, used, most)
            return Pending("Deferred", text.removeprefix("Pod was rejected: "))
    return None


def _out_of(resource: str, wanted: int, used: int, capacity: int) -> Refusal:
    return f"OutOf{resource}", (
        f"Pod was rejected: Node didn't have enough resource: {resource}, "
        f"requested: {wanted}, used: {used}, capacity: {capacity}"
    )


def host_ports(pod: Pod) -> list[tuple[str, str, int]]:
    found = []
    for container in pod.spec.get("containers") or ():
        for port in container.get("ports") or ():
            number = port.get("hostPort") or (port["containerPort"] if pod.host_network else 0)
            if number:
                found.append((port.get("hostIP") or "", port.get("protocol", "TCP"), int(number)))
    return found


def _clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    anywhere = ("", "0.0.0.0", "::")
    same_ip = one[0] == other[0] or one[0] in anywhere or other[0] in anywhere
    return same_ip and one[1:] == other[1:]


def unsupported(pod: Pod, spec: ContainerSpec) -> list[str]:
    """Fields without which the pod would not be what its author asked for: it is not started.

    What an ephemeral container asks for keeps itself from starting, and nothing else.
    """
    own = _refused_of(spec.raw, pod.host_network) if spec in pod.ephemeral else ()
    return [*_refused(pod.spec, pod.host_network), *own]


def not_enforced_of(container: Mapping[str, Any]) -> list[str]:
    """The fields of one container that would confine it, and do not."""
    return list(_unenforced(container.get("securityContext") or {}))


def not_enforced(pod: Pod, limits: Sequence[str] = ()) -> list[str]:
    """Fields that would confine a container: plain processes run without, and the pod says so.

    `limits` are the resources that this machine cannot limit (Runtime.unenforced_limits).
    """
    found = dict.fromkeys(_unenforced(pod.spec.get("securityContext") or {}))
    for container in _containers(pod.spec):
        found.update(dict.fromkeys(_unenforced(container.get("securityContext") or {})))
        wanted = (container.get("resources") or {}).get("limits") or {}
        found.update(dict.fromkeys(f"resources.limits.{n}" for n in limits if n in wanted))
    if "mounts" in limits and any(True for _ in sources(pod)):
        found["the mount of its ServiceAccount token"] = None
    return list(found)


_POD_FLAGS = ("hostPID", "hostIPC", "shareProcessNamespace")
_POD_VALUES = ("runtimeClassName", "resourceClaims")
_POD_SECURITY = ("fsGroup", "supplementalGroups", "windowsOptions")
_CONFINING = (
    "readOnlyRootFilesystem", "capabilities", "seccompProfile", "appArmorProfile",
    "seLinuxOptions", "privileged", "procMount",
)  # fmt: skip


def _refused(spec: Mapping[str, Any], host_network: bool) -> Iterator[str]:
    for field in (*_POD_FLAGS, *_POD_VALUES):
        if spec.get(field):
            yield f"spec.{field}"
    if spec.get("hostUsers") is False:
        yield "spec.hostUsers: false"
    if (spec.get("os") or {}).get("name", "linux") != "linux":
        yield f"spec.os.name: {spec['os']['name']}"
    for field in _POD_SECURITY:
        if (spec.get("securityContext") or {}).get(field):
            yield f"spec.securityContext.{field}"
    for container in _containers(spec):
        yield from _refused_of(container, host_network)


def _refused_of(container: Mapping[str, Any], host_network: bool) -> Iterator[str]:
    name = container["name"]
    if container.get("volumeDevices"):
        yield f"volumeDevices of container {name}"
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if "grpc" in (container.get(kind) or {}):
            yield f"grpc {kind} of container {name}"
    for hook in ("preStop", "postStart"):
        if "tcpSocket" in ((container.get("lifecycle") or {}).get(hook) or {}):
            yield f"tcpSocket {hook} of container {name}"
    for which in ("limits", "requests"):
        for resource in (container.get("resources") or {}).get(which) or {}:
            if resource.startswith("hugepages-"):
                yield f"{resource} of container {name}"
    for mount in container.get("volumeMounts") or ():
        if mount.get("mountPropagation", "None") != "None":
            yield f"mountPropagation {mount['mountPropagation']} of container {name}"
    if not host_network and any(port.get("hostPort") for port in container.get("ports") or ()):
        yield f"hostPort of container {name} without hostNetwork"


def _unenforced(security: Mapping[str, Any]) -> Iterator[str]:
    for field in _CONFINING:
        if security.get(field):
            yield field
    if security.get("allowPrivilegeEscalation") is False:
        yield "allowPrivilegeEscalation"


def _containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]

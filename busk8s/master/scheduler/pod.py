"""What the scheduler keeps of a pod: very little, and most of it shared.

Owns      PodClass (what decides where a pod may go), PodSort (what other pods' rules see of it) and
          PodInfo (one pod).
Leaves    nodes (snapshot), decisions (cycle), rules about other pods (rules).
Invariant pods with equal scheduling-relevant specs share one PodClass, so filters that look at
          nodes only run once a class and not once a pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from busk8s.api.object import Json, Object
from busk8s.api.podresources import as_running
from busk8s.api.quantity import millis, value
from busk8s.master.scheduler.rules import Labels, PodRules, pod_rules

CPU, MEMORY, EPHEMERAL, PODS = "cpu", "memory", "ephemeral-storage", "pods"

# What scoring assumes of a container that requests nothing (scheduler/util/pod_resources.go).
CPU_ASSUMED_MILLIS = 100
MEMORY_ASSUMED_BYTES = 200 * 1024 * 1024

Requests = Mapping[str, int]  # Resource name -> milli-cores, bytes or units.
HostPort = tuple[str, str, int]  # Host address ("0.0.0.0" = all), protocol, port.


@dataclass(frozen=True, eq=False, slots=True)
class PodClass:
    """Compared by identity: equal specs give the same instance (see PodClasses)."""

    requests: Requests
    scored_cpu_millis: int
    scored_memory_bytes: int
    node_selector: Mapping[str, str]
    affinity: Json
    tolerations: Sequence[Json]
    host_ports: Sequence[HostPort]
    unsupported: Sequence[str]
    priority: int
    scheduler_name: str
    claims: Sequence[str] = ()


@dataclass(frozen=True, eq=False, slots=True)
class PodSort:
    """Compared by identity, as PodClass."""

    namespace: str
    labels: Labels
    kind: PodClass
    rules: PodRules


@dataclass(slots=True)
class PodInfo:
    """One pod. `node` is where it is bound or assumed to be; empty while it waits."""

    namespace: str
    name: str
    uid: str
    sort: PodSort
    node: str = ""
    finished: bool = False
    deleting: bool = False
    gated: bool = False
    queued_at: float = 0.0
    attempts: int = 0

    @property
    def kind(self) -> PodClass:
        return self.sort.kind

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class PodClasses:
    """Interns PodClass by what in the spec matters, and PodSort by that, namespace and labels;
    bounded by forgetting all when full."""

    CLASSES_MAX = 10_000
    SORTS_MAX = 20_000

    def __init__(self) -> None:
        self._by_signature: dict[bytes, PodClass] = {}
        self._sorts: dict[tuple[str, bytes, PodClass], PodSort] = {}

    def info(self, pod: Object) -> PodInfo:
        """Raises nothing for odd pods: what cannot be read counts as absent."""
        data = pod.data
        status = data.get("status") or {}
        spec = as_running(data.get("spec") or {}, status)
        metadata = data["metadata"]
        return PodInfo(
            pod.namespace,
            pod.name,
            metadata.get("uid", ""),
            self._sort_of(spec, pod.namespace, metadata.get("labels") or {}),
            node=spec.get("nodeName") or "",
            finished=status.get("phase") in ("Succeeded", "Failed"),
            deleting="deletionTimestamp" in metadata,
            gated=bool(spec.get("schedulingGates")),
        )

    def _sort_of(self, spec: Json, namespace: str, labels: Labels) -> PodSort:
        kind = self._class_of(spec)
        key = (namespace, orjson.dumps(labels, option=orjson.OPT_SORT_KEYS), kind)
        found = self._sorts.get(key)
        if found is None:
            if len(self._sorts) >= self.SORTS_MAX:
                self._sorts.clear()
            rules = pod_rules(spec, namespace, labels)
            found = self._sorts[key] = PodSort(namespace, labels, kind, rules)
        return found

    def _class_of(self, spec: Json) -> PodClass:
        signature = orjson.dumps(_signature(spec))
        found = self._by_signature.get(signature)
        if found is None:
            if len(self._by_signature) >= self.CLASSES_MAX:
                self._by_signature.clear()
            found = self._by_signature[signature] = pod_class(spec)
        return found


def _signature(spec: Json) -> list[Any]:
    containers = [
        [c.get("resources"), c.get("ports"), c.get("restartPolicy")]
        for group in ("containers", "initContainers")
        for c in spec.get(group) or ()
    ]
    names = (
        "nodeSelector", "affinity", "tolerations", "priority", "schedulerName", "overhead",
        "resources", "topologySpreadConstraints", "resourceClaims", "volumes",
    )  # fmt: skip
    return [containers, len(spec.get("containers") or ()), *(spec.get(name) for name in names)]


def pod_class(spec: Json) -> PodClass:
    requests, cpu, memory = pod_requests(spec)
    affinity = spec.get("affinity") or {}
    return PodClass(
        requests=requests,
        scored_cpu_millis=cpu,
        scored_memory_bytes=memory,
        node_selector=spec.get("nodeSelector") or {},
        affinity=affinity.get("nodeAffinity") or {},
        tolerations=tuple(spec.get("tolerations") or ()),
        host_ports=tuple(_host_ports(spec)),
        unsupported=tuple(_unsupported(spec)),
        priority=spec.get("priority") or 0,
        scheduler_name=spec.get("schedulerName") or "default-scheduler",
        claims=tuple(_claims(spec)),
    )


def pod_requests(spec: Json) -> tuple[dict[str, int], int, int]:
    """(requests, cpu for scoring, memory for scoring) of a whole pod.

    The larger of what runs together and what init needs at its peak, plus overhead
    (KEP-753: a restartable init container counts with all that start after it).
    """
    together: dict[str, int] = {}
    scored = {CPU: 0, MEMORY: 0}
    for container in spec.get("containers") or ():
        _add(together, _requests_of(container))
        _add(scored, _assumed(container))
    peak: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        needs = _requests_of(container)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, needs)
            _add(together, needs)
            _add(scored, _assumed(container))
            needs = {}
        at_once = dict(sidecars)
        _add(at_once, needs)
        for name, amount in at_once.items():
            peak[name] = max(peak.get(name, 0), amount)
    total = {n: max(together.get(n, 0), peak.get(n, 0)) for n in (*together, *peak)}
    pod_level = _requests_of(spec)
    total |= pod_level  # KEP-2837: what the pod states as a whole wins.
    scored |= {n: pod_level[n] for n in (CPU, MEMORY) if n in pod_level}
    _add(total, _amounts(spec.get("overhead") or {}))
    return total, max(scored[CPU], total.get(CPU, 0)), max(scored[MEMORY], total.get(MEMORY, 0))


def _requests_of(holder: Json) -> dict[str, int]:
    return _amounts((holder.get("resources") or {}).get("requests") or {})


def _assumed(container: Json) -> dict[str, int]:
    requests = _requests_of(container)
    return {
        CPU: requests.get(CPU, CPU_ASSUMED_MILLIS),
        MEMORY: requests.get(MEMORY, MEMORY_ASSUMED_BYTES),
    }


def _amounts(quantities: Mapping[str, Any]) -> dict[str, int]:
    return {n: millis(q) if n == CPU else value(q) for n, q in quantities.items()}


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _host_ports(spec: Json) -> list[HostPort]:
    wanted = []
    for group in ("containers", "initContainers"):
        for container in spec.get(group) or ():
            if group == "initContainers" and container.get("restartPolicy") != "Always":
                continue
            for port in container.get("ports") or ():
                number = port.get("hostPort") or 0
                if number:
                    address = port.get("hostIP") or "0.0.0.0"
                    wanted.append((address, port.get("protocol") or "TCP", number))
    return wanted


def _claims(spec: Json) -> list[str]:
    sources = [v.get("persistentVolumeClaim") or {} for v in spec.get("volumes") or ()]
    return [source["claimName"] for source in sources if source.get("claimName")]


def _unsupported(spec: Json) -> list[str]:
    """Rules that must hold and that no plug-in here can judge: such a pod is refused by name."""
    found = []
    if spec.get("resourceClaims"):
        found.append("resourceClaims")
    if any("ephemeral" in volume for volume in spec.get("volumes") or ()):
        found.append("ephemeral volumes")
    return found

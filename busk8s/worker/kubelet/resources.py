"""What a pod asks for: requests, limits, quality of service class.

Source    Kubernetes: effective requests are max(sum of containers and sidecars, any init
          container with the sidecars before it), plus overhead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from busk8s.api import quantity
from busk8s.worker.runtime.base import Limits

Container = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Requests:
    """cpu in milli-cores, the rest in bytes."""

    cpu: int = 0
    memory: int = 0
    storage: int = 0

    def __add__(self, other: Requests) -> Requests:
        return Requests(
            self.cpu + other.cpu, self.memory + other.memory, self.storage + other.storage
        )

    def most(self, other: Requests) -> Requests:
        return Requests(
            max(self.cpu, other.cpu),
            max(self.memory, other.memory),
            max(self.storage, other.storage),
        )


def pod_requests(spec: Mapping[str, Any]) -> Requests:
    running = Requests()
    for container in spec.get("containers") or ():
        running += _requests(container)
    sidecars, peak = Requests(), Requests()
    for container in spec.get("initContainers") or ():
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars += asked
            peak = peak.most(sidecars)
        else:
            peak = peak.most(sidecars + asked)
    total = (running + sidecars).most(peak)
    own = (spec.get("resources") or {}).get("requests") or {}
    if own:
        total = _amounts(own).most(Requests()) if len(own) > 1 else total.most(_amounts(own))
    return total + _amounts(spec.get("overhead") or {})


def _requests(container: Container) -> Requests:
    resources = container.get("resources") or {}
    # As the API server's defaulting: a limit without a request is the request too.
    return _amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _amounts(resources: Mapping[str, Any]) -> Requests:
    if not resources:
        return Requests()
    return Requests(
        cpu=quantity.millis(resources.get("cpu", "0")),
        memory=quantity.value(resources.get("memory", "0")),
        storage=quantity.value(resources.get("ephemeral-storage", "0")),
    )


def limits_of(container: Container) -> Limits:
    resources = container.get("resources") or {}
    wanted, capped = resources.get("requests") or {}, resources.get("limits") or {}
    return Limits(
        cpu_request_millis=quantity.millis(wanted.get("cpu", capped.get("cpu", "0"))),
        cpu_limit_millis=quantity.millis(capped.get("cpu", "0")),
        memory_limit_bytes=quantity.value(capped.get("memory", "0")),
    )


def qos_class(spec: Mapping[str, Any]) -> str:
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    if not any(_named(c, "requests") or _named(c, "limits") for c in containers):
        return "BestEffort"
    return "Guaranteed" if all(_guaranteed(c) for c in containers) else "Burstable"


def _named(container: Container, which: str) -> bool:
    amounts = (container.get("resources") or {}).get(which) or {}
    return any(quantity.millis(amounts[name]) > 0 for name in _known(amounts))


def _known(amounts: Mapping[str, Any]) -> Iterable[str]:
    return [name for name in ("cpu", "memory") if name in amounts]


def _guaranteed(container: Container) -> bool:
    resources = container.get("resources") or {}
    wanted, capped = resources.get("requests") or {}, resources.get("limits") or {}
    names: Sequence[str] = ("cpu", "memory")
    return all(
        name in capped
        and quantity.millis(wanted.get(name, capped[name])) == quantity.millis(capped[name])
        for name in names
    )

"""Which pods stand behind a Service, and what its endpoints and ports look like. Pure.

Owns      what EndpointSlices and Endpoints have in common: who is in, ready, where, on which ports.
Leaves    packing into slices (endpointslices) and subsets (endpoints).
Invariant the same pods give the same list, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.object import Json, Object
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.client.cache import NAMESPACE, Cache
from busk8s.master.controllers.children import is_finished, is_ready, spec_of, status_of
from busk8s.master.controllers.loop import Wake

MANAGED_BY_HEADLESS = "service.kubernetes.io/headless"
ZONE = "topology.kubernetes.io/zone"

Ports = tuple[tuple[tuple[str, str | int], ...], ...]  # Hashable: one tuple of fields a port.


@dataclass(frozen=True)
class Backend:
    """One pod as the Service sees it, for one address family."""

    pod: Object
    address: str
    ready: bool
    serving: bool
    terminating: bool
    ports: Ports
    zone: str = ""


def is_selecting(service: Object) -> bool:
    """Whether we keep endpoints for it: without a selector they are somebody else's."""
    spec = spec_of(service)
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def selector_of(service: Object) -> LabelSelector:
    return from_label_selector({"matchLabels": spec_of(service).get("selector") or {}})


def is_headless(service: Object) -> bool:
    return spec_of(service).get("clusterIP") == "None"


def families_of(service: Object) -> Sequence[str]:
    return spec_of(service).get("ipFamilies") or ("IPv4",)


def backends(
    service: Object,
    pods: Iterable[Object],
    zones: Mapping[str, str],
    family: str,
    is_deleting_pods: frozenset[str] = frozenset(),
) -> list[Backend]:
    """Every pod with an address that is not over; `is_deleting_pods` are uids known to go."""
    publish = bool(spec_of(service).get("publishNotReadyAddresses"))
    result = []
    for pod in sorted(pods, key=lambda pod: pod.name):
        address = address_of(pod, family)
        if not address or is_finished(pod):
            continue
        serving = is_ready(pod)
        terminating = pod.deleting or pod.uid in is_deleting_pods
        result.append(
            Backend(
                pod=pod,
                address=address,
                ready=publish or (serving and not terminating),
                serving=serving,
                terminating=terminating,
                ports=ports_for(service, pod),
                zone=zones.get(spec_of(pod).get("nodeName", ""), ""),
            )
        )
    return result


def address_of(pod: Object, family: str) -> str:
    status = status_of(pod)
    addresses = [entry.get("ip", "") for entry in status.get("podIPs") or ()]
    addresses = addresses or [status.get("podIP") or ""]
    for address in addresses:
        if address and (":" in address) == (family == "IPv6"):
            return str(address)
    return ""


def ports_for(service: Object, pod: Object) -> Ports:
    """The Service's ports as this pod serves them; a name it does not have is left out."""
    result = []
    for port in spec_of(service).get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        number = _target(port, protocol, pod)
        if number is None:
            continue
        entry: dict[str, str | int] = {
            "name": port.get("name") or "",
            "port": number,
            "protocol": protocol,
        }
        if port.get("appProtocol"):
            entry["appProtocol"] = port["appProtocol"]
        result.append(tuple(entry.items()))
    return tuple(result)


def _target(port: Json, protocol: str, pod: Object) -> int | None:
    target = port.get("targetPort")
    if target is None or target in (0, ""):
        return int(port["port"])
    if isinstance(target, int):
        return target
    for container in _serving_containers(pod):
        for offered in container.get("ports") or ():
            if offered.get("name") == target and (offered.get("protocol") or "TCP") == protocol:
                return int(offered["containerPort"])
    return None


def _serving_containers(pod: Object) -> Iterable[Json]:
    spec = spec_of(pod)
    yield from spec.get("containers") or ()
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container


def target_reference(pod: Object) -> Json:
    return {"kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}


def hostname_of(service: Object, pod: Object) -> str:
    """The name DNS gives the pod under this Service."""
    spec = spec_of(pod)
    if spec.get("hostname") and spec.get("subdomain") == service.name:
        return str(spec["hostname"])
    return ""


def is_relevant(old: Object | None, new: Object | None) -> bool:
    """Whether a pod's change can change endpoints: most status updates cannot."""
    return _facts(old) != _facts(new)


def _facts(pod: Object | None) -> tuple[object, ...] | None:
    """What endpoints depend on; None for a pod that can have none yet, or no more."""
    if pod is None or not status_of(pod).get("podIP"):
        return None
    status = status_of(pod)
    return (
        pod.uid,
        pod.labels,
        pod.deleting,
        is_finished(pod),
        is_ready(pod),
        status.get("podIP"),
        status.get("podIPs"),
        spec_of(pod).get("nodeName"),
    )


def woken_by_pod(services: Cache) -> Wake:
    """The Services that select the pod, before or after its change."""

    def woken(old: Object | None, new: Object | None) -> Iterable[str]:
        if not is_relevant(old, new):
            return ()
        keys: dict[str, None] = {}
        pods = [pod for pod in (old, new) if pod is not None]
        for service in services.by(NAMESPACE, pods[0].namespace):
            if is_selecting(service):
                matches = selector_of(service).matches
                if any(matches(pod.labels) for pod in pods):
                    keys[service.key] = None
        return keys

    return woken

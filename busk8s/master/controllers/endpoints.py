"""Endpoints, the older form of EndpointSlices, for clients that still read it.

Owns      the Endpoints object of every Service with a selector.
Leaves    Endpoints made by hand for Services without one.
Invariant at most ADDRESSES_MAX addresses, ready ones first, and then it says that it is truncated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.object import Json, Object
from busk8s.api.scheme import ENDPOINTS, PODS, SERVICES, Resource
from busk8s.client.cache import NAMESPACE
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Create, Delete, Plan, Update
from busk8s.master.controllers.children import spec_of
from busk8s.master.controllers.endpoint_facts import (
    MANAGED_BY_HEADLESS,
    Backend,
    Ports,
    backends,
    families_of,
    hostname_of,
    is_headless,
    is_selecting,
    selector_of,
    target_reference,
    woken_by_pod,
)
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import slim_pod

ADDRESSES_MAX = 1_000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"


@dataclass(frozen=True)
class Observed:
    service: Object | None
    endpoints: Object | None
    pods: tuple[Object, ...] = ()
    doomed: frozenset[str] = frozenset()


class EndpointsController:
    name = "endpoint"
    component = "endpoint-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._services = caches.need(SERVICES)
        self._pods = caches.need(PODS, whole=False, keep=slim_pod)
        self._endpoints = caches.need(ENDPOINTS)
        self.wakes: Mapping[Resource, Wake] = {
            SERVICES: own_key,
            PODS: woken_by_pod(self._services),
            ENDPOINTS: own_key,
        }

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        service, endpoints = self._services.get(key), self._endpoints.get(key)
        if service is None:
            ours = endpoints is not None and endpoints.labels.get(MANAGED_BY) == MANAGER
            return Observed(None, endpoints) if ours else None
        if service.deleting or not is_selecting(service):
            return None
        matches = selector_of(service).matches
        pods = [p for p in self._pods.by(NAMESPACE, service.namespace) if matches(p.labels)]
        doomed = frozenset(pod.uid for pod in pods if self._pods.is_deleting(pod))
        return Observed(service, endpoints, tuple(pods), doomed)

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed)


def plan(observed: Observed) -> Plan:
    service, existing = observed.service, observed.endpoints
    if service is None:
        return Plan((Delete(existing),)) if existing is not None else Plan()
    found = backends(service, observed.pods, {}, families_of(service)[0], observed.doomed)
    publish = bool(spec_of(service).get("publishNotReadyAddresses"))
    found = [b for b in found if publish or not b.terminating]
    chosen = sorted(found, key=lambda b: not b.ready)[:ADDRESSES_MAX]
    subsets = subsets_of(service, chosen)
    wanted = _metadata(service, len(found) > len(chosen))
    if existing is None:
        metadata = {"name": service.name, "namespace": service.namespace, **wanted}
        new = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}
        return Plan((Create(ENDPOINTS, new),))
    before = {key: existing.metadata.get(key) or {} for key in wanted}
    if before == wanted and (existing.data.get("subsets") or []) == subsets:
        return Plan()
    data = existing.copy()
    data["metadata"].update(wanted)
    data["subsets"] = subsets
    return Plan((Update(ENDPOINTS, data),))


def subsets_of(service: Object, found: Iterable[Backend]) -> list[Json]:
    """Addresses grouped by the ports they serve, ready and not ready apart."""
    groups: dict[Ports, list[Backend]] = {}
    for backend in found:
        if backend.ports or is_headless(service):
            groups.setdefault(backend.ports, []).append(backend)
    return [_subset(service, ports, groups[ports]) for ports in sorted(groups)]


def _subset(service: Object, ports: Ports, group: Sequence[Backend]) -> Json:
    subset: Json = {}
    for name, ready in (("addresses", True), ("notReadyAddresses", False)):
        if those := [_address(service, b) for b in group if b.ready == ready]:
            subset[name] = sorted(those, key=lambda address: str(address["ip"]))
    if ports:
        # A port without a name is written without one here.
        subset["ports"] = [{k: v for k, v in port if v != ""} for port in ports]
    return subset


def _address(service: Object, backend: Backend) -> Json:
    address: Json = {"ip": backend.address}
    if hostname := hostname_of(service, backend.pod):
        address["hostname"] = hostname
    if node := spec_of(backend.pod).get("nodeName"):
        address["nodeName"] = node
    address["targetRef"] = target_reference(backend.pod)
    return address


def _metadata(service: Object, truncated: bool) -> Json:
    labels = {k: v for k, v in service.labels.items() if k != MANAGED_BY_HEADLESS}
    if is_headless(service):
        labels[MANAGED_BY_HEADLESS] = ""
    labels[MANAGED_BY] = MANAGER
    annotations = {OVER_CAPACITY: "truncated"} if truncated else {}
    return {"labels": labels, "annotations": annotations}

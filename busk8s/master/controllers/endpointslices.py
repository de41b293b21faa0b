"""EndpointSlices of Services with a selector.

Owns      every slice it made: which endpoints in which slice, with as few slices touched as can be.
Leaves    slices managed by others, rules on nodes (kube-proxy), the old Endpoints (endpoints).
Invariant a slice holds at most SLICE_MAX endpoints, all with the same ports and address family;
          no endpoint is in two slices after the plan is performed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from busk8s.api.object import Json, Object
from busk8s.api.scheme import ENDPOINTSLICES, NODES, PODS, SERVICES, Resource
from busk8s.client.cache import NAMESPACE
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Action, Create, Delete, Plan, Update
from busk8s.master.controllers.children import controller_reference, spec_of
from busk8s.master.controllers.endpoint_facts import (
    MANAGED_BY_HEADLESS,
    ZONE,
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
from busk8s.master.controllers.slim import slim_node, slim_pod

SLICE_MAX = 100  # As Kubernetes' default; an update of one endpoint sends one slice.
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"


@dataclass(frozen=True)
class Observed:
    service: Object
    slices: tuple[Object, ...]
    pods: tuple[Object, ...]
    doomed: frozenset[str]
    zones: Mapping[str, str] = field(default_factory=dict)


class EndpointSliceController:
    name = "endpointslice"
    component = "endpoint-slice-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._services = caches.need(SERVICES)
        self._pods = caches.need(PODS, whole=False, keep=slim_pod)
        self._slices = caches.need(ENDPOINTSLICES)
        self._nodes = caches.need(NODES, whole=False, keep=slim_node)
        self.wakes: Mapping[Resource, Wake] = {
            SERVICES: own_key,
            PODS: woken_by_pod(self._services),
            ENDPOINTSLICES: _woken_by_slice,
            NODES: lambda _old, _new: (),
        }

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        service = self._services.get(key)
        if service is None or service.deleting or not is_selecting(service):
            return None
        matches = selector_of(service).matches
        pods = tuple(
            pod for pod in self._pods.by(NAMESPACE, service.namespace) if matches(pod.labels)
        )
        slices = tuple(
            found
            for found in self._slices.by(NAMESPACE, service.namespace)
            if found.labels.get(SERVICE_NAME) == service.name
            and found.labels.get(MANAGED_BY) == MANAGER
            and not self._slices.is_deleting(found)
        )
        doomed = frozenset(pod.uid for pod in pods if self._pods.is_deleting(pod))
        return Observed(service, slices, pods, doomed, self._zones(pods))

    def _zones(self, pods: Iterable[Object]) -> Mapping[str, str]:
        zones: dict[str, str] = {}
        for pod in pods:
            name = spec_of(pod).get("nodeName", "")
            node = self._nodes.get(name) if name and name not in zones else None
            if node is not None:
                zones[name] = node.labels.get(ZONE, "")
        return zones

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed)


def _woken_by_slice(old: Object | None, new: Object | None) -> Iterable[str]:
    keys: dict[str, None] = {}
    for found in (old, new):
        if found is not None and SERVICE_NAME in found.labels:
            keys[f"{found.namespace}/{found.labels[SERVICE_NAME]}"] = None
    return keys


def plan(observed: Observed) -> Plan:
    """Creates, updates and deletes of slices that make them say what the pods are."""
    actions: list[Action] = []
    for family in families_of(observed.service):
        found = backends(observed.service, observed.pods, observed.zones, family, observed.doomed)
        slices = [s for s in observed.slices if s.data.get("addressType") == family]
        actions += _plan_family(observed.service, found, slices, family)
    families = families_of(observed.service)
    actions += [Delete(s) for s in observed.slices if s.data.get("addressType") not in families]
    return Plan(tuple(sorted(actions, key=lambda action: isinstance(action, Delete))))


@dataclass
class _Draft:
    """A slice as it will be: of an existing one, or new."""

    ports: Ports
    endpoints: list[Json]
    existing: Object | None = None
    changed: bool = False


def _plan_family(
    service: Object, found: Sequence[Backend], slices: Sequence[Object], family: str
) -> list[Action]:
    wanted: dict[Ports, dict[str, Json]] = {}
    for backend in found:
        wanted.setdefault(backend.ports, {})[backend.pod.uid] = _endpoint(service, backend)
    drafts = [_kept(s, wanted) for s in slices]
    for ports, endpoints in wanted.items():
        drafts += _place([d for d in drafts if d.ports == ports], ports, [*endpoints.values()])
    if not any(draft.endpoints for draft in drafts):
        # One empty slice stays, so that readers can tell "none" from "not yet".
        keep = next((d for d in drafts if d.existing is not None), _Draft((), [], None, True))
        rest = [d for d in drafts if d is not keep]
        return _actions(service, [keep], family) + [
            Delete(d.existing) for d in rest if d.existing is not None
        ]
    return _actions(service, [d for d in drafts if d.endpoints], family) + [
        Delete(d.existing) for d in drafts if not d.endpoints and d.existing is not None
    ]


def _kept(existing: Object, wanted: dict[Ports, dict[str, Json]]) -> _Draft:
    """What stays of a slice, brought up to date; what it keeps is no longer to be placed."""
    ports = _ports_in(existing)
    todo = wanted.get(ports, {})
    before = existing.data.get("endpoints") or []
    after = []
    for endpoint in before:
        uid = (endpoint.get("targetRef") or {}).get("uid", "")
        if uid in todo:
            after.append(todo.pop(uid))
    return _Draft(ports, after, existing, changed=after != before)


def _place(drafts: Sequence[_Draft], ports: Ports, endpoints: list[Json]) -> list[_Draft]:
    """Put new endpoints where something changes anyway, then where there is room; new drafts."""
    by_preference = sorted(drafts, key=lambda d: (not d.changed, -len(d.endpoints)))
    for draft in by_preference:
        room = SLICE_MAX - len(draft.endpoints)
        if endpoints and room > 0 and (draft.changed or len(endpoints) <= room):
            draft.endpoints += endpoints[:room]
            draft.changed = True
            endpoints = endpoints[room:]
    return [
        _Draft(ports, endpoints[start : start + SLICE_MAX], changed=True)
        for start in range(0, len(endpoints), SLICE_MAX)
    ]


def _actions(service: Object, drafts: Sequence[_Draft], family: str) -> list[Action]:
    actions: list[Action] = []
    labels = _labels(service)
    for draft in drafts:
        if draft.existing is None:
            actions.append(Create(ENDPOINTSLICES, _new_slice(service, draft, labels, family)))
        elif draft.changed or draft.existing.labels != labels:
            data = draft.existing.copy()
            data["endpoints"] = draft.endpoints
            data["metadata"]["labels"] = labels
            actions.append(Update(ENDPOINTSLICES, data))
    return actions


def _new_slice(service: Object, draft: _Draft, labels: dict[str, str], family: str) -> Json:
    return {
        "apiVersion": ENDPOINTSLICES.api_version,
        "kind": ENDPOINTSLICES.kind,
        "metadata": {
            "generateName": f"{service.name}-",
            "namespace": service.namespace,
            "labels": labels,
            "ownerReferences": [controller_reference(service)],
        },
        "addressType": family,
        "endpoints": draft.endpoints,
        "ports": [dict(port) for port in draft.ports],
    }


def _labels(service: Object) -> dict[str, str]:
    labels = {k: v for k, v in service.labels.items() if k != MANAGED_BY_HEADLESS}
    if is_headless(service):
        labels[MANAGED_BY_HEADLESS] = ""
    return {**labels, SERVICE_NAME: service.name, MANAGED_BY: MANAGER}


def _endpoint(service: Object, backend: Backend) -> Json:
    endpoint: Json = {
        "addresses": [backend.address],
        "conditions": {
            "ready": backend.ready,
            "serving": backend.serving,
            "terminating": backend.terminating,
        },
        "targetRef": target_reference(backend.pod),
    }
    if node := spec_of(backend.pod).get("nodeName"):
        endpoint["nodeName"] = node
    if backend.zone:
        endpoint["zone"] = backend.zone
    if hostname := hostname_of(service, backend.pod):
        endpoint["hostname"] = hostname
    return endpoint


def _ports_in(existing: Object) -> Ports:
    order = ("name", "port", "protocol", "appProtocol")
    return tuple(
        tuple((name, port[name]) for name in order if name in port)
        for port in existing.data.get("ports") or ()
    )

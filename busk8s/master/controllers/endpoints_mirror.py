"""EndpointSlices of Endpoints that somebody wrote by hand, for a Service without a selector.

Owns      the slices it made: they say what the Endpoints say.
Leaves    slices of Services with a selector (endpointslices), slices that others manage.
Invariant a slice holds the addresses of one family and one set of ports, at most ADDRESSES_MAX.
Source    Kubernetes documentation, "EndpointSlices", "EndpointSlice mirroring".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.object import Json, Object
from busk8s.api.scheme import ENDPOINTS, ENDPOINTSLICES, SERVICES, Resource
from busk8s.client.cache import CONTROLLER
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Action, Create, Delete, Plan, Update
from busk8s.master.controllers.children import controller_reference, owned_key, spec_of
from busk8s.master.controllers.endpoint_facts import Ports
from busk8s.master.controllers.loop import Wake, own_key

ADDRESSES_MAX = 1_000  # As upstream: what is beyond in a subset is left out.
MANAGER = "endpointslicemirroring-controller.k8s.io"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"  # Endpoints once served as locks.
NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "endpoints.kubernetes.io/last-change-trigger-time",
)

Key = tuple[str, Ports]  # address family, ports


@dataclass(frozen=True)
class Observed:
    """`endpoints` None: nothing is to be mirrored (any more)."""

    endpoints: Object | None
    slices: tuple[Object, ...]


class EndpointsMirrorController:
    name = "endpointslicemirroring"
    component = "endpoint-slice-mirroring-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._services = caches.need(SERVICES)
        self._endpoints = caches.need(ENDPOINTS)
        self._slices = caches.need(ENDPOINTSLICES, (CONTROLLER,))
        self.wakes: Mapping[Resource, Wake] = {
            SERVICES: own_key,
            ENDPOINTS: own_key,
            ENDPOINTSLICES: _woken_by_slice,
        }

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        endpoints, service = self._endpoints.get(key), self._services.get(key)
        if endpoints is None:  # Its slices go with it: they have it for an owner.
            return None
        slices = tuple(
            found
            for found in self._slices.by(CONTROLLER, endpoints.uid)
            if found.labels.get(MANAGED_BY) == MANAGER and not self._slices.is_deleting(found)
        )
        mirrored = service is not None and is_mirrored(endpoints, service)
        return Observed(endpoints if mirrored else None, slices)

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed)


def _woken_by_slice(old: Object | None, new: Object | None) -> Iterable[str]:
    keys = (owned_key(found, "Endpoints") for found in (old, new) if found is not None)
    return dict.fromkeys(key for key in keys if key)


def is_mirrored(endpoints: Object, service: Object) -> bool:
    if endpoints.deleting or service.deleting or spec_of(service).get("selector"):
        return False
    skipped = endpoints.labels.get(SKIP) == "true"
    return not skipped and LEADER not in (endpoints.metadata.get("annotations") or {})


def plan(observed: Observed) -> Plan:
    """One slice for each family and set of ports; what is there is changed, not replaced."""
    wanted = wanted_slices(observed.endpoints) if observed.endpoints is not None else {}
    actions: list[Action] = []
    for found in observed.slices:
        want = wanted.pop(_key_of(found), None)
        if want is None:
            actions.append(Delete(found))
        elif not _says(found, want):
            data = found.copy()
            data["metadata"]["labels"] = want["metadata"]["labels"]
            data["metadata"]["annotations"] = want["metadata"]["annotations"]
            data["endpoints"] = want["endpoints"]
            actions.append(Update(ENDPOINTSLICES, data))
    creates = [Create(ENDPOINTSLICES, want) for want in wanted.values()]
    return Plan((*creates, *actions))


def wanted_slices(endpoints: Object) -> dict[Key, Json]:
    """What the slices shall say, by family and ports."""
    groups: dict[Key, list[Json]] = {}
    for subset in endpoints.data.get("subsets") or ():
        ports = _ports(subset.get("ports") or ())
        for member, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(member) or ():
                key = (_family(address["ip"]), ports)
                groups.setdefault(key, []).append(_endpoint(address, ready))
    return {key: _slice(endpoints, *key, found[:ADDRESSES_MAX]) for key, found in groups.items()}


def _slice(endpoints: Object, family: str, ports: Ports, found: Sequence[Json]) -> Json:
    notes = endpoints.metadata.get("annotations") or {}
    metadata = {
        "generateName": f"{endpoints.name}-",
        "namespace": endpoints.namespace,
        "labels": {**endpoints.labels, SERVICE_NAME: endpoints.name, MANAGED_BY: MANAGER},
        "annotations": {key: value for key, value in notes.items() if key not in NOT_COPIED},
        "ownerReferences": [controller_reference(endpoints)],
    }
    return {
        "apiVersion": ENDPOINTSLICES.api_version,
        "kind": ENDPOINTSLICES.kind,
        "metadata": metadata,
        "addressType": family,
        "endpoints": list(found),
        "ports": [dict(port) for port in ports],
    }


def _endpoint(address: Json, ready: bool) -> Json:
    endpoint: Json = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for field in ("hostname", "nodeName", "targetRef"):
        if address.get(field):
            endpoint[field] = address[field]
    return endpoint


def _ports(ports: Iterable[Json]) -> Ports:
    """In the fields' order of a slice; an unnamed port bears the empty name there."""
    order = ("name", "port", "protocol", "appProtocol")
    named = ({"name": "", "protocol": "TCP", **port} for port in ports)
    return tuple(tuple((f, port[f]) for f in order if f in port) for port in named)


def _key_of(found: Object) -> Key:
    return str(found.data.get("addressType")), _ports(found.data.get("ports") or ())


def _says(found: Object, want: Json) -> bool:
    notes = found.metadata.get("annotations") or {}
    labels_hold: bool = found.labels == want["metadata"]["labels"]
    notes_hold: bool = notes == want["metadata"]["annotations"]
    return labels_hold and notes_hold and found.data.get("endpoints") == want["endpoints"]


def _family(address: str) -> str:
    return f"IPv{ipaddress.ip_address(address).version}"

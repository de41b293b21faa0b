"""From a Service to the address of an endpoint, for calls the API server itself makes.

Owns      which port, which endpoint, and upstream's words when there is none.
Leaves    the Services and slices (the watch cache), calling (outgoing, proxying).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from busk8s.api.object import Json, Object

SLICES = "endpointslices.discovery.k8s.io"
SERVICE_LABEL = "kubernetes.io/service-name"


class Lookup(Protocol):
    def get(self, resource_key: str, namespace: str, name: str) -> Object | None: ...

    def list(self, resource_key: str, namespace: str | None = None) -> Sequence[Object]: ...


class Unresolved(Exception):
    """There is no such service, or nobody behind it. `found`: the Service itself is there."""

    def __init__(self, why: str, *, found: bool = True) -> None:
        super().__init__(why)
        self.found = found


def resolve(lookup: Lookup, namespace: str, name: str, port: int, turn: int) -> tuple[str, int]:
    """Host and port of the endpoint whose turn it is. Raises Unresolved."""
    service = lookup.get("services", namespace, name)
    if service is None:
        raise Unresolved(f'service "{name}" not found', found=False)
    spec = service.data.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName")), port
    wanted = next((p for p in spec.get("ports") or () if p.get("port") == port), None)
    if wanted is None:
        raise Unresolved(f'no service port {port} found for service "{name}"')
    ready = list(ready_endpoints(lookup, namespace, name, wanted.get("name") or ""))
    if not ready:
        raise Unresolved(f'no endpoints available for service "{name}"')
    return ready[turn % len(ready)]


def ready_endpoints(
    lookup: Lookup, namespace: str, service: str, port_name: str
) -> Iterator[tuple[str, int]]:
    """Addresses that serve the port of that name, in a stable order."""
    for slice_ in lookup.list(SLICES, namespace):
        if slice_.labels.get(SERVICE_LABEL) != service:
            continue
        data = slice_.data
        for port in data.get("ports") or ():
            if (port.get("name") or "") == port_name and port.get("port"):
                for endpoint in data.get("endpoints") or ():
                    yield from _addresses(endpoint, int(port["port"]))


def _addresses(endpoint: Json, port: int) -> Iterator[tuple[str, int]]:
    if (endpoint.get("conditions") or {}).get("ready", True):
        for address in (endpoint.get("addresses") or ())[:1]:
            yield address, port

"""Endpoint slices: where a service's pods are reached, and from where best.

Source    Kubernetes API reference, EndpointSlice; the rules of discovery validation.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from busk8s.api.meta import (
    NameErrors,
    label_errors,
    label_value_errors,
    qualified_name_errors,
    subdomain_errors,
)
from busk8s.api.rules.addresses import ip_errors, reachable_errors
from busk8s.api.rules.cause import (
    duplicate,
    immutable,
    invalid,
    invalid_each,
    one_of,
    required,
    too_many,
)
from busk8s.api.rules.metadata import validate_labels
from busk8s.api.rules.ports import PROTOCOLS
from busk8s.errors import Cause

Json = dict[str, Any]

ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
ENDPOINTS_MAX = 1000
ADDRESSES_MAX = 100
PORTS_MAX = 20000
TOPOLOGY_MAX = 16
HINTS_MAX = 8


def validate_endpoint_slice(endpoint_slice: Json, causes: list[Cause]) -> None:
    _validate_rest(endpoint_slice, causes)
    causes += _endpoint_errors(endpoint_slice)


def validate_endpoint_slice_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """Endpoints that have not changed are let pass, whatever they are."""
    _validate_rest(new, causes)
    if (new.get("endpoints") or []) != (old.get("endpoints") or []):
        causes += _endpoint_errors(new)
    if new.get("addressType") != old.get("addressType"):
        causes.append(immutable("addressType", new.get("addressType")))


def _validate_rest(endpoint_slice: Json, causes: list[Cause]) -> None:
    causes += one_of("addressType", endpoint_slice.get("addressType"), ADDRESS_TYPES)
    _validate_ports(endpoint_slice.get("ports") or [], causes)


def _endpoint_errors(endpoint_slice: Json) -> list[Cause]:
    kind, endpoints = endpoint_slice.get("addressType") or "", endpoint_slice.get("endpoints") or []
    if len(endpoints) > ENDPOINTS_MAX:
        return [too_many("endpoints", len(endpoints), ENDPOINTS_MAX)]
    causes: list[Cause] = []
    for index, endpoint in enumerate(endpoints):
        _validate_endpoint(endpoint, kind, f"endpoints[{index}]", causes)
    return causes


def _validate_endpoint(endpoint: Json, kind: str, path: str, causes: list[Cause]) -> None:
    addresses, here = endpoint.get("addresses") or [], f"{path}.addresses"
    if not addresses:
        causes.append(required(here, "must contain at least 1 address"))
    elif len(addresses) > ADDRESSES_MAX:
        causes.append(too_many(here, len(addresses), ADDRESSES_MAX))
    for index, address in enumerate(addresses):
        if kind == "FQDN":
            _validate_domain(address, f"{here}[{index}]", causes)
        elif kind in ADDRESS_TYPES:
            _validate_ip(address, kind, here, index, causes)
    if (node := endpoint.get("nodeName")) is not None:
        causes += invalid_each(f"{path}.nodeName", node, subdomain_errors(node))
    if topology := endpoint.get("deprecatedTopology"):
        if len(topology) > TOPOLOGY_MAX:
            causes.append(too_many(f"{path}.deprecatedTopology", len(topology), TOPOLOGY_MAX))
        causes += validate_labels(topology, f"{path}.deprecatedTopology")
    if (hostname := endpoint.get("hostname")) is not None:
        causes += invalid_each(f"{path}.hostname", hostname, label_errors(hostname))
    if hints := endpoint.get("hints"):
        for field, errors_of in (("forZones", label_value_errors), ("forNodes", subdomain_errors)):
            _validate_hints(hints.get(field) or [], errors_of, f"{path}.hints.{field}", causes)


def _validate_ip(address: str, kind: str, path: str, index: int, causes: list[Cause]) -> None:
    """Upstream names the list, not the address, that is of the wrong family."""
    here = f"{path}[{index}]"
    if errors := ip_errors(address, here):
        causes += errors
        return
    found = ipaddress.ip_address(address)
    if kind == "IPv6" and str(found) != address:
        causes.append(invalid(here, address, f'must be in canonical form ("{found}")'))
        return
    if kind != f"IPv{found.version}":
        causes.append(invalid(path, address, f"must be an {kind} address"))
    causes += reachable_errors(address, here)


def _validate_domain(name: str, path: str, causes: list[Cause]) -> None:
    if not name:
        causes.append(required(path))
        return
    name = name.removesuffix(".")
    if errors := subdomain_errors(name):
        causes += invalid_each(path, name, errors)
        return
    if "." not in name:
        detail = "should be a domain with at least two segments separated by dots"
        causes.append(invalid(path, name, detail))
        return
    for label in name.split("."):
        causes += invalid_each(path, label, label_errors(label))


def _validate_hints(
    hints: list[Json], errors_of: NameErrors, path: str, causes: list[Cause]
) -> None:
    if len(hints) > HINTS_MAX:
        causes.append(too_many(path, len(hints), HINTS_MAX))
        return
    seen: set[str] = set()
    for index, hint in enumerate(hints):
        here, name = f"{path}[{index}].name", hint.get("name") or ""
        if name in seen:
            causes.append(duplicate(here, name))
        seen.add(name)
        causes += invalid_each(here, name, errors_of(name))


def _validate_ports(ports: list[Json], causes: list[Cause]) -> None:
    if len(ports) > PORTS_MAX:
        causes.append(too_many("ports", len(ports), PORTS_MAX))
        return
    names = set()
    for index, port in enumerate(ports):
        here, name = f"ports[{index}]", port.get("name") or ""
        if name:
            causes += invalid_each(f"{here}.name", name, label_errors(name))
        if name in names:
            causes.append(duplicate(f"{here}.name", name))
        names.add(name)
        causes += one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS)
        if (protocol := port.get("appProtocol")) is not None:
            errors = qualified_name_errors(protocol)
            causes += invalid_each(f"{here}.appProtocol", protocol, errors)

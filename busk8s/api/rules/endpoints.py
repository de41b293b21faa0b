"""Endpoints, the older form of endpoint slices.

Source    Kubernetes API reference, Endpoints; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors, subdomain_errors
from busk8s.api.rules.addresses import ip_errors, reachable_errors
from busk8s.api.rules.cause import in_range, invalid_each, one_of, required
from busk8s.api.rules.ports import PORT_MAX, PROTOCOLS
from busk8s.errors import Cause

Json = dict[str, Any]


def validate_endpoints_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """Addresses are judged anew only where some subset has changed."""
    if (new.get("subsets") or []) != (old.get("subsets") or []):
        validate_endpoints(new, causes)


def validate_endpoints(endpoints: Json, causes: list[Cause]) -> None:
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        here = f"subsets[{index}]"
        addresses = subset.get("addresses") or ()
        not_ready = subset.get("notReadyAddresses") or ()
        if not addresses and not not_ready:
            causes.append(required(here, "must specify `addresses` or `notReadyAddresses`"))
        for number, address in enumerate(addresses):
            _validate_address(address, f"{here}.addresses[{number}]", causes)
        for number, address in enumerate(not_ready):
            _validate_address(address, f"{here}.notReadyAddresses[{number}]", causes)
        ports = subset.get("ports") or ()
        for number, port in enumerate(ports):
            _validate_port(port, f"{here}.ports[{number}]", len(ports) > 1, causes)


def _validate_address(address: Json, path: str, causes: list[Cause]) -> None:
    text = address.get("ip") or ""
    errors = ip_errors(text, f"{path}.ip")
    causes += errors or reachable_errors(text, f"{path}.ip")
    if host := address.get("hostname"):
        causes += invalid_each(f"{path}.hostname", host, label_errors(host))
    if node := address.get("nodeName"):
        causes += invalid_each(f"{path}.nodeName", node, subdomain_errors(node))


def _validate_port(port: Json, path: str, named: bool, causes: list[Cause]) -> None:
    name = port.get("name") or ""
    if name:
        causes += invalid_each(f"{path}.name", name, label_errors(name))
    elif named:
        causes.append(required(f"{path}.name"))
    causes += in_range(f"{path}.port", port.get("port", 0), 1, PORT_MAX)
    causes += one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    if protocol := port.get("appProtocol"):
        errors = qualified_name_errors(protocol)
        causes += invalid_each(f"{path}.appProtocol", protocol, errors)

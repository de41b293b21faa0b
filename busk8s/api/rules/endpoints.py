"""Endpoints, the older form of endpoint slices.

Source    Kubernetes API reference, Endpoints; the rules of core validation.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors, subdomain_errors
from busk8s.api.rules.addresses import IP_MESSAGE
from busk8s.api.rules.cause import in_range, invalid, invalid_each, one_of, required
from busk8s.api.rules.ports import PORT_MAX, PROTOCOLS
from busk8s.errors import Cause

Json = dict[str, Any]


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
    _validate_reachable(text, f"{path}.ip", causes)
    if host := address.get("hostname"):
        causes += invalid_each(f"{path}.hostname", host, label_errors(host))
    if node := address.get("nodeName"):
        causes += invalid_each(f"{path}.nodeName", node, subdomain_errors(node))


def _validate_reachable(text: str, path: str, causes: list[Cause]) -> None:
    """An address somebody else can be reached at."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        causes.append(invalid(path, text, IP_MESSAGE))
        return
    if found.is_unspecified:
        causes.append(invalid(path, text, f"may not be unspecified ({text})"))
    if found.is_loopback:
        detail = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
        causes.append(invalid(path, text, detail))
    if found.is_link_local:
        detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        causes.append(invalid(path, text, detail))
    if found in _LOCAL_MULTICAST.get(found.version, _NOWHERE):
        detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        causes.append(invalid(path, text, detail))


_NOWHERE = ipaddress.ip_network("0.0.0.0/32")
_LOCAL_MULTICAST: dict[int, ipaddress.IPv4Network | ipaddress.IPv6Network] = {
    4: ipaddress.ip_network("224.0.0.0/24"),
    6: ipaddress.ip_network("ff02::/16"),
}


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

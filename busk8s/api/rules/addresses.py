"""IP addresses and networks, as fields hold them that are older than strict parsing.

Owns      upstream's words for an address or a network that is none.
Invariant a value that the old object had there already is not judged again.
Source    apimachinery util/validation, "legacy" IP and CIDR fields; KEP 4858.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Any

from busk8s.api.rules.cause import invalid
from busk8s.errors import Cause

IP_MESSAGE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
CIDR_MESSAGE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_LOCAL_MULTICAST = tuple(map(ipaddress.ip_network, ("224.0.0.0/24", "ff02::/16")))
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_ip(text: Any) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return isinstance(text, str) and "%" not in text


def ip_errors(text: str, path: str, old: Collection[str] = ()) -> list[Cause]:
    """`old`: what the field held before."""
    if text in old:
        return []
    if not is_ip(text):
        sloppy = is_ip(_without_zeros(text))
        detail = "must not have leading 0s" if sloppy else IP_MESSAGE
        return [invalid(path, text, detail)]
    if _is_mapped(text):
        return [invalid(path, text, "must not be an IPv4-mapped IPv6 address")]
    return []


def cidr_errors(text: str, path: str, old: Collection[str] = ()) -> list[Cause]:
    if text in old:
        return []
    address, _, length = text.partition("/")
    network = parse_cidr(text)
    if network is None or "%" in text:
        if length.lstrip("0").isdigit() or set(length) == {"0"}:
            plain = f"{_without_zeros(address)}/{length.lstrip('0') or '0'}"
            if parse_cidr(plain) is not None:
                detail = "must not have leading 0s in IP or prefix length"
                return [invalid(path, text, detail)]
        return [invalid(path, text, CIDR_MESSAGE)]
    if _is_mapped(address):
        return [invalid(path, text, "must not have an IPv4-mapped IPv6 address")]
    if network.network_address != ipaddress.ip_address(address):
        return [invalid(path, text, "must not have bits set beyond the prefix length")]
    return []


def reachable_errors(text: str, path: str) -> list[Cause]:
    """Endpoints and external IPs must be addresses that others can reach."""
    try:
        address = ipaddress.ip_address(_without_zeros(text))
    except ValueError:
        return [invalid(path, text, "must be a valid IP address")]
    causes: list[Cause] = []
    if address.is_unspecified:
        causes.append(invalid(path, text, f"may not be unspecified ({text})"))
    if address.is_loopback:
        detail = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
        causes.append(invalid(path, text, detail))
    if address.is_link_local:
        detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        causes.append(invalid(path, text, detail))
    if any(address in network for network in _LOCAL_MULTICAST):
        detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        causes.append(invalid(path, text, detail))
    return causes


def parse_cidr(text: str) -> Network | None:
    """The network that address lies in; None if it is not written as `address/length`."""
    address, slash, length = text.partition("/")
    if not slash or not (length.isascii() and length.isdigit()) or not is_ip(address):
        return None
    if len(length) > 1 and length[0] == "0":
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_mapped(text: str) -> bool:
    return ":" in text and ipaddress.IPv6Address(text).ipv4_mapped is not None


def _without_zeros(text: str) -> str:
    """`010.02.3.4` as older parsers read it."""
    if ":" in text:
        return text
    return ".".join(part.lstrip("0") or "0" if part else part for part in text.split("."))

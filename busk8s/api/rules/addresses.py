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

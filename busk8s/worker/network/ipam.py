"""Addresses of pods within the node's subnet. Pure.

Owns      which address is next. State is what the caller derives from its sandboxes.
Invariant never the network's own, the gateway's (the first), or the broadcast address; an address
          just given back is the last to be given again, as peers may still remember its owner.
"""

from __future__ import annotations

import socket
from collections.abc import Container


class Full(Exception):
    """Every address of the subnet is taken."""


class Subnet:
    """An IPv4 prefix. Refuses what is not one, by name."""

    def __init__(self, cidr: str) -> None:
        network, slash, prefix = cidr.partition("/")
        try:
            first = int.from_bytes(socket.inet_pton(socket.AF_INET, network), "big")
            self.prefix = int(prefix)
        except (OSError, ValueError):
            raise ValueError(f"not an IPv4 subnet: {cidr!r}") from None
        if not slash or not 8 <= self.prefix <= 30:
            raise ValueError(f"a pod subnet is a prefix from /8 to /30, not {cidr!r}")
        self.size = 1 << (32 - self.prefix)
        self._first = first & ~(self.size - 1)

    def __str__(self) -> str:
        return f"{self.address(0)}/{self.prefix}"

    @property
    def gateway(self) -> str:
        return self.address(1)

    def address(self, offset: int) -> str:
        return socket.inet_ntoa((self._first + offset).to_bytes(4, "big"))

    def offset(self, ip: str) -> int:
        return int.from_bytes(socket.inet_aton(ip), "big") - self._first

    def __contains__(self, ip: str) -> bool:
        return 0 <= self.offset(ip) < self.size


def next_address(subnet: Subnet, used: Container[str], after: str = "") -> str:
    """The first free address behind `after`, going round."""
    usable = subnet.size - 3
    start = subnet.offset(after) - 1 if after and after in subnet else 0
    for step in range(usable):
        ip = subnet.address(2 + (start + step) % usable)
        if ip not in used:
            return ip
    raise Full(f"no address is left in {subnet}")


def mac_of(ip: str) -> bytes:
    """A local hardware address made of the IP: a reused address never meets a stale neighbour."""
    return b"\x02\x42" + socket.inet_aton(ip)

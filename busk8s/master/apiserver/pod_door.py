"""A second door for the pods of this host, where the API listens on loopback only.

Owns      which address that is, and who may come in there: this host and its pods.
Leaves    the traffic of Services (the proxy leads pods from `kubernetes.default` to this address).
Invariant what listens on loopback stays closed to every other machine.
"""

from __future__ import annotations

import ipaddress
import socket

from busk8s.config import ConfigError, MasterSettings, listen, own_address
from busk8s.log import Logger

log = Logger("busk8s.apiserver")


class PodDoor:
    """`address` is "" when there is no need for such a door, or no place."""

    def __init__(self, settings: MasterSettings) -> None:
        loopback = ipaddress.ip_address(settings.bind).is_loopback
        found = own_address() if loopback else ""
        self.address = "" if not found or ipaddress.ip_address(found).is_loopback else found
        self._pods = ipaddress.ip_network(settings.pod_cidr)

    def open(self, port: int) -> list[socket.socket]:
        if not self.address:
            return []
        try:
            return [listen("--https-port", self.address, port)]
        except ConfigError as error:
            log.warning("pods cannot reach the API", why=error)
            return []

    def admits(self, ours: str, theirs: str) -> bool:
        if not self.address or ours != self.address or theirs == ours:
            return True
        try:
            return ipaddress.ip_address(theirs) in self._pods
        except ValueError:
            return False

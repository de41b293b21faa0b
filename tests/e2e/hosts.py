"""Hosts as network namespaces on one switch: real machines as far as the network can tell.

Each host has an address, its own interfaces, routes and nftables. Processes, files and cgroups
are shared with the machine the tests run on.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert not done.returncode, f"ip {' '.join(words)}: {done.stderr}"


@dataclass(frozen=True)
class Host:
    name: str
    namespace: str
    address: str

    @property
    def inside(self) -> tuple[str, ...]:
        """The prefix that runs a command on this host. (`ip netns exec` would hide cgroups.)"""
        return ("nsenter", f"--net=/run/netns/{self.namespace}")


class Lan:
    """A switch with hosts; `cut` and `mend` pull and plug a host's cable.

    Named by the test's process, so that two test runs on one machine do not meet.
    """

    def __init__(self, names: list[str]) -> None:
        prefix = f"e2e-{os.getpid()}"
        self._switch = f"{prefix}-sw"
        self.hosts = {
            name: Host(name, f"{prefix}-{name}", f"10.99.0.{number}")
            for number, name in enumerate(names, 1)
        }

    def build(self) -> None:
        self.remove()
        ip("netns", "add", self._switch)
        ip("-n", self._switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self._switch, "link", "set", "br0", "up")
        for host in self.hosts.values():
            ip("netns", "add", host.namespace)
            ip("-n", host.namespace, "link", "set", "lo", "up")
            ip("-n", host.namespace, "link", "add", "eth0", "type", "veth", "peer",
               "name", host.name, "netns", self._switch)  # fmt: skip
            ip("-n", self._switch, "link", "set", "dev", host.name, "master", "br0", "up")
            ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
            ip("-n", host.namespace, "link", "set", "eth0", "up")

    def cut(self, name: str) -> None:
        ip("-n", self._switch, "link", "set", "dev", name, "down")

    def mend(self, name: str) -> None:
        ip("-n", self._switch, "link", "set", "dev", name, "up")

    def remove(self) -> None:
        there = subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout.split()
        for namespace in [*(h.namespace for h in self.hosts.values()), self._switch]:
            if namespace in there:
                ip("netns", "del", namespace)

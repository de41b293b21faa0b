"""Which addresses a cluster gives to services and pods: chosen once, kept in its data directory.

Owns      the choice, so that two clusters on one host never give out the same address.
Leaves    giving single addresses out (allocators.py, join.py).
Why not fixed ranges: bridges, routes and nat rules of two clusters with the same ranges would
          lead to each other's pods.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterable
from dataclasses import replace

from busk8s.config import ConfigError, DataDir, MasterSettings, write_private

FIRST, LAST = 100, 249  # second numbers to choose among: 10.0-10.99 is where many networks are
Network = ipaddress.IPv4Network


def ranged(settings: MasterSettings, data: DataDir) -> MasterSettings:
    """`settings` with both ranges: as given, else as this cluster has them, else newly chosen."""
    path = data.path / "ranges.json"
    known: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    if not known:
        service, pods = choose(data.cluster_id, _taken(), loopback=os.geteuid() != 0)
        known = {"service": str(service), "pods": str(pods)}
    chosen = {
        "service": settings.service_cidr or known["service"],
        "pods": settings.pod_cidr or known["pods"],
    }
    for name, text in chosen.items():
        try:
            Network(text)
        except ValueError as error:
            raise ConfigError(f"the range of {name}: {error}") from None
    if not path.exists() or chosen != known:
        write_private(path, json.dumps(chosen).encode())
    return replace(settings, service_cidr=chosen["service"], pod_cidr=chosen["pods"])


def choose(cluster_id: str, taken: Iterable[Network], *, loopback: bool) -> tuple[Network, Network]:
    """(services, pods): two free /16, in an order of the cluster's own. Pure.

    `loopback`: without root services can be served in 127.0.0.0/8 only, where any address may be
    bound (worker/proxy/userspace.py).
    """
    busy = list(taken)
    start = int.from_bytes(cluster_id.encode(), "big")
    count = LAST - FIRST + 1
    free: list[Network] = []
    for step in range(count):
        second = FIRST + (start + step * 37) % count  # 37 and 150 share no factor: all come up
        network = Network(f"10.{second}.0.0/16")
        if not any(network.overlaps(other) for other in busy):
            free.append(network)
    if len(free) < 2:
        raise ConfigError("no free /16 is left in 10.0.0.0/8: set the service and pod ranges")
    if loopback:
        return Network(f"127.{free[0].network_address.packed[1]}.0.0/16"), free[1]
    return free[0], free[1]


def _taken() -> list[Network]:
    """Networks this host has routes to, other than by default."""
    try:
        with open("/proc/net/route") as file:
            rows = [line.split() for line in file.read().splitlines()[1:]]
    except OSError:
        return []
    return [
        Network((_reversed(row[1]), str(ipaddress.IPv4Address(_reversed(row[7])))), strict=False)
        for row in rows
        if row[1] != "00000000"
    ]


def _reversed(text: str) -> int:
    """The kernel prints addresses in the machine's order."""
    return int.from_bytes(bytes.fromhex(text), "little")

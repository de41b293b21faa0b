"""The node's bridge and each pod's cable to it.

Owns      the bridge of one cluster on one node, its gateway address, pods' veth pairs, and the
          switches in /proc/sys that forwarding needs.
Leaves    which address (ipam.py), other nodes (routes.py), services (worker/proxy).
Invariant every device is named after the cluster directory or the sandbox; a veth pair ends with
          the pod's namespace even if nobody takes it away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from busk8s.worker.network.ipam import Subnet, mac_of, next_address
from busk8s.worker.network.netlink import Netlink

LOOPBACK_INDEX = 1


def bridge_name(cluster: str) -> str:
    """`cluster` is supervisor.cluster_name's ten characters; a device's name has 15 at most."""
    return f"bk8s-{cluster[:10]}"


def veth_name(sandbox_id: str) -> str:
    return f"bk{sandbox_id[:12]}"


class PodNetwork:
    """`own_netns` is where the bridge is: the namespace of the process that calls."""

    def __init__(
        self, cluster: str, pod_cidr: str, enter_netns: Callable[[int], None], own_netns: int
    ) -> None:
        self.subnet = Subnet(pod_cidr)
        self.bridge = bridge_name(cluster)
        self._enter = enter_netns
        self._own = own_netns
        self._used: dict[str, None] = {}
        self._last = ""
        self._netlink = Netlink()
        self._index = self._netlink.index(self.bridge)
        if not self._index:
            self._index = self._netlink.add_bridge(self.bridge, mac_of(self.subnet.gateway))
        self._netlink.add_address(self._index, self.subnet.gateway, self.subnet.prefix)
        allow_forwarding()

    def adopt(self, addresses: Iterable[str]) -> None:
        """What is taken already."""
        self._used.update((ip, None) for ip in addresses if ip)

    def attach(self, sandbox_id: str, netns: int) -> str:
        """Give the pod in `netns` an eth0 with an address and a way out."""
        ip = next_address(self.subnet, self._used, self._last)
        name = veth_name(sandbox_id)
        self._netlink.add_veth(name, self._index, peer="eth0", peer_netns=netns, mac=mac_of(ip))
        try:
            self._netlink.set_hairpin(name)
            self._configure(netns, ip)
        except OSError:
            self._netlink.remove_link(name)
            raise
        self._used[ip] = None
        self._last = ip
        return ip

    def detach(self, ip: str) -> None:
        """Give the address back. The caller lets go of the namespace, and the kernel takes the pair
        away with it, many at once; asked to remove one, it would hold us up for 20 ms and more.
        """
        self._used.pop(ip, None)

    def close(self) -> None:
        """Take the bridge away, and with it what is still plugged in."""
        self._netlink.remove_link(self.bridge)
        self._netlink.close()

    def _configure(self, netns: int, ip: str) -> None:
        self._enter(netns)
        try:
            inside = Netlink()
        finally:
            self._enter(self._own)
        try:
            inside.set_up(LOOPBACK_INDEX)
            index = inside.index("eth0")
            inside.set_up(index)
            inside.add_address(index, ip, self.subnet.prefix)
            inside.add_route("0.0.0.0", 0, gateway=self.subnet.gateway)
        finally:
            inside.close()


def remove_bridge(cluster: str) -> None:
    """Idempotent."""
    netlink = Netlink()
    try:
        netlink.remove_link(bridge_name(cluster))
    finally:
        netlink.close()


def allow_forwarding() -> None:
    """Per network namespace. With bridge-nf off, a pod's call to a Service whose pod is on the same
    bridge would get its answer from the wrong address; where the file is missing the proxy
    masquerades such calls (proxy/rules.py).
    """
    set_sysctl("net/ipv4/ip_forward", "1")
    set_sysctl("net/bridge/bridge-nf-call-iptables", "1")


def bridge_filters() -> bool:
    """Whether bridged packets pass netfilter, so that answers are translated back."""
    try:
        with open("/proc/sys/net/bridge/bridge-nf-call-iptables") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def set_sysctl(name: str, value: str) -> bool:
    """False where there is no such switch or it may not be set (a container's read-only /proc)."""
    try:
        fd = os.open(f"/proc/sys/{name}", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.read(fd, 64).strip() != value.encode():
            os.pwrite(fd, value.encode(), 0)  # elsewhere than at 0 it would be ignored
    except OSError:
        return False
    finally:
        os.close(fd)
    return True

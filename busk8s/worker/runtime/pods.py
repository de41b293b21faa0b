"""The sandboxes a supervisor holds: namespaces, directory, address.

Owns      each pod's network, hostname and IPC namespaces, held by file descriptors: when this
          process ends, they end, and with them the pod's end of its veth pair.
Leaves    containers (containers.py); bridges and addresses (worker/network).
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from busk8s.worker.network.bridge import PodNetwork, remove_bridge
from busk8s.worker.network.ipam import Full, Subnet
from busk8s.worker.runtime import linux
from busk8s.worker.runtime.containers import Containers
from busk8s.worker.runtime.failure import Failure
from busk8s.worker.runtime.reactor import wall
from busk8s.worker.runtime.spawn import Features
from busk8s.worker.runtime.table import Table

if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

NAMESPACES = (
    ("net", linux.CLONE_NEWNET),
    ("uts", linux.CLONE_NEWUTS),
    ("ipc", linux.CLONE_NEWIPC),
)


class Pods:
    def __init__(self, root: str, table: Table, containers: Containers, features: Features) -> None:
        self._root = root
        self._table = table
        self._containers = containers
        self._features = features
        self._namespaces: dict[str, list[int]] = {}
        self._own = {name: _namespace(name) for name, _ in NAMESPACES}
        self.network: PodNetwork | None = None
        self.publish: Callable[[str, Json], None] = lambda kind, record: None

    def run(self, config: Json) -> Json:
        for record in self._table.sandboxes.values():
            known = record["config"]
            same = (known["uid"], known["attempt"]) == (config["uid"], config["attempt"])
            if same and record["state"] == "ready":
                return record  # asked twice: a reply was lost
        sandbox_id = os.urandom(16).hex()
        directory = f"{self._root}/sandboxes/{sandbox_id}"
        os.makedirs(f"{directory}/work", mode=0o755)
        os.chmod(f"{directory}/work", 0o1777)  # containers of the pod may run as several users
        try:
            ip = self._isolate(sandbox_id, config) if self._features.namespaces else ""
        except (OSError, Failure):
            self._release(sandbox_id)
            shutil.rmtree(directory, ignore_errors=True)
            raise
        record = {
            "id": sandbox_id, "config": config, "state": "ready", "created_at": wall(), "ip": ip,
            "directory": directory,
        }  # fmt: skip
        _write_files(directory, config, ip)
        self._put(record)
        return record

    def set_pod_cidr(self, cluster: str, pod_cidr: str) -> None:
        """Make the node's bridge. Idempotent; another subnet only while no pod has an address."""
        if not self._features.namespaces:
            return
        known = self.network
        if known is not None and str(known.subnet) == str(Subnet(pod_cidr)):
            return
        taken = [r["ip"] for r in self._table.sandboxes.values() if r["state"] == "ready"]
        if known is not None and any(taken):
            raise Failure("PodCIDRInUse", f"pods have addresses of {known.subnet}")
        if known is not None:
            self.close_network(cluster)
        self.network = PodNetwork(cluster, pod_cidr, linux.setns, self._own["net"])
        self.network.adopt(taken)

    def close_network(self, cluster: str) -> None:
        """Take the bridge away, a killed predecessor's too."""
        if self.network is not None:
            self.network.close()
            self.network = None
        elif self._features.namespaces:
            remove_bridge(cluster)

    def stop(self, sandbox_id: str) -> None:
        """What still runs was told to stop by the kubelet; the caller killed the rest."""
        record = self.record(sandbox_id)
        if record["state"] == "ready":
            if self.network is not None and record["ip"]:
                self.network.detach(record["ip"])
            self._release(sandbox_id)
            record.update(state="notready")
            self._put(record)

    def remove(self, sandbox_id: str) -> None:
        record = self._table.sandboxes.get(sandbox_id)
        if record is not None:
            shutil.rmtree(record["directory"], ignore_errors=True)
            self._table.drop("sandbox", sandbox_id)
            self.publish("sandbox-gone", {"id": sandbox_id})

    def record(self, sandbox_id: str) -> Json:
        record = self._table.sandboxes.get(sandbox_id)
        if record is None:
            raise Failure("NotFound", f"no sandbox {sandbox_id}")
        return record

    def ready(self, sandbox_id: str) -> Json:
        record = self.record(sandbox_id)
        if record["state"] != "ready":
            raise Failure("SandboxNotReady", f"sandbox {sandbox_id} is not ready")
        return record

    def namespaces(self, sandbox_id: str) -> list[int]:
        return self._namespaces.get(sandbox_id, [])

    def bury(self, record: Json) -> None:
        """A sandbox of a supervisor that was killed: its namespaces ended with it."""
        if record["state"] == "ready":
            record.update(state="notready")
            self._put(record)

    def _isolate(self, sandbox_id: str, config: Json) -> str:
        """Make the pod's namespaces by stepping into new ones and back; the address, if any."""
        host = config["host_network"]
        wanted = [(n, flag) for n, flag in NAMESPACES if not host or n == "ipc"]
        if not host and self.network is None:
            raise Failure("NetworkNotReady", "the node has no pod subnet yet")
        held = self._namespaces[sandbox_id] = []
        try:
            for name, flag in wanted:
                linux.unshare(flag)
                held.append(_namespace(name))
            if not host and config["hostname"]:
                socket.sethostname(config["hostname"])
            _apply_sysctls(config["sysctls"])
        finally:
            for name, _ in wanted:
                linux.setns(self._own[name])
        if host or self.network is None:
            return ""
        try:
            return self.network.attach(sandbox_id, held[0])
        except Full as full:
            raise Failure("NetworkNotReady", str(full)) from full

    def _release(self, sandbox_id: str) -> None:
        for fd in self._namespaces.pop(sandbox_id, []):
            os.close(fd)

    def _put(self, record: Json) -> None:
        self._table.put("sandbox", record)
        self.publish("sandbox", record)


def _namespace(name: str) -> int:
    return os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)


def _apply_sysctls(sysctls: Json) -> None:
    for name, value in sysctls.items():
        path = "/proc/sys/" + name.replace(".", "/")
        if not name.startswith(("net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
            raise Failure("SysctlForbidden", f"sysctl {name} is not the pod's own")
        try:
            with open(path, "w", buffering=1) as file:
                file.write(value)
        except OSError as error:
            raise Failure("SysctlForbidden", f"cannot set sysctl {name}: {error}") from error


def _write_files(directory: str, config: Json, ip: str) -> None:
    if not config["host_network"]:
        lines = ["# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost"]
        if ip and config["hostname"]:
            lines.append(f"{ip}\t{config['hostname']}")
        _write(f"{directory}/hosts", lines)
    if config["dns_servers"] or config["dns_searches"] or config["dns_options"]:
        lines = [f"nameserver {server}" for server in config["dns_servers"]]
        if config["dns_searches"]:
            lines.insert(0, "search " + " ".join(config["dns_searches"]))
        if config["dns_options"]:
            lines.append("options " + " ".join(config["dns_options"]))
        _write(f"{directory}/resolv.conf", lines)


def _write(path: str, lines: list[str]) -> None:
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")

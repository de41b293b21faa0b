"""One cgroup a container under one parent a cluster: limits, usage, out-of-memory, exact kill.

Owns      finding out what this machine has (v1, v2, both, none) and the files of either.
Leaves    when to make, kill and remove (containers.py).
Invariant a group that cannot be made or a limit that cannot be set is an entry in `problems`,
          never a guess. Files are written by os.write: buffered writes lose the error.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids")
V2_CONTROLLERS = ("memory", "cpu", "pids")
CFS_PERIOD_US = 100_000


def write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def hierarchies(mountinfo: str, membership: str) -> dict[str, str]:
    """Controller (v2: "") -> the directory this process is in. Pure, given the two /proc files."""
    mine = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            mine[name] = path
    found: dict[str, str] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, point = before.split(" ")[3:5]
        names = [""] if kind == "cgroup2" else options.split(" ")[-1].split(",")
        for name in names if kind in ("cgroup", "cgroup2") else ():
            if name in mine:
                inside = mine[name].removeprefix(root.rstrip("/")) if root != "/" else mine[name]
                found.setdefault(name, point + inside.rstrip("/"))
    return found


def cpu_weight(shares: int) -> int:
    """cgroup v1 cpu.shares (2..262144) as v2 cpu.weight (1..10000), as upstream maps it."""
    return 1 + (shares - 2) * 9999 // 262142


def settings(limits: Json, version: int) -> list[tuple[str, str, str]]:
    """(controller, file, value) for `limits`. Pure."""
    out = []
    memory, pids = limits["memory_limit_bytes"], limits["pids_limit"]
    quota = max(1000, limits["cpu_limit_millis"] * CFS_PERIOD_US // 1000)
    request = limits["cpu_request_millis"] or limits["cpu_limit_millis"]
    shares = min(262144, max(2, request * 1024 // 1000))
    if version == 1:
        if memory:
            out.append(("memory", "memory.limit_in_bytes", str(memory)))
        out.append(("cpu", "cpu.shares", str(shares)))
        if limits["cpu_limit_millis"]:
            out.append(("cpu", "cpu.cfs_period_us", str(CFS_PERIOD_US)))
            out.append(("cpu", "cpu.cfs_quota_us", str(quota)))
    else:
        out.append(("memory", "memory.oom.group", "1"))
        if memory:
            out.append(("memory", "memory.max", str(memory)))
            out.append(("memory", "memory.swap.max", "0"))
        out.append(("cpu", "cpu.weight", str(cpu_weight(shares))))
        if limits["cpu_limit_millis"]:
            out.append(("cpu", "cpu.max", f"{quota} {CFS_PERIOD_US}"))
    if pids:
        out.append(("pids", "pids.max", str(pids)))
    return out


# Fails where the machine has no such thing (swap accounting) without taking a limit away.
OPTIONAL_FILES = ("memory.swap.max", "memory.oom.group", "cpu.shares", "cpu.weight")


class Cgroups:
    """The parent groups named `name`; containers' groups are directories below them."""

    def __init__(self, name: str) -> None:
        self.problems: list[str] = []
        self._v1: dict[str, str] = {}  # controller -> parent directory
        self._v2 = ""
        self._v2_controllers: list[str] = []
        found = hierarchies(read("/proc/self/mountinfo"), read("/proc/self/cgroup"))
        for controller in V1_CONTROLLERS:
            if controller in found and (path := self._parent(found[controller], name)):
                self._v1[controller] = path
        if "" in found:
            self._open_v2(found[""], name)

    @property
    def version(self) -> str:
        """ "v1", "v2", "v1+v2" (v2 without controllers), "v2 (no controllers)" or "none"."""
        if self._v1:
            return "v1+v2" if self._v2 else "v1"
        if not self._v2:
            return "none"
        return "v2" if self._v2_controllers else "v2 (no controllers)"

    def controllers(self) -> list[str]:
        return sorted(self._v1) or self._v2_controllers

    def make(self, container_id: str, limits: Json) -> list[str]:
        """Groups for a container; what was made. Raises OSError if a limit that can be is not set.

        A limit whose controller is not there is left out: see Runtime.unenforced_limits.
        """
        paths = []
        for controller, parent in self._v1.items():
            needed = controller in ("memory", "cpuacct") or _wants(controller, limits)
            if needed and not (controller == "cpuacct" and self._joint()):
                paths.append(self._child(parent, container_id))
        if self._v2:
            paths.append(self._child(self._v2, container_id))
        version = 1 if self._v1 else 2
        for controller, file, value in settings(limits, version):
            if controller in self.controllers():  # The kubelet says what is not enforced here.
                self._set(controller, container_id, file, value)
        return paths

    def update(self, container_id: str, limits: Json) -> None:
        """Other limits for a container that runs, in groups it may not have had so far."""
        running = self.pids(container_id)
        for path in self.make(container_id, limits):
            for pid in running:
                try:
                    write(f"{path}/cgroup.procs", str(pid))
                except ProcessLookupError:
                    pass  # It has ended since.

    def paths(self, container_id: str) -> list[str]:
        """The groups a container has: where what is run in it belongs."""
        paths = [f"{parent}/{container_id}" for parent in self.parents()]
        return [path for path in paths if os.path.exists(path)]

    def _joint(self) -> bool:
        """cpu and cpuacct mounted as one hierarchy, as systemd does."""
        return self._v1.get("cpu") == self._v1.get("cpuacct") and "cpu" in self._v1

    def _set(self, controller: str, container_id: str, file: str, value: str) -> None:
        parent = self._v1.get(controller) or (
            self._v2 if controller in self._v2_controllers else ""
        )
        path = f"{parent}/{container_id}/{file}"
        if not parent or not os.path.exists(path):
            if file in OPTIONAL_FILES:
                return
            raise OSError(f"this machine cannot set {file}: no {controller} controller")
        try:
            write(path, value)
        except OSError:
            if file not in OPTIONAL_FILES:
                raise

    def _child(self, parent: str, container_id: str) -> str:
        path = f"{parent}/{container_id}"
        os.makedirs(path, exist_ok=True)
        return path

    def _parent(self, mine: str, name: str) -> str:
        path = f"{mine}/{name}"
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            self.problems.append(str(error))
            return ""
        return path

    def _open_v2(self, mine: str, name: str) -> None:
        """v2 gives controllers only where no process sits: try at our own group, then the root."""
        mount = mine[: -len(inside)] if (inside := _v2_path()) else mine
        bare = ""
        for base in dict.fromkeys([mine, mount]):
            have = read(f"{base}/cgroup.controllers").split()
            wanted = [] if self._v1 else [c for c in V2_CONTROLLERS if c in have]
            path = self._parent(base, name)
            if path and (not wanted or _enable([base, path], wanted)):
                self._v2, self._v2_controllers = path, wanted
                if bare:
                    _rmdir(bare)
                return
            if path:
                self.problems.append(f"{base}: controllers cannot be handed to child groups")
                bare = bare or path
        self._v2 = bare  # without controllers it still kills exactly

    def usage(self, container_id: str) -> tuple[float, int] | None:
        """(cpu seconds, working set bytes) or None where nothing is counted."""
        if "memory" in self._v1:
            base = f"{self._v1['memory']}/{container_id}"
            used = int(read(f"{base}/memory.usage_in_bytes") or 0)
            idle = _field(f"{base}/memory.stat", "total_inactive_file")
            cpu = read(f"{self._v1.get('cpuacct', '')}/{container_id}/cpuacct.usage")
            return int(cpu or 0) / 1e9, max(0, used - idle)
        if "memory" in self._v2_controllers:
            base = f"{self._v2}/{container_id}"
            used = int(read(f"{base}/memory.current") or 0)
            idle = _field(f"{base}/memory.stat", "inactive_file")
            return _field(f"{base}/cpu.stat", "usage_usec") / 1e6, max(0, used - idle)
        return None

    def oom_kills(self, container_id: str) -> int:
        if "memory" in self._v1:
            return _field(f"{self._v1['memory']}/{container_id}/memory.oom_control", "oom_kill")
        if "memory" in self._v2_controllers:
            return _field(f"{self._v2}/{container_id}/memory.events", "oom_kill")
        return 0

    def kill(self, container_id: str) -> None:
        """SIGKILL to everything in the container's group, what is being forked included."""
        if self._v2 and os.path.exists(f"{self._v2}/{container_id}/cgroup.kill"):
            try:
                write(f"{self._v2}/{container_id}/cgroup.kill", "1")
                return
            except OSError:
                pass
        for pid in self.pids(container_id):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def pids(self, container_id: str) -> list[int]:
        parents = ([self._v2] if self._v2 else []) + list(self._v1.values())
        for parent in parents:
            if os.path.exists(f"{parent}/{container_id}"):
                return [int(p) for p in read(f"{parent}/{container_id}/cgroup.procs").split()]
        return []

    def remove(self, container_id: str) -> bool:
        """Take the container's groups away; False while something in them is still dying."""
        done = [_rmdir(f"{parent}/{container_id}") for parent in self.parents()]
        return all(done)

    def leftovers(self) -> list[str]:
        """Containers that have a group, known to a table or not."""
        names: dict[str, None] = {}
        for parent in self.parents():
            names.update((e.name, None) for e in os.scandir(parent) if e.is_dir())
        return list(names)

    def remove_parents(self) -> bool:
        done = [_rmdir(parent) for parent in self.parents()]
        return all(done)

    def parents(self) -> list[str]:
        return list(dict.fromkeys([*self._v1.values(), *([self._v2] if self._v2 else [])]))


def remove_tree(parent: str) -> None:
    """Kill what is in the groups below `parent` and take them away, as far as they go."""
    if not os.path.isdir(parent):
        return
    for entry in os.scandir(parent):
        if entry.is_dir():
            for pid in read(f"{entry.path}/cgroup.procs").split():
                try:
                    os.kill(int(pid), 9)
                except ProcessLookupError:
                    pass
            _rmdir(entry.path)
    _rmdir(parent)


def _wants(controller: str, limits: Json) -> bool:
    if controller == "cpu":
        return bool(limits["cpu_request_millis"] or limits["cpu_limit_millis"])
    return bool(limits["pids_limit"])


def _v2_path() -> str:
    for line in read("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            return line[3:].rstrip("/")
    return ""


def _enable(directories: list[str], controllers: list[str]) -> bool:
    text = " ".join(f"+{name}" for name in controllers)
    try:
        for directory in directories:
            write(f"{directory}/cgroup.subtree_control", text)
    except OSError:
        return False
    return True


def _field(path: str, name: str) -> int:
    for line in read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _rmdir(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True

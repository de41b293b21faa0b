"""The containers a supervisor holds: created, started, stopped, reaped, counted.

Owns      each container's process, pipes, groups and record, from create to remove.
Leaves    sandboxes and their namespaces (pods.py), the steps between fork and exec (spawn.py).
Invariant a container's main process is this process's child; when it ends, everything else the
          container started is killed before the container is reported as exited.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from busk8s.worker.runtime import orphans
from busk8s.worker.runtime.cgroups import Cgroups
from busk8s.worker.runtime.failure import Failure, Reply, too_small
from busk8s.worker.runtime.output import Collected
from busk8s.worker.runtime.reactor import Reactor, wall
from busk8s.worker.runtime.spawn import REPORT_BYTES_MAX, Features, Plan, failure_of, spawn
from busk8s.worker.runtime.stdio import Stdio
from busk8s.worker.runtime.table import Table, start_ticks

if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

KILLED = 128 + signal.SIGKILL
START_FAILED = 128  # containerd's exit code for a process that never began
TERMINAL = "xterm"  # what containerd says of the terminals it makes
REMOVE_GROUP_EVERY_S = 0.05
REMOVE_GROUP_TRIES = 100


class Held:
    """A container with a process."""

    def __init__(self, record: Json, stdio: Stdio) -> None:
        self.record = record
        self.stdio = stdio
        self.pid = 0
        self.report: Collected | None = None
        self.started: Reply | None = None
        self.stoppers: list[Reply] = []
        self.failure: Failure | None = None
        self.terminated = False  # killed in place of a SIGTERM the kernel would have withheld


class Containers:
    def __init__(
        self, root: str, reactor: Reactor, table: Table, cgroups: Cgroups, features: Features
    ) -> None:
        self._root = root
        self._reactor = reactor
        self._table = table
        self._cgroups = cgroups
        self._features = features
        self._held: dict[str, Held] = {}
        self._by_pid: dict[int, Held] = {}
        self.publish: Callable[[str, Json], None] = lambda kind, record: None
        self.namespaces: Callable[[str], list[int]] = lambda sandbox_id: []

    # -- operations ---------------------------------------------------------------------------

    def create(self, sandbox: Json, config: Json) -> str:
        for record in self._table.containers.values():
            same = (
                record["sandbox_id"] == sandbox["id"] and record["config"]["name"] == config["name"]
            )
            if same and record["config"]["attempt"] == config["attempt"]:
                return str(record["id"])  # asked twice: a reply was lost
        self._refuse(sandbox, config)
        container_id = os.urandom(16).hex()
        os.makedirs(self._directory(container_id), mode=0o755)
        self._put({
            "id": container_id, "sandbox_id": sandbox["id"], "config": config, "state": "created",
            "created_at": wall(), "started_at": 0.0, "finished_at": 0.0, "exit_code": 0,
            "signal": 0, "reason": "", "message": "", "pid": 0, "start_ticks": 0,
        })  # fmt: skip
        return container_id

    def start(self, sandbox: Json, container_id: str, reply: Reply) -> None:
        record = self.record(container_id)
        if record["state"] != "created":
            raise Failure("StartError", f"container {container_id} is {record['state']}")
        config = record["config"]
        path = ""
        if config["log_path"] and sandbox["config"]["log_directory"]:
            path = os.path.join(sandbox["config"]["log_directory"], config["log_path"])
        try:
            stdio = Stdio(self._reactor, path, tty=config["tty"], stdin=config["stdin"])
        except OSError as error:
            raise Failure("CreateContainerError", f"cannot write the log: {error}") from error
        held = Held(record, stdio)
        held.started = reply
        try:
            self._spawn(held, sandbox)
        except OSError as error:
            held.failure = Failure("CreateContainerError", str(error))
            self._finish(held, START_FAILED << 8)
        finally:
            stdio.close_child_ends()

    def stop(self, container_id: str, grace_s: float, reply: Reply) -> None:
        held = self._held.get(container_id)
        if held is None:
            self.record(container_id)
            reply({}, None)
            return
        held.stoppers.append(reply)
        if grace_s <= 0:
            self._kill(held)
            return
        self._terminate(held)
        self._reactor.after(grace_s, lambda: self._kill(held))

    def update(self, container_id: str, limits: Json) -> None:
        """Other limits for a running container; the old ones stay where the new cannot be."""
        self.running_pid(container_id)
        record = self.record(container_id)
        config = {**record["config"], "limits": limits}
        most = limits["memory_limit_bytes"]
        used = (self._cgroups.usage(container_id) or (0.0, 0))[1]
        if most and most < used:
            raise Failure("ResizeError", too_small(most, used))
        try:
            self._cgroups.update(container_id, limits)
        except OSError as error:
            raise Failure("ResizeError", f"cannot set the limits: {error}") from error
        record["config"] = config
        self._put(record)

    def remove(self, container_id: str) -> None:
        """The record, the directory and the groups. The log file is the kubelet's."""
        held = self._held.get(container_id)
        if held is not None:
            raise Failure("Running", f"container {container_id} is running")
        if container_id in self._table.containers:
            shutil.rmtree(self._directory(container_id), ignore_errors=True)
            self._table.drop("container", container_id)
            self.publish("container-gone", {"id": container_id})

    def reopen_log(self, container_id: str) -> None:
        held = self._held.get(container_id)
        if held is not None:
            held.stdio.file.reopen()

    def usage(self) -> list[Json]:
        found = []
        for container_id, held in self._held.items():
            counted = self._cgroups.usage(container_id) or orphans.usage(held.pid)
            found.append({"id": container_id, "cpu_s": counted[0], "memory_bytes": counted[1]})
        return found

    # -- what others of the supervisor need ---------------------------------------------------

    def record(self, container_id: str) -> Json:
        record = self._table.containers.get(container_id)
        if record is None:
            raise Failure("NotFound", f"no container {container_id}")
        return record

    def of(self, sandbox_id: str) -> list[str]:
        records = self._table.containers.values()
        return [r["id"] for r in records if r["sandbox_id"] == sandbox_id]

    def running_pid(self, container_id: str) -> int:
        held = self._held.get(container_id)
        if held is None or held.record["state"] != "running":
            self.record(container_id)
            raise Failure("NotRunning", f"container {container_id} is not running")
        return held.pid

    def stdio(self, container_id: str) -> Stdio:
        self.running_pid(container_id)
        return self._held[container_id].stdio

    def child_ended(self, pid: int, status: int) -> bool:
        held = self._by_pid.pop(pid, None)
        if held is not None:
            self._finish(held, status)
        return held is not None

    def bury(self, record: Json, message: str) -> None:
        """A container of a supervisor that was killed: see that it is dead, and say so."""
        began = record["start_ticks"]
        if record["state"] == "running" and began and start_ticks(record["pid"]) == began:
            orphans.kill_process(record["pid"])
        self._sweep(record["id"])
        if record["state"] == "running":
            record.update(state="exited", finished_at=wall(), exit_code=KILLED)
            record.update(signal=int(signal.SIGKILL), reason="Error", message=message)
            self._put(record)

    def environment(self, sandbox: Json, config: Json, container_id: str) -> dict[str, str]:
        env = {"PATH": os.environ.get("PATH", os.defpath)}
        env["HOSTNAME"] = sandbox["config"]["hostname"] or os.uname().nodename
        env["HOME"] = os.environ.get("HOME", "/") if config["run_as_user"] is None else "/"
        if config["tty"]:
            env["TERM"] = TERMINAL
        env.update(config["env"])
        if not self._features.namespaces:
            env[orphans.MARK] = container_id
        return env

    # -- steps --------------------------------------------------------------------------------

    @property
    def _may_mount(self) -> bool:
        return bool(self._features.namespaces or self._features.user_mounts)

    def _refuse(self, sandbox: Json, config: Json) -> None:
        """What this runtime or this machine cannot do, before anything is made."""
        if not config["command"]:
            image = config["image"]
            raise Failure(
                "CreateContainerError",
                f'image "{image}" has no default command in the process runtime; set command',
            )
        target = config.get("target_id")
        if target and target not in self._held:
            raise Failure("CreateContainerError", f"target container {target} is not running")
        if not self._may_mount and any(not mount.get("optional") for mount in config["mounts"]):
            raise Failure(
                "CreateContainerError",
                "volume mounts need root or user namespaces, which this machine does not allow",
            )
        other = {config["run_as_user"], config["run_as_group"]} - {None}
        if not self._features.root and other - {os.geteuid(), os.getegid()}:
            raise Failure(
                "CreateContainerError",
                f"running as another user or group needs a worker run by root: {sorted(other)}",
            )

    def _spawn(self, held: Held, sandbox: Json) -> None:
        record, config = held.record, held.record["config"]
        container_id = record["id"]
        plan = Plan(
            [*config["command"], *config["args"]],
            self.environment(sandbox, config, container_id),
            config["working_dir"] or f"{sandbox['directory']}/work",
        )
        plan.uid, plan.gid = config["run_as_user"], config["run_as_group"]
        plan.mounts = config["mounts"] if self._may_mount else []
        plan.mounts = plan.mounts + _files(sandbox, config, self._features)
        plan.scratch = f"{self._directory(container_id)}/scratch"
        os.makedirs(plan.scratch, exist_ok=True)
        plan.new_pid_namespace = plan.mount_namespace = self._features.namespaces
        if plan.mounts and self._features.user_mounts:
            plan.mount_namespace = plan.user_namespace = True
        plan.enter = self.namespaces(sandbox["id"])
        plan.cgroups = self._cgroups.make(container_id, config["limits"])
        plan.stdin, plan.stdout, plan.stderr = held.stdio.child_ends
        plan.terminal = config["tty"]
        report = Collected(self._reactor, REPORT_BYTES_MAX, lambda: self._reported(held))
        held.report = report
        try:
            if target := plan.new_pid_namespace and config.get("target_id"):
                plan.pid_namespace = self._processes_of(target)
            held.pid = spawn(plan, report.pipe.writer)
        finally:
            if plan.pid_namespace >= 0:
                os.close(plan.pid_namespace)
            report.pipe.close_writer()
        self._held[container_id] = self._by_pid[held.pid] = held
        # On disk before it can run: a successor must find it.
        record.update(state="running", pid=held.pid, start_ticks=start_ticks(held.pid))
        record["started_at"] = wall()
        self._table.put("container", record)

    def _processes_of(self, container_id: str) -> int:
        """The pid namespace of a running container, as a descriptor."""
        target = self._held.get(container_id)
        if target is None:
            raise ProcessLookupError(f"target container {container_id} has ended")
        return os.open(f"/proc/{target.pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def _reported(self, held: Held) -> None:
        """The child has begun its program, or says why not."""
        report, held.report = held.report, None
        if report is None or held.pid == 0:
            return
        held.failure = failure_of(bytes(report.data))
        if held.failure is not None:
            return  # its end follows at once and is what is answered
        self.publish("container", held.record)
        if held.started is not None:
            held.started({}, None)
            held.started = None

    def _finish(self, held: Held, status: int) -> None:
        if held.report is not None:
            held.report.pipe.drain()
        record = held.record
        oom = self._cgroups.oom_kills(record["id"]) > 0
        self._sweep(record["id"])
        held.stdio.end()
        self._held.pop(record["id"], None)
        code = os.waitstatus_to_exitcode(status)
        if held.terminated and code == -signal.SIGKILL:
            code = -signal.SIGTERM
        record.update(state="exited", finished_at=wall(), pid=0)
        record.update(exit_code=code if code >= 0 else 128 - code, signal=max(0, -code))
        record["reason"] = "OOMKilled" if oom and code else "Error" if code else "Completed"
        if held.failure is not None:
            record.update(reason=held.failure.reason, message=held.failure.message)
            record.update(exit_code=START_FAILED, signal=0)
        self._put(record)
        if held.started is not None:
            held.started(None, held.failure or Failure("StartError", "ended before it began"))
        for reply in held.stoppers:
            reply({}, None)

    def _terminate(self, held: Held) -> None:
        """SIGTERM. The kernel withholds its default action from a namespace's first process, so
        where there is no handler the effect is produced by hand.

        Differs from Kubernetes: such a process would sit out the grace period there.
        """
        signal_process(held.pid, signal.SIGTERM)
        if self._features.namespaces and not _handles(held.pid, signal.SIGTERM):
            held.terminated = True
            self._kill(held)

    def _kill(self, held: Held) -> None:
        if held.record["id"] not in self._held:
            return
        signal_process(held.pid, signal.SIGKILL)
        self._sweep(held.record["id"])

    def _sweep(self, container_id: str) -> None:
        """Nothing of this container may go on, whatever it did to get away."""
        self._cgroups.kill(container_id)
        if not self._features.namespaces:
            orphans.kill_marked(container_id)
        self._remove_groups(container_id, REMOVE_GROUP_TRIES)

    def _remove_groups(self, container_id: str, tries: int) -> None:
        if not self._cgroups.remove(container_id) and tries:
            again = tries - 1
            self._reactor.after(
                REMOVE_GROUP_EVERY_S, lambda: self._remove_groups(container_id, again)
            )

    def _put(self, record: Json) -> None:
        self._table.put("container", record)
        self.publish("container", record)

    def _directory(self, container_id: str) -> str:
        return f"{self._root}/containers/{container_id}"


def signal_process(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _handles(pid: int, number: int) -> bool:
    """Whether a signal would do anything but its default: caught, ignored or blocked."""
    try:
        with open(f"/proc/{pid}/status") as file:
            fields = dict(line.split(":", 1) for line in file)
    except (FileNotFoundError, ProcessLookupError):
        return True
    masks = [int(fields[name].strip(), 16) for name in ("SigCgt", "SigIgn", "SigBlk")]
    return any(mask >> (number - 1) & 1 for mask in masks)


def _files(sandbox: Json, config: Json, features: Features) -> list[Json]:
    """The pod's own /etc/hosts and /etc/resolv.conf, unless the kubelet mounts them itself."""
    if not features.namespaces:
        return []
    taken = [mount["container_path"] for mount in config["mounts"]]
    return [
        {"host_path": f"{sandbox['directory']}/{name}", "container_path": path, "read_only": False}
        for name, path in (("hosts", "/etc/hosts"), ("resolv.conf", "/etc/resolv.conf"))
        if path not in taken and os.path.exists(f"{sandbox['directory']}/{name}")
    ]

"""Fork, enter the pod's namespaces, exec: how a container's or an exec's process begins.

Owns      the order of steps between fork and exec, and the report of what failed in them.
Leaves    pipes and bookkeeping (containers.py), the mounts (private_root.py).
Invariant the child dies with the supervisor (PDEATHSIG) and touches nothing of the host.
A pid namespace is entered by the parent just before the fork, so that the child is its first
process and the supervisor's direct child; there is no further init.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import termios
from typing import TYPE_CHECKING

from busk8s.worker.runtime import cgroups, linux
from busk8s.worker.runtime.failure import Failure
from busk8s.worker.runtime.private_root import PrivateRoot, Refused

if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

REPORT_BYTES_MAX = 4096
ALIVE = b"."


class Features:
    """What this process may do here, found out by trying."""

    def __init__(self) -> None:
        self.namespaces = _works(_try_namespaces)  # net, mount, pid, uts, ipc as root
        self.user_mounts = not self.namespaces and _works(_try_user_mounts)
        self.root = os.geteuid() == 0

    def table(self) -> Json:
        return {"namespaces": self.namespaces, "user_mounts": self.user_mounts}


class Plan:
    """All that the child needs; made by the parent so that the child only acts."""

    def __init__(self, argv: list[str], env: dict[str, str], cwd: str) -> None:
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.uid: int | None = None
        self.gid: int | None = None
        self.cgroups: list[str] = []
        self.enter: list[int] = []  # namespace fds to join
        self.pid_namespace = -1  # to join this one; with new_pid_namespace a fresh one
        self.new_pid_namespace = False
        self.mount_namespace = False
        self.user_namespace = False
        self.mounts: list[Json] = []
        self.scratch = ""
        self.stdin = self.stdout = self.stderr = -1
        self.terminal = False  # standard input is one, and shall control the session


def spawn(plan: Plan, report: int) -> int:
    """The pid. What the child writes to `report` before it is closed: see `failure_of`."""
    _give_to_user(plan)
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if plan.pid_namespace >= 0:
            linux.setns(plan.pid_namespace, linux.CLONE_NEWPID)
        elif plan.new_pid_namespace:
            linux.unshare(linux.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            _child(plan, report)
    finally:
        if plan.pid_namespace >= 0 or plan.new_pid_namespace:
            linux.setns(own, linux.CLONE_NEWPID)
        os.close(own)
    return pid


def failure_of(report: bytes) -> Failure | None:
    """None when exec succeeded, else what the child said."""
    text = report.removeprefix(ALIVE).decode(errors="replace")
    if not text:
        return None
    reason, _, message = text.partition("\0")
    return Failure(reason, message)


def _child(plan: Plan, report: int) -> None:
    reason, message = "StartError", ""
    try:
        _become(plan, report)
        _exec(plan)
    except Refused as refusal:
        reason, message = "CreateContainerError", str(refusal)
    except BaseException as error:  # noqa: BLE001 - nothing may escape into the parent's code
        message = str(error) or type(error).__name__
    finally:
        os.write(report, f"{reason}\0{message}".encode()[:REPORT_BYTES_MAX])
        os._exit(128)


def _become(plan: Plan, report: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    os.umask(0o022)
    for target, source in enumerate((plan.stdin, plan.stdout, plan.stderr)):
        os.dup2(source, target)
    if plan.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for path in plan.cgroups:
        cgroups.write(f"{path}/cgroup.procs", "0")
    for fd in plan.enter:
        linux.setns(fd)
    if plan.user_namespace:
        _enter_user_namespace()
    if plan.mount_namespace:
        _make_view(plan)
    os.chdir(plan.cwd)
    _drop_user(plan)
    # After the change of user, which clears it.
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.write(report, ALIVE)  # fails when the supervisor died before the line above


def _give_to_user(plan: Plan) -> None:
    """Pipes and the terminal become the user's, who may open `/dev/stdout` anew."""
    if plan.uid is None or os.geteuid() != 0:
        return
    for fd in (plan.stdin, plan.stdout, plan.stderr):
        if stat.S_ISFIFO(os.fstat(fd).st_mode) or os.isatty(fd):
            os.fchown(fd, plan.uid, -1)


def _make_view(plan: Plan) -> None:
    linux.unshare(linux.CLONE_NEWNS)
    # A slave sees the host's unmounts, so a container never keeps a file system busy.
    linux.mount("", "/", "", linux.MS_SLAVE | linux.MS_REC)
    PrivateRoot(plan.scratch).bind_all(plan.mounts)
    if plan.new_pid_namespace:
        safe = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
        linux.mount("proc", "/proc", "proc", safe)


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER)
    cgroups.write("/proc/self/setgroups", "deny")
    cgroups.write("/proc/self/uid_map", f"{uid} {uid} 1")
    cgroups.write("/proc/self/gid_map", f"{gid} {gid} 1")


def _drop_user(plan: Plan) -> None:
    uid, gid = plan.uid, plan.gid
    if uid is None and gid is None:
        return
    if os.geteuid() == 0:
        group = gid if gid is not None else 0
        os.setgroups([group])
        os.setgid(group)
    if uid is not None and uid != os.geteuid():
        os.setuid(uid)


def _exec(plan: Plan) -> None:
    name = plan.argv[0]
    if "/" in name:
        os.execve(name, plan.argv, plan.env)
    seen: OSError | None = None
    for directory in plan.env.get("PATH", os.defpath).split(":"):
        try:
            os.execve(f"{directory or '.'}/{name}", plan.argv, plan.env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            seen = error
    if seen is not None:
        raise seen
    raise FileNotFoundError(f'exec: "{name}": executable file not found in $PATH')


def _works(attempt: Callback) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
        except OSError:
            os._exit(1)
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _try_namespaces() -> None:
    linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC)
    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWPID)
    linux.mount("", "/", "", linux.MS_SLAVE | linux.MS_REC)
    linux.mount("tmpfs", "/tmp", "tmpfs")


def _try_user_mounts() -> None:
    _enter_user_namespace()
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("", "/", "", linux.MS_SLAVE | linux.MS_REC)
    linux.mount("tmpfs", "/tmp", "tmpfs")


if TYPE_CHECKING:
    from collections.abc import Callable

    Callback = Callable[[], None]

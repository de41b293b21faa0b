"""Commands run inside a container: probes and hooks, whose output is gathered, and `exec`, whose
streams belong to whoever asked.

Owns      the commands under way, how they enter the container, what ends them early.
Leaves    the steps between fork and exec (spawn.py), the streams of an exec (the client's own
          descriptors: what it reads and writes never passes here).
Invariant a command whose client is gone is hung up on, and killed HANGUP_GRACE_S later.

Differs from Kubernetes: there such a command, when it has no terminal, may go on.
"""

from __future__ import annotations

import base64
import os
import signal
from typing import TYPE_CHECKING

from busk8s.worker.runtime.containers import signal_process
from busk8s.worker.runtime.failure import Failure, Reply
from busk8s.worker.runtime.output import Collected
from busk8s.worker.runtime.reactor import Reactor
from busk8s.worker.runtime.spawn import REPORT_BYTES_MAX, Features, Plan, failure_of, spawn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from busk8s.worker.runtime.peers import Peer

    Json = dict[str, Any]

OUTPUT_BYTES_MAX = 1 << 20  # of each stream; the rest is dropped, as a reply is one frame
EXECS_MAX = 256
HANGUP_GRACE_S = 5.0


class Exec:
    """A command under way; `gathers` its output, or leaves it to the client."""

    def __init__(self, reactor: Reactor, reply: Reply, *, gathers: bool) -> None:
        self.reply = reply
        self.report = Collected(reactor, REPORT_BYTES_MAX)
        self.outputs = [Collected(reactor, OUTPUT_BYTES_MAX) for _ in range(2 if gathers else 0)]
        self.timed_out = False

    def end(self, status: int) -> None:
        for collected in (self.report, *self.outputs):
            collected.pipe.drain()
        failure = failure_of(bytes(self.report.data))
        if self.timed_out:
            self.reply(None, Failure("DeadlineExceeded", "the command took too long"))
        elif failure is not None:
            self.reply(None, Failure("ExecFailed", failure.message))
        else:
            code = os.waitstatus_to_exitcode(status)
            self.reply(self._result(code if code >= 0 else 128 - code), None)

    def _result(self, exit_code: int) -> Json:
        said = [base64.b64encode(output.data).decode() for output in self.outputs]
        return {"exit_code": exit_code, **dict(zip(("stdout", "stderr"), said, strict=False))}


class Execs:
    def __init__(self, reactor: Reactor, features: Features) -> None:
        self._reactor = reactor
        self._features = features
        self._running: dict[int, Exec] = {}

    def run(
        self,
        target: int,
        plan: Plan,
        timeout_s: float,
        reply: Reply,
    ) -> None:
        """Run `plan` where process `target` is; reply with output and exit code."""
        self._refuse_more()
        one = Exec(self._reactor, reply, gathers=True)
        plan.stdout, plan.stderr = (output.pipe.writer for output in one.outputs)
        plan.stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        pid = self._begin(target, plan, one, (plan.stdin, plan.stdout, plan.stderr))
        if timeout_s > 0:
            self._reactor.after(timeout_s, lambda: self._late(pid, one))

    def run_attached(self, target: int, plan: Plan, peer: Peer, reply: Reply) -> None:
        """Run `plan` on the descriptors that came with the request; reply with the exit code."""
        self._refuse_more()
        own = peer.take_descriptors(3)
        plan.stdin, plan.stdout, plan.stderr = own
        one = Exec(self._reactor, reply, gathers=False)
        pid = self._begin(target, plan, one, own)
        peer.on_gone = lambda: self._abandon(pid, one)

    def child_ended(self, pid: int, status: int) -> bool:
        one = self._running.pop(pid, None)
        if one is not None:
            one.end(status)
        return one is not None

    def _refuse_more(self) -> None:
        if len(self._running) >= EXECS_MAX:
            raise Failure("TooManyExecs", f"{EXECS_MAX} commands are running already")

    def _begin(self, target: int, plan: Plan, one: Exec, own: Sequence[int]) -> int:
        opened: list[int] = []
        try:
            opened = self._enter(target, plan)
            pid = spawn(plan, one.report.pipe.writer)
        finally:
            for fd in (*opened, *own, one.report.pipe.writer):
                os.close(fd)
        self._running[pid] = one
        return pid

    def _enter(self, target: int, plan: Plan) -> list[int]:
        if self._features.namespaces:
            opened = [_open(target, name) for name in ("pid", "net", "uts", "ipc", "mnt")]
            plan.pid_namespace = opened[0]
            plan.enter = opened[1:]
            return opened
        if self._features.user_mounts and not _same(target, "mnt"):
            # A container with volumes sees them in a user namespace of its own.
            plan.enter = [_open(target, name) for name in ("user", "mnt")]
            return plan.enter
        return []

    def _late(self, pid: int, one: Exec) -> None:
        if self._running.get(pid) is one:
            one.timed_out = True
            _signal_group(pid, signal.SIGKILL)

    def _abandon(self, pid: int, one: Exec) -> None:
        """Its client is gone: what a closed terminal says, and soon more than that."""
        if self._running.get(pid) is not one:
            return
        _signal_group(pid, signal.SIGHUP)

        def insist() -> None:
            if self._running.get(pid) is one:
                _signal_group(pid, signal.SIGKILL)

        self._reactor.after(HANGUP_GRACE_S, insist)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        signal_process(pid, number)


def _same(target: int, name: str) -> bool:
    return os.stat(f"/proc/{target}/ns/{name}").st_ino == os.stat(f"/proc/self/ns/{name}").st_ino


def _open(pid: int, name: str) -> int:
    return os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)

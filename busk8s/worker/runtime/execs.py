"""Commands run inside a container for somebody who waits for their output: probes, hooks."""

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
    from typing import Any

    Json = dict[str, Any]

OUTPUT_BYTES_MAX = 1 << 20  # of each stream; the rest is dropped, as a reply is one frame
EXECS_MAX = 256


class Exec:
    def __init__(self, reactor: Reactor, reply: Reply) -> None:
        self.reply = reply
        self.stdout = Collected(reactor, OUTPUT_BYTES_MAX)
        self.stderr = Collected(reactor, OUTPUT_BYTES_MAX)
        self.report = Collected(reactor, REPORT_BYTES_MAX)
        self.timed_out = False


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
        if len(self._running) >= EXECS_MAX:
            raise Failure("TooManyExecs", f"{EXECS_MAX} commands are running already")
        one = Exec(self._reactor, reply)
        plan.stdout, plan.stderr = one.stdout.pipe.writer, one.stderr.pipe.writer
        plan.stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        opened = self._enter(target, plan)
        try:
            pid = spawn(plan, one.report.pipe.writer)
        finally:
            for fd in (*opened, plan.stdin, plan.stdout, plan.stderr, one.report.pipe.writer):
                os.close(fd)
        self._running[pid] = one
        if timeout_s > 0:
            self._reactor.after(timeout_s, lambda: self._late(pid, one))

    def child_ended(self, pid: int, status: int) -> bool:
        one = self._running.pop(pid, None)
        if one is None:
            return False
        for collected in (one.report, one.stdout, one.stderr):
            collected.pipe.drain()
        failure = failure_of(bytes(one.report.data))
        if one.timed_out:
            one.reply(None, Failure("DeadlineExceeded", "the command took too long"))
        elif failure is not None:
            one.reply(None, Failure("ExecFailed", failure.message))
        else:
            code = os.waitstatus_to_exitcode(status)
            one.reply(_result(one, code if code >= 0 else 128 - code), None)
        return True

    def _enter(self, target: int, plan: Plan) -> list[int]:
        if not self._features.namespaces:
            return []
        opened = [_open(target, name) for name in ("pid", "net", "uts", "ipc", "mnt")]
        plan.pid_namespace = opened[0]
        plan.enter = opened[1:]
        return opened

    def _late(self, pid: int, one: Exec) -> None:
        if self._running.get(pid) is one:
            one.timed_out = True
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                signal_process(pid, signal.SIGKILL)


def _open(pid: int, name: str) -> int:
    return os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)


def _result(one: Exec, exit_code: int) -> Json:
    return {
        "stdout": base64.b64encode(one.stdout.data).decode(),
        "stderr": base64.b64encode(one.stderr.data).decode(),
        "exit_code": exit_code,
    }

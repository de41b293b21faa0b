"""Runs the processes of a master or a worker: starts them, starts them again, stops them in order.

Owns      child processes, their restarts, the signals that end everything, the state file.
Leaves    what the children do (master.app, worker.app).
Invariant small: nothing but the standard library is imported, for it lives as long as they do.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from busk8s.config import ConfigError, DataDir, write_private
from busk8s.ids import RandomIds
from busk8s.inherited import Inherited, take_inherited

STOP_S = 15.0  # From SIGTERM to SIGKILL.
RESTART_FIRST_S = 0.2
RESTART_MAX_S = 10.0
STEADY_S = 30.0  # A child that lived so long starts again without delay.
READY_S = 60.0
START_TRIES_MAX = 3  # Of a child that was never ready: what breaks so often will break again.
REFUSED = 2  # A child's exit status for settings it cannot work with: no use in trying again.


# One thread's worth of pools: numpy's linear algebra and malloc keep one a core otherwise.
LEAN = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
APPS = {"master": "busk8s.master.app", "worker": "busk8s.worker.app"}
COMPONENTS = {
    "master": ("apiserver", "controller-manager", "scheduler"),
    "worker": ("kubelet", "proxy"),
}


@dataclass
class Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    delay_s: float = RESTART_FIRST_S
    ended_at: float = 0.0
    again_at: float = 0.0


@dataclass
class Supervisor:
    """`run` starts `children` in order (each once the one before is ready) until told to stop."""

    children: Sequence[Child]
    announce: int = -1  # a file descriptor that is told when all are ready
    lock: int = -1  # the data directory's: children keep it claimed until they have ended
    stopping: bool = False
    _wake: tuple[int, int] = field(default_factory=os.pipe)
    _life: tuple[int, int] = field(default_factory=os.pipe)  # children see it end when we do

    def run(self) -> int:
        os.set_blocking(self._wake[1], False)
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            for child in self.children:
                status = self._begin(child)
                if status or self.stopping:
                    return 0 if self.stopping else status
            if self.announce >= 0:
                os.write(self.announce, b"ready\n")
            return self._watch()
        finally:
            self._stop_all()

    def _begin(self, child: Child) -> int:
        """Start it until it is ready: 0. Otherwise the exit status that is ours then."""
        for attempt in range(START_TRIES_MAX):
            if self._start(child, wait=True) or self.stopping:
                return 0
            assert child.process is not None
            try:
                child.process.wait(1.0)
            except subprocess.TimeoutExpired:
                return 1  # it runs, and is never ready
            if child.process.returncode == REFUSED:
                return REFUSED
            if attempt + 1 < START_TRIES_MAX:
                self._ended(child)
                select.select([self._wake[0]], [], [], child.again_at - child.ended_at)
                self._drain()
        return 1

    def _told(self, *_: object) -> None:
        self.stopping = True

    def _start(self, child: Child, *, wait: bool) -> bool:
        """Start it; with `wait`, True once it says that it is ready."""
        child.began = time.monotonic()  # noqa: TID251 - no Clock here: this is all of its time
        if not wait:
            self._spawn(child, -1)
            return True
        said, says = os.pipe()
        try:
            self._spawn(child, says)
            os.close(says)
            return self._ready(child, said)
        finally:
            os.close(said)

    def _spawn(self, child: Child, says: int) -> None:
        inherited = Inherited(ready=says, life=self._life[0], lock=self.lock)
        child.process = subprocess.Popen(
            [*child.command, *inherited.flags()],
            pass_fds=inherited.numbers(),
            stdin=subprocess.DEVNULL,
            env={**LEAN, **os.environ},
        )

    def _ready(self, child: Child, said: int) -> bool:
        until = child.began + READY_S
        while not self.stopping:
            left = until - time.monotonic()  # noqa: TID251
            readable, _, _ = select.select([said], [], [], max(0.0, min(left, 0.5)))
            if readable:
                if os.read(said, 64):
                    return True
                break  # it ended without a word
            if left <= 0:
                sys.stderr.write(f"busk8s: {child.name} is not ready after {READY_S:g} s\n")
                return False
        return False

    def _watch(self) -> int:
        while not self.stopping:
            now = time.monotonic()  # noqa: TID251
            due = [c.again_at for c in self.children if c.process is None]
            select.select([self._wake[0]], [], [], max(0.0, min(due) - now) if due else None)
            self._drain()
            for child in self.children:
                if self.stopping:
                    break
                if child.process is not None and child.process.poll() is not None:
                    if child.process.returncode == REFUSED:
                        return REFUSED
                    self._ended(child)
                elif child.process is None and child.again_at <= time.monotonic():  # noqa: TID251
                    self._start(child, wait=False)
        return 0

    def _drain(self) -> None:
        while select.select([self._wake[0]], [], [], 0)[0]:
            os.read(self._wake[0], 512)

    def _ended(self, child: Child) -> None:
        assert child.process is not None
        now = time.monotonic()  # noqa: TID251
        if now - child.began > STEADY_S:
            child.delay_s = RESTART_FIRST_S
        sys.stderr.write(
            f"busk8s: {child.name} ended with {child.process.returncode}, "
            f"starting it again in {child.delay_s:g} s\n"
        )
        child.process = None
        child.ended_at, child.again_at = now, now + child.delay_s
        child.delay_s = min(child.delay_s * 2, RESTART_MAX_S)

    def _stop_all(self) -> None:
        """Last started, first stopped: nobody loses whom it depends on before it has ended."""
        for child in reversed(self.children):
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
                try:
                    child.process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    child.process.kill()
                    child.process.wait()


def commands(kind: str, flags: Sequence[str]) -> list[Child]:
    return [
        Child(name, [sys.executable, "-m", APPS[kind], name, *flags]) for name in COMPONENTS[kind]
    ]


def record(path: Path, kind: str) -> None:
    """Tell other commands who runs here."""
    write_private(path, json.dumps({"pid": os.getpid(), "kind": kind}).encode())


def main(arguments: Sequence[str]) -> int:
    """`supervisor master|worker --data-dir=D [...] [--ready-fd=N]`"""
    kind, *rest = arguments
    inherited, rest = take_inherited(rest)
    path = next(f.partition("=")[2] for f in rest if f.startswith("--data-dir="))
    try:
        data = DataDir(Path(path)).open(RandomIds(random.SystemRandom())).lock()
        record(data.state, kind)
    except ConfigError as error:
        sys.stderr.write(f"busk8s: {error}\n")
        return REFUSED
    except OSError as error:
        sys.stderr.write(f"busk8s: data directory {path}: {error.strerror or error}\n")
        return REFUSED
    try:
        return Supervisor(commands(kind, rest), inherited.ready, data.lock_fd).run()
    finally:
        data.state.unlink(missing_ok=True)  # The lock goes with the process: `down` waits so.


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""From a command to the lean process that does the work: in its place, or detached from it.

Owns      exec, daemonising, waiting for readiness, stopping by the state file.
Leaves    flags (main), what the processes do (master.app, worker.app, up, supervisor).
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from busk8s.config import ConfigError, DataDir

READY_S = 60.0
STOP_S = 40.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Running:
    pid: int
    kind: str  # up, master, worker


def become(module: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process: what was imported for the command line is gone from memory."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


def detach(module: str, arguments: Sequence[str], log: Path) -> None:
    """Start it in a session of its own and return when it is ready. ConfigError tells why not."""
    said, says = os.pipe()
    with _opened(log) as file:
        began = file.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, f"--ready-fd={says}"],
            pass_fds=(says,),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    os.close(says)
    try:
        readable, _, _ = select.select([said], [], [], READY_S)
        if readable and os.read(said, 64):
            return
    finally:
        os.close(said)
    if readable:
        child.wait()
        raise ConfigError(_last_words(log, began))
    child.terminate()
    raise ConfigError(f"not ready after {READY_S:g} s; see {log}")


def _opened(log: Path) -> BinaryIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError as error:
        raise ConfigError(f"data directory {log.parent.parent}: {error.strerror}") from None


def _last_words(log: Path, began: int) -> str:
    lines = log.read_bytes()[began:].decode(errors="replace").strip().splitlines()
    if lines and lines[-1].startswith("busk8s: "):
        return lines[-1].removeprefix("busk8s: ")
    if not lines and not os.statvfs(log.parent).f_bavail:  # It could not even say so.
        return f"data directory {log.parent.parent}: No space left on device"
    return f"it ended at once; see {log}" + (f": {lines[-1]}" if lines else "")


def running(data: DataDir) -> Running | None:
    """Who runs on this data directory; None when nobody does, whatever files say."""
    try:
        state = json.loads(data.state.read_bytes())
        found = Running(int(state["pid"]), str(state["kind"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if data.held_by() == found.pid else None


def stop(data: DataDir, found: Running) -> None:
    """SIGTERM, wait for an orderly end, SIGKILL when there is none."""
    _signal(found.pid, signal.SIGTERM)
    if not _wait(lambda: data.held_by() != found.pid, STOP_S):
        _signal(found.pid, signal.SIGKILL)
        _wait(lambda: data.held_by() != found.pid, 5.0)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # A supervisor that was killed; its children end when they see it.


def _wait(done: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds  # noqa: TID251 - a command, not a component: real time
    while time.monotonic() < until:  # noqa: TID251
        if done():
            return True
        time.sleep(POLL_S)
    return done()

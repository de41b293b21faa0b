"""Processes found by looking at /proc: what is left of a container where no namespace holds it.

Owns      the mark in the environment of rootless containers, and the search for it.
Limit     a program that clears its environment and leaves its group is not found; with root or
          cgroups nothing can get away (cgroups.py, pid namespaces).
"""

from __future__ import annotations

import os
import signal

MARK = "BUSK8S_CONTAINER"
SWEEPS_MAX = 50  # each sweep kills all that is seen; only a fork bomb needs more than two
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def kill_process(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_marked(container_id: str) -> None:
    mark = f"{MARK}={container_id}".encode()
    for _ in range(SWEEPS_MAX):
        found = marked(mark)
        for pid in found:
            kill_process(pid)
        if not found:
            return


def marked(mark: bytes) -> list[int]:
    """Live processes of ours with `mark` in their environment."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue  # ended meanwhile, or not ours to read
    return [pid for pid in found if pid != os.getpid() and not _dying(pid)]


def usage(pid: int) -> tuple[float, int]:
    """(cpu seconds, resident bytes) of a process and its descendants, where no cgroup counts."""
    cpu_s, memory_bytes = 0.0, 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            with open(f"/proc/{one}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            with open(f"/proc/{one}/task/{one}/children") as file:
                waiting += [int(child) for child in file.read().split()]
        except OSError:
            continue
        cpu_s += (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND
        memory_bytes += int(fields[21]) * PAGE_BYTES
    return cpu_s, memory_bytes


def _dying(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return True

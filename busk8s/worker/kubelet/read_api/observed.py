"""What the node and its containers use now, gathered once for an answer.

Owns      Sample, Seen, and reading the host's own files.
Leaves    the forms it is told in (summary, exposed).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from busk8s.api.object import Json
from busk8s.worker.kubelet.machine import Machine, available_memory_bytes
from busk8s.worker.kubelet.pods import Pod
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.runtime.base import Usage


@dataclass(frozen=True, slots=True)
class Host:
    """Of the whole machine. `started_at`: seconds since the epoch."""

    cpu_s: float
    memory_bytes: int
    available_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    inodes: int
    inodes_free: int
    started_at: float
    processes: int
    processes_max: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One pod, as API, runtime and status writer know it."""

    pod: Pod
    state: PodState
    status: Json


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything at `at` (seconds since the epoch); `usages` by container id."""

    at: float
    host: Host
    usages: Mapping[str, Usage]
    pods: Sequence[Seen]


def read_host(root: str, machine: Machine) -> Host:
    """Zeros where this machine does not say."""
    usage = _disk(root)
    stat = _words("/proc/stat")
    load = _text("/proc/loadavg").split()
    files = os.statvfs(_existing(root))
    return Host(
        cpu_s=_busy_s(stat.get("cpu", [])),
        memory_bytes=machine.memory_bytes,
        available_bytes=available_memory_bytes(),
        disk_bytes=usage[0],
        disk_free_bytes=usage[1],
        inodes=files.f_files,
        inodes_free=files.f_ffree,
        started_at=float((stat.get("btime") or ["0"])[0]),
        processes=int(load[3].partition("/")[2]) if len(load) > 3 else 0,
        processes_max=int(_text("/proc/sys/kernel/pid_max") or 0),
    )


def _busy_s(ticks: Sequence[str]) -> float:
    """Of user, nice, system, idle, iowait, irq, softirq, steal: all but idle and waiting."""
    counted = [int(tick) for index, tick in enumerate(ticks[:8]) if index not in (3, 4)]
    return sum(counted) / os.sysconf("SC_CLK_TCK")


def _disk(root: str) -> tuple[int, int]:
    usage = shutil.disk_usage(_existing(root))
    return usage.total, usage.free


def _existing(path: str) -> Path:
    found = Path(path or ".")
    while not found.exists() and found != found.parent:
        found = found.parent
    return found


def _words(path: str) -> dict[str, list[str]]:
    """The lines of a file by their first word."""
    lines = (line.split() for line in _text(path).splitlines())
    return {words[0]: words[1:] for words in lines if words}


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""

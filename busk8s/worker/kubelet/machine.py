"""What this machine is: read once at start, from the places upstream reads."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from busk8s.api.discovery import ARCHITECTURES


@dataclass(frozen=True, slots=True)
class Machine:
    cpus: int
    memory_bytes: int
    storage_bytes: int
    machine_id: str
    system_uuid: str
    boot_id: str
    kernel: str
    os_image: str
    architecture: str
    hostname: str
    swap_bytes: int = 0


def read_machine(root_dir: str) -> Machine:
    memory = _memory()
    names = os.uname()
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=memory.get("MemTotal", 0),
        storage_bytes=_storage(root_dir),
        machine_id=_text("/etc/machine-id") or _text("/var/lib/dbus/machine-id"),
        system_uuid=_text("/sys/class/dmi/id/product_uuid") or _text("/etc/machine-id"),
        boot_id=_text("/proc/sys/kernel/random/boot_id"),
        kernel=names.release,
        os_image=_os_image(),
        architecture=ARCHITECTURES.get(names.machine, names.machine),
        hostname=platform.node(),
        swap_bytes=memory.get("SwapTotal", 0),
    )


def available_memory_bytes() -> int:
    return _memory().get("MemAvailable", 0)


def free_storage_share(root_dir: str) -> float:
    usage = shutil.disk_usage(_existing(root_dir))
    return usage.free / usage.total if usage.total else 1.0


def _memory() -> dict[str, int]:
    found = {}
    for line in _text("/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def _storage(root_dir: str) -> int:
    return shutil.disk_usage(_existing(root_dir)).total


def _existing(path: str) -> Path:
    found = Path(path)
    while not found.exists() and found != found.parent:
        found = found.parent
    return found


def _os_image() -> str:
    for line in _text("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""  # The file is a nicety of some machines only.

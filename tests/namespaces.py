"""Network namespaces for tests: nothing that a test makes in one outlives it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from busk8s.worker.network.netlink import Netlink
from busk8s.worker.runtime import linux


@contextmanager
def fresh_netns() -> Iterator[None]:
    """This thread, and what it starts, in a new network namespace; without root, nothing."""
    if os.geteuid():
        yield
        return
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    linux.unshare(linux.CLONE_NEWNET)
    try:
        netlink = Netlink()
        netlink.set_up(1)
        netlink.close()
        yield
    finally:
        linux.setns(before)
        os.close(before)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False

"""Network namespaces for tests: nothing that a test makes in one outlives it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from busk8s.worker.network.netlink import Netlink
from busk8s.worker.runtime import linux


def current() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def enter(netns: int) -> Iterator[None]:
    """This thread, and what it starts meanwhile, in network namespace `netns`."""
    before = current()
    linux.setns(netns)
    try:
        yield
    finally:
        linux.setns(before)
        os.close(before)


@contextmanager
def new_netns() -> Iterator[int]:
    """A new one beside this one, by descriptor; its loopback is up."""
    before = current()
    linux.unshare(linux.CLONE_NEWNET)
    made = current()
    netlink = Netlink()
    netlink.set_up(1)
    netlink.close()
    linux.setns(before)
    os.close(before)
    try:
        yield made
    finally:
        os.close(made)


@contextmanager
def fresh_netns() -> Iterator[None]:
    """Be in a new one; without root, nothing."""
    if os.geteuid():
        yield
        return
    with new_netns() as made, enter(made):
        yield


def running(words: str) -> bool:
    """Whether any process has these words as its command line."""
    wanted = words.encode().replace(b" ", b"\0")
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if name.isdigit() and wanted in file.read():
                    return True
        except OSError:
            continue
    return False


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False

"""File descriptors that a process of ours gets from whoever started it.

Owns      how they are named on its command line.
Leaves    what is done with them (process, cli.supervisor).
Invariant nothing but the standard library is imported: the supervisor uses this too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inherited:
    """File descriptors from whoever started us; -1: none.

    `ready` is told once. `life` is closed when the supervisor is gone. `lock` only stays open: it
    keeps the data directory claimed until the last of its processes has ended.
    """

    ready: int = -1
    life: int = -1
    lock: int = -1

    def flags(self) -> list[str]:
        return [f"--{name}-fd={fd}" for name, fd in self._open()]

    def numbers(self) -> tuple[int, ...]:
        return tuple(fd for _, fd in self._open())

    def _open(self) -> list[tuple[str, int]]:
        every = (("ready", self.ready), ("life", self.life), ("lock", self.lock))
        return [(name, fd) for name, fd in every if fd >= 0]


def take_inherited(flags: Sequence[str]) -> tuple[Inherited, list[str]]:
    """`--ready-fd=N --life-fd=N --lock-fd=N`, and the flags without them."""
    numbers, rest = {"ready": -1, "life": -1, "lock": -1}, []
    for flag in flags:
        name, _, value = flag.removeprefix("--").partition("-fd=")
        if name in numbers and value:
            numbers[name] = int(value)
        else:
            rest.append(flag)
    return Inherited(**numbers), rest

"""The runtime's seam for streams: a command's or a container's own, and connections into a pod.

Forms     process (descriptors.py), hollow (echo.py); the contract suite has their rules.
Source    k8s.io/cri-api runtime/v1 Exec, Attach and PortForward, without their HTTP servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

STDOUT = 1
STDERR = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams a client asked for. With `tty` there is no standard error of its own."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


class Attached(Protocol):
    """Streams of something that runs. Whoever was given one must `close` it."""

    async def read(self, channel: int) -> bytes:
        """What STDOUT or STDERR has; b"" when it has no more, or was not asked for."""
        ...

    async def write(self, data: bytes) -> bool:
        """To standard input, as fast as it is taken; False: nobody takes it any more."""
        ...

    async def end_input(self) -> bool:
        """Standard input has no more. False: it cannot end, so who writes it leaves."""
        ...

    def resize(self, width: int, height: int) -> None:
        """Of the terminal, if there is one."""
        ...

    async def wait(self) -> int | None:
        """Until what runs has ended; a command's exit code. Raises RuntimeFailure."""
        ...

    def close(self) -> None:
        """Let go of it. A command that still runs is ended soon; a container goes on."""
        ...


class PodConnection(Protocol):
    """A TCP connection to a port inside a pod. Whoever was given one must `close` it."""

    async def read(self) -> bytes:
        """b"" at its end."""
        ...

    async def write(self, data: bytes) -> None:
        """As fast as it is taken. Raises OSError when the connection has broken."""
        ...

    def end_writing(self) -> None: ...

    def close(self) -> None: ...

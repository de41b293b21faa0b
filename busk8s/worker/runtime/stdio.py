"""A container's standard streams: its log, its input, its terminal, and who looks on.

Owns      the pipes or the terminal of one container, copies of its output for those attached.
Leaves    the format of the log (cri_log), reading without blocking (output), who attaches.
Invariant a copy that is not read holds the container back, as its own pipe would; a reader that
          goes away holds nobody.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from busk8s.worker.runtime.cri_log import LineFormat, LogFile
from busk8s.worker.runtime.output import Pipe
from busk8s.worker.runtime.reactor import WRITE, Reactor

NAMES = ("stdout", "stderr")
ATTACHED_MAX = 32  # To one container at once.


class Copy:
    """One output stream of a container, as one of those attached gets it."""

    def __init__(self, reactor: Reactor, fd: int, on_flushed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._fd = fd
        self._unsent = bytearray()
        self._on_flushed = on_flushed
        self._ending = False
        os.set_blocking(fd, False)

    @property
    def behind(self) -> bool:
        return bool(self._unsent)

    def feed(self, data: bytes) -> None:
        if self._fd < 0:
            return
        waiting = bool(self._unsent)
        self._unsent += data
        if not waiting:
            self._flush()
            if self._unsent:
                self._reactor.watch(self._fd, self._ready, WRITE)

    def end(self) -> None:
        """There is no more: close when all is written."""
        self._ending = True
        if not self._unsent:
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            self._reactor.forget(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._unsent.clear()

    def _ready(self, fd: int) -> None:
        self._flush()
        if not self._unsent:
            if self._ending:
                self.close()
            else:
                self._reactor.forget(fd)
            self._on_flushed()

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._fd, self._unsent)]
        except BlockingIOError:
            return
        except OSError:  # nobody reads any more
            self.close()


class _Output:
    """One output stream: into the log, and to the copies."""

    def __init__(
        self, reactor: Reactor, name: str, file: LogFile, ends: tuple[int, int] | None = None
    ) -> None:
        self._lines = LineFormat(name)
        self._file = file
        self._reactor = reactor
        self._copies: list[Copy] = []
        self.pipe = Pipe(reactor, self._take, ends=ends)

    def copy_to(self, fd: int) -> Copy:
        made = Copy(self._reactor, fd, self._flushed)
        self._copies.append(made)
        return made

    def remove(self, copy: Copy) -> None:
        copy.close()
        if copy in self._copies:
            self._copies.remove(copy)
        self._flushed()

    def end(self) -> None:
        self.pipe.drain()
        self._file.write(self._lines.end(time.time_ns()))
        for copy in self._copies:
            copy.end()

    def _take(self, data: bytes) -> None:
        self._file.write(self._lines.feed(data, time.time_ns()))
        for copy in self._copies:
            copy.feed(data)
        if any(copy.behind for copy in self._copies):
            self.pipe.pause()

    def _flushed(self) -> None:
        if not any(copy.behind for copy in self._copies):
            self.pipe.resume()


class Stdio:
    """Made before the container's process; `close_child_ends` once it has its own copies."""

    def __init__(self, reactor: Reactor, log_path: str, *, tty: bool, stdin: bool) -> None:
        self.file = LogFile(log_path)
        self.terminal = -1
        self._input = -1  # Held open, so that a container with input does not find its end.
        self._attached: list[Attached] = []
        if tty:
            self.terminal, slave = os.openpty()
            self.child_ends = (slave, slave, slave)
            self._outputs = [_Output(reactor, NAMES[0], self.file, (self.terminal, slave))]
        else:
            if stdin:
                reader, self._input = os.pipe2(os.O_CLOEXEC)
            else:
                reader = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            self._outputs = [_Output(reactor, name, self.file) for name in NAMES]
            writers = [output.pipe.writer for output in self._outputs]
            self.child_ends = (reader, writers[0], writers[1])
        self._takes_input = stdin

    def close_child_ends(self) -> None:
        for fd in dict.fromkeys(self.child_ends):
            os.close(fd)

    def attach(self, stdout: int, stderr: int) -> Attached:
        """Copies of what comes from now on go to these two, which are ours now."""
        if len(self._attached) >= ATTACHED_MAX:
            raise ValueError(f"{ATTACHED_MAX} are attached already")
        made = Attached(self, [(self._outputs[0], stdout)])
        if len(self._outputs) > 1:
            made.add(self._outputs[1], stderr)
        else:
            os.close(stderr)
        self._attached.append(made)
        return made

    def input_for(self, *, wanted: bool) -> list[int]:
        """What an attached client writes to; with a terminal that is also what it resizes."""
        if self.terminal >= 0:
            return [self.terminal]
        return [self._input] if wanted and self._takes_input and self._input >= 0 else []

    def end_input(self) -> None:
        """Nobody shall write any more (stdinOnce). A terminal has no end."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def end(self) -> None:
        """The container has ended: what is left goes out, then everything is closed."""
        for output in self._outputs:
            output.end()
        self.terminal = -1  # closed with its output
        self.end_input()
        self.file.close()
        for attached in list(self._attached):
            attached.over()

    def forget(self, attached: Attached) -> None:
        if attached in self._attached:
            self._attached.remove(attached)


class Attached:
    """Somebody who looks on. `over` is replaced by who wants to know that the container ended."""

    def __init__(self, stdio: Stdio, outputs: list[tuple[_Output, int]]) -> None:
        self._stdio = stdio
        self._copies: list[tuple[_Output, Copy]] = []
        self.over: Callable[[], None] = lambda: None
        for output, fd in outputs:
            self.add(output, fd)

    def add(self, output: _Output, fd: int) -> None:
        self._copies.append((output, output.copy_to(fd)))

    def leave(self) -> None:
        for output, copy in self._copies:
            output.remove(copy)
        self._stdio.forget(self)

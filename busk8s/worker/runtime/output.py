"""Pipes of processes: a container's into its log, an exec's into memory.

Owns      reading without blocking, how much at a time, what happens at the end of a stream.
Invariant a reader takes at most READ_BYTES a turn, so one loud container does not starve others;
          what is not read stays in the pipe and holds the writer back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from busk8s.worker.runtime.cri_log import LineFormat, LogFile
from busk8s.worker.runtime.reactor import Reactor

READ_BYTES = 1 << 16
DRAIN_BYTES_MAX = 1 << 20  # after the end: a pipe holds 64 KiB, unless somebody still writes


class Pipe:
    """The read end of one stream; `writer` goes to the child and is closed after the fork."""

    def __init__(
        self,
        reactor: Reactor,
        sink: Callable[[bytes], None],
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._sink = sink
        self._on_end = on_end
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        reactor.watch(self._reader, self._ready)

    def close_writer(self) -> None:
        os.close(self.writer)

    def drain(self) -> None:
        """Take what is left and close."""
        for _ in range(DRAIN_BYTES_MAX // READ_BYTES):
            if self._reader < 0 or not self._take():
                break
        self._close()

    def _ready(self, fd: int) -> None:
        self._take()

    def _take(self) -> bool:
        try:
            data = os.read(self._reader, READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._sink(data)
        else:
            self._close()
        return bool(data)

    def _close(self) -> None:
        if self._reader >= 0:
            self._reactor.forget(self._reader)
            os.close(self._reader)
            self._reader = -1
            if self._on_end is not None:
                self._on_end()


class ContainerLog:
    """Both streams of a container into one log file."""

    def __init__(self, reactor: Reactor, path: str) -> None:
        self.file = LogFile(path)
        self._formats = {name: LineFormat(name) for name in ("stdout", "stderr")}
        self._pipes = [Pipe(reactor, self._sink(name)) for name in self._formats]

    @property
    def writers(self) -> tuple[int, int]:
        return self._pipes[0].writer, self._pipes[1].writer

    def close_writers(self) -> None:
        for pipe in self._pipes:
            pipe.close_writer()

    def end(self) -> None:
        for pipe in self._pipes:
            pipe.drain()
        now = time.time_ns()
        self.file.write(b"".join(line.end(now) for line in self._formats.values()))
        self.file.close()

    def _sink(self, name: str) -> Callable[[bytes], None]:
        lines = self._formats[name]
        return lambda data: self.file.write(lines.feed(data, time.time_ns()))


class Collected:
    """At most `limit` bytes of a stream; the rest is read and dropped."""

    def __init__(
        self, reactor: Reactor, limit: int, on_end: Callable[[], None] | None = None
    ) -> None:
        self.data = bytearray()
        self._limit = limit
        self.pipe = Pipe(reactor, self._add, on_end)

    def _add(self, data: bytes) -> None:
        self.data += data[: self._limit - len(self.data)]

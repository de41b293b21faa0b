"""Pipes of processes: a container's into its log (stdio), a probe's into memory.

Owns      reading without blocking, how much at a time, what happens at the end of a stream.
Invariant a reader takes at most READ_BYTES a turn, so one loud container does not starve others;
          what is not read stays in the pipe and holds the writer back.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from busk8s.worker.runtime.reactor import Reactor

READ_BYTES = 1 << 16
DRAIN_BYTES_MAX = 1 << 20  # after the end: a pipe holds 64 KiB, unless somebody still writes


class Pipe:
    """The read end of one stream; `writer` goes to the child and is closed after the fork.

    `ends`: these instead of a new pipe's (a terminal's).
    """

    def __init__(
        self,
        reactor: Reactor,
        sink: Callable[[bytes], None],
        on_end: Callable[[], None] | None = None,
        *,
        ends: tuple[int, int] | None = None,
    ) -> None:
        self._reactor = reactor
        self._sink = sink
        self._on_end = on_end
        self._reader, self.writer = ends or os.pipe2(os.O_CLOEXEC)
        self._paused = False
        os.set_blocking(self._reader, False)
        reactor.watch(self._reader, self._ready)

    def close_writer(self) -> None:
        os.close(self.writer)

    def pause(self) -> None:
        """Read no more for now: the writer is held back."""
        if not self._paused and self._reader >= 0:
            self._paused = True
            self._reactor.forget(self._reader)

    def resume(self) -> None:
        if self._paused and self._reader >= 0:
            self._paused = False
            self._reactor.watch(self._reader, self._ready)

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
        except OSError:  # a terminal that nobody has open any more
            data = b""
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

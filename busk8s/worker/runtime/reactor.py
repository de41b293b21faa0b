"""The supervisor's event loop: file descriptors, timers and dead children, in one thread.

Owns      epoll, the timer heap, SIGCHLD and the two clocks of the supervisor.
Leaves    what happens on an event (callbacks).
Why not asyncio: importing it takes 9 MB and 60 ms, and this process is what forks, so each of its
pages is paid for at every start.
"""

from __future__ import annotations

import heapq
import os
import select
import signal
import sys
import time
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT

FdCallback = Callable[[int], None]


def wall() -> float:
    """Seconds since the epoch. The supervisor's own clock: `busk8s.clock` imports asyncio."""
    return time.clock_gettime(time.CLOCK_REALTIME)


def ticks() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class Reactor:
    """`run` until `stop`; callbacks run one after another and must not block."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, FdCallback] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._stopping = False

    def watch(self, fd: int, callback: FdCallback, events: int = READ) -> None:
        self._callbacks[fd] = callback
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once. There is no cancel: callbacks look whether they are still meant."""
        self._count += 1
        heapq.heappush(self._timers, (ticks() + seconds, self._count, callback))

    def on_child(self, callback: Callable[[int, int], None]) -> None:
        """`callback(pid, wait status)` for every child that ends, adopted ones too."""
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

        def reap(fd: int) -> None:
            os.read(fd, 4096)
            while True:
                try:
                    pid, status = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    return
                if pid == 0:
                    return
                callback(pid, status)

        self.watch(reader, reap)

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        while not self._stopping:
            for fd, _ in self._epoll.poll(self._wait_s()):
                callback = self._callbacks.get(fd)
                if callback is not None:  # an earlier callback of this round may have closed it
                    self._guarded(callback, fd)
            self._run_timers()

    def _guarded(self, callback: Callable[..., None], *arguments: int) -> None:
        """A mistake in one callback must not end every container of the node."""
        try:
            callback(*arguments)
        except Exception:  # noqa: BLE001 - told in the supervisor's log
            sys.excepthook(*sys.exc_info())

    def _wait_s(self) -> float:
        if not self._timers:
            return -1
        return max(0.0, self._timers[0][0] - ticks())

    def _run_timers(self) -> None:
        now = ticks()
        while self._timers and self._timers[0][0] <= now:
            self._guarded(heapq.heappop(self._timers)[2])

"""Where audit events go: lines in a file that begins anew when it is big, written by a thread.

Owns      the queue of lines, the file (0600), its rotation, what happens when it cannot keep up.
Leaves    what a line says (event).
Invariant a request never waits for the file; at most LINES_MAX lines wait, and what is dropped
          beyond is counted and told.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from busk8s.clock import Clock
from busk8s.log import Logger

LINES_MAX = 50_000  # Waiting: some seconds of the fastest writes.
FLUSH_S = 0.25

log = Logger("busk8s.audit")


class AuditLog:
    """`path` "-": standard output. `run` writes until cancelled; `close` writes what is left."""

    def __init__(self, path: str, *, bytes_max: int, backups: int, clock: Clock) -> None:
        self._path, self._bytes_max, self._backups = path, bytes_max, backups
        self._clock = clock
        self._lines: list[bytes] = []
        self.added = self.written = 0
        self.dropped = 0
        self._told = 0

    def add(self, line: bytes) -> None:
        self.added += 1
        if len(self._lines) < LINES_MAX:
            self._lines.append(line)
        else:
            self.dropped += 1

    async def run(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            try:
                await asyncio.to_thread(self._write, lines)
                self.written += len(lines)
            except OSError as error:
                self.dropped += len(lines)
                log.error("audit events are lost", path=self._path, why=error.strerror)
        if self.dropped != self._told:
            self._told = self.dropped
            log.error("audit events were dropped", dropped=self.dropped)

    def close(self) -> None:
        """At the end, when nobody else writes."""
        lines, self._lines = self._lines, []
        if lines:
            self._write(lines)

    def _write(self, lines: Sequence[bytes]) -> None:
        data = b"\n".join(lines) + b"\n"
        if self._path == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _write_all(handle, data)
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        if size >= self._bytes_max:
            self._rotate()

    def _rotate(self) -> None:
        """audit.log.1 is the newest of those that are full."""
        base = Path(self._path)
        if not self._backups:
            base.unlink(missing_ok=True)
            return
        for number in range(self._backups - 1, 0, -1):
            old = base.with_name(f"{base.name}.{number}")
            if old.exists():
                old.replace(base.with_name(f"{base.name}.{number + 1}"))
        base.replace(base.with_name(f"{base.name}.1"))


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]

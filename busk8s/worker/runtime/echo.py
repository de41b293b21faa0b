"""Streams without processes, for the hollow runtime: what is written comes back.

Owns      the pretence: a command repeats its input, a port echoes, a container says nothing.
Leaves    what a command says and its exit code (the hollow runtime's table).
"""

from __future__ import annotations

import asyncio
from collections import deque

from busk8s.worker.runtime.base import ExecResult
from busk8s.worker.runtime.streaming import STDERR, STDOUT, Wanted

UNREAD_BYTES_MAX = 64 * 1024  # Like a pipe: beyond it the writer waits.


class Loop:
    """A pipe whose two ends are ours."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._came, self._room = asyncio.Event(), asyncio.Event()
        self.ended = asyncio.Event()

    async def read(self) -> bytes:
        while not self._pieces:
            if self.ended.is_set():
                return b""
            self._came.clear()
            await self._came.wait()
        piece = self._pieces.popleft()
        self._size -= len(piece)
        self._room.set()
        return piece

    async def write(self, data: bytes) -> bool:
        while self._size >= UNREAD_BYTES_MAX and not self.ended.is_set():
            self._room.clear()
            await self._room.wait()
        if data and not self.ended.is_set():
            self._pieces.append(data)
            self._size += len(data)
            self._came.set()
        return not self.ended.is_set()

    def end(self) -> None:
        self.ended.set()
        self._came.set()
        self._room.set()


class EchoStreams:
    """Attached: with input, repeats it; then says what the table says."""

    def __init__(self, wanted: Wanted, result: ExecResult, exit_code: int | None) -> None:
        self._wanted, self._exit_code = wanted, exit_code
        self._loop = Loop()
        self._said = {STDOUT: result.stdout, STDERR: result.stderr}
        if not wanted.stdin:
            self._loop.end()

    async def read(self, channel: int) -> bytes:
        if not (self._wanted.stdout if channel == STDOUT else self._wanted.stderr):
            return b""
        if channel == STDOUT and (piece := await self._loop.read()):
            return piece
        return self._said.pop(channel, b"")

    async def write(self, data: bytes) -> bool:
        return await self._loop.write(data)

    async def end_input(self) -> bool:
        self._loop.end()
        return True

    def resize(self, width: int, height: int) -> None:
        return None

    async def wait(self) -> int | None:
        await self._loop.ended.wait()
        return self._exit_code

    def close(self) -> None:
        self._loop.end()


class EchoConnection:
    """PodConnection: what is written comes back."""

    def __init__(self) -> None:
        self._loop = Loop()

    async def read(self) -> bytes:
        return await self._loop.read()

    async def write(self, data: bytes) -> None:
        await self._loop.write(data)

    def end_writing(self) -> None:
        self._loop.end()

    def close(self) -> None:
        self._loop.end()

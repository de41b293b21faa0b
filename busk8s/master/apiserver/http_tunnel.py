"""The client's end of a connection that has become another protocol's (WebSocket, SPDY).

Owns      bytes that came and were not read yet, and not taking more of them than fit.
Leaves    the connection itself (http), the other end (proxying).
Invariant at most `UNREAD_BYTES_MAX` and one read wait here: beyond it the client is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

UNREAD_BYTES_MAX = 256 * 1024


class Tunnel:
    """An api.request.Duplex. `drain` waits until the client has read what was written."""

    def __init__(self, transport: Any, drain: Callable[[], Awaitable[None]], first: bytes) -> None:
        self._transport = transport
        self._drain = drain
        self._unread = bytearray(first)
        self._came = asyncio.Event()
        self._paused = False
        self._ended = False
        if first:
            self._came.set()

    def feed(self, data: bytes) -> None:
        self._unread += data
        self._came.set()
        if len(self._unread) > UNREAD_BYTES_MAX and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._came.set()

    async def read(self) -> bytes:
        await self._came.wait()
        data = bytes(self._unread)
        self._unread.clear()
        if not self._ended:
            self._came.clear()
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)
        await self._drain()

"""Byte streams with credit: the writer sends only what the reader has room for.

Owns      windows, the two ends of a stream, their order and their end.
Leaves    sockets (hub, link), what flows (log, exec).
Invariant unread bytes of a stream never exceed STREAM_CREDIT_BYTES; a peer that sends more than its
          credit loses the stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import orjson

from busk8s.api.object import Json
from busk8s.errors import Error
from busk8s.protocol import (
    STREAM_CREDIT_BYTES,
    STREAM_PIECE_BYTES,
    Message,
    StreamCredit,
    StreamData,
    StreamEnd,
)

Send = Callable[[Message], bool]
Write = Callable[[bytes], Awaitable[None]]
Handler = Callable[[Json, Write], Awaitable[None]]

CREDIT_RETURNED_BYTES = STREAM_CREDIT_BYTES // 4  # So often, not for every piece.


class Window:
    """So many units may be under way; `take` waits until the other side has given more."""

    def __init__(self, credit: int) -> None:
        self._credit = credit
        self._waiter: asyncio.Future[None] | None = None

    async def take(self, wanted: int) -> int:
        """Wait for any credit; up to `wanted` of it."""
        while self._credit <= 0:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        taken = min(wanted, self._credit)
        self._credit -= taken
        return taken

    def give(self, credit: int) -> None:
        self._credit += max(0, credit)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Reader:
    """The receiving end: an async iterator over what came, which grants as it is read."""

    def __init__(self, stream: str, send: Send, on_close: Callable[[], None]) -> None:
        self._stream, self._send, self._on_close = stream, send, on_close
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._owed = 0
        self._ended = False
        self._error: Error | None = None
        self._waiter: asyncio.Future[None] | None = None

    def data(self, piece: bytes) -> None:
        if self._ended:
            return
        if self._unread + self._owed + len(piece) > STREAM_CREDIT_BYTES:
            self._send(StreamEnd(stream=self._stream))
            self.end(Error(500, "InternalError", "the worker sent more than its credit"))
            return
        self._pieces.append(piece)
        self._unread += len(piece)
        self._wake()

    def end(self, error: Error | None = None) -> None:
        """No more will come. What is unread can still be read; then `error` is raised."""
        if not self._ended:
            self._ended, self._error = True, error
            self._on_close()
            self._wake()

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        piece = self._pieces.popleft()
        self._unread -= len(piece)
        self._owed += len(piece)
        if self._owed >= CREDIT_RETURNED_BYTES and not self._ended:
            self._send(StreamCredit(stream=self._stream, credit=self._owed))
            self._owed = 0
        return piece

    async def aclose(self) -> None:
        """The reader has had enough: the other side is told to stop."""
        if not self._ended:
            self._send(StreamEnd(stream=self._stream))
            self.end()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Writer:
    """The sending end, on the worker: runs one handler and reports how it ended."""

    def __init__(self, stream: str, credit: int, send: Send) -> None:
        self._stream, self._send = stream, send
        self.window = Window(credit)

    async def write(self, data: bytes) -> None:
        """Send all of `data`, as credit comes in."""
        sent = 0
        while sent < len(data):
            room = await self.window.take(min(STREAM_PIECE_BYTES, len(data) - sent))
            self._send(StreamData(stream=self._stream, data=data[sent : sent + room]))
            sent += room

    async def run(self, handler: Handler, params: Json) -> None:
        try:
            await handler(params, self.write)
        except Error as error:
            self._send(StreamEnd(stream=self._stream, error=orjson.dumps(error.to_status())))
        except Exception:
            failure = Error(500, "InternalError", "the worker failed while serving the stream")
            self._send(StreamEnd(stream=self._stream, error=orjson.dumps(failure.to_status())))
            raise  # A bug of ours: the nursery logs it, and the reader must not wait for ever.
        else:
            self._send(StreamEnd(stream=self._stream))


def error_of(message: StreamEnd) -> Error | None:
    """The failure a StreamEnd reports, if any; unreadable ones are a failure too."""
    if not message.error:
        return None
    try:
        status = orjson.loads(message.error)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict):
        return Error(500, "InternalError", "the worker ended the stream with an unreadable error")
    return Error.from_status(status)

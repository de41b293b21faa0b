"""Byte streams with credit both ways: a writer sends only what the reader has room for.

Owns      windows; one end of a stream, the same on master and worker: channels, order, the end.
Leaves    sockets (hub, link), who opens and serves (opened, serving), what flows (log, exec).
Invariant unread bytes of a stream never exceed STREAM_CREDIT_BYTES at either end; a peer that sends
          more than its credit loses the stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from busk8s.api.object import Json
from busk8s.errors import Error
from busk8s.protocol import (
    STREAM_CREDIT_BYTES,
    STREAM_PIECE_BYTES,
    STREAM_PIECE_COST_BYTES,
    Message,
    StreamCredit,
    StreamData,
    StreamEnd,
)

Send = Callable[[Message], bool]
Handler = Callable[[Json, "Stream"], Awaitable[None]]

CREDIT_RETURNED_BYTES = STREAM_CREDIT_BYTES // 4  # So often, not for every piece.


class StreamOver(Exception):
    """What was to be written has nobody to read it: the other end, or the connection, is gone."""


class Window:
    """So many units may be under way; `take` waits until the other side has given more."""

    def __init__(self, credit: int) -> None:
        self._credit = credit
        self._given = asyncio.Event()
        self._closed = False

    async def take(self, wanted: int, least: int = 1) -> int:
        """Wait for `least` credit; up to `wanted` of it. 0: the window was closed."""
        while self._credit < least and not self._closed:
            self._given.clear()
            await self._given.wait()
        if self._closed:
            return 0
        taken = min(wanted, self._credit)
        self._credit -= taken
        return taken

    async def opened(self) -> None:
        """Wait for any credit, and take none."""
        while self._credit <= 0 and not self._closed:
            self._given.clear()
            await self._given.wait()

    def give(self, credit: int) -> None:
        self._credit += max(0, credit)
        self._given.set()

    def close(self) -> None:
        """Nobody gives any more: whoever waits is let go."""
        self._closed = True
        self._given.set()


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one channel; `last`: its writer has no more."""

    channel: int
    data: bytes
    last: bool = False


class Stream:
    """One end. `credit` is what this end may send, `room` what it has granted to the other."""

    def __init__(
        self, name: str, send: Send, *, credit: int, room: int, on_end: Callable[[], None]
    ) -> None:
        self._name, self._send, self._on_end = name, send, on_end
        self._window = Window(credit)
        self._room = room
        self._owed = 0
        self._pieces: deque[Piece] = deque()
        self._came = asyncio.Event()
        self._error: Error | None = None
        self.ended = False

    # --- what the wire brings ---------------------------------------------------------------------

    def take(self, message: StreamData) -> None:
        if self.ended:
            return
        cost = len(message.data) + STREAM_PIECE_COST_BYTES
        if cost > self._room:
            self._send(StreamEnd(stream=self._name))
            self.end(Error(500, "InternalError", "the other side sent more than its credit"))
            return
        self._room -= cost
        self._pieces.append(Piece(message.channel, message.data, message.last))
        self._came.set()

    def credited(self, credit: int) -> None:
        self._window.give(credit)

    def end(self, error: Error | None = None) -> None:
        """No more will come. What is unread can still be read; then `error` is raised."""
        if not self.ended:
            self.ended, self._error = True, error
            self._window.close()
            self._came.set()
            self._on_end()

    # --- for those who read and write -------------------------------------------------------------

    async def read(self) -> Piece | None:
        """The next piece; None when the stream is over. Raises what it ended with."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.ended:
                return None
            self._came.clear()
            await self._came.wait()
        piece = self._pieces.popleft()
        self._owed += len(piece.data) + STREAM_PIECE_COST_BYTES
        if self._owed >= CREDIT_RETURNED_BYTES:
            owed, self._owed = self._owed, 0
            self.grant(owed)
        return piece

    def grant(self, credit: int = STREAM_CREDIT_BYTES) -> None:
        """Let the other side send so much (more); the first grant also says: begin."""
        if not self.ended:
            self._room += credit
            if not self._send(StreamCredit(stream=self._name, credit=credit)):
                self._cut()

    async def granted(self) -> None:
        """Wait for the other side's first credit. Raises what the stream ended with instead."""
        await self._window.opened()
        if self.ended and self._error is not None:
            raise self._error

    async def write(self, data: bytes, channel: int = 0, *, last: bool = False) -> None:
        """Send all of `data`, as credit comes in. Raises StreamOver when nobody takes it."""
        sent, size = 0, len(data)
        while sent < size or last:
            wanted = min(STREAM_PIECE_BYTES, size - sent) + STREAM_PIECE_COST_BYTES
            least = STREAM_PIECE_COST_BYTES + (sent < size)
            room = await self._window.take(wanted, least) - STREAM_PIECE_COST_BYTES
            if self.ended:
                raise StreamOver
            until = sent + room
            ends = last and until == size
            piece = data if room == size else data[sent:until]
            if not self._send(
                StreamData(stream=self._name, data=piece, channel=channel, last=ends)
            ):
                self._cut()
                raise StreamOver
            if ends:
                return
            sent = until

    async def aclose(self, error: Error | None = None) -> None:
        """This side has had enough: the other is told to stop, and why."""
        if not self.ended:
            told = orjson.dumps(error.to_status()) if error is not None else b""
            self._send(StreamEnd(stream=self._name, error=told))
            self.end()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        """The bytes of the next piece, for streams of one channel."""
        piece = await self.read()
        if piece is None:
            raise StopAsyncIteration
        return piece.data

    def _cut(self) -> None:
        """A frame could not be sent, so what follows would be wrong: the stream is over."""
        self._send(StreamEnd(stream=self._name))
        self.end(Error(503, "ServiceUnavailable", "the connection to the node is full"))


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

"""One SPDY/3.1 connection, as the side that was asked: bytes in, events out, bytes to send.

Owns      which streams there are and which halves of them are open, answers to pings.
Leaves    sockets, and what streams carry.
Invariant a stream is known from its SYN_STREAM until both halves are closed or it was reset; what
          comes for another is passed over, as upstream's library does. Any bytes give events or
          raise SpdyError, after which the connection is to be closed.

Windows are not counted: the one library that Kubernetes' clients use has never kept any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from busk8s.api.spdy import frames
from busk8s.api.spdy.frames import Data, FrameError, FrameReader, GoAway, Ping, Reset, Syn
from busk8s.api.spdy.headers import HeaderError, Headers, Packer, Unpacker

STREAMS_MAX = 1_024  # Open at once; the next is refused.
PIECE_BYTES = 64 * 1024  # Longer writes are cut.


class SpdyError(Exception):
    """The peer broke the protocol."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer has begun a stream; answer with `reply` or `reset`."""

    stream: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Received:
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """The peer sends no more on this stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The peer has given the stream up."""

    stream: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """The peer begins no more streams."""


Event = Opened | Received | Finished | Gone | Leaving


class Session:
    def __init__(self) -> None:
        self._reader = FrameReader()
        self._packer, self._unpacker = Packer(), Unpacker()
        self._last = 0
        self._theirs: dict[int, bool] = {}  # stream -> whether the peer may still send
        self._ours: dict[int, bool] = {}  # stream -> whether we may still send
        self._automatic: list[bytes] = []

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._theirs)

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events in `data`; `automatic` has what is to be sent back by itself."""
        try:
            for frame in self._reader.feed(data):
                yield from self._event(frame)
        except (FrameError, HeaderError) as error:
            raise SpdyError(str(error)) from None

    def automatic(self) -> bytes:
        """Answers that need nobody's decision: to pings, and refusals."""
        due, self._automatic = b"".join(self._automatic), []
        return due

    # --- what we say ------------------------------------------------------------------------------

    def reply(self, stream: int, headers: Headers | None = None) -> bytes:
        block = self._packer.pack(headers or {})
        return frames.encode(Syn(frames.SYN_REPLY, stream, block, fin=False))

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> bytes:
        """Nothing where our half is closed: the peer may have gone while this was made."""
        if not self._ours.get(stream, False):
            return b""
        pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)] or [b""]
        if not data and not fin:
            return b""
        last = len(pieces) - 1
        made = [
            frames.encode(Data(stream, piece, fin and index == last))
            for index, piece in enumerate(pieces)
        ]
        if fin:
            self._ours[stream] = False
            self._forget_if_over(stream)
        return b"".join(made)

    def reset(self, stream: int, status: int = frames.CANCEL) -> bytes:
        if stream not in self._theirs:
            return b""
        self._forget(stream)
        return frames.encode(Reset(stream, status))

    def go_away(self, status: int = 0) -> bytes:
        return frames.encode(GoAway(self._last, status))

    # --- what the peer says -----------------------------------------------------------------------

    def _event(self, frame: frames.Frame) -> Iterator[Event]:
        match frame:
            case Syn(type=frames.SYN_STREAM):
                yield from self._opened(frame)
            case Syn():
                # A reply to nothing, or trailers: the block must be unpacked all the same.
                self._unpacker.unpack(frame.block)
                if frame.fin:
                    yield from self._finished(frame.stream)
            case Data(stream, data, fin):
                if self._theirs.get(stream, False):
                    if data:
                        yield Received(stream, data)
                    if fin:
                        yield from self._finished(stream)
            case Reset(stream):
                if stream in self._theirs:
                    self._forget(stream)
                    yield Gone(stream)
            case Ping(number):
                if number % 2:  # Theirs are odd; an even one would answer a ping of ours.
                    self._automatic.append(frames.encode(Ping(number)))
            case GoAway():
                yield Leaving()

    def _opened(self, frame: Syn) -> Iterator[Event]:
        headers = self._unpacker.unpack(frame.block)
        stream = frame.stream
        if stream % 2 == 0 or stream <= self._last:
            raise SpdyError(f"stream {stream} after stream {self._last}")
        self._last = stream
        if len(self._theirs) >= STREAMS_MAX:
            self._automatic.append(frames.encode(Reset(stream, frames.REFUSED_STREAM)))
            return
        self._theirs[stream], self._ours[stream] = True, not frame.unidirectional
        yield Opened(stream, headers)
        if frame.fin:
            yield from self._finished(stream)

    def _finished(self, stream: int) -> Iterator[Event]:
        if self._theirs.get(stream, False):
            self._theirs[stream] = False
            self._forget_if_over(stream)
            yield Finished(stream)

    def _forget_if_over(self, stream: int) -> None:
        if not self._theirs[stream] and not self._ours[stream]:
            self._forget(stream)

    def _forget(self, stream: int) -> None:
        del self._theirs[stream], self._ours[stream]

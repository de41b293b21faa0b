"""The streams of `exec` and `attach` as clients carry them: channels of a WebSocket, SPDY streams.

Owns      which protocols are served, channels and stream types, the form of the closing Status.
Leaves    joining them with the node (joining), frames (websocket, api.spdy).
Invariant any bytes give pieces or ClientBroken.
Source    upstream's remotecommand and wsstream.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Protocol

from busk8s.api.spdy.session import Finished, Gone, Leaving, Opened, Received, Session, SpdyError
from busk8s.api.streaming import ERROR, RESIZE, STDERR, STDIN, STDOUT, closing_status
from busk8s.bus.streams import Piece
from busk8s.errors import Error
from busk8s.master.apiserver.streaming.options import CommandOptions
from busk8s.master.apiserver.streaming.websocket import Part, WebSocket, WebSocketBroken

V5 = "v5.channel.k8s.io"
WEBSOCKET_PROTOCOLS = (
    V5, "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io",
)  # fmt: skip
SPDY_PROTOCOLS = (
    "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io",
)  # fmt: skip
CLOSE = 255  # v5: the channel that says which channel has ended.
TEXT_BYTES_MAX = 1 << 20  # Of a message in base64, which is gathered.
STREAM_TYPES = {
    "stdin": STDIN,
    "stdout": STDOUT,
    "stderr": STDERR,
    "error": ERROR,
    "resize": RESIZE,
}


class ClientBroken(Exception):
    """The client broke its protocol, or has left: the connection is over."""


class Command(Protocol):
    @property
    def ready(self) -> bool:
        """Whether the client has all its streams."""
        ...

    def receive(self, data: bytes) -> Iterator[Piece]: ...

    def output(self, channel: int, data: bytes) -> None: ...

    def close(self, error: Error | None) -> None: ...

    def unsent(self) -> bytes: ...


class ChannelCommand:
    """Every message begins with the number of its channel."""

    ready = True

    def __init__(self, protocol: str, options: CommandOptions) -> None:
        self._socket = WebSocket()
        self._base64 = "base64" in protocol
        self._closes = protocol == V5
        self._statuses = protocol.startswith(("v4.", "v5."))
        self._takes = {RESIZE} | ({STDIN} if options.stdin else set())
        self._channel = -1
        self._text = bytearray()
        # An empty message says that the connection stands.
        first = STDOUT if options.stdout else STDERR if options.stderr else ERROR
        self.output(first, b"")

    def receive(self, data: bytes) -> Iterator[Piece]:
        try:
            for part in self._socket.receive(data):
                yield from self._text_piece(part) if self._base64 else self._piece(part)
        except WebSocketBroken as error:
            raise ClientBroken(str(error)) from None
        if self._socket.closed:
            raise ClientBroken("the client has closed the connection")

    def output(self, channel: int, data: bytes) -> None:
        if self._base64:
            self._socket.send(f"{channel}{base64.b64encode(data).decode()}")
        else:
            self._socket.send(bytes((channel,)) + data)

    def close(self, error: Error | None) -> None:
        if self._statuses:
            self.output(ERROR, closing_status(error))
        elif error is not None:
            self.output(ERROR, error.message.encode())
        self._socket.close()

    def unsent(self) -> bytes:
        return self._socket.unsent()

    def _piece(self, part: Part) -> Iterator[Piece]:
        data = part.data
        if part.first:
            if not data:
                return
            self._channel, data = data[0], data[1:]
        if self._closes and self._channel == CLOSE:
            if data and data[0] in self._takes:
                yield Piece(data[0], b"", last=True)
        elif data and self._channel in self._takes:
            yield Piece(self._channel, data)
        if part.last:
            self._channel = -1

    def _text_piece(self, part: Part) -> Iterator[Piece]:
        self._text += part.data
        if len(self._text) > TEXT_BYTES_MAX:
            raise ClientBroken(f"a message is longer than {TEXT_BYTES_MAX} bytes")
        if not part.last:
            return
        text = bytes(self._text)
        self._text.clear()
        channel = text[0] - ord("0") if text else -1
        if channel not in self._takes:
            return
        try:
            yield Piece(channel, base64.b64decode(text[1:], validate=True))
        except binascii.Error:
            raise ClientBroken("a message is not base64") from None


class SpdyCommand:
    """A stream for each, told apart by the header `streamType`."""

    def __init__(self, protocol: str, options: CommandOptions) -> None:
        self._session = Session()
        self._statuses = protocol == "v4.channel.k8s.io"
        self._channels: dict[int, int] = {}  # stream -> channel
        self._streams: dict[int, int] = {}  # channel -> stream
        self._out: list[bytes] = []
        self._needs = {ERROR}
        self._needs |= {STDIN} if options.stdin else set()
        self._needs |= {STDOUT} if options.stdout else set()
        self._needs |= {STDERR} if options.stderr else set()
        if options.tty and protocol in SPDY_PROTOCOLS[:2]:
            self._needs.add(RESIZE)

    @property
    def ready(self) -> bool:
        return self._needs <= self._streams.keys()

    def receive(self, data: bytes) -> Iterator[Piece]:
        try:
            for event in self._session.receive(data):
                match event:
                    case Opened(stream, headers):
                        self._opened(stream, headers.get("streamtype", ""))
                    case Received(stream, piece) if stream in self._channels:
                        yield Piece(self._channels[stream], piece)
                    case Finished(stream) if stream in self._channels:
                        yield Piece(self._channels[stream], b"", last=True)
                    case Gone(stream) if self._channels.get(stream) in (STDIN, ERROR):
                        yield Piece(self._channels[stream], b"", last=True)
                    case Leaving():
                        pass
        except SpdyError as error:
            raise ClientBroken(str(error)) from None
        self._out.append(self._session.automatic())

    def output(self, channel: int, data: bytes) -> None:
        if (stream := self._streams.get(channel)) is not None:
            self._out.append(self._session.send(stream, data))

    def close(self, error: Error | None) -> None:
        said = b"" if error is None else error.message.encode()
        self.output(ERROR, closing_status(error) if self._statuses else said)
        for channel in (STDOUT, STDERR, ERROR, STDIN, RESIZE):
            if (stream := self._streams.get(channel)) is not None:
                self._out.append(self._session.send(stream, b"", fin=True))

    def unsent(self) -> bytes:
        due, self._out = b"".join(self._out), []
        return due

    def _opened(self, stream: int, kind: str) -> None:
        channel = STREAM_TYPES.get(kind)
        if channel is None or channel in self._streams:
            self._out.append(self._session.reset(stream))
            return
        self._channels[stream], self._streams[channel] = channel, stream
        self._out.append(self._session.reply(stream))

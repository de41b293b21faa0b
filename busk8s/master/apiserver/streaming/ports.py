"""Forwarded connections as clients carry them: SPDY streams, the same in a WebSocket, channels.

Owns      pairs of data and error streams, which port each is for, the form of failures.
Leaves    joining them with the pod (forwarding), frames (websocket, api.spdy).
Invariant any bytes give events or ClientBroken.
Source    upstream's portforward handlers.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from busk8s.api.spdy.headers import Headers
from busk8s.api.spdy.session import Finished, Gone, Opened, Received, Session, SpdyError
from busk8s.master.apiserver.streaming.commands import TEXT_BYTES_MAX, ClientBroken
from busk8s.master.apiserver.streaming.options import port_of
from busk8s.master.apiserver.streaming.websocket import Part, WebSocket, WebSocketBroken

SPDY_FORWARD = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"
PORTS_PROTOCOLS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")

Key = int


@dataclass(frozen=True, slots=True)
class Asked:
    """A connection to `port` is wanted; it is called `key` from here on."""

    key: Key
    port: int


@dataclass(frozen=True, slots=True)
class Came:
    key: Key
    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The client sends no more on it."""

    key: Key


@dataclass(frozen=True, slots=True)
class Dropped:
    key: Key


Event = Asked | Came | Ended | Dropped


class Ports(Protocol):
    def begin(self) -> list[Event]:
        """What is wanted from the start."""
        ...

    def receive(self, data: bytes) -> Iterator[Event]: ...

    def send(self, key: Key, data: bytes) -> None: ...

    def end(self, key: Key, failure: str = "") -> None: ...

    def unsent(self) -> bytes: ...


class _Pair:
    def __init__(self) -> None:
        self.data = self.error = 0
        self.asked = False


class SpdyPorts:
    """Two streams a connection, paired by `requestID`."""

    def __init__(self) -> None:
        self._session = Session()
        self._pairs: dict[str, _Pair] = {}
        self._by_data: dict[int, str] = {}
        self._out: list[bytes] = []

    def begin(self) -> list[Event]:
        return []

    def receive(self, data: bytes) -> Iterator[Event]:
        try:
            for event in self._session.receive(data):
                match event:
                    case Opened(stream, headers):
                        yield from self._opened(stream, headers)
                    case Received(stream, piece) if stream in self._by_data:
                        yield Came(stream, piece)
                    case Finished(stream) if stream in self._by_data:
                        if self._by_data[stream] not in self._pairs:  # Ours has ended before.
                            del self._by_data[stream]
                        yield Ended(stream)
                    case Gone(stream) if stream in self._by_data:
                        self._close_error(stream)
                        del self._by_data[stream]
                        yield Dropped(stream)
        except SpdyError as error:
            raise ClientBroken(str(error)) from None
        self._out.append(self._session.automatic())

    def send(self, key: Key, data: bytes) -> None:
        self._out.append(self._session.send(key, data))

    def end(self, key: Key, failure: str = "") -> None:
        """Our half; what the client still says of its own is heard: it resets the stream."""
        self._close_error(key, failure)
        if failure:
            self._by_data.pop(key, None)
            self._out.append(self._session.reset(key))
        else:
            self._out.append(self._session.send(key, b"", fin=True))

    def unsent(self) -> bytes:
        due, self._out = b"".join(self._out), []
        return due

    def _opened(self, stream: int, headers: Headers) -> Iterator[Event]:
        port, kind = port_of(headers.get("port", "")), headers.get("streamtype", "")
        if port is None or kind not in ("data", "error"):
            self._out.append(self._session.reset(stream))
            return
        # Clients of before 1.2 sent no id: their error stream was followed by its data stream.
        name = headers.get("requestid") or str(stream if kind == "error" else stream - 2)
        pair = self._pairs.setdefault(name, _Pair())
        if getattr(pair, kind):
            self._out.append(self._session.reset(stream))
            return
        setattr(pair, kind, stream)
        self._out.append(self._session.reply(stream))
        if kind == "data":
            self._by_data[stream] = name
        if pair.data and pair.error and not pair.asked:
            pair.asked = True
            yield Asked(pair.data, port)

    def _close_error(self, data: int, failure: str = "") -> None:
        """Once a connection: clients wait for the end of this stream before they let go."""
        pair = self._pairs.pop(self._by_data.get(data, ""), None)
        if pair is not None:
            self._out.append(self._session.send(pair.error, failure.encode(), fin=True))


class TunnelledPorts(SpdyPorts):
    """The bytes of such a connection in the binary messages of a WebSocket."""

    def __init__(self) -> None:
        super().__init__()
        self._socket = WebSocket()

    def receive(self, data: bytes) -> Iterator[Event]:
        try:
            for part in self._socket.receive(data):
                yield from super().receive(part.data)
        except WebSocketBroken as error:
            raise ClientBroken(str(error)) from None
        if self._socket.closed:
            raise ClientBroken("the client has closed the connection")

    def unsent(self) -> bytes:
        if due := super().unsent():
            self._socket.send(due)
        return self._socket.unsent()


class ChannelPorts:
    """Two channels a port: its bytes, then its failure. The ports are in the query."""

    def __init__(self, protocol: str, ports: Sequence[int]) -> None:
        self._socket = WebSocket()
        self._base64 = "base64" in protocol
        self._ports = ports
        self._channel = -1
        self._text = bytearray()
        self._left = dict.fromkeys(range(len(ports)))

    def begin(self) -> list[Event]:
        for key, port in enumerate(self._ports):
            for channel in (2 * key, 2 * key + 1):
                self._say(channel, struct.pack("<H", port))
        return [Asked(key, port) for key, port in enumerate(self._ports)]

    def receive(self, data: bytes) -> Iterator[Event]:
        try:
            for part in self._socket.receive(data):
                yield from self._text_piece(part) if self._base64 else self._piece(part)
        except WebSocketBroken as error:
            raise ClientBroken(str(error)) from None
        if self._socket.closed:
            raise ClientBroken("the client has closed the connection")

    def send(self, key: Key, data: bytes) -> None:
        self._say(2 * key, data)

    def end(self, key: Key, failure: str = "") -> None:
        """Channels have no end of their own: with the last of them the WebSocket is closed."""
        if failure:
            self._say(2 * key + 1, failure.encode())
        self._left.pop(key, None)
        if not self._left:
            self._socket.close()

    def unsent(self) -> bytes:
        return self._socket.unsent()

    def close(self) -> None:
        self._socket.close()

    def _say(self, channel: int, data: bytes) -> None:
        if self._base64:
            self._socket.send(f"{channel}{base64.b64encode(data).decode()}")
        else:
            self._socket.send(bytes((channel,)) + data)

    def _piece(self, part: Part) -> Iterator[Event]:
        data = part.data
        if part.first:
            if not data:
                return
            self._channel, data = data[0], data[1:]
        if data and self._channel % 2 == 0 and 0 <= self._channel < 2 * len(self._ports):
            yield Came(self._channel // 2, data)
        if part.last:
            self._channel = -1

    def _text_piece(self, part: Part) -> Iterator[Event]:
        self._text += part.data
        if len(self._text) > TEXT_BYTES_MAX:
            raise ClientBroken(f"a message is longer than {TEXT_BYTES_MAX} bytes")
        if not part.last:
            return
        text = bytes(self._text)
        self._text.clear()
        try:
            data = base64.b64decode(text[1:], validate=True)
        except binascii.Error:
            raise ClientBroken("a message is not base64") from None
        channel = text[0] - ord("0") if text else -1
        yield from (
            self._piece(Part(bytes((channel,)) + data, True, True)) if 0 <= channel < 10 else ()
        )

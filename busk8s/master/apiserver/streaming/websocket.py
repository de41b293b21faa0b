"""A client's WebSocket after the upgrade: bytes in, messages out, bytes to send.

Owns      the answer to the handshake, pings, closing, what a client may not do.
Leaves    frames (wsproto), sockets, what messages mean.
Invariant nothing is gathered: parts of a message are passed on as they come, with its beginning
          marked. Any bytes give parts or WebSocketBroken.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wsproto.connection import Connection, ConnectionType
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Ping,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from busk8s import errors

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class WebSocketBroken(Exception):
    """The client broke the protocol: the connection is over."""


@dataclass(frozen=True, slots=True)
class Part:
    """Of a message; `first`, `last`: whether the message begins and ends with it."""

    data: bytes
    first: bool
    last: bool


def offered(headers: Mapping[str, str]) -> list[str]:
    """The subprotocols a client offers, in its order."""
    said = headers.get("sec-websocket-protocol", "")
    return [one for part in said.split(",") if (one := part.strip())]


def chosen(headers: Mapping[str, str], served: Sequence[str]) -> str:
    """The first offered that is served; "" when none was offered. Raises errors.Error (403)."""
    asked = [one for one in offered(headers) if not one.startswith("base64url.bearer.")]
    found = next((one for one in asked if one in served), None)
    if found is None and asked:
        why = f"none of the protocols {asked} is served, only {list(served)}"
        raise errors.Error(403, "Forbidden", f"unable to upgrade: {why}")
    return found or ""


def switching(headers: Mapping[str, str], protocol: str) -> tuple[tuple[str, str], ...]:
    """The headers of the 101. Raises errors.Error (400)."""
    key = headers.get("sec-websocket-key", "")
    if headers.get("sec-websocket-version", "") != "13" or not key:
        raise errors.bad_request("unable to upgrade: not a WebSocket request of version 13")
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest())
    said = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    said.append(("Sec-WebSocket-Accept", accept.decode()))
    if protocol:
        said.append(("Sec-WebSocket-Protocol", protocol))
    return tuple(said)


class WebSocket:
    def __init__(self) -> None:
        self._connection = Connection(ConnectionType.SERVER)
        self._out: list[bytes] = []
        self._inside = False
        self.closed = False

    def receive(self, data: bytes) -> Iterator[Part]:
        try:
            self._connection.receive_data(data)
            for event in self._connection.events():
                if isinstance(event, BytesMessage | TextMessage):
                    yield self._part(event)
                elif isinstance(event, Ping):
                    self._out.append(self._connection.send(event.response()))
                elif isinstance(event, CloseConnection):
                    if not self.closed:
                        self._out.append(self._connection.send(event.response()))
                    self.closed = True
        except (RemoteProtocolError, LocalProtocolError) as error:
            raise WebSocketBroken(str(error)) from None

    def send(self, data: bytes | str) -> None:
        if not self.closed:
            event = BytesMessage(data) if isinstance(data, bytes) else TextMessage(data)
            self._out.append(self._connection.send(event))

    def close(self, code: int = 1000) -> None:
        if not self.closed:
            self.closed = True
            self._out.append(self._connection.send(CloseConnection(code)))

    def unsent(self) -> bytes:
        due, self._out = b"".join(self._out), []
        return due

    def _part(self, event: BytesMessage | TextMessage) -> Part:
        first, self._inside = not self._inside, not event.message_finished
        data = event.data if isinstance(event.data, (bytes, bytearray)) else event.data.encode()
        return Part(bytes(data), first, event.message_finished)

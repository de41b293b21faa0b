"""A watch over a WebSocket: each event is one message, as browsers and Java clients read them.

Owns      cutting a watch's chunks into messages, the end of either side.
Leaves    the watch itself (watching), frames (websocket).
Invariant what the client says is read and passed over; when it hangs up, the watch ends.
Source    upstream's watch handler; Kubernetes documentation, "API Concepts".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from busk8s.api.request import Duplex, Request, Response
from busk8s.master.apiserver.streaming.websocket import (
    WebSocket,
    WebSocketBroken,
    offered,
    switching,
)
from busk8s.tasks import supervise

LENGTH_BYTES = 4  # Before each event in protobuf; a message needs none.
BEARER = "base64url.bearer."  # A token that rides as a subprotocol is none.


def over_websocket(
    request: Request, stream: AsyncGenerator[bytes, None], *, messages: bool
) -> Response:
    """The 101 after which `stream` is told; `messages`: its events are protobuf."""
    protocols = [one for one in offered(request.headers) if not one.startswith(BEARER)]
    headers = switching(request.headers, protocols[0] if len(protocols) == 1 else "")

    async def upgraded(client: Duplex | None) -> None:
        async with aclosing(stream):
            if client is not None:
                await _serve(client, stream, messages=messages)

    return Response(101, headers=headers, upgrade=upgraded)


async def _serve(client: Duplex, stream: AsyncGenerator[bytes, None], *, messages: bool) -> None:
    socket = WebSocket()
    try:
        await supervise(_hear(client, socket), _tell(client, socket, stream, messages=messages))
    except (WebSocketBroken, OSError):
        return


async def _hear(client: Duplex, socket: WebSocket) -> None:
    while not socket.closed and (data := await client.read()):
        for _ in socket.receive(data):
            pass
        await client.write(socket.unsent())


async def _tell(
    client: Duplex, socket: WebSocket, stream: AsyncGenerator[bytes, None], *, messages: bool
) -> None:
    async for chunk in stream:
        for event in _framed(chunk) if messages else chunk.splitlines():
            socket.send(event if messages else event.decode())
        await client.write(socket.unsent())
    socket.close()
    await client.write(socket.unsent())


def _framed(chunk: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(chunk):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(chunk[at:start])
        yield chunk[start:at]

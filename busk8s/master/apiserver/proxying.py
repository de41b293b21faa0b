"""A request passed on to another HTTP server, and its answer passed back, as they are.

Owns      which headers travel, streaming the answer, tunnelling upgrades both ways, Location.
Leaves    where it goes and who may (aggregation, subresources.proxy), connections (outgoing).
Invariant nothing is gathered but the request's own bounded body and one head: an answer flows at
          the speed of its reader; credentials meant for us go no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httptools

from busk8s import errors
from busk8s.api.request import Duplex, Request, Response
from busk8s.master.apiserver.call_errors import said_of
from busk8s.master.apiserver.outgoing import CallFailed, Outgoing, Target

CONNECT_S = 30.0
HEAD_S = 300.0  # Until an answer begins: long polls are slow, but somebody must end them.
HEAD_BYTES_MAX = 64 * 1024
READ_BYTES = 64 * 1024

# Of one connection only (RFC 9110, 7.6.1), or made anew.
_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
        "host", "expect",
    }
)  # fmt: skip
# Ours: they say who asks us, and must neither leak nor be believed there.
_OURS = frozenset({"authorization"})
_OUR_PREFIXES = ("impersonate-", "x-remote-")
# Of the answer: our own are written instead.
_NOT_BACK = _HOP - {"host", "expect"} | {"date", "audit-id", "content-type", "cache-control"}
_BODYLESS = frozenset({204, 304})

Redirect = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Destination:
    """`path` is raw, with its query. `words` begins the message of a failure to connect."""

    target: Target
    path: str
    added: Sequence[tuple[str, str]] = ()
    redirect: Redirect = lambda location: location
    words: str = "error trying to reach service: "


def raw_path(request: Request) -> str:
    """The target as it was sent; requests that came over the bus have only its meaning."""
    if request.target:
        text = request.target.decode("latin-1")
        if not text.startswith("/"):
            parts = urlsplit(text)
            text = parts.path + (f"?{parts.query}" if parts.query else "")
        return text
    query = "&".join(
        f"{quote(key)}={quote(value)}" for key, values in request.query.items() for value in values
    )
    return quote(request.path) + (f"?{query}" if query else "")


async def forward(outgoing: Outgoing, request: Request, to: Destination) -> Response:
    """The answer of `to`. Raises errors.Error (503) when there is none."""
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await outgoing.connect(to.target)
    except CallFailed as error:
        raise unreachable(f"{to.words}{error}") from None
    except TimeoutError:
        why = f"dial tcp {to.target.authority}:{to.target.port}: i/o timeout"
        raise unreachable(f"{to.words}{why}") from None
    try:
        writer.write(_head(request, to) + request.body)
        async with asyncio.timeout(HEAD_S):
            await writer.drain()
            first = await _first(reader)
        return _answer(request, to, first, reader, writer)
    except TimeoutError:
        writer.transport.abort()
        raise errors.timeout("the server behind the proxy did not answer in time") from None
    except (OSError, CallFailed) as error:
        writer.transport.abort()
        address = (to.target.host, to.target.port)
        why = said_of(error, address) if isinstance(error, OSError) else str(error)
        raise unreachable(f"{to.words}{why}") from None
    except BaseException:
        writer.transport.abort()
        raise


def unreachable(message: str) -> errors.Error:
    return errors.Error(503, "ServiceUnavailable", message)


def _head(request: Request, to: Destination) -> bytes:
    lines = [f"{request.method} {to.path} HTTP/1.1", f"Host: {to.target.shown_authority}"]
    lines += [f"{name}: {value}" for name, value in _travelling(request)]
    lines += [f"{name}: {value}" for name, value in to.added]
    if request.upgrade:
        lines += ["Connection: Upgrade", f"Upgrade: {request.headers.get('upgrade', '')}"]
    else:
        lines.append("Connection: close")
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}")
    text = "\r\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines)
    return (text + "\r\n\r\n").encode("latin-1", "replace")


def _travelling(request: Request) -> Iterator[tuple[str, str]]:
    lines = request.lines
    if not lines:  # over the bus: what is known of it
        known = {"Content-Type": request.content_type if request.body else "", **{}}
        known["Accept"] = request.accept
        lines = [(name, value) for name, value in known.items() if value]
    named = request.headers.get("connection", "").lower()
    dropped = {part.strip() for part in named.split(",")} | _HOP | _OURS
    for name, value in lines:
        key = name.lower()
        if key not in dropped and not key.startswith(_OUR_PREFIXES):
            yield name, value


async def _first(reader: asyncio.StreamReader) -> bytes:
    """The bytes up to the end of the answer's head, and what came with them."""
    data = b""
    while True:
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > HEAD_BYTES_MAX:
                raise CallFailed("net/http: server response headers exceeded the limit")
            more = await reader.read(READ_BYTES)
            if not more:
                raise CallFailed("EOF" if not data else "unexpected EOF")
            data += more
        if not data.startswith((b"HTTP/1.1 100", b"HTTP/1.1 102", b"HTTP/1.1 103")):
            return data
        data = data[end + 4 :]  # an interim answer: the real one follows


class _Reading:
    def __init__(self, method: str) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []
        self.done = False
        self.to_end = True
        self._bodyless = method == "HEAD"
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> list[bytes]:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            raise CallFailed(f"malformed HTTP response: {error}") from None
        pieces, self.pieces = self.pieces, []
        return pieces

    def on_header(self, name: bytes, value: bytes) -> None:
        text = name.decode("latin-1")
        self.headers.append((text, value.decode("latin-1")))
        if text.lower() in ("content-length", "transfer-encoding"):
            self.to_end = False

    def on_headers_complete(self) -> None:
        self.status = int(self._parser.get_status_code())
        if self._bodyless or self.status in _BODYLESS:
            self.done = True

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        self.done = True


def _answer(
    request: Request,
    to: Destination,
    first: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> Response:
    end = first.index(b"\r\n\r\n") + 4
    reading = _Reading(request.method)
    pieces = reading.feed(first[:end])
    if reading.status == 101:
        if not request.upgrade:
            raise CallFailed("the server switched protocols unasked")
        headers = tuple((n, v) for n, v in reading.headers if n.lower() != "content-length")
        return Response(101, headers=headers, upgrade=_tunnelling(first[end:], reader, writer))
    if not reading.done:
        pieces += reading.feed(first[end:])
    media, headers = _back(reading, to)
    if reading.status in _BODYLESS:
        writer.transport.abort()
        return Response(reading.status, b"", media, headers)
    stream = _streaming(reading, pieces, reader, writer)
    return Response(reading.status, b"", media, headers, stream)


def _back(reading: _Reading, to: Destination) -> tuple[str, tuple[tuple[str, str], ...]]:
    media, kept = "application/octet-stream", []
    for name, value in reading.headers:
        key = name.lower()
        if key == "content-type":
            media = value
        elif key == "location":
            kept.append((name, to.redirect(value)))
        elif key not in _NOT_BACK:
            kept.append((name, value))
    return media, tuple(kept)


async def _streaming(
    reading: _Reading,
    pieces: list[bytes],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> AsyncIterator[bytes]:
    try:
        for piece in pieces:
            yield piece
        while not reading.done:
            data = await reader.read(READ_BYTES)
            if not data:
                if reading.to_end:
                    return
                raise errors.unavailable("the server behind the proxy ended early")
            for piece in reading.feed(data):
                yield piece
    except (OSError, CallFailed) as error:
        raise errors.unavailable(f"the server behind the proxy failed: {error}") from None
    finally:
        writer.transport.abort()


def _tunnelling(
    first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Callable[[Duplex | None], Awaitable[None]]:
    async def tunnel(client: Duplex | None) -> None:
        try:
            if client is not None:
                await _pump(client, first, reader, writer)
        finally:
            writer.transport.abort()

    return tunnel


async def _pump(
    client: Duplex, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Bytes both ways until either side ends."""

    async def out() -> None:
        while data := await client.read():
            writer.write(data)
            await writer.drain()

    async def back() -> None:
        if first:
            await client.write(first)
        while data := await reader.read(READ_BYTES):
            await client.write(data)

    from busk8s.tasks import supervise

    try:
        await supervise(out(), back())
    except OSError:
        return  # one side is gone: so is the tunnel

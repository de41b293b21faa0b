"""The HTTPS face: connections in, `Request`s to the handler, `Response`s out.

Owns      listening, order on a connection, time limits, back-pressure, who is cut off and when.
Leaves    parsing (http_request), the form of answers (http_response), who asks (authn),
          what it means (dispatch).
Invariant answers leave in the order of their requests; a client that does not read, or does not
          finish what it began, costs one connection for a bounded time and nothing else.
Source    docs/decisions/0001-httptools-face.md
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Protocol

from busk8s import errors
from busk8s.api.request import Request, Response, User
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver import http_response as form
from busk8s.master.apiserver.authentication.peers import NOBODY, Peer
from busk8s.master.apiserver.http_request import Incoming, RequestReader, split_target
from busk8s.master.apiserver.http_tunnel import Tunnel
from busk8s.metrics import Family, Gauge
from busk8s.tasks import Nursery

CONNECTIONS_MAX = 4_096  # Beyond it a new connection gets 503 and is closed.
PIPELINE_MAX = 32  # Requests waiting on one connection: beyond it we stop reading from it.
WRITE_BUFFER_BYTES_MAX = 1024 * 1024  # Of unsent answers: beyond it a stream waits.
PIECE_BYTES_MAX = 256 * 1024  # Longer bodies are written in pieces of this size.
JOIN_BYTES_MAX = 64 * 1024  # Bodies up to this are joined with their heads: one write.
LINGER_S = 1.0  # How long we go on draining a refused upload, so the client reads the refusal.
BACKLOG = 1_024
AUDIT_ID_CHARACTERS_MAX = 64  # Of an Audit-Id that a client gives; a longer one is not taken.

Handler = Callable[[Request], Awaitable[Response]]
Admits = Callable[[str, str], bool]  # our end's address, and theirs


def anyone(ours: str, theirs: str) -> bool:
    return True


def is_proxied(target: bytes) -> bool:
    """Whether the whole request matters: it may be passed on to a pod or a Service."""
    return b"/proxy" in target


log = Logger("busk8s.http")


class Identify(Protocol):
    """Who asks (authn.Authenticator). `peer` is asked once a connection, `user` each request."""

    def peer(self, tls: ssl.SSLObject | None) -> Peer: ...

    async def user(self, peer: Peer, headers: Mapping[str, str], path: str) -> User: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds a client may take. Tests shorten them."""

    handshake_s: float = 10.0
    head_s: float = 10.0  # from the first byte (or the connection) to the end of the headers
    body_s: float = 60.0
    idle_s: float = 180.0  # longer than the 90 s after which Go's client drops a connection
    stall_s: float = 30.0  # a client that reads nothing of its answer for so long is cut off
    sweep_s: float = 1.0
    connections_max: int = CONNECTIONS_MAX


class HttpServer:
    """`await open(...)`, then it serves until `close()`. One per address family and port."""

    def __init__(
        self,
        handler: Handler,
        identify: Identify,
        *,
        clock: Clock,
        limits: Limits = Limits(),
        audit_prefix: int = 0,
        admits: Admits = anyone,
        passed_on: Callable[[bytes], bool] = is_proxied,
    ) -> None:
        self.handler = handler
        self.passed_on = passed_on
        self.admits = admits
        self.identify = identify
        self.limits = limits
        self.connections: dict[Connection, None] = {}
        self.work = Nursery(self._failed)
        self.now = 0.0
        self.date = ""
        self._clock = clock
        self._servers: list[asyncio.Server] = []
        self._audit_prefix = audit_prefix
        self._audit_count = 0
        self.handshakes_failed = 0

    def families(self) -> Sequence[Family]:
        name, what = "apiserver_tls_handshake_errors_total", "Connections that never became secure."
        return (Gauge(name, what, lambda: self.handshakes_failed, kind="counter"),)

    async def open(self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        self._tick()
        handshake_s = self.limits.handshake_s if tls else None
        for bound in sockets:
            server = await loop.create_server(
                lambda: Connection(self),
                sock=bound,
                ssl=tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=handshake_s,
            )
            self._servers.append(server)
        self.work.spawn(self._sweep(), name="http sweep")

    async def close(self, grace_s: float = 1.0) -> None:
        """Stop listening, end streams, let short answers finish, cut what is left."""
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.wind_down()
        waited = 0.0
        while self.connections and waited < grace_s:
            await self._clock.sleep(0.02)
            waited += 0.02
        for connection in list(self.connections):
            connection.abort()
        await self.work.close()

    def audit_id(self) -> str:
        """A request's id in UUID form: unique by server and count, a tenth of uuid4's price."""
        self._audit_count += 1
        return f"{self._audit_prefix:08x}-0000-4000-8000-{self._audit_count:012x}"

    def _tick(self) -> None:
        self.now = self._clock.monotonic()
        self.date = formatdate(self._clock.now(), usegmt=True)

    async def _sweep(self) -> None:
        """One timer for all connections: cheaper than one each, and exact to `sweep_s`."""
        while True:
            await self._clock.sleep(self.limits.sweep_s)
            self._tick()
            for connection in list(self.connections):
                if 0.0 < connection.deadline <= self.now:
                    connection.out_of_time()

    @staticmethod
    def _failed(name: str, error: BaseException) -> None:
        log.error("connection task failed", task=name, error=error)


class Connection(asyncio.Protocol):
    """One client. Requests wait in `_queue`; one task answers them, one after the other."""

    def __init__(self, server: HttpServer) -> None:
        self.deadline = 0.0
        self._server = server
        self._reader = RequestReader(passed_on=server.passed_on)
        self._tunnel: Tunnel | None = None
        self._queue: deque[Incoming] = deque()
        self._task: asyncio.Task[Any] | None = None
        self._transport: Any = None
        self._peer: Peer = NOBODY
        self._source = ""
        self._writable = asyncio.Event()
        self._writable.set()
        self._phase = "head"
        self._streaming = False
        self._reading = True
        self._lost = False
        self._ending = False

    def __del__(self) -> None:
        """Who never had a connection did not get through the handshake."""
        if self._transport is None:
            self._server.handshakes_failed += 1

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        server = self._server
        self._transport = transport
        transport.set_write_buffer_limits(WRITE_BUFFER_BYTES_MAX)  # type: ignore[attr-defined] # every TCP and TLS transport has it
        if len(server.connections) >= server.limits.connections_max:
            self._write_whole(None, form.of_error(errors.unavailable("too many connections")))
            self._end()
            return
        if not server.admits(_address(transport, "sockname"), _address(transport, "peername")):
            self._ending = True
            transport.abort()  # type: ignore[attr-defined] # every TCP and TLS transport has it
            return
        server.connections[self] = None
        self._source = _address(transport, "peername")
        self._peer = server.identify.peer(transport.get_extra_info("ssl_object"))
        self._reader.kept = self._peer.kept
        self._expect_within(server.limits.head_s)

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.feed(data)
            return
        if self._ending:
            return
        ready = self._reader.feed(data)
        if ready:
            if ready[-1].upgrade:
                self._tunnel = Tunnel(self._transport, self._drain, self._reader.rest)
            self._queue.extend(ready)
            if len(self._queue) > PIPELINE_MAX and self._reading:
                self._reading = False
                self._transport.pause_reading()
            if self._task is None:
                self.deadline = 0.0
                self._task = self._server.work.spawn(self._serve(), name="http request")
        elif self._task is None:
            self._await_rest()

    def _await_rest(self) -> None:
        """No request is complete: it has until its limit, however many bytes trickle in."""
        reader, limits = self._reader, self._server.limits
        if reader.wants_continue:
            reader.wants_continue = False
            self._transport.write(form.CONTINUE)
        phase = "body" if reader.in_body else "head" if reader.in_head else "idle"
        if phase == self._phase:
            return
        self._phase = phase
        allowed = {"body": limits.body_s, "head": limits.head_s, "idle": limits.idle_s}
        self._expect_within(allowed[phase])

    def eof_received(self) -> bool:
        """Half closed: what was asked is still answered (without TLS; TLS has no half close)."""
        if self._tunnel is not None:
            self._tunnel.end()
        if self._task is None or self._transport.get_extra_info("ssl_object") is not None:
            return False  # the transport closes
        self._ending = True
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = self._ending = True
        self._server.connections.pop(self, None)
        self._queue.clear()
        self._writable.set()
        if self._tunnel is not None:
            self._tunnel.end()
        if self._streaming and self._task is not None:
            self._task.cancel()  # writes under way finish: their effect must not be half done

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the server calls.

    def out_of_time(self) -> None:
        if self._reader.in_head or self._reader.in_body:
            refusal = errors.Error(408, "Timeout", "the request did not arrive in time")
            self._write_whole(None, form.of_error(refusal))
        self._end()

    def wind_down(self) -> None:
        """The server stops: end a stream, finish an answer, close an idle connection."""
        if self._task is None:
            self._end()
        elif self._streaming:
            self._task.cancel()
        else:
            self._queue.clear()
            self._ending = True

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # Answering.

    def _expect_within(self, seconds: float) -> None:
        self.deadline = self._server.now + seconds

    async def _serve(self) -> None:
        queue = self._queue
        try:
            while queue:
                incoming = queue.popleft()
                if not self._reading and len(queue) <= PIPELINE_MAX // 2:
                    self._reading = True
                    self._transport.resume_reading()
                await self._answer(incoming)
                if self._lost:
                    return
                if not incoming.keep_alive or (self._ending and not queue):
                    self._end(linger=incoming.refusal is not None)
                    return
        except BaseException:
            if not self._ending:
                self.abort()
            raise
        finally:
            self._task = None
        self._phase = ""
        self._await_rest()

    async def _answer(self, incoming: Incoming) -> None:
        if incoming.refusal is not None:  # Never raised: see RequestReader._refuse.
            response = form.of_error(incoming.refusal)
        else:
            response = await self._handled(incoming)
        if self._lost:
            if response.stream is not None:
                await _discard(response.stream)
            if response.upgrade is not None:
                await response.upgrade(None)
            return
        if response.upgrade is not None:
            await self._switch(response)
            return
        if response.stream is not None:
            await self._write_stream(incoming, response)
            return
        if form.wants_gzip(response, incoming.headers.get("accept-encoding", "")):
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(None, form.squeeze, response)
            if self._lost:
                return
        if len(response.body) > PIECE_BYTES_MAX:
            await self._write_pieces(incoming, response)
            return
        self._write_whole(incoming, response)
        if not self._writable.is_set():
            await self._drain()

    async def _handled(self, incoming: Incoming) -> Response:
        try:
            return await self._server.handler(await self._request(incoming))
        except errors.Error as error:
            return form.of_error(error)

    async def _request(self, incoming: Incoming) -> Request:
        headers = incoming.headers
        given = headers.get("audit-id")
        if not given or len(given) > AUDIT_ID_CHARACTERS_MAX:
            headers["audit-id"] = self._server.audit_id()
        path, query = split_target(incoming.target)
        lines = incoming.lines
        if lines is None and headers.get("content-encoding", "identity") != "identity":
            raise errors.Error(
                415, "UnsupportedMediaType", "compressed request bodies are not supported"
            )
        return Request(
            incoming.method,
            path,
            await self._server.identify.user(self._peer, headers, path),
            query,
            incoming.body,
            headers.get("content-type", ""),
            headers.get("accept", ""),
            headers,
            incoming.target if lines is not None else b"",
            lines or (),
            incoming.upgrade,
            self._source,
        )

    def _head(self, incoming: Incoming | None, response: Response, length: int | None) -> bytes:
        asked_id = incoming.headers.get("audit-id") if incoming is not None else None
        close = incoming is None or not incoming.keep_alive or self._ending
        return form.head(
            response,
            length=length,
            audit_id=asked_id or self._server.audit_id(),
            date=self._server.date,
            close=close,
        )

    def _write_whole(self, incoming: Incoming | None, response: Response) -> None:
        body = response.body
        head = self._head(incoming, response, len(body))
        if incoming is not None and incoming.method == "HEAD":
            self._transport.write(head)
        elif len(body) <= JOIN_BYTES_MAX:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    async def _switch(self, response: Response) -> None:
        """The connection becomes another protocol's, until either side ends it."""
        assert response.upgrade is not None
        self._transport.write(form.switching(response))
        self._streaming = True
        try:
            await response.upgrade(self._tunnel)
        finally:
            self._streaming = False
            self._end()

    async def _write_pieces(self, incoming: Incoming, response: Response) -> None:
        """A long answer, as fast as the client reads: what waits encrypted stays small."""
        body = memoryview(response.body)
        self._transport.write(self._head(incoming, response, len(body)))
        if incoming.method == "HEAD":
            return
        for start in range(0, len(body), PIECE_BYTES_MAX):
            self._transport.write(body[start : start + PIECE_BYTES_MAX])
            if not self._writable.is_set():
                await self._drain()
            else:
                await asyncio.sleep(0)  # Many long answers at once: others are heard in between.
            if self._lost:
                return

    async def _write_stream(self, incoming: Incoming, response: Response) -> None:
        stream = response.stream
        assert stream is not None
        chunked = incoming.modern
        if not chunked:
            incoming.keep_alive = False
        head = self._head(incoming, response, None)
        if chunked and not incoming.keep_alive:
            head = head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
        write = self._transport.write
        write(head)
        if incoming.method == "HEAD":
            await _discard(stream)
            return
        self._streaming = True
        try:
            async with aclosing(stream) as chunks:  # type: ignore[type-var] # streams are generators
                async for data in chunks:
                    if not data:
                        continue
                    write(form.chunk(data) if chunked else data)
                    if not self._writable.is_set():
                        await self._drain()
            if chunked:
                write(form.LAST_CHUNK)
        except asyncio.CancelledError:
            if not self._lost and chunked:  # the server stops: clients see an orderly end
                write(form.LAST_CHUNK)
            self._end()
            raise
        except errors.Error as error:
            # The status line is gone: a cut stream is the only way left to say that it failed.
            log.warning("stream ended early", path=incoming.target, why=error.message)
            self.abort()
        finally:
            self._streaming = False

    async def _drain(self) -> None:
        """Wait until the client has read; cut it off when it reads nothing for too long."""
        try:
            async with asyncio.timeout(self._server.limits.stall_s):
                await self._writable.wait()
        except TimeoutError:
            log.info("client does not read: cut off")
            self.abort()
            self._lost = True

    def _end(self, *, linger: bool = False) -> None:
        self._ending = True
        self.deadline = 0.0
        if self._transport.is_closing():
            return
        if linger:
            asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)
        else:
            self._transport.close()


async def _discard(stream: Any) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def _address(transport: asyncio.BaseTransport, end: str) -> str:
    found = transport.get_extra_info(end)
    return str(found[0]) if isinstance(found, tuple) and found else ""

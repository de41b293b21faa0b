"""HTTPS calls that the API server itself makes: to webhooks, and to other API servers.

Owns      where a `clientConfig` or a Service leads, TLS, one request and its bounded answer, idle
          connections, and what is said of a failure (in the words of Go's client, which people
          and tools know from upstream).
Leaves    what is asked and what the answer means (webhooks, conversion, aggregation, audit).
Invariant no proxy, no redirect, no certificate that was not verified (but where the target says
          so); a peer that hangs, floods or closes costs one connection until the time limit.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import httptools

from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.master.apiserver.call_errors import said_of
from busk8s.master.apiserver.endpoints import Lookup, Unresolved, resolve

ANSWER_BYTES_MAX = 8 * 1024 * 1024  # A review of the largest object, patched, in base64.
HEAD_BYTES_MAX = 64 * 1024
READ_BYTES = 64 * 1024
IDLE_PER_TARGET_MAX = 8  # Connections kept open to one webhook when nothing is asked.
IDLE_S = 30.0
CONTEXTS_MAX = 200  # TLS contexts kept (one a CA bundle); upstream's number of clients.


class CallFailed(Exception):
    """No answer. The text is what follows `Post "https://…": `; `timed_out` says why."""

    def __init__(self, why: str, *, timed_out: bool = False) -> None:
        super().__init__(why)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes. `service`: namespace, name, port; it is resolved at each call."""

    host: str
    port: int
    path: str = "/"
    service: tuple[str, str, int] | None = None
    server_name: str = ""
    ca: bytes = field(default=b"", repr=False)
    insecure: bool = False
    plain: bool = False  # HTTP without TLS: to pods that speak so
    identity: tuple[str, str] | None = None  # files: our certificate and its key

    @property
    def authority(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def url(self, query: str = "") -> str:
        return f"https://{self.shown_authority}{self.path}" + (f"?{query}" if query else "")

    @property
    def shown_authority(self) -> str:
        """As in the Host header; a service always shows its port, a URL only when it has one."""
        if self.port == 443 and self.service is None:
            return self.authority
        return f"{self.authority}:{self.port}"


def target_of(config: Mapping[str, Any]) -> Target:
    """The target of a valid `clientConfig` (of a webhook or a conversion)."""
    import base64

    bundle = config.get("caBundle") or ""
    ca = base64.b64decode(bundle) if isinstance(bundle, str) else bytes(bundle)
    service: Json | None = config.get("service")
    if service is not None:
        namespace, name = service.get("namespace", ""), service.get("name", "")
        path = str(service.get("path") or "/")
        return service_target(namespace, name, int(service.get("port") or 443), ca=ca, path=path)
    url = urlsplit(str(config.get("url") or ""))
    host = url.hostname or ""
    return Target(
        host, url.port or 443, quote(url.path, safe="/%:@!$&'()*+,;=~-._") or "/", None, host, ca
    )


def service_target(
    namespace: str,
    name: str,
    port: int,
    *,
    ca: bytes = b"",
    path: str = "/",
    insecure: bool = False,
    identity: tuple[str, str] | None = None,
) -> Target:
    host = f"{name}.{namespace}.svc"
    if not path.startswith("/"):
        path = "/" + path
    service = (namespace, name, port)
    return Target(host, port, path, service, host, ca, insecure, identity=identity)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


class Outgoing:
    """`lookup` is the watch cache: Services and EndpointSlices are read from it."""

    def __init__(self, lookup: Lookup, clock: Clock) -> None:
        self._lookup = lookup
        self.clock = clock
        self._contexts: OrderedDict[tuple[bytes, bool, Any], ssl.SSLContext] = OrderedDict()
        self._idle: dict[tuple[Any, ...], deque[_Connection]] = {}
        self._turn = 0

    async def call(
        self,
        target: Target,
        body: bytes,
        *,
        timeout_s: float,
        method: str = "POST",
        query: str = "",
        headers: Sequence[tuple[str, str]] = (),
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Answer:
        """One request. Raises CallFailed; an answer of any status is an answer."""
        head = _head(target, method, query, headers, len(body))
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(target, head + body, method, bytes_max)
        except TimeoutError:
            raise CallFailed("context deadline exceeded", timed_out=True) from None

    async def connect(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of one's own, ready to be written to. Raises CallFailed."""
        connection = await self._open(target, self._address(target))
        return connection.reader, connection.writer

    def can_reach(self, target: Target) -> str:
        """Why there is nobody to connect to; "" when there is."""
        try:
            self._address(target)
        except CallFailed as error:
            return str(error)
        return ""

    def close(self) -> None:
        for waiting in self._idle.values():
            for connection in waiting:
                connection.drop()
        self._idle.clear()

    async def _exchange(self, target: Target, request: bytes, method: str, limit: int) -> Answer:
        address = self._address(target)
        key = (address, target.server_name, target.ca, target.insecure, target.identity)
        kept = self._take(key)
        connection = kept or await self._open(target, address)
        try:
            try:
                answer = await connection.ask(request, method, limit)
            except _Silent:
                if kept is None:
                    raise CallFailed("EOF") from None
                # The peer closed while nothing was asked: no fault of this request.
                connection.drop()
                connection = await self._open(target, address)
                answer = await connection.ask(request, method, limit)
        except _Silent:
            connection.drop()
            raise CallFailed("EOF") from None
        except OSError as error:
            connection.drop()
            raise CallFailed(said_of(error, address)) from None
        except BaseException:
            connection.drop()
            raise
        if connection.reusable:
            self._keep(key, connection)
        else:
            connection.drop()
        return answer

    def _address(self, target: Target) -> tuple[str, int]:
        if target.service is None:
            return target.host, target.port
        self._turn += 1
        try:
            return resolve(self._lookup, *target.service, self._turn)
        except Unresolved as error:
            raise CallFailed(str(error)) from None

    async def _open(self, target: Target, address: tuple[str, int]) -> _Connection:
        name = target.server_name or target.host
        tls: Mapping[str, Any] = {}
        if not target.plain:
            tls = {"ssl": self._context(target), "server_hostname": name}
        try:
            reader, writer = await asyncio.open_connection(*address, **tls)
        except (OSError, ssl.CertificateError, UnicodeError) as error:
            raise CallFailed(said_of(error, address, name)) from None
        return _Connection(reader, writer)

    def _context(self, target: Target) -> ssl.SSLContext:
        key = (target.ca, target.insecure, target.identity)
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = _context(target)
            if len(self._contexts) > CONTEXTS_MAX:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(key)
        return context

    def _take(self, key: tuple[Any, ...]) -> _Connection | None:
        waiting = self._idle.get(key)
        while waiting:
            connection = waiting.pop()
            if connection.timer is not None:
                connection.timer.cancel()
            if connection.alive:
                return connection
            connection.drop()
        return None

    def _keep(self, key: tuple[Any, ...], connection: _Connection) -> None:
        waiting = self._idle.setdefault(key, deque())
        if len(waiting) >= IDLE_PER_TARGET_MAX:
            connection.drop()
            return
        waiting.append(connection)
        loop = asyncio.get_running_loop()
        connection.timer = loop.call_later(IDLE_S, self._forget, key, connection)

    def _forget(self, key: tuple[Any, ...], connection: _Connection) -> None:
        connection.drop()
        waiting = self._idle.get(key)
        if waiting is not None and connection in waiting:
            waiting.remove(connection)
            if not waiting:
                del self._idle[key]


class _Silent(Exception):
    """The connection ended before a byte of the answer came."""


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.reusable = False
        self.timer: asyncio.TimerHandle | None = None

    @property
    def alive(self) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing()

    def drop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.writer.transport.abort()

    async def ask(self, request: bytes, method: str, limit: int) -> Answer:
        self.writer.write(request)
        await self.writer.drain()
        reading = _Reading(method, limit)
        while not reading.done:
            data = await self.reader.read(READ_BYTES)
            if not data:
                if not reading.any:
                    raise _Silent
                reading.at_end()
                break
            reading.feed(data)
        self.reusable = reading.keep_alive
        return Answer(reading.status, b"".join(reading.pieces), reading.headers)


class _Reading:
    """One answer, as it comes in. Callbacks of the parser; their errors come out of `feed`."""

    def __init__(self, method: str, limit: int) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.any = False
        self.done = False
        self.keep_alive = False
        self._to_end = False
        self._method = method
        self._limit = limit
        self._bytes = 0
        self._head_bytes = 0
        self._raw_bytes = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self.any = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, CallFailed):
                raise error.__context__ from None
            first = bytes(data[:32]).decode("ascii", "replace").replace('"', "'")
            raise CallFailed(
                f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{first}"'
            ) from None
        if not self.status:  # a head in many pieces, of which none is whole
            self._raw_bytes += len(data)
            self._check_head(self._raw_bytes)

    @staticmethod
    def _check_head(count: int) -> None:
        if count > HEAD_BYTES_MAX:
            raise CallFailed(
                f"net/http: server response headers exceeded {HEAD_BYTES_MAX} bytes; aborted"
            )

    def at_end(self) -> None:
        """The peer closed: that ends an answer without a length, and breaks any other."""
        if not self._to_end:
            raise CallFailed("unexpected EOF")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        self._check_head(self._head_bytes)
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        code = self._parser.get_status_code()
        if code < 200:
            self.headers.clear()
            return
        self.status = code
        length = self.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limit:
            raise self._too_large()
        self._to_end = not length and "transfer-encoding" not in self.headers
        if self._method == "HEAD":
            self.done = True

    def on_body(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > self._limit:
            raise self._too_large()
        self.pieces.append(data)

    def _too_large(self) -> CallFailed:
        return CallFailed(f"the response body is larger than {self._limit} bytes")

    def on_message_complete(self) -> None:
        if self.status:
            self.done = True
            self.keep_alive = bool(self._parser.should_keep_alive()) and not self._to_end


def _head(
    target: Target, method: str, query: str, headers: Sequence[tuple[str, str]], length: int
) -> bytes:
    lines = [
        f"{method} {target.path}{'?' + query if query else ''} HTTP/1.1",
        f"Host: {target.shown_authority}",
        "User-Agent: kube-apiserver-admission",
        f"Content-Length: {length}",
    ]
    given = {name.lower() for name, _ in headers}
    for name, value in (("Content-Type", "application/json"), ("Accept", "application/json, */*")):
        if name.lower() not in given:
            lines.append(f"{name}: {value}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _context(target: Target) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if target.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif target.ca:
        try:
            context.load_verify_locations(cadata=target.ca.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise CallFailed(
                "unable to load root certificates: unable to parse bytes as PEM block"
            ) from None
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if target.identity is not None:
        context.load_cert_chain(*target.identity)
    return context

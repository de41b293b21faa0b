"""Bytes of an HTTP/1.1 connection into requests, without a socket.

Owns      parsing, the limits on heads and bodies, and which malformed input gets which 4xx.
Leaves    answering, order and time limits (http), who asks (authn).
Invariant any bytes, split anywhere, give the same requests; after a refusal nothing more is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

import httptools

from busk8s import errors

HEAD_BYTES_MAX = 64 * 1024  # Request line and headers: beyond it 431.
BODY_BYTES_MAX = 3 * 1024 * 1024  # As upstream's MaxRequestBodyBytes: beyond it 413.
QUERY_FIELDS_MAX = 1_000  # Bounds what one query string can cost to take apart.

# The headers that mean something here or in dispatch; all others are counted and dropped.
KEPT_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "audit-id",
        "authorization",
        "connection",
        "content-encoding",
        "content-type",
        "expect",
        "if-none-match",
        "impersonate-group",
        "impersonate-uid",
        "impersonate-user",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "upgrade",
        "user-agent",
        "x-stream-protocol-version",
    }
)
KEPT_PREFIX = "impersonate-extra-"
# Members of these, and of those with the prefix, are separate values; a plain join would change
# what they say.
LINE_SEPARATED = frozenset({"impersonate-group"})


@dataclass(frozen=True, slots=True)
class Kept:
    """Which headers are kept; values of `lines` and of the prefixes stay apart, by newlines."""

    names: frozenset[str] = KEPT_HEADERS
    prefixes: tuple[str, ...] = (KEPT_PREFIX,)
    lines: frozenset[str] = LINE_SEPARATED


KEPT = Kept()


class Incoming:
    """One request as it came in, or the `refusal` it deserves."""

    __slots__ = (
        "body",
        "headers",
        "keep_alive",
        "lines",
        "method",
        "modern",
        "refusal",
        "target",
        "upgrade",
    )

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.headers: dict[str, str] = {}
        self.lines: list[tuple[str, str]] | None = None  # all headers, of what is passed on
        self.body = b""
        self.keep_alive = True
        self.modern = True  # HTTP/1.1, so that chunked answers are understood
        self.upgrade = False
        self.refusal: errors.Error | None = None


class RequestReader:
    """Feed it bytes, get complete requests. `broken` once it has refused: close then."""

    def __init__(
        self, kept: Kept = KEPT, passed_on: Callable[[bytes], bool] = lambda target: False
    ) -> None:
        self.kept = kept
        self.rest = b""  # what followed a request for another protocol
        self._passed_on = passed_on
        self._parser: Any = httptools.HttpRequestParser(self)
        self._current: Incoming | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0  # of the head's members, as the parser hands them over
        self._pieces_bytes = 0  # of a head that comes in many pieces, handed over or not
        self._ready: list[Incoming] = []
        self._refusal: errors.Error | None = None
        self.in_head = False
        self.in_body = False
        self.wants_continue = False
        self.broken = False

    def feed(self, data: bytes) -> list[Incoming]:
        """Requests that are complete now, in order. Never raises."""
        if self.broken:
            return []
        pending = self._current if self.in_head else None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            self._upgraded()
            self.rest = data[error.args[0] :]
        except httptools.HttpParserError as error:
            self._refuse(self._why(error))
        if pending is not None and pending is self._current and self.in_head:
            self._pieces_bytes += len(data)
            if self._pieces_bytes > HEAD_BYTES_MAX:
                self._refuse(_head_too_large())
        if self._refusal is not None:
            self._give_up(self._refusal)
        ready, self._ready = self._ready, []
        return ready

    def _upgraded(self) -> None:
        """What follows the head is another protocol: the last request carries the wish."""
        if self._ready:
            self._ready[-1].upgrade = True
            self._ready[-1].keep_alive = False
        self.broken = True

    @staticmethod
    def _why(error: Exception) -> errors.Error:
        if isinstance(error, httptools.HttpParserCallbackError) and error.__context__ is not None:
            cause: BaseException = error.__context__
            if isinstance(cause, errors.Error):
                return cause
        return errors.bad_request(f"malformed HTTP request: {error}")

    def _refuse(self, error: errors.Error) -> None:
        if self._refusal is None:
            # Its traceback holds us, and through us the connection with its buffers, until the
            # next walk of the heap, which comes rarely.
            error.__context__ = None
            self._refusal = error.with_traceback(None)

    def _give_up(self, error: errors.Error) -> None:
        incoming = self._current or Incoming()
        incoming.refusal = error
        incoming.keep_alive = False
        self._ready.append(incoming)
        self._current = None
        self._body.clear()
        self.in_head = self.in_body = self.wants_continue = False
        self.broken = True

    # What the parser calls. Whatever is raised here reaches `feed` as a callback error.

    def on_message_begin(self) -> None:
        self._current = Incoming()
        self.in_head = True
        self._head_bytes = self._pieces_bytes = 0

    def on_url(self, url: bytes) -> None:
        assert self._current is not None
        self._current.target += url
        self._count_head(len(url))
        if self._passed_on(self._current.target):
            self._current.lines = []

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self._current is not None
        self._count_head(len(name) + len(value) + 4)
        key = name.decode("latin-1").lower()
        if self._current.lines is not None:
            self._current.lines.append((name.decode("latin-1"), value.decode("latin-1")))
        kept = self.kept
        if key not in kept.names and not key.startswith(kept.prefixes):
            return
        headers, text = self._current.headers, value.decode("latin-1")
        if key in headers:
            glue = "\n" if key in kept.lines or key.startswith(kept.prefixes) else ","
            text = headers[key] + glue + text
        headers[key] = text

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > HEAD_BYTES_MAX:
            raise _head_too_large()

    def on_headers_complete(self) -> None:
        current = self._current
        assert current is not None
        self.in_head, self.in_body = False, True
        self._body_bytes = 0
        current.method = self._parser.get_method().decode("latin-1")
        current.modern = self._parser.get_http_version() == "1.1"
        expect = current.headers.get("expect")
        if expect is None:
            return
        if expect.lower() != "100-continue":
            raise errors.Error(417, "", f"expectation {expect!r} is not supported")
        self.wants_continue = True

    def on_body(self, data: bytes) -> None:
        self.wants_continue = False
        self._body_bytes += len(data)
        if self._body_bytes > BODY_BYTES_MAX:
            self._body.clear()
            raise errors.too_large(BODY_BYTES_MAX)
        self._body.append(data)

    def on_message_complete(self) -> None:
        current = self._current
        assert current is not None
        if self._body:
            current.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body.clear()
        current.keep_alive = self._parser.should_keep_alive()
        self.in_body = self.wants_continue = False
        self._current = None
        self._ready.append(current)


def _head_too_large() -> errors.Error:
    message = f"request line and headers are larger than {HEAD_BYTES_MAX} bytes"
    return errors.Error(431, "RequestHeaderFieldsTooLarge", message)


def split_target(target: bytes) -> tuple[str, dict[str, list[str]]]:
    """The percent-decoded path and the query of a request target; raises errors.Error (400)."""
    if not target.startswith(b"/"):
        target = _origin_form(target)
    raw_path, _, raw_query = target.partition(b"?")
    try:
        path = (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode()
        if "\0" in path:
            raise ValueError("it holds a NUL byte")
        if not raw_query:
            return path, {}
        text = raw_query.decode()
        query = parse_qs(
            text,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=QUERY_FIELDS_MAX,
        )
    except ValueError as error:
        raise errors.bad_request(f"malformed request target: {error}") from None
    return path, query


def _origin_form(target: bytes) -> bytes:
    """Absolute-form targets (proxies send them) without their scheme and host."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserError:
        raise errors.bad_request("malformed request target") from None
    if not (url.path or b"").startswith(b"/"):
        raise errors.bad_request("malformed request target: it has no path")
    path: bytes = url.path
    return path + b"?" + url.query if url.query else path

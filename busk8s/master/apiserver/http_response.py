"""Answers as bytes: heads, chunks, compression.

Owns      the HTTP/1.1 form of a Response.
Leaves    when it is written and how fast the client takes it (http).
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from http import HTTPStatus

import orjson

from busk8s import errors
from busk8s.api.request import Response

GZIP_BYTES_MIN = 128 * 1024  # As upstream: smaller bodies cost more to squeeze than to send.
GZIP_LEVEL = 1  # As upstream since 1.32: the network is rarely slower than a higher level.
HEADERS_CACHED_MAX = 128  # Sets of headers whose lines are remembered.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}


def head(response: Response, *, length: int | None, audit_id: str, date: str, close: bool) -> bytes:
    """Status line and headers. `length` None: the body follows in chunks, or until the end."""
    status = response.status
    lines = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    lines += f"Audit-Id: {audit_id}\r\n{_lines_of(response.headers)}"
    if status != HTTPStatus.SWITCHING_PROTOCOLS:
        lines += f"Content-Type: {response.content_type}\r\n"
    lines += f"Date: {date}\r\n"
    if close:
        lines += "Connection: close\r\n"
    if length is not None:
        lines += f"Content-Length: {length}\r\n"
    elif not close:
        lines += "Transfer-Encoding: chunked\r\n"
    return (lines + "\r\n").encode("latin-1", "replace")


@lru_cache(maxsize=HEADERS_CACHED_MAX)
def _lines_of(headers: tuple[tuple[str, str], ...]) -> str:
    """`headers` as lines; nobody keeps an answer that does not say so. Most answers bear one of a
    few sets of headers, so the lines are remembered."""
    lines = "".join([f"{name}: {_clean(value)}\r\n" for name, value in headers])
    if any(name == "Cache-Control" for name, _ in headers):
        return lines
    return "Cache-Control: no-cache, private\r\n" + lines


def switching(response: Response) -> bytes:
    """The head of a 101: what follows is another protocol."""
    lines = "HTTP/1.1 101 Switching Protocols\r\n"
    for name, value in response.headers:
        lines += f"{name}: {_clean(value)}\r\n"
    return (lines + "\r\n").encode("latin-1", "replace")


def _clean(value: str) -> str:
    """No header may end early: a line break inside a warning text would start a new header."""
    if "\n" in value or "\r" in value:
        return value.replace("\r", " ").replace("\n", " ")
    return value


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def of_error(error: errors.Error) -> Response:
    """The Status object for an error that never reached dispatch."""
    headers: tuple[tuple[str, str], ...] = ()
    if error.retry_after_s:
        headers = (("Retry-After", str(error.retry_after_s)),)
    return Response(error.code, orjson.dumps(error.to_status()), headers=headers)


def wants_gzip(response: Response, accept_encoding: str) -> bool:
    return (
        len(response.body) > GZIP_BYTES_MIN
        and "gzip" in accept_encoding
        and not any(name.lower() == "content-encoding" for name, _ in response.headers)
    )


def squeeze(response: Response) -> Response:
    """The same answer, compressed. Slow: for a thread, not for the loop."""
    return Response(
        response.status,
        gzip.compress(response.body, GZIP_LEVEL, mtime=0),
        response.content_type,
        (*response.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")),
        held=response.held,
    )

"""Documents that clients keep: their ETag, and 304 for who has them already.

Owns      If-None-Match, the headers that say how a document may be kept.
Leaves    the documents (discovery).
Source    RFC 9110 section 13; kube-openapi's handlers for the addresses with a hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from busk8s.api.request import Request, Response

YEAR_S = 365 * 86_400
_VARY = ("Vary", "Accept")


@dataclass(frozen=True, slots=True)
class Document:
    """Encoded bytes and what names them."""

    body: bytes
    media: str
    etag: str

    @classmethod
    def of(cls, body: bytes, media: str) -> Document:
        return cls(body, media, f'"{hashlib.sha256(body).hexdigest().upper()}"')

    def answer(self, request: Request, *, fixed: bool = False) -> Response:
        """The document, or 304. `fixed`: it never changes at this address."""
        headers: tuple[tuple[str, str], ...] = (("ETag", self.etag), _VARY)
        if fixed:
            headers += (("Cache-Control", f"public, immutable, max-age={YEAR_S}"),)
        if _has(request.headers.get("if-none-match", ""), self.etag):
            return Response(304, b"", self.media, headers)
        return Response(200, self.body, self.media, headers)


def moved(to: str) -> Response:
    """The document has another address by now."""
    return Response(301, b"", headers=(("Location", to), _VARY))


def _has(header: str, etag: str) -> bool:
    """Whether If-None-Match names `etag`; weak comparison, as GET has it."""
    if not header:
        return False
    named = [one.strip().removeprefix("W/") for one in header.split(",")]
    return etag in named or "*" in named

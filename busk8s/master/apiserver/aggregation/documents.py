"""What other API servers publish as OpenAPI v2, merged into our own document.

Owns      fetching their documents, what is kept of them, the merged document in both forms.
Leaves    merging itself (api.openapi_merge), which servers there are (aggregator), our document
          (discovery).
Invariant a server is asked at most once in FRESH_S, whoever asks us; what it says is kept while it
          is away; a document that is none, or too large, is left out.
Source    upstream's OpenAPI aggregation.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from busk8s import errors
from busk8s.api import openapi_merge, openapi_wire
from busk8s.api.decode import check_depth
from busk8s.api.object import Json
from busk8s.api.request import JSON, Request, Response, User
from busk8s.log import Logger
from busk8s.master.apiserver.conditional import Document
from busk8s.master.apiserver.discovery import media_of
from busk8s.master.apiserver.outgoing import CallFailed, Outgoing, Target

OPENAPI_V2 = "/openapi/v2"
FETCH_S = 5.0
FRESH_S = 60.0  # Upstream asks each server once a minute.
FETCHED_BYTES_MAX = 8 * 1024 * 1024  # Of one server's document.
KEPT_BYTES_MAX = 16 * 1024 * 1024  # Of what is taken of all of them.
MERGED_MAX = 2  # Merged documents kept: one of each form.
AGGREGATOR = User("system:aggregator", ("system:masters",))

Handler = Callable[[Request], Awaitable[Response]]
Remote = Callable[[User], list[tuple[str, str]]]
log = Logger("busk8s.apiserver")


@dataclass(frozen=True, slots=True)
class Publisher:
    """A server, and the group versions that are its own here."""

    name: str
    target: Target
    prefixes: tuple[str, ...]
    available: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    asked_at: float
    etag: str = ""
    body: bytes = b""  # What is taken of its document; empty: nothing.
    prefixes: tuple[str, ...] = ()


class Documents:
    def __init__(self, outgoing: Outgoing, remote: Remote) -> None:
        self._outgoing, self._clock, self._remote = outgoing, outgoing.clock, remote
        self._kept: dict[str, _Kept] = {}
        self._merged: OrderedDict[tuple[str, str], Document] = OrderedDict()
        self._lock = asyncio.Lock()  # One look at a time; who waited finds what the first found.

    async def answer(
        self, request: Request, ours: Handler, publishers: Sequence[Publisher]
    ) -> Response:
        """Our document with theirs in it."""
        media = media_of(OPENAPI_V2, request.accept)
        async with self._lock:
            await self._look(publishers)
        headers = {k: v for k, v in request.headers.items() if k != "if-none-match"}
        response = await ours(dataclasses.replace(request, headers=headers, accept=JSON))
        if response.status != 200:
            return response
        names = [publisher.name for publisher in publishers]
        bodies = [self._kept[name].body for name in names if self._kept[name].body]
        digest = hashlib.sha256(b"".join(hashlib.sha256(b).digest() for b in bodies))
        digest.update(response.body)
        key = (media, digest.hexdigest())
        document = self._merged.get(key)
        if document is None:
            document = self._merged[key] = Document.of(_merged(response.body, bodies, media), media)
            if len(self._merged) > MERGED_MAX:
                self._merged.popitem(last=False)
        self._merged.move_to_end(key)
        return document.answer(request)

    async def _look(self, publishers: Sequence[Publisher]) -> None:
        """Ask those that were not asked lately, all at once."""
        named = {publisher.name for publisher in publishers}
        self._kept = {name: kept for name, kept in self._kept.items() if name in named}
        now = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            for publisher in publishers:
                known = self._kept.get(publisher.name)
                if known is None:
                    known = self._kept[publisher.name] = _Kept(now - FRESH_S)
                if now - known.asked_at >= FRESH_S or known.prefixes != publisher.prefixes:
                    group.create_task(self._ask(publisher, known, now))

    async def _ask(self, publisher: Publisher, known: _Kept, now: float) -> None:
        known = dataclasses.replace(known, asked_at=now)
        self._kept[publisher.name] = known
        if not publisher.available:
            return
        headers = [*self._remote(AGGREGATOR), ("Accept", JSON)]
        if known.etag and known.prefixes == publisher.prefixes:
            headers.append(("If-None-Match", known.etag))
        try:
            answer = await self._outgoing.call(
                dataclasses.replace(publisher.target, path=OPENAPI_V2), b"",
                timeout_s=FETCH_S, method="GET", headers=headers, bytes_max=FETCHED_BYTES_MAX,
            )  # fmt: skip
            if answer.status == 304:
                return
            if answer.status != 200:
                raise CallFailed(f"status {answer.status}")
            body = _taken(answer.body, publisher.prefixes)
            others = sum(len(k.body) for n, k in self._kept.items() if n != publisher.name)
            if others + len(body) > KEPT_BYTES_MAX:
                raise CallFailed(f"documents of all servers exceed {KEPT_BYTES_MAX} bytes")
        except (CallFailed, ValueError) as why:
            log.warning("no OpenAPI v2 of a server", server=publisher.name, why=why)
            return
        etag = answer.headers.get("etag", "")
        self._kept[publisher.name] = _Kept(now, etag, body, publisher.prefixes)


def _taken(body: bytes, prefixes: Sequence[str]) -> bytes:
    """What is taken of a document; raises ValueError for what cannot be merged or encoded."""
    try:
        document = orjson.loads(body)
        check_depth([document])
        found = openapi_merge.filtered(document, prefixes)
        openapi_wire.encode({**_EMPTY, **found})
    except errors.Error as error:
        raise ValueError(error.message) from None
    except (TypeError, AttributeError, LookupError, ValueError, RecursionError) as error:
        if isinstance(error, ValueError) and not isinstance(error, orjson.JSONDecodeError):
            raise
        raise ValueError(f"not an OpenAPI v2 document: {type(error).__name__}") from None
    return orjson.dumps(found)


_EMPTY: Mapping[str, object] = {
    "swagger": "2.0",
    "info": {"title": "", "version": ""},
    "security": [],
    "securityDefinitions": {},
}


def _merged(ours: bytes, bodies: Sequence[bytes], media: str) -> bytes:
    document: Json = orjson.loads(ours)
    for body in bodies:
        openapi_merge.merge(document, orjson.loads(body))
    return orjson.dumps(document) if media == JSON else openapi_wire.encode(document)

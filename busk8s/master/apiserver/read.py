"""Get and list.

Owns      the resourceVersion rules of reads, pages, and list bodies made of cached bytes.
Leaves    shapes other than the object itself (render), watching (watching).
Invariant a list's resourceVersion is one at which exactly its items were there.
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s import errors
from busk8s.api import protobuf
from busk8s.api.object import Object
from busk8s.api.request import Request, Response
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.conversion.views import all_served, served
from busk8s.master.apiserver.list_options import check_list_options
from busk8s.master.apiserver.listing import PageExpired, Token, after
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.render import list_kind, list_metadata, render, render_list
from busk8s.master.apiserver.selection import Selection, selection_of
from busk8s.master.apiserver.versions import as_stored, to_served
from busk8s.master.store.base import Compacted


def find(parts: Parts, call: Call) -> Object:
    """The stored object `call` names; raises 404."""
    obj = parts.cache.get(call.stored.key, call.namespace, call.name)
    if parts.unstored is not None and parts.unstored.holds(call.stored.key):
        obj = parts.unstored.get(call.stored.key, call.namespace, call.name, obj)
    if obj is None:
        raise missing(call)
    return obj


def missing(call: Call) -> errors.Error:
    return errors.not_found(call.resource.plural, call.name, group=call.resource.group)


async def get(parts: Parts, call: Call) -> Response:
    if call.request.query:
        check_revision(parts, revision_of(call.request))
    obj = await served(parts, call, find(parts, call))
    if call.accept.media == protobuf.CONTENT_TYPE:
        body = parts.messages.body_of(obj, call.accept.shape)
        return Response(200, body, protobuf.CONTENT_TYPE)
    return render(call, obj)


async def list_(parts: Parts, call: Call) -> Response:
    """GET of a collection."""
    request = call.request
    selection = selection_of(request, call.resource)
    limit, token = rest.integer(request, "limit") or 0, request.param("continue")
    exact = _exactly(parts, call, limit, token)
    if token:
        return await _next_page(parts, call, selection, limit, Token.decode(token))
    plain = limit <= 0 and not exact and call.accept == rest.Accept() and not _waits(call)
    if plain and not (parts.unstored and parts.unstored.holds(call.stored.key)):
        return _whole(parts, call, selection, parts.cache.revision)
    try:
        revision = exact or parts.cache.revision  # Others may write while a webhook converts.
        objects = await _select(parts, call, selection, exact)
    except Compacted:
        raise errors.expired("The resourceVersion for the provided list is too old.") from None
    return await _page(parts, call, objects, selection, limit, revision)


def _exactly(parts: Parts, call: Call, limit: int, token: str) -> int:
    """The resourceVersion rules of lists; the revision to show, 0 for the current one."""
    request = call.request
    check_list_options(request)
    if token and request.param("resourceVersion") not in ("", "0"):
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    revision = revision_of(request)
    check_revision(parts, revision)
    match = request.param("resourceVersionMatch")
    return revision if match == "Exact" or (limit > 0 and not match) else 0


def revision_of(request: Request) -> int:
    """The resourceVersion parameter; absent is 0."""
    text = request.param("resourceVersion")
    if not text:
        return 0
    if len(text) > 19 or not (text.isascii() and text.isdigit()):
        why = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise errors.bad_request(f"invalid resource version: resourceVersion: {why}")
    return int(text)


def check_revision(parts: Parts, revision: int) -> None:
    """Refuse a revision that is not there yet: the client knows a newer store than this one."""
    if revision > parts.cache.revision:
        raise errors.Error(
            504,
            "Timeout",
            f"Timeout: Too large resource version: {revision}, current: {parts.cache.revision}",
            causes=[errors.Cause("ResourceVersionTooLarge", "Too large resource version")],
            retry_after_s=1,
        )


def _scope(call: Call) -> str | None:
    """The namespace to list; None for all."""
    return call.namespace or (None if call.resource.namespaced else "")


async def _select(
    parts: Parts, call: Call, selection: Selection, revision: int = 0
) -> Sequence[Object]:
    """What is chosen, now or as it was at `revision`. Raises Compacted."""
    objects = _there(parts, call, revision)
    if not _waits(call):
        return _chosen(parts, call, objects, selection)
    chosen = objects  # Of everything, only the objects of the page are converted.
    if not selection.everything:
        chosen = selection.of(await all_served(parts, call, objects))
    parts.metrics.listed(call.stored, len(objects), len(chosen))
    return chosen


def _waits(call: Call) -> bool:
    """Whether a webhook is to be asked before anything can be shown."""
    return call.converts and not as_stored(call)


def _there(parts: Parts, call: Call, revision: int = 0) -> Sequence[Object]:
    """All in the scope of the call, as it lies in the store."""
    key, scope = call.stored.key, _scope(call)
    if revision:
        objects = parts.cache.list_at(key, scope, revision)
    else:
        objects = parts.cache.list(key, scope)
        if parts.unstored is not None and parts.unstored.holds(key):
            objects = parts.unstored.list(key, scope, objects)
    return objects


def _chosen(
    parts: Parts, call: Call, objects: Sequence[Object], selection: Selection
) -> Sequence[Object]:
    """Those of `objects` that are selected, as they are shown."""
    if not as_stored(call):
        objects = [to_served(call.resource, obj) for obj in objects]
    chosen = objects if selection.everything else selection.of(objects)
    parts.metrics.listed(call.stored, len(objects), len(chosen))
    return chosen


def _whole(parts: Parts, call: Call, selection: Selection, revision: int) -> Response:
    """The hot path: bytes of all chosen items, joined once for each state of the resource."""
    label_text, field_text, _ = selection.text
    asked = (call.stored.key, call.resource.api_version, call.namespace, label_text, field_text)
    head = list_head(call, revision)
    found = parts.lists.find(asked, head)
    if found is not None:
        parts.metrics.listed(call.stored, 0, found.count)
        return Response(200, found.body)
    items = _chosen(parts, call, _there(parts, call), selection)
    pieces: list[bytes] = []
    for obj in items:
        pieces += obj.pieces()
        pieces.append(b",")
    body = b"%b%b]}" % (head, b"".join(pieces[:-1]))
    parts.lists.keep(asked, head, body, len(items))
    return Response(200, body)


def list_head(call: Call, revision: int) -> bytes:
    kind = call.resource.list_kind or call.resource.kind + "List"
    return b'{"kind":"%b","apiVersion":"%b","metadata":{"resourceVersion":"%d"},"items":[' % (
        kind.encode(),
        call.resource.api_version.encode(),
        revision,
    )


async def _next_page(
    parts: Parts, call: Call, selection: Selection, limit: int, token: Token
) -> Response:
    revision = parts.cache.revision if token.revision < 0 else token.revision
    check_revision(parts, revision)
    try:
        objects = await _select(parts, call, selection, revision)
    except Compacted:
        raise PageExpired(token.after) from None
    start = after(objects, token.after)
    return await _page(parts, call, objects, selection, limit, revision, start)


async def _page(
    parts: Parts,
    call: Call,
    objects: Sequence[Object],
    selection: Selection,
    limit: int,
    revision: int,
    start: int = 0,
) -> Response:
    page = objects[start : start + limit] if limit > 0 else objects[start:]
    left = len(objects) - start - len(page)
    if selection.everything and _waits(call):
        page = await all_served(parts, call, page)
    token = ""
    if left > 0:
        token = Token(revision, (page[-1].namespace, page[-1].name)).encode()
    metadata = list_metadata(revision, token, left if selection.everything else 0)
    if call.accept.media == protobuf.CONTENT_TYPE:
        names = list_kind(call)
        return await parts.messages.list_of(*names, metadata, page, call.accept.shape)
    return render_list(call, page, metadata)

"""Discovery, version and OpenAPI: what a client reads before it speaks of any object.

Owns      which path answers with which document, the form it accepts, and keeping encoded ones.
Leaves    the documents (api/discovery, api/openapi).
Invariant what is listed is served: subresources that are refused are left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

import orjson

from busk8s import errors
from busk8s.api import discovery, openapi, openapi_wire, scheme
from busk8s.api.object import Json
from busk8s.api.request import JSON, Request, Response
from busk8s.master.apiserver import encoded, rest
from busk8s.master.apiserver.dispatch import UNSUPPORTED

Handler = Callable[[Request], Awaitable[Response]]

DOCUMENTS_MAX = 4  # OpenAPI documents kept encoded: megabytes each, asked for in bursts.
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_RESOURCES = tuple(
    dataclasses.replace(
        resource,
        subresources=tuple(part for part in resource.subresources if part not in UNSUPPORTED),
    )
    for resource in scheme.SERVED
)


_DOCUMENTS = ("/openapi/v2", "/openapi/v3")
# What answers beside the handlers below; named in the list of paths at /.
_ELSEWHERE = ("/healthz", "/livez", "/metrics", "/readyz")


def handlers() -> Mapping[str, Handler]:
    """The answers by path; a path that ends in `/` answers for all below it."""
    groups = dict.fromkeys((r.group, r.version) for r in _RESOURCES)
    bodies: dict[str, Json | None] = {
        "/api": discovery.api_versions(),
        "/apis": discovery.group_list(_RESOURCES),
        "/version": discovery.version(),
    }
    for group, version in groups:
        prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
        bodies[prefix] = discovery.resource_list(_RESOURCES, group, version)
        if group:
            bodies[f"/apis/{group}"] = discovery.group(_RESOURCES, group)
    table: dict[str, Handler] = {path: _Plain(body) for path, body in bodies.items()}
    for path, core in (("/api", True), ("/apis", False)):
        table[path] = _Either(bodies[path], discovery.aggregated(_RESOURCES, core=core))
    documents = _Documents()
    table |= {**dict.fromkeys(_DOCUMENTS, documents), "/openapi/v3/": documents}
    table[""] = _Plain({"paths": sorted({*bodies, *_ELSEWHERE, *_DOCUMENTS})})
    return table


class _Plain:
    def __init__(self, body: Json | None) -> None:
        self._body = orjson.dumps(body)

    async def __call__(self, request: Request) -> Response:
        _only_get(request)
        accept = rest.negotiate(request.accept)
        return encoded.in_form(Response(200, self._body), accept.media)


class _Either:
    """Plain or aggregated discovery, as the client accepts."""

    def __init__(self, plain: Json | None, aggregated: Json) -> None:
        self._plain = orjson.dumps(plain)
        self._aggregated = orjson.dumps(aggregated)
        digest = hashlib.sha256(self._aggregated).hexdigest().upper()
        self._headers = (("ETag", f'"{digest}"'), ("Vary", "Accept"))

    async def __call__(self, request: Request) -> Response:
        _only_get(request)
        accept = rest.negotiate(request.accept)
        if accept.group != "apidiscovery.k8s.io":
            return encoded.in_form(Response(200, self._plain), accept.media)
        if request.headers.get("if-none-match") == self._headers[0][1]:
            return Response(304, b"", AGGREGATED, self._headers)
        return Response(200, self._aggregated, AGGREGATED, self._headers)


class _Documents:
    """OpenAPI v2 and v3, made when asked for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def __call__(self, request: Request) -> Response:
        _only_get(request)
        path, media = request.path.rstrip("/"), JSON
        if path == "/openapi/v2" and _wants_protobuf(request.accept):
            media = openapi_wire.CONTENT_TYPE
        else:
            rest.negotiate(request.accept)
        body = self._kept.get((path, media))
        if body is None:
            body = self._kept[path, media] = _document(path, media)
            if len(self._kept) > DOCUMENTS_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end((path, media))
        return Response(200, body, media)


def _wants_protobuf(accept: str) -> bool:
    first = accept.partition(",")[0].partition(";")[0].strip()
    return first in openapi_wire.CONTENT_TYPES


def _document(path: str, media: str) -> bytes:
    if path == "/openapi/v2":
        make = openapi.v2 if media == JSON else openapi.v2_protobuf
        return make(_RESOURCES)
    if path == "/openapi/v3":
        return openapi.v3_index(_RESOURCES)
    parts = path.removeprefix("/openapi/v3/").split("/")
    found: bytes | None = None
    if len(parts) == 2 and parts[0] == "api":
        found = openapi.v3(_RESOURCES, "", parts[1])
    elif len(parts) == 3 and parts[0] == "apis":
        found = openapi.v3(_RESOURCES, parts[1], parts[2])
    if found is None:
        raise errors.path_not_found()
    return found


def _only_get(request: Request) -> None:
    if request.method != "GET":
        raise errors.method_not_allowed(request.method)

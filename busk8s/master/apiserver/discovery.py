"""Discovery, version and OpenAPI: what a client reads before it speaks of any object.

Owns      which path answers with which document, the form it accepts, and keeping encoded ones.
Leaves    the documents (api/discovery, api/openapi).
Invariant what is listed is served: subresources that are refused are left out.
"""

from __future__ import annotations

import dataclasses
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import orjson

from busk8s import errors
from busk8s.api import discovery, openapi, openapi_wire, openapi_wire3
from busk8s.api.object import Json
from busk8s.api.request import JSON, Request, Response
from busk8s.api.scheme import Resource
from busk8s.master.apiserver import encoded, rest
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.conditional import Document, moved

Handler = Callable[[Request], Awaitable[Response]]

DOCUMENTS_MAX = 4  # OpenAPI documents kept encoded: megabytes each, asked for in bursts.
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_DOCUMENTS = ("/openapi/v2", "/openapi/v3")
# What answers beside the handlers below; named in the list of paths at /.
_ELSEWHERE = ("/healthz", "/livez", "/metrics", "/readyz", "/version")


class Directory:
    """What answers at which path. Made anew when somebody asks after the resources changed."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._generation = -1
        self._handlers: Mapping[str, Handler] = {}

    def find(self, path: str) -> Handler | None:
        """The handler of `path`, which does not end in `/`."""
        if self._generation != self._catalog.generation:
            self._generation = self._catalog.generation
            self._handlers = handlers(_listed(self._catalog.served()))
        below = "/openapi/v3/" if path.startswith("/openapi/v3/") else path
        return self._handlers.get(below)


def _listed(served: Iterable[Resource]) -> Sequence[Resource]:
    """The resources without the subresources that are refused."""
    return tuple(
        dataclasses.replace(
            resource,
            subresources=tuple(
                part for part in resource.subresources if (resource.key, part) != ("nodes", "proxy")
            ),
        )
        for resource in served
    )


def handlers(resources: Sequence[Resource]) -> Mapping[str, Handler]:
    """The answers by path; a path that ends in `/` answers for all below it."""
    groups: dict[str, list[Resource]] = {}
    for resource in resources:
        groups.setdefault(resource.group, []).append(resource)
    bodies: dict[str, Json | None] = {
        "/api": discovery.api_versions(),
        "/apis": discovery.group_list(resources),
    }
    for group, own in groups.items():
        for version in dict.fromkeys(resource.version for resource in own):
            prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
            bodies[prefix] = discovery.resource_list(own, group, version)
        if group:
            bodies[f"/apis/{group}"] = discovery.group(own, group)
    table: dict[str, Handler] = {path: _Plain(body) for path, body in bodies.items()}
    for path, core in (("/api", True), ("/apis", False)):
        table[path] = _Either(bodies[path], discovery.aggregated(resources, core=core))
    documents = _Documents(resources)
    table |= {**dict.fromkeys(_DOCUMENTS, documents), "/openapi/v3/": documents}
    table["/version"] = _Indented(discovery.version(os.uname().machine))
    table[""] = _Indented({"paths": sorted({*bodies, *_ELSEWHERE, *_DOCUMENTS})})
    return table


class _Plain:
    def __init__(self, body: Json | None) -> None:
        self._body = orjson.dumps(body)

    async def __call__(self, request: Request) -> Response:
        _only_get(request)
        accept = rest.negotiate(request.accept)
        return encoded.in_form(Response(200, self._body), accept.media)


class _Indented:
    """What upstream writes without negotiating, for people as for programs."""

    def __init__(self, body: Json) -> None:
        self._body = orjson.dumps(body, option=orjson.OPT_INDENT_2)

    async def __call__(self, request: Request) -> Response:
        _only_get(request)
        return Response(200, self._body)


class _Either:
    """Plain or aggregated discovery, as the client accepts."""

    def __init__(self, plain: Json | None, aggregated: Json) -> None:
        self._plain = orjson.dumps(plain)
        self._aggregated = Document.of(orjson.dumps(aggregated), AGGREGATED)

    async def __call__(self, request: Request) -> Response:
        _only_get(request)
        accept = rest.negotiate(request.accept)
        if accept.group != "apidiscovery.k8s.io":
            return encoded.in_form(Response(200, self._plain), accept.media)
        return self._aggregated.answer(request)


class _Documents:
    """OpenAPI v2 and v3, made when asked for."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._resources = resources
        self._kept: OrderedDict[tuple[str, str], Document] = OrderedDict()
        self._hashes: Mapping[str, str] = {}

    async def __call__(self, request: Request) -> Response:
        _only_get(request)
        path = request.path.rstrip("/")
        media = media_of(path, request.accept)
        fixed, asked = False, request.param("hash")
        if asked and path.startswith("/openapi/v3/"):
            present = self._hash(path)
            if present and asked != present:
                return moved(f"{path}?hash={present}")
            fixed = True
        document = self._kept.get((path, media))
        if document is None:
            body = _document(self._resources, path, media)
            document = self._kept[path, media] = Document.of(body, media)
            if len(self._kept) > DOCUMENTS_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end((path, media))
        return document.answer(request, fixed=fixed)

    def _hash(self, path: str) -> str:
        if not self._hashes:
            self._hashes = openapi.v3_hashes(self._resources)
        return self._hashes.get(path.removeprefix("/openapi/v3/"), "")


def media_of(path: str, accept: str) -> str:
    """The form of the document; raises 406."""
    first = accept.partition(",")[0].partition(";")[0].strip()
    if path == "/openapi/v2" and first in openapi_wire.CONTENT_TYPES:
        return openapi_wire.CONTENT_TYPE
    if path.startswith("/openapi/v3/") and first in openapi_wire3.CONTENT_TYPES:
        return openapi_wire3.CONTENT_TYPE
    rest.negotiate(accept)
    return JSON


def _document(resources: Sequence[Resource], path: str, media: str) -> bytes:
    if path == "/openapi/v2":
        make = openapi.v2 if media == JSON else openapi.v2_protobuf
        return make(resources)
    if path == "/openapi/v3":
        return openapi.v3_index(resources)
    parts = path.removeprefix("/openapi/v3/").split("/")
    make_v3 = openapi.v3 if media == JSON else openapi.v3_protobuf
    found: bytes | None = None
    if len(parts) == 2 and parts[0] == "api":
        found = make_v3(resources, "", parts[1])
    elif len(parts) == 3 and parts[0] == "apis":
        found = make_v3(resources, parts[1], parts[2])
    if found is None:
        raise errors.path_not_found()
    return found


def _only_get(request: Request) -> None:
    if request.method != "GET":
        raise errors.method_not_allowed()

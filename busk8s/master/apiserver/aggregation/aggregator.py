"""Requests for other API servers: which are theirs, how they get there, what is merged.

Owns      the APIServices that name a Service, whose paths they claim, who asks (X-Remote-*),
          merging of their discovery into ours.
Leaves    whether they are available (availability), passing on (proxying), permission (server).
Invariant without such an APIService a request costs one test of an empty dictionary; groups that
          are built in here are never given away.
Differs from Kubernetes: an APIService with a Service for a built-in group version has no effect.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.object import Json, Object
from busk8s.api.request import JSON, Request, Response, User
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.aggregation.documents import OPENAPI_V2, Documents, Publisher
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.outgoing import Answer, CallFailed, Outgoing, Target, service_target
from busk8s.master.apiserver.proxying import Destination, forward, raw_path
from busk8s.master.store.watch import Event, WatchCache

KEY = "apiservices.apiregistration.k8s.io"
DISCOVERY_S = 5.0  # For one server's discovery document, asked when somebody asks us.
DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PORT = 443

_CLAIMED = ("/apis/", "/openapi/v3/apis/")
_CLAIMED_RAW = (b"/apis/", b"/openapi/v3/apis/")
Handler = Callable[[Request], Awaitable[Response]]

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch"}
_BUILT_IN = frozenset((r.group, r.version) for r in scheme.SERVED)


@dataclass(frozen=True, slots=True)
class Service:
    """One APIService that leads elsewhere."""

    name: str
    group: str
    version: str
    target: Target
    available: bool
    group_priority: int
    version_priority: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """A request that is another server's."""

    service: Service
    attributes: Attributes


def service_of(obj: Object, identity: tuple[str, str] | None) -> Service | None:
    """None when it is served here."""
    data = obj.glance()
    spec, status = data.get("spec") or {}, data.get("status") or {}
    where = spec.get("service")
    group, version = str(spec.get("group") or ""), str(spec.get("version") or "")
    if not where or (group, version) in _BUILT_IN:
        return None
    try:
        ca = base64.b64decode(spec.get("caBundle") or "")
    except binascii.Error:
        ca = b""
    target = service_target(
        str(where.get("namespace") or ""),
        str(where.get("name") or ""),
        int(where.get("port") or PORT),
        ca=ca,
        insecure=bool(spec.get("insecureSkipTLSVerify")),
        identity=identity,
    )
    return Service(
        obj.name,
        group,
        version,
        target,
        _available(status.get("conditions") or ()),
        int(spec.get("groupPriorityMinimum") or 0),
        int(spec.get("versionPriority") or 0),
    )


def _available(conditions: Sequence[Json]) -> bool:
    return any(c.get("type") == "Available" and c.get("status") == "True" for c in conditions)


class Aggregator:
    def __init__(
        self, cache: WatchCache, outgoing: Outgoing, identity: tuple[str, str] | None = None
    ) -> None:
        self._cache = cache
        self.outgoing = outgoing
        self._identity = identity
        self._services: dict[tuple[str, str], Service] = {}
        self._groups: dict[str, list[Service]] = {}
        self._documents: dict[tuple[str, str], list[Json]] = {}
        self._openapi = Documents(outgoing, remote_headers)

    def open(self) -> None:
        self._cache.on_events(self._observe)
        self._read()

    @property
    def services(self) -> Sequence[Service]:
        return tuple(self._services.values())

    def can_reach(self, service: Service) -> bool:
        return not self.outgoing.can_reach(service.target)

    def passes_on(self, target: bytes) -> bool:
        """Whether a request with this target needs all of its headers."""
        if b"/proxy" in target:
            return True
        return bool(self._services) and target.startswith(_CLAIMED_RAW)

    def claim(self, request: Request) -> Foreign | None:
        """The other server's request that `request` is."""
        if not self._services or not request.path.startswith(_CLAIMED):
            return None
        parts = [part for part in request.path.split("/") if part]
        document = parts[:2] == ["openapi", "v3"]
        if document:
            parts = parts[2:]
        if len(parts) < 3 or parts[0] != "apis":
            return None
        service = self._services.get((parts[1], parts[2]))
        if service is None:
            return None
        return Foreign(service, attributes_of(request, parts[3:] if not document else [], service))

    async def forward(self, request: Request, foreign: Foreign) -> Response:
        service = foreign.service
        if not service.available or self.outgoing.can_reach(service.target):
            return _unavailable("service unavailable")
        added = remote_headers(request.user)
        # What permission was given for, spelt anew: two readings of one path would be a hole.
        query = raw_path(request).partition("?")[2]
        path = quote(request.path, safe="/:@!$&'()*+,;=~-._") + (f"?{query}" if query else "")
        try:
            to = Destination(service.target, path, added, words="")
            return await forward(self.outgoing, request, to)
        except errors.Error as error:
            if error.code != 503:
                raise
            return _unavailable(error.message)

    # Discovery.

    def adds_to(self, path: str) -> bool:
        if not self._services:
            return False
        parts = [part for part in path.split("/") if part]
        return parts in (["apis"], ["openapi", "v2"], ["openapi", "v3"])

    def group(self, path: str) -> Json | None:
        """The APIGroup at `path`, of a group that only other servers have."""
        name = path.removeprefix("/apis/").rstrip("/")
        own = self._groups.get(name)
        return None if own is None else _group_entry(name, own)

    async def merged(self, request: Request, ours: Handler) -> Response:
        """One of our own documents, with what the other servers add."""
        if request.path.rstrip("/") == OPENAPI_V2:
            return await self._openapi.answer(request, ours, self._publishers())
        known = request.headers.get("if-none-match")
        headers = {k: v for k, v in request.headers.items() if k != "if-none-match"}
        response = await ours(dataclasses.replace(request, headers=headers))
        if response.status != 200 or JSON not in response.content_type:
            return response
        document = orjson.loads(response.body)
        if "paths" in document:
            self._add_documents(document)
        elif document.get("kind") == "APIGroupList":
            own = {group["name"] for group in document["groups"]}
            document["groups"] += [g for g in self._entries() if g["name"] not in own]
        elif document.get("kind") == "APIGroupDiscoveryList":
            document["items"] += await self._discovered()
        body = orjson.dumps(document)
        tag = f'"{hashlib.sha256(body).hexdigest().upper()}"'
        said = (*(h for h in response.headers if h[0] != "ETag"), ("ETag", tag))
        if known == tag:
            return Response(304, b"", response.content_type, said)
        return Response(200, body, response.content_type, said)

    def _add_documents(self, index: Json) -> None:
        for group, version in self._services:
            path = f"apis/{group}/{version}"
            index["paths"].setdefault(path, {"serverRelativeURL": f"/openapi/v3/{path}"})

    def _publishers(self) -> Sequence[Publisher]:
        """The servers behind all our services: one may have several group versions."""
        found: dict[str, list[Service]] = {}
        for service in self._services.values():
            found.setdefault(service.target.shown_authority, []).append(service)
        return [
            Publisher(
                name,
                own[0].target,
                tuple(f"/apis/{each.group}/{each.version}/" for each in own),
                any(each.available for each in own) and self.can_reach(own[0]),
            )
            for name, own in found.items()
        ]

    def _entries(self) -> Sequence[Json]:
        entries = []
        for name, own in self._groups.items():
            entry = _group_entry(name, own)
            del entry["kind"], entry["apiVersion"]
            entries.append(entry)
        return entries

    async def _discovered(self) -> list[Json]:
        """The aggregated form of each group; a server that does not answer is `Stale`."""
        items = []
        for name, own in self._groups.items():
            versions = [await self._version(service) for service in own]
            items.append({"metadata": {"name": name}, "versions": versions})
        return items

    async def _version(self, service: Service) -> Json:
        listed = await self._resources(service) if service.available else None
        if listed is None:
            return {"version": service.version, "freshness": "Stale"}
        resources = [r for r in listed if "/" not in str(r.get("name"))]
        return {
            "version": service.version,
            "resources": [_aggregated(r, listed, service) for r in resources],
            "freshness": "Current",
        }

    async def _resources(self, service: Service) -> list[Json] | None:
        """What it says it serves: as it was last heard, so that asking us costs it nothing."""
        known = self._documents.get((service.group, service.version))
        if known is not None:
            return known
        try:
            return self.learn(service, (await self.ask(service)).body)
        except CallFailed:
            return None

    def learn(self, service: Service, body: bytes) -> list[Json] | None:
        """Keep what is in its discovery document; None when it is none."""
        try:
            found = orjson.loads(body).get("resources")
        except (orjson.JSONDecodeError, AttributeError):
            return None
        if not isinstance(found, list):
            return None
        kept = [each for each in found if isinstance(each, dict)]
        self._documents[service.group, service.version] = kept
        return kept

    async def ask(self, service: Service) -> Answer:
        """Its discovery document, asked as upstream's aggregator does. Raises CallFailed."""
        user = User("system:kube-aggregator", ("system:masters",))
        path = f"/apis/{service.group}/{service.version}"
        target = service_target(
            *(service.target.service or ("", "", 0)),
            ca=service.target.ca,
            path=path,
            insecure=service.target.insecure,
            identity=service.target.identity,
        )
        return await self.outgoing.call(
            target,
            b"",
            timeout_s=DISCOVERY_S,
            method="GET",
            headers=remote_headers(user),
            bytes_max=DOCUMENT_BYTES_MAX,
        )

    def _observe(self, events: Sequence[Event]) -> None:
        if any(event.object.resource.key == KEY for event in events):
            self._read()

    def _read(self) -> None:
        found = [service_of(obj, self._identity) for obj in self._cache.list(KEY)]
        services = [service for service in found if service is not None]
        services.sort(key=lambda s: (-s.group_priority, s.group, -s.version_priority, s.version))
        self._services = {(s.group, s.version): s for s in services}
        self._documents = {k: v for k, v in self._documents.items() if k in self._services}
        self._groups = {}
        for service in services:
            self._groups.setdefault(service.group, []).append(service)


def _group_entry(name: str, own: Sequence[Service]) -> Json:
    listed = [{"groupVersion": f"{name}/{s.version}", "version": s.version} for s in own]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": listed,
        "preferredVersion": listed[0],
    }


def _aggregated(resource: Json, listed: Sequence[Json], service: Service) -> Json:
    name = str(resource.get("name"))
    parts = [r for r in listed if str(r.get("name")).startswith(name + "/")]
    entry: Json = {
        "resource": name,
        "responseKind": _kind(resource, service),
        "scope": "Namespaced" if resource.get("namespaced") else "Cluster",
        "singularResource": resource.get("singularName") or "",
        "verbs": resource.get("verbs") or [],
    }
    for key in ("shortNames", "categories"):
        if resource.get(key):
            entry[key] = resource[key]
    if parts:
        entry["subresources"] = [
            {
                "subresource": str(part["name"]).partition("/")[2],
                "responseKind": _kind(part, service),
                "verbs": part.get("verbs") or [],
            }
            for part in parts
        ]
    return entry


def _kind(resource: Json, service: Service) -> Json:
    return {
        "group": resource.get("group") or service.group,
        "version": resource.get("version") or service.version,
        "kind": resource.get("kind") or "",
    }


def attributes_of(request: Request, parts: Sequence[str], service: Service) -> Attributes:
    """A request below another server's group version in the words of authorisation."""
    user, method = request.user, request.method
    if not parts:
        return Attributes(user, method.lower(), path=request.path)
    watch = parts[0] == "watch" and len(parts) > 1
    if watch:
        parts = parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    name = parts[1] if len(parts) > 1 else ""
    part = parts[2] if len(parts) > 2 else ""
    verb = _VERBS.get(method, "delete" if method == "DELETE" else method.lower())
    if not name and verb in ("get", "delete"):
        verb = "list" if verb == "get" else "deletecollection"
    if verb in ("get", "list") and (watch or request.param("watch") in ("1", "true", "True")):
        verb = "watch"
    resource = Resource(service.group, service.version, parts[0], "", namespaced=bool(namespace))
    selector = request.param("fieldSelector") if request.query else ""
    return Attributes(user, verb, resource, part, namespace, name, request.path, selector)


def remote_headers(user: User) -> list[tuple[str, str]]:
    """Who asks, for a server that believes our certificate."""
    said = [("X-Remote-User", _clean(user.name))]
    if user.uid:
        said.append(("X-Remote-Uid", _clean(user.uid)))
    said += [("X-Remote-Group", _clean(group)) for group in user.groups]
    for key, values in user.extra.items():
        name = "X-Remote-Extra-" + quote(key, safe="!#$&'*+-.^_`|~")
        said += [(name, _clean(value)) for value in values]
    return said


def _clean(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def _unavailable(text: str) -> Response:
    """As upstream's aggregator says it: plain text, no Status."""
    headers = (("X-Content-Type-Options", "nosniff"),)
    return Response(503, f"{text}\n".encode(), "text/plain; charset=utf-8", headers)

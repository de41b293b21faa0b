"""From a URL path to the resource, namespace, name and subresource it names.

Owns      the shape of API paths, the API verb of a method, and a bounded cache of parsed paths.
Leaves    which resources exist (api/scheme), who may (authz), what is done (dispatch).
Invariant the same path always gives the same Route: nothing but the path is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.request import Request
from busk8s.api.scheme import Resource
from busk8s.master.apiserver import rest

ROUTES_CACHED_MAX = 50_000  # Parsed paths kept; when full the cache starts anew.
PATH_BYTES_MAX = 4_096  # Longer paths name nothing: names and namespaces end at 253 bytes.

Lookup = Callable[[str, str, str], Resource | None]  # By group, version and plural.

_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_OF_ONE = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_MANY = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OF_PART = {**_OF_ONE, "POST": "create"}
_OF_PROXY = {**_OF_PART, "HEAD": "get"}


@dataclass(frozen=True, slots=True)
class Route:
    """`resource` None: a path outside the resource API. `rest`: what follows a subresource."""

    resource: Resource | None
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    watch: bool = False


OUTSIDE = Route(None)


class Routes:
    """Parsed paths, remembered until the resources change."""

    def __init__(self, lookup: Lookup = scheme.lookup) -> None:
        self._lookup = lookup
        self._known: dict[str, Route] = {}

    def forget(self) -> None:
        self._known.clear()

    def find(self, path: str) -> Route:
        """The route of `path`; raises 404 for an API path that names nothing."""
        route = self._known.get(path)
        if route is None:
            route = parse(path, self._lookup)
            if route.subresource == "proxy":
                return route  # as many paths as clients like, each asked for once
            if len(self._known) >= ROUTES_CACHED_MAX:
                self._known.clear()
            self._known[path] = route
        return route


def parse(path: str, lookup: Lookup = scheme.lookup) -> Route:
    """The route of `path`: OUTSIDE when it is not below a group version's resources."""
    if len(path) > PATH_BYTES_MAX:
        raise errors.path_not_found()
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        return _below("", parts[1], parts[2:], lookup)
    if len(parts) >= 4 and parts[0] == "apis":
        return _below(parts[1], parts[2], parts[3:], lookup)
    return OUTSIDE


def _below(group: str, version: str, parts: list[str], lookup: Lookup) -> Route:
    watch = parts[0] == "watch" and len(parts) > 1
    if watch:
        parts = parts[1:]
    namespace = ""
    scoped = (
        parts[0] == "namespaces" and len(parts) >= 3 and parts[2] not in _NAMESPACE_SUBRESOURCES
    )
    if scoped:
        namespace, parts = parts[1], parts[2:]
    resource = lookup(group, version, parts[0])
    if resource is None or (scoped and not resource.namespaced):
        raise errors.path_not_found()
    name = parts[1] if len(parts) > 1 else ""
    if name and resource.namespaced and not scoped:
        raise errors.path_not_found()
    subresource = parts[2] if len(parts) > 2 else ""
    if subresource and subresource not in resource.subresources:
        raise errors.path_not_found()
    if len(parts) > 3 and subresource != "proxy":
        raise errors.path_not_found()
    return Route(resource, namespace, name, subresource, "/".join(parts[3:]), watch)


def verb_of(request: Request, route: Route) -> str:
    """The API verb `request` asks for on `route`; raises 405."""
    table: Mapping[str, str]
    if route.subresource:
        table = _OF_PROXY if route.subresource == "proxy" else _OF_PART
    elif route.name:
        table = _OF_ONE
    else:
        table = _OF_MANY
    verb = table.get(request.method)
    if verb is None:
        raise errors.method_not_allowed()
    if verb in ("list", "get") and not route.subresource and wants_watch(request, route):
        return "watch"
    if verb == "create" and not route.namespace and _needs_namespace(route):
        raise errors.method_not_allowed()
    return verb


def _needs_namespace(route: Route) -> bool:
    resource = route.resource
    return resource is not None and resource.namespaced and resource.group not in _REVIEWS


_REVIEWS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})


def wants_watch(request: Request, route: Route) -> bool:
    if route.watch:
        return True
    if not request.query or "watch" not in request.query:
        return False
    return rest.flag(request, "watch")

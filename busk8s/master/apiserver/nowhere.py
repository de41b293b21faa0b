"""Requests whose path names nothing that is served.

Owns      what such a request asks for, as the authoriser is to see it; which 404 it gets.
Leaves    paths that name something (route), the authoriser's answer (server).
Invariant who may not ask is not told whether there is something.
Source    apiserver's RequestInfo; the order of the servers behind kube-aggregator.
"""

from __future__ import annotations

from collections.abc import Iterable

from busk8s import errors
from busk8s.api.request import Request
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.attributes import Attributes

_OF_ONE = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch"}


def attributes_of(request: Request) -> Attributes:
    """What `request` asks for, by its path alone."""
    method = request.method
    parts = [part for part in request.path.split("/") if part]
    group = ""
    if parts[:1] == ["apis"] and len(parts) > 1:
        group = parts.pop(1)
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return Attributes(request.user, method.lower(), path=request.path)
    version, rest, namespace = parts[1], parts[2:], ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    part = "/".join(rest[2:3])
    verb = _OF_ONE.get(method, "delete" if method == "DELETE" else "")
    if not name and verb in ("get", "delete"):
        verb = "list" if verb == "get" else "deletecollection"
    resource = Resource(group, version, rest[0], "", namespaced=bool(namespace))
    return Attributes(request.user, verb, resource, part, namespace, name, request.path)


def not_found(path: str, served: Iterable[Resource]) -> errors.Error:
    """404: a Status within the groups that are served here, text elsewhere."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"]:
        return errors.path_not_found()
    if parts[:1] == ["apis"] and any(r.group == parts[1] for r in served if parts[1:]):
        return errors.path_not_found()
    return errors.nothing_here()

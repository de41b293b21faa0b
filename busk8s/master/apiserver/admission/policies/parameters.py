"""The objects that a binding names as parameters of its policy.

Owns      paramKind and paramRef, what follows when there are none.
Invariant each answer is of the cache's present objects; [None] means: evaluate without.
"""

from __future__ import annotations

from collections.abc import Callable

from busk8s.api import scheme
from busk8s.api.object import Json
from busk8s.api.scheme import Resource
from busk8s.api.selectors import from_label_selector
from busk8s.master.apiserver.admission.plugin import Lookup

Find = Callable[[str, str, str], Resource | None]  # group, version, kind


class BadParameters(Exception):
    """The binding cannot be configured; the text says why."""


def collect(
    kind: Json | None,
    ref: Json | None,
    namespace: str,
    lookup: Lookup,
    find: Find = scheme.by_kind,
) -> list[Json | None]:
    if kind is None or ref is None:
        return [None]
    resource = _resource(kind, find)
    where = _namespace(resource, ref, namespace)
    found: list[Json | None] = []
    if ref.get("name"):
        one = lookup.get(resource.key, where, ref["name"])
        found = [one.data] if one is not None else []
    elif ref.get("selector") is not None:
        selector = from_label_selector(ref["selector"])
        objects = lookup.list(resource.key, where or None)
        found = [o.data for o in objects if selector.matches(o.labels)]
    else:
        raise BadParameters("one of name or selector must be provided")
    if not found and ref.get("parameterNotFoundAction") == "Deny":
        raise BadParameters(
            "no params found for policy binding with `Deny` parameterNotFoundAction"
        )
    return found


def _resource(kind: Json, find: Find) -> Resource:
    group, _, version = str(kind.get("apiVersion") or "").rpartition("/")
    resource = find(group, version, str(kind.get("kind") or ""))
    if resource is None:
        shown = f"{kind.get('apiVersion')}, Kind={kind.get('kind')}"
        raise BadParameters(f"paramKind kind `{shown}` not known")
    return resource


def _namespace(resource: Resource, ref: Json, namespace: str) -> str:
    given = str(ref.get("namespace") or "")
    if not resource.namespaced:
        if given:
            raise BadParameters(
                "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
            )
        return ""
    if not (given or namespace):
        raise BadParameters(
            "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        )
    return given or namespace

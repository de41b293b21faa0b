"""The operations on each resource, as OpenAPI paths: for Swagger 2.0 and OpenAPI 3.0.

Owns      which paths a resource has, their verbs, parameters, bodies and answers.
Leaves    the definitions they refer to, and the documents around them (api.openapi).
Invariant references are written `#/definitions/<name>`; api.openapi rewrites them for OpenAPI 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from busk8s.api.discovery import subresource_kind, subresource_verbs
from busk8s.api.scheme import Resource

Json = dict[str, Any]
Names = Mapping[tuple[str, str, str], str]

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
# kubectl apply reads here whether it may send a strategic merge patch: custom kinds have none.
_CUSTOM_PATCH_TYPES = tuple(media for media in _PATCH_TYPES if "strategic" not in media)
# verb -> (method, x-kubernetes-action, word in the operation's id)
_METHODS = {
    "list": ("get", "list", "list"),
    "create": ("post", "post", "create"),
    "deletecollection": ("delete", "deletecollection", "deleteCollection"),
    "get": ("get", "get", "read"),
    "update": ("put", "put", "replace"),
    "patch": ("patch", "patch", "patch"),
    "delete": ("delete", "delete", "delete"),
}
_COLLECTION = ("list", "create", "deletecollection")
_ITEM = ("get", "update", "patch", "delete")
_CONNECT = ("attach", "exec", "portforward", "proxy")
_WRITE_QUERY = ("dryRun", "fieldManager", "fieldValidation")
_LIST_QUERY = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit",
    "resourceVersion", "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_QUERY = {
    "list": _LIST_QUERY,
    "create": _WRITE_QUERY,
    "update": _WRITE_QUERY,
    "patch": (*_WRITE_QUERY, "force"),
    "delete": ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"),
    "deletecollection": (*_LIST_QUERY[1:8], "dryRun", "gracePeriodSeconds", "propagationPolicy"),
    "get": (),
}
_QUERY_TYPES = {
    "allowWatchBookmarks": "boolean", "force": "boolean", "gracePeriodSeconds": "integer",
    "limit": "integer", "orphanDependents": "boolean", "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer", "watch": "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class _Operation:
    """One verb on one path, before it is written for either version of OpenAPI."""

    verb: str
    method: str
    action: str
    name: str
    tag: str
    kind: tuple[str, str, str]
    takes: str  # definition of the body, "" for none
    gives: str  # definition of the answer, "" for plain text
    patches: tuple[str, ...]  # media types of a patch


def v2_paths(resource: Resource, names: Names) -> dict[str, Json]:
    """path -> Swagger 2.0 path item."""
    found: dict[str, Json] = {}
    for path, operations in _paths(resource, names):
        methods = {operation.method: _v2_operation(operation) for operation in operations}
        found[path] = {**methods, "parameters": _v2_path_query(path)}
    return found


def v3_paths(resource: Resource, names: Names) -> dict[str, Json]:
    """path -> OpenAPI 3.0 path item."""
    found: dict[str, Json] = {}
    for path, operations in _paths(resource, names):
        methods = {operation.method: _v3_operation(operation) for operation in operations}
        found[path] = {**methods, "parameters": _v3_path_query(path)}
    return found


def _paths(resource: Resource, names: Names) -> Iterable[tuple[str, list[_Operation]]]:
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    base = f"{resource.path}{scope}/{resource.plural}"
    own = (resource.group, resource.version, resource.kind)
    of_list = names.get((resource.group, resource.version, resource.list_kind), "")
    of_item = names.get(own, "")
    if resource.namespaced and "list" in resource.verbs:
        everywhere = f"{resource.path}/{resource.plural}"
        listing = _operation(resource, "list", own, "", of_list, suffix="ForAllNamespaces")
        yield everywhere, [listing]
    gives = {"list": of_list, "delete": _META + "Status", "deletecollection": _META + "Status"}
    for path, verbs in ((base, _COLLECTION), (base + "/{name}", _ITEM)):
        operations = [
            _operation(resource, verb, own, _takes(verb, of_item), gives.get(verb, of_item))
            for verb in verbs
            if verb in resource.verbs
        ]
        if operations:
            yield path, operations
    for subresource in resource.subresources:
        yield (
            f"{base}/{{name}}/{subresource}",
            _subresource_operations(resource, subresource, names),
        )


def _takes(verb: str, of_item: str) -> str:
    if verb in ("delete", "deletecollection"):
        return _META + "DeleteOptions"
    if verb == "patch":
        return _META + "Patch"
    return of_item if verb in ("create", "update") else ""


def _subresource_operations(resource: Resource, name: str, names: Names) -> list[_Operation]:
    kind = subresource_kind(resource, name)
    body = names.get(kind, "")
    suffix = name[0].upper() + name[1:]
    operations = []
    for verb in subresource_verbs(name):
        connects = name in _CONNECT
        operation = _operation(
            resource,
            verb,
            kind,
            "" if connects else _takes(verb, body),
            "" if connects or name == "log" else body,
            suffix=suffix,
            action="connect" if connects else "",
        )
        operations.append(operation)
    return operations


def _operation(
    resource: Resource,
    verb: str,
    kind: tuple[str, str, str],
    takes: str,
    gives: str,
    *,
    suffix: str = "",
    action: str = "",
) -> _Operation:
    method, usual_action, word = _METHODS[verb]
    group = (resource.group or "core").removesuffix(".k8s.io")
    camel = "".join(part.capitalize() for part in group.split(".")) + resource.version.capitalize()
    scope = "Namespaced" if resource.namespaced and suffix != "ForAllNamespaces" else ""
    word = f"connect{method.capitalize()}" if action else word
    return _Operation(
        verb,
        method,
        action or usual_action,
        f"{word}{camel}{scope}{resource.kind}{suffix}",
        "_".join([*group.split("."), resource.version]),
        kind,
        takes,
        gives,
        _PATCH_TYPES if resource.custom is None else _CUSTOM_PATCH_TYPES,
    )


def _shared(operation: _Operation) -> Json:
    group, version, kind = operation.kind
    return {
        "tags": [operation.tag],
        "operationId": operation.name,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": group, "kind": kind, "version": version},
    }


def _codes(operation: _Operation) -> dict[str, str]:
    words = {"200": "OK"}
    if operation.verb in ("create", "update", "patch"):
        words["201"] = "Created"
    if operation.verb in ("create", "delete"):
        words["202"] = "Accepted"
    return {**words, "401": "Unauthorized"}


def _v2_operation(operation: _Operation) -> Json:
    parameters = [_v2_query(name) for name in _query(operation)]
    if operation.takes:
        body: Json = {"name": "body", "in": "body", "schema": _reference(operation.takes)}
        if operation.verb in ("create", "update", "patch"):
            body["required"] = True
        parameters.insert(0, body)
    responses: Json = {}
    for code, words in _codes(operation).items():
        schema = _reference(operation.gives) if operation.gives else {"type": "string"}
        responses[code] = {"description": words, **({} if code == "401" else {"schema": schema})}
    return {
        **_shared(operation),
        "schemes": ["https"],
        "consumes": list(operation.patches) if operation.verb == "patch" else ["*/*"],
        "produces": ["application/json"] if operation.gives else ["*/*"],
        "parameters": parameters,
        "responses": responses,
    }


def _v3_operation(operation: _Operation) -> Json:
    out: Json = {
        **_shared(operation),
        "parameters": [_v3_query(name) for name in _query(operation)],
    }
    if operation.takes:
        media = operation.patches if operation.verb == "patch" else ("*/*",)
        schema = {"schema": _reference(operation.takes)}
        out["requestBody"] = {"content": dict.fromkeys(media, schema)}
    responses: dict[str, Json] = {}
    for code, words in _codes(operation).items():
        responses[code] = {"description": words}
        if code != "401":
            given = _reference(operation.gives) if operation.gives else {"type": "string"}
            media_type = "application/json" if operation.gives else "*/*"
            responses[code]["content"] = {media_type: {"schema": given}}
    return {**out, "responses": responses}


def _query(operation: _Operation) -> tuple[str, ...]:
    return () if operation.action == "connect" else _QUERY[operation.verb]


def _reference(name: str) -> Json:
    return {"$ref": "#/definitions/" + name}


def _v2_query(name: str) -> Json:
    kind = _QUERY_TYPES.get(name, "string")
    return {"name": name, "in": "query", "type": kind, "uniqueItems": True}


def _v3_query(name: str) -> Json:
    kind = _QUERY_TYPES.get(name, "string")
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _in_path(path: str) -> list[str]:
    return [name for name in ("name", "namespace") if "{" + name + "}" in path]


def _v2_path_query(path: str) -> list[Json]:
    always = {"in": "path", "required": True, "type": "string", "uniqueItems": True}
    return [*({"name": name, **always} for name in _in_path(path)), _v2_query("pretty")]


def _v3_path_query(path: str) -> list[Json]:
    schema = {"type": "string", "uniqueItems": True}
    always = {"in": "path", "required": True, "schema": schema}
    return [*({"name": name, **always} for name in _in_path(path)), _v3_query("pretty")]

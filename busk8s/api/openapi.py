"""The OpenAPI documents of what is served: /openapi/v2, and /openapi/v3 one a group version.

Owns      rendering both from the committed definitions (types/definitions.json) and the resources.
Leaves    negotiation, ETags and keeping what was rendered (apiserver).
Invariant nothing is kept between calls: the definitions are read when a document is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import orjson

from busk8s.api import openapi_paths, openapi_wire, openapi_wire3
from busk8s.api.discovery import KUBERNETES_VERSION
from busk8s.api.scheme import Resource

Json = dict[str, Any]

_V2_REF = "#/definitions/"
_V3_REF = "#/components/schemas/"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
# What operations of every group version take and give, beside their own kinds.
_ALWAYS = (_META + "Status", _META + "DeleteOptions", _META + "Patch")


def v2(resources: Iterable[Resource]) -> bytes:
    """The whole of /openapi/v2 as JSON (Swagger 2.0)."""
    return orjson.dumps(_v2_document(resources))


def v2_protobuf(resources: Iterable[Resource]) -> bytes:
    """The same as `openapi_wire.CONTENT_TYPE`."""
    return openapi_wire.encode(_v2_document(resources))


def _v2_document(resources: Iterable[Resource]) -> Json:
    resources = tuple(resources)
    definitions = {**_definitions(), **_custom(resources, v2=True)}
    names = _names_by_kind(definitions)
    definitions[_INT_OR_STRING] = {"type": "string", "format": "int-or-string"}
    definitions[_QUANTITY] = {"type": "string"}
    paths: Json = {}
    for resource in resources:
        paths.update(openapi_paths.v2_paths(resource, names))
    return {
        "swagger": "2.0",
        "info": _info(),
        "paths": paths,
        "definitions": definitions,
        "securityDefinitions": {
            "BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}
        },
        "security": [{"BearerToken": []}],
    }


def v3_index(resources: Iterable[Resource]) -> bytes:
    """The body of /openapi/v3: where each group version's document is, with its hash."""
    paths = {
        path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        for path, digest in v3_hashes(resources).items()
    }
    return orjson.dumps({"paths": paths})


def v3_hashes(resources: Iterable[Resource]) -> dict[str, str]:
    """The hash of each document, by the end of its path: other resources, another hash."""
    served = tuple(resources)
    salt = _file_bytes()
    found = {}
    for group, version in dict.fromkeys((r.group, r.version) for r in served):
        path = f"apis/{group}/{version}" if group else f"api/{version}"
        own = _of(served, group, version)
        found[path] = hashlib.sha256(salt + _signature(own)).hexdigest()[:32].upper()
    return found


def v3(resources: Iterable[Resource], group: str, version: str) -> bytes | None:
    """The document of one group version; None when nothing is served there."""
    document = _v3_document(resources, group, version)
    return None if document is None else orjson.dumps(document)


def v3_protobuf(resources: Iterable[Resource], group: str, version: str) -> bytes | None:
    """The same as `openapi_wire3.CONTENT_TYPE`."""
    document = _v3_document(resources, group, version)
    return None if document is None else openapi_wire3.encode(document)


def _v3_document(resources: Iterable[Resource], group: str, version: str) -> Json | None:
    own = _of(resources, group, version)
    if not own:
        return None
    definitions = {**_definitions(), **_custom(own, v2=False)}
    names = _names_by_kind(definitions)
    definitions[_INT_OR_STRING] = {
        "oneOf": [{"type": "integer"}, {"type": "string"}],
        "format": "int-or-string",
    }
    paths: Json = {}
    for resource in own:
        paths.update(openapi_paths.v3_paths(resource, names))
    used = _closure({*_mentioned(paths), *_ALWAYS}, definitions)
    schemas = {name: _with_v3_references(definitions[name]) for name in sorted(used)}
    return {
        "openapi": "3.0.0",
        "info": _info(),
        "paths": _with_v3_references(paths),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}
            },
        },
    }


def whole_schema(resource: Resource) -> Json | None:
    """The schema of one kind, with what it refers to in its place; a circle ends in any object.

    What is a text or a number is said as custom schemas say it.
    """
    definitions = {**_definitions(), **_custom((resource,), v2=False)}
    name = _names_by_kind(definitions).get((resource.group, resource.version, resource.kind))
    if name is None:
        return None
    either = {"x-kubernetes-int-or-string": True}
    definitions |= {_INT_OR_STRING: either, _QUANTITY: either}
    return _whole(definitions[name], definitions, (name,))


def _whole(schema: Json, definitions: Mapping[str, Json], above: tuple[str, ...]) -> Json:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix(_V2_REF)
        if name in above or name not in definitions:
            return {"type": "object"}
        schema, above = definitions[name], (*above, name)
    found = dict(schema)
    if isinstance(properties := found.get("properties"), dict):
        found["properties"] = {k: _whole(v, definitions, above) for k, v in properties.items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(found.get(inner), dict):
            found[inner] = _whole(found[inner], definitions, above)
    return found


def _signature(resources: Iterable[Resource]) -> bytes:
    """Changes when the document of these resources does."""
    schemas = [r.custom.identity for r in resources if r.custom is not None]
    return repr(resources).encode() + orjson.dumps(schemas)


def _custom(resources: Iterable[Resource], *, v2: bool) -> dict[str, Json]:
    """Definitions of custom kinds and their lists, named as upstream names them."""
    found: dict[str, Json] = {}
    for resource in resources:
        if resource.custom is None:
            continue
        base = ".".join([*reversed(resource.group.split(".")), resource.version])
        schema = _custom_schema(resource.custom.published(v2=v2), v2=v2)
        schema["x-kubernetes-group-version-kind"] = [_kind_of(resource, resource.kind)]
        if fields := resource.custom.selectable_fields:
            schema["x-kubernetes-selectable-fields"] = [{"fieldPath": each} for each in fields]
        found[f"{base}.{resource.kind}"] = schema
        found[f"{base}.{resource.list_kind}"] = {
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"$ref": f"{_V2_REF}{_META}ListMeta"},
                "items": {
                    "type": "array",
                    "items": {"$ref": f"{_V2_REF}{base}.{resource.kind}"},
                },
            },
            "x-kubernetes-group-version-kind": [_kind_of(resource, resource.list_kind)],
        }
    return found


_OPEN = "x-kubernetes-preserve-unknown-fields"
_OBJECT: Json = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"$ref": f"{_V2_REF}{_META}ObjectMeta"},
}


def _custom_schema(published: Json, *, v2: bool) -> Json:
    """A custom schema with what every object has, at its root and where objects are embedded."""
    if v2 and published.get(_OPEN):
        return {"type": "object"}  # Old kubectl would refuse all but what is named.
    schema = _with_embedded(published, v2=v2)
    schema["properties"] = {**(schema.get("properties") or {}), **_OBJECT}
    return schema


def _with_embedded(schema: Json, *, v2: bool) -> Json:
    found = dict(schema)
    if isinstance(properties := found.get("properties"), dict):
        found["properties"] = {k: _with_embedded(v, v2=v2) for k, v in properties.items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(found.get(inner), dict):
            found[inner] = _with_embedded(found[inner], v2=v2)
    if not found.get("x-kubernetes-embedded-resource") or (v2 and found.get(_OPEN)):
        return found
    found["properties"] = {**(found.get("properties") or {}), **_OBJECT}
    needed = list(found.get("required") or ())
    found["required"] = needed + [each for each in ("kind", "apiVersion") if each not in needed]
    return found


def _kind_of(resource: Resource, kind: str) -> Json:
    return {"group": resource.group, "version": resource.version, "kind": kind}


def _info() -> Json:
    return {"title": "Kubernetes", "version": KUBERNETES_VERSION}


def _file_bytes() -> bytes:
    return (files("busk8s.api.types") / "definitions.json").read_bytes()


def _definitions() -> dict[str, Json]:
    definitions: dict[str, Json] = orjson.loads(_file_bytes())
    return definitions


def _of(resources: Iterable[Resource], group: str, version: str) -> Sequence[Resource]:
    return [r for r in resources if (r.group, r.version) == (group, version)]


def _names_by_kind(definitions: Mapping[str, Json]) -> dict[tuple[str, str, str], str]:
    """(group, version, kind) -> definition name, for the definitions that are one kind."""
    found = {}
    for name, definition in definitions.items():
        kinds = definition.get("x-kubernetes-group-version-kind", ())
        if len(kinds) == 1:
            (kind,) = kinds
            found[kind["group"], kind["version"], kind["kind"]] = name
    return found


def _mentioned(node: Any) -> list[str]:
    """Names of the definitions that `node` refers to."""
    if isinstance(node, list):
        return [name for item in node for name in _mentioned(item)]
    if not isinstance(node, dict):
        return []
    own = node.get("$ref")
    names = [own.removeprefix(_V2_REF)] if isinstance(own, str) else []
    return names + [name for value in node.values() for name in _mentioned(value)]


def _closure(names: set[str], definitions: Mapping[str, Json]) -> set[str]:
    """`names` and all that they refer to, however far."""
    found: set[str] = set()
    queue = sorted(names)
    while queue:
        name = queue.pop()
        if name in definitions and name not in found:
            found.add(name)
            queue.extend(_mentioned(definitions[name]))
    return found


def _with_v3_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_v3_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _with_v3_references(value) for key, value in node.items()}
    if isinstance(out.get("$ref"), str):
        out["$ref"] = _V3_REF + out["$ref"].removeprefix(_V2_REF)
    return out

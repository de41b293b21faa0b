"""/openapi/v2 in protobuf: the form in which kubectl reads it.

Owns      the messages and field numbers of a Swagger 2.0 document, as far as ours goes.
Leaves    the document itself (api.openapi).
Invariant equal documents give equal bytes.
Source    openapiv2.proto of gnostic-models: the field numbers below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from busk8s.api.wire.plain import block, extensions, flag, named, text, texts

Json = Mapping[str, Any]

# The second is what clients before 1.27 ask for.
CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
CONTENT_TYPES = (CONTENT_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
# Where `required`, `in`, `name`, `type` and `uniqueItems` stand, by where the parameter stands.
_PLACES = ("body", "path", "query")  # Of parameters: no resource has others.
_QUERY, _PATH = (1, 2, 4, 6, 20), (1, 2, 4, 5, 19)


def encode(document: Json) -> bytes:
    """The Document message for a Swagger 2.0 document."""
    info = document["info"]
    return b"".join(
        (
            text(1, document["swagger"]),
            block(2, text(1, info["title"]) + text(2, info["version"])),
            block(8, named(2, document["paths"], _path_item)),
            block(9, named(1, document["definitions"], _schema)),
            *(block(12, named(1, one, lambda _: b"")) for one in document["security"]),
            block(13, named(1, document["securityDefinitions"], _api_key)),
        )
    )


def _path_item(item: Json) -> bytes:
    methods = b"".join(
        block(number, _operation(item[method]))
        for method, number in _METHODS.items()
        if method in item
    )
    return methods + _parameters(9, item.get("parameters", ()))


def _operation(operation: Json) -> bytes:
    return b"".join(
        (
            texts(1, operation.get("tags", ())),
            text(3, operation.get("description", "")),
            text(5, operation.get("operationId", "")),
            texts(6, operation.get("produces", ())),
            texts(7, operation.get("consumes", ())),
            _parameters(8, operation.get("parameters", ())),
            block(9, named(1, operation.get("responses", {}), _response)),
            texts(10, operation.get("schemes", ())),
            extensions(13, operation),
        )
    )


def _parameters(number: int, parameters: Iterable[Json]) -> bytes:
    told = [one for one in parameters if one["in"] in _PLACES]
    return b"".join(block(number, block(1, _parameter(one))) for one in told)


def _parameter(parameter: Json) -> bytes:
    required = bool(parameter.get("required"))
    if parameter["in"] == "body":
        schema = block(5, _schema(parameter["schema"]))
        head = text(2, parameter["name"]) + text(3, "body")
        return block(1, head + flag(4, required) + schema)
    in_path = parameter["in"] == "path"
    needed, where, name, kind, unique = _PATH if in_path else _QUERY
    body = b"".join(
        (
            flag(needed, required),
            text(where, parameter["in"]),
            text(name, parameter["name"]),
            text(kind, parameter.get("type", "")),
            flag(unique, bool(parameter.get("uniqueItems"))),
        )
    )
    return block(2, block(4 if in_path else 3, body))


def _response(response: Json) -> bytes:
    said = text(1, response.get("description", ""))
    if "schema" in response:
        said += block(2, block(1, _schema(response["schema"])))
    return block(1, said)


def _schema(schema: Json) -> bytes:
    parts = [
        text(1, schema.get("$ref", "")),
        text(2, schema.get("format", "")),
        text(4, schema.get("description", "")),
        texts(19, schema.get("required", ())),
    ]
    if "additionalProperties" in schema:
        more = schema["additionalProperties"]
        said = flag(2, more) if isinstance(more, bool) else block(1, _schema(more))
        parts.append(block(21, said))
    if "type" in schema:
        kinds = schema["type"]
        parts.append(block(22, texts(1, kinds if isinstance(kinds, list) else [kinds])))
    if "items" in schema:
        parts.append(block(23, block(1, _schema(schema["items"]))))
    if "properties" in schema:
        parts.append(block(25, named(1, schema["properties"], _schema)))
    parts.append(extensions(31, schema))
    return b"".join(parts)


def _api_key(definition: Json) -> bytes:
    key = text(1, definition["type"]) + text(2, definition["name"]) + text(3, definition["in"])
    return block(2, key)

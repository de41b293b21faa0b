"""The documents below /openapi/v3 in protobuf, for clients that parse that faster.

Owns      the messages and field numbers of an OpenAPI 3.0 document, as far as ours go.
Leaves    the documents themselves (api.openapi), the wire (wire.plain).
Invariant equal documents give equal bytes; what a document says is there, or has no place in the
          messages.
Source    openapiv3.proto of gnostic-models: the field numbers below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from busk8s.api.wire.plain import block, double, extensions, flag, named, text, texts, whole

Json = Mapping[str, Any]
Encode = Callable[[Any], bytes]

# The second is what clients before 1.27 ask for.
CONTENT_TYPE = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
CONTENT_TYPES = (CONTENT_TYPE, "application/com.github.proto-openapi.spec.v3@v1.0+protobuf")

_METHODS = {"get": 4, "put": 5, "post": 6, "delete": 7, "patch": 10}
_TEXTS = {"title": 9, "pattern": 17, "type": 25, "description": 34, "format": 35}
_FLAGS = {
    "nullable": 1, "readOnly": 3, "writeOnly": 4, "deprecated": 8, "exclusiveMaximum": 12,
    "exclusiveMinimum": 14, "uniqueItems": 20,
}  # fmt: skip
_NUMBERS = {"multipleOf": 10, "maximum": 11, "minimum": 13}
_WHOLES = {
    "maxLength": 15, "minLength": 16, "maxItems": 18, "minItems": 19, "maxProperties": 21,
    "minProperties": 22,
}  # fmt: skip
_LISTS = {"allOf": 26, "oneOf": 27, "anyOf": 28}


def encode(document: Json) -> bytes:
    """The Document message for an OpenAPI 3.0 document."""
    info, components = document["info"], document["components"]
    schemes = named(1, components["securitySchemes"], _either(_security_scheme))
    return b"".join(
        (
            text(1, document["openapi"]),
            block(2, text(1, info["title"]) + text(6, info["version"])),
            block(4, named(1, document["paths"], _path_item)),
            block(5, block(1, named(1, components["schemas"], schema)) + block(7, schemes)),
        )
    )


def _either(encode_one: Encode) -> Encode:
    """What may be a reference, and here is none."""
    return lambda node: block(1, encode_one(node))


def _path_item(item: Json) -> bytes:
    methods = b"".join(
        block(number, _operation(item[method]))
        for method, number in _METHODS.items()
        if method in item
    )
    return methods + _parameters(13, item["parameters"])


def _operation(operation: Json) -> bytes:
    parts = [
        texts(1, operation["tags"]),
        text(3, operation.get("description", "")),
        text(5, operation["operationId"]),
        _parameters(6, operation["parameters"]),
    ]
    if "requestBody" in operation:
        parts.append(block(7, block(1, _request_body(operation["requestBody"]))))
    responses = named(2, operation["responses"], _either(_response))
    return b"".join((*parts, block(8, responses), extensions(13, operation)))


def _parameters(number: int, parameters: Any) -> bytes:
    return b"".join(block(number, block(1, _parameter(one))) for one in parameters)


def _parameter(parameter: Json) -> bytes:
    return b"".join(
        (
            text(1, parameter["name"]),
            text(2, parameter["in"]),
            text(3, parameter.get("description", "")),
            flag(4, bool(parameter.get("required"))),
            block(10, schema(parameter["schema"])),
        )
    )


def _request_body(body: Json) -> bytes:
    said = block(2, named(1, body["content"], _media_type))
    return said + flag(3, bool(body.get("required")))


def _response(response: Json) -> bytes:
    said = text(1, response["description"])
    if "content" in response:
        said += block(3, named(1, response["content"], _media_type))
    return said


def _media_type(media: Json) -> bytes:
    return block(1, schema(media["schema"]))


def _security_scheme(scheme: Json) -> bytes:
    return text(1, scheme["type"]) + text(3, scheme["name"]) + text(4, scheme["in"])


def schema(node: Json) -> bytes:
    """SchemaOrReference."""
    if "$ref" in node:
        return block(2, text(1, node["$ref"]) + text(3, node.get("description", "")))
    return block(1, _schema(node))


def _schema(node: Json) -> bytes:
    parts = [flag(number, bool(node.get(name))) for name, number in _FLAGS.items()]
    parts += [text(number, node.get(name, "")) for name, number in _TEXTS.items()]
    parts += [double(number, node[name]) for name, number in _NUMBERS.items() if name in node]
    parts += [whole(number, int(node[name])) for name, number in _WHOLES.items() if name in node]
    for name, number in _LISTS.items():
        parts += [block(number, schema(one)) for one in node.get(name, ())]
    parts.append(texts(23, node.get("required", ())))
    parts += [block(24, _any(value)) for value in node.get("enum", ())]
    if "externalDocs" in node:
        docs = node["externalDocs"]
        parts.append(block(6, text(1, docs.get("description", "")) + text(2, docs.get("url", ""))))
    if "example" in node:
        parts.append(block(7, _any(node["example"])))
    if "not" in node:
        parts.append(block(29, _schema(node["not"])))
    if "items" in node:
        parts.append(block(30, block(1, schema(node["items"]))))
    if "properties" in node:
        parts.append(block(31, named(1, node["properties"], schema)))
    if "additionalProperties" in node:
        parts.append(block(32, _additional(node["additionalProperties"])))
    if "default" in node:
        parts.append(block(33, _default(node["default"])))
    parts.append(extensions(36, node))
    return b"".join(parts)


def _any(value: Any) -> bytes:
    """As YAML; JSON is YAML."""
    return block(2, orjson.dumps(value))


def _additional(node: Any) -> bytes:
    return whole(2, int(node)) if isinstance(node, bool) else block(1, schema(node))


def _default(value: Any) -> bytes:
    """Numbers, texts and booleans have a place; of others only that there is one is told."""
    if isinstance(value, bool):
        return whole(2, int(value))
    if isinstance(value, int | float):
        return double(1, value)
    return block(3, value.encode()) if isinstance(value, str) else b""

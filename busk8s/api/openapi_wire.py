"""/openapi/v2 in protobuf: the form in which kubectl reads it.

Owns      the messages and field numbers of a Swagger 2.0 document, as far as ours goes.
Leaves    the document itself (api.openapi).
Invariant equal documents give equal bytes.
Source    openapiv2.proto of gnostic-models: the field numbers below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Json = Mapping[str, Any]

# The second is what clients before 1.27 ask for.
CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
CONTENT_TYPES = (CONTENT_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
# Where `required`, `in`, `name`, `type` and `uniqueItems` stand, by where the parameter stands.
_QUERY, _PATH = (1, 2, 4, 6, 20), (1, 2, 4, 5, 19)


def encode(document: Json) -> bytes:
    """The Document message for a Swagger 2.0 document."""
    info = document["info"]
    return b"".join(
        (
            _text(1, document["swagger"]),
            _block(2, _text(1, info["title"]) + _text(2, info["version"])),
            _block(8, _named(2, document["paths"], _path_item)),
            _block(9, _named(1, document["definitions"], _schema)),
            *(_block(12, _named(1, one, lambda _: b"")) for one in document["security"]),
            _block(13, _named(1, document["securityDefinitions"], _api_key)),
        )
    )


def _path_item(item: Json) -> bytes:
    methods = b"".join(
        _block(number, _operation(item[method]))
        for method, number in _METHODS.items()
        if method in item
    )
    return methods + _parameters(9, item["parameters"])


def _operation(operation: Json) -> bytes:
    return b"".join(
        (
            _texts(1, operation["tags"]),
            _text(5, operation["operationId"]),
            _texts(6, operation["produces"]),
            _texts(7, operation["consumes"]),
            _parameters(8, operation["parameters"]),
            _block(9, _named(1, operation["responses"], _response)),
            _texts(10, operation["schemes"]),
            _extensions(13, operation),
        )
    )


def _parameters(number: int, parameters: Iterable[Json]) -> bytes:
    return b"".join(_block(number, _block(1, _parameter(one))) for one in parameters)


def _parameter(parameter: Json) -> bytes:
    required = bool(parameter.get("required"))
    if parameter["in"] == "body":
        schema = _block(5, _schema(parameter["schema"]))
        head = _text(2, parameter["name"]) + _text(3, "body")
        return _block(1, head + _flag(4, required) + schema)
    in_path = parameter["in"] == "path"
    needed, where, name, kind, unique = _PATH if in_path else _QUERY
    body = b"".join(
        (
            _flag(needed, required),
            _text(where, parameter["in"]),
            _text(name, parameter["name"]),
            _text(kind, parameter["type"]),
            _flag(unique, bool(parameter.get("uniqueItems"))),
        )
    )
    return _block(2, _block(4 if in_path else 3, body))


def _response(response: Json) -> bytes:
    said = _text(1, response["description"])
    if "schema" in response:
        said += _block(2, _block(1, _schema(response["schema"])))
    return _block(1, said)


def _schema(schema: Json) -> bytes:
    parts = [
        _text(1, schema.get("$ref", "")),
        _text(2, schema.get("format", "")),
        _text(4, schema.get("description", "")),
        _texts(19, schema.get("required", ())),
    ]
    if "additionalProperties" in schema:
        parts.append(_block(21, _block(1, _schema(schema["additionalProperties"]))))
    if "type" in schema:
        parts.append(_block(22, _text(1, schema["type"])))
    if "items" in schema:
        parts.append(_block(23, _block(1, _schema(schema["items"]))))
    if "properties" in schema:
        parts.append(_block(25, _named(1, schema["properties"], _schema)))
    parts.append(_extensions(31, schema))
    return b"".join(parts)


def _api_key(definition: Json) -> bytes:
    key = _text(1, definition["type"]) + _text(2, definition["name"]) + _text(3, definition["in"])
    return _block(2, key)


def _extensions(number: int, node: Json) -> bytes:
    """Every `x-` field as YAML; JSON is YAML."""
    return b"".join(
        _block(number, _text(1, key) + _block(2, _block(2, orjson.dumps(node[key]))))
        for key in sorted(node)
        if key.startswith("x-")
    )


def _named(number: int, nodes: Mapping[str, Any], encode_one: Any) -> bytes:
    """A map: one entry of name and value for each key, in order."""
    return b"".join(
        _block(number, _text(1, key) + _block(2, encode_one(nodes[key]))) for key in sorted(nodes)
    )


# The wire: a varint of number and kind, then the value.


def _block(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _text(number: int, text: str) -> bytes:
    return _block(number, text.encode()) if text else b""


def _texts(number: int, texts: Iterable[str]) -> bytes:
    return b"".join(_block(number, text.encode()) for text in texts)


def _flag(number: int, value: bool) -> bytes:
    return _varint(number << 3) + b"\x01" if value else b""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

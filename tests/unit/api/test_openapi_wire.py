"""/openapi/v2 as protobuf, read back by a plain reader of the wire."""

from __future__ import annotations

from typing import Any

import orjson

from busk8s.api import openapi, openapi_wire, scheme

PATHS, DEFINITIONS, SECURITY = 8, 9, 13
PATCH, PARAMETERS, EXTENSIONS = 8, 8, 13


def fields(body: bytes) -> list[tuple[int, Any]]:
    """(number, value) of a message: bytes for blocks, int for varints."""
    found: list[tuple[int, Any]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = body[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(body):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
            continue
        assert key & 7 == 2, f"wire type {key & 7}"
        length = varint()
        found.append((key >> 3, body[at : at + length]))
        at += length
    assert at == len(body)
    return found


def under(body: bytes, *numbers: int) -> bytes:
    """The first field at each number, one inside the other."""
    for number in numbers:
        body = next(value for found, value in fields(body) if found == number)
    return body


def named(body: bytes, number: int) -> dict[str, bytes]:
    return {under(one, 1).decode(): under(one, 2) for found, one in fields(body) if found == number}


def document() -> bytes:
    return openapi.v2_protobuf(scheme.SERVED)


def test_it_has_every_path_and_definition_of_the_json_form() -> None:
    told, whole = document(), orjson.loads(openapi.v2(scheme.SERVED))
    assert under(told, 1) == b"2.0"
    assert named(under(told, PATHS), 2).keys() == whole["paths"].keys()
    assert named(under(told, DEFINITIONS), 1).keys() == whole["definitions"].keys()
    assert named(under(told, SECURITY), 1).keys() == {"BearerToken"}


def test_a_definition_says_type_required_fields_references_and_extensions() -> None:
    definitions = named(under(document(), DEFINITIONS), 1)
    schema = definitions["io.k8s.api.core.v1.PodSpec"]
    assert under(schema, 22, 1) == b"object"
    assert under(schema, 19) == b"containers"
    properties = named(under(schema, 25), 1)
    items = under(properties["containers"], 23, 1)
    assert under(items, 1) == b"#/definitions/io.k8s.api.core.v1.Container"
    extensions = named(properties["containers"], 31)
    assert orjson.loads(under(extensions["x-kubernetes-patch-merge-key"], 2)) == "name"
    selector = properties["nodeSelector"]
    assert under(selector, 21, 1, 22, 1) == b"string"  # a map of strings


def test_a_patch_says_which_kind_it_is_of_and_that_it_takes_dry_runs() -> None:
    """By this kubectl before 1.27 decides whether --dry-run=server may be asked for."""
    paths = named(under(document(), PATHS), 2)
    patch = under(paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"], PATCH)
    kind = orjson.loads(under(named(patch, EXTENSIONS)["x-kubernetes-group-version-kind"], 2))
    assert kind == {"group": "apps", "kind": "Deployment", "version": "v1"}
    parameters = [under(value, 1) for number, value in fields(patch) if number == PARAMETERS]
    query = [under(one, 2, 3, 4) for one in parameters if fields(one)[0][0] == 2]
    assert b"dryRun" in query


def test_a_map_of_anything_is_told_as_one() -> None:
    whole = orjson.loads(openapi.v2(scheme.SERVED))
    whole["definitions"] = {"a": {"type": "object", "additionalProperties": True}}
    schema = named(under(openapi_wire.encode(whole), DEFINITIONS), 1)["a"]
    assert fields(under(schema, 21)) == [(2, 1)]


def test_long_and_empty_parts_keep_their_length() -> None:
    body = openapi_wire.encode(
        {
            "swagger": "2.0",
            "info": {"title": "x" * 20_000, "version": "é"},
            "paths": {},
            "definitions": {"a": {}},
            "security": [],
            "securityDefinitions": {},
        }
    )
    info = under(body, 2)
    assert under(info, 1) == b"x" * 20_000
    assert under(info, 2).decode() == "é"
    assert named(under(body, DEFINITIONS), 1) == {"a": b""}

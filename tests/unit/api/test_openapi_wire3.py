"""Documents below /openapi/v3 as protobuf, read back by the protobuf runtime: nothing is lost."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from busk8s.api import openapi, openapi_wire3, scheme

GROUP_VERSIONS = sorted({(r.group, r.version) for r in scheme.SERVED})

# Messages of openapiv3.proto: field, number, type; `*` repeated. What ours do not use is left out.
MESSAGES = {
    "Document": "openapi 1 string, info 2 Info, paths 4 Paths, components 5 Components",
    "Info": "title 1 string, version 6 string",
    "Paths": "path 1 *NamedPathItem",
    "NamedPathItem": "name 1 string, value 2 PathItem",
    "PathItem": "get 4 Operation, put 5 Operation, post 6 Operation, delete 7 Operation, "
    "patch 10 Operation, parameters 13 *ParameterOrReference",
    "Operation": "tags 1 *string, description 3 string, operation_id 5 string, "
    "parameters 6 *ParameterOrReference, request_body 7 RequestBodyOrReference, "
    "responses 8 Responses, specification_extension 13 *NamedAny",
    "ParameterOrReference": "parameter 1 Parameter",
    "Parameter": "name 1 string, in 2 string, description 3 string, required 4 bool, "
    "schema 10 SchemaOrReference",
    "RequestBodyOrReference": "request_body 1 RequestBody",
    "RequestBody": "content 2 MediaTypes, required 3 bool",
    "Responses": "response_or_reference 2 *NamedResponseOrReference",
    "NamedResponseOrReference": "name 1 string, value 2 ResponseOrReference",
    "ResponseOrReference": "response 1 Response",
    "Response": "description 1 string, content 3 MediaTypes",
    "MediaTypes": "additional_properties 1 *NamedMediaType",
    "NamedMediaType": "name 1 string, value 2 MediaType",
    "MediaType": "schema 1 SchemaOrReference",
    "Components": "schemas 1 SchemasOrReferences, security_schemes 7 SecuritySchemesOrReferences",
    "SchemasOrReferences": "additional_properties 1 *NamedSchemaOrReference",
    "NamedSchemaOrReference": "name 1 string, value 2 SchemaOrReference",
    "SecuritySchemesOrReferences": "additional_properties 1 *NamedSecuritySchemeOrReference",
    "NamedSecuritySchemeOrReference": "name 1 string, value 2 SecuritySchemeOrReference",
    "SecuritySchemeOrReference": "security_scheme 1 SecurityScheme",
    "SecurityScheme": "type 1 string, name 3 string, in 4 string",
    "SchemaOrReference": "schema 1 Schema, reference 2 Reference",
    "Reference": "_ref 1 string, description 3 string",
    "Schema": "nullable 1 bool, external_docs 6 ExternalDocs, example 7 Any, title 9 string, "
    "multiple_of 10 double, maximum 11 double, exclusive_maximum 12 bool, minimum 13 double, "
    "exclusive_minimum 14 bool, max_length 15 int64, min_length 16 int64, pattern 17 string, "
    "max_items 18 int64, min_items 19 int64, unique_items 20 bool, max_properties 21 int64, "
    "min_properties 22 int64, required 23 *string, enum 24 *Any, type 25 string, "
    "all_of 26 *SchemaOrReference, one_of 27 *SchemaOrReference, any_of 28 *SchemaOrReference, "
    "not 29 Schema, items 30 ItemsItem, properties 31 SchemasOrReferences, "
    "additional_properties 32 AdditionalPropertiesItem, default 33 DefaultType, "
    "description 34 string, format 35 string, specification_extension 36 *NamedAny",
    "ExternalDocs": "description 1 string, url 2 string",
    "ItemsItem": "schema_or_reference 1 *SchemaOrReference",
    "AdditionalPropertiesItem": "schema_or_reference 1 SchemaOrReference, boolean 2 bool",
    "DefaultType": "number 1 double, boolean 2 bool, string 3 string",
    "Any": "yaml 2 string",
    "NamedAny": "name 1 string, value 2 Any",
}
SCALARS = {"string": 9, "bool": 8, "int64": 3, "double": 1}


@cache
def classes() -> Any:
    file = FileDescriptorProto(name="openapi.proto", package="o", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for one in fields.split(", "):
            field, number, kind = one.split(" ")
            label = 3 if kind.startswith("*") else 1
            kind = kind.removeprefix("*")
            made = message.field.add(name=field, number=int(number), label=label)
            if kind in SCALARS:
                made.type = SCALARS[kind]
            else:
                made.type, made.type_name = 11, f".o.{kind}"
    pool = DescriptorPool()
    pool.Add(file)
    return {n: GetMessageClass(pool.FindMessageTypeByName(f"o.{n}")) for n in MESSAGES}


def read(message: Any) -> Any:
    """The document in a message, as JSON has it."""
    kind, found = message.DESCRIPTOR.name, {f.name: v for f, v in message.ListFields()}
    assert not len(UnknownFieldSet(message)), "a field that the messages do not have"
    match kind:
        case "Paths" | "SchemasOrReferences" | "MediaTypes" | "SecuritySchemesOrReferences":
            [entries] = list(found.values()) or [[]]
            return {each.name: read(each.value) for each in entries}
        case "Responses":
            return {each.name: read(each.value) for each in found["response_or_reference"]}
        case "Any":
            return orjson.loads(message.yaml)
        case "Reference":
            rest = {"description": message.description} if "description" in found else {}
            return {"$ref": getattr(message, "_ref"), **rest}  # noqa: B009  # a name of its own
        case "AdditionalPropertiesItem" | "DefaultType":
            [value] = list(found.values()) or [{}]
            return read(value) if hasattr(value, "DESCRIPTOR") else value
        case "ItemsItem":
            return read(message.schema_or_reference[0])
    if kind.endswith("OrReference"):
        [value] = found.values()
        return read(value)
    return {**_plain(found), **{e.name: read(e.value) for e in _extensions(found)}}


def _extensions(found: dict[str, Any]) -> Any:
    return found.pop("specification_extension", ())


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    made = {}
    for name, value in found.items():
        if name == "specification_extension":
            continue
        head, *rest = name.split("_")
        key = head + "".join(part.capitalize() for part in rest)
        if hasattr(value, "DESCRIPTOR"):
            made[key] = read(value)
        elif not isinstance(value, str | bool | int | float):
            made[key] = [read(v) if hasattr(v, "DESCRIPTOR") else v for v in value]
        else:
            made[key] = value
    return made


@pytest.mark.parametrize(("group", "version"), GROUP_VERSIONS)
def test_nothing_of_a_document_is_lost(group: str, version: str) -> None:
    body = openapi.v3_protobuf(scheme.SERVED, group, version)
    json = openapi.v3(scheme.SERVED, group, version)
    assert body is not None
    assert json is not None
    whole = told(orjson.loads(json))
    assert read(classes()["Document"].FromString(body)) == whole


def told(node: Any) -> Any:
    """What the messages have a place for: no empty lists, and nothing beside a reference."""
    if isinstance(node, list):
        return [told(each) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {key: value for key, value in node.items() if key in ("$ref", "description")}
    return {key: told(value) for key, value in node.items() if value != []}


SCHEMA = {
    "type": "object",
    "description": "d",
    "title": "t",
    "required": ["a"],
    "nullable": True,
    "maxProperties": 5,
    "minProperties": 0,
    "externalDocs": {"description": "more", "url": "https://example.com"},
    "x-kubernetes-validations": [{"rule": "self.a > 0"}],
    "x-kubernetes-preserve-unknown-fields": True,
    "properties": {
        "a": {"type": "integer", "format": "int64", "minimum": -1.5, "maximum": 10.0,
              "exclusiveMaximum": True, "multipleOf": 0.5, "default": 3.0},
        "b": {"type": "string", "pattern": "^a$", "enum": ["a", "b"], "maxLength": 3,
              "minLength": 1, "default": "a", "example": {"x": [1]}},
        "c": {"type": "array", "uniqueItems": True, "maxItems": 2, "minItems": 1,
              "items": {"type": "boolean", "default": False}},
        "d": {"anyOf": [{"type": "string"}], "oneOf": [{"type": "integer"}],
              "allOf": [{"type": "number"}], "not": {"type": "boolean"}},
        "e": {"type": "object", "additionalProperties": {"type": "string"}},
        "f": {"type": "object", "additionalProperties": True},
        "g": {"type": "object", "default": {}},
    },
}  # fmt: skip


def test_a_schema_of_every_word_is_read_back_as_it_was() -> None:
    body = openapi_wire3.schema(SCHEMA)
    assert read(classes()["SchemaOrReference"].FromString(body)) == SCHEMA

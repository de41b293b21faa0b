"""A custom object is pruned, completed and judged by its schema as upstream does."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.custom.structural import compile_schema

Json = dict[str, Any]


def spec_of(**properties: Json) -> Json:
    spec = {"type": "object", "properties": properties}
    return {"type": "object", "properties": {"spec": spec}}


def said(schema: Json, new: Json, old: Json | None = None) -> list[str]:
    causes = compile_schema(schema).validate(new, old)
    return [f"{cause.field}: {cause.message}" for cause in causes]


TEXT = {"type": "string"}

WRONG: dict[str, tuple[Json, Any, str]] = {
    "a string for a number": (
        {"type": "integer"}, "x",
        'spec.f: Invalid value: "string": spec.f in body must be of type integer: "string"',
    ),
    "null where it is not allowed": (
        {"type": "array", "items": TEXT}, None,
        'spec.f: Invalid value: "null": spec.f in body must be of type array: "null"',
    ),
    "what an enum does not list": (
        {"type": "string", "enum": ["a", "b"]}, "c",
        'spec.f: Unsupported value: "c": supported values: "a", "b"',
    ),
    "a number below the minimum": (
        {"type": "integer", "minimum": 1}, 0,
        "spec.f: Invalid value: 0: spec.f in body should be greater than or equal to 1",
    ),
    "a number at the exclusive maximum": (
        {"type": "number", "maximum": 2.5, "exclusiveMaximum": True}, 2.5,
        "spec.f: Invalid value: 2.5: spec.f in body should be less than 2.5",
    ),
    "no multiple": (
        {"type": "integer", "multipleOf": 5}, 7,
        "spec.f: Invalid value: 7: spec.f in body should be a multiple of 5",
    ),
    "a text too long, by characters": (
        {"type": "string", "maxLength": 2}, "äöü",
        "spec.f: Too long: may not be more than 2 bytes",
    ),
    "a text too short": (
        {"type": "string", "minLength": 1}, "",
        'spec.f: Invalid value: "": spec.f in body should be at least 1 chars long',
    ),
    "a text off its pattern": (
        {"type": "string", "pattern": "^[a-z]+$"}, "A",
        "spec.f: Invalid value: \"A\": spec.f in body should match '^[a-z]+$'",
    ),
    "a text off its format": (
        {"type": "string", "format": "ipv4"}, "x",
        'spec.f: Invalid value: "x": spec.f in body must be of type ipv4: "x"',
    ),
    "too many items": (
        {"type": "array", "maxItems": 1, "items": TEXT}, ["a", "b"],
        "spec.f: Too many: 2: must have at most 1 items",
    ),
    "too few items": (
        {"type": "array", "minItems": 1, "items": TEXT}, [],
        "spec.f: Invalid value: 0: spec.f in body should have at least 1 items",
    ),
    "too many properties": (
        {"type": "object", "maxProperties": 1, "additionalProperties": TEXT}, {"a": "", "b": ""},
        "spec.f: Too many: 2: must have at most 1 items",
    ),
    "a required field left out": (
        {"type": "object", "required": ["g"], "properties": {"g": TEXT}}, {},
        "spec.f.g: Required value",
    ),
    "an item of the wrong type": (
        {"type": "array", "items": TEXT}, [1],
        'spec.f[0]: Invalid value: "integer": spec.f[0] in body must be of type string: "integer"',
    ),
    "a value under any key": (
        {"type": "object", "additionalProperties": TEXT}, {"k": True},
        'spec.f.k: Invalid value: "boolean": spec.f.k in body must be of type string: "boolean"',
    ),
    "a boolean for int-or-string": (
        {"x-kubernetes-int-or-string": True}, True, 
        'spec.f: Invalid value: "boolean": '
        'spec.f in body must be of type integer,string: "boolean"',
    ),
    "an int32 that is larger": (
        {"type": "integer", "format": "int32"}, 1 << 40,
        '<nil>: Invalid value: "": '
        "Checked value must be of type integer with format int32 in spec.f",
    ),
    "a value that is refused": (
        {"type": "integer", "not": {"enum": [3]}}, 3,
        '<nil>: Invalid value: "": "spec.f" must not validate the schema (not)',
    ),
    "an item of a set again": (
        {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"}, ["a", "b", "a"],
        'spec.f[2]: Duplicate value: "a"',
    ),
    "a key of a list map again": (
        {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
            "items": {"type": "object", "properties": {"n": TEXT}},
        }, [{"n": "a"}, {"n": "a"}],
        'spec.f[1]: Duplicate value: {"n":"a"}',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_named_in_upstreams_words(case: str) -> None:
    schema, value, words = WRONG[case]
    assert said(spec_of(f=schema), {"spec": {"f": value}}) == [words]


def test_of_several_alternatives_the_nearest_tells_what_is_wrong() -> None:
    schema = spec_of(a=TEXT, b=TEXT)
    schema["properties"]["spec"]["oneOf"] = [{"required": ["a"]}, {"required": ["b"]}]
    words = '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). '
    assert said(schema, {"spec": {}}) == [words + "Found none valid", "spec.a: Required value"]
    both = {"spec": {"a": "", "b": ""}}
    assert said(schema, both) == [words + "Found 2 valid alternatives"]


def test_what_was_wrong_before_and_did_not_change_is_let_pass() -> None:
    schema = spec_of(f={"type": "string", "maxLength": 1}, g=TEXT)
    old = {"spec": {"f": "long"}}
    assert said(schema, {"spec": {"f": "long", "g": "x"}}, old) == []
    assert said(schema, {"spec": {"f": "longer"}}, old) != []


def test_unknown_fields_are_dropped_and_named() -> None:
    schema = spec_of(
        known=TEXT,
        open={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        items={"type": "array", "items": {"type": "object", "properties": {"a": TEXT}}},
    )
    obj = {
        "apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n"}, "extra": 1,
        "spec": {"known": "", "no": {"x": 1}, "open": {"any": {"deep": 1}}, "items": [{"b": 1}]},
    }  # fmt: skip
    assert compile_schema(schema).prune(obj) == ["extra", "spec.items[0].b", "spec.no"]
    assert obj["spec"] == {"known": "", "open": {"any": {"deep": 1}}, "items": [{}]}
    assert obj["metadata"] == {"name": "n"}


def test_defaults_take_the_place_of_what_is_absent_and_of_nulls_that_may_not_be() -> None:
    schema = spec_of(
        a={"type": "string", "default": "x"},
        b={"type": "string", "default": "y", "nullable": True},
        c=TEXT,
        d={"type": "object", "default": {}, "properties": {"e": {"type": "integer", "default": 3}}},
    )
    obj: Json = {"spec": {"a": None, "b": None, "c": None}}
    compile_schema(schema).apply_defaults(obj)
    assert obj == {"spec": {"a": "x", "b": None, "d": {"e": 3}}}

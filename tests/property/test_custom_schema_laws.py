"""Laws of custom schemas, over any schema and any value."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.custom.correlation import Correlated
from busk8s.api.custom.defaulting import apply_defaults, drop_nulls
from busk8s.api.custom.jsonpath import BadPath, parse
from busk8s.api.custom.node import Node
from busk8s.api.custom.prune import prune
from busk8s.api.custom.structural import compile_schema
from busk8s.api.custom.values import explain, fits

Json = dict[str, Any]

NAMES = st.sampled_from("abc")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.sampled_from((0.5, 2.0, -1.0, 1e300)),
    st.sampled_from(("", "a", "bb", "äö", "1.2.3.4", "2020-01-01")),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
BOUNDS = {
    "minLength": st.integers(0, 2), "maxLength": st.integers(0, 3), "minimum": st.integers(-2, 3),
    "maximum": st.integers(-2, 3), "minItems": st.integers(0, 2), "maxItems": st.integers(0, 3),
    "minProperties": st.integers(0, 2), "maxProperties": st.integers(0, 3),
    "pattern": st.sampled_from(("^a", "b$", "[a-z]+")), "multipleOf": st.sampled_from((1, 2)),
}  # fmt: skip
EXTRAS = {
    **BOUNDS,
    "nullable": st.booleans(),
    "format": st.sampled_from(("ipv4", "date", "int32", "unheard-of")),
    "x-kubernetes-preserve-unknown-fields": st.just(True),
    "x-kubernetes-embedded-resource": st.just(True),
    "default": VALUES,
    "enum": st.lists(SCALARS, min_size=1, max_size=3),
}
TYPES = st.sampled_from(("object", "array", "string", "integer", "number", "boolean"))


def _schemas(extras: Json, kinds: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    leaf = st.fixed_dictionaries({"type": kinds}, optional=extras)

    def around(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
        several = st.lists(inner, min_size=1, max_size=2)
        return st.fixed_dictionaries(
            {"type": kinds},
            optional={
                **extras,
                "properties": st.dictionaries(NAMES, inner, max_size=3),
                "items": inner,
                "additionalProperties": inner | st.booleans(),
                "required": st.lists(NAMES, max_size=2, unique=True),
                "allOf": several, "anyOf": several, "oneOf": several, "not": inner,
            },
        )  # fmt: skip

    return st.recursive(leaf, around, max_leaves=6)


ANY_SCHEMA = _schemas(EXTRAS, TYPES)
# What JSON Schema and OpenAPI mean alike.
PLAIN_SCHEMA = _schemas({"minLength": BOUNDS["minLength"], **BOUNDS}, TYPES)


@given(ANY_SCHEMA, VALUES)
def test_pruning_twice_drops_nothing_more(schema: Json, value: Any) -> None:
    node = Node(schema)
    prune(value, node)
    once = deepcopy(value)
    assert prune(value, node) == []
    assert value == once


@given(ANY_SCHEMA, VALUES)
def test_defaulting_twice_changes_nothing_more(schema: Json, value: Any) -> None:
    node = Node(schema)
    drop_nulls(value, node)
    apply_defaults(value, node)
    once = deepcopy(value)
    apply_defaults(value, node)
    assert value == once


@given(ANY_SCHEMA, st.dictionaries(NAMES, VALUES, max_size=3))
def test_any_object_can_be_judged_by_any_schema(schema: Json, value: Json) -> None:
    structural = compile_schema({**schema, "type": "object"})
    structural.prune(value)
    structural.apply_defaults(value)
    structural.validate(value)
    structural.validate(value, {})
    assert structural.layout is structural.layout
    assert structural.published()
    assert isinstance(structural.published(v2=True), dict)


@given(ANY_SCHEMA, VALUES)
def test_the_quick_answer_is_the_full_one(schema: Json, value: Any) -> None:
    node = Node(schema)
    assert fits(node, value) is explain(node, value, "").valid


@given(ANY_SCHEMA, VALUES)
def test_what_did_not_change_is_never_found_fault_with(schema: Json, value: Any) -> None:
    node = Node(schema)
    assert explain(node, value, "x", Correlated(value, deepcopy(value), node)).valid


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return any(_holds_null(each) for each in inner)
    return value is None


@given(PLAIN_SCHEMA, VALUES)
def test_json_schema_gives_the_same_answer_where_both_mean_the_same(
    schema: Json, value: Any
) -> None:
    if _holds_null(value):
        return  # OpenAPI has no null of its own
    expected = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert fits(Node(schema), value) is expected


@given(st.text("abc.[]'\"*:?(@)=<>0123 \\", max_size=20), VALUES)
def test_any_path_is_read_or_refused_and_finds_something_or_nothing(text: str, value: Any) -> None:
    try:
        path = parse(text)
    except BadPath:
        return
    path.find(value)


@pytest.mark.parametrize("many", [50_000])
def test_a_document_wrong_all_over_costs_little(many: int) -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    found = explain(Node(schema), [1] * many, "f").causes
    assert 1000 <= len(found) < 1010

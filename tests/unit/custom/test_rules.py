"""Rules in CEL are run where they stand, with the old value where there is one."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.custom.structural import compile_schema

Json = dict[str, Any]
TEXT = {"type": "string"}
COUNT = {"type": "integer"}


def ruled(*rules: Json, **properties: Json) -> Json:
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}
    return {"type": "object", "properties": {"spec": spec}}


def said(schema: Json, new: Json, old: Json | None = None) -> list[str]:
    causes = compile_schema(schema).validate({"spec": new}, None if old is None else {"spec": old})
    return [f"{cause.field}: {cause.message}" for cause in causes]


def test_a_rule_that_fails_says_its_message_at_its_place() -> None:
    schema = ruled({"rule": "self.min <= self.max", "message": "turned"}, min=COUNT, max=COUNT)
    assert said(schema, {"min": 1, "max": 2}) == []
    assert said(schema, {"min": 3, "max": 2}) == ["spec: Invalid value: turned"]


def test_without_a_message_the_rule_itself_is_shown() -> None:
    schema = ruled({"rule": "self.min > 0"}, min=COUNT)
    assert said(schema, {"min": 0}) == ["spec: Invalid value: failed rule: self.min > 0"]


def test_a_message_may_be_an_expression_and_name_a_field_and_a_reason() -> None:
    rule = {
        "rule": "self.min > 0", "messageExpression": "'not ' + string(self.min)",
        "fieldPath": ".min", "reason": "FieldValueForbidden",
    }  # fmt: skip
    assert said(ruled(rule, min=COUNT), {"min": 0}) == ["spec.min: Forbidden: not 0"]


def test_a_scalar_is_shown_beside_the_message() -> None:
    field = {**TEXT, "x-kubernetes-validations": [{"rule": "self != 'x'", "message": "no"}]}
    assert said(ruled(f=field), {"f": "x"}) == ['spec.f: Invalid value: "x": no']


def test_a_transition_is_looked_at_only_where_there_was_an_old_value() -> None:
    field = {**COUNT, "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "less"}]}
    schema = ruled(f=field)
    assert said(schema, {"f": 1}) == []
    assert said(schema, {"f": 1}, {}) == []
    assert said(schema, {"f": 1}, {"f": 2}) == ["spec.f: Invalid value: 1: less"]


def test_an_optional_old_value_is_seen_on_create_too() -> None:
    rule = {
        "rule": "oldSelf.hasValue() || self.f == 1", "message": "begins at 1",
        "optionalOldSelf": True,
    }  # fmt: skip
    schema = ruled(rule, f=COUNT)
    assert said(schema, {"f": 2}) == ["spec: Invalid value: begins at 1"]
    assert said(schema, {"f": 2}, {"f": 1}) == []


def test_items_of_a_list_map_meet_their_old_selves_by_key() -> None:
    item = {
        "type": "object", "properties": {"name": TEXT, "n": COUNT},
        "x-kubernetes-validations": [{"rule": "self.n >= oldSelf.n", "message": "less"}],
    }  # fmt: skip
    schema = ruled(
        f={
            "type": "array", "items": item,
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        },
    )  # fmt: skip
    old = {"f": [{"name": "a", "n": 1}, {"name": "b", "n": 5}]}
    new = {"f": [{"name": "b", "n": 4}, {"name": "a", "n": 1}, {"name": "c", "n": 0}]}
    assert said(schema, new, old) == ["spec.f[0]: Invalid value: less"]


def test_values_of_a_map_meet_their_old_selves_by_name() -> None:
    value = {**COUNT, "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "set"}]}
    schema = ruled(f={"type": "object", "additionalProperties": value})
    assert said(schema, {"f": {"a": 2, "b": 1}}, {"f": {"a": 1}}) == [
        "spec.f[a]: Invalid value: 2: set"
    ]


def test_what_failed_before_and_did_not_change_is_let_pass() -> None:
    schema = ruled(f={**COUNT, "x-kubernetes-validations": [{"rule": "self > 5"}]}, g=TEXT)
    assert said(schema, {"f": 1, "g": "new"}, {"f": 1}) == []
    assert said(schema, {"f": 2}, {"f": 1}) != []


def test_rules_wait_until_the_object_is_of_the_right_types() -> None:
    schema = ruled({"rule": "self.f > 1"}, f=COUNT)
    causes = said(schema, {"f": "x"})
    assert causes[1] == (
        "<nil>: Invalid value: null: some validation rules were not checked because the object "
        "was invalid; correct the existing errors to complete validation"
    )


def test_a_rule_without_a_value_says_which_rule_it_was() -> None:
    schema = ruled({"rule": "self.f > 1"}, f=COUNT)
    (cause,) = said(schema, {})
    assert cause == 'spec: Invalid value: "object": no such key: f evaluating rule: self.f > 1'


def test_rules_that_cost_too_much_are_stopped() -> None:
    text = {"rule": "self.f.all(a, self.f.all(b, self.f.all(c, a + b + c > 0)))"}
    schema = ruled(text, f={"type": "array", "items": COUNT})
    (cause,) = said(schema, {"f": list(range(1, 400))})
    assert "no further validation rules will be run due to call cost exceeds limit" in cause


@pytest.mark.parametrize("count", [1, 50])
def test_one_object_has_one_budget(count: int) -> None:
    rules = [{"rule": f"self.f.all(a, self.f.all(b, a + b > -{n}))"} for n in range(1, count + 1)]
    schema = ruled(*rules, f={"type": "array", "items": COUNT})
    causes = said(schema, {"f": list(range(250))})
    assert [c for c in causes if "running out of cost budget" in c] == causes
    assert bool(causes) is (count > 1)

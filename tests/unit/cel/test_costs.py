"""What expressions can cost: estimates from schemas, and that evaluation stays within them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.cel import types
from busk8s.api.cel.cost import EXPRESSION_LIMIT, MOST, estimate, runs_at_most
from busk8s.api.cel.errors import CelEvalError
from busk8s.api.cel.program import Budget, Program, compile


def rule(text: str, schema: dict[str, Any]) -> Program:
    of = types.of_schema({"type": "object", "properties": {"x": schema}})
    assert of is not None
    return compile(text, {"self": of}, result=types.BOOL)


BOUNDED = {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 5}}
UNBOUNDED = {"type": "array", "items": {"type": "string"}}
TEXT = {"type": "string", "maxLength": 10}


@pytest.mark.parametrize(
    ("text", "schema", "cost"),
    [
        ("self.x == 5", {"type": "integer"}, 3),
        ("self.x == 'abc'", TEXT, 3),
        ("self.x.all(a, a == 'b')", BOUNDED, 53),
        ("self.x.all(a, self.x.all(b, a != b))", BOUNDED, 763),
        ("self.x.startsWith('abc')", TEXT, 3),
        ("self.x.matches('a+')", TEXT, 7),
    ],
)
def test_an_estimate_of_what_is_bounded(text: str, schema: dict[str, Any], cost: int) -> None:
    assert estimate(rule(text, schema)) == cost


@pytest.mark.parametrize(
    "text",
    ["self.x.all(a, self.x.all(b, a == b))", "self.x.all(a, a.contains(self.x[0]))"],
)
def test_what_nothing_bounds_is_over_the_limit(text: str) -> None:
    assert estimate(rule(text, UNBOUNDED)) > EXPRESSION_LIMIT


def test_a_value_of_any_type_can_cost_anything() -> None:
    program = compile("self.all(a, a == self)", {"self": types.DYN})
    assert estimate(program) == MOST


def test_how_often_a_rule_runs_follows_from_the_smallest_value() -> None:
    small = types.of_schema({"type": "object"})
    large = types.of_schema(
        {"type": "object", "required": ["abcdefgh"], "properties": {"abcdefgh": TEXT}}
    )
    assert small is not None
    assert large is not None
    assert runs_at_most(small) > runs_at_most(large) > 100_000


RULES = [
    "self.x.all(a, a == 'b')",
    "self.x.exists(a, a.startsWith('b'))",
    "self.x.map(a, a + a).exists(a, a.contains('b'))",
    "self.x.filter(a, a != 'b').size() < 4",
    "self.x.exists_one(a, a.matches('^b+$'))",
    "self.x.isSorted() || self.x.max() < 'c'",
    "self.x.all(i, a, self.x.indexOf(a) <= i)",
    "self.x.map(a, a.upperAscii()).join(',').size() < 50",
    "sets.contains(self.x, ['b'])",
    "self.x.transformMap(i, a, i).size() < 3 || 'b' in self.x",
    "size(self.x) > 2 ? self.x[0] == self.x[1] : self.x == ['b']",
    "self.x.distinct().reverse().size() == self.x.size()",
]


@pytest.mark.parametrize("text", RULES)
@settings(max_examples=40, deadline=None)
@given(value=st.lists(st.text("abc", max_size=5), max_size=10))
def test_evaluation_costs_no_more_than_was_estimated(text: str, value: list[str]) -> None:
    program, budget = rule(text, BOUNDED), Budget()
    try:
        program.evaluate({"self": {"x": value}}, budget)
    except CelEvalError:
        pass  # an empty list has no greatest element
    assert budget.spent <= estimate(program)

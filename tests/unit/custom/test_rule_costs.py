"""Rules that may cost too much are refused when the definition is written."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.custom.rulecheck import rule_text_failures

RULE = {"rule": "self.all(a, self.all(b, a == b))"}


def items(**bounds: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "x": {
                "type": "array",
                "x-kubernetes-validations": [RULE],
                **bounds,
                "items": {"type": "string", "maxLength": 10},
            }
        },
    }


def test_a_bounded_rule_passes() -> None:
    assert rule_text_failures(items(maxItems=100), "schema") == []


def test_an_unbounded_rule_is_refused_with_what_to_do() -> None:
    causes = rule_text_failures(items(), "schema")
    assert causes[0].field == "schema.properties[x].x-kubernetes-validations[0].rule"
    assert causes[0].message.startswith(
        "Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying"
    )
    assert causes[-1].field == "schema"
    assert "total for entire OpenAPIv3 schema" in causes[-1].message


@pytest.mark.parametrize(("outer", "refused"), [(10, False), (100_000, True)])
def test_a_rule_costs_as_often_as_it_runs(outer: int, refused: bool) -> None:
    inner = items(maxItems=50)
    schema = {
        "type": "object",
        "properties": {"y": {"type": "array", "maxItems": outer, "items": inner}},
    }
    assert bool(rule_text_failures(schema, "schema")) is refused

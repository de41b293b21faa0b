"""What the rules of a schema may cost at most, and the refusals of those that may cost too much.

Owns      how often a rule can run, the cost of each rule and of all, upstream's words for it.
Leaves    the cost of one evaluation (api.cel.cost).
Source    upstream's apiextensions validation of x-kubernetes-validations.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.cel.cost import (
    DEFINITION_LIMIT,
    EXPRESSION_LIMIT,
    estimate,
    runs_at_most,
    times,
)
from busk8s.api.cel.program import Program
from busk8s.api.cel.types import CelType
from busk8s.api.rules.cause import forbidden
from busk8s.errors import Cause

Json = dict[str, Any]
NAMED_MAX = 4  # of the rules that are told to be expensive
_WHOLE = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
_CONTRIBUTED = (
    "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
)


class Costs:
    """Of all rules of one schema."""

    def __init__(self, causes: list[Cause]) -> None:
        self._causes = causes
        self._total = 0
        self._seen: list[tuple[int, str]] = []

    def rule(self, program: Program, of: CelType, runs: int | None, path: str) -> None:
        """`runs` is how often it can run for one object; None where nothing bounds it."""
        cost = times(estimate(program), runs_at_most(of) if runs is None else runs)
        self._observe(cost, "estimated rule cost", path)

    def message(self, program: Program, path: str) -> None:
        self._observe(estimate(program), "estimated messageExpression cost", path)

    def _observe(self, cost: int, what: str, path: str) -> None:
        if cost > EXPRESSION_LIMIT:
            self._causes.append(forbidden(path, _too_much(what, cost, EXPRESSION_LIMIT)))
        self._total = times(self._total + cost, 1)
        if cost >= DEFINITION_LIMIT // 100:
            self._seen = sorted([*self._seen, (cost, path)], reverse=True)[:NAMED_MAX]

    def close(self, path: str) -> None:
        """When every rule was seen."""
        if self._total > DEFINITION_LIMIT:
            self._causes += [forbidden(at, _CONTRIBUTED) for _, at in self._seen]
            self._causes.append(forbidden(path, _too_much(_WHOLE, self._total, DEFINITION_LIMIT)))


def _too_much(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = (
        "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    )
    return (
        f"{what} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems,"
        " maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )


def times_below(runs: int | None, schema: Json) -> int | None:
    """How often there can be a value right below `schema`, which can be there `runs` times."""
    most: Any = 1
    if schema.get("type") == "array":
        most = schema.get("maxItems")
    elif schema.get("type") == "object" and schema.get("additionalProperties"):
        most = schema.get("maxProperties")
    if runs is None or most is None:
        return None
    return times(runs, max(0, int(most)))

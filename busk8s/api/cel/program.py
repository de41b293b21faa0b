"""Expressions compiled and evaluated: the door to CEL for everything else.

Owns      `compile`, `Program`, `Limits`, `Budget`.
Leaves    parsing (tree), types (check), evaluation (plan), estimates (cost).
Invariant compiling and evaluating are bounded whatever the text and the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from busk8s.api.cel.check import Checked, Structs, check
from busk8s.api.cel.errors import CelError, CelEvalError, CelTypeError, CostExceeded
from busk8s.api.cel.folds import State
from busk8s.api.cel.plan import plan
from busk8s.api.cel.tree import parse
from busk8s.api.cel.types import CelType

PER_CALL_LIMIT = 1_000_000
OBJECT_BUDGET = 10_000_000
MATCH_CONDITIONS_BUDGET = 2_500_000


@dataclass(frozen=True, slots=True)
class Limits:
    per_call: int = PER_CALL_LIMIT


DEFAULT = Limits()


class Budget:
    """What the expressions of one object, or one binding, may cost together."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int = OBJECT_BUDGET) -> None:
        self.limit, self.spent = limit, 0

    @property
    def left(self) -> int:
        return self.limit - self.spent


class Program:
    __slots__ = ("_step", "checked", "limits", "text")

    def __init__(
        self, text: str, checked: Checked, variables: Mapping[str, CelType], limits: Limits
    ) -> None:
        self.text, self.checked, self.limits = text, checked, limits
        self._step = plan(checked, variables)

    @property
    def result(self) -> CelType:
        return self.checked.result

    def reads(self, variable: str) -> bool:
        return variable in self.checked.reads

    def evaluate(self, values: Mapping[str, Any], budget: Budget) -> Any:
        """The value for `values`; CelEvalError where there is none, CostExceeded past a limit."""
        left = budget.limit - budget.spent
        if left <= 0:
            raise CostExceeded("operation cancelled: actual cost limit exceeded")
        state = State(values, min(self.limits.per_call, left))
        try:
            found = self._step(state)
        except (RecursionError, OverflowError, ZeroDivisionError, MemoryError) as error:
            raise CelEvalError(f"evaluation failed: {type(error).__name__}") from None
        finally:
            budget.spent += state.cost
        if state.cost > state.limit:
            raise CostExceeded("operation cancelled: actual cost limit exceeded")
        return found


def compile(
    text: str,
    variables: Mapping[str, CelType],
    *,
    result: CelType | tuple[CelType, ...] | None = None,
    limits: Limits = DEFAULT,
    structs: Structs | None = None,
    bindings: bool = False,
) -> Program:
    """Raises CelError, whose text is what upstream's users see.

    `structs` says what messages an expression may make, by their names; `bindings`: it may bind.
    """
    try:
        checked = check(text, parse(text, bindings=bindings), variables, structs)
    except RecursionError:
        raise CelError("compilation failed: the expression is nested too deep") from None
    except CelError as error:
        raise CelError(f"compilation failed: {error}") from None
    wanted = () if result is None else result if isinstance(result, tuple) else (result,)
    if wanted and checked.result not in wanted:
        raise CelTypeError(_must(wanted, checked.result))
    return Program(text, checked, dict(variables), limits)


def _must(wanted: tuple[CelType, ...], found: CelType) -> str:
    if len(wanted) == 1:
        return f"must evaluate to {wanted[0]} but got {found}"
    return f"must evaluate to one of [{' '.join(map(str, wanted))}] but got {found}"

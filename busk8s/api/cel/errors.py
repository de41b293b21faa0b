"""What can go wrong with an expression: when it is compiled, and when it is evaluated."""

from __future__ import annotations


class CelError(ValueError):
    """The expression does not compile. The text is what clients are shown."""


class CelTypeError(CelError):
    """It compiles, but to a value of another type than is wanted here."""


class CelEvalError(Exception):
    """The expression has no value for this input."""


class CostExceeded(CelEvalError):
    """Evaluation was given up: it cost more than one expression, or one object, may."""


def no_overload() -> CelEvalError:
    return CelEvalError("no such overload")

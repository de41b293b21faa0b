"""What a validator of values says, in upstream's words, and how well a branch matched.

Owns      Result (causes and the count of checks that matched), quoting of values and numbers.
Leaves    which checks there are (values, scalars).
Invariant the same cause is said once; a cause without a field stands at the whole document.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from busk8s.errors import Cause

# Where upstream has no path at all it prints that of a nil pointer.
NOWHERE = "<nil>"
# Differs from Kubernetes: which names every one of a document's failures, however many.
CAUSES_MAX = 1000


@dataclass(slots=True)
class Result:
    """`matched` picks the branch of anyOf and oneOf whose failures are told."""

    _causes: dict[Cause, None] = field(default_factory=dict)
    matched: int = 0

    def add(self, *causes: Cause) -> None:
        self._causes.update(dict.fromkeys(causes))

    def merge(self, other: Result) -> None:
        self._causes.update(other._causes)
        self.matched += other.matched

    @property
    def causes(self) -> list[Cause]:
        return list(self._causes)

    @property
    def valid(self) -> bool:
        return not self._causes

    @property
    def full(self) -> bool:
        """Whether enough is said of a document that is wrong all over."""
        return len(self._causes) >= CAUSES_MAX


def quoted(text: str) -> str:
    """A string as Go's %q shows it, for what JSON and Go quote alike."""
    return json.dumps(text, ensure_ascii=False)


def shown(value: Any) -> str:
    """A bad value as a message shows it."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return number_text(value)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def number_text(value: float) -> str:
    """A number as Go's %v shows a float64."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    magnitude = abs(value)
    if magnitude and (magnitude < 1e-4 or magnitude >= 1e21):
        mantissa, _, exponent = f"{value!r}".partition("e")
        if not exponent:
            return f"{value:e}"
        return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:]:0>2}"
    return f"{int(value)}" if value.is_integer() else repr(value)


def invalid(path: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}", path)


def wrong_type(path: str, expected: str, found: str) -> Cause:
    detail = f"{path} in body must be of type {expected}: {quoted(found)}"
    return Cause("FieldValueTypeInvalid", f"Invalid value: {quoted(found)}: {detail}", path)


def anywhere(detail: str) -> Cause:
    return Cause("FieldValueInvalid", f'Invalid value: "": {detail}', "")


def duplicate(path: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", path)


def placed(cause: Cause, base: str) -> Cause:
    """The cause with its path as a client sees it, under `base`."""
    path = cause.field.removeprefix(".")
    where = (
        (f"{base}.{path}" if base and not path.startswith("[") else base + path) if path else base
    )
    return Cause(cause.reason, cause.message, where or NOWHERE)

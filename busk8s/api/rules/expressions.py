"""Expressions in objects: that they compile, said as upstream's validation says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from busk8s.api.cel.errors import CelError
from busk8s.api.meta import qualified_name_errors
from busk8s.api.rules.cause import duplicate, invalid, invalid_each, required, too_many
from busk8s.errors import Cause

Json = dict[str, Any]
Compile = Callable[[str, Mapping[str, Any]], object]
CONDITIONS_MAX = 64


def check_expression(
    text: str | None, path: str, compile: Compile, declared: Mapping[str, Any], causes: list[Cause]
) -> None:
    """That there is one, and that it compiles."""
    if not (text or "").strip():
        causes.append(required(path, "expression is not specified" if "expression" in path else ""))
        return
    try:
        compile(str(text), declared)
    except CelError as error:
        causes.append(invalid(path, text, str(error)))


def check_match_conditions(
    conditions: Sequence[Json], path: str, declared: Mapping[str, Any], causes: list[Cause]
) -> None:
    from busk8s.api.cel import admission

    if len(conditions) > CONDITIONS_MAX:
        causes.append(too_many(path, len(conditions), CONDITIONS_MAX))
    names: set[str] = set()
    for index, one in enumerate(conditions):
        at, name = f"{path}[{index}]", one.get("name") or ""
        if not (one.get("expression") or "").strip():
            causes.append(required(f"{at}.expression"))
        else:
            check_expression(
                one["expression"], f"{at}.expression", admission.condition, declared, causes
            )
        if not name:
            causes.append(required(f"{at}.name"))
            continue
        causes += invalid_each(f"{at}.name", name, qualified_name_errors(name))
        if name in names:
            causes.append(duplicate(f"{at}.name", name))
        names.add(name)


def check_webhook_conditions(conditions: Sequence[Json], path: str, causes: list[Cause]) -> None:
    if conditions:
        from busk8s.api.cel import admission

        check_match_conditions(conditions, path, admission.of_webhooks(), causes)

"""Whether the rules in CEL of a schema compile, and may stand where they stand.

Owns      rules' types, `oldSelf` where there is no old value.
Leaves    costs (rulecosts), the other texts of a rule (schemarules), running (celrules).
Source    upstream's apiextensions validation of x-kubernetes-validations.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.cel.errors import CelError, CelTypeError
from busk8s.api.cel.program import Program
from busk8s.api.custom.celrules import RuleTree
from busk8s.api.custom.findings import invalid
from busk8s.api.custom.node import RULES, Node
from busk8s.api.custom.rulecosts import Costs, times_below
from busk8s.errors import Cause

Json = dict[str, Any]


def rule_text_failures(schema: Json, path: str) -> list[Cause]:
    """`schema` is structural."""
    causes: list[Cause] = []
    costs = Costs(causes)
    _walk(RuleTree(Node(schema, embedded=True), root=True), path, None, 1, costs, causes)
    costs.close(path)
    return causes


def _walk(
    tree: RuleTree,
    path: str,
    unrelated: str | None,
    runs: int | None,
    costs: Costs,
    causes: list[Cause],
) -> None:
    """`unrelated`: the list above whose items have no old value; `runs`: how often the place can
    be in one object, None where nothing bounds it.
    """
    schema = tree.node.schema
    if schema.get(RULES) and not tree.rules:
        detail = "failed to convert to declType for CEL validation rules"
        causes.append(Cause("InternalError", f"Internal error: {detail}", f"{path}.{RULES}"))
    for at, rule in enumerate(tree.rules):
        where = f"{path}.{RULES}[{at}]"
        _rule(rule.program, rule.message, rule.rule, where, unrelated, causes)
        if isinstance(rule.program, Program) and tree.old_type is not None:
            costs.rule(rule.program, tree.old_type, runs, f"{where}.rule")
        if isinstance(rule.message, Program):
            costs.message(rule.message, f"{where}.messageExpression")
    most = times_below(runs, schema)
    for name, inner in tree.properties.items():
        _walk(inner, f"{path}.properties[{name}]", unrelated, most, costs, causes)
    if tree.additional is not None:
        _walk(tree.additional, f"{path}.additionalProperties", unrelated, most, costs, causes)
    if tree.items is not None:
        mapped = schema.get("x-kubernetes-list-type") == "map"
        below = unrelated or (None if mapped else path)
        _walk(tree.items, f"{path}.items", below, most, costs, causes)


def _rule(
    program: Program | CelError,
    message: Program | CelError | None,
    rule: Json,
    path: str,
    unrelated: str | None,
    causes: list[Cause],
) -> None:
    if isinstance(program, CelError):
        wrong_type = isinstance(program, CelTypeError)
        detail = "cel expression must evaluate to a bool" if wrong_type else str(program)
        causes.append(invalid(f"{path}.rule", rule, detail))
        return
    if isinstance(message, CelError):
        detail = f"messageExpression {message}"
        if isinstance(message, CelTypeError):
            detail = "messageExpression must evaluate to a string"
        causes.append(invalid(f"{path}.messageExpression", rule, detail))
    if program.reads("oldSelf"):
        if unrelated is not None:
            detail = (
                "oldSelf cannot be used on the uncorrelatable portion of the schema within "
                f"{unrelated}"
            )
            causes.append(invalid(f"{path}.rule", rule.get("rule"), detail))
    elif rule.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        causes.append(invalid(f"{path}.optionalOldSelf", rule["optionalOldSelf"], detail))

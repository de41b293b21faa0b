"""A container's own restart policy, beside its pod's, and rules by exit code.

Source    Kubernetes API reference, ContainerRestartRule (KEP 5307, 5532); core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import not_supported, required, too_many
from busk8s.errors import Cause

Json = dict[str, Any]

POLICIES = ("Always", "Never", "OnFailure")
ACTIONS = ("Restart", "RestartAllContainers")
OPERATORS = ("In", "NotIn")
RULES_MAX = 20
VALUES_MAX = 255


def validate_restart(container: Json, path: str, causes: list[Cause]) -> None:
    """Of a container that says anything of its own restarts."""
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is None:
        if rules:
            detail = "must specify restartPolicy when restart rules are used"
            causes.append(required(f"{path}.restartPolicy", detail))
    elif policy not in POLICIES:
        causes.append(not_supported(f"{path}.restartPolicy", policy, POLICIES))
    if len(rules) > RULES_MAX:
        causes.append(too_many(f"{path}.restartPolicyRules", len(rules), RULES_MAX))
    for index, rule in enumerate(rules):
        _validate_rule(rule, f"{path}.restartPolicyRules[{index}]", causes)


def _validate_rule(rule: Json, path: str, causes: list[Cause]) -> None:
    action, codes = rule.get("action") or "", rule.get("exitCodes")
    if action not in ACTIONS:
        causes.append(not_supported(f"{path}.action", action, ACTIONS))
    if codes is None:
        causes.append(required(f"{path}.exitCodes", "must be specified"))
        return
    operator, values = codes.get("operator") or "", codes.get("values") or ()
    if operator not in OPERATORS:
        causes.append(not_supported(f"{path}.exitCodes.operator", operator, OPERATORS))
    if len(values) > VALUES_MAX:
        causes.append(too_many(f"{path}.exitCodes.values", len(values), VALUES_MAX))

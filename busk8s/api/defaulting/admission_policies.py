"""Defaults of admission policies and their bindings.

Source    Kubernetes API reference; admissionregistration/v1 defaults.
"""

from __future__ import annotations

from busk8s.api.defaulting.pod import Json


def default_policy(policy: Json) -> None:
    spec = policy.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    if spec.get("matchConstraints") is not None:
        _default_match(spec["matchConstraints"])


def default_mutating_policy(policy: Json) -> None:
    default_policy(policy)
    policy["spec"].setdefault("reinvocationPolicy", "Never")


def default_binding(binding: Json) -> None:
    spec = binding.get("spec") or {}
    if spec.get("paramRef") is not None:
        spec["paramRef"].setdefault("parameterNotFoundAction", "Deny")
    if spec.get("matchResources") is not None:
        _default_match(spec["matchResources"])


def _default_match(match: Json) -> None:
    match.setdefault("matchPolicy", "Equivalent")
    for name in ("namespaceSelector", "objectSelector"):
        match.setdefault(name, {})
    for name in ("resourceRules", "excludeResourceRules"):
        for rule in match.get(name) or ():
            rule.setdefault("scope", "*")

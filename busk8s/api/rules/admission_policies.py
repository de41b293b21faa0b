"""Validating and mutating admission policies, and their bindings.

Source    Kubernetes API reference; the rules of admissionregistration validation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors
from busk8s.api.rules.cause import duplicate, invalid, invalid_each, not_supported, required
from busk8s.api.rules.expressions import check_expression, check_match_conditions
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.api.rules.webhooks import validate_rule
from busk8s.errors import Cause

Json = dict[str, Any]
REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
ACTIONS = ("Audit", "Deny", "Warn")
FAILURES = ("Fail", "Ignore")
ANNOTATIONS_MAX = 20
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*\Z")
_BOTH = (
    "must not contain both Deny and Warn (repeating the same validation failure information in "
    "the API response and headers serves no purpose)"
)
_NEITHER = "validations or auditAnnotations must contain at least one item"


def validate_policy(policy: Json, causes: list[Cause]) -> None:
    """A ValidatingAdmissionPolicy."""
    spec = policy.get("spec") or {}
    declared = _declared(spec, causes, patch=False)
    validations, notes = spec.get("validations") or (), spec.get("auditAnnotations") or ()
    if not validations and not notes:
        causes.append(required("spec.validations", _NEITHER))
        causes.append(required("spec.auditAnnotations", _NEITHER))
    for index, one in enumerate(validations):
        _validate_validation(one, f"spec.validations[{index}]", declared, causes)
    if len(notes) > ANNOTATIONS_MAX:
        why = f"must not have more than {ANNOTATIONS_MAX} auditAnnotations"
        causes.append(invalid("spec.auditAnnotations", len(notes), why))
    seen: set[str] = set()
    for index, note in enumerate(notes):
        path = f"spec.auditAnnotations[{index}]"
        _validate_annotation(note, path, policy, seen, declared, causes)


def validate_mutating_policy(policy: Json, causes: list[Cause]) -> None:
    from busk8s.api.cel import admission

    spec = policy.get("spec") or {}
    declared = _declared(spec, causes, patch=True)
    mutations = spec.get("mutations") or ()
    if not mutations:
        causes.append(required("spec.mutations", "mutations must contain at least one item"))
    compilers = {
        "ApplyConfiguration": ("applyConfiguration", admission.apply_configuration),
        "JSONPatch": ("jsonPatch", admission.json_patch),
    }
    for index, one in enumerate(mutations):
        path, kind = f"spec.mutations[{index}]", one.get("patchType")
        if not kind:
            causes.append(required(f"{path}.patchType"))
        elif kind not in compilers:
            causes.append(not_supported(f"{path}.patchType", kind, compilers))
        else:
            name, compile = compilers[kind]
            other = "jsonPatch" if name == "applyConfiguration" else "applyConfiguration"
            if one.get(other) is not None:
                why = f"{other} may only be set when patchType is its own"
                causes.append(invalid(f"{path}.{other}", one[other], why))
            if one.get(name) is None:
                causes.append(required(f"{path}.{name}", f"must be set when patchType is {kind}"))
                continue
            text = one[name].get("expression")
            check_expression(text, f"{path}.{name}.expression", compile, declared, causes)
    policy_of = spec.get("reinvocationPolicy")
    if not policy_of:
        causes.append(required("spec.reinvocationPolicy"))
    elif policy_of not in ("IfNeeded", "Never"):
        causes.append(not_supported("spec.reinvocationPolicy", policy_of, ("IfNeeded", "Never")))


def _declared(spec: Json, causes: list[Cause], *, patch: bool) -> Mapping[str, Any]:
    """Checks what both kinds have; gives what the other expressions may name."""
    from busk8s.api.cel import admission

    failure = spec.get("failurePolicy")
    if not failure:
        causes.append(required("spec.failurePolicy"))
    elif failure not in FAILURES:
        causes.append(not_supported("spec.failurePolicy", failure, FAILURES))
    kind = spec.get("paramKind")
    if kind is not None:
        _validate_param_kind(kind, causes)
    if spec.get("matchConstraints") is None:
        causes.append(required("spec.matchConstraints"))
    else:
        _validate_match(spec["matchConstraints"], "spec.matchConstraints", causes)
        if not spec["matchConstraints"].get("resourceRules"):
            causes.append(required("spec.matchConstraints.resourceRules"))
    declared = admission.declared(params=kind is not None)
    conditions = spec.get("matchConditions") or ()
    if conditions:
        check_match_conditions(conditions, "spec.matchConditions", declared, causes)
    entries = spec.get("variables") or []
    _, whole, errors = admission.composed(entries, declared, patch=patch)
    seen: set[str] = set()
    for index, (entry, error) in enumerate(zip(entries, errors, strict=True)):
        path, name = f"spec.variables[{index}]", entry.get("name") or ""
        if not name:
            causes.append(required(f"{path}.name", "name is not specified"))
        elif not _IDENTIFIER.match(name):
            causes.append(invalid(f"{path}.name", name, "name is not a valid CEL identifier"))
        elif name in seen:
            causes.append(duplicate(f"{path}.name", name))
        seen.add(name)
        if not (entry.get("expression") or "").strip():
            causes.append(required(f"{path}.expression", "expression is not specified"))
        elif error is not None:
            causes.append(invalid(f"{path}.expression", entry["expression"], str(error)))
    return whole


def _validate_param_kind(kind: Json, causes: list[Cause]) -> None:
    version = kind.get("apiVersion") or ""
    if not version:
        causes.append(required("spec.paramKind.apiVersion"))
    elif version.count("/") > 1:
        why = "expected at most one slash: group/version"
        causes.append(invalid("spec.paramKind.apiVersion", version, why))
    name = kind.get("kind") or ""
    if not name:
        causes.append(required("spec.paramKind.kind"))
    else:
        causes += invalid_each("spec.paramKind.kind", name, label_errors(name.lower()))


def _validate_match(match: Json, path: str, causes: list[Cause]) -> None:
    policy = match.get("matchPolicy")
    if policy is not None and policy not in ("Equivalent", "Exact"):
        causes.append(not_supported(f"{path}.matchPolicy", policy, ("Equivalent", "Exact")))
    for name in ("namespaceSelector", "objectSelector"):
        if match.get(name) is not None:
            validate_label_selector(match[name], f"{path}.{name}", causes)
    for name in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(name) or ()):
            validate_rule(rule, f"{path}.{name}[{index}]", causes)


def _validate_validation(
    one: Json, path: str, declared: Mapping[str, Any], causes: list[Cause]
) -> None:
    from busk8s.api.cel import admission

    text, message = one.get("expression") or "", one.get("message")
    check_expression(text, f"{path}.expression", admission.condition, declared, causes)
    if one.get("messageExpression"):
        said = {k: v for k, v in declared.items() if not k.startswith("authorizer")}
        check_expression(
            one["messageExpression"], f"{path}.messageExpression", admission.message, said, causes
        )
    if message is not None:
        if message and not message.strip():
            why = "message must be non-empty if specified"
            causes.append(invalid(f"{path}.message", message, why))
        elif "\n" in message.strip():
            causes.append(
                invalid(f"{path}.message", message, "message must not contain line breaks")
            )
    elif "\n" in text.strip():
        why = "message must be specified if expression contains line breaks"
        causes.append(required(f"{path}.message", why))
    reason = one.get("reason")
    if reason is not None and reason not in REASONS:
        causes.append(not_supported(f"{path}.reason", reason, REASONS))


def _validate_annotation(
    note: Json,
    path: str,
    policy: Json,
    seen: set[str],
    declared: Mapping[str, Any],
    causes: list[Cause],
) -> None:
    from busk8s.api.cel import admission

    key = note.get("key") or ""
    if not key:
        causes.append(required(f"{path}.key"))
    else:
        name = (policy.get("metadata") or {}).get("name") or ""
        causes += invalid_each(f"{path}.key", key, qualified_name_errors(f"{name}/{key}"))
        if key in seen:
            causes.append(duplicate(f"{path}.key", key))
        seen.add(key)
    text = note.get("valueExpression") or ""
    if not text.strip():
        causes.append(required(f"{path}.valueExpression", "valueExpression is not specified"))
    else:
        check_expression(text, f"{path}.valueExpression", admission.annotation, declared, causes)


def validate_binding(binding: Json, causes: list[Cause]) -> None:
    """A ValidatingAdmissionPolicyBinding."""
    _validate_binding(binding, causes)
    actions = (binding.get("spec") or {}).get("validationActions") or []
    path = "spec.validationActions"
    if not actions:
        causes.append(required(path, "at least one validation action is required"))
    for index, action in enumerate(actions):
        if action not in ACTIONS:
            causes.append(not_supported(f"{path}[{index}]", action, ACTIONS))
        if action in actions[:index]:
            causes.append(duplicate(f"{path}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        causes.append(invalid(path, actions, _BOTH))


def validate_mutating_binding(binding: Json, causes: list[Cause]) -> None:
    _validate_binding(binding, causes)


def _validate_binding(binding: Json, causes: list[Cause]) -> None:
    spec = binding.get("spec") or {}
    if not spec.get("policyName"):
        causes.append(required("spec.policyName"))
    if spec.get("paramRef") is not None:
        _validate_param_ref(spec["paramRef"], causes)
    if spec.get("matchResources") is not None:
        _validate_match(spec["matchResources"], "spec.matchResources", causes)


def _validate_param_ref(ref: Json, causes: list[Cause]) -> None:
    path, name, selector = "spec.paramRef", ref.get("name"), ref.get("selector")
    if name and selector is not None:
        causes.append(invalid(f"{path}.name", name, "name and selector are mutually exclusive"))
        causes.append(
            invalid(f"{path}.selector", selector, "name and selector are mutually exclusive")
        )
    elif not name and selector is None:
        causes.append(required(path, "one of name or selector must be specified"))
    if selector is not None:
        validate_label_selector(selector, f"{path}.selector", causes)
    action = ref.get("parameterNotFoundAction")
    if not action:
        causes.append(required(f"{path}.parameterNotFoundAction"))
    elif action not in ("Deny", "Allow"):
        causes.append(not_supported(f"{path}.parameterNotFoundAction", action, ("Deny", "Allow")))

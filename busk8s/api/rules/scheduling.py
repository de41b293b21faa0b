"""What a pod says about where it may run: tolerations, affinity, spread, selectors.

Source    Kubernetes API reference, "Scheduling"; the rules of core and metav1 validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import (
    label_errors,
    label_value_errors,
    qualified_name_errors,
    subdomain_errors,
)
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from busk8s.api.rules.metadata import validate_labels
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
WHEN_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
NODE_INCLUSION = ("Honor", "Ignore")
_IN = ("In", "NotIn")
_EXISTS = ("Exists", "DoesNotExist")
_COMPARE = ("Gt", "Lt")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def validate_tolerations(tolerations: list[Json], path: str, causes: list[Cause]) -> None:
    for index, toleration in enumerate(tolerations):
        _validate_toleration(toleration, f"{path}[{index}]", causes)


def _validate_toleration(toleration: Json, path: str, causes: list[Cause]) -> None:
    key, operator = toleration.get("key"), toleration.get("operator") or ""
    value, effect = toleration.get("value"), toleration.get("effect") or ""
    if key:
        causes += invalid_each(f"{path}.key", key, qualified_name_errors(key))
    elif operator != "Exists":
        detail = (
            'operator must be Exists when `key` is empty, which means "match all values and all '
            'keys"'
        )
        causes.append(invalid(f"{path}.operator", operator, detail))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.append(invalid(f"{path}.effect", effect, detail))
    if operator in ("Equal", ""):
        if value and (errors := label_value_errors(value)):
            causes.append(invalid(f"{path}.operator", value, ";".join(errors)))
    elif operator == "Exists":
        if value:
            detail = "value must be empty when `operator` is 'Exists'"
            causes.append(invalid(f"{path}.operator", value, detail))
    else:
        causes.append(not_supported(f"{path}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in EFFECTS:
        causes.append(not_supported(f"{path}.effect", effect, EFFECTS))


def validate_label_selector(
    selector: Json, path: str, causes: list[Cause], allow_values: bool = False
) -> None:
    """`allow_values`: values of expressions that are no label values are let pass."""
    if labels := selector.get("matchLabels"):
        causes += validate_labels(labels, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator"), expression.get("values")
        if operator in _IN:
            if not values:
                detail = "must be specified when `operator` is 'In' or 'NotIn'"
                causes.append(required(f"{here}.values", detail))
        elif operator in _EXISTS:
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                causes.append(forbidden(f"{here}.values", detail))
        else:
            causes.append(invalid(f"{here}.operator", operator, "not a valid selector operator"))
        key = expression.get("key") or ""
        causes += invalid_each(f"{here}.key", key, qualified_name_errors(key))
        for at, value in enumerate(() if allow_values else values or ()):
            causes += invalid_each(f"{here}.values[{at}]", value, label_value_errors(value))


def validate_affinity(
    affinity: Json, path: str, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    if node := affinity.get("nodeAffinity"):
        validate_node_affinity(node, f"{path}.nodeAffinity", causes, allowed.node_values)
    for name in ("podAffinity", "podAntiAffinity"):
        if pod := affinity.get(name):
            here, values = f"{path}.{name}", allowed.selector_values
            for index, term in enumerate(pod.get(_REQUIRED) or ()):
                _pod_term(term, f"{here}.{_REQUIRED}[{index}]", values, causes)
            for index, weighted in enumerate(pod.get(_PREFERRED) or ()):
                at = f"{here}.{_PREFERRED}[{index}]"
                _weight(weighted, at, causes)
                term = weighted.get("podAffinityTerm") or {}
                _pod_term(term, f"{at}.podAffinityTerm", values, causes)


def validate_node_affinity(
    node: Json, path: str, causes: list[Cause], allow_values: bool = False
) -> None:
    if (needed := node.get(_REQUIRED)) is not None:
        validate_node_selector(needed, f"{path}.{_REQUIRED}", causes, allow_values)
    for index, weighted in enumerate(node.get(_PREFERRED) or ()):
        here = f"{path}.{_PREFERRED}[{index}]"
        _weight(weighted, here, causes)
        # A preference for what cannot be is only never met.
        _node_term(weighted.get("preference") or {}, f"{here}.preference", True, causes)


def validate_node_selector(
    selector: Json, path: str, causes: list[Cause], allow_values: bool = False
) -> None:
    terms = selector.get("nodeSelectorTerms")
    here = f"{path}.nodeSelectorTerms"
    if not terms:
        causes.append(required(here, "must have at least one node selector term"))
    for index, term in enumerate(terms or ()):
        _node_term(term, f"{here}[{index}]", allow_values, causes)


def _weight(weighted: Json, path: str, causes: list[Cause]) -> None:
    weight = weighted.get("weight", 0)
    if not 1 <= weight <= 100:
        causes.append(invalid(f"{path}.weight", weight, "must be in the range 1-100"))


def _node_term(term: Json, path: str, allow_values: bool, causes: list[Cause]) -> None:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{index}]"
        _node_expression(expression, here, allow_values, causes)
    for index, field in enumerate(term.get("matchFields") or ()):
        _node_field(field, f"{path}.matchFields[{index}]", causes)


def _node_field(field: Json, path: str, causes: list[Cause]) -> None:
    key, values = field.get("key") or "", field.get("values") or ()
    if (operator := field.get("operator") or "") not in _IN:
        causes.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        causes.append(required(f"{path}.values", detail))
    if key != "metadata.name":
        causes.append(invalid(f"{path}.key", key, "not a valid field selector key"))
        return
    for index, value in enumerate(values):
        causes += invalid_each(f"{path}.values[{index}]", value, subdomain_errors(value))


def _node_expression(expression: Json, path: str, allow_values: bool, causes: list[Cause]) -> None:
    operator, values = expression.get("operator"), expression.get("values") or ()
    if operator in _IN:
        if not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            causes.append(required(f"{path}.values", detail))
    elif operator in _EXISTS:
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(forbidden(f"{path}.values", detail))
    elif operator in _COMPARE:
        if len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            causes.append(required(f"{path}.values", detail))
    else:
        causes.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    key = expression.get("key") or ""
    causes += invalid_each(f"{path}.key", key, qualified_name_errors(key))
    for index, value in enumerate(() if allow_values else values):
        causes += invalid_each(f"{path}.values[{index}]", value, label_value_errors(value))


def _pod_term(term: Json, path: str, allow_values: bool, causes: list[Cause]) -> None:
    for name in ("labelSelector", "namespaceSelector"):
        if term.get(name) is not None:
            validate_label_selector(term[name], f"{path}.{name}", causes, allow_values)
    for namespace in term.get("namespaces") or ():
        causes += invalid_each(f"{path}.namespace", namespace, label_errors(namespace))
    if term.get("matchLabelKeys") or term.get("mismatchLabelKeys"):
        _label_keys(term, path, causes)
    key = term.get("topologyKey") or ""
    if not key:
        causes.append(required(f"{path}.topologyKey", "can not be empty"))
    causes += invalid_each(f"{path}.topologyKey", key, qualified_name_errors(key))


def _label_keys(term: Json, path: str, causes: list[Cause]) -> None:
    """Keys whose values the pod itself gives, beside a selector that says the rest."""
    selector = term.get("labelSelector")
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        if not (keys := term.get(name)):
            continue
        if selector is None:
            detail = "must not be specified when labelSelector is not set"
            causes.append(forbidden(f"{path}.{name}", detail))
            continue
        for index, key in enumerate(keys):
            causes += invalid_each(f"{path}.{name}[{index}]", key, qualified_name_errors(key))
    matched = {key: index for index, key in enumerate(term.get("matchLabelKeys") or ())}
    seen = set((selector or {}).get("matchLabels") or ())
    for expression in (selector or {}).get("matchExpressions") or ():
        # Its own expression is there already: an apiserver adds it. A second one is a user's.
        key = expression.get("key") or ""
        if key in matched and key in seen:
            detail = "exists in both matchLabelKeys and labelSelector"
            causes.append(invalid(f"{path}[{matched[key]}]", key, detail))
        seen.add(key)
    for key, index in matched.items():
        if key in (term.get("mismatchLabelKeys") or ()):
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            causes.append(invalid(f"{path}.matchLabelKeys[{index}]", key, detail))


def validate_spread(
    constraints: list[Json], path: str, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    pairs = [(each.get("topologyKey"), each.get("whenUnsatisfiable")) for each in constraints]
    for index, constraint in enumerate(constraints):
        here = f"{path}[{index}]"
        skew = constraint.get("maxSkew", 0)
        if skew <= 0:
            causes.append(invalid(f"{here}.maxSkew", skew, "must be greater than zero"))
        key, when = pairs[index]
        if not key:
            causes.append(required(f"{here}.topologyKey", "can not be empty"))
        if when not in WHEN_UNSATISFIABLE:
            supported = WHEN_UNSATISFIABLE
            causes.append(not_supported(f"{here}.whenUnsatisfiable", when or "", supported))
        if pairs[index] in pairs[index + 1 :]:
            pair = f"{{{key}, {when}}}"
            causes.append(duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", pair))
        _spread_domains(constraint, when, here, causes)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            value = constraint.get(name)
            if value is not None and value not in NODE_INCLUSION:
                causes.append(not_supported(f"{here}.{name}", value, NODE_INCLUSION))
        if not allowed.spread_keys and constraint.get("matchLabelKeys"):
            _label_keys(constraint, here, causes)
        selector = constraint.get("labelSelector")
        if selector is not None and not allowed.spread_selectors:
            validate_label_selector(selector, f"{here}.labelSelector", causes)


def _spread_domains(constraint: Json, when: str | None, path: str, causes: list[Cause]) -> None:
    if (domains := constraint.get("minDomains")) is None:
        return
    if domains <= 0:
        causes.append(invalid(f"{path}.minDomains", domains, "must be greater than zero"))
    if when != "DoNotSchedule":
        detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when or ''}"
        causes.append(invalid(f"{path}.minDomains", domains, detail))


def validate_gates(gates: list[Json], path: str, causes: list[Cause]) -> None:
    seen = set()
    for index, gate in enumerate(gates):
        name = gate.get("name") or ""
        causes += invalid_each(f"{path}[{index}]", name, qualified_name_errors(name))
        if name in seen:
            causes.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)


def validate_taints(taints: list[Json], path: str, causes: list[Cause]) -> None:
    seen = set()
    for index, taint in enumerate(taints):
        here = f"{path}[{index}]"
        key, effect = taint.get("key") or "", taint.get("effect") or ""
        causes += invalid_each(f"{here}.key", key, qualified_name_errors(key))
        if errors := label_value_errors(taint.get("value") or ""):
            causes.append(invalid(f"{here}.value", taint.get("value"), ";".join(errors)))
        if not effect:
            causes.append(required(f"{here}.effect"))
        elif effect not in EFFECTS:
            causes.append(not_supported(f"{here}.effect", effect, EFFECTS))
        if (key, effect) in seen:
            value, added = taint.get("value") or "", taint.get("timeAdded")
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": added}
            found, detail = duplicate(here, shown), "taints must be unique by key and effect pair"
            causes.append(Cause(found.reason, f"{found.message}: {detail}", here))
        seen.add((key, effect))

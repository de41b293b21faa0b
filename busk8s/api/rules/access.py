"""Roles and their bindings.

Source    Kubernetes API reference; the rules of rbac validation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from busk8s.api.meta import path_segment_errors, subdomain_errors
from busk8s.api.rules.cause import invalid, invalid_each, not_supported, required
from busk8s.errors import Cause

Json = dict[str, Any]

GROUP = "rbac.authorization.k8s.io"


def validate_role(role: Json, causes: list[Cause]) -> None:
    for index, rule in enumerate(role.get("rules") or ()):
        _validate_rule(rule, f"rules[{index}]", causes, namespaced=True)


def validate_cluster_role(role: Json, causes: list[Cause]) -> None:
    for index, rule in enumerate(role.get("rules") or ()):
        _validate_rule(rule, f"rules[{index}]", causes, namespaced=False)
    aggregation = role.get("aggregationRule")
    if aggregation is not None and not aggregation.get("clusterRoleSelectors"):
        path = "aggregationRule.clusterRoleSelectors"
        causes.append(
            required(
                path, "at least one clusterRoleSelector required if aggregationRule is non-nil"
            )
        )


def _validate_rule(rule: Json, path: str, causes: list[Cause], *, namespaced: bool) -> None:
    if not rule.get("verbs"):
        causes.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    if urls := rule.get("nonResourceURLs"):
        at = f"{path}.nonResourceURLs"
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            causes.append(invalid(at, urls, detail))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            causes.append(invalid(at, urls, detail))
        return
    if not rule.get("apiGroups"):
        detail = "resource rules must supply at least one api group"
        causes.append(required(f"{path}.apiGroups", detail))
    if not rule.get("resources"):
        detail = "resource rules must supply at least one resource"
        causes.append(required(f"{path}.resources", detail))


def validate_role_binding(binding: Json, causes: list[Cause]) -> None:
    _validate_binding(binding, ("Role", "ClusterRole"), causes, namespaced=True)


def validate_cluster_role_binding(binding: Json, causes: list[Cause]) -> None:
    _validate_binding(binding, ("ClusterRole",), causes, namespaced=False)


def _validate_binding(
    binding: Json, kinds: tuple[str, ...], causes: list[Cause], *, namespaced: bool
) -> None:
    role = binding.get("roleRef") or {}
    if role.get("apiGroup") != GROUP:
        causes.append(not_supported("roleRef.apiGroup", role.get("apiGroup") or "", (GROUP,)))
    if role.get("kind") not in kinds:
        causes.append(not_supported("roleRef.kind", role.get("kind") or "", kinds))
    if not role.get("name"):
        causes.append(required("roleRef.name"))
    else:
        wrong = path_segment_errors(role["name"])
        causes += invalid_each("roleRef.name", role["name"], wrong)
    for index, subject in enumerate(binding.get("subjects") or ()):
        _validate_subject(subject, f"subjects[{index}]", causes, namespaced=namespaced)


def _validate_subject(subject: Json, path: str, causes: list[Cause], *, namespaced: bool) -> None:
    name, kind, group = subject.get("name"), subject.get("kind"), subject.get("apiGroup") or ""
    if not name:
        causes.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            causes += invalid_each(f"{path}.name", name, subdomain_errors(name))
        if group:
            causes.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            causes.append(required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        if group != GROUP:
            causes.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
    else:
        kinds = ("ServiceAccount", "User", "Group")
        causes.append(not_supported(f"{path}.kind", kind or "", kinds))


def binding_update(
    validate: Callable[[Json, list[Cause]], None],
) -> Callable[[Json, Json, list[Cause]], None]:
    """`validate`, and that the role which is bound never changes."""

    def update(new: Json, old: Json, causes: list[Cause]) -> None:
        validate(new, causes)
        if new.get("roleRef") != old.get("roleRef"):
            causes.append(invalid("roleRef", new.get("roleRef"), "cannot change roleRef"))

    return update

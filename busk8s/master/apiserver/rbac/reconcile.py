"""Bringing default roles and bindings back: what is missing is added, what users added stays.

Owns      the decision for one object, and the list of all default objects.
Leaves    asking the API (bootstrap), aggregated roles' rules (the aggregation controller).
Invariant nothing that a user added is taken away, and an object whose autoupdate annotation is
          "false" is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from busk8s.api.object import Json
from busk8s.master.apiserver.rbac.cluster_policy import cluster_bindings, cluster_roles
from busk8s.master.apiserver.rbac.controller_policy import controller_bindings, controller_roles
from busk8s.master.apiserver.rbac.namespace_policy import namespace_bindings, namespace_roles
from busk8s.master.apiserver.rbac.policy_text import AUTOUPDATE
from busk8s.master.apiserver.rbac.rules import not_covered, parse, render

_ROOT = "/apis/rbac.authorization.k8s.io/v1"
_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}


def default_objects() -> Iterator[Json]:
    """Roles before the bindings that name them."""
    yield from cluster_roles()
    yield from controller_roles()
    yield from namespace_roles()
    yield from cluster_bindings()
    yield from controller_bindings()
    yield from namespace_bindings()


def collection(wanted: Json) -> str:
    """The path that `wanted` is created at."""
    namespace = wanted["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{_ROOT}{scope}/{_PLURALS[wanted['kind']]}"


@dataclass(frozen=True, slots=True)
class Replace:
    """PUT this in the place of what is there."""

    object: Json


@dataclass(frozen=True, slots=True)
class Recreate:
    """Delete what is there first: a binding's roleRef cannot change."""

    object: Json


def plan(found: Json, wanted: Json) -> Replace | Recreate | None:
    """What to do where `found` is and `wanted` should be; None: it says all that it should."""
    if _marks(found, "annotations").get(AUTOUPDATE) == "false":
        return None
    if "roleRef" in wanted and found.get("roleRef") != wanted["roleRef"]:
        return Recreate(wanted)
    merged = deepcopy(found)
    for field in ("labels", "annotations"):
        both = {**wanted["metadata"].get(field, {}), **_marks(found, field)}
        if both:
            merged["metadata"][field] = both
    if "aggregationRule" in wanted:
        _add_selectors(merged, wanted)
    elif "rules" in wanted:
        _add_rules(merged, wanted)
    _add_missing(merged, wanted, "subjects")
    return None if merged == found else Replace(merged)


def _marks(obj: Json, field: str) -> dict[str, str]:
    return obj["metadata"].get(field) or {}


def _add_missing(merged: Json, wanted: Json, field: str) -> None:
    present: list[Any] = list(merged.get(field) or ())
    missing = [each for each in wanted.get(field) or () if each not in present]
    if missing:
        merged[field] = present + missing


def _add_rules(merged: Json, wanted: Json) -> None:
    rules = merged.get("rules") or []
    if rules == wanted["rules"]:
        return  # Nearly always so, and comparing rule by rule is slow at a start.
    missing = not_covered(parse(rules), parse(wanted["rules"]))
    if missing:
        merged["rules"] = [*rules, *map(render, missing)]


def _add_selectors(merged: Json, wanted: Json) -> None:
    rule = dict(merged.get("aggregationRule") or {})
    _add_missing(rule, wanted["aggregationRule"], "clusterRoleSelectors")
    merged["aggregationRule"] = rule

"""FlowSchema objects as predicates: which requests are whose.

Owns      the rules of a FlowSchema: subjects, resource rules, non-resource rules.
Leaves    reading the objects from the cache (gate), levels (level).
Source    API reference of flowcontrol.apiserver.k8s.io/v1; a request belongs to the matching schema
          of the lowest matchingPrecedence, of equal ones to the first by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from busk8s.api.request import User

Json = dict[str, Any]

_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the rules look at. `resource` is empty for a path outside the resource API."""

    verb: str
    group: str = ""
    resource: str = ""  # With its subresource: `pods/status`.
    namespaced: bool = False
    namespace: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    name: str
    uid: str
    precedence: int
    level: str
    by: str  # ByUser, ByNamespace or empty: what tells its flows apart.
    rules: Sequence[Json]

    def matches(self, user: User, asked: Asked) -> bool:
        return any(
            any(_is_subject(subject, user) for subject in rule.get("subjects") or ())
            and _is_asked(rule, asked)
            for rule in self.rules
        )


def schema_of(data: Json) -> Schema:
    spec, metadata = data.get("spec") or {}, data["metadata"]
    return Schema(
        metadata["name"],
        metadata.get("uid", ""),
        spec.get("matchingPrecedence", 1_000),
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        (spec.get("distinguisherMethod") or {}).get("type", ""),
        spec.get("rules") or (),
    )


def _is_subject(subject: Json, user: User) -> bool:
    kind = subject.get("kind")
    if kind == "User":
        return (subject.get("user") or {}).get("name") in ("*", user.name)
    if kind == "Group":
        name = (subject.get("group") or {}).get("name")
        return name == "*" or name in user.groups
    if kind == "ServiceAccount" and user.name.startswith(_ACCOUNT):
        account = subject.get("serviceAccount") or {}
        namespace, _, name = user.name.removeprefix(_ACCOUNT).partition(":")
        return account.get("namespace") == namespace and account.get("name") in ("*", name)
    return False


def _is_asked(rule: Json, asked: Asked) -> bool:
    if not asked.resource:
        return any(
            _has(one.get("verbs"), asked.verb) and _has_path(one.get("nonResourceURLs"), asked.path)
            for one in rule.get("nonResourceRules") or ()
        )
    return any(_is_resource(one, asked) for one in rule.get("resourceRules") or ())


def _is_resource(rule: Json, asked: Asked) -> bool:
    if not (
        _has(rule.get("verbs"), asked.verb)
        and _has(rule.get("apiGroups"), asked.group)
        and _has(rule.get("resources"), asked.resource)
    ):
        return False
    if not asked.namespaced or not asked.namespace:
        return bool(rule.get("clusterScope"))
    return _has(rule.get("namespaces"), asked.namespace)


def _has(offered: Sequence[str] | None, wanted: str) -> bool:
    return offered is not None and ("*" in offered or wanted in offered)


def _has_path(offered: Sequence[str] | None, path: str) -> bool:
    for pattern in offered or ():
        if pattern in ("*", path) or (pattern.endswith("/*") and path.startswith(pattern[:-1])):
            return True
    return False

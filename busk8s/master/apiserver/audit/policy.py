"""Which requests are told of in the audit log, and how much of each.

Owns      audit.k8s.io/v1 Policy: reading one, its default, the first rule that matches.
Leaves    what an event looks like (event), where it goes (log).
Invariant pure but for reading the file; the same request always has the same level.
Source    Kubernetes documentation, "Auditing"; API reference audit.k8s.io/v1 Policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from busk8s.api import yamlbody
from busk8s.api.object import Json
from busk8s.master.apiserver.attributes import Attributes

Level = Literal["None", "Metadata", "Request", "RequestResponse"]
LEVELS = ("None", "Metadata", "Request", "RequestResponse")
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
POLICY_BYTES_MAX = 1024 * 1024
DECISIONS_MAX = 4_096  # Remembered; who asks what repeats.
_READS = ("get", "list", "watch")
_LISTS = ("users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "omitStages")


class BadPolicy(ValueError):
    """Why a file is no policy."""


@dataclass(frozen=True, slots=True)
class Decision:
    level: Level
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


NOTHING = Decision("None")

# Metadata of everything that changes something or that a person reads; not the system's own
# reads and beats, which are nearly all requests of a quiet cluster.
DEFAULT: Json = {
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "None",
            "nonResourceURLs": [
                "/healthz*", "/livez*", "/readyz*", "/version", "/metrics*", "/openapi/*", "/api",
                "/api/*", "/apis", "/apis/*",
            ],
        },
        {
            "level": "None",
            "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"],
            "verbs": [*_READS],
            "resources": [{}],
        },
        {
            "level": "None",
            "users": [
                "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler",
            ],
            "verbs": [*_READS],
        },
        {
            "level": "None",
            "userGroups": ["system:nodes"],
            "verbs": ["patch", "update"],
            "resources": [{"group": "", "resources": ["nodes/status", "pods/status"]}],
        },
        {"level": "None", "resources": [{"group": "", "resources": ["events"]},
                                        {"group": "events.k8s.io"}]},
        {"level": "Metadata"},
    ],
}  # fmt: skip


def read(path: Path) -> Json:
    """The Policy in the file. Raises BadPolicy, naming what is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadPolicy(f"{path}: {error.strerror}") from None
    if len(raw) > POLICY_BYTES_MAX:
        raise BadPolicy(f"{path}: bigger than {POLICY_BYTES_MAX} bytes")
    try:
        policy = yamlbody.parse(raw, [])
    except yamlbody.YamlError as error:
        raise BadPolicy(f"{path}: {error}") from None
    if not isinstance(policy, dict) or policy.get("kind") != "Policy":
        raise BadPolicy(f"{path}: not an audit.k8s.io/v1 Policy")
    if policy.get("apiVersion") != "audit.k8s.io/v1":
        raise BadPolicy(f"{path}: apiVersion {policy.get('apiVersion')!r} is not audit.k8s.io/v1")
    _check(policy, str(path))
    return policy


def _check(policy: Json, where: str) -> None:
    rules = policy.get("rules")
    if not isinstance(rules, list) or not rules:
        raise BadPolicy(f"{where}: rules: at least one is needed")
    _check_stages(policy, where)
    for index, rule in enumerate(rules):
        here = f"{where}: rules[{index}]"
        if not isinstance(rule, dict):
            raise BadPolicy(f"{here}: not an object")
        if rule.get("level") not in LEVELS:
            known = ", ".join(LEVELS)
            raise BadPolicy(f"{here}.level: {rule.get('level')!r} is not one of {known}")
        for name in _LISTS:
            given = rule.get(name, [])
            if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
                raise BadPolicy(f"{here}.{name}: not a list of texts")
        resources = rule.get("resources", [])
        if not isinstance(resources, list) or not all(isinstance(r, dict) for r in resources):
            raise BadPolicy(f"{here}.resources: not a list of objects")
        if rule.get("nonResourceURLs") and (resources or rule.get("namespaces")):
            raise BadPolicy(f"{here}: a rule is of resources or of other URLs, not of both")
        _check_stages(rule, here)


def _check_stages(holder: Json, where: str) -> None:
    for stage in holder.get("omitStages") or ():
        if stage not in STAGES:
            raise BadPolicy(f"{where}.omitStages: {stage!r} is not one of {', '.join(STAGES)}")


class AuditPolicy:
    """`decide` answers for a request in the words of authorisation."""

    def __init__(self, policy: Json = DEFAULT) -> None:
        self._rules: Sequence[Json] = policy["rules"]
        self._stages = frozenset(policy.get("omitStages") or ())
        self._fields = bool(policy.get("omitManagedFields"))
        entries = [entry for rule in self._rules for entry in rule.get("resources") or ()]
        self._named = any(entry.get("resourceNames") for entry in entries)
        self._decided = lru_cache(maxsize=DECISIONS_MAX)(self._first)

    def decide(self, attributes: Attributes) -> Decision:
        resource = attributes.resource
        path = attributes.path if resource is None else ""
        return self._decided(
            attributes.user.name,
            attributes.user.groups,
            attributes.verb,
            resource.group if resource is not None else "",
            (resource.plural if resource is not None else "", attributes.subresource),
            attributes.namespace,
            attributes.name if self._named else "",
            path,
        )

    def _first(self, *asked: Any) -> Decision:
        for rule in self._rules:
            if _matches(rule, *asked):
                stages = self._stages | set(rule.get("omitStages") or ())
                fields = rule.get("omitManagedFields", self._fields)
                return Decision(rule["level"], frozenset(stages), bool(fields))
        return NOTHING


def _matches(
    rule: Json,
    user: str,
    groups: tuple[str, ...],
    verb: str,
    group: str,
    resource: tuple[str, str],
    namespace: str,
    name: str,
    path: str,
) -> bool:
    if (users := rule.get("users")) and user not in users:
        return False
    if (wanted := rule.get("userGroups")) and not set(wanted) & set(groups):
        return False
    if (verbs := rule.get("verbs")) and verb not in verbs:
        return False
    urls, resources = rule.get("nonResourceURLs"), rule.get("resources")
    spaces = rule.get("namespaces")
    if path:
        if resources or spaces:
            return False
        return not urls or any(_url(each, path) for each in urls)
    if urls:
        return False
    if spaces and namespace not in spaces:
        return False
    return not resources or any(_covers(each, group, resource, name) for each in resources)


def _url(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _covers(entry: Json, group: str, resource: tuple[str, str], name: str) -> bool:
    if "group" in entry and entry["group"] != group:
        return False
    if (names := entry.get("resourceNames")) and name not in names:
        return False
    listed = entry.get("resources")
    if not listed:
        return True
    plural, part = resource
    whole = f"{plural}/{part}" if part else plural
    patterns = {whole, f"{plural}/*", "*" if not part else f"*/{part}"} if part else {plural, "*"}
    return bool(patterns & set(listed))

"""The RBAC authoriser: allows what some role that is bound to the asker allows, denies nothing.

Owns      from a user to what they hold (compiled once a user, thrown away when roles change).
Leaves    matching (rules, access), what else may allow a request (authz).
Invariant answers follow committed writes of roles and bindings at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from busk8s.api.object import Json, Object
from busk8s.api.request import User
from busk8s.master.apiserver.attributes import Attributes, target
from busk8s.master.apiserver.node_authz import Cache
from busk8s.master.apiserver.rbac import rules
from busk8s.master.apiserver.rbac.access import Access, Grant, Grants
from busk8s.master.apiserver.rbac.rules import Rule
from busk8s.master.apiserver.rbac.subjects import (
    BINDINGS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    ROLES,
    Key,
    Subjects,
    identities,
    key_of,
    whom,
)

USERS_MAX = 2_048  # Users whose access is kept compiled; the longest compiled go first.


class MissingRole(Exception):
    """A binding names a role that is not there."""


class RbacAuthorizer:
    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._subjects = Subjects()
        self._rules: dict[Key, Sequence[Rule]] = {}
        self._users: OrderedDict[tuple[str, tuple[str, ...]], Access] = OrderedDict()
        for resource_key in BINDINGS:
            for binding in cache.list(resource_key):
                self._subjects.add(binding)
        cache.on_events(self._follow)

    def authorize(self, attributes: Attributes) -> str | None:
        """None when allowed; else why not, "" when there is nothing to add to the refusal."""
        access = self.access(attributes.user)
        if attributes.resource is None:
            if access.cluster.allows_path(attributes.verb, attributes.path):
                return None
            return _reason(access.cluster.missing)
        namespace, name = target(attributes)
        resource = attributes.resource
        question = (attributes.verb, resource.group, resource.plural, attributes.subresource)
        if access.cluster.allows(question, name):
            return None
        local = access.namespaces.get(namespace) if namespace else None
        if local is None:
            return _reason(access.cluster.missing)
        if local.allows(question, name):
            return None
        return _reason((*access.cluster.missing, *local.missing))

    def granter(self, attributes: Attributes) -> str:
        """By what an allowed request is allowed, in upstream's words."""
        access = self.access(attributes.user)
        if attributes.resource is None:
            by = access.cluster.path_granter(attributes.verb, attributes.path)
            return f"RBAC: allowed by {by}" if by else ""
        namespace, name = target(attributes)
        resource = attributes.resource
        question = (attributes.verb, resource.group, resource.plural, attributes.subresource)
        for grants in access.within(namespace):
            if by := grants.granter(question, name):
                return f"RBAC: allowed by {by}"
        return ""

    def rules_of(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """All rules that `user` holds in `namespace`, and which roles could not be read."""
        held: list[Rule] = []
        missing: list[str] = []
        for grants in self.access(user).within(namespace):
            held += grants.rules()
            missing += grants.missing
        return held, missing

    def role_rules(self, kind: str, namespace: str, name: str) -> Sequence[Rule]:
        """The rules of a role that a binding in `namespace` names; raises MissingRole."""
        key = (CLUSTER_ROLES, "", name) if kind == "ClusterRole" else (ROLES, namespace, name)
        found = self._rules.get(key)
        if found is None:
            role = self._cache.get(*key)
            if role is None:
                raise MissingRole(f'{kind.lower()}.{GROUP} "{name}" not found')
            found = self._rules[key] = rules.parse(role.glance().get("rules"))
        return found

    def access(self, user: User) -> Access:
        key = (user.name, user.groups)
        access = self._users.get(key)
        if access is None:
            access = self._users[key] = self._compile(user)
            if len(self._users) > USERS_MAX:
                self._users.popitem(last=False)
        return access

    def _compile(self, user: User) -> Access:
        grants: dict[str, list[Grant]] = {"": []}
        missing: dict[str, list[str]] = {"": []}
        named = frozenset(identities(user))
        for key in self._subjects.of(user):
            binding = self._cache.get(*key)
            assert binding is not None, key
            scope = binding.namespace
            role = binding.glance()["roleRef"]
            try:
                held = self.role_rules(role["kind"], scope, role["name"])
            except MissingRole as error:
                missing.setdefault(scope, []).append(str(error))
                grants.setdefault(scope, [])
                continue
            subjects = binding.glance().get("subjects") or ()
            by = next(each for each in subjects if whom(each, scope) in named)
            grants.setdefault(scope, []).append(Grant(_said(binding, role, by), held))
        compiled = {
            scope: Grants(tuple(found), tuple(missing.get(scope, ())))
            for scope, found in grants.items()
        }
        return Access(compiled.pop(""), compiled)

    def _follow(self, events: Sequence[Any]) -> None:
        for event in events:
            obj: Object = event.object
            if obj.resource.group != GROUP:
                continue
            self._users.clear()
            if obj.resource.key in BINDINGS:
                self._subjects.follow(event)
            else:
                self._rules.pop(key_of(obj), None)


def _reason(missing: Sequence[str]) -> str:
    if not missing:
        return ""
    said = list(dict.fromkeys(missing))
    return f"RBAC: {said[0]}" if len(said) == 1 else f"RBAC: [{', '.join(said)}]"


def _said(binding: Object, role: Json, subject: Json) -> str:
    name, who = binding.name, subject["name"]
    if binding.resource.key == CLUSTER_ROLE_BINDINGS:
        kind = "ClusterRoleBinding"
    else:
        kind, name = "RoleBinding", f"{name}/{binding.namespace}"
    if subject["kind"] == "ServiceAccount":
        who = f"{who}/{subject.get('namespace') or binding.namespace}"
    return f'{kind} "{name}" of {role["kind"]} "{role["name"]}" to {subject["kind"]} "{who}"'

"""Nobody grants by a role or a binding what they do not hold themselves.

Owns      the check of every write of roles and bindings, and the verbs `escalate` and `bind`.
Leaves    whether the object may be written at all (authz), its form (api.rules.access).
Invariant a write passes only if its author holds all that it grants, or was given `escalate` on
          the role, or `bind` on the role that a binding names. system:masters may do anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.object import Json
from busk8s.api.request import User
from busk8s.master.apiserver.attributes import Admission, Attributes, Authorizer, Operation
from busk8s.master.apiserver.authn import MASTERS
from busk8s.master.apiserver.rbac.authorizer import MissingRole, RbacAuthorizer
from busk8s.master.apiserver.rbac.rules import Rule, compact, not_covered, parse, quoted
from busk8s.master.apiserver.rbac.subjects import GROUP

_EVERYTHING = (Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",)))
_ROLES = ("roles", "clusterroles")
# What the garbage collector and the store change of any object: no matter of permission.
_BOOKKEEPING = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")


class EscalationCheck:
    def __init__(self, rbac: RbacAuthorizer, authorizer: Authorizer) -> None:
        self._rbac = rbac
        self._authorizer = authorizer

    def check(self, operation: Operation) -> None:
        """Raises errors.Error (403; 404 when a binding names no role)."""
        attributes = operation.attributes
        resource, new = attributes.resource, operation.object
        if resource is None or resource.group != GROUP or new is None:
            return
        if MASTERS in attributes.user.groups or _same(operation):
            return
        if resource.plural in _ROLES:
            if not self._may(attributes, "escalate", resource.plural, attributes.name):
                self._check_role(attributes, new, operation.old.data if operation.old else {})
        else:
            self._check_binding(attributes, new)

    def _check_role(self, attributes: Attributes, new: Json, old: Json) -> None:
        self._confirm(attributes, new, parse(new.get("rules")))
        if new.get("aggregationRule") or old.get("aggregationRule"):
            # It gathers what others write later, so whoever writes it must hold everything.
            held, _ = self._rbac.rules_of(attributes.user, attributes.namespace)
            if not_covered(held, _EVERYTHING):
                why = "must have cluster-admin privileges to use an aggregationRule"
                raise _forbidden(attributes, new, why)

    def _check_binding(self, attributes: Attributes, new: Json) -> None:
        role = new["roleRef"]
        plural = "clusterroles" if role["kind"] == "ClusterRole" else "roles"
        if self._may(attributes, "bind", plural, role["name"]):
            return
        try:
            rules = self._rbac.role_rules(role["kind"], attributes.namespace, role["name"])
        except MissingRole as error:
            kind = role["kind"].lower()  # upstream's caches say it so, not in the plural
            raise errors.Error(
                404, "NotFound", str(error), group=GROUP, kind=kind, name=role["name"]
            ) from None
        self._confirm(attributes, new, rules)

    def _may(self, attributes: Attributes, verb: str, plural: str, name: str) -> bool:
        asked = Attributes(
            attributes.user,
            verb,
            scheme.RESOURCES[f"{plural}.{GROUP}"],
            namespace=attributes.namespace,
            name=name,
        )
        return self._authorizer.authorize(asked) is None

    def _confirm(self, attributes: Attributes, new: Json, wanted: Sequence[Rule]) -> None:
        held, unreadable = self._rbac.rules_of(attributes.user, attributes.namespace)
        missing = not_covered(held, wanted)
        if missing:
            why = _said(attributes.user, missing, unreadable)
            raise _forbidden(attributes, new, why)


class Guarded:
    """Admission with the check before its validating part, where the object is final."""

    def __init__(self, admission: Admission, escalation: EscalationCheck) -> None:
        self._admission = admission
        self._escalation = escalation

    async def mutate(self, operation: Operation) -> None:
        await self._admission.mutate(operation)

    async def validate(self, operation: Operation) -> None:
        self._escalation.check(operation)
        await self._admission.validate(operation)


def _same(operation: Operation) -> bool:
    """Whether the write changes nothing but bookkeeping."""
    if operation.old is None or operation.object is None:
        return False
    return _bare(operation.object) == _bare(operation.old.data)


def _bare(obj: Json) -> Json:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in _BOOKKEEPING}
    return {**obj, "metadata": metadata}


def _said(user: User, missing: Sequence[Rule], unreadable: Sequence[str]) -> str:
    rules = "\n".join(sorted(dict.fromkeys(map(str, compact(missing)))))
    why = (
        f"user {quoted([user.name])[1:-1]} (groups={quoted(user.groups)}) is attempting to grant "
        f"RBAC permissions not currently held:\n{rules}"
    )
    return f"{why}; resolution errors: [{', '.join(unreadable)}]" if unreadable else why


def _forbidden(attributes: Attributes, new: Json, why: str) -> errors.Error:
    name = str(new["metadata"].get("name") or attributes.name)
    return errors.forbidden(attributes.plural, name, why, group=GROUP)

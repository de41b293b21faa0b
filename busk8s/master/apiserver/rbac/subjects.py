"""Which bindings name whom: an index that follows the watch cache.

Owns      the subjects of every RoleBinding and ClusterRoleBinding, by user and by group.
Leaves    what the bound roles allow (access).
Invariant the index follows committed writes; a deletion is not parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from busk8s.api.object import Json, Object
from busk8s.api.request import User

GROUP = "rbac.authorization.k8s.io"
ROLES = f"roles.{GROUP}"
CLUSTER_ROLES = f"clusterroles.{GROUP}"
ROLE_BINDINGS = f"rolebindings.{GROUP}"
CLUSTER_ROLE_BINDINGS = f"clusterrolebindings.{GROUP}"
BINDINGS = (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS)

Key = tuple[str, str, str]  # resource key, namespace, name
Who = tuple[str, str]  # ("User" or "Group", name); accounts are users


def key_of(obj: Object) -> Key:
    return obj.resource.key, obj.namespace, obj.name


def whom(subject: Json, namespace: str) -> Who | None:
    """Whom a subject of a binding in `namespace` names; None: nobody."""
    kind, name = subject.get("kind"), str(subject.get("name") or "")
    if kind == "ServiceAccount":
        where = subject.get("namespace") or namespace
        return ("User", f"system:serviceaccount:{where}:{name}") if where else None
    return (str(kind), name) if kind in ("User", "Group") else None


def identities(user: User) -> Iterator[Who]:
    """Everything that a binding can name `user` by."""
    yield "User", user.name
    for group in user.groups:
        yield "Group", group


class Subjects:
    """`of(user)`: the bindings that name them."""

    def __init__(self) -> None:
        self._bindings: dict[Who, dict[Key, None]] = {}
        self._named: dict[Key, Sequence[Who]] = {}

    def of(self, user: User) -> Sequence[Key]:
        """Of the whole cluster first, then by namespace and name."""
        found = {key: None for who in identities(user) for key in self._bindings.get(who, ())}
        return sorted(found)

    def follow(self, event: Any) -> None:
        """Take in one watch event of a binding."""
        self.forget(key_of(event.object))
        if event.type != "DELETED":
            self.add(event.object)

    def add(self, binding: Object) -> None:
        key = key_of(binding)
        subjects = binding.glance().get("subjects") or ()
        named = {whom(each, binding.namespace): None for each in subjects}
        self._named[key] = [who for who in named if who is not None]
        for who in self._named[key]:
            self._bindings.setdefault(who, {})[key] = None

    def forget(self, key: Key) -> None:
        for who in self._named.pop(key, ()):
            bindings = self._bindings[who]
            del bindings[key]
            if not bindings:
                del self._bindings[who]

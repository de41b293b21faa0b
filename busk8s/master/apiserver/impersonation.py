"""Acting as somebody else: `kubectl --as`, as far as roles let one.

Owns      the Impersonate-* headers, which permissions they need, the User they make.
Leaves    who really asks (authn), whether they hold the verb impersonate (authz).
Invariant each part of the identity that is taken on is asked for on its own; one refusal ends it.
Source    Kubernetes reference, "User impersonation".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from busk8s import errors
from busk8s.api.request import ANONYMOUS, User
from busk8s.api.scheme import SERVICEACCOUNTS, Resource
from busk8s.master.apiserver.attributes import Attributes, Authorizer
from busk8s.master.apiserver.refusals import access_denied

AUTHENTICATED = "system:authenticated"
EXTRA = "impersonate-extra-"  # What follows is the key, percent-encoded.
ACCOUNT = "system:serviceaccount:"

# Not served: they exist to be granted.
USERS = Resource("", "v1", "users", "User", namespaced=False)
GROUPS = Resource("", "v1", "groups", "Group", namespaced=False)
UIDS = Resource("authentication.k8s.io", "v1", "uids", "UID", namespaced=False)
EXTRAS = Resource("authentication.k8s.io", "v1", "userextras", "UserExtra", namespaced=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom a request wants to be."""

    name: str
    groups: tuple[str, ...]
    uid: str
    extra: Mapping[str, tuple[str, ...]]

    @property
    def account(self) -> tuple[str, str] | None:
        """Namespace and name, when it is a ServiceAccount."""
        parts = self.name.removeprefix(ACCOUNT).split(":")
        if not self.name.startswith(ACCOUNT) or len(parts) != 2 or not all(parts):
            return None
        return parts[0], parts[1]


def wanted(headers: Mapping[str, str]) -> Wanted | None:
    """None when the request is its author's own; raises 400 for a half of an identity."""
    name = headers.get("impersonate-user", "")
    groups = tuple(filter(None, headers.get("impersonate-group", "").split("\n")))
    uid = headers.get("impersonate-uid", "")
    extra = {
        unquote(key.removeprefix(EXTRA)): tuple(value.split("\n"))
        for key, value in headers.items()
        if key.startswith(EXTRA)
    }
    if name:
        return Wanted(name, groups, uid, extra)
    if groups or uid or extra:
        raise errors.bad_request("requested groups, a uid or extra without impersonating a user")
    return None


def questions(who: User, other: Wanted) -> Iterator[Attributes]:
    """What `who` must be allowed for being `other`."""
    if other.account is not None:
        namespace, name = other.account
        yield Attributes(who, "impersonate", SERVICEACCOUNTS, namespace=namespace, name=name)
    else:
        yield Attributes(who, "impersonate", USERS, name=other.name)
    for group in other.groups:
        yield Attributes(who, "impersonate", GROUPS, name=group)
    for key, values in other.extra.items():
        for value in values:
            yield Attributes(who, "impersonate", EXTRAS, subresource=key, name=value)
    if other.uid:
        yield Attributes(who, "impersonate", UIDS, name=other.uid)


def become(other: Wanted) -> User:
    """The user that the rest of the request belongs to."""
    groups = other.groups
    if other.account is not None and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{other.account[0]}")
    missing = ANONYMOUS.groups[0] if other.name == ANONYMOUS.name else AUTHENTICATED
    if missing not in groups and ANONYMOUS.groups[0] not in groups:
        groups = (*groups, missing)
    return User(other.name, groups, other.uid, other.extra)


class Impersonator:
    """Whom a request acts as; called for each one."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def __call__(self, who: User, headers: Mapping[str, str]) -> User:
        """`who`, or whom they may act as; raises 403."""
        other = wanted(headers) if _asked(headers) else None
        if other is None:
            return who
        for asked in questions(who, other):
            why = self._authorizer.authorize(asked)
            if why is not None:
                raise access_denied(asked, why)
        return dataclasses.replace(become(other), real=who)


def _asked(headers: Mapping[str, str]) -> bool:
    """Whether there is such a header at all. Each request passes here: a loop is the quickest."""
    for key in headers:  # noqa: SIM110
        if key.startswith("impersonate-"):
            return True
    return False

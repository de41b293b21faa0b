"""What a way of authentication answers: a grant, nothing, or why not.

Owns      Grant, Rejected, and the group that everybody has whose name is known.
Leaves    the ways themselves (one module each), their order (authn).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from busk8s.api.request import ANONYMOUS, User

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = ANONYMOUS.groups[0]
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


@dataclass(frozen=True, slots=True)
class Grant:
    """A user, and for which of the audiences that were asked for the credential is meant."""

    user: User
    audiences: tuple[str, ...] = ()


class Rejected(Exception):
    """A credential that this way knows and that is not good. Other ways may still know it."""


def known(user: User) -> User:
    """`user` with the group of all who are known, as upstream adds it after every way."""
    if user.name == ANONYMOUS.name:
        return user
    if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))


def common(asked: Sequence[str], ours: Sequence[str]) -> tuple[str, ...]:
    """The audiences that both name, in the order asked."""
    return tuple(name for name in asked if name in ours)

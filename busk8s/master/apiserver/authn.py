"""Who asks: client certificate, bearer token, impersonation, or nobody.

Owns      turning credentials into a User; 401 for credentials that are wrong.
Leaves    what the User may do (authz); bus peers, which CURVE identifies (bus).
Invariant secrets are compared in constant time; a wrong token is never taken for no token.
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from busk8s import errors
from busk8s.api.object import Json
from busk8s.api.request import ANONYMOUS, User
from busk8s.clock import Clock
from busk8s.master.apiserver import tokens

AUTHENTICATED = "system:authenticated"
MASTERS = "system:masters"
TOKEN_BYTES_MAX = 16 * 1024

ADMIN = User("kubernetes-admin", ("kubeadm:cluster-admins", MASTERS, AUTHENTICATED))
# What the apiserver itself does (default objects, heartbeats), through the same chain.
LOOPBACK = User("system:apiserver", (MASTERS, AUTHENTICATED))

FindSecret = Callable[[str], Json | None]  # by name, in kube-system
VerifyAccount = Callable[[str], User | None]  # a ServiceAccount's JWT


def _no_account(token: str) -> User | None:
    return None


class Authenticator:
    """`peer` once a connection, `user` for each request."""

    def __init__(
        self,
        admin_token: str,
        find_secret: FindSecret,
        clock: Clock,
        *,
        verify_account: VerifyAccount = _no_account,
    ) -> None:
        self._admin_token = admin_token.encode()
        self._find_secret = find_secret
        self._clock = clock
        self._verify_account = verify_account

    def peer(self, tls: ssl.SSLObject | None) -> User | None:
        """The user a verified client certificate names, if there is one."""
        certificate: Any = tls.getpeercert() if tls is not None else None
        if not certificate:
            return None
        parts = [pair for names in certificate.get("subject", ()) for pair in names]
        name = next((str(v) for k, v in parts if k == "commonName"), "")
        if not name:
            return None
        groups = tuple(str(v) for k, v in parts if k == "organizationName")
        return User(name, (*groups, AUTHENTICATED))

    def user(self, peer: User | None, headers: Mapping[str, str]) -> User:
        authorization = headers.get("authorization")
        if peer is not None:
            who = peer
        elif authorization is None:
            who = ANONYMOUS
        else:
            who = self._bearer(authorization)
        if "impersonate-user" in headers or "impersonate-group" in headers:
            return _impersonated(who, headers)
        return who

    def _bearer(self, authorization: str) -> User:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            return ANONYMOUS  # as upstream: a scheme nobody handles is no credential
        if token and len(token) <= TOKEN_BYTES_MAX:
            if hmac.compare_digest(token.encode("utf-8", "replace"), self._admin_token):
                return ADMIN
            user = self._bootstrap(token) or self._verify_account(token)
            if user is not None:
                return user
        raise errors.unauthorized()

    def _bootstrap(self, text: str) -> User | None:
        token = tokens.parse(text)
        if token is None:
            return None
        secret = self._find_secret(token.secret_name)
        if secret is None or tokens.why_not(token, secret, self._clock.now()) is not None:
            return None
        return User(f"system:bootstrap:{token.id}", (*tokens.groups(secret), AUTHENTICATED))


def _impersonated(who: User, headers: Mapping[str, str]) -> User:
    """`kubectl --as`. Until RBAC grants the verb to others, system:masters only."""
    name = headers.get("impersonate-user", "")
    if MASTERS not in who.groups:
        why = (
            f'User "{who.name}" cannot impersonate resource "users" in API group "" '
            "at the cluster scope"
        )
        raise errors.forbidden("users", name, why)
    if not name:
        raise errors.bad_request("Impersonate-Group needs Impersonate-User")
    asked = headers.get("impersonate-group", "")
    groups = tuple(asked.split("\n")) if asked else ()
    if name == ANONYMOUS.name:
        return User(name, (*groups, *ANONYMOUS.groups))
    if name.startswith("system:serviceaccount:") and not groups and name.count(":") == 3:
        namespace = name.split(":")[2]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(name, (*groups, AUTHENTICATED), headers.get("impersonate-uid", ""))

"""Who asks: client certificate, bearer token, or nobody.

Owns      turning credentials into a User; 401 for credentials that are wrong.
Leaves    what the User may do (authz), and whom they may act as (impersonation); bus peers, which
          CURVE identifies (bus).
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
Impersonate = Callable[[User, Mapping[str, str]], User]  # whom the headers ask to be; raises 403


def _no_account(token: str) -> User | None:
    return None


def _never(who: User, headers: Mapping[str, str]) -> User:
    return who


class Authenticator:
    """`peer` once a connection, `user` for each request."""

    def __init__(
        self,
        admin_token: str,
        find_secret: FindSecret,
        clock: Clock,
        *,
        impersonate: Impersonate = _never,
        verify_account: VerifyAccount = _no_account,
    ) -> None:
        self._admin_token = admin_token.encode()
        self._find_secret = find_secret
        self._clock = clock
        self._impersonate = impersonate
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
        return self._impersonate(who, headers)

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

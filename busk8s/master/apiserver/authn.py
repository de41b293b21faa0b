"""Who asks: front proxy, client certificate, bearer token, or nobody; in upstream's order.

Owns      the order of the ways, the User they give, 401 for credentials that are wrong.
Leaves    each way of proving a token (authentication/*), what the User may do (authz), whom they
          may act as (impersonation); bus peers, which CURVE identifies (bus).
Invariant secrets are compared in constant time; a wrong token is never taken for no token.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from busk8s import errors
from busk8s.api.object import Json
from busk8s.api.request import ANONYMOUS, User
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver import tokens
from busk8s.master.apiserver.authentication.credentials import (
    AUTHENTICATED,
    Grant,
    Rejected,
    common,
    known,
)
from busk8s.master.apiserver.authentication.front_proxy import FrontProxy
from busk8s.master.apiserver.authentication.peers import NOBODY, Peer, Peers
from busk8s.master.apiserver.metrics.access import AccessMetrics

MASTERS = "system:masters"
TOKEN_BYTES_MAX = 16 * 1024
UNKNOWN = "invalid bearer token"
SOCKET_PROTOCOL = "base64url.bearer.authorization.k8s.io."  # Browsers can set no other header.

ADMIN = User("kubernetes-admin", ("kubeadm:cluster-admins", MASTERS, AUTHENTICATED))
# What the apiserver itself does (default objects, heartbeats), through the same chain.
LOOPBACK = User("system:apiserver", (MASTERS, AUTHENTICATED))

FindSecret = Callable[[str], Json | None]  # by name, in kube-system
Find = Callable[[str], User | None]
FindAccount = Callable[[str, Sequence[str]], Grant | None]  # raises Rejected
FindIssued = Callable[[str, Sequence[str]], Awaitable[Grant | None]]  # raises Rejected
Impersonate = Callable[[User, Mapping[str, str]], User]  # whom the headers ask to be; raises 403

log = Logger("busk8s.authentication")


def _never(who: User, headers: Mapping[str, str]) -> User:
    return who


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Whether one may ask without a name, and for which paths alone (empty: any)."""

    enabled: bool = True
    paths: frozenset[str] = frozenset()

    def may(self, path: str) -> bool:
        return self.enabled and (not self.paths or path in self.paths)


class TokenChain:
    """All ways to prove a bearer token. `accounts` and the like None: that way is not there."""

    def __init__(
        self,
        admin_token: str,
        find_secret: FindSecret,
        clock: Clock,
        *,
        static: Find | None = None,
        accounts: FindAccount | None = None,
        issued: FindIssued | None = None,
        audiences: Sequence[str] = (),
    ) -> None:
        self._admin_token = admin_token.encode()
        self._find_secret = find_secret
        self._clock = clock
        self._static, self._accounts, self._issued = static, accounts, issued
        self.audiences = tuple(audiences)

    async def find(self, token: str, audiences: Sequence[str]) -> Grant:
        """Whose token it is; raises Rejected with what each way that knew it had to say."""
        if len(token) > TOKEN_BYTES_MAX:
            raise Rejected(UNKNOWN)
        ours = common(audiences, self.audiences)
        user = self._named(token) if ours or audiences == self.audiences else None
        if user is not None:
            return Grant(known(user), ours)
        reasons = []
        try:
            granted = self._accounts(token, audiences) if self._accounts is not None else None
            if granted is not None:
                return granted
        except Rejected as why:
            reasons.append(str(why))
        user = self._bootstrap(token) if ours or audiences == self.audiences else None
        if user is not None:
            return Grant(known(user), ours)
        try:
            granted = await self._issued(token, audiences) if self._issued is not None else None
            if granted is not None:
                return Grant(known(granted.user), granted.audiences)
        except Rejected as why:
            reasons.append(str(why))
        raise Rejected(f"[{', '.join([UNKNOWN, *reasons])}]" if reasons else UNKNOWN)

    def _named(self, token: str) -> User | None:
        if hmac.compare_digest(token.encode("utf-8", "replace"), self._admin_token):
            return ADMIN
        return self._static(token) if self._static is not None else None

    def _bootstrap(self, text: str) -> User | None:
        token = tokens.parse(text)
        if token is None:
            return None
        secret = self._find_secret(token.secret_name)
        if secret is None or tokens.why_not(token, secret, self._clock.now()) is not None:
            return None
        return User(f"system:bootstrap:{token.id}", tokens.groups(secret))

    async def review(self, spec: Json) -> Json:
        """A TokenReview's status."""
        asked = tuple(spec.get("audiences") or self.audiences)
        try:
            granted = await self.find(str(spec.get("token", "")), asked)
        except Rejected as why:
            return {"error": str(why), "user": {}}
        user = granted.user
        said: Json = {"username": user.name}
        if user.uid:
            said["uid"] = user.uid
        said["groups"] = list(user.groups)
        if user.extra:
            said["extra"] = {key: list(values) for key, values in user.extra.items()}
        status: Json = {"authenticated": True, "user": said}
        return {**status, "audiences": list(granted.audiences)} if granted.audiences else status


class Authenticator:
    """`peer` once a connection, `user` for each request."""

    def __init__(
        self,
        chain: TokenChain,
        clock: Clock,
        *,
        peers: Peers | None = None,
        front: FrontProxy | None = None,
        impersonate: Impersonate = _never,
        anonymous: Anonymous = Anonymous(),
        metrics: AccessMetrics | None = None,
    ) -> None:
        self.metrics = metrics or AccessMetrics()
        self._chain = chain
        self._clock = clock
        self._front = front or FrontProxy()
        self._peers = peers or Peers()
        self.peer = self._peers.of
        self._impersonate = impersonate
        self._anonymous = anonymous

    async def user(self, peer: Peer, headers: Mapping[str, str], path: str = "") -> User:
        """Who asks, and whom they act as; raises 401 and 403."""
        began = self._clock.monotonic()
        try:
            who = await self._really(peer, headers)
        except errors.Error:
            self.metrics.unknown(self._clock.monotonic() - began, wrong=True)
            raise
        if who is None:
            if not self._anonymous.may(path):
                self.metrics.unknown(self._clock.monotonic() - began, wrong=False)
                raise errors.unauthorized()
            who = ANONYMOUS
        self.metrics.known(who.name, self._clock.monotonic() - began)
        return self._impersonate(who, headers)

    async def _really(self, peer: Peer, headers: Mapping[str, str]) -> User | None:
        failed: list[str] = []
        if peer is not NOBODY:
            who = self._by_certificate(peer, headers, failed)
            if who is not None:
                return who
        token = _bearer(headers)
        if token:
            try:
                return (await self._chain.find(token, self._chain.audiences)).user
            except Rejected as why:
                failed.append(str(why))
        if failed:
            log.debug("unauthorized", why="; ".join(failed))
            raise errors.unauthorized()
        return None

    def _by_certificate(
        self, peer: Peer, headers: Mapping[str, str], failed: list[str]
    ) -> User | None:
        """Whom the front proxy or the certificate itself names, while it is not over."""
        left = peer.until - self._clock.now()
        self.metrics.certificates.observe(left)
        if left <= 0:
            failed.append("x509: certificate has expired")
            return None
        if peer.proxy:
            try:
                said = self._front.read(peer.proxy, headers)
            except Rejected as why:
                failed.append(str(why))
                said = None
            if said is not None:
                return known(said)
        return peer.user


def _bearer(headers: Mapping[str, str]) -> str:
    """The token of a request, "" when it has none."""
    authorization = headers.get("authorization")
    if authorization is not None:
        # As upstream: a scheme nobody handles is no credential, nor is an empty token.
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    protocols = headers.get("sec-websocket-protocol")
    if protocols is not None and SOCKET_PROTOCOL in protocols:
        return _of_socket(protocols)
    return ""


def _of_socket(protocols: str) -> str:
    for protocol in protocols.split(","):
        protocol = protocol.strip()
        if protocol.startswith(SOCKET_PROTOCOL):
            text = protocol.removeprefix(SOCKET_PROTOCOL)[: 2 * TOKEN_BYTES_MAX]
            try:
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            except ValueError:
                return ""
    return ""

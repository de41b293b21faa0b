"""Whether a ServiceAccount's token is good: its signature, its end, and all that it is bound to.

Owns      both kinds: bound tokens (TokenRequest) and those kept in Secrets, of old.
Leaves    signing (accounts), the keys (account_keys).
Invariant nothing is remembered but signatures: end and objects are looked at on every use.
Source    Kubernetes reference, "Managing Service Accounts".
"""

from __future__ import annotations

import base64
import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from busk8s.api.meta import parse_time
from busk8s.api.object import Json, Object
from busk8s.api.request import User
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.authentication.account_keys import ALGORITHM, AccountKeys
from busk8s.master.apiserver.authentication.credentials import (
    AUTHENTICATED,
    CREDENTIAL_ID,
    Grant,
    Rejected,
    common,
)

if TYPE_CHECKING:
    from jwt.types import Options

LEGACY_ISSUER = "kubernetes/serviceaccount"
LEEWAY_S = 60.0  # What is being deleted is still good for so long, as upstream's clocks allow.
CHECKED_MAX = 1_024  # Signatures that need not be checked again; the oldest are forgotten.
DOTS = 2
PREFIX = "authentication.kubernetes.io/"

Get = Callable[[str, str, str], Object | None]  # resource key, namespace, name
log = Logger("busk8s.authentication")


class AccountProof:
    """`issuers`: the first signs, all are believed; `audiences`: names of this API server."""

    def __init__(
        self,
        keys: AccountKeys,
        get: Get,
        clock: Clock,
        *,
        issuers: Sequence[str],
        audiences: Sequence[str],
    ) -> None:
        self._keys, self._get, self._clock = keys, get, clock
        self._issuers = frozenset((*issuers, LEGACY_ISSUER))
        self.audiences = tuple(audiences)
        self._checked: OrderedDict[str, Json] = OrderedDict()

    def find(self, token: str, audiences: Sequence[str]) -> Grant | None:
        """The account behind `token`; None when it is none of ours; raises Rejected."""
        if token.count(".") != DOTS:
            return None
        claims = self._checked.get(token)
        if claims is None:
            if _issuer_of(token) not in self._issuers:
                return None
            claims = self._proved(token)
        if claims["iss"] == LEGACY_ISSUER:
            return self._legacy(token, claims, audiences)
        return self._bound(claims, audiences)

    # The signature.

    def _proved(self, token: str) -> Json:
        """What a token says, once its signature has proved it."""
        import jwt

        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise Rejected(str(error)) from None
        for candidate in self._keys.candidates(kid):
            try:
                claims: Json = jwt.decode(
                    token,
                    candidate.key,
                    algorithms=[ALGORITHM],
                    options=_BY_US,
                )
            except (jwt.InvalidTokenError, RecursionError):
                continue
            self._checked[token] = claims
            if len(self._checked) > CHECKED_MAX:
                self._checked.popitem(last=False)
            return claims
        raise Rejected("no key of this cluster made the token's signature")

    # Bound tokens.

    def _bound(self, claims: Json, audiences: Sequence[str]) -> Grant:
        now = self._clock.now()
        if claims["exp"] <= now:
            raise Rejected("service account token has expired")
        if claims.get("nbf", 0) > now + LEEWAY_S:
            raise Rejected("service account token is not valid yet")
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        granted = common(audiences, claims["aud"])
        if not granted:
            raise Rejected(
                f"token audiences {claims['aud']} is invalid for the target audiences "
                f"{list(audiences)}"
            )
        self._check("serviceaccounts", namespace, account)
        pod, secret, node = (private.get(kind) for kind in ("pod", "secret", "node"))
        if secret:
            self._check("secrets", namespace, secret)
        if pod:
            self._check("pods", namespace, pod)
        elif node:  # A pod's token names its node for information: the pod's end is enough.
            self._check("nodes", "", node)
        if private.get("warnafter", now) < now:
            log.info("a stale service account token is used", account=f"{namespace}/{account}")
        return Grant(_user_of(private, claims["jti"]), granted)

    def _check(self, plural: str, namespace: str, named: Json) -> None:
        """Rejected when what the token is bound to is gone, is another, or has long been going."""
        found = self._get(plural, namespace, named["name"])
        if found is None or found.uid != named["uid"]:
            raise Rejected("service account token has been invalidated")
        gone = found.data["metadata"].get("deletionTimestamp")
        if gone and parse_time(gone) < self._clock.now() - LEEWAY_S:
            raise Rejected("service account token has been invalidated")

    # Tokens kept in Secrets.

    def _legacy(self, token: str, claims: Json, audiences: Sequence[str]) -> Grant:
        namespace, secret_name, name, uid = (
            str(claims.get(f"{LEGACY_ISSUER}/{key}", ""))
            for key in ("namespace", "secret.name", "service-account.name", "service-account.uid")
        )
        if claims.get("sub") != f"system:serviceaccount:{namespace}:{name}" or not uid:
            raise Rejected("sub claim is invalid")
        granted = common(audiences, self.audiences)
        if not granted:
            raise Rejected("the token is for this API server only")
        secret = self._get("secrets", namespace, secret_name)
        if secret is None or not _holds(secret, token) or secret.data["metadata"].get(
            "deletionTimestamp"
        ):  # fmt: skip
            raise Rejected("service account token has been invalidated")
        self._check("serviceaccounts", namespace, {"name": name, "uid": uid})
        private = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        return Grant(_user_of(private, ""), granted)


# The library checks the signature; all that depends on time or on who asks is ours.
_BY_US: Options = {
    "verify_signature": True,
    "require": ["iss", "sub"],
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_sub": False,
    "verify_jti": False,
}


def _issuer_of(token: str) -> Any:
    """The issuer a token claims, unproved: other issuers' tokens are not ours to judge."""
    import jwt

    try:
        return jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.InvalidTokenError, RecursionError):
        return None


def _holds(secret: Object, token: str) -> bool:
    try:
        kept = base64.b64decode((secret.data.get("data") or {}).get("token", ""))
    except ValueError:
        return False
    return hmac.compare_digest(kept, token.encode())


def _user_of(private: Json, token_id: str) -> User:
    namespace, account = private["namespace"], private["serviceaccount"]
    extra: dict[str, tuple[str, ...]] = {}
    if token_id:
        extra[CREDENTIAL_ID] = (f"JTI={token_id}",)
    for kind in ("pod", "node"):
        bound: Any = private.get(kind)
        if bound:
            extra[f"{PREFIX}{kind}-name"] = (bound["name"],)
            if bound.get("uid"):
                extra[f"{PREFIX}{kind}-uid"] = (bound["uid"],)
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    name = f"system:serviceaccount:{namespace}:{account['name']}"
    return User(name, groups, account["uid"], extra)

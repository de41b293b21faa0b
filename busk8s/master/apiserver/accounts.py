"""Tokens of ServiceAccounts: signed JWTs, bound to an account and perhaps to a pod or secret.

Owns      signing and checking; a token dies with what it is bound to, or at its end.
Leaves    who may ask for one (authz, NodeRestriction), the key pair (pki).
Invariant nothing is stored: a token is good while its signature, its end and its objects are.
Source    Kubernetes reference, "Managing Service Accounts", bound tokens.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from busk8s import errors
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.request import User
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.master.apiserver.authn import AUTHENTICATED
from busk8s.master.apiserver.pki import Pki

ISSUER = "https://kubernetes.default.svc.cluster.local"
DEFAULT_S = 3_600
MIN_S = 600
MAX_S = 365 * 24 * 3_600
CHECKED_MAX = 1_024  # Signatures that need not be checked again; the oldest are forgotten.
ALGORITHM = "ES256"
BOUND_KINDS = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}

Get = Callable[[str, str, str], Object | None]  # resource key, namespace, name


class AccountTokens:
    """The API server's TokenSigner, and what the authenticator asks about a JWT."""

    def __init__(self, pki: Pki, get: Get, clock: Clock, ids: IdSource) -> None:
        self._pki, self._get, self._clock, self._ids = pki, get, clock, ids
        self._checked: OrderedDict[str, Json] = OrderedDict()

    async def request(self, namespace: str, account: Json, spec: Json) -> Json:
        """Sign a token for `account` as a TokenRequest's `spec` asks."""
        import jwt

        now = int(self._clock.now())
        seconds = int(spec.get("expirationSeconds") or DEFAULT_S)
        ends = now + max(MIN_S, min(seconds, MAX_S))
        name, uid = account["metadata"]["name"], account["metadata"]["uid"]
        private: Json = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        bound = spec.get("boundObjectRef")
        if bound:
            private |= self._binding(namespace, name, bound)
        claims = {
            "iss": ISSUER,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": spec.get("audiences") or [ISSUER],
            "exp": ends,
            "iat": now,
            "nbf": now,
            "jti": str(self._ids.uid()),
            "kubernetes.io": private,
        }
        token = jwt.encode(claims, self._pki.key("sa").read_bytes(), algorithm=ALGORITHM)
        return {"token": token, "expirationTimestamp": format_time(ends)}

    def _binding(self, namespace: str, account: str, bound: Json) -> Json:
        kind, name = str(bound.get("kind")), str(bound.get("name"))
        plural = BOUND_KINDS.get(kind)
        if plural is None:
            raise errors.bad_request(
                f'cannot bind a token to object of type "{kind}": it must be Pod, Secret or Node'
            )
        found = self._get(plural, "" if kind == "Node" else namespace, name)
        if found is None:
            raise errors.not_found(plural, name)
        if bound.get("uid") and bound["uid"] != found.uid:
            why = f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record"  # noqa: E501
            raise errors.conflict(plural, name, why)
        spec = found.data.get("spec") or {}
        if kind == "Pod" and spec.get("serviceAccountName") != account:
            raise errors.bad_request(f'pod "{name}" does not run as service account "{account}"')
        made: Json = {kind.lower(): {"name": name, "uid": found.uid}}
        node = self._get("nodes", "", spec["nodeName"]) if spec.get("nodeName") else None
        if kind == "Pod" and node is not None:
            made["node"] = {"name": node.name, "uid": node.uid}
        return made

    def verify(self, token: str) -> User | None:
        """The account behind a token meant for this API; None when it is not good."""
        return self._user(token, [ISSUER])

    async def review(self, spec: Json) -> Json:
        """A TokenReview's status."""
        audiences = spec.get("audiences") or [ISSUER]
        user = self._user(str(spec.get("token", "")), audiences)
        if user is None:
            return {"error": "invalid bearer token", "user": {}}
        said: Json = {"username": user.name, "uid": user.uid, "groups": list(user.groups)}
        said["extra"] = {key: list(values) for key, values in user.extra.items()}
        return {"authenticated": True, "user": said, "audiences": audiences}

    def _user(self, token: str, audiences: list[str]) -> User | None:
        if token.count(".") != 2:
            return None
        claims = self._claims(token)
        if claims is None or claims["exp"] <= self._clock.now():
            return None
        if not set(audiences) & set(claims["aud"]):
            return None
        private = claims["kubernetes.io"]
        namespace = private["namespace"]
        if not self._stands("serviceaccounts", namespace, private["serviceaccount"]):
            return None
        for kind, plural in BOUND_KINDS.items():
            bound = private.get(kind.lower())
            where = "" if kind == "Node" else namespace
            if bound and not self._stands(plural, where, bound):
                return None
        return _user_of(private, claims["jti"])

    def _claims(self, token: str) -> Json | None:
        """What a token says, once its signature has proved it."""
        found = self._checked.get(token)
        if found is not None:
            return found
        import jwt

        try:
            claims: Json = jwt.decode(
                token,
                self._pki.certificate("sa").read_bytes(),
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={
                    "require": ["exp", "aud", "sub", "jti"],
                    "verify_aud": False,  # compared by the caller: reviews bring their own
                    "verify_exp": False,  # by our clock, at every use
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError:
            return None
        self._checked[token] = claims
        if len(self._checked) > CHECKED_MAX:
            self._checked.popitem(last=False)
        return claims

    def _stands(self, plural: str, namespace: str, named: Json) -> bool:
        found = self._get(plural, namespace, named["name"])
        return found is not None and found.uid == named["uid"]


def _user_of(private: Json, token_id: str) -> User:
    namespace, account = private["namespace"], private["serviceaccount"]
    extra: dict[str, tuple[str, ...]] = {
        "authentication.kubernetes.io/credential-id": (f"JTI={token_id}",)
    }
    for kind in ("pod", "node"):
        bound: Any = private.get(kind)
        if bound:
            extra[f"authentication.kubernetes.io/{kind}-name"] = (bound["name"],)
            extra[f"authentication.kubernetes.io/{kind}-uid"] = (bound["uid"],)
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    name = f"system:serviceaccount:{namespace}:{account['name']}"
    return User(name, groups, account["uid"], extra)

"""Tokens of ServiceAccounts: JWTs we sign, bound to an account and perhaps to a pod or secret.

Owns      what a TokenRequest is answered with, and what a token says.
Leaves    who may ask for one (authz, NodeRestriction), whether one is good (account_proof).
Invariant nothing is stored: a token is good while its signature, its end and its objects are.
Source    Kubernetes reference, "Managing Service Accounts", bound tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from busk8s import errors
from busk8s.api.meta import format_time
from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.master.apiserver.authentication.account_keys import ALGORITHM, AccountKeys
from busk8s.master.apiserver.authentication.account_proof import LEGACY_ISSUER, Get

ISSUER = "https://kubernetes.default.svc.cluster.local"
DEFAULT_S = 3_600
EXTENDED_S = 365 * 24 * 3_600  # How long a pod's own token really holds: see `_ends`.
POD_TOKEN_S = 3_607  # What the ServiceAccount admission asks for, and nobody else by accident.
BOUND_KINDS = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """`max_s` 0: as long as one asks for."""

    issuers: tuple[str, ...] = (ISSUER,)
    audiences: tuple[str, ...] = ()
    max_s: int = 0
    extend: bool = True

    @property
    def ours(self) -> tuple[str, ...]:
        """The audiences that mean this API server; upstream's default is its issuer."""
        return self.audiences or self.issuers[:1]


class AccountTokens:
    """Signs what TokenRequests ask for."""

    def __init__(
        self,
        keys: AccountKeys,
        get: Get,
        clock: Clock,
        ids: IdSource,
        settings: IssuerSettings = IssuerSettings(),
    ) -> None:
        self._keys, self._get, self._clock, self._ids = keys, get, clock, ids
        self._settings = settings

    def request(self, namespace: str, account: Json, spec: Json, warnings: list[str]) -> Json:
        """Sign a token for `account` as a TokenRequest's `spec` asks; fills `spec`'s defaults."""
        now = int(self._clock.now())
        spec["audiences"] = spec.get("audiences") or list(self._settings.ours)
        seconds = int(spec.get("expirationSeconds") or DEFAULT_S)
        name, uid = account["metadata"]["name"], account["metadata"]["uid"]
        private: Json = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        bound = spec.get("boundObjectRef")
        if bound:
            private |= self._binding(namespace, name, bound)
        longest = self._settings.max_s
        if longest and seconds > longest:
            warnings.append(
                f"requested expiration of {seconds} seconds shortened to {longest} seconds"
            )
            seconds = longest
        spec["expirationSeconds"] = seconds
        claims = {
            "iss": self._settings.issuers[0],
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": spec["audiences"],
            "exp": now + self._holds(seconds, private, spec["audiences"], now),
            "iat": now,
            "nbf": now,
            "jti": str(self._ids.uid()),
            "kubernetes.io": private,
        }
        return {"token": self._sign(claims), "expirationTimestamp": format_time(now + seconds)}

    def _holds(self, seconds: int, private: Json, audiences: Sequence[str], now: int) -> int:
        """How long the token is good: longer than said for a pod's own.

        Clients that read their token once and never again go on working; the token still dies
        with its pod, and `warnafter` tells that its holder did not fetch the next one.
        """
        ours = set(audiences) <= set(self._settings.ours)
        if self._settings.extend and "pod" in private and seconds == POD_TOKEN_S and ours:
            private["warnafter"] = now + seconds
            return EXTENDED_S
        return seconds

    def kept(self, namespace: str, account: Json, secret: str) -> str:
        """A token to be kept in `secret`: it has no end but that Secret's."""
        name, uid = account["metadata"]["name"], account["metadata"]["uid"]
        return self._sign(
            {
                "iss": LEGACY_ISSUER,
                f"{LEGACY_ISSUER}/namespace": namespace,
                f"{LEGACY_ISSUER}/secret.name": secret,
                f"{LEGACY_ISSUER}/service-account.name": name,
                f"{LEGACY_ISSUER}/service-account.uid": uid,
                "sub": f"system:serviceaccount:{namespace}:{name}",
            }
        )

    def _sign(self, claims: Json) -> str:
        import jwt

        kid, key = self._keys.signing()
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid})

    def _binding(self, namespace: str, account: str, bound: Json) -> Json:
        kind, name = str(bound.get("kind")), str(bound.get("name"))
        plural = BOUND_KINDS.get(kind) if bound.get("apiVersion") in (None, "", "v1") else None
        if plural is None:
            group, _, version = str(bound.get("apiVersion") or "").rpartition("/")
            what = f"{group}/{version}, Kind={kind}"
            raise errors.bad_request(f"cannot bind token to object of type {what}")
        found = self._get(plural, "" if kind == "Node" else namespace, name)
        if found is None:
            raise errors.not_found(plural, name)
        spec = found.data.get("spec") or {}
        if kind == "Pod" and spec.get("serviceAccountName") != account:
            raise errors.bad_request(
                f'cannot bind token for serviceaccount "{account}" to pod running with different '
                "serviceaccount name."
            )
        if bound.get("uid") and bound["uid"] != found.uid:
            why = (
                f"the UID in the bound object reference ({bound['uid']}) does not match the UID "
                "in record. The object might have been deleted and then recreated"
            )
            raise errors.conflict(kind, name, why)
        made: Json = {kind.lower(): {"name": name, "uid": found.uid}}
        if kind == "Pod" and spec.get("nodeName"):
            made["node"] = {"name": spec["nodeName"]}
            node = self._get("nodes", "", spec["nodeName"])
            if node is not None:
                made["node"]["uid"] = node.uid
        return made

"""Tokens of other issuers: whom a JWT of an OpenID Connect provider names.

Owns      signature, audience, end and claims of such a token, and the User that they make.
Leaves    the issuer's keys (remote_keys), what claims become what (claims).
Invariant only algorithms of public keys; a token is checked by a key of its own issuer alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.master.apiserver.authentication.claims import Claims
from busk8s.master.apiserver.authentication.credentials import Grant, Rejected, common
from busk8s.master.apiserver.authentication.remote_keys import Issuer, RemoteKeys
from busk8s.master.apiserver.outgoing import Outgoing

ALGORITHMS = (
    "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA",
)  # fmt: skip
LEEWAY_S = 300.0  # For `nbf` alone, as upstream's library has it.
DOTS = 2


@dataclass(frozen=True, slots=True)
class JwtIssuer:
    issuer: Issuer
    audiences: tuple[str, ...]
    claims: Claims
    algorithms: tuple[str, ...] = ALGORITHMS


class IssuedTokens:
    """`ours`: the audiences that mean this API server, which such a token stands for as a whole."""

    def __init__(
        self, issuers: Sequence[JwtIssuer], ours: Sequence[str], outgoing: Outgoing, clock: Clock
    ) -> None:
        self._by_url = {
            each.issuer.url: (each, RemoteKeys(each.issuer, outgoing, clock)) for each in issuers
        }
        self._ours, self._clock = tuple(ours), clock

    async def find(self, token: str, audiences: Sequence[str]) -> Grant | None:
        """None for a token of no issuer we know; raises Rejected."""
        if token.count(".") != DOTS:
            return None
        found = self._by_url.get(_issuer_of(token))
        granted = common(audiences, self._ours)
        if found is None or not granted:
            return None
        issuer, keys = found
        claims = await self._proved(token, issuer, keys)
        self._check(claims, issuer)
        return Grant(issuer.claims.user(claims), granted)

    async def _proved(self, token: str, issuer: JwtIssuer, keys: RemoteKeys) -> Json:
        import jwt

        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in issuer.algorithms or algorithm not in ALGORITHMS:
            raise Rejected("oidc: malformed jwt: unexpected signature algorithm")
        for candidate in await keys.candidates(header.get("kid")):
            if candidate.get("alg") not in (None, algorithm):
                continue
            try:
                key = jwt.PyJWK.from_dict(candidate, algorithm)
                claims: Json = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    options={
                        "verify_signature": True,
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                        "verify_aud": False,
                        "verify_sub": False,
                        "verify_jti": False,
                    },
                )
            except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
                continue
            return claims
        raise Rejected("oidc: verify token: failed to verify signature")

    def _check(self, claims: Json, issuer: JwtIssuer) -> None:
        now = self._clock.now()
        ends, begins = claims.get("exp"), claims.get("nbf")
        if not isinstance(ends, int | float) or not ends > now:  # NaN never ends, and is no end
            raise Rejected("oidc: verify token: token is expired")
        early = not isinstance(begins, int | float) or not begins <= now + LEEWAY_S
        if begins is not None and early:
            raise Rejected("oidc: verify token: current time is before the nbf (not before) time")
        said = claims.get("aud")
        names = said if isinstance(said, list) else [said]
        if not any(name in issuer.audiences for name in names if isinstance(name, str)):
            raise Rejected(f"oidc: verify token: expected audience in {list(issuer.audiences)}")


def _issuer_of(token: str) -> str:
    """The issuer it claims, unproved."""
    import jwt

    try:
        jwt.get_unverified_header(token)
        said = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""

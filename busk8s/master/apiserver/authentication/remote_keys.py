"""The keys of another issuer, fetched over HTTPS when a token needs them.

Owns      discovery, the key set, when to look again; bounds on all an issuer may answer.
Leaves    the call itself (outgoing), checking tokens (issued).
Invariant tokens cannot make us call the issuer more often than each `LOOK_AGAIN_S`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.authentication.credentials import Rejected
from busk8s.master.apiserver.outgoing import CallFailed, Outgoing, Target, target_of

DISCOVERY = "/.well-known/openid-configuration"
ANSWER_BYTES_MAX = 1024 * 1024
KEYS_MAX = 100  # Of one issuer; further ones are not read.
TRIED_MAX = 8  # Keys tried for a token that names none.
CALL_S = 10.0
LOOK_AGAIN_S = 10.0  # For a key that is not known, or after a failure.
FRESH_S = 3_600.0  # So long a set is used without looking again.
KINDS = frozenset({"RSA", "EC", "OKP"})  # Never `oct`: a secret is no issuer's public key.

log = Logger("busk8s.authentication")


@dataclass(frozen=True, slots=True)
class Issuer:
    """`discovery_url` "": below `url`. `ca` empty: the system's authorities."""

    url: str
    discovery_url: str = ""
    ca: bytes = b""


class RemoteKeys:
    def __init__(self, issuer: Issuer, outgoing: Outgoing, clock: Clock) -> None:
        self._issuer, self._outgoing, self._clock = issuer, outgoing, clock
        self._keys: list[Json] = []
        self._fetched_at = self._asked_at = float("-inf")
        self._lock = asyncio.Lock()  # One look at a time; who waited finds what the first found.

    async def candidates(self, kid: object) -> list[Json]:
        """Keys in JWK form that may have signed what names `kid`; raises Rejected."""
        now = self._clock.monotonic()
        found = self._matching(kid)
        if found and now - self._fetched_at < FRESH_S:
            return found
        async with self._lock:
            if self._clock.monotonic() - self._asked_at >= LOOK_AGAIN_S:
                await self._look()
        return self._matching(kid)

    def _matching(self, kid: object) -> list[Json]:
        if kid is None:
            return self._keys[:TRIED_MAX]
        return [key for key in self._keys if key.get("kid") == kid][:TRIED_MAX]

    async def _look(self) -> None:
        self._asked_at = self._clock.monotonic()
        try:
            address = self._issuer.discovery_url or self._issuer.url.rstrip("/") + DISCOVERY
            document = await self._get(address)
            if document.get("issuer") != self._issuer.url:
                raise CallFailed("the discovery document names another issuer")
            keys = (await self._get(str(document.get("jwks_uri", "")))).get("keys")
            if not isinstance(keys, list):
                raise CallFailed("the key set has no keys")
        except (CallFailed, ValueError) as why:
            # Old keys go on proving tokens: an issuer may be away for a while.
            log.warning("an issuer's keys cannot be had", issuer=self._issuer.url, why=why)
            if not self._keys:
                raise Rejected(f"oidc: fetching keys {why}") from None
            return
        self._keys = [key for key in keys[:KEYS_MAX] if _usable(key)]
        self._fetched_at = self._clock.monotonic()

    async def _get(self, url: str) -> Json:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise CallFailed(f"{url[:200]!r} is no https URL")
        target: Target = target_of({"url": url, "caBundle": self._issuer.ca})
        answer = await self._outgoing.call(
            target, b"", timeout_s=CALL_S, method="GET", query=parts.query,
            headers=(("Accept", "application/json"),), bytes_max=ANSWER_BYTES_MAX,
        )  # fmt: skip
        if answer.status != 200:
            raise CallFailed(f"{url[:200]}: status {answer.status}")
        found = orjson.loads(answer.body)
        if not isinstance(found, dict):
            raise CallFailed(f"{url[:200]}: not an object")
        return found


def _usable(key: Any) -> bool:
    return (
        isinstance(key, dict) and key.get("kty") in KINDS and key.get("use", "sig") in ("sig", None)
    )

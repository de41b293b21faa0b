"""Tokens of pods' ServiceAccounts: asked for before a volume needs them, renewed before they end.

Owns      the tokens of this node's pods, in memory alone; when the next one is due.
Leaves    writing them (volumes.py), saying who may have them (the API server).
Invariant a token that still holds is kept until a new one is there: a master that is away costs
          running pods nothing.
Source    Kubernetes: the kubelet's token manager.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from busk8s.api.meta import parse_time
from busk8s.api.object import Json
from busk8s.client.interface import Client
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.log import Logger
from busk8s.worker.kubelet.payload import VolumeError
from busk8s.worker.kubelet.pods import Pod

LIFE_SPENT = 0.8  # A token is renewed after so much of its life,
AGE_MAX_S = 24 * 3_600.0  # and at this age however long it holds.
RETRY_S = 60.0  # How long a renewal that failed waits; the old token holds meanwhile.
EXPIRATION_S = 3_600

log = Logger("kubelet.tokens")


class Key(NamedTuple):
    pod_uid: str
    audience: str
    seconds: int


class Held(NamedTuple):
    token: str
    ends_at: float
    due_at: float


class AccountTokens:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._held: dict[Key, Held] = {}

    async def obtain(self, pod: Pod) -> None:
        """Have a good token for each of the pod's sources; raises VolumeError when one lacks."""
        now = self._clock.now()
        for source in sources(pod):
            key = _key(pod, source)
            held = self._held.get(key)
            if held is not None and now < held.due_at:
                continue
            try:
                self._held[key] = await self._ask(pod, key, now)
            except Error as error:
                if held is None or held.ends_at <= now:
                    raise VolumeError(f"failed to fetch token: {error.message}") from error
                log.warning("token not renewed, will retry", pod=pod.key, why=error.message)
                self._held[key] = held._replace(due_at=min(now + RETRY_S, held.ends_at))

    async def _ask(self, pod: Pod, key: Key, now: float) -> Held:
        spec: Json = {
            "audiences": [key.audience] if key.audience else [],
            "expirationSeconds": key.seconds,
            "boundObjectRef": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": pod.name,
                "uid": pod.uid,
            },
        }
        account = str(pod.spec.get("serviceAccountName") or "default")
        status = await self._client.request_token(pod.namespace, account, spec)
        ends_at = parse_time(status["expirationTimestamp"])
        life = max(0.0, ends_at - now)
        return Held(str(status["token"]), ends_at, now + min(life * LIFE_SPENT, AGE_MAX_S))

    def find(self, pod: Pod, source: Json) -> str:
        held = self._held.get(_key(pod, source))
        if held is None:
            raise VolumeError("failed to fetch token: none has been asked for")
        return held.token

    def due_in_s(self, pod: Pod) -> float | None:
        """When the pod's next token is due; None when it has none."""
        dues = [
            held.due_at
            for source in sources(pod)
            if (held := self._held.get(_key(pod, source))) is not None
        ]
        return max(0.0, min(dues) - self._clock.now()) if dues else None

    def forget(self, pod: Pod) -> None:
        for source in sources(pod):
            self._held.pop(_key(pod, source), None)


def sources(pod: Pod) -> Iterator[Json]:
    for volume in pod.spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if (wanted := source.get("serviceAccountToken")) is not None:
                yield wanted


def _key(pod: Pod, source: Json) -> Key:
    seconds = int(source.get("expirationSeconds") or EXPIRATION_S)
    return Key(pod.uid, str(source.get("audience") or ""), seconds)

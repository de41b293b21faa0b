"""Leader election by Lease: of several copies of a component, one works.

Owns      taking, renewing and giving up the Lease, and stopping the work when it is lost.
Leaves    what the work is; whether there is an election at all (configuration).
Invariant (client-go's) nobody works without having renewed within RENEW_DEADLINE_S; another takes
          over only after it saw the Lease unchanged for its whole duration, by its own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from busk8s.api.meta import format_micro_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import LEASES
from busk8s.client.interface import Client
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.log import Logger
from busk8s.tasks import Job, supervise

LEASE_S = 15
RENEW_DEADLINE_S = 10.0
RETRY_S = 2.0

_log = Logger("busk8s.leader")


class LeadershipLost(Exception):
    """The Lease could not be renewed in time, or somebody else holds it."""


@dataclass
class Sighting:
    """The Lease as last seen changed, and when that was by our own clock."""

    revision: int = -1
    at: float = 0.0


def may_take(lease: Json | None, identity: str, seen: Sighting, monotonic: float) -> bool:
    """Whether the Lease is free, ours, or has not changed for as long as it lasts."""
    spec = (lease or {}).get("spec") or {}
    holder = spec.get("holderIdentity") or ""
    if holder in ("", identity):
        return True
    return monotonic > seen.at + float(spec.get("leaseDurationSeconds") or LEASE_S)


def taken(lease: Json | None, identity: str, now: float) -> Json:
    """The Lease's spec with `identity` as its holder."""
    spec = dict((lease or {}).get("spec") or {})
    stamp = format_micro_time(now)
    if spec.get("holderIdentity") != identity:
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + (lease is not None)
        spec["acquireTime"] = stamp
    return {
        **spec,
        "holderIdentity": identity,
        "leaseDurationSeconds": LEASE_S,
        "renewTime": stamp,
    }


class Election:
    def __init__(
        self,
        client: Client,
        name: str,
        identity: str,
        *,
        clock: Clock,
        namespace: str = "kube-system",
    ) -> None:
        self._client = client
        self._name = name
        self._identity = identity
        self._namespace = namespace
        self._clock = clock
        self._seen = Sighting()
        self.leading = False

    async def run(self, work: Callable[[], Job]) -> None:
        """Wait for the Lease, then do `work` while it is held. Raises LeadershipLost."""
        while not await self._attempt():
            await self._clock.sleep(RETRY_S)
        _log.info("leading", lease=self._name, identity=self._identity)
        self.leading = True
        try:
            await supervise(work(), self._renew())
        finally:
            self.leading = False
            await asyncio.shield(self._release())

    async def _renew(self) -> None:
        renewed = self._clock.monotonic()
        while True:
            await self._clock.sleep(RETRY_S)
            if await self._attempt():
                renewed = self._clock.monotonic()
            elif self._clock.monotonic() - renewed > RENEW_DEADLINE_S:
                raise LeadershipLost(f"lease {self._name} was not renewed in time")

    async def _attempt(self) -> bool:
        """Take or renew the Lease; False when it is another's or the server did not agree."""
        try:
            async with asyncio.timeout(RENEW_DEADLINE_S / 2):
                return await self._take()
        except (Error, TimeoutError) as error:
            _log.debug("lease not taken", lease=self._name, why=error)
            return False

    async def _take(self) -> bool:
        found = await self._find()
        if found is not None and found.revision != self._seen.revision:
            self._seen = Sighting(found.revision, self._clock.monotonic())
        data = found.copy() if found is not None else None
        if not may_take(data, self._identity, self._seen, self._clock.monotonic()):
            return False
        spec = taken(data, self._identity, self._clock.now())
        if data is None:
            await self._client.create(LEASES, self._new(spec), namespace=self._namespace)
        else:
            await self._client.update(LEASES, {**data, "spec": spec})
        return True

    async def _find(self) -> Object | None:
        try:
            return await self._client.get(LEASES, self._name, namespace=self._namespace)
        except Error as error:
            if error.reason != "NotFound":
                raise
            return None

    def _new(self, spec: Json) -> dict[str, Any]:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": spec,
        }

    async def _release(self) -> None:
        """Let the next one begin at once; if that fails the Lease runs out by itself."""
        try:
            async with asyncio.timeout(RETRY_S):
                found = await self._find()
                if found is not None and _holder(found) == self._identity:
                    spec = {"holderIdentity": "", "leaseDurationSeconds": 1}
                    metadata = {"resourceVersion": str(found.revision)}
                    await self._client.patch(
                        LEASES,
                        self._name,
                        {"metadata": metadata, "spec": spec},
                        namespace=self._namespace,
                    )
        except (Error, TimeoutError) as error:
            _log.debug("lease not released", lease=self._name, why=error)


def _holder(lease: Object) -> str:
    return str((lease.data.get("spec") or {}).get("holderIdentity") or "")

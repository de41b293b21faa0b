"""Beats written as Leases, while somebody watches: what watchers see are ordinary changes.

Owns      when the Leases of workers are in the store, and how often they are renewed there.
Leaves    what a Lease says (leases), beats (liveness).
Invariant nothing is written while nobody watches; a Lease somebody else holds is never touched;
          such writes need not outlive a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from busk8s.api.object import Json, encode
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.best_effort import commit
from busk8s.master.apiserver.leases import LEASES, NodeLeases
from busk8s.master.apiserver.liveness import LEASE_NAMESPACE, Liveness
from busk8s.master.store.base import Store, Write
from busk8s.master.store.watch import WatchCache, object_key

RENEW_EVERY_S = 10.0  # As upstream's kubelets: a quarter of a Lease's duration.
ROUND_MAX = 200  # Leases written in one transaction; other writers come between.

log = Logger("busk8s.leases")


class RenewedLeases(NodeLeases):
    """Meets attributes.Unstored. `run` renews until cancelled."""

    def __init__(self, liveness: Liveness, cache: WatchCache, store: Store, clock: Clock) -> None:
        super().__init__(liveness, cache)
        self._store, self._clock = store, clock
        self._watches = 0
        self._wanted = asyncio.Event()

    @asynccontextmanager
    async def watched(self, namespace: str) -> AsyncIterator[None]:
        """Around a watch of `namespace` ("": of all); the first finds all Leases in the store."""
        if namespace not in ("", LEASE_NAMESPACE):
            yield
            return
        self._watches += 1
        self._wanted.set()
        try:
            if self._watches == 1:
                await self.renew()
            yield
        finally:
            self._watches -= 1
            if not self._watches:
                self._wanted.clear()

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            await self._clock.sleep(RENEW_EVERY_S)
            if self._watches:
                await self.renew()

    async def renew(self) -> None:
        """Write what the beats since the last round have made."""
        names = self._liveness.nodes()
        for start in range(0, len(names), ROUND_MAX):
            batch = [
                write for name in names[start : start + ROUND_MAX] if (write := self._write(name))
            ]
            await commit(self._store, batch, log, "leases are not renewed")

    def _write(self, name: str) -> Write | None:
        stored = self._cache.get(LEASES.key, LEASE_NAMESPACE, name)
        data: Json | None = self.renewed(name, stored)
        if data is None:
            return None
        key = object_key(LEASES.key, LEASE_NAMESPACE, name)
        return Write(
            key, encode(data), expect=stored.revision if stored else 0, durable=False, tag=data
        )

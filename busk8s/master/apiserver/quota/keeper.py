"""Says in every quota's status what is used of it.

Owns      when a status is written: soon after a change, not at each.
Leaves    the sums (ledger).
"""

from __future__ import annotations

import asyncio

from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.loopback import Dispatch, ask
from busk8s.master.apiserver.quota.ledger import QUOTAS, Quotas
from busk8s.master.store.watch import WatchCache

SPACING_S = 0.02  # A burst of changes is one write.

log = Logger("busk8s.quota")


class QuotaKeeper:
    def __init__(self, quotas: Quotas, cache: WatchCache, dispatch: Dispatch, clock: Clock) -> None:
        self._quotas, self._cache = quotas, cache
        self._dispatch, self._clock = dispatch, clock
        self._changed = dict.fromkeys(quotas.names())
        self._awake = asyncio.Event()
        self._awake.set()
        quotas.on_change = self._note

    def _note(self, namespace: str, name: str) -> None:
        self._changed[namespace, name] = None
        self._awake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            await self.settle()
            await self._clock.sleep(SPACING_S)

    async def settle(self) -> None:
        """Write the status of every quota that has changed."""
        changed, self._changed = list(self._changed), {}
        for namespace, name in changed:
            if not await self._write(namespace, name):
                self._note(namespace, name)

    async def _write(self, namespace: str, name: str) -> bool:
        quota = self._quotas.find(namespace, name)
        stored = self._cache.get(QUOTAS, namespace, name)
        if quota is None or stored is None:
            return True
        status: Json = {
            "hard": (stored.data.get("spec") or {}).get("hard") or {},
            "used": {each: quota.shown(each, quota.used.get(each, 0)) for each in quota.hard},
        }
        if status == stored.data.get("status"):
            return True
        path = f"/api/v1/namespaces/{namespace}/resourcequotas/{name}/status"
        code, answer = await ask(self._dispatch, "PUT", path, {**stored.data, "status": status})
        if code not in (200, 404, 409):
            log.warning("a quota's status was refused", namespace=namespace, name=name, why=answer)
        return code != 409

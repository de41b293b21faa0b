"""Says in every FlowSchema's status whether the level that it names is there.

Owns      the condition Dangling, upstream's words. Leaves   what a schema does (gate).
Invariant a status is written only when it changed; a burst of changes is one round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from busk8s.api import scheme
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.fairness.defaults import GROUP
from busk8s.master.apiserver.loopback import Dispatch, ask
from busk8s.master.store.watch import Event, WatchCache

SPACING_S = 0.05
RETRY_S = 1.0
_SCHEMAS = scheme.FLOWSCHEMAS.key
_LEVELS = scheme.PRIORITYLEVELCONFIGURATIONS.key
_LOST = (404, 409)  # Gone, or written in between: the change wakes us again.

log = Logger("busk8s.fairness")


class DanglingSchemas:
    """`run` keeps the statuses true until cancelled."""

    def __init__(self, cache: WatchCache, dispatch: Dispatch, clock: Clock) -> None:
        self._cache, self._dispatch, self._clock = cache, dispatch, clock
        self._awake = asyncio.Event()
        self._awake.set()
        cache.on_events(self._observe)

    def _observe(self, events: Sequence[Event]) -> None:
        if any(event.object.resource.key in (_SCHEMAS, _LEVELS) for event in events):
            self._awake.set()

    async def run(self) -> None:
        while True:
            await self._awake.wait()
            await self._clock.sleep(SPACING_S)
            self._awake.clear()
            if not await self.settle():
                await self._clock.sleep(RETRY_S)
                self._awake.set()

    async def settle(self) -> bool:
        """Write what is not so yet; whether all of it could be written."""
        well = True
        for schema in self._cache.list(_SCHEMAS):
            wanted = condition(schema, self._level_of(schema), self._clock.now())
            if wanted is not None:
                well = await self._write(schema, wanted) and well
        return well

    def _level_of(self, schema: Object) -> Object | None:
        return self._cache.get(_LEVELS, "", _named(schema.glance()))

    async def _write(self, schema: Object, wanted: Json) -> bool:
        data = schema.copy()
        status = data.setdefault("status", {})
        others = [c for c in status.get("conditions") or () if c.get("type") != "Dangling"]
        status["conditions"] = [*others, wanted]
        path = f"/apis/{GROUP}/flowschemas/{schema.name}/status"
        code, answer = await ask(self._dispatch, "PUT", path, data)
        if code != 200 and code not in _LOST:
            log.warning("a flow schema's status was refused", name=schema.name, why=answer)
            return False
        return True


def _named(data: Json) -> str:
    """The level that a schema names."""
    return str(((data.get("spec") or {}).get("priorityLevelConfiguration") or {}).get("name", ""))


def condition(schema: Object, level: Object | None, now: float) -> Json | None:
    """The condition that `schema` should have; None: it has it."""
    data = schema.glance()
    name = _named(data)
    said = f'This FlowSchema references the PriorityLevelConfiguration object named "{name}"'
    wanted: Json = {"type": "Dangling", "status": "False", "reason": "Found"}
    wanted["message"] = f"{said} and it exists"
    if level is None:
        wanted |= {"status": "True", "reason": "NotFound"}
        wanted["message"] = f"{said} but there is no such object"
    conditions = (data.get("status") or {}).get("conditions") or ()
    before: Json = next((c for c in conditions if c.get("type") == "Dangling"), {})
    if all(before.get(key) == value for key, value in wanted.items()):
        return None
    since = format_time(now)
    if before.get("status") == wanted["status"]:
        since = before.get("lastTransitionTime") or since
    return {**wanted, "lastTransitionTime": since}

"""The gate before every request: its flow and its level.

Owns      which flow a request belongs to (remembered), the levels as the objects say, the headers
          that name both.
Leaves    queues (level), rules (matching), how wide a request is (width).
Invariant the present objects are what counts, from the request after their change on; without any
          nothing is limited. A request that nobody makes wait costs one dictionary lookup, no task.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from busk8s.api import scheme
from busk8s.api.request import User
from busk8s.master.apiserver import waits
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.fairness.level import Level, Seat, Shape, TurnedAway
from busk8s.master.apiserver.fairness.matching import Asked, Schema, schema_of
from busk8s.master.apiserver.fairness.tally import Tallies, Tally
from busk8s.master.store.watch import Event, WatchCache
from busk8s.metrics import Family

Json = dict[str, Any]

SEATS = 600  # As upstream: 400 reading and 200 writing requests at once, shared by the levels.
FLOWS_MAX = 4_096  # Flows remembered; beyond it all are looked up again.
_SCHEMAS = scheme.FLOWSCHEMAS.key
_LEVELS = scheme.PRIORITYLEVELCONFIGURATIONS.key


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests that are served in turn with those of other flows of their level."""

    level: Level
    name: str
    headers: tuple[tuple[str, str], ...]
    tally: Tally


class Gate:
    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._levels: dict[str, Level] = {}
        self._schemas: Sequence[Schema] = ()
        self._flows: dict[tuple[object, ...], Flow | None] = {}
        self._stale = True
        self.tallies = Tallies()
        cache.on_events(self._observe)

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.object.resource.key in (_SCHEMAS, _LEVELS):
                self._stale = True

    def flow_of(self, attributes: Attributes) -> Flow | None:
        """The flow a request belongs to; None while there are no objects that say."""
        if self._stale:
            self._read()
        user, resource = attributes.user, attributes.resource
        asked = resource.key if resource is not None else attributes.path
        key = (
            user.name, user.groups, attributes.verb, asked, attributes.subresource,
            attributes.namespace,
        )  # fmt: skip
        try:
            return self._flows[key]
        except KeyError:
            if len(self._flows) >= FLOWS_MAX:
                self._flows.clear()
            found = self._flows[key] = self._find(user, _asked(attributes))
            return found

    def _find(self, user: User, asked: Asked) -> Flow | None:
        for schema in self._schemas:
            level = self._levels.get(schema.level)
            if level is None or not schema.matches(user, asked):
                continue
            told = {"ByUser": user.name, "ByNamespace": asked.namespace}.get(schema.by, "")
            headers = (
                ("X-Kubernetes-PF-FlowSchema-UID", schema.uid),
                ("X-Kubernetes-PF-PriorityLevel-UID", level.uid),
            )
            tally = self.tallies.of(schema.name, level.name)
            return Flow(level, f"{schema.name}/{told}", headers, tally)
        return None

    async def seat(self, flow: Flow, width: int, kind: str) -> Seat:
        """A seat when it is the flow's turn. `kind`: mutating or readOnly. Raises 429."""
        tally = flow.tally
        if flow.level.take(width):
            tally.waits.counts[0] += 1
        else:
            await self._wait(flow, width, kind)
        tally.dispatched += 1
        return Seat(flow.level, width, tally)

    async def _wait(self, flow: Flow, width: int, kind: str) -> None:
        loop, tally, queued = asyncio.get_running_loop(), flow.tally, self.tallies.queued
        began = loop.time()
        tally.waiting += 1
        queued[kind] += 1
        try:
            await flow.level.wait(flow.name, width)
            tally.waits.observe(loop.time() - began)
        except TurnedAway as refused:
            tally.refuse(refused.why)
            self.tallies.gave_up(tally, loop.time() - began)
            raise
        except asyncio.CancelledError:
            tally.cancelled += 1
            raise
        finally:
            waits.add(loop.time() - began)
            queued[kind] -= 1
            tally.waiting -= 1

    def families(self) -> Sequence[Family]:
        return self.tallies.families(self.levels)

    def levels(self) -> Sequence[Level]:
        return tuple(self._levels.values())

    def _read(self) -> None:
        """Take in the objects as they are; running and waiting requests keep their level."""
        self._stale = False
        self._flows.clear()
        schemas = [schema_of(obj.glance()) for obj in self._cache.list(_SCHEMAS)]
        self._schemas = sorted(schemas, key=lambda one: (one.precedence, one.name))
        objects = [obj.glance() for obj in self._cache.list(_LEVELS)]
        shares = sum(_shares(one) for one in objects) or 1
        before, self._levels = self._levels, {}
        for one in objects:
            name, uid = one["metadata"]["name"], one["metadata"].get("uid", "")
            level = before.get(name) or Level(name, uid, Shape())
            level.uid, level.shape = uid, _shape(one, shares)
            self._levels[name] = level


def _asked(attributes: Attributes) -> Asked:
    resource = attributes.resource
    if resource is None:
        return Asked(attributes.verb, path=attributes.path)
    part = f"/{attributes.subresource}" if attributes.subresource else ""
    return Asked(
        attributes.verb,
        resource.group,
        resource.plural + part,
        resource.namespaced,
        attributes.namespace,
    )


def _shares(level: Json) -> int:
    spec = level.get("spec") or {}
    own = spec.get("limited") or spec.get("exempt") or {}
    return int(own.get("nominalConcurrencyShares", 0))


def _shape(level: Json, shares: int) -> Shape:
    spec = level.get("spec") or {}
    if spec.get("type") == "Exempt":
        return Shape()
    seats = max(math.ceil(SEATS * _shares(level) / shares), 1)
    response = (spec.get("limited") or {}).get("limitResponse") or {}
    queuing = response.get("queuing") or {}
    if response.get("type") != "Queue":
        return Shape(seats)
    length, hand = queuing.get("queueLengthLimit", 50), queuing.get("handSize", 8)
    queues = queuing.get("queues", 64)
    return Shape(seats, per_flow=length * min(hand, queues), waiting=length * queues)

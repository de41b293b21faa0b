"""How many replicas each ReplicaSet of a Deployment should have, one step further. Pure.

Owns      surge and unavailability in numbers, the steps of a rolling update, proportional scaling.
Leaves    which ReplicaSet is new (revision), the order of steps and the status (deployment_plan).
Invariant the sum of sizes never rises above replicas + surge by a step; no step takes available
          pods below replicas - unavailable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from busk8s.api.object import Json, Object
from busk8s.master.controllers.children import spec_of, status_of
from busk8s.master.controllers.revision import DESIRED, MAX, number_in


@dataclass(frozen=True)
class Member:
    """One ReplicaSet, as far as its size goes."""

    name: str
    replicas: int
    available: int = 0
    created: str = ""
    desired: int | None = None  # Its annotations: the size of the Deployment it was scaled for,
    max: int | None = None  # and that with surge.

    @property
    def ready_to_lose(self) -> int:
        # A status may be older than the last scaling: what is asked to go is not counted on.
        return min(self.available, self.replicas)


def member(rs: Object) -> Member:
    replicas = spec_of(rs).get("replicas")
    return Member(
        name=rs.name,
        replicas=1 if replicas is None else int(replicas),
        available=int(status_of(rs).get("availableReplicas") or 0),
        created=rs.metadata.get("creationTimestamp") or "",
        desired=number_in(rs, DESIRED),
        max=number_in(rs, MAX),
    )


@dataclass(frozen=True)
class Bounds:
    """What a Deployment asks for, in pods."""

    replicas: int
    surge: int
    unavailable: int
    rolling: bool = True

    @property
    def total_max(self) -> int:
        return self.replicas + self.surge

    @property
    def available_min(self) -> int:
        return self.replicas - self.unavailable


Sizes = Mapping[str, int]  # name -> replicas, only those that change.


def bounds(deployment: Object) -> Bounds:
    spec = spec_of(deployment)
    replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Bounds(replicas, 0, 0, rolling=False)
    rolling: Json = strategy.get("rollingUpdate") or {}
    surge = portion(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = portion(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1  # Rounding must not bring a rollout to a stop.
    return Bounds(replicas, surge, min(unavailable, replicas))


def portion(value: int | str, total: int, *, round_up: bool) -> int:
    """`value` in pods: a number, or a percentage of `total`."""
    if isinstance(value, str) and value.endswith("%"):
        share = int(value[:-1]) * total
        return -(-share // 100) if round_up else share // 100
    return int(value)


def by_age(members: Sequence[Member]) -> list[Member]:
    return sorted(members, key=lambda m: (m.created, m.name))


def new_size(bound: Bounds, new: Member, olds: Sequence[Member]) -> int:
    """How far the new ReplicaSet may grow now (it shrinks to size at once)."""
    if not bound.rolling or new.replicas >= bound.replicas:
        return bound.replicas
    room = bound.total_max - new.replicas - sum(old.replicas for old in olds)
    return new.replicas + max(0, min(room, bound.replicas - new.replicas))


def old_sizes(bound: Bounds, new: Member, olds: Sequence[Member]) -> Sizes:
    """Smaller sizes for the old ones: unhealthy pods first, then as many as can be spared."""
    everyone = [new, *olds]
    new_unavailable = new.replicas - new.ready_to_lose
    spare = sum(m.replicas for m in everyone) - bound.available_min - new_unavailable
    if spare <= 0:
        return {}
    cleaned = _without_unhealthy(by_age(olds), spare)
    available = sum(m.ready_to_lose for m in (new, *cleaned))
    spare = min(available - bound.available_min, spare)
    sizes: dict[str, int] = {}
    for old in cleaned:
        take = min(old.replicas, max(0, spare))
        spare -= take
        sizes[old.name] = old.replicas - take
    before = {old.name: old.replicas for old in olds}
    return {name: size for name, size in sizes.items() if size != before[name]}


def _without_unhealthy(olds: Sequence[Member], spare: int) -> list[Member]:
    result = []
    for old in olds:
        take = min(max(0, spare), old.replicas - old.ready_to_lose)
        spare -= take
        result.append(replace(old, replicas=old.replicas - take))
    return result


def is_scaling(bound: Bounds, members: Sequence[Member]) -> bool:
    """Whether the Deployment was resized since its active ReplicaSets were."""
    return any(m.desired is not None and m.desired != bound.replicas for m in members if m.replicas)


def scaled_sizes(bound: Bounds, new: Member | None, olds: Sequence[Member]) -> Sizes:
    """Sizes after the Deployment itself was resized, or while it is paused."""
    active = [m for m in (*olds, *([new] if new else [])) if m.replicas > 0]
    if len(active) <= 1:
        latest = active[0] if active else new or _latest(olds)
        if latest is None or latest.replicas == bound.replicas:
            return {}
        return {latest.name: bound.replicas}
    if new is not None and _is_saturated(bound, new):
        return {old.name: 0 for old in olds if old.replicas}
    return _proportional(bound, active) if bound.rolling else {}


def _latest(members: Sequence[Member]) -> Member | None:
    return by_age(members)[-1] if members else None


def _is_saturated(bound: Bounds, new: Member) -> bool:
    return bound.replicas == new.replicas == new.desired == new.available


def _proportional(bound: Bounds, active: Sequence[Member]) -> Sizes:
    """Spread the difference over the active ones by their share; the largest takes the rest."""
    allowed = bound.total_max if bound.replicas > 0 else 0
    to_add = allowed - sum(m.replicas for m in active)
    newest_first = sorted(active, key=lambda m: (m.created, m.name), reverse=to_add > 0)
    ordered = sorted(newest_first, key=lambda m: -m.replicas)
    added = 0
    sizes: dict[str, int] = {}
    for m in ordered:
        share = _share(bound, m)
        left = to_add - added
        part = min(share, left) if to_add > 0 else max(share, left)
        if to_add == 0 or (part > 0) != (to_add > 0):
            part = 0
        added += part
        sizes[m.name] = m.replicas + part
    if ordered:
        first = ordered[0].name
        sizes[first] = max(0, sizes[first] + to_add - added)
    before = {m.name: m.replicas for m in active}
    return {name: size for name, size in sizes.items() if size != before[name]}


def _share(bound: Bounds, m: Member) -> int:
    if bound.replicas == 0:
        return -m.replicas
    before_max = m.max or bound.total_max
    # Half away from zero, as Go's integer.RoundToInt32 does.
    return math.floor(m.replicas * bound.total_max / before_max + 0.5) - m.replicas

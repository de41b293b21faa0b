"""Pods that wait for a node: active, backing off, or unschedulable until something changes.

Owns      the three places a waiting pod can be in, and when it moves.
Leaves    what a change means for a plug-in (framework.Profile.may_help).
Invariant a pod is in exactly one place, or in flight (popped, not yet decided on). What changed
          while a pod was in flight is not missed: it then goes to back-off, not to the pool.
Source    kube-scheduler's scheduling queue: activeQ, backoffQ, unschedulablePods.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count

from busk8s.master.scheduler.pod import PodInfo

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 10.0
UNSCHEDULABLE_MAX_S = 300.0  # A pod is looked at again after this long, whatever happened.

SortKey = Callable[[PodInfo], tuple[float, ...]]
MayHelp = Callable[[frozenset[str], str], bool]


class SchedulingQueue:
    """Keyed by pod uid. Entries in heaps that were overtaken are skipped when they come up."""

    def __init__(self, sort_key: SortKey, may_help: MayHelp) -> None:
        self._sort_key = sort_key
        self._may_help = may_help
        self._serial = count()
        self._pods: dict[str, PodInfo] = {}
        self._active: list[tuple[tuple[float, ...], int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._place: dict[str, int] = {}  # uid -> serial of its one valid heap entry.
        self._pool: dict[str, float] = {}  # uid -> when it was found unschedulable.
        self._in_flight: dict[str, int] = {}  # uid -> changes seen when it was popped.
        self._changes: list[str] = []

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    @property
    def counts(self) -> tuple[int, int, int]:
        """(active, backing off, unschedulable)."""
        pooled = len(self._pool)
        backing_off = sum(self._place.get(u) == s for _, s, u in self._backoff)
        return len(self._place) - backing_off, backing_off, pooled

    def add(self, pod: PodInfo, now: float) -> None:
        """A pod that waits, new or changed. A changed one gets a new chance at once."""
        known = self._pods.get(pod.uid)
        if known is not None:
            pod.queued_at, pod.attempts = known.queued_at, known.attempts
            self._pods[pod.uid] = pod
            if known.kind is pod.kind or pod.uid in self._in_flight:
                return
        else:
            pod.queued_at = now
            self._pods[pod.uid] = pod
        self._pool.pop(pod.uid, None)
        self._activate(pod)

    def drop(self, uid: str) -> None:
        """The pod is gone, or needs no node any more."""
        self._pods.pop(uid, None)
        self._place.pop(uid, None)
        self._pool.pop(uid, None)
        self._land(uid)

    def pop(self, now: float) -> PodInfo | None:
        """The next pod to decide on; in flight until `drop`, `retry` or `park`."""
        self._flush(now)
        while self._active:
            _, serial, uid = heapq.heappop(self._active)
            if self._place.get(uid) != serial:
                continue
            del self._place[uid]
            self._in_flight[uid] = len(self._changes)
            pod = self._pods[uid]
            pod.attempts += 1
            return pod
        return None

    def park(self, pod: PodInfo, failed_plugins: frozenset[str], now: float) -> None:
        """No node fits: wait for a change that may help, unless one came meanwhile."""
        if pod.uid not in self._pods:
            self._land(pod.uid)
            return
        seen = self._changes[self._in_flight.get(pod.uid, len(self._changes)) :]
        self._land(pod.uid)
        pod.failed_plugins = failed_plugins
        if any(self._may_help(failed_plugins, change) for change in seen):
            self._back_off(pod, now)
        else:
            self._pool[pod.uid] = now

    def retry(self, pod: PodInfo, now: float) -> None:
        """The attempt failed for a reason other than fit: again, after the back-off."""
        self._land(pod.uid)
        if pod.uid in self._pods:
            self._back_off(pod, now)

    def changed(self, what: str, now: float) -> None:
        """Something happened ("node" or "pod") that may let unschedulable pods fit."""
        if self._in_flight:
            self._changes.append(what)
        helped = [uid for uid in self._pool if self._may_help(self._pods[uid].failed_plugins, what)]
        for uid in helped:
            del self._pool[uid]
            self._back_off(self._pods[uid], now)

    def next_at(self, now: float) -> float | None:
        """When `pop` may have something new, if nothing changes; None = never."""
        if self._active:
            return now
        times = [at for at, _, _ in self._backoff[:1]]
        if self._pool:
            times.append(min(self._pool.values()) + UNSCHEDULABLE_MAX_S)
        return min(times, default=None)

    def waiting(self) -> Sequence[PodInfo]:
        return list(self._pods.values())

    def _activate(self, pod: PodInfo) -> None:
        serial = self._place[pod.uid] = next(self._serial)
        heapq.heappush(self._active, (self._sort_key(pod), serial, pod.uid))

    def _back_off(self, pod: PodInfo, now: float) -> None:
        """Doubles with each attempt, up to the maximum."""
        delay = min(BACKOFF_FIRST_S * 2 ** min(max(pod.attempts - 1, 0), 10), BACKOFF_MAX_S)
        serial = self._place[pod.uid] = next(self._serial)
        heapq.heappush(self._backoff, (now + delay, serial, pod.uid))

    def _flush(self, now: float) -> None:
        while self._backoff and self._backoff[0][0] <= now:
            _, serial, uid = heapq.heappop(self._backoff)
            if self._place.get(uid) == serial:
                self._activate(self._pods[uid])
        if self._pool:
            stale = [uid for uid, at in self._pool.items() if at + UNSCHEDULABLE_MAX_S <= now]
            for uid in stale:
                del self._pool[uid]
                self._activate(self._pods[uid])

    def _land(self, uid: str) -> None:
        self._in_flight.pop(uid, None)
        if not self._in_flight:
            self._changes.clear()

"""Pods that wait for a node: active, backing off, or unschedulable until something changes.

Owns      the three places a waiting pod can be in, and when it moves.
Leaves    what a change means for a plug-in (framework.Profile.may_help).
Invariant a pod is in exactly one place, or in flight (popped, not yet decided on). What changed
          while a pod was in flight is not missed: it then goes to back-off, not to the pool.
Source    kube-scheduler's scheduling queue: activeQ, backoffQ, unschedulablePods.
"""

from __future__ import annotations

import heapq
from collections import Counter
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
        # uid -> when it was found unschedulable, and the plug-ins that refused it.
        self._pool: dict[str, tuple[float, frozenset[str]]] = {}
        self._pooled_by: Counter[frozenset[str]] = Counter()  # How many of the pool.
        self._in_flight: dict[str, int] = {}  # uid -> how many changes there were when popped.
        self._changes = 0
        self._last: dict[str, int] = {}  # What changed -> its latest number.

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
            if known.sort is pod.sort or pod.uid in self._in_flight:
                return
        else:
            pod.queued_at = now
            self._pods[pod.uid] = pod
        self._leave_pool(pod.uid)
        self._activate(pod)

    def drop(self, uid: str) -> None:
        """The pod is gone, or needs no node any more."""
        self._pods.pop(uid, None)
        self._place.pop(uid, None)
        self._leave_pool(uid)
        self._land(uid)

    def pop(self, now: float) -> PodInfo | None:
        """The next pod to decide on; in flight until `drop`, `retry` or `park`."""
        self._flush(now)
        while self._active:
            _, serial, uid = heapq.heappop(self._active)
            if self._place.get(uid) != serial:
                continue
            del self._place[uid]
            self._in_flight[uid] = self._changes
            pod = self._pods[uid]
            pod.attempts += 1
            return pod
        return None

    def park(self, pod: PodInfo, failed_plugins: frozenset[str], now: float) -> None:
        """No node fits: wait for a change that may help, unless one came meanwhile."""
        if pod.uid not in self._pods:
            self._land(pod.uid)
            return
        since = self._in_flight.get(pod.uid, self._changes)
        seen = [change for change, number in self._last.items() if number > since]
        self._land(pod.uid)
        if any(self._may_help(failed_plugins, change) for change in seen):
            self._back_off(pod, now)
        else:
            self._pool[pod.uid] = (now, failed_plugins)
            self._pooled_by[failed_plugins] += 1

    def retry(self, pod: PodInfo, now: float) -> None:
        """The attempt failed for a reason other than fit: again, after the back-off."""
        self._land(pod.uid)
        if pod.uid in self._pods:
            self._back_off(pod, now)

    def changed(self, what: str, now: float) -> None:
        """Something happened ("node", "pod", "assigned") that may let unschedulable pods fit."""
        self._changes += 1
        self._last[what] = self._changes
        helping = {failed for failed in self._pooled_by if self._may_help(failed, what)}
        if not helping:
            return
        for uid in [uid for uid, (_, failed) in self._pool.items() if failed in helping]:
            self._leave_pool(uid)
            self._back_off(self._pods[uid], now)

    def next_at(self, now: float) -> float | None:
        """When `pop` may have something new, if nothing changes; None = never."""
        if self._active:
            return now
        times = [at for at, _, _ in self._backoff[:1]]
        if self._pool:
            times.append(min(at for at, _ in self._pool.values()) + UNSCHEDULABLE_MAX_S)
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
            stale = [u for u, (at, _) in self._pool.items() if at + UNSCHEDULABLE_MAX_S <= now]
            for uid in stale:
                self._leave_pool(uid)
                self._activate(self._pods[uid])

    def _leave_pool(self, uid: str) -> None:
        parked = self._pool.pop(uid, None)
        if parked is None:
            return
        failed = parked[1]
        self._pooled_by[failed] -= 1
        if not self._pooled_by[failed]:
            del self._pooled_by[failed]

    def _land(self, uid: str) -> None:
        self._in_flight.pop(uid, None)

"""Which nodes are heard of: last beats in memory, silence found by sweeping.

Owns      the time of each node's last beat, and who is silent.
Leaves    taking beats in (bus), what silence leads to (node lifecycle controller), the Leases that
          clients see (leases).
Invariant a beat costs one dictionary write; the store is never written for it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from busk8s.clock import Clock
from busk8s.protocol import LIVENESS_RESOURCE, PUT, SILENT_AFTER_S, Entry

LEASE_NAMESPACE = "kube-node-lease"
# Of nodes that renew a Lease over HTTPS instead of beating: upstream's node-monitor-grace-period.
UNJOINED_GRACE_S = 50.0

Flip = Callable[[str, bool], None]


class Liveness:
    """`on_flip(node, silent)` is called when a node falls silent and when it is back."""

    def __init__(self, on_flip: Flip, *, clock: Clock, grace_s: float = SILENT_AFTER_S) -> None:
        self._on_flip = on_flip
        self._clock = clock  # Only to say in wall-clock time when a beat came.
        self._grace_s = grace_s
        self._beats: dict[str, float] = {}
        self._graces: dict[str, float] = {}  # Of nodes that have one of their own.
        self._silent: dict[str, None] = {}

    def expect(self, node: str, now: float) -> None:
        """The Node exists: it must be heard of within the grace from `now` (monotonic)."""
        self._beats.setdefault(node, now)

    def grant(self, node: str, grace_s: float | None) -> None:
        """A grace of its own for a node that is no worker of the bus; None: as all others."""
        if grace_s is None:
            self._graces.pop(node, None)
        else:
            self._graces[node] = grace_s

    def forget(self, node: str) -> None:
        self._beats.pop(node, None)
        self._graces.pop(node, None)
        self._silent.pop(node, None)

    def beat(self, node: str, now: float) -> None:
        if node in self._beats:  # A beat that was under way when the Node was deleted is nobody's.
            self._beats[node] = now
            if node in self._silent:
                del self._silent[node]
                self._on_flip(node, False)

    def sweep(self, now: float) -> None:
        """Find who has been silent for longer than the grace. Called about twice a second."""
        for node, at in self._beats.items():
            if now - at <= self._grace_s or node in self._silent:
                continue
            if now - at > self._graces.get(node, 0.0):
                self._silent[node] = None
                self._on_flip(node, True)

    def pardon(self, now: float) -> None:
        """The master itself was away (stopped, suspended): nobody could be heard meanwhile."""
        for node in self._beats:
            if node not in self._silent:
                self._beats[node] = now

    def entries(self, revision: int) -> list[Entry]:
        """The whole `liveness` topic."""
        return [self.entry(node, revision) for node in self._beats]

    def entry(self, node: str, revision: int) -> Entry:
        body = orjson.dumps(
            {
                "kind": LIVENESS_RESOURCE.kind,
                "apiVersion": LIVENESS_RESOURCE.api_version,
                "metadata": {"name": node, "resourceVersion": str(revision)},
                "lastBeat": self._wall(self._beats[node]),
                "silent": node in self._silent,
            }
        )
        return (PUT, LIVENESS_RESOURCE.key, "", node, revision, body)

    def last_beat(self, node: str) -> str | None:
        """When it was, as the renewTime of a Lease says it."""
        at = self._beats.get(node)
        if at is None:
            return None
        moment = datetime.fromtimestamp(self._wall(at), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def nodes(self) -> list[str]:
        return sorted(self._beats)

    def _wall(self, at: float) -> float:
        """Times are kept on the clock that never jumps, or a set clock would silence everyone."""
        return self._clock.now() - (self._clock.monotonic() - at)

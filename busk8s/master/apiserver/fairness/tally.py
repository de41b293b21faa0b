"""What each priority level does for each flow schema, counted.

Owns      the counts of one pair of level and schema, and the families made of all of them.
Leaves    seats and turns (level), which request is whose (gate).
Invariant a request that does not wait costs a handful of additions.
Source    Kubernetes reference, "Kubernetes Metrics Reference".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from busk8s.metrics import Counter, Family, Gauge, Histogram, Labels

WAIT_S = (0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
_PAIR = ("flow_schema", "priority_level")
_PREFIX = "apiserver_flowcontrol_"


class Tally:
    """`waits`: where the times of those that were let in go."""

    __slots__ = (
        "at", "cancelled", "dispatched", "executing", "rejected", "seats", "waiting", "waits",
    )  # fmt: skip

    def __init__(self, schema: str, level: str, waits: Histogram) -> None:
        self.at: Labels = (schema, level)
        self.waits = waits.cell(("true", schema, level))
        self.dispatched = self.executing = self.seats = self.waiting = self.cancelled = 0
        self.rejected: dict[str, int] = {}

    def refuse(self, reason: str) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1


class Bounded(Protocol):
    """A priority level, as far as it is told of here."""

    @property
    def name(self) -> str: ...

    @property
    def seats(self) -> int: ...


class Tallies:
    """Of all pairs that were ever asked for; schemas that go leave their counts."""

    def __init__(self) -> None:
        self._tallies: dict[Labels, Tally] = {}
        self.queued = {"mutating": 0, "readOnly": 0}
        self._waits = Histogram(
            _PREFIX + "request_wait_duration_seconds",
            "Time that requests waited for their turn.",
            WAIT_S,
            ("execute", *_PAIR),
        )

    def of(self, schema: str, level: str) -> Tally:
        found = self._tallies.get((schema, level))
        if found is None:
            found = self._tallies[(schema, level)] = Tally(schema, level, self._waits)
        return found

    def of_level(self, level: str) -> Sequence[Tally]:
        return [tally for (_, of), tally in self._tallies.items() if of == level]

    def gave_up(self, tally: Tally, seconds: float) -> None:
        self._waits.observe(seconds, ("false", *tally.at))

    def families(self, levels: Callable[[], Iterable[Bounded]]) -> Sequence[Family]:
        return (
            self._waits,
            self._each("dispatched_requests_total", "Requests let in.", lambda t: t.dispatched,
                       kind="counter"),
            Gauge(_PREFIX + "rejected_requests_total", "Requests turned away, by why.",
                  self._rejected, ("flow_schema", "priority_level", "reason"), kind="counter"),
            self._each("current_inqueue_requests", "Requests that wait.", lambda t: t.waiting),
            self._each("current_executing_requests", "Requests at work.", lambda t: t.executing),
            self._each("current_executing_seats", "Seats in use.", lambda t: t.seats),
            _of_levels("nominal_limit_seats", "Seats of each level.", levels),
            _of_levels("current_limit_seats", "Seats of each level now.", levels),
            Gauge("apiserver_current_inqueue_requests", "Requests that wait, by their kind.",
                  lambda: {(kind,): count for kind, count in self.queued.items()},
                  ("request_kind",)),
        )  # fmt: skip

    def _each(
        self, name: str, help: str, read: Callable[[Tally], int], *, kind: str = "gauge"
    ) -> Gauge:
        return Gauge(
            _PREFIX + name,
            help,
            lambda: {tally.at: read(tally) for tally in self._tallies.values()},
            _PAIR,
            kind=kind,
        )

    def _rejected(self) -> dict[Labels, float]:
        found = Counter("", "", _PAIR)
        for tally in self._tallies.values():
            for reason, count in tally.rejected.items():
                found.inc((*tally.at, reason), count)
        return found.values


def _of_levels(name: str, help: str, levels: Callable[[], Iterable[Bounded]]) -> Gauge:
    return Gauge(
        _PREFIX + name,
        help,
        lambda: {(level.name,): level.seats for level in levels()},
        ("priority_level",),
    )

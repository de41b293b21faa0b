"""What the store and the watch cache do, by resource: writes, lists, events sent to watches.

Owns      the families and their labels. Leaves   storing and watching (store, watching).
Invariant an event that many watch is measured once; each of its watches costs an addition.
Differs from Kubernetes: there is no etcd. Under its names are the writes to busk8s' own store;
          reads come from memory and have no such time.
Source    Kubernetes reference, "Kubernetes Metrics Reference".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from busk8s.api.scheme import Resource
from busk8s.master.store.watch import WatchCache
from busk8s.metrics import Cell, Counter, Family, Gauge, Histogram, Labels, exponential

COMMIT_S = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0,
    4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
)  # fmt: skip
EVENT_BYTES = exponential(1024, 2.0, 8)
FROM = "watchcache"  # Where lists come from, in upstream's word.
_OF = ("group", "resource")
_LISTED = ("group", "index", "resource", "storage")

Change = Literal["create", "update", "delete"]


class Told:
    """Events sent to watches of one resource in one version."""

    __slots__ = ("events", "sizes")

    def __init__(self, sizes: Cell) -> None:
        self.events = 0
        self.sizes = sizes

    def one(self, size: int) -> None:
        self.events += 1
        self.sizes.observe(size)

    def batch(self, measured: Measured) -> None:
        self.events += measured.events
        self.sizes.add(measured.counts, measured.total)


class Measured:
    """The sizes of some events, for all who are sent them."""

    __slots__ = ("counts", "events", "total")

    def __init__(self, sizes: Iterable[int]) -> None:
        cell = Cell(EVENT_BYTES)
        for size in sizes:
            cell.observe(size)
        self.counts, self.total = cell.counts, cell.total
        self.events = sum(cell.counts)


class StorageMetrics:
    def __init__(self) -> None:
        self._writes = Histogram(
            "etcd_request_duration_seconds",
            "Time until a write was on disk.",
            COMMIT_S,
            ("group", "operation", "resource"),
        )
        self._failed = Counter(
            "etcd_request_errors_total",
            "Writes that the store failed.",
            ("group", "operation", "resource"),
        )
        self._sizes = Histogram(
            "apiserver_watch_events_sizes",
            "Bytes of events sent to watches.",
            EVENT_BYTES,
            ("group", "resource", "version"),
        )
        self._told: dict[Labels, Told] = {}
        self._lists = Counter("apiserver_storage_list_total", "Lists.", _LISTED)
        self._fetched = Counter(
            "apiserver_storage_list_fetched_objects_total", "Objects looked at by lists.", _LISTED
        )
        self._returned = Counter(
            "apiserver_storage_list_returned_objects_total",
            "Objects answered by lists.",
            ("group", "resource", "storage"),
        )

    def wrote(self, resource: Resource, change: Change, seconds: float) -> None:
        self._writes.observe(seconds, (resource.group, change, resource.plural))

    def failed(self, resource: Resource, change: Change) -> None:
        self._failed.inc((resource.group, change, resource.plural))

    def told(self, resource: Resource) -> Told:
        """What a watch of `resource` counts by."""
        at = (resource.group, resource.plural, resource.version)
        found = self._told.get(at)
        if found is None:
            found = self._told[at] = Told(self._sizes.cell(at))
        return found

    def listed(self, resource: Resource, fetched: int, returned: int) -> None:
        """`fetched` 0: the answer was still at hand."""
        at = (resource.group, "", resource.plural, FROM)
        self._lists.inc(at)
        self._fetched.inc(at, fetched)
        self._returned.inc((resource.group, resource.plural, FROM), returned)

    def families(self, cache: WatchCache, size: Callable[[], int]) -> Sequence[Family]:
        """`size`: of the file, in bytes."""
        return (
            self._writes,
            self._failed,
            self._sizes,
            self._lists,
            self._fetched,
            self._returned,
            Gauge("etcd_requests_total", "Writes to the store.", self._requests,
                  ("group", "operation", "resource"), kind="counter"),
            Gauge("apiserver_watch_events_total", "Events sent to watches.",
                  lambda: {at: told.events for at, told in self._told.items()},
                  ("group", "resource", "version"), kind="counter"),
            Gauge("apiserver_storage_size_bytes", "Size of the store's file.",
                  lambda: {("0",): size()}, ("storage_cluster_id",)),
            Gauge("apiserver_storage_objects", "Stored objects by kind.",
                  lambda: {(key,): cache.count(key) for key in cache.resources()},
                  ("resource",)),
            Gauge("apiserver_resource_objects", "Stored objects by kind.",
                  lambda: {_split(key): cache.count(key) for key in cache.resources()}, _OF),
            Gauge("apiserver_watch_cache_resource_version", "Revision of the watch cache.",
                  lambda: {_split(key): cache.revision for key in cache.resources()}, _OF),
            *(Gauge(f"apiserver_watch_cache_events_{what}_total", help,
                    lambda: {_split(key): cache.received(key) for key in cache.resources()}, _OF,
                    kind="counter")
              for what, help in (("received", "Changes read."), ("dispatched", "Changes told."))),
            Gauge("apiserver_terminated_watchers_total", "Watches ended because they were slow.",
                  lambda: {_split(key): n for key, n in cache.overflowed.items()}, _OF,
                  kind="counter"),
        )  # fmt: skip

    def _requests(self) -> dict[Labels, float]:
        found = {at: float(sum(cell.counts)) for at, cell in self._writes.cells.items()}
        for at, count in self._failed.values.items():
            found[at] = found.get(at, 0) + count
        return found


def _split(key: str) -> Labels:
    plural, _, group = key.partition(".")
    return group, plural

"""/metrics: requests counted and timed at almost no cost, told in Prometheus' text form.

Owns      the counters of requests, and the names metrics have outside.
Leaves    gauges of other parts (given as functions), the text form (prometheus_client).
Invariant the labels come from fixed sets, so rubbish in requests cannot grow them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from busk8s.api.request import Request, Response

# As upstream's apiserver_request_duration_seconds.
BUCKETS_S = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0,
    4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
)  # fmt: skip
VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LABELS = ("verb", "group", "version", "resource", "subresource")

Key = tuple[str, str, str, str, str]
Served = frozenset[tuple[str, str, str]]


class Metrics:
    """`served`: (group, version, plural) that may be labels; `gauges`: name -> (help, value);
    `objects`: how many are stored, by the key of their resource."""

    def __init__(
        self,
        served: Served,
        gauges: Mapping[str, tuple[str, Callable[[], float]]],
        objects: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._served = served
        self._gauges = gauges
        self._objects = objects
        self._codes: dict[tuple[Key, int], int] = {}
        self._buckets: dict[Key, list[int]] = {}
        self._sums: dict[Key, float] = {}
        self._registry: Any = None

    def count(self, request: Request, status: int, seconds: float) -> None:
        key = label(request, self._served)
        counted = (key, status)
        self._codes[counted] = self._codes.get(counted, 0) + 1
        if key[0] == "WATCH":
            return  # a watch's length says nothing about the server
        buckets = self._buckets.get(key)
        if buckets is None:
            buckets = self._buckets[key] = [0] * (len(BUCKETS_S) + 1)
            self._sums[key] = 0.0
        buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self._sums[key] += seconds

    def answer(self) -> Response:
        """Everything now. prometheus_client is imported at the first question only."""
        import prometheus_client as prometheus

        if self._registry is None:
            self._registry = prometheus.CollectorRegistry()
            self._registry.register(self)
            prometheus.ProcessCollector(registry=self._registry)
        text = prometheus.generate_latest(self._registry)
        return Response(200, text, "text/plain; version=0.0.4; charset=utf-8")

    def collect(self) -> Iterator[Any]:
        """The collector's side of prometheus_client."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        total = CounterMetricFamily(
            "apiserver_request", "Requests by what was asked and how it ended.",
            labels=(*LABELS, "code"),
        )  # fmt: skip
        for (key, status), count in self._codes.items():
            total.add_metric((*key, str(status)), count)
        yield total
        duration = HistogramMetricFamily(
            "apiserver_request_duration_seconds", "Time to the answer.", labels=LABELS
        )
        for key, counts in self._buckets.items():
            duration.add_metric(key, _cumulative(counts), self._sums[key])
        yield duration
        stored = GaugeMetricFamily(
            "apiserver_storage_objects", "Stored objects by kind.", labels=("resource",)
        )
        kept = GaugeMetricFamily(
            "apiserver_resource_objects", "Stored objects by kind.", labels=("group", "resource")
        )
        for name, number in self._objects().items():
            plural, _, group = name.partition(".")
            stored.add_metric((name,), number)
            kept.add_metric((group, plural), number)
        yield stored
        yield kept
        for name, (what, value) in self._gauges.items():
            yield GaugeMetricFamily(name, what, value=value())


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    edges = [*(f"{edge:g}" for edge in BUCKETS_S), "+Inf"]
    told, running = [], 0
    for edge, count in zip(edges, counts, strict=True):
        running += count
        told.append((edge, float(running)))
    return told


def label(request: Request, served: Served) -> Key:
    """What was asked, in metric labels, from the path alone: no resource table is consulted."""
    parts = request.path.split("/")
    if len(parts) > 3 and parts[1] == "api":
        group, version, at = "", parts[2], 3
    elif len(parts) > 4 and parts[1] == "apis":
        group, version, at = parts[2], parts[3], 4
    else:
        return (_method(request.method), "", "", "", "")
    if parts[at] == "namespaces" and len(parts) > at + 2:
        at += 2
    plural = parts[at]
    if (group, version, plural) not in served:
        return (_method(request.method), "", "", "", "")
    named = len(parts) > at + 1
    subresource = parts[at + 2] if len(parts) > at + 2 else ""
    if subresource not in SUBRESOURCES:
        subresource = ""
    verb = _method(request.method)
    if verb == "GET" and not named:
        verb = "WATCH" if request.param("watch") in ("1", "true") else "LIST"
    return (verb, group, version, plural, subresource)


SUBRESOURCES = frozenset(
    {"status", "scale", "binding", "eviction", "log", "exec", "attach", "portforward", "proxy",
     "token", "approval", "finalize", "ephemeralcontainers", "resize"}
)  # fmt: skip


def _method(method: str) -> str:
    return method if method in VERBS else "OTHER"

"""Requests counted and timed at almost no cost, under the names and labels that upstream has.

Owns      which series a request belongs to, and what is kept of each.
Leaves    other parts' families (theirs), the page (page), the text form (busk8s.metrics).
Invariant the labels come from fixed sets, so rubbish in requests cannot grow them; a request of a
          known series costs its labels and one look-up.
Source    Kubernetes reference, "Kubernetes Metrics Reference".
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import Protocol

from busk8s.api.request import Request, Response
from busk8s.api.warnings.table import DEPRECATED_KINDS
from busk8s.master.apiserver.waits import waited
from busk8s.metrics import Counter, Family, Gauge, Histogram, Labels, exponential

# As upstream's apiserver_request_duration_seconds.
BUCKETS_S = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0,
    4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
)  # fmt: skip
SLI_BUCKETS_S = BUCKETS_S[2:]
SIZE_BUCKETS = exponential(1000, 10.0, 7)
VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
CONNECTS = frozenset({"log", "exec", "portforward", "attach", "proxy"})
APPLY = "application/apply-patch+yaml"
HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
TERMINATED = frozenset({429, 504})

# verb, dry_run, group, version, resource, subresource, scope, component
Key = tuple[str, str, str, str, str, str, str, str]
SERIES_MAX = 10_000  # Definitions come and go: of requests beyond it only the verb is told.


class Served(Protocol):
    """Whether (group, version, plural) is served, and may be labels."""

    def __contains__(self, asked: object, /) -> bool: ...


_AT = ("component", "group", "resource", "scope", "subresource", "verb", "version")
_AT_DRY = ("component", "dry_run", *_AT[1:])


class Series:
    """What is kept of the requests of one key."""

    __slots__ = ("at", "at_dry", "codes", "duration", "running", "size", "sli")

    def __init__(self, key: Key, requests: RequestMetrics) -> None:
        verb, dry_run, group, version, resource, subresource, scope, component = key
        self.at: Labels = (component, group, resource, scope, subresource, verb, version)
        self.at_dry: Labels = (component, dry_run, *self.at[1:])
        self.codes: dict[int, int] = {}
        self.running = 0
        timed = verb != "WATCH"  # A watch's length says nothing about the server.
        self.duration = requests.durations.cell(self.at_dry) if timed else None
        self.sli = requests.slis.cell(self.at) if timed and not dry_run else None
        self.size = requests.sizes.cell(self.at) if verb in ("GET", "LIST") else None

    def ended(self) -> None:
        self.running -= 1


class RequestMetrics:
    def __init__(self, served: Served) -> None:
        self._served = served
        self._series: dict[Key, Series] = {}
        self.reading = self.writing = 0  # In flight.
        self.durations = Histogram(
            "apiserver_request_duration_seconds", "Time to the answer.", BUCKETS_S, _AT_DRY
        )
        self.slis = Histogram(
            "apiserver_request_sli_duration_seconds",
            "Time to the answer, without waiting for webhooks and for a turn.",
            SLI_BUCKETS_S,
            _AT,
        )
        self.sizes = Histogram(
            "apiserver_response_sizes", "Bytes of answers to reads.", SIZE_BUCKETS, _AT
        )

    def began(self, method: str) -> None:
        if method in READING:
            self.reading += 1
        else:
            self.writing += 1

    def ended(self, method: str) -> None:
        if method in READING:
            self.reading -= 1
        else:
            self.writing -= 1

    def count(self, request: Request, response: Response, seconds: float) -> None:
        key = label(request, self._served)
        series = self._series.get(key)
        if series is None:
            series = self._new(key)
        status = response.status
        codes = series.codes
        codes[status] = codes.get(status, 0) + 1
        if response.stream is not None:
            # Counted until nobody reads it any more; nothing is done for each of its chunks.
            series.running += 1
            weakref.finalize(response.stream, series.ended).atexit = False
        if series.duration is None:
            return
        series.duration.observe(seconds)
        if series.sli is not None:
            series.sli.observe(seconds - waited.get())
        if series.size is not None and response.stream is None:
            series.size.observe(len(response.body))

    def _new(self, key: Key) -> Series:
        if len(self._series) >= SERIES_MAX:
            key = (key[0], "", "", "", "", "", "", "apiserver")
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(key, self)
        return series

    def families(self) -> Sequence[Family]:
        return (
            self.durations,
            self.slis,
            self.sizes,
            Gauge(
                "apiserver_request_total", "Requests by what was asked and how it ended.",
                self._total, ("code", *_AT_DRY), kind="counter",
            ),
            Gauge(
                "apiserver_request_terminations_total", "Requests ended to save the server.",
                self._terminated, ("code", *_AT), kind="counter",
            ),
            Gauge(
                "apiserver_longrunning_requests", "Watches and the like that are under way.",
                self._running, _AT,
            ),
            Gauge(
                "apiserver_current_inflight_requests", "Requests under way, by their kind.",
                lambda: {("mutating",): self.writing, ("readOnly",): self.reading},
                ("request_kind",),
            ),
            Gauge(
                "apiserver_requested_deprecated_apis", "Deprecated APIs that were asked for.",
                self._deprecated,
                ("group", "removed_release", "resource", "subresource", "version"),
            ),
        )  # fmt: skip

    def _total(self) -> dict[Labels, float]:
        return {
            (str(code), *series.at_dry): count
            for series in self._series.values()
            for code, count in series.codes.items()
        }

    def _terminated(self) -> dict[Labels, float]:
        """An eviction that a budget forbids is answered 429 too, and is no termination."""
        found = Counter("", "", _AT)
        for (*_, part, _, _), series in self._series.items():
            for code in TERMINATED & series.codes.keys():
                if part != "eviction":
                    found.inc((str(code), *series.at), series.codes[code])
        return found.values

    def _running(self) -> dict[Labels, float]:
        found = Counter("", "", _AT)
        for series in self._series.values():
            if series.running:
                found.inc(series.at, series.running)
        return found.values

    def _deprecated(self) -> dict[Labels, float]:
        return dict(_deprecated(self._series))


def _deprecated(keys: Iterator[Key] | dict[Key, Series]) -> Iterator[tuple[Labels, float]]:
    for _, _, group, version, resource, subresource, _, _ in keys:
        if (f"{resource}.{group}" if group else resource) in DEPRECATED_KINDS:
            yield (group, "", resource, subresource, version), 1


def label(request: Request, served: Served) -> Key:
    """What was asked, in metric labels, from the path alone: no resource table is consulted."""
    path, method = request.path, request.method
    parts = path.split("/")
    if len(parts) > 3 and parts[1] == "api":
        group, version, at = "", parts[2], 3
    elif len(parts) > 4 and parts[1] == "apis":
        group, version, at = parts[2], parts[3], 4
    else:
        return _outside(path, method)
    scope = "cluster"
    if parts[at] == "namespaces" and len(parts) > at + 2:
        if parts[at + 2] in _OF_NAMESPACES:
            return _of(request, served, group, version, parts[at], parts[at + 2], "resource")
        at += 2
        scope = "namespace"
    named = len(parts) > at + 1 and parts[at + 1] != ""
    subresource = parts[at + 2] if len(parts) > at + 2 else ""
    if named or method == "POST":
        scope = "resource"
    return _of(request, served, group, version, parts[at], subresource, scope)


def _of(
    request: Request,
    served: Served,
    group: str,
    version: str,
    plural: str,
    subresource: str,
    scope: str,
) -> Key:
    method = request.method
    if (group, version, plural) not in served:
        return (_verb(method), "", "", "", "", "", "", "apiserver")
    if subresource not in SUBRESOURCES:
        subresource = ""
    verb = method if method in VERBS else _verb(method)
    if subresource in CONNECTS:
        verb = "CONNECT"
    elif verb == "GET":
        if request.query and _watches(request):
            verb = "WATCH"
        elif scope != "resource":
            verb = "LIST"
    elif verb == "PATCH" and request.content_type == APPLY:
        verb = "APPLY"
    dry_run = _dry_run(request) if request.query else ""
    return (verb, dry_run, group, version, plural, subresource, scope, "apiserver")


def _watches(request: Request) -> bool:
    values = request.query.get("watch")
    return values is not None and values[0].lower() not in ("0", "false")


def _dry_run(request: Request) -> str:
    values = request.query.get("dryRun")
    if not values:
        return ""
    return "All" if all(value == "All" for value in values) else "invalid"


def _outside(path: str, method: str) -> Key:
    """Health and metrics have their path for a subresource; the rest is one."""
    if path in HEALTH:
        return (_verb(method), "", "", "", "", path, "", "")
    return (_verb(method), "", "", "", "", "", "", "apiserver")


_OF_NAMESPACES = frozenset({"status", "finalize"})
SUBRESOURCES = frozenset(
    {"status", "scale", "binding", "eviction", "log", "exec", "attach", "portforward", "proxy",
     "token", "approval", "finalize", "ephemeralcontainers", "resize"}
)  # fmt: skip


def _verb(method: str) -> str:
    if method in VERBS:
        return method
    return "GET" if method == "HEAD" else "other"

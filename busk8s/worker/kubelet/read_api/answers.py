"""The kubelet's HTTP API, asked over the bus: its paths and what they answer.

Owns      the paths, heads of answers, what is refused by name.
Leaves    forms (summary, exposed), logs (log_stream), who may ask (the API server: nodes/proxy).
Invariant reads only. An answer is one line of JSON (status, type), then the body.
Source    upstream's kubelet server.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import orjson

from busk8s.api.discovery import build_labels
from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.errors import Error, bad_request
from busk8s.exposition import Page
from busk8s.metrics import TEXT as METRICS
from busk8s.metrics import Family, text
from busk8s.worker.kubelet.log_stream import LogStream, Writes
from busk8s.worker.kubelet.logs import FILE_BYTES_MAX, FILES_MAX
from busk8s.worker.kubelet.machine import Machine
from busk8s.worker.kubelet.node_reporter import PERIOD_S
from busk8s.worker.kubelet.read_api import exposed
from busk8s.worker.kubelet.read_api.observed import Sample, Seen, read_host
from busk8s.worker.kubelet.read_api.summary import summary
from busk8s.worker.runtime.base import Runtime

VERB = "kubelet"  # The stream by which the API server asks.
JSON, PLAIN = "application/json", "text/plain; charset=utf-8"
# Of upstream's API, and not here: what acts on containers goes by pods' own subresources.
REFUSED = frozenset(
    {"attach", "checkpoint", "debug", "exec", "flagz", "logs", "portForward", "run", "statusz"}
)
NUMBERS = ("tailLines", "sinceSeconds", "limitBytes")
LOG_OPTIONS = ("follow", "previous", "timestamps", "sinceTime", *NUMBERS)

Query = Mapping[str, str]
Body = tuple[int, str, bytes]


class Known(Protocol):
    """What the kubelet knows of its pods."""

    def seen(self) -> list[Seen]: ...

    def trouble(self) -> str:
        """Why the runtime cannot be listed; "" while it can."""
        ...


class ReadApi:
    def __init__(
        self,
        node_name: str,
        root: str,
        known: Known,
        runtime: Runtime,
        logs: LogStream,
        machine: Machine,
        clock: Clock,
        *,
        pods_max: int,
        probes: Family,
    ) -> None:
        self._node_name, self._root = node_name, root
        self._known, self._runtime, self._logs = known, runtime, logs
        self._machine, self._clock = machine, clock
        self._pods_max, self._probes = pods_max, probes
        self._before: Sample | None = None
        self._answers: Mapping[str, Callable[[Query], Awaitable[Body]]] = {
            "/healthz": self._healthz,
            "/healthz/ping": self._healthz,
            "/healthz/syncloop": self._healthz,
            "/pods": self._pods,
            "/runningpods": self._running_pods,
            "/stats/summary": self._summary,
            "/metrics": self._own,
            "/metrics/resource": self._resource,
            "/metrics/cadvisor": self._cadvisor,
            "/metrics/probes": self._of_probes,
            "/configz": self._configz,
        }

    async def serve(self, params: Json, stream: Writes) -> None:
        """`params`: method, path (percent-decoded), query (first values)."""
        path, query = str(params.get("path") or "/"), params.get("query") or {}
        parts = path.strip("/").split("/")
        if parts[0] == "containerLogs":
            await self._container_logs(parts, query, stream)
            return
        status, media, body = await self._answer(str(params.get("method")), path, parts[0], query)
        await stream.write(_head(status, media) + body)

    async def _answer(self, method: str, path: str, first: str, query: Query) -> Body:
        if first in REFUSED:
            why = f"/{first} of the kubelet is not supported by busk8s"
            raise Error(501, "NotImplemented", why)
        answer = self._answers.get(path.rstrip("/") or "/")
        if answer is None:
            return 404, PLAIN, b"404 page not found\n"
        if method not in ("GET", "HEAD"):
            return 405, PLAIN, b"405: Method Not Allowed"
        return await answer(query)

    async def _container_logs(self, parts: list[str], query: Query, stream: Writes) -> None:
        """/containerLogs/NAMESPACE/POD/CONTAINER: the log as it is, following if asked to."""
        if len(parts) != 4:
            await stream.write(_head(404, PLAIN) + b"404 page not found\n")
            return
        wanted: Json = {"namespace": parts[1], "pod": parts[2], "container": parts[3]}
        for name in NUMBERS:
            if not query.get(name, "0").isdecimal():
                raise bad_request(f"invalid log option: {name}: {query[name]!r}")
        wanted |= {name: query[name] for name in LOG_OPTIONS if name in query}
        headed = _Headed(_head(200, "text/plain"), stream)
        await self._logs.serve(wanted, headed)
        await headed.flush()

    async def _sample(self) -> tuple[Sample, Sample | None]:
        """Now, and the last time that somebody asked."""
        usages = {usage.container_id: usage for usage in await self._runtime.usage()}
        host = read_host(self._root, self._machine)
        sample = Sample(self._clock.now(), host, usages, self._known.seen())
        before, self._before = self._before, sample
        return sample, before

    async def _healthz(self, query: Query) -> Body:
        trouble = self._known.trouble()
        if trouble:
            return 500, PLAIN, f"[+]ping ok\n[-]syncloop failed: {trouble}\n".encode()
        if "verbose" in query:
            return 200, PLAIN, b"[+]ping ok\n[+]syncloop ok\nhealthz check passed\n"
        return 200, PLAIN, b"ok"

    async def _pods(self, query: Query) -> Body:
        items = []
        for seen in self._known.seen():
            raw = {k: v for k, v in seen.pod.raw.items() if k not in ("kind", "apiVersion")}
            items.append({**raw, "status": seen.status})
        return _list(items)

    async def _running_pods(self, query: Query) -> Body:
        items = []
        for seen in self._known.seen():
            if seen.state.running:
                pod = seen.pod
                containers = [
                    {"name": c.config.name, "image": c.config.image, "resources": {}}
                    for c in seen.state.running
                ]
                metadata = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}
                items.append(
                    {"metadata": metadata, "spec": {"containers": containers}, "status": {}}
                )
        return _list(items)

    async def _summary(self, query: Query) -> Body:
        sample, before = await self._sample()
        return 200, JSON, orjson.dumps(summary(self._node_name, sample, before))

    async def _own(self, query: Query) -> Body:
        families = exposed.own(self._node_name, self._known.seen())
        return 200, METRICS, Page(families, build=build_labels(os.uname().machine)).whole()

    async def _resource(self, query: Query) -> Body:
        sample, _ = await self._sample()
        return 200, METRICS, text(exposed.resource(sample))

    async def _cadvisor(self, query: Query) -> Body:
        sample, _ = await self._sample()
        return 200, METRICS, text(exposed.cadvisor(sample, self._machine))

    async def _of_probes(self, query: Query) -> Body:
        return 200, METRICS, text([self._probes])

    async def _configz(self, query: Query) -> Body:
        """What of a KubeletConfiguration is so here."""
        config = {
            "kind": "KubeletConfiguration",
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "nodeStatusUpdateFrequency": f"{PERIOD_S:g}s",
            "maxPods": self._pods_max,
            "containerLogMaxSize": f"{FILE_BYTES_MAX >> 20}Mi",
            "containerLogMaxFiles": FILES_MAX,
        }
        return 200, JSON, orjson.dumps({"kubeletconfig": config})


def _head(status: int, media: str) -> bytes:
    return orjson.dumps({"status": status, "type": media}) + b"\n"


def _list(items: list[Json]) -> Body:
    body = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
    return 200, JSON, orjson.dumps(body)


class _Headed:
    """Writes a head before the first bytes, or alone where none come."""

    def __init__(self, head: bytes, stream: Writes) -> None:
        self._head, self._stream = head, stream

    async def write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        await self._stream.write(head + data)

    async def flush(self) -> None:
        if self._head:
            await self.write(b"")

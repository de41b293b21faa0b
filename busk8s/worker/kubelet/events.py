"""Events of pods and of the node, as `kubectl describe` shows them. Best effort, never waited for.

Owns      the queue of events to write and the counting of repeated ones.
Bound     QUEUE_MAX waiting, then new ones are dropped; SEEN_MAX remembered for counting.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol

from busk8s.api.object import Json
from busk8s.api.scheme import EVENTS
from busk8s.client.interface import Client
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.worker.kubelet.pods import Pod
from busk8s.worker.kubelet.status import render_time

QUEUE_MAX = 2_000
SEEN_MAX = 4_096
MESSAGE_MAX = 1_024
EventType = Literal["Normal", "Warning"]

log = Logger("kubelet.events")


class Recorder(Protocol):
    def record(self, about: Json, kind: EventType, reason: str, message: str) -> None:
        """`about` is an ObjectReference."""
        ...


def pod_reference(pod: Pod, container: str = "", *, init: bool = False) -> Json:
    reference: Json = {
        "kind": "Pod",
        "apiVersion": "v1",
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "resourceVersion": str(pod.metadata.get("resourceVersion", "")),
    }
    if container:
        reference["fieldPath"] = f"spec.{'initContainers' if init else 'containers'}{{{container}}}"
    return reference


@dataclass(slots=True)
class _Seen:
    name: str
    namespace: str
    first: str
    count: int


class ApiRecorder:
    """Writes core/v1 Events one after another; one that repeats becomes a count."""

    def __init__(self, client: Client, clock: Clock, ids: IdSource, node_name: str) -> None:
        self._client = client
        self._clock = clock
        self._ids = ids
        self._node_name = node_name
        self._queue: asyncio.Queue[tuple[Json, EventType, str, str, float]] = asyncio.Queue(
            maxsize=QUEUE_MAX
        )
        self._seen: dict[tuple[str, ...], _Seen] = {}

    def record(self, about: Json, kind: EventType, reason: str, message: str) -> None:
        if self._queue.full():
            return
        self._queue.put_nowait((about, kind, reason, message[:MESSAGE_MAX], self._clock.now()))

    async def run(self) -> None:
        while True:
            about, kind, reason, message, at = await self._queue.get()
            try:
                await self._write(about, kind, reason, message, at)
            except Error as error:
                log.debug("event not written", reason=reason, error=error)

    async def _write(
        self, about: Json, kind: EventType, reason: str, message: str, at: float
    ) -> None:
        key = (about.get("uid", ""), about.get("fieldPath", ""), reason, message)
        seen = self._seen.get(key)
        if seen is not None:
            seen.count += 1
            patch = {"count": seen.count, "lastTimestamp": render_time(at)}
            await self._client.patch(EVENTS, seen.name, patch, namespace=seen.namespace)
            return
        namespace = about.get("namespace") or "default"
        name = f"{about['name']}.{self._ids.suffix(16)}"
        first = render_time(at)
        if len(self._seen) >= SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = _Seen(name, namespace, first, 1)
        await self._client.create(
            EVENTS, self._event(about, kind, reason, message, name, first), namespace=namespace
        )

    def _event(
        self, about: Json, kind: str, reason: str, message: str, name: str, first: str
    ) -> Json:
        return {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": about.get("namespace") or "default"},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "source": {"component": "kubelet", "host": self._node_name},
            "firstTimestamp": first,
            "lastTimestamp": first,
            "count": 1,
            "type": kind,
            "reportingComponent": "kubelet",
            "reportingInstance": self._node_name,
        }

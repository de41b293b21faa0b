"""The API as one kubelet sees it, in memory: its view, its status writes, its final deletes.

Owns      a Client and a Link that remember what they were told; `put_pod`, `delete_pod` for tests.
Leaves    what the API server does besides: defaulting, validation, other kinds' rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from copy import deepcopy
from typing import Any

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object, encode, with_revision
from busk8s.api.scheme import Resource
from busk8s.client.interface import Change, Gone, ObjectList, Put, Reset
from busk8s.clock import Clock
from busk8s.errors import conflict, not_found, unavailable

KINDS = {
    "pods": Resource("", "v1", "pods", "Pod", True),
    "nodes": Resource("", "v1", "nodes", "Node", False),
    "configmaps": Resource("", "v1", "configmaps", "ConfigMap", True),
    "secrets": Resource("", "v1", "secrets", "Secret", True),
    "services": Resource("", "v1", "services", "Service", True),
    "events": Resource("", "v1", "events", "Event", True),
}
QUEUE_MAX = 10_000


class Written:
    """Takes what a log stream writes."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, data: bytes) -> None:
        self.data += data


class NodeApi:
    """Client and Link in one. `away` makes every verb fail: the master cannot be reached."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._objects: dict[tuple[str, str], Object] = {}
        self._revision = 0
        self._queue: asyncio.Queue[Sequence[Change]] = asyncio.Queue(maxsize=QUEUE_MAX)
        self.away = False
        self.events: list[Json] = []
        self.node_status: Json = {}
        self.streams: dict[str, Callable[..., Any]] = {}
        self.status_writes = 0
        self.refuse_tokens = False
        self.token_requests: list[Json] = []
        self._uids = 0

    # What tests do to it.

    def put(self, kind: str, data: Json) -> Object:
        """Create or replace; a revision and, for new ones, a uid are given."""
        obj = self._store(kind, deepcopy(data))
        self._tell([Put(obj)])
        return obj

    def put_pod(self, name: str, spec: Json, *, namespace: str = "default", **meta: Any) -> str:
        metadata = {"name": name, "namespace": namespace, **meta}
        self.put("pods", {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec})
        return self.pod(name, namespace)["metadata"]["uid"]  # type: ignore[no-any-return]  # JSON

    def delete_pod(
        self, name: str, *, namespace: str = "default", grace_s: int | None = None
    ) -> None:
        """As a user does: marks it, and the kubelet finishes the job."""
        data = deepcopy(self.pod(name, namespace))
        grace = grace_s
        if grace is None:
            grace = data["spec"].get("terminationGracePeriodSeconds", 30)
        data["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
        data["metadata"]["deletionGracePeriodSeconds"] = grace
        self.put("pods", data)

    def forget(self, kind: str, name: str, namespace: str = "default") -> None:
        """Take it away with no word to the kubelet but `Gone`."""
        obj = self._objects.pop((kind, self._key(kind, name, namespace)))
        self._tell([Gone(obj)])

    def reset(self) -> None:
        self._tell([Reset(tuple(self._visible()), self._revision)])

    def pod(self, name: str, namespace: str = "default") -> Json:
        return self._objects["pods", f"{namespace}/{name}"].data

    def pods(self) -> list[Json]:
        return [obj.data for (kind, _), obj in self._objects.items() if kind == "pods"]

    def has_pod(self, name: str, namespace: str = "default") -> bool:
        return ("pods", f"{namespace}/{name}") in self._objects

    def reasons(self, name: str) -> list[str]:
        return [e["reason"] for e in self.events if e["involvedObject"]["name"] == name]

    def event_count(self, reason: str) -> int:
        """How often it happened, repetitions of one Event included."""
        return sum(event.get("count", 1) for event in self.events if event["reason"] == reason)

    # What the kubelet calls.

    async def watch_view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        while self.away:
            await self._clock.sleep(0.5)
        self._queue = asyncio.Queue(maxsize=QUEUE_MAX)
        self.reset()
        while True:
            yield await self._queue.get()

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json | Sequence[Json],
        *,
        namespace: str = "",
        kind: str = "merge",
        subresource: str = "",
    ) -> Object:
        self._reachable()
        assert isinstance(patch, dict)
        if resource.key == "events":
            for event in self.events:
                if event["metadata"]["name"] == name:
                    event.update(patch)
            return Object(resource, namespace, name, revision=0, body=b"{}")
        old = self._found(resource, name, namespace)
        wanted = (patch.get("metadata") or {}).get("uid")
        if wanted and wanted != old.uid:
            raise conflict(resource.key, name)
        data = deepcopy(old.data)
        _merge(data, patch)
        if subresource == "status":
            self.status_writes += 1
        return self.put(resource.key, data)

    async def create(self, resource: Resource, data: Json, *, namespace: str = "") -> Object:
        self._reachable()
        if resource.key == "events":
            self.events.append(data)
            return Object(resource, namespace, data["metadata"]["name"], revision=0, body=b"{}")
        return self.put(resource.key, data)

    async def update(self, resource: Resource, data: Json, *, subresource: str = "") -> Object:
        self._reachable()
        return self.put(resource.key, data)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        grace_period_s: int | None = None,
        propagation: str | None = None,
    ) -> None:
        self._reachable()
        found = self._found(resource, name, namespace)
        if uid and uid != found.uid:
            raise conflict(resource.key, name)
        self.forget(resource.key, name, namespace)

    async def get(self, resource: Resource, name: str, *, namespace: str = "") -> Object:
        self._reachable()
        return self._found(resource, name, namespace)

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> ObjectList:
        self._reachable()
        found = [obj for (kind, _), obj in self._objects.items() if kind == resource.key]
        return ObjectList(tuple(found), self._revision)

    def watch(self, resource: Resource) -> AsyncIterator[Sequence[Change]]:
        raise NotImplementedError("a kubelet watches its view only")

    async def bind(self, namespace: str, pod: str, node: str, *, uid: str = "") -> None:
        raise NotImplementedError("a kubelet binds nothing")

    async def request_token(self, namespace: str, account: str, spec: Json) -> Json:
        self._reachable()
        if self.refuse_tokens:
            raise not_found("serviceaccounts", account)
        self.token_requests.append(spec)
        ends = self._clock.now() + spec["expirationSeconds"]
        token = f"{namespace}/{account}/{len(self.token_requests)}"
        return {"token": token, "expirationTimestamp": format_time(ends)}

    async def evict(self, namespace: str, pod: str, *, grace_period_s: int | None = None) -> None:
        raise NotImplementedError("a kubelet evicts by status")

    def set_node_status(self, status: Json) -> None:
        self.node_status = status

    def on_stream(self, verb: str, handler: Callable[..., Any]) -> None:
        self.streams[verb] = handler

    # How it keeps things.

    def _store(self, kind: str, data: Json) -> Object:
        resource = KINDS[kind]
        data.setdefault("kind", resource.kind)
        data.setdefault("apiVersion", resource.api_version)
        metadata = data["metadata"]
        if resource.namespaced:
            metadata.setdefault("namespace", "default")
        if "uid" not in metadata:
            self._uids += 1
            metadata["uid"] = f"uid-{self._uids:04d}"
        self._revision += 1
        body = with_revision(encode(data), self._revision, head_length=resource.head_length)
        obj = Object(
            resource,
            metadata.get("namespace", ""),
            metadata["name"],
            revision=self._revision,
            body=body,
        )
        self._objects[kind, obj.key] = obj
        return obj

    def _visible(self) -> Sequence[Object]:
        return [obj for (kind, _), obj in self._objects.items() if kind != "events"]

    def _tell(self, batch: Sequence[Change]) -> None:
        if not self.away:
            self._queue.put_nowait(batch)

    def _found(self, resource: Resource, name: str, namespace: str) -> Object:
        found = self._objects.get((resource.key, self._key(resource.key, name, namespace)))
        if found is None:
            raise not_found(resource.key, name)
        return found

    @staticmethod
    def _key(kind: str, name: str, namespace: str) -> str:
        return f"{namespace}/{name}" if KINDS[kind].namespaced else name

    def _reachable(self) -> None:
        if self.away:
            raise unavailable("the master cannot be reached")


def _merge(target: Json, patch: Json) -> None:
    """Merge patch, with conditions merged by type and address lists by replacement."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        elif key == "conditions":
            by_type = {entry["type"]: entry for entry in target.get(key) or []}
            for entry in value:
                merged = {**by_type.get(entry["type"], {}), **entry}
                by_type[entry["type"]] = {k: v for k, v in merged.items() if v is not None}
            target[key] = [e for e in by_type.values() if e.get("$patch") != "delete"]
        elif isinstance(value, list):
            target[key] = [e for e in value if not (isinstance(e, dict) and "$patch" in e)]
        else:
            target[key] = value

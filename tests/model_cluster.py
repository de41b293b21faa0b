"""A small obedient cluster behind the Client interface, with watches that can be held back.

For tests of controllers alone: it stores, counts revisions, merges patches, honours finalizers and
uid preconditions; it validates nothing. Whatever needs the true API uses the API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import PODS, Resource
from busk8s.api.selectors import parse_labels
from busk8s.client.interface import Change, Gone, ObjectList, Put, Reset
from busk8s.errors import Error, already_exists, conflict, not_found


class ModelCluster:
    def __init__(self, now: Callable[[], float] = lambda: 1_800_000_000.0) -> None:
        self.revision = 0
        self.now = now
        self.objects: dict[tuple[str, str], Object] = {}
        self.log: list[tuple[str, str, str]] = []  # (verb, resource key, object key)
        self.fail: Callable[[str, Resource, Json], Error | None] = lambda *_: None
        self.latency_s: Callable[[], float] = lambda: 0.0
        self.watch_lag_s: Callable[[], float] = lambda: 0.0
        self._watchers: dict[str, list[asyncio.Queue[tuple[float, Change]]]] = {}

    # -- the cluster's side ------------------------------------------------------------------

    def all(self, resource: Resource) -> list[Object]:
        return [obj for (kind, _), obj in self.objects.items() if kind == resource.key]

    def one(self, resource: Resource, key: str) -> Object:
        return self.objects[resource.key, key]

    def put(self, resource: Resource, data: Json) -> Object:
        """Store `data` as the next revision, and tell the watchers."""
        metadata = data["metadata"]
        metadata["uid"] = metadata.get("uid") or f"uid-{self.revision + 1}"
        metadata.setdefault("creationTimestamp", format_time(self.now()))
        metadata.setdefault("generation", 1)
        self.revision += 1
        metadata["resourceVersion"] = str(self.revision)
        obj = self._object(resource, data)
        self.objects[resource.key, obj.key] = obj
        self._publish(resource, Put(obj))
        return obj

    def drop(self, obj: Object) -> None:
        self.revision += 1
        del self.objects[obj.resource.key, obj.key]
        last = obj.copy()
        last["metadata"]["resourceVersion"] = str(self.revision)
        self._publish(obj.resource, Gone(self._object(obj.resource, last)))

    def change(self, obj: Object, **fields: Any) -> Object:
        """Set top-level members, e.g. `status=...`."""
        return self.put(obj.resource, {**self.one(obj.resource, obj.key).copy(), **fields})

    def _object(self, resource: Resource, data: Json) -> Object:
        metadata = data["metadata"]
        return Object(
            resource,
            metadata.get("namespace", ""),
            metadata["name"],
            revision=int(metadata["resourceVersion"]),
            body=orjson.dumps(data),
        )

    def _publish(self, resource: Resource, change: Change) -> None:
        for queue in self._watchers.get(resource.key, ()):
            due = asyncio.get_running_loop().time() + self.watch_lag_s()
            queue.put_nowait((due, change))

    # -- the Client interface ----------------------------------------------------------------

    async def _ask(self, verb: str, resource: Resource, data: Json) -> None:
        if delay := self.latency_s():
            await asyncio.sleep(delay)
        if error := self.fail(verb, resource, data):
            raise error
        metadata = data["metadata"]
        self.log.append((verb, resource.key, metadata.get("name", "")))

    async def get(self, resource: Resource, name: str, *, namespace: str = "") -> Object:
        found = self.objects.get((resource.key, f"{namespace}/{name}" if namespace else name))
        if found is None:
            raise not_found(resource.plural, name, group=resource.group)
        return found

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> ObjectList:
        assert not field_selector
        matches = parse_labels(label_selector).matches
        items = [
            obj
            for obj in self.all(resource)
            if (not namespace or obj.namespace == namespace) and matches(obj.labels)
        ]
        return ObjectList(tuple(items), self.revision)

    async def watch(self, resource: Resource) -> AsyncIterator[Sequence[Change]]:
        queue: asyncio.Queue[tuple[float, Change]] = asyncio.Queue(1_000_000)
        self._watchers.setdefault(resource.key, []).append(queue)
        yield [Reset(tuple(self.all(resource)), self.revision)]
        loop = asyncio.get_running_loop()
        while True:
            due, change = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            batch = [change]
            while not queue.empty() and queue._queue[0][0] <= loop.time():  # type: ignore[attr-defined]  # a look at what is due
                batch.append(queue.get_nowait()[1])
            yield batch

    async def watch_view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        assert topic == "liveness"
        yield [Reset((), 0)]
        await asyncio.get_running_loop().create_future()

    async def create(self, resource: Resource, data: Json, *, namespace: str = "") -> Object:
        await self._ask("create", resource, data)
        copy = orjson.loads(orjson.dumps(data))
        copy["metadata"]["namespace"] = namespace
        key = f"{namespace}/{copy['metadata']['name']}" if namespace else copy["metadata"]["name"]
        if (resource.key, key) in self.objects:
            raise already_exists(resource.plural, copy["metadata"]["name"], group=resource.group)
        return self.put(resource, copy)

    async def update(self, resource: Resource, data: Json, *, subresource: str = "") -> Object:
        await self._ask("update", resource, data)
        metadata = data["metadata"]
        old = await self.get(resource, metadata["name"], namespace=metadata.get("namespace", ""))
        if metadata.get("resourceVersion") not in (None, str(old.revision)):
            raise conflict(resource.plural, old.name, group=resource.group)
        return self._replace(old, orjson.loads(orjson.dumps(data)), subresource)

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
        await self._ask("patch", resource, {"metadata": {"name": name}})
        old = await self.get(resource, name, namespace=namespace)
        assert isinstance(patch, dict)
        if patch.get("metadata", {}).get("uid") not in (None, old.uid):
            raise conflict(resource.plural, name, "uid mismatch", group=resource.group)
        new = _merge(old.copy(), patch, strategic=kind == "strategic")
        return self._replace(old, new, subresource)

    def _replace(self, old: Object, new: Json, subresource: str) -> Object:
        assert subresource in ("", "status", "finalize")
        if subresource == "status":
            annotations = new["metadata"].get("annotations", {})
            new = {**old.copy(), "status": new.get("status", {})}
            if annotations:  # A status write may change these, as at the real server.
                new["metadata"] = {**new["metadata"], "annotations": annotations}
        elif new.get("spec") != old.data.get("spec"):
            new["metadata"]["generation"] = old.metadata["generation"] + 1
        if new == old.data:
            return old
        made = self.put(old.resource, new)
        if made.deleting and not made.metadata.get("finalizers"):
            self.drop(made)
        return made

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
        await self._ask("delete", resource, {"metadata": {"name": name}})
        found = await self.get(resource, name, namespace=namespace)
        if uid and found.uid != uid:
            raise conflict(resource.plural, name, "Precondition failed: UID", group=resource.group)
        graceful = resource == PODS and found.data.get("spec", {}).get("nodeName")
        marks = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}
        finalizers = [*found.metadata.get("finalizers", ()), *marks.get(propagation or "", ())]
        if not finalizers and (not graceful or grace_period_s == 0):
            self.drop(found)
        elif not found.deleting:
            data = found.copy()
            data["metadata"] |= {"finalizers": finalizers}
            data["metadata"] |= {"deletionTimestamp": format_time(self.now())}
            self.put(resource, data)

    async def bind(self, namespace: str, pod: str, node: str, *, uid: str = "") -> None:
        obj = self.one(PODS, f"{namespace}/{pod}")
        self.change(obj, spec={**obj.data["spec"], "nodeName": node})

    async def request_token(self, namespace: str, account: str, spec: Json) -> Json:
        raise NotImplementedError

    async def evict(self, namespace: str, pod: str, *, grace_period_s: int | None = None) -> None:
        await self.delete(PODS, pod, namespace=namespace, grace_period_s=grace_period_s)


def _merge(target: Json, patch: Json, *, strategic: bool) -> Json:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            target[key] = _merge(dict(target.get(key) or {}), value, strategic=strategic)
        elif strategic and isinstance(value, list) and key in MERGE_KEYS:
            target[key] = _merge_list(target.get(key) or [], value, MERGE_KEYS[key])
        else:
            target[key] = value
    return target


MERGE_KEYS = {"ownerReferences": "uid", "conditions": "type"}


def _merge_list(target: list[Json], patch: list[Json], key: str) -> list[Json]:
    for entry in patch:
        rest = [item for item in target if item[key] != entry[key]]
        before = next((item for item in target if item[key] == entry[key]), {})
        merged = {k: v for k, v in {**before, **entry}.items() if v is not None}
        target = rest if entry.get("$patch") == "delete" else [*rest, merged]
    return target


def make_ready(cluster: ModelCluster, pod: Object, since: float) -> Object:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": format_time(since)}
    return cluster.change(pod, status={"phase": "Running", "conditions": [ready]})

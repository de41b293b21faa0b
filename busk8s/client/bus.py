"""The cluster over the bus: verbs as calls, watches as topics.

Owns      turning the verbs of `Client` into calls, and clones into changes.
Leaves    connecting and repeating (bus/link), what a verb means (API server).
Invariant a watch begins with a Reset and never ends or raises for a lost connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import orjson

from busk8s import protocol
from busk8s.api.object import Json, Object
from busk8s.api.request import Response
from busk8s.api.scheme import RESOURCES, Resource
from busk8s.bus.clone import Outcome, Replaced
from busk8s.bus.link import Link
from busk8s.client.interface import (
    Change,
    Gone,
    ObjectList,
    PatchType,
    Propagation,
    Put,
    Reset,
)
from busk8s.errors import Error

PATCH_TYPES: dict[PatchType, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class BusClient:
    """`client.interface.Client` over a Link that somebody else runs."""

    def __init__(self, link: Link, *, field_manager: str = "busk8s") -> None:
        self._link = link
        self._manager = (field_manager,)

    async def get(self, resource: Resource, name: str, *, namespace: str = "") -> Object:
        return _object(resource, await self._ask("GET", path_of(resource, namespace, name)))

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> ObjectList:
        query: dict[str, tuple[str, ...]] = {}
        if label_selector:
            query["labelSelector"] = (label_selector,)
        if field_selector:
            query["fieldSelector"] = (field_selector,)
        answer = await self._ask("GET", path_of(resource, namespace), query=query)
        whole = orjson.loads(answer.body)
        items = tuple(_from_item(resource, item) for item in whole.get("items") or ())
        return ObjectList(items, int(whole["metadata"].get("resourceVersion") or 0))

    def watch(self, resource: Resource) -> AsyncIterator[Sequence[Change]]:
        return self._follow(protocol.kind_topic(resource.key))

    def watch_view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        return self._follow(topic)

    async def create(self, resource: Resource, data: Json, *, namespace: str = "") -> Object:
        namespace = namespace or data["metadata"].get("namespace", "")
        answer = await self._ask("POST", path_of(resource, namespace), body=orjson.dumps(data))
        return _object(resource, answer)

    async def update(self, resource: Resource, data: Json, *, subresource: str = "") -> Object:
        metadata = data["metadata"]
        path = path_of(resource, metadata.get("namespace", ""), metadata["name"], subresource)
        return _object(resource, await self._ask("PUT", path, body=orjson.dumps(data)))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json | Sequence[Json],
        *,
        namespace: str = "",
        kind: PatchType = "merge",
        subresource: str = "",
    ) -> Object:
        path = path_of(resource, namespace, name, subresource)
        answer = await self._ask(
            "PATCH", path, body=orjson.dumps(patch), content_type=PATCH_TYPES[kind]
        )
        return _object(resource, answer)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        grace_period_s: int | None = None,
        propagation: Propagation | None = None,
    ) -> None:
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_period_s is not None:
            options["gracePeriodSeconds"] = grace_period_s
        if propagation is not None:
            options["propagationPolicy"] = propagation
        path = path_of(resource, namespace, name)
        await self._ask("DELETE", path, body=orjson.dumps(options))

    async def bind(self, namespace: str, pod: str, node: str, *, uid: str = "") -> None:
        metadata = {"name": pod, "namespace": namespace} | ({"uid": uid} if uid else {})
        binding = {
            "kind": "Binding",
            "apiVersion": "v1",
            "metadata": metadata,
            "target": {"kind": "Node", "apiVersion": "v1", "name": node},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/binding"
        await self._ask("POST", path, body=orjson.dumps(binding))

    async def evict(self, namespace: str, pod: str, *, grace_period_s: int | None = None) -> None:
        eviction: Json = {
            "kind": "Eviction",
            "apiVersion": "policy/v1",
            "metadata": {"name": pod, "namespace": namespace},
        }
        if grace_period_s is not None:
            eviction["deleteOptions"] = {"gracePeriodSeconds": grace_period_s}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        await self._ask("POST", path, body=orjson.dumps(eviction))

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, tuple[str, ...]] | None = None,
        body: bytes = b"",
        content_type: str = "application/json",
    ) -> Response:
        query = dict(query or {})
        if method in ("POST", "PUT", "PATCH"):
            query.setdefault("fieldManager", self._manager)
        answer = await self._link.call(
            method, path, query=query, body=body, content_type=content_type
        )
        if answer.status >= 400:
            raise _error(answer)
        return answer

    async def _follow(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        reading = self._link.follow(topic)
        try:
            async for batch in reading:
                yield [_change(outcome) for outcome in batch]
        finally:
            reading.close()


def resource_of(key: str) -> Resource:
    """The Resource a bus entry names. One made from a CustomResourceDefinition has no row in the
    table: what it is called is all that readers of a topic need of it."""
    if key == protocol.LIVENESS_RESOURCE.key:
        return protocol.LIVENESS_RESOURCE
    known = RESOURCES.get(key)
    if known is not None:
        return known
    plural, _, group = key.partition(".")
    return Resource(group, "", plural, "", namespaced=True)


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The API server's path; names need no quoting here, a bus path is not percent-encoded."""
    parts = [resource.path]
    if resource.namespaced and namespace:
        parts += ["namespaces", namespace]
    parts.append(resource.plural)
    if name:
        parts.append(name)
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def _change(outcome: Outcome) -> Change:
    if isinstance(outcome, Replaced):
        return Reset(outcome.objects, outcome.revision)
    return Gone(outcome.object) if outcome.gone else Put(outcome.object)


def _object(resource: Resource, answer: Response) -> Object:
    data = orjson.loads(answer.body)
    return _from_item(resource, data, answer.body)


def _from_item(resource: Resource, data: Json, body: bytes | None = None) -> Object:
    metadata = data["metadata"]
    return Object(
        resource,
        metadata.get("namespace", ""),
        metadata.get("name", ""),
        revision=int(metadata.get("resourceVersion") or 0),
        body=body if body is not None else orjson.dumps(data),
        data=data,
    )


def _error(answer: Response) -> Error:
    try:
        status = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict):
        return Error(answer.status, "", f"the master answered {answer.status}")
    return Error.from_status(status)

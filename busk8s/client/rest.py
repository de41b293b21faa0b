"""The client's verbs as Kubernetes REST requests: what all three clients share.

Owns      paths, queries and bodies of the verbs; reading answers, lists and watch streams.
Leaves    how a Request gets to the server and its Response back (`_send`).
Invariant every failure is an `errors.Error` as the server's Status worded it; `watch` never ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing

import orjson

from busk8s.api.object import Json, Object
from busk8s.api.request import Request, Response, User
from busk8s.api.scheme import PODS, SERVICEACCOUNTS, Resource
from busk8s.client.interface import (
    Change,
    Gone,
    ObjectList,
    PatchType,
    Propagation,
    Put,
    Reset,
)
from busk8s.client.measures import RequestCounts
from busk8s.errors import Error
from busk8s.log import Logger

PATCH_TYPES: Mapping[PatchType, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
LIST_PAGE = 500
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 30.0
LINE_MAX_BYTES = 16 * 1024 * 1024  # One watch event; an object may be 1.5 MB, escaped a few more.

Query = Mapping[str, list[str]]
Objects = list[Object]
Changes = list[Change]

_log = Logger("busk8s.client")


class RestClient:
    """Everything but `_send`. `user` is who asks where the transport does not say it."""

    def __init__(self, user: User, *, manager: str = "busk8s") -> None:
        self.counts: RequestCounts | None = None  # Of those who tell of their requests.
        self._user = user
        self._manager = manager

    async def _send(self, request: Request) -> Response:
        raise NotImplementedError

    async def get(self, resource: Resource, name: str, *, namespace: str = "") -> Object:
        return as_object(resource, await self._ask("GET", path(resource, namespace, name)))

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> ObjectList:
        query: dict[str, list[str]] = {"limit": [str(LIST_PAGE)]}
        if label_selector:
            query["labelSelector"] = [label_selector]
        if field_selector:
            query["fieldSelector"] = [field_selector]
        items: Objects = []
        while True:
            answer = await self._ask("GET", path(resource, namespace), query=query)
            page = orjson.loads(answer.body)
            items += [from_item(resource, item) for item in page.get("items") or ()]
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return ObjectList(tuple(items), int(metadata.get("resourceVersion") or 0))
            query["continue"] = [metadata["continue"]]

    async def create(self, resource: Resource, data: Json, *, namespace: str = "") -> Object:
        where = path(resource, namespace or data["metadata"].get("namespace", ""))
        return as_object(resource, await self._ask("POST", where, orjson.dumps(data)))

    async def update(self, resource: Resource, data: Json, *, subresource: str = "") -> Object:
        metadata = data["metadata"]
        where = path(resource, metadata.get("namespace", ""), metadata["name"], subresource)
        return as_object(resource, await self._ask("PUT", where, orjson.dumps(data)))

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
        answer = await self._ask(
            "PATCH",
            path(resource, namespace, name, subresource),
            orjson.dumps(patch),
            content_type=PATCH_TYPES[kind],
        )
        return as_object(resource, answer)

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
        await self._ask("DELETE", path(resource, namespace, name), orjson.dumps(options))

    async def bind(self, namespace: str, pod: str, node: str, *, uid: str = "") -> None:
        metadata = {"name": pod, "namespace": namespace} | ({"uid": uid} if uid else {})
        binding = {
            "kind": "Binding",
            "apiVersion": "v1",
            "metadata": metadata,
            "target": {"kind": "Node", "apiVersion": "v1", "name": node},
        }
        await self._ask("POST", path(PODS, namespace, pod, "binding"), orjson.dumps(binding))

    async def request_token(self, namespace: str, account: str, spec: Json) -> Json:
        body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
        where = path(SERVICEACCOUNTS, namespace, account, "token")
        answer = await self._ask("POST", where, orjson.dumps(body))
        status: Json = orjson.loads(answer.body)["status"]
        return status

    async def evict(self, namespace: str, pod: str, *, grace_period_s: int | None = None) -> None:
        eviction: Json = {
            "kind": "Eviction",
            "apiVersion": "policy/v1",
            "metadata": {"name": pod, "namespace": namespace},
        }
        if grace_period_s is not None:
            eviction["deleteOptions"] = {"gracePeriodSeconds": grace_period_s}
        await self._ask("POST", path(PODS, namespace, pod, "eviction"), orjson.dumps(eviction))

    async def watch(self, resource: Resource) -> AsyncIterator[Sequence[Change]]:
        """List, then follow; list again when the server has lost our place (410)."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                listed = await self.list(resource)
                yield [Reset(listed.items, listed.revision)]
                wait_s = RETRY_FIRST_S
                async with aclosing(self._follow(resource, listed.revision)) as batches:
                    async for batch in batches:
                        yield batch
            except Error as error:
                if error.code != 410:
                    _log.debug("watch again", resource=resource.key, why=error.message)
                    await asyncio.sleep(wait_s)
                    wait_s = min(wait_s * 2, RETRY_MAX_S)

    async def watch_view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        raise Error(501, "NotImplemented", f"views are not served over REST: {topic}")
        yield []  # pragma: no cover - makes this an async generator

    async def _follow(
        self, resource: Resource, revision: int
    ) -> AsyncGenerator[Sequence[Change], None]:
        """Watch from `revision` on, over as many connections as it takes; raises 410 at a gap."""
        wait_s = RETRY_FIRST_S
        while True:
            query = {
                "watch": ["1"],
                "resourceVersion": [str(revision)],
                "allowWatchBookmarks": ["true"],
            }
            try:
                request = Request("GET", path(resource), self._user, query)
                response = await self._send(request)
                if response.stream is None:
                    raise Error.from_status(orjson.loads(response.body))
                async with aclosing(lines(response.stream)) as chunks:
                    async for chunk in chunks:
                        wait_s = RETRY_FIRST_S
                        changes, revision = self._changes(resource, chunk, revision)
                        if changes:
                            yield changes
            except Error as error:
                if error.code == 410:
                    raise
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_MAX_S)

    def _changes(
        self, resource: Resource, chunk: Sequence[bytes], revision: int
    ) -> tuple[Sequence[Change], int]:
        changes: Changes = []
        for line in chunk:
            event = orjson.loads(line)
            data = event["object"]
            if event["type"] == "ERROR":
                raise Error.from_status(data)
            revision = int(data["metadata"]["resourceVersion"])
            if event["type"] == "BOOKMARK":
                continue
            obj = from_item(resource, data)
            changes.append(Gone(obj) if event["type"] == "DELETED" else Put(obj))
        return changes, revision

    async def _ask(
        self,
        method: str,
        where: str,
        body: bytes = b"",
        *,
        query: Query | None = None,
        content_type: str = "application/json",
    ) -> Response:
        query = dict(query or {})
        if method in ("POST", "PUT", "PATCH"):
            query["fieldManager"] = [self._manager]
        request = Request(method, where, self._user, query, body, content_type)
        counts = self.counts
        began = counts.now() if counts is not None else 0.0
        response = await self._send(request)
        if counts is not None:
            counts.count(method, response.status, counts.now() - began)
        if response.status >= 400:
            raise _error(response)
        return response


def as_object(resource: Resource, answer: Response) -> Object:
    """The one object the server answered, with its bytes as they came."""
    return _object(resource, orjson.loads(answer.body), answer.body)


def from_item(resource: Resource, data: Json) -> Object:
    """One of many: items of a list need not say their kind."""
    data.setdefault("kind", resource.kind)
    data.setdefault("apiVersion", resource.api_version)
    return _object(resource, data, orjson.dumps(data))


def _object(resource: Resource, data: Json, body: bytes) -> Object:
    metadata = data["metadata"]
    return Object(
        resource,
        metadata.get("namespace", ""),
        metadata["name"],
        revision=int(metadata.get("resourceVersion") or 0),
        body=body,
        data=data,
    )


def _error(answer: Response) -> Error:
    """The refusal as the server worded it; from something in between it may be any text."""
    try:
        status = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict):
        status = {"message": f"the server answered {answer.status}"}
    return Error.from_status({"code": answer.status, **status})


def path(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    parts = [resource.path]
    if namespace and resource.namespaced:
        parts += ["namespaces", namespace]
    parts.append(resource.plural)
    parts += [part for part in (name, subresource) if part]
    return "/".join(parts)


async def lines(stream: AsyncIterator[bytes]) -> AsyncGenerator[Sequence[bytes], None]:
    """The whole lines of `stream`, those that came together in one batch."""
    rest = b""
    async for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_MAX_BYTES:
            raise Error(500, "InternalError", f"watch event longer than {LINE_MAX_BYTES} bytes")
        if whole := [line for line in whole if line.strip()]:
            yield whole

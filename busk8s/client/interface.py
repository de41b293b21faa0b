"""The one interface through which every component but the apiserver reaches the cluster.

Forms     direct (same process), bus (ZeroMQ), http (HTTPS). All pass one contract suite.
Errors    every verb raises `errors.Error`, as the server's Status worded it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource

PatchType = Literal["json", "merge", "strategic", "apply"]
Propagation = Literal["Foreground", "Background", "Orphan"]


@dataclass(frozen=True, slots=True)
class Reset:
    """What follows replaces everything seen before: the whole state at `revision`."""

    objects: tuple[Object, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Put:
    """`object` is there now, new or in a new version."""

    object: Object


@dataclass(frozen=True, slots=True)
class Gone:
    """`object` (its last known version) is no longer there, or no longer in this view."""

    object: Object


Change = Reset | Put | Gone


@dataclass(frozen=True, slots=True)
class ObjectList:
    items: tuple[Object, ...]
    revision: int


class Client(Protocol):
    async def get(self, resource: Resource, name: str, *, namespace: str = "") -> Object: ...

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> ObjectList: ...

    def watch(self, resource: Resource) -> AsyncIterator[Sequence[Change]]:
        """Batches of changes: a `Reset` first, and again whenever continuity was lost.

        Never ends by itself and never raises for lost connections: it resumes (client-go's
        reflector). Deltas of one burst arrive as one batch.
        """
        ...

    def watch_view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        """The same for a computed view: `node/<name>` or `net` (bus and direct only)."""
        ...

    async def create(self, resource: Resource, data: Json, *, namespace: str = "") -> Object: ...

    async def update(self, resource: Resource, data: Json, *, subresource: str = "") -> Object:
        """PUT `data`; name, namespace and the expected resourceVersion are in its metadata."""
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json | Sequence[Json],
        *,
        namespace: str = "",
        kind: PatchType = "merge",
        subresource: str = "",
    ) -> Object: ...

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
        """Delete; `uid` is a precondition (409 when another object bears the name now)."""
        ...

    async def bind(self, namespace: str, pod: str, node: str, *, uid: str = "") -> None:
        """Assign a pod to a node through the `binding` subresource."""
        ...

    async def request_token(self, namespace: str, account: str, spec: Json) -> Json:
        """The TokenRequestStatus (token, expirationTimestamp) for a TokenRequest's `spec`."""
        ...

    async def evict(
        self, namespace: str, pod: str, *, grace_period_s: int | None = None
    ) -> None: ...

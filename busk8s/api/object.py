"""One version of one object: its bytes, and what has been parsed of them so far.

Owns      the byte form that is stored, cached and sent: encoded once, revision spliced in.
Leaves    what the fields mean (types, validation), where objects live (store, caches).
Invariant an Object never changes; whoever wants another version makes another Object.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson

from busk8s.api.scheme import Resource

Json = dict[str, Any]


class Object:
    """Immutable. `body` is the whole JSON with `metadata.resourceVersion`.

    Where `managed` is given, it is the text of the managedFields (`part`), and the body given is
    without them: thus many objects and versions can share one, and who needs none copies nothing.
    `data` is parsed lazily, once, and is shared by all readers: never change it.
    """

    __slots__ = (
        "_at", "_body", "_data", "_labels", "managed", "message", "name", "namespace", "resource",
        "revision",
    )  # fmt: skip

    def __init__(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        revision: int,
        body: bytes,
        data: Json | None = None,
        managed: bytes = b"",
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.revision = revision
        self._body = body
        self.managed = managed
        self._at = _after_revision(resource, revision, body) if managed else 0
        self.message: bytes | None = None  # In protobuf, while the API server keeps it.
        self._data = data
        self._labels: dict[str, str] | None = None

    @property
    def key(self) -> str:
        """`namespace/name`, or `name` for cluster-scoped objects: what work queues hold."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def body(self) -> bytes:
        if not self.managed:
            return self._body
        at, rest = self._at, self._body
        return b'%b"managedFields":%b,%b' % (rest[:at], self.managed, rest[at:])

    def pieces(self) -> tuple[bytes, ...]:
        """What `body` is joined of: for who joins many."""
        if not self.managed:
            return (self._body,)
        at, rest = self._at, self._body
        return (rest[:at], b'"managedFields":', self.managed, b",", rest[at:])

    @property
    def lean(self) -> bytes:
        """`body` without its managedFields, which only clients of the API read."""
        if self.managed:
            return self._body
        return part(self._body, _after_revision(self.resource, self.revision, self._body))[0]

    @property
    def size_bytes(self) -> int:
        return len(self._body) + len(self.managed)

    @property
    def data(self) -> Json:
        """The parsed JSON. Shared and read-only; see `copy`."""
        if self._data is None:
            self._data = orjson.loads(self.body)
        return self._data

    def glance(self) -> Json:
        """As `data`, but what is parsed for it is not kept: for readers who keep an extract."""
        whole: Json = self._data if self._data is not None else orjson.loads(self.body)
        return whole

    @property
    def metadata(self) -> Json:
        metadata: Json = self.data["metadata"]
        return metadata

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid", ""))

    @property
    def labels(self) -> dict[str, str]:
        if self._labels is None:
            self._labels = self.glance()["metadata"].get("labels") or {}
        return self._labels

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in self.metadata

    def forget(self) -> None:
        """Let go of the parsed forms to save memory; labels stay, the rest parses again."""
        if self._data is not None and self._labels is None:
            self._labels = self._data["metadata"].get("labels") or {}
        self._data = None

    def copy(self) -> Json:
        """A deep copy of `data` that the caller may change."""
        return deepcopy(self.data)

    def __repr__(self) -> str:
        return f"<Object {self.resource.key} {self.key} @{self.revision}>"


def encode(data: Json) -> bytes:
    """The stored form of `data`: kind, apiVersion, metadata first, without its resourceVersion.

    A fixed head lets `with_revision` splice the number in without parsing; managedFields come next
    and then the name, so that `part` finds where they end.
    """
    given = data["metadata"]
    metadata: Json = {}
    if managed := given.get("managedFields"):
        metadata["managedFields"] = managed
        metadata["name"] = given["name"]
    for key, value in given.items():
        if key != "resourceVersion" and key not in metadata:
            metadata[key] = value
    ordered = {"kind": data["kind"], "apiVersion": data["apiVersion"], "metadata": metadata}
    for key, value in data.items():
        if key not in ordered:
            ordered[key] = value
    return orjson.dumps(ordered)


_METADATA = b'"metadata":{'


def head_length(resource: Resource, body: bytes) -> int:
    """Where the metadata's first member begins in what `encode` made.

    Of custom resources the version in `body` may be an earlier one.
    """
    if resource.custom is None and resource.version:
        return resource.head_length
    return body.index(_METADATA) + len(_METADATA)


def _after_revision(resource: Resource, revision: int, body: bytes) -> int:
    """Where the metadata goes on after the resourceVersion."""
    return head_length(resource, body) + len(b'"resourceVersion":"",') + len(str(revision))


def with_revision(body: bytes, revision: int, *, head_length: int) -> bytes:
    """`body` as `encode` made it, with `metadata.resourceVersion` put in.

    `head_length` is as the function of that name says: where the metadata's first member begins.
    """
    return b'%b"resourceVersion":"%d",%b' % (body[:head_length], revision, body[head_length:])


_MANAGED = b'"managedFields":'
# Nowhere within managedFields: there no list ends but their own, and in a text a quotation mark has
# a backslash before it.
_MANAGED_END = b'}],"name":'


def part(body: bytes, at: int) -> tuple[bytes, bytes]:
    """What `encode` made without its managedFields, and their text; `at` is where they would be.

    Another body is left as it is, and the text is empty.
    """
    if not body.startswith(_MANAGED, at):
        return body, b""
    end = body.index(_MANAGED_END, at) + 2
    return body[:at] + body[end + 1 :], body[at + len(_MANAGED) : end]

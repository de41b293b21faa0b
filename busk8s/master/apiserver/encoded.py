"""Answers in protobuf: objects, lists, watch events and everything else that is an object.

Owns      which bytes are kept: an object is encoded once for all who read it in this form.
Leaves    the form itself (api.protobuf), who gets it (rest.negotiate), JSON (render).
Invariant what is kept stays under MESSAGES_BYTES_MAX; the oldest go first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import orjson

from busk8s.api import protobuf
from busk8s.api.object import Json, Object
from busk8s.api.request import JSON, Response
from busk8s.master.apiserver import rest

MESSAGES_BYTES_MAX = 8 * 1024 * 1024  # Of encoded objects kept beside their JSON.
SLICE = 64  # Objects encoded before others get their turn.
PARTIAL = ("meta.k8s.io/v1", "PartialObjectMetadata")


class Messages:
    """The messages of objects, each made at its first reader and kept with the object."""

    def __init__(self) -> None:
        self._kept: deque[Object] = deque()
        self._bytes = 0

    def of(self, obj: Object, *, keep: bool = True) -> bytes:
        """The message of `obj`, without the envelope.

        `keep` false: for who keeps what is made of it; a change is soon not the present any more.
        """
        found = obj.message
        if found is not None:
            return found
        found = protobuf.message(obj.glance())
        if not keep:
            return found
        obj.message = found
        self._kept.append(obj)
        self._bytes += len(found)
        while self._bytes > MESSAGES_BYTES_MAX:
            dropped = self._kept.popleft()
            self._bytes -= len(dropped.message or b"")
            dropped.message = None
        return found

    def body_of(self, obj: Object, shape: str, *, keep: bool = True) -> bytes:
        """`obj` as a whole body, as it is or as its metadata."""
        if shape == "partial":
            return protobuf.enveloped(*PARTIAL, _partial(obj))
        raw = self.of(obj, keep=keep)
        return protobuf.enveloped(obj.resource.api_version, obj.resource.kind, raw)

    async def list_of(
        self, api_version: str, kind: str, metadata: Json, objects: Sequence[Object], shape: str
    ) -> Response:
        """A list of `objects`. A long one is made in slices, between the work of others."""
        one = _partial if shape == "partial" else self.of
        items: list[bytes] = []
        for index, obj in enumerate(objects):
            if index % SLICE == SLICE - 1 and obj.message is None:
                await asyncio.sleep(0)
            items.append(one(obj))
        raw = protobuf.list_message(metadata, items)
        body = protobuf.enveloped(api_version, kind, raw)
        return Response(200, body, protobuf.CONTENT_TYPE)


def _partial(obj: Object) -> bytes:
    api_version, kind = PARTIAL
    metadata = obj.glance()["metadata"]
    return protobuf.message({"kind": kind, "apiVersion": api_version, "metadata": metadata})


def in_form(response: Response, media: str) -> Response:
    """An answer made as JSON in the form its reader accepts; others are in theirs already."""
    if media == protobuf.CONTENT_TYPE:
        return _in_protobuf(response)
    return rest.in_yaml(response) if media == rest.YAML else response


def _in_protobuf(response: Response) -> Response:
    """An answer that was made as JSON; what has no protobuf form stays as it is."""
    if response.stream is None and response.content_type == JSON and response.body:
        data = orjson.loads(response.body)
        data.setdefault("apiVersion", "v1")  # APIVersions alone has none in JSON.
        if protobuf.has_form(data["apiVersion"], data.get("kind", "")):
            response.body = protobuf.encode(data)
            response.content_type = protobuf.CONTENT_TYPE
    return response

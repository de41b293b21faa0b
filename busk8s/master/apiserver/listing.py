"""Lists as bytes: joined from cached objects, remembered while nothing changed, cut into pages.

Owns      the cache of joined lists and the continue token.
Leaves    selectors (api/), which request asks for what (read).
Invariant a page shows the revision its token was made at, or the request is refused with 410.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.master.store.watch import Event

JOINED_BYTES_MAX = 24 * 1024 * 1024  # All remembered list bodies; beyond it the oldest go.
JOINED_MAX = 64  # Remembered list bodies.
TOKEN_BYTES_MAX = 2_048

TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Token:
    """Where a list goes on: after `after`, as of `revision`; -1 = as of whenever it is asked."""

    revision: int
    after: Key

    def encode(self) -> str:
        body = {"v": "meta.k8s.io/v1", "rv": self.revision, "start": list(self.after)}
        return base64.urlsafe_b64encode(orjson.dumps(body)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Token:
        """Raises 400 for anything `encode` did not make."""
        if len(text) > TOKEN_BYTES_MAX:
            raise _bad_token("too long")
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            body: Any = orjson.loads(raw)
        except (binascii.Error, ValueError):
            raise _bad_token("not readable") from None
        if not isinstance(body, dict) or body.get("v") != "meta.k8s.io/v1":
            raise _bad_token("incorrect encoding")
        revision: Any = body.get("rv")
        start: Any = body.get("start")
        if type(revision) is not int or revision < -1 or not _is_key(start):
            raise _bad_token("incorrect encoding")
        return cls(revision, (start[0], start[1]))


def _is_key(start: Any) -> bool:
    return (
        isinstance(start, list) and len(start) == 2 and all(isinstance(part, str) for part in start)
    )


def _bad_token(why: str) -> errors.Error:
    return errors.bad_request(f"invalid continue token: continue key is not valid: {why}")


class PageExpired(errors.Error):
    """410 with a token that goes on inconsistently, as upstream offers it."""

    def __init__(self, key: Key) -> None:
        super().__init__(410, "Expired", TOO_OLD)
        self.token = Token(-1, key).encode()

    def to_status(self) -> Json:
        return {**super().to_status(), "metadata": {"continue": self.token}}


@dataclass(slots=True)
class Joined:
    """A list's body of `count` items, made when the resource had last changed at `changed`."""

    changed: int
    head: bytes
    body: bytes
    count: int


class ListCache:
    """Joined bytes by what was asked, valid until the resource changes."""

    def __init__(self) -> None:
        self._changed: dict[str, int] = {}
        self._joined: OrderedDict[tuple[str, ...], Joined] = OrderedDict()
        self._bytes = 0

    def observe(self, events: Sequence[Event]) -> None:
        """Note which resources changed; given to WatchCache.on_events."""
        for event in events:
            self._changed[event.object.resource.key] = event.revision

    def changed(self, resource_key: str) -> int:
        """The revision of the resource's last change since the start; 0 if there was none."""
        return self._changed.get(resource_key, 0)

    def find(self, asked: tuple[str, ...], head: bytes) -> Joined | None:
        """The list for `asked` (resource key first) that begins with `head`, if it still holds."""
        entry = self._joined.get(asked)
        if entry is None or entry.changed != self.changed(asked[0]):
            return None
        self._joined.move_to_end(asked)
        if entry.head != head:  # Only other resources changed: the items are the same.
            self._bytes += len(head) - len(entry.head)
            entry.body = head + memoryview(entry.body)[len(entry.head) :]
            entry.head = head
        return entry

    def keep(self, asked: tuple[str, ...], head: bytes, body: bytes, count: int) -> None:
        previous = self._joined.pop(asked, None)
        if previous is not None:
            self._bytes -= len(previous.body)
        if len(body) > JOINED_BYTES_MAX:
            return
        self._joined[asked] = Joined(self.changed(asked[0]), head, body, count)
        self._bytes += len(body)
        while self._bytes > JOINED_BYTES_MAX or len(self._joined) > JOINED_MAX:
            _, dropped = self._joined.popitem(last=False)
            self._bytes -= len(dropped.body)


def after(objects: Sequence[Object], key: Key) -> int:
    """Index of the first of `objects` (ordered) that comes after `key`."""
    low, high = 0, len(objects)
    while low < high:
        middle = (low + high) // 2
        if (objects[middle].namespace, objects[middle].name) > key:
            high = middle
        else:
            low = middle + 1
    return low

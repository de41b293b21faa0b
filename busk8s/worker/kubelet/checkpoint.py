"""The last view on disk, so that pods go on over a restart of the kubelet without the master.

Owns      one file: the view's objects and the statuses that the API does not have yet.
Leaves    when the view is true again (the first Reset from the master replaces all).
Bound     written at most every PERIOD_S, whole, to a temporary file that is renamed; 0600, for it
          holds Secrets. A file that cannot be read is put aside, never fatal.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgpack

from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource, lookup
from busk8s.clock import Clock
from busk8s.log import Logger

VERSION = 1
PERIOD_S = 1.0

log = Logger("kubelet.checkpoint")


@dataclass(frozen=True, slots=True)
class Saved:
    node_name: str = ""
    revision: int = 0
    objects: tuple[Object, ...] = ()
    statuses: dict[str, Json] = field(default_factory=dict)


def encode(saved: Saved) -> bytes:
    objects = [
        (o.resource.group, o.resource.version, o.resource.plural, o.namespace, o.name,
         o.revision, o.body)
        for o in saved.objects
    ]  # fmt: skip
    packed: bytes = msgpack.packb(
        [VERSION, saved.node_name, saved.revision, objects, saved.statuses]
    )
    return packed


def decode(data: bytes) -> Saved:
    """Raises ValueError for anything that `encode` did not make."""
    try:
        version, node_name, revision, objects, statuses = msgpack.unpackb(data)
        if version != VERSION:
            raise ValueError(f"checkpoint version {version}")
        return Saved(node_name, revision, tuple(_object(*entry) for entry in objects), statuses)
    except (msgpack.UnpackException, TypeError, KeyError) as error:
        raise ValueError(f"not a checkpoint: {error}") from error


def _object(
    group: str, version: str, plural: str, namespace: str, name: str, revision: int, body: bytes
) -> Object:
    resource: Resource | None = lookup(group, version, plural)
    if resource is None:
        raise KeyError(f"{plural}.{group}/{version}")
    return Object(resource, namespace, name, revision=revision, body=body)


class Checkpoint:
    def __init__(
        self, path: Path, clock: Clock, take: Callable[[], Saved], *, enabled: bool = True
    ) -> None:
        self._enabled = enabled
        self._path = path
        self._clock = clock
        self._take = take
        self._dirty = asyncio.Event()

    def load(self) -> Saved | None:
        try:
            return decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("checkpoint cannot be read, put aside", path=self._path, error=error)
            self._path.rename(self._path.with_suffix(".bad"))
            return None

    def changed(self) -> None:
        self._dirty.set()

    async def run(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if self._enabled:
                self.save()
            await self._clock.sleep(PERIOD_S)

    def save(self) -> None:
        try:
            _write(self._path, encode(self._take()))
        except OSError as error:
            log.warning("checkpoint not written", path=self._path, error=error)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)

"""A topic on the master's side: its numbering, its recent deltas, its snapshot. Pure.

Owns      epoch and seq, the ring, cutting deltas and snapshots into frames.
Leaves    who may hear it and when frames are sent (hub), what it contains (views).
Invariant seq rises by one a delta; the ring holds the last deltas without a hole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from busk8s.protocol import (
    DELTA_FRAME_BYTES,
    RING_BYTES_MAX,
    RING_DELTAS_MAX,
    SNAPSHOT_PART_BYTES,
    Deltas,
    Entry,
    Position,
    SnapshotPart,
    encode,
)

ENTRY_OVERHEAD_BYTES = 128  # Names and numbers around a body: a rough guess is enough for cutting.


class Topic:
    def __init__(self, name: str, epoch: int) -> None:
        self.name = name
        self.epoch = epoch
        self.seq = 0
        self.revision = 0
        self.heard = False  # Somebody was granted it: only then frames are made.
        self._ring: deque[Entry] = deque()
        self._ring_bytes = 0
        self._sent = 0  # Number of the last delta that went into a frame.
        self._parts: tuple[int, Sequence[bytes]] | None = None

    @property
    def position(self) -> Position:
        return (self.epoch, self.seq)

    def push(self, entries: Iterable[Entry], revision: int) -> None:
        """Number `entries`; they stay in the ring until the limits push them out."""
        for entry in entries:
            self._ring.append(entry)
            self._ring_bytes += _size(entry)
            self.seq += 1
        self.revision = max(self.revision, revision)
        # One burst above the limits still goes out whole: the ring is trimmed after `frames`.
        if self._sent == self.seq or not self.heard:
            self._trim()

    def frames(self) -> list[bytes]:
        """What was pushed since the last call, packed."""
        first = self._sent + 1
        self._sent = self.seq
        made = self._pack(first) if self.heard else []
        self._trim()
        return made

    def repair(self, position: Position) -> list[bytes] | None:
        """The deltas after `position`, or None when only a snapshot helps."""
        epoch, seq = position
        if epoch != self.epoch or seq < self.seq - len(self._ring) or seq > self.seq:
            return None
        if seq == self.seq:
            return [encode(self._deltas(seq + 1, ()))]
        return self._pack(seq + 1)

    def snapshot(self, entries: Iterable[Entry], revision: int) -> Sequence[bytes]:
        """All of `entries` as encoded parts, kept for everyone who asks at this position."""
        chunks = list(_cut(entries, SNAPSHOT_PART_BYTES)) or [()]
        parts = [
            encode(
                SnapshotPart(
                    topic=self.name,
                    epoch=self.epoch,
                    seq=self.seq,
                    revision=revision,
                    part=number,
                    parts=len(chunks),
                    entries=chunk,
                )
            )
            for number, chunk in enumerate(chunks)
        ]
        self._parts = (self.seq, parts)
        return parts

    def cached_snapshot(self) -> Sequence[bytes] | None:
        """The parts made before, if nothing has changed since."""
        if self._parts is not None and self._parts[0] == self.seq:
            return self._parts[1]
        return None

    def forget_snapshot(self) -> None:
        self._parts = None

    def _pack(self, first: int) -> list[bytes]:
        oldest = self.seq - len(self._ring) + 1
        first = max(first, oldest)  # A hole at the front is a gap the subscribers repair.
        waiting = [self._ring[n - oldest] for n in range(first, self.seq + 1)]
        frames = []
        for chunk in _cut(waiting, DELTA_FRAME_BYTES):
            frames.append(encode(self._deltas(first, chunk)))
            first += len(chunk)
        return frames

    def _deltas(self, first: int, entries: tuple[Entry, ...]) -> Deltas:
        return Deltas(
            topic=self.name,
            epoch=self.epoch,
            first=first,
            revision=self.revision,
            entries=entries,
        )

    def _trim(self) -> None:
        while len(self._ring) > RING_DELTAS_MAX or self._ring_bytes > RING_BYTES_MAX:
            self._ring_bytes -= _size(self._ring.popleft())


def _size(entry: Entry) -> int:
    return len(entry[5]) + ENTRY_OVERHEAD_BYTES


def _cut(entries: Iterable[Entry], bytes_max: int) -> Iterator[tuple[Entry, ...]]:
    """`entries` in runs of about `bytes_max`; one that is bigger travels alone."""
    run: list[Entry] = []
    size = 0
    for entry in entries:
        if run and size + _size(entry) > bytes_max:
            yield tuple(run)
            run, size = [], 0
        run.append(entry)
        size += _size(entry)
    if run:
        yield tuple(run)

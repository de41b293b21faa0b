"""Lines of watches, joined into chunks: once for all watchers that see the same events.

Owns      the size of a chunk, the chunks of the last few rounds.
Leaves    what a line is (watching), who is woken when (store/fanout).
Invariant a batch is joined once for each form, however many watch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from busk8s.master.apiserver.metrics.storage import Measured
from busk8s.master.store.watch import Event

CHUNK_BYTES_MAX = 256 * 1024  # Lines are packed up to this size before they are handed on.
BATCHES_MAX = 4  # Rounds whose chunks are kept.


@dataclass(slots=True)
class Batch:
    """Some events as they are sent, and how big each was."""

    chunks: list[bytes]
    measured: Measured


class Batches:
    """The chunks of the last few rounds: the watchers that are woken together share them.

    For watchers that see all of a resource, or of a namespace: of two such batches that
    begin and end with the same events and are as long, one holds the other, so they are equal.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Event, Event, int, bool], Batch] = OrderedDict()

    def of(self, events: Sequence[Event], form: bool, lines: Iterable[bytes]) -> Batch:
        """`lines` of `events`, joined; not drawn from where they are kept. `form`: which of two."""
        asked = (events[0], events[-1], len(events), form)
        found = self._kept.get(asked)
        if found is None:
            drawn = list(lines)
            found = self._kept[asked] = Batch(list(packed(drawn)), Measured(map(len, drawn)))
            if len(self._kept) > BATCHES_MAX:
                self._kept.popitem(last=False)
        return found


def packed(lines: Iterable[bytes]) -> Iterator[bytes]:
    """`lines` joined into chunks of a bounded size; empty ones left out."""
    pending: list[bytes] = []
    size = 0
    for line in lines:
        if not line:
            continue
        pending.append(line)
        size += len(line)
        if size >= CHUNK_BYTES_MAX:
            yield b"".join(pending)
            pending, size = [], 0
    if pending:
        yield b"".join(pending)

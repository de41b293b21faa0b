"""What every driver does the same way: decide a group of writes, number them, tell listeners.

Owns      the index key -> revision, the revision counter, compare-and-write.
Leaves    making it durable (drivers).
Invariant the index changes only together with what the driver wrote: `undo` exists for failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from busk8s.master.store.base import Change, Listener, Lost, Write


@dataclass(frozen=True, slots=True)
class Decided:
    """One batch's fate: its changes, numbered, or who was in the way."""

    changes: tuple[Change, ...]
    lost: Lost | None = None


class Ledger:
    """Revisions of all keys, in memory: compares never wait for a disk."""

    def __init__(self, *, revision: int = 0, index: dict[str, int] | None = None) -> None:
        self.revision = revision
        self._index = {} if index is None else index
        self._listeners: list[Listener] = []
        self._undo: list[tuple[str, int]] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def take_listeners(self, other: Ledger) -> None:
        """Those who listened to `other` listen to this one from now on."""
        self._listeners = other._listeners

    def tell(self, changes: Sequence[Change]) -> None:
        for listener in self._listeners:
            listener(changes)

    def decide(self, batch: Sequence[Write]) -> Decided:
        """Compare `batch` with the index; if all holds, number its writes and take them in.

        Later batches of the same group see them. Deleting an absent key is a lost race.
        """
        index = self._index
        for write in batch:
            found = index.get(write.key, 0)
            expected = found if write.expect is None else write.expect
            if found != expected or (write.value is None and not found):
                return Decided((), Lost(write.key, found))
        changes = []
        for write in batch:
            self._undo.append((write.key, index.get(write.key, 0)))
            self.revision += 1
            if write.value is None:
                index.pop(write.key, None)
            else:
                index[write.key] = self.revision
            changes.append(Change(self.revision, write.key, write.value, write.tag))
        return Decided(tuple(changes))

    def keep(self) -> None:
        """What was decided since the last `keep` is durable now."""
        self._undo.clear()

    def undo(self) -> None:
        """What was decided since the last `keep` did not happen; its revisions are free again."""
        self.revision -= len(self._undo)
        for key, revision in reversed(self._undo):
            if revision:
                self._index[key] = revision
            else:
                self._index.pop(key, None)
        self._undo.clear()


def fold(changes: Sequence[Change]) -> dict[str, Change]:
    """What keys hold after `changes`, oldest first, applied to nothing."""
    held: dict[str, Change] = {}
    for change in changes:
        if change.value is None:
            held.pop(change.key, None)
        else:
            held[change.key] = change
    return held

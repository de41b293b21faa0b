"""Identifiers: which strings must not mix, and where new ones come from."""

from __future__ import annotations

import random
import uuid
from typing import NewType, Protocol

Uid = NewType("Uid", str)
NodeName = NewType("NodeName", str)
Revision = NewType("Revision", int)

# Upstream's alphabet for generated names: no vowels, no look-alikes (apimachinery util/rand).
NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

UIDS_DRAWN = 64  # UUIDs made at a time.


class IdSource(Protocol):
    def uid(self) -> Uid:
        """A new UUID in its text form."""
        ...

    def suffix(self, length: int = 5) -> str:
        """Random characters fit for the end of an object's name."""
        ...


class RandomIds:
    """Ids drawn from `source`: a seeded one repeats, `random.SystemRandom()` never does."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._drawn: list[Uid] = []

    def uid(self) -> Uid:
        if not self._drawn:
            self._draw()
        return self._drawn.pop()

    def _draw(self) -> None:
        """A store of them: asking the system for randomness costs ten times its formatting."""
        raw = self._source.randbytes(16 * UIDS_DRAWN)
        for start in range(0, len(raw), 16):
            drawn = uuid.UUID(bytes=raw[start : start + 16], version=4)
            self._drawn.append(Uid(str(drawn)))

    def suffix(self, length: int = 5) -> str:
        return "".join(self._source.choices(NAME_ALPHABET, k=length))

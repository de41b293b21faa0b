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

    def uid(self) -> Uid:
        return Uid(str(uuid.UUID(int=self._source.getrandbits(128), version=4)))

    def suffix(self, length: int = 5) -> str:
        return "".join(self._source.choices(NAME_ALPHABET, k=length))

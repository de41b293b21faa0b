"""What checks look at in a pod, and how they word what they find.

Owns      the containers of all sorts, security contexts, lists of names in messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Json = dict[str, Any]

GROUPS = ("initContainers", "containers", "ephemeralContainers")


def containers(spec: Json) -> Iterator[Json]:
    for group in GROUPS:
        yield from spec.get(group) or ()


def context(holder: Json) -> Json:
    """The securityContext of a pod's spec or of a container."""
    found: Json = holder.get("securityContext") or {}
    return found


def inside(holder: Json, *path: str) -> Any:
    """The member of a security context at `path`; None where a step is missing."""
    found: Any = context(holder)
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def names(found: Iterable[Json]) -> list[str]:
    return [str(each.get("name")) for each in found]


def quoted(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in dict.fromkeys(words))


def many(word: str, found: Sequence[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{word}{'s' if len(found) > 1 else ''} {quoted(found)}"

"""Lists of at most so many entries, each sound, none twice.

Source    the rules of resource.k8s.io: a list that is too long is not looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from busk8s.api.rules.cause import duplicate, too_many
from busk8s.errors import Cause

Check = Callable[[Any, str, list[Cause]], None]


def validate_slice(
    items: Sequence[Any], most: int | None, check: Check, path: str, causes: list[Cause]
) -> bool:
    """False when it was too long to look into."""
    if most is not None and len(items) > most:
        causes.append(too_many(path, len(items), most))
        return False
    for index, item in enumerate(items):
        check(item, f"{path}[{index}]", causes)
    return True


def validate_set(
    items: Sequence[Any],
    most: int | None,
    check: Check,
    key: Callable[[Any], Hashable],
    path: str,
    causes: list[Cause],
) -> None:
    if not validate_slice(items, most, check, path, causes):
        return
    seen: set[Hashable] = set()
    for index, item in enumerate(items):
        if (found := key(item)) in seen:
            causes.append(duplicate(f"{path}[{index}]", found))
        seen.add(found)


def named(item: dict[str, Any]) -> str:
    return item.get("name") or ""

"""What the containers of a pod ask for together.

Owns      the sum over containers and init containers, with sidecars and overhead.
Source    KEP 753 (sidecar containers), "Resource sharing within containers"; KEP 688 (overhead).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from busk8s.api.quantity import nanos

Json = dict[str, Any]
Part = Literal["requests", "limits"]


def containers(spec: Json) -> Iterator[Json]:
    """Init containers, then containers."""
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def total(spec: Json, part: Part, *, overhead: bool = True) -> dict[str, int]:
    """Resource name -> billionths of its unit that the pod needs of `part` at its height."""
    running: dict[str, int] = {}
    for container in spec.get("containers") or ():
        _add(running, _of(container, part))
    sidecars: dict[str, int] = {}
    height: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        own = dict(_of(container, part))
        if container.get("restartPolicy") == "Always":
            _add(sidecars, own)
            _add(running, own)
            own = dict(sidecars)
        else:
            _add(own, sidecars)
        _raise(height, own)
    _raise(running, height)
    if overhead:
        extra = {name: nanos(value) for name, value in (spec.get("overhead") or {}).items()}
        if part == "requests":
            _add(running, extra)
        else:
            _add(running, {name: value for name, value in extra.items() if name in running})
    return running


def _of(container: Json, part: Part) -> dict[str, int]:
    given = (container.get("resources") or {}).get(part) or {}
    return {name: nanos(value) for name, value in given.items()}


def _add(into: dict[str, int], more: dict[str, int]) -> None:
    for name, value in more.items():
        into[name] = into.get(name, 0) + value


def _raise(into: dict[str, int], least: dict[str, int]) -> None:
    for name, value in least.items():
        into[name] = max(into.get(name, 0), value)


def is_best_effort(spec: Json) -> bool:
    """Whether no container asks for, or is limited in, CPU or memory."""
    return not any(
        value
        for container in containers(spec)
        for part in ("requests", "limits")
        for name, value in _of(container, part).items()
        if name in ("cpu", "memory")
    )

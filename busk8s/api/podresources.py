"""What the containers of a pod ask for together.

Owns      the sum over containers and init containers, with sidecars and overhead; what a pod
          that is resized in place holds.
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


def as_running(spec: Json, status: Json) -> Json:
    """`spec` with what its containers hold beyond it: a resize in place is under way, or is not
    possible. The same object where there is nothing of it, which is almost always.
    """
    shown = {s.get("name"): s for key in _STATUSES for s in status.get(key) or ()}
    if not any(_differs(each, shown.get(each.get("name"))) for each in containers(spec)):
        return spec
    impossible = any(
        c.get("type") == "PodResizePending" and c.get("reason") == "Infeasible"
        for c in status.get("conditions") or ()
    )
    return spec | {
        name: [_held(c, shown.get(c.get("name")) or {}, impossible) for c in spec[name]]
        for name in ("containers", "initContainers")
        if spec.get(name)
    }


_STATUSES = ("containerStatuses", "initContainerStatuses")


def _differs(container: Json, shown: Json | None) -> bool:
    if shown is None or shown.get("resources") is None:
        return False
    wanted, given = container.get("resources") or {}, shown["resources"]
    requests = wanted.get("requests") or {}
    return bool(
        requests != (given.get("requests") or {})
        or (wanted.get("limits") or {}) != (given.get("limits") or {})
        or requests != (shown.get("allocatedResources") or requests)
    )


def _held(container: Json, shown: Json, impossible: bool) -> Json:
    given = shown.get("resources")
    if given is None:
        return container
    wanted = {} if impossible else container.get("resources") or {}
    allocated = shown.get("allocatedResources") or {}
    requests = _most(wanted.get("requests") or {}, given.get("requests") or {}, allocated)
    limits = _most(wanted.get("limits") or {}, given.get("limits") or {})
    return {**container, "resources": {"requests": requests, "limits": limits}}


def _most(*lists: Json) -> Json:
    found: Json = {}
    for amounts in lists:
        for name, amount in amounts.items():
            if name not in found or nanos(amount) > nanos(found[name]):
                found[name] = amount
    return found


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

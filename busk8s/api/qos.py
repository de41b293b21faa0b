"""The quality of service class of a pod.

Source    Kubernetes documentation, "Pod Quality of Service Classes"; pkg/apis/core/v1/helper/qos.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from busk8s.api.quantity import parse

Json = dict[str, Any]

AMOUNTS_CACHED_MAX = 1_024  # Quantities repeat over pods: a few templates make most of them.
_COMPUTE = ("cpu", "memory")


def qos_class(pod: Json) -> str:
    """Guaranteed, Burstable or BestEffort, from cpu and memory of all containers."""
    spec = pod.get("spec") or {}
    if spec.get("resources"):  # Pod-level resources decide alone when they are given.
        return _class_of([spec["resources"]])
    return _class_of([container.get("resources") or {} for container in _containers(spec)])


def _containers(spec: Json) -> Iterator[Json]:
    yield from spec.get("containers") or ()
    yield from spec.get("initContainers") or ()


def _class_of(resources: Iterable[Json]) -> str:
    guaranteed, anything = True, False
    for one in resources:
        limits, requests = one.get("limits") or {}, one.get("requests") or {}
        for name in _COMPUTE:
            limit, request = _positive(limits, name), _positive(requests, name)
            anything = anything or limit is not None or request is not None
            if limit is None or (request is not None and request != limit):
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _positive(amounts: Json, name: str) -> object | None:
    text = amounts.get(name)
    return None if text is None else _amount(text)


@lru_cache(maxsize=AMOUNTS_CACHED_MAX)
def _amount(text: str) -> object | None:
    amount = parse(text)
    return amount if amount > 0 else None

"""Pods: the status they begin with, their quality of service, how long they may take to stop,
and what their subresources `ephemeralcontainers` and `resize` change.

Source    pkg/registry/core/pod/strategy.go, pkg/apis/core/v1/helper/qos.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from busk8s.api.object import Json
from busk8s.api.quantity import parse
from busk8s.master.apiserver.strategies.base import Strategy, prepare_part

AMOUNTS_CACHED_MAX = 1_024  # Quantities repeat over pods: a few templates make most of them.
_COMPUTE = ("cpu", "memory")
FINISHED = ("Succeeded", "Failed")


def on_create(pod: Json) -> None:
    pod["status"] = {"phase": "Pending", "qosClass": qos_class(pod)}


def on_update(pod: Json, old: Json) -> None:
    """The class is fixed at creation; a status that lost it gets it back."""
    status = pod.get("status")
    if isinstance(status, dict) and "qosClass" not in status:
        pod["status"] = {**status, "qosClass": qos_class(pod)}


def prepare_ephemeral(strategy: Strategy, new: Json, old: Json) -> None:
    """Only spec.ephemeralContainers may change."""
    prepare_part(strategy, new, old, _ephemeral)


def _ephemeral(spec: Json, was: Json) -> Json:
    taken = {key: value for key, value in was.items() if key != "ephemeralContainers"}
    if listed := spec.get("ephemeralContainers"):
        taken["ephemeralContainers"] = listed
    return taken


def grace_of(pod: Json, asked: int | None) -> int:
    """Seconds a delete leaves the pod: none when nobody would have to stop anything."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in FINISHED:
        return 0
    grace = asked if asked is not None else spec.get("terminationGracePeriodSeconds", 30)
    return 1 if grace < 0 else int(grace)


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

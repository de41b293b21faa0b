"""Pods: the status they begin with, their quality of service, how long they may take to stop,
and what their subresources `ephemeralcontainers` and `resize` change.

Source    pkg/registry/core/pod/strategy.go.
"""

from __future__ import annotations

from busk8s.api.object import Json
from busk8s.api.qos import qos_class
from busk8s.master.apiserver.strategies.base import Strategy, prepare_part

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


def prepare_resize(strategy: Strategy, new: Json, old: Json) -> None:
    """Only resources and resize policies of containers may change."""
    prepare_part(strategy, new, old, _resized)


def _resized(spec: Json, was: Json) -> Json:
    taken = dict(was)
    for name in ("containers", "initContainers"):
        now, before = spec.get(name) or [], was.get(name) or []
        if [c.get("name") for c in now] != [c.get("name") for c in before]:
            taken[name] = now  # For validation to refuse.
        elif before:
            taken[name] = [_with(c, b, _RESIZABLE) for c, b in zip(now, before, strict=True)]
    return taken


_RESIZABLE = ("resources", "resizePolicy")


def _with(now: Json, before: Json, fields: tuple[str, ...]) -> Json:
    kept = {key: value for key, value in before.items() if key not in fields}
    return kept | {key: now[key] for key in fields if key in now}


def grace_of(pod: Json, asked: int | None) -> int:
    """Seconds a delete leaves the pod: none when nobody would have to stop anything."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in FINISHED:
        return 0
    grace = asked if asked is not None else spec.get("terminationGracePeriodSeconds", 30)
    return 1 if grace < 0 else int(grace)

"""Owners and what they own: claiming, releasing, and what a pod's status says about it.

Owns      the rules by which a controller takes, keeps and lets go of objects its selector matches;
          active, ready and available pods; conditions as all workloads write them.
Leaves    how many children there should be (each controller).
Invariant only the managing owner touches an object; nobody adopts while being deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Json, Object
from busk8s.api.selectors import LabelSelector
from busk8s.master.controllers.actions import Patch


def controller_of(obj: Object) -> Json | None:
    """The ownerReference of the one owner that manages `obj`."""
    for reference in obj.metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            found: Json = reference
            return found
    return None


def owned_key(obj: Object, kind: str) -> str | None:
    """The queue key of the managing owner of `obj`, if that is a `kind`."""
    reference = controller_of(obj)
    if reference is None or reference.get("kind") != kind:
        return None
    return f"{obj.namespace}/{reference['name']}" if obj.namespace else str(reference["name"])


def controller_reference(owner: Object) -> Json:
    return {
        "apiVersion": owner.resource.api_version,
        "kind": owner.resource.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


@dataclass(frozen=True)
class Claim:
    """What belongs to an owner now, and the patches that make the rest true."""

    mine: tuple[Object, ...]
    patches: tuple[Patch, ...]


def claim(
    owner: Object,
    selector: LabelSelector,
    owned: Iterable[Object],
    orphans: Iterable[Object],
    is_deleting: Callable[[Object], bool],
) -> Claim:
    """Keep what matches, release what no longer does, adopt the orphans that do."""
    mine: list[Object] = []
    patches: list[Patch] = []
    for child in owned:
        if selector.matches(child.labels):
            mine.append(child)
        elif not owner.deleting and not is_deleting(child):
            patches.append(release(owner, child))
    if not owner.deleting:
        patches += [
            adopt(owner, orphan)
            for orphan in orphans
            if selector.matches(orphan.labels) and not is_deleting(orphan)
        ]
    return Claim(tuple(mine), tuple(patches))


def adopt(owner: Object, child: Object) -> Patch:
    # The uid makes the patch fail when another object bears the name by now.
    metadata = {"uid": child.uid, "ownerReferences": [controller_reference(owner)]}
    return Patch(child, {"metadata": metadata}, kind="strategic")


def release(owner: Object, child: Object) -> Patch:
    directive = {"$patch": "delete", "uid": owner.uid}
    metadata = {"uid": child.uid, "ownerReferences": [directive]}
    return Patch(child, {"metadata": metadata}, kind="strategic")


def is_finished(pod: Object) -> bool:
    return status_of(pod).get("phase") in ("Succeeded", "Failed")


def status_of(obj: Object) -> Json:
    return obj.data.get("status") or {}


def spec_of(obj: Object) -> Json:
    return obj.data.get("spec") or {}


def condition(status: Json, type_: str) -> Json | None:
    for found in status.get("conditions") or ():
        if found.get("type") == type_:
            entry: Json = found
            return entry
    return None


def is_ready(pod: Object) -> bool:
    ready = condition(status_of(pod), "Ready")
    return ready is not None and ready.get("status") == "True"


def available_in_s(pod: Object, min_ready_s: float, now: float) -> float | None:
    """0 when `pod` is available, the time until it will be, or None while it is not ready."""
    ready = condition(status_of(pod), "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    since = ready.get("lastTransitionTime")
    if not min_ready_s:
        return 0.0
    if not since:
        return None
    return max(0.0, parse_time(since) + min_ready_s - now)


def with_condition(
    conditions: Sequence[Json], new: Mapping[str, str], now: float, *, update_time: bool = False
) -> list[Json]:
    """`conditions` with `new` set, as workloads do: same status keeps its transition time.

    Nothing changes when status and reason are what they were. `update_time` for Deployments,
    whose conditions also say when they were last written.
    """
    before = next((c for c in conditions if c["type"] == new["type"]), None)
    if before is not None and (before["status"], before.get("reason")) == (
        new["status"],
        new["reason"],
    ):
        return list(conditions)
    stamp = format_time(now)
    entry: Json = dict(new)
    if update_time:
        entry["lastUpdateTime"] = stamp
    entry["lastTransitionTime"] = stamp
    if before is not None and before["status"] == new["status"]:
        entry["lastTransitionTime"] = before.get("lastTransitionTime", stamp)
    return [*without_condition(conditions, new["type"]), entry]


def without_condition(conditions: Sequence[Json], type_: str) -> list[Json]:
    return [c for c in conditions if c["type"] != type_]


def no_execute(node: Object) -> tuple[Json, ...]:
    return tuple(t for t in spec_of(node).get("taints") or () if t["effect"] == "NoExecute")

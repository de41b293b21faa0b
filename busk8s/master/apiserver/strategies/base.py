"""One kind's rules for create, update, status and delete, as a value.

Owns      Strategy, and the split between what a user may say and what the system says.
Leaves    which kind has which (table), field rules (api/validation), defaults (api/defaults).
Invariant a write through the main path never changes `status`; one through `status` changes
          nothing but status and what metadata upstream lets it.
Source    pkg/registry/*/strategy.go of Kubernetes: the facts, not the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from busk8s.api.object import Json
from busk8s.api.request import ANONYMOUS, User

Take = Callable[[Json, Json], Json]  # (new spec, old spec) -> the spec to store
Propagation = Literal["Background", "Foreground", "Orphan", ""]


@dataclass(frozen=True, slots=True)
class Strategy:
    """Defaults are those of a plain kind: no status, no generation, deleted at once.

    status           `status` belongs to the system: dropped on create, kept on update.
    first_status     what `status` is after create; None: there is none.
    keep_status      a create may carry status (Node: the kubelet registers with it).
    generation       `metadata.generation` counts changes of what is neither metadata nor status.
    status_keeps     what of metadata a write to `status` may not change, beside what none may.
    status_counts    `status` is a field like any other: its changes are counted.
    first_generation  what it begins with; 0: there is none before the first change.
    annotations_count  changes of annotations count as well (Deployment).
    labels_count     changes of labels count as well (EndpointSlice).
    graceful         seconds of grace a delete gives, from the object and what was asked; None: 0.
    propagation      the garbage collector's default; "" = it does not care for this kind.
    author           writes into a new object who made it.
    refused          why such objects cannot be had (they would do nothing).
    """

    status: bool = False
    first_status: Mapping[str, Any] | None = field(default_factory=dict)
    keep_status: bool = False
    generation: bool = False
    first_generation: int = 1
    annotations_count: bool = False
    labels_count: bool = False
    status_keeps: tuple[str, ...] = ()
    status_counts: bool = False
    create_on_update: bool = False
    unconditional_update: bool = True
    returns_deleted: bool = False
    durable: bool = True
    propagation: Propagation = "Background"
    graceful: Callable[[Json, int | None], int] | None = None
    on_create: Callable[[Json], None] | None = None
    author: Callable[[Json, User], None] | None = None
    on_update: Callable[[Json, Json], None] | None = None
    refused: str = ""


# Upstream's encoding leaves these out when they are empty; so an empty one is no change.
_OMIT_EMPTY = ("labels", "annotations", "finalizers", "ownerReferences")


def tidy_metadata(metadata: Json) -> None:
    """Drop what is not kept and what says nothing, in place."""
    metadata.pop("selfLink", None)
    for key in _OMIT_EMPTY:
        if key in metadata and not metadata[key]:
            del metadata[key]


def prepare_create(strategy: Strategy, data: Json, user: User = ANONYMOUS) -> None:
    """Drop what only the system may say, in place."""
    metadata = data["metadata"]
    tidy_metadata(metadata)
    if strategy.generation and strategy.first_generation:
        metadata["generation"] = strategy.first_generation
    else:
        metadata.pop("generation", None)
    if strategy.status and not (strategy.keep_status and data.get("status")):
        if strategy.first_status is None:
            data.pop("status", None)
        else:
            data["status"] = dict(strategy.first_status)
    if strategy.on_create is not None:
        strategy.on_create(data)
    if strategy.author is not None:
        strategy.author(data, user)


def prepare_update(strategy: Strategy, new: Json, old: Json) -> None:
    """Keep what the main path may not change, and count the change, in place."""
    if strategy.status:
        _keep(new, old, "status")
    if strategy.on_update is not None:
        strategy.on_update(new, old)
    _keep_metadata(new["metadata"], old["metadata"])
    if strategy.generation and _counts(strategy, new, old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def prepare_status(strategy: Strategy, new: Json, old: Json) -> None:
    """Keep everything but status, in place; labels and annotations may change as upstream."""
    for key in [key for key in new if key not in ("metadata", "status") and key not in old]:
        del new[key]
    for key in old:
        if key not in ("metadata", "status"):
            new[key] = old[key]
    metadata, before = new["metadata"], old["metadata"]
    _keep_metadata(metadata, before)
    for key in ("ownerReferences", "finalizers", *strategy.status_keeps):
        _keep(metadata, before, key)
    if strategy.status and strategy.first_status is not None and new.get("status") is None:
        new["status"] = dict(strategy.first_status)


def prepare_part(strategy: Strategy, new: Json, old: Json, take: Take) -> None:
    """Keep everything but what `take` takes over of the new spec, in place; count the change."""
    sent, before = new["metadata"], old["metadata"]
    kept = {key: sent[key] for key in ("managedFields", "resourceVersion") if key in sent}
    spec = take(new.get("spec") or {}, old.get("spec") or {})
    new.clear()
    new.update({**old, "spec": spec})
    new["metadata"] = {k: v for k, v in before.items() if k != "managedFields"} | kept
    if strategy.generation and _counts(strategy, new, old):
        new["metadata"]["generation"] = before.get("generation", 0) + 1


def _keep_metadata(metadata: Json, before: Json) -> None:
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        _keep(metadata, before, key)
    for key in ("uid", "creationTimestamp", "namespace", "name"):
        if not metadata.get(key):
            _keep(metadata, before, key)


def _keep(new: Json, old: Json, key: str) -> None:
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)


def _counts(strategy: Strategy, new: Json, old: Json) -> bool:
    for name, counts in (
        ("annotations", strategy.annotations_count),
        ("labels", strategy.labels_count),
    ):
        if counts and (new["metadata"].get(name) or {}) != (old["metadata"].get(name) or {}):
            return True
    keys = {**new, **old}.keys() - {"metadata", "kind", "apiVersion"}
    if not strategy.status_counts:
        keys -= {"status"}
    return any(new.get(key) != old.get(key) for key in keys)

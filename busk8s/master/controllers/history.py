"""ControllerRevisions: the templates a DaemonSet or StatefulSet has had, and which is the newest.

Owns      what a revision holds, its name and number, collisions, which ones are forgotten. Pure.
Leaves    which pods have which revision (each controller).
Invariant a template that is used again gets its old revision under the highest number.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from busk8s.api.object import Json, Object
from busk8s.api.scheme import CONTROLLERREVISIONS
from busk8s.master.controllers.actions import Action, Create, Delete, Patch
from busk8s.master.controllers.children import controller_reference, spec_of, status_of
from busk8s.master.controllers.revision import template_hash

HASH_LABEL = "controller-revision-hash"  # On pods, and on the revisions of DaemonSets.
HISTORY_LIMIT = 10


@dataclass(frozen=True)
class Update:
    """The revision of the template as it is now; `actions` make it so, and come before all else."""

    name: str
    hash: str
    actions: tuple[Action, ...] = ()


def content(owner: Object) -> Json:
    """What `kubectl rollout undo` sends back as a strategic patch."""
    template = spec_of(owner).get("template") or {}
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def update_revision(
    owner: Object, revisions: Sequence[Object], bearer: Object | None, label: str
) -> Update:
    """`bearer`: whatever has the name that a new revision would get. `label`: holds the hash."""
    wanted = content(owner)
    same = [r for r in revisions if r.data.get("data") == wanted]
    highest = max((number(r) for r in revisions), default=0)
    if same:
        newest = max(same, key=number)
        hash_ = newest.labels.get(label) or newest.name.rpartition("-")[2]
        if number(newest) == highest:
            return Update(newest.name, hash_)
        return Update(newest.name, hash_, (Patch(newest, {"revision": highest + 1}),))
    name, hash_ = new_name(owner)
    if bearer is not None:
        collisions = int(status_of(owner).get("collisionCount") or 0) + 1
        patch = Patch(owner, {"status": {"collisionCount": collisions}}, subresource="status")
        return Update(name, hash_, (patch,))
    return Update(name, hash_, (_make(owner, name, {label: hash_}, wanted, highest + 1),))


def new_name(owner: Object) -> tuple[str, str]:
    """The name and the hash of a revision of the template, if it has to be made."""
    collisions = int(status_of(owner).get("collisionCount") or 0)
    hash_ = template_hash(content(owner), collisions)
    return f"{owner.name}-{hash_}", hash_


def number(revision: Object) -> int:
    return int(revision.data.get("revision") or 0)


def template_in(revision: Object) -> Json:
    """The pod template that `revision` remembers."""
    spec = (revision.data.get("data") or {}).get("spec") or {}
    return {k: v for k, v in (spec.get("template") or {}).items() if k != "$patch"}


def forget(owner: Object, revisions: Sequence[Object], live: Collection[str]) -> list[Delete]:
    """Revisions beyond the limit that nothing uses, the lowest numbers first."""
    limit = spec_of(owner).get("revisionHistoryLimit")
    limit = HISTORY_LIMIT if limit is None else int(limit)
    unused = sorted((r for r in revisions if r.name not in live and not r.deleting), key=number)
    return [Delete(revision) for revision in unused[: max(0, len(unused) - limit)]]


def _make(owner: Object, name: str, marks: Json, data: Json, revision: int) -> Create:
    template = (spec_of(owner).get("template") or {}).get("metadata") or {}
    annotations = dict(owner.metadata.get("annotations") or {})
    annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    metadata: Json = {
        "name": name,
        "namespace": owner.namespace,
        "labels": {**(template.get("labels") or {}), **marks},
        "ownerReferences": [controller_reference(owner)],
    }
    if annotations:  # Among them the cause of the change, for `kubectl rollout history`.
        metadata["annotations"] = annotations
    body = {
        "apiVersion": CONTROLLERREVISIONS.api_version,
        "kind": CONTROLLERREVISIONS.kind,
        "metadata": metadata,
        "data": data,
        "revision": revision,
    }
    return Create(CONTROLLERREVISIONS, body)

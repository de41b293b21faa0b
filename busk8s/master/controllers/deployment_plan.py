"""One step of a Deployment: which ReplicaSets to make, resize, renumber or forget. Pure.

Owns      the order of steps for RollingUpdate and Recreate, pause, names and collisions, history.
Leaves    sizes (deployment_scale), revision numbers (revision), status (deployment_status).
Invariant a step changes sizes in one direction only: it scales up, or down, never both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from busk8s.api.object import Json, Object
from busk8s.api.scheme import REPLICASETS
from busk8s.errors import Error
from busk8s.master.controllers.actions import (
    Action,
    Create,
    Delete,
    Emit,
    Patch,
    Plan,
    Told,
    merge_difference,
    patch_status,
)
from busk8s.master.controllers.children import (
    Claim,
    controller_of,
    controller_reference,
    is_finished,
    spec_of,
    status_of,
)
from busk8s.master.controllers.deployment_scale import (
    Bounds,
    Member,
    Sizes,
    bounds,
    is_scaling,
    member,
    new_size,
    old_sizes,
    scaled_sizes,
)
from busk8s.master.controllers.deployment_status import (
    Note,
    counts,
    deadline_in_s,
    is_complete,
    is_paused,
    paused_note,
    with_progress,
)
from busk8s.master.controllers.revision import (
    DESIRED,
    HASH_LABEL,
    MAX,
    REVISION,
    annotations_for,
    annotations_of,
    next_revision,
    revision_of,
    same_template,
    template_hash,
    template_of,
    with_hash,
)

HISTORY_LIMIT = 10


@dataclass(frozen=True)
class Observed:
    deployment: Object
    claim: Claim
    stranger: Object | None  # What bears the name the new ReplicaSet would get, if anything does.
    old_pods: tuple[Object, ...]  # Pods of its ReplicaSets but the new one; for Recreate.
    failure: Error | None


@dataclass(frozen=True)
class _Step:
    """What one step decided: sizes to set, more actions, and what to say about progress."""

    sizes: Sizes
    actions: tuple[Action, ...] = ()
    note: Note | None = None


def plan(observed: Observed, now: float) -> Plan:
    """What to do next so that the rollout goes on; nothing when it is where it should be."""
    deployment, sets = observed.deployment, observed.claim.mine
    if observed.claim.patches:
        return Plan(observed.claim.patches)
    if not spec_of(deployment).get("selector"):
        message = "This deployment is selecting all pods. A non-empty selector is required."
        return Plan((Emit(deployment, "Warning", "SelectingAll", message),))
    new = new_set(deployment, sets)
    bound = bounds(deployment)
    step = _Step({}) if deployment.deleting else _step(observed, bound, new)
    status = counts(deployment, bound, new, sets, now)
    note = step.note or paused_note(deployment)
    status = with_progress(deployment, status, new, sets, note, now)
    actions = [*step.actions, *_resize(deployment, bound, sets, step.sizes)]
    said = patch_status(deployment, status)
    # What failed last time may fail again, and must not keep the status from telling of it.
    actions = [*said, *actions] if observed.failure else [*actions, *said]
    return Plan(tuple(actions), deadline_in_s(deployment, status, now))


def new_set(deployment: Object, sets: Sequence[Object]) -> Object | None:
    """The oldest ReplicaSet with the template that the Deployment has now."""
    template = template_of(deployment)
    same = [rs for rs in sets if same_template(template_of(rs), template)]
    return min(
        same, key=lambda rs: (rs.metadata.get("creationTimestamp") or "", rs.name), default=None
    )


def new_name(deployment: Object) -> tuple[str, str]:
    """The name and the hash that the new ReplicaSet gets."""
    collisions = int(status_of(deployment).get("collisionCount") or 0)
    hash_ = template_hash(template_of(deployment), collisions)
    return f"{deployment.name}-{hash_}", hash_


def _step(observed: Observed, bound: Bounds, new: Object | None) -> _Step:
    deployment = observed.deployment
    olds = [rs for rs in observed.claim.mine if rs is not new]
    members = [member(rs) for rs in observed.claim.mine]
    if is_paused(deployment) or is_scaling(bound, members):
        mine = member(new) if new else None
        sizes = scaled_sizes(bound, mine, [member(rs) for rs in olds])
        renew = () if is_paused(deployment) else _renumber(deployment, new, olds)
        return _Step(sizes, (*renew, *_restamp(deployment, bound, observed.claim.mine, sizes)))
    step = _rolling(observed, bound, new, olds) if bound.rolling else None
    step = step or _recreate(observed, bound, new, olds)
    if new is None or step.sizes:
        return step
    done = is_complete(deployment, status_of(deployment), bound.replicas)
    forget = _forget(deployment, olds) if done else ()
    return _Step(step.sizes, (*_renumber(deployment, new, olds), *step.actions, *forget), step.note)


def _rolling(
    observed: Observed, bound: Bounds, new: Object | None, olds: Sequence[Object]
) -> _Step | None:
    if not bound.rolling:
        return None
    old_members = [member(rs) for rs in olds]
    if new is None:
        return _make(observed, bound, olds, new_size(bound, Member("", 0), old_members))
    mine = member(new)
    size = new_size(bound, mine, old_members)
    if size != mine.replicas:
        return _Step({mine.name: size}, _renumber(observed.deployment, new, olds))
    return _Step(old_sizes(bound, mine, old_members))


def _recreate(
    observed: Observed, bound: Bounds, new: Object | None, olds: Sequence[Object]
) -> _Step:
    shrink = {rs.name: 0 for rs in olds if member(rs).replicas}
    if shrink:
        return _Step(shrink)
    running = any(status_of(rs).get("replicas") for rs in olds)
    if running or any(not is_finished(pod) for pod in observed.old_pods):
        return _Step({})
    if new is None:
        return _make(observed, bound, olds, bound.replicas)
    size = bound.replicas
    return _Step({new.name: size} if member(new).replicas != size else {})


def _make(observed: Observed, bound: Bounds, olds: Sequence[Object], size: int) -> _Step:
    """The step that creates the new ReplicaSet."""
    deployment = observed.deployment
    name, hash_ = new_name(deployment)
    if observed.stranger is not None:
        return _Step({}, (_collided(deployment),))
    revision = next_revision(olds)
    told = Told(
        deployment,
        success=("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}"),
        failure=("ReplicaSetCreateError", f'Failed to create new replica set "{name}": {{error}}'),
    )
    create = Create(REPLICASETS, _new(deployment, bound, name, hash_, revision, size), told)
    if observed.failure is not None:
        note = Note("False", "ReplicaSetCreateError", observed.failure.message)
    else:
        note = Note("True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
    return _Step({}, (create, *_number(deployment, revision)), note)


def _new(
    deployment: Object, bound: Bounds, name: str, hash_: str, revision: int, size: int
) -> Json:
    spec = spec_of(deployment)
    template = with_hash(template_of(deployment), hash_)
    selector = dict(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: hash_}
    annotations = annotations_for(deployment, revision, None) | _stamps(bound)
    new_spec = {"replicas": size, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        new_spec["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": REPLICASETS.api_version,
        "kind": REPLICASETS.kind,
        "metadata": {
            "name": name,
            "namespace": deployment.namespace,
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": new_spec,
    }


def _collided(deployment: Object) -> Patch:
    count = int(status_of(deployment).get("collisionCount") or 0)
    return Patch(deployment, {"status": {"collisionCount": count + 1}}, subresource="status")


def _renumber(deployment: Object, new: Object | None, olds: Sequence[Object]) -> tuple[Patch, ...]:
    """The new ReplicaSet bears the highest revision and the Deployment's annotations."""
    if new is None:
        return ()
    before = annotations_of(new)
    annotations = annotations_for(deployment, next_revision(olds), before)
    patch: Json = {}
    if changed := merge_difference(before, annotations):
        patch["metadata"] = {"annotations": changed}
    ready_s = spec_of(deployment).get("minReadySeconds") or 0
    if (spec_of(new).get("minReadySeconds") or 0) != ready_s:
        patch["spec"] = {"minReadySeconds": ready_s}
    revision = int(annotations.get(REVISION, "0"))
    patches = (Patch(new, patch),) if patch else ()
    return (*patches, *_number(deployment, revision))


def _number(deployment: Object, revision: int) -> tuple[Patch, ...]:
    if annotations_of(deployment).get(REVISION) == str(revision):
        return ()
    # By way of the status, as upstream: there an annotation does not count as a new generation.
    patch = {"metadata": {"annotations": {REVISION: str(revision)}}}
    return (Patch(deployment, patch, subresource="status"),)


def _stamps(bound: Bounds) -> dict[str, str]:
    return {DESIRED: str(bound.replicas), MAX: str(bound.total_max)}


def _resize(
    deployment: Object, bound: Bounds, sets: Sequence[Object], sizes: Sizes
) -> list[Action]:
    actions: list[Action] = []
    for rs in sets:
        if rs.name not in sizes:
            continue
        size, before = sizes[rs.name], member(rs).replicas
        way = "up" if size > before else "down"
        message = f"Scaled {way} replica set {rs.name} from {before} to {size}"
        patch = {"metadata": {"annotations": _stamps(bound)}, "spec": {"replicas": size}}
        told = Told(deployment, success=("ScalingReplicaSet", message))
        actions.append(Patch(rs, patch, told=told))
    return actions


def _restamp(
    deployment: Object, bound: Bounds, sets: Sequence[Object], sizes: Sizes
) -> tuple[Patch, ...]:
    """ReplicaSets whose size stays, but which are now right for another size of the whole."""
    stamps = _stamps(bound)
    return tuple(
        Patch(rs, {"metadata": {"annotations": stamps}})
        for rs in sets
        if rs.name not in sizes
        and member(rs).replicas
        and not stamps.items() <= annotations_of(rs).items()
    )


def _forget(deployment: Object, olds: Sequence[Object]) -> tuple[Delete, ...]:
    """Old ReplicaSets beyond the history limit, the lowest revision first."""
    limit = spec_of(deployment).get("revisionHistoryLimit")
    limit = HISTORY_LIMIT if limit is None else int(limit)
    alive = [rs for rs in olds if not rs.deleting]
    excess = sorted(alive, key=revision_of)[: max(0, len(alive) - limit)]
    return tuple(Delete(rs) for rs in excess if _is_empty(rs))


def _is_empty(rs: Object) -> bool:
    status = status_of(rs)
    seen = status.get("observedGeneration", 0) >= rs.metadata.get("generation", 0)
    return member(rs).replicas == 0 and not status.get("replicas") and seen


def is_collision(deployment: Object, found: Object | None) -> bool:
    """Whether `found` has the new ReplicaSet's name without being it."""
    if found is None:
        return False
    owner = controller_of(found)
    mine = owner is not None and owner["uid"] == deployment.uid
    return not (mine and same_template(template_of(found), template_of(deployment)))

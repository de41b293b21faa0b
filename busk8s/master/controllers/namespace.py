"""Namespaces that are being deleted: empty them, say how far it is, then let them go.

Owns      the content of a terminating namespace, its conditions, its finalizer `kubernetes`.
Leaves    refusing new content meanwhile (admission), other finalizers.
Invariant a namespace is let go only after the server itself listed every kind in it as empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from busk8s.api.definitions import in_force, resources_of, written_as
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import CUSTOMRESOURCEDEFINITIONS, NAMESPACES, RESOURCES, Resource
from busk8s.client.cache import NAMESPACE, Cache
from busk8s.client.interface import Client
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Action, Call, Delete, Plan, patch_status
from busk8s.master.controllers.children import spec_of, status_of
from busk8s.master.controllers.loop import Wake, own_key

FINALIZER = "kubernetes"
LOOK_AGAIN_S = 1.0  # Content with grace periods or finalizers: nothing need tell us when it goes.
DELETES_MAX = 500  # In one step.


def contents() -> list[Resource]:
    """Every kind that lives in namespaces and can be deleted."""
    return [
        resource
        for resource in RESOURCES.values()
        if resource.namespaced and {"list", "delete"} <= {*resource.verbs}
    ]


@dataclass(frozen=True)
class Observed:
    namespace: Object
    left: tuple[Object, ...]  # By the caches; those that are asked to go already included.
    doomed: frozenset[str] = field(default_factory=frozenset)


class NamespaceController:
    name = "namespace"
    component = "namespace-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._namespaces = caches.need(NAMESPACES)
        self._caches: list[Cache] = [
            caches.need(resource, whole=False)
            for resource in contents()
            if "watch" in resource.verbs and resource.plural != "events"
        ]
        wakes: dict[Resource, Wake] = {cache.resource: self._woken for cache in self._caches}
        self.wakes: Mapping[Resource, Wake] = {**wakes, NAMESPACES: own_key}

    def _woken(self, old: Object | None, new: Object | None) -> Iterable[str]:
        obj = new or old
        if obj is None or (new is not None and old is not None):
            return ()
        namespace = self._namespaces.get(obj.namespace)
        return (namespace.key,) if namespace is not None and namespace.deleting else ()

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        namespace = self._namespaces.get(key)
        if namespace is None or not namespace.deleting:
            return None
        if FINALIZER not in (spec_of(namespace).get("finalizers") or ()):
            return None
        left = tuple(obj for cache in self._caches for obj in cache.by(NAMESPACE, key))
        doomed = frozenset(
            obj.uid
            for cache in self._caches
            for obj in cache.by(NAMESPACE, key)
            if cache.is_deleting(obj)
        )
        return Observed(namespace, left, doomed)

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed, now)


def plan(observed: Observed, now: float) -> Plan:
    namespace = observed.namespace
    todo = [obj for obj in observed.left if obj.uid not in observed.doomed]
    actions: list[Action] = [*patch_status(namespace, _status(observed, now))]
    actions += [Delete(obj, propagation="Background") for obj in todo[:DELETES_MAX]]
    if not observed.left:
        actions.append(Call(f"sweep {namespace.name}", lambda c: sweep(c, namespace)))
    return Plan(tuple(actions), LOOK_AGAIN_S)


async def sweep(client: Client, namespace: Object) -> None:
    """Delete what the server itself still lists; finalize when that was nothing."""
    found = 0
    for resource in [*contents(), *await _custom(client)]:
        listed = await client.list(resource, namespace=namespace.name)
        for obj in listed.items:
            found += 1
            try:
                await client.delete(resource, obj.name, namespace=obj.namespace, uid=obj.uid)
            except Error as error:
                if error.reason not in ("NotFound", "Conflict"):
                    raise
        # Events need no second look: deleting one takes effect at once.
        found -= len(listed.items) if resource.plural == "events" else 0
    if found:
        return
    latest = await client.get(NAMESPACES, namespace.name)
    data = latest.copy()
    finalizers = [name for name in data["spec"].get("finalizers") or () if name != FINALIZER]
    data["spec"]["finalizers"] = finalizers
    if latest.uid == namespace.uid:
        await client.update(NAMESPACES, data, subresource="finalize")


async def _custom(client: Client) -> list[Resource]:
    """The custom kinds that live in namespaces, as the server knows them now."""
    definitions = (await client.list(CUSTOMRESOURCEDEFINITIONS)).items
    found = [resources_of(each, data) for each in definitions if (data := in_force(each))]
    return [resource for one in found if one and (resource := written_as(one)).namespaced]


def _status(observed: Observed, now: float) -> Json:
    before = status_of(observed.namespace)
    conditions: list[Json] = list(before.get("conditions") or ())
    for type_, true, reason, message in _conditions(observed.left):
        conditions = _set(conditions, type_, true, reason, message, now)
    return {**before, "phase": "Terminating", "conditions": conditions}


def _conditions(left: Sequence[Object]) -> list[tuple[str, bool, str, str]]:
    kinds: dict[str, int] = {}
    finalizers: dict[str, int] = {}
    for obj in left:
        kinds[obj.resource.key] = kinds.get(obj.resource.key, 0) + 1
        for finalizer in obj.metadata.get("finalizers") or ():
            finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
    remaining = ", ".join(f"{k} has {n} resource instances" for k, n in sorted(kinds.items()))
    held = ", ".join(f"{f} in {n} resource instances" for f, n in sorted(finalizers.items()))
    return [
        (
            "NamespaceDeletionDiscoveryFailure",
            False,
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            False,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            False,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            bool(left),
            "SomeResourcesRemain" if left else "ContentRemoved",
            f"Some resources are remaining: {remaining}"
            if left
            else "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            bool(held),
            "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
            f"Some content in the namespace has finalizers remaining: {held}"
            if held
            else "All content-preserving finalizers finished",
        ),
    ]


def _set(
    conditions: list[Json], type_: str, true: bool, reason: str, message: str, now: float
) -> list[Json]:
    entry = {
        "type": type_,
        "status": "True" if true else "False",
        "reason": reason,
        "message": message,
    }
    before = next((c for c in conditions if c["type"] == type_), None)
    if before is not None and {k: before.get(k) for k in entry} == entry:
        return conditions
    same = before is not None and before["status"] == entry["status"]
    since = before["lastTransitionTime"] if same and before is not None else format_time(now)
    changed = {**entry, "lastTransitionTime": since}
    if before is None:
        return [*conditions, changed]
    return [changed if c is before else c for c in conditions]

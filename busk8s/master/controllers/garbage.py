"""Garbage collection: what has lost its owners goes; owners wait, or let go, as they were told.

Owns      ownerReferences over all kinds: background, foreground and orphan deletion.
Leaves    who sets owners (everybody), deletion itself (apiserver).
Invariant nothing is deleted on a cache's word alone: an owner counts as absent only after the
          server itself said so, for that uid; an object with one living owner is never deleted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from busk8s.api.object import Json, Object
from busk8s.api.scheme import RESOURCES, Resource
from busk8s.client.cache import OWNERS, Cache
from busk8s.client.interface import Client, Propagation
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import (
    Action,
    Call,
    Delete,
    Emit,
    Patch,
    Plan,
)
from busk8s.master.controllers.loop import Wake

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
ABSENT_MAX = 20_000  # Owners known to be gone, the most recent ones.
CACHE_LATE_S = 0.1  # How soon to look again when the server knows more than the cache.
IGNORED = frozenset(("events", "events.events.k8s.io"))  # As upstream: they expire by themselves.

State = Literal["solid", "waiting", "absent", "unknown"]


def collected() -> list[Resource]:
    """Every kind whose objects may own or be owned."""
    return [
        resource
        for resource in RESOURCES.values()
        if {"list", "watch", "delete"} <= {*resource.verbs} and resource.key not in IGNORED
    ]


@dataclass(frozen=True)
class Owner:
    reference: Json
    state: State
    resource: Resource | None = None


@dataclass(frozen=True)
class Observed:
    object: Object
    owners: tuple[Owner, ...]
    dependents: tuple[Object, ...]  # Asked for only where the plan needs them.


class GarbageCollector:
    name = "garbage"
    component = "garbage-collector-controller"

    def __init__(self, caches: SharedCaches) -> None:
        resources = collected()
        self._caches = {r.key: caches.need(r, (OWNERS,), whole=False) for r in resources}
        self._by_kind = {(r.group, r.kind): r for r in resources}
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.wakes: Mapping[Resource, Wake] = dict.fromkeys(resources, self._woken)

    def adopt(self, cache: Cache) -> None:
        """Collect a kind that came later, too."""
        resource = cache.resource
        self._caches[resource.key] = cache
        self._by_kind[resource.group, resource.kind] = resource

    def release(self, resource: Resource) -> None:
        """The kind is gone, with all its objects: what they owned has lost its owners."""
        cache = self._caches.pop(resource.key, None)
        if cache is not None:
            del self._by_kind[resource.group, resource.kind]

    def woken(self, old: Object | None, new: Object | None) -> Iterable[str]:
        """The keys to look at after a change of any kind."""
        return self._woken(old, new)

    def _woken(self, old: Object | None, new: Object | None) -> Iterable[str]:
        if old is not None and new is not None and old.uid != new.uid:
            return {**dict.fromkeys(self._gone(old)), **dict.fromkeys(self._woken(None, new))}
        if new is None:
            return self._gone(old) if old is not None else ()
        if old is not None and _shape(old) == _shape(new):
            return ()
        keys: dict[str, None] = {}
        if _references(new) or _is_marked(new):
            keys[_key(new)] = None
        if _is_marked(new):
            keys.update(dict.fromkeys(_key(found) for found in self._dependents(new.uid)))
        if old is not None and _references(old) != _references(new):
            keys.update(dict.fromkeys(self._waiting_owners(old)))
        return keys

    def _gone(self, obj: Object) -> Iterable[str]:
        """Who cares that `obj` is gone: what it owned, and owners that wait for it."""
        keys = [_key(found) for found in self._dependents(obj.uid)]
        return [*keys, *self._waiting_owners(obj)]

    def _waiting_owners(self, obj: Object) -> list[str]:
        keys = []
        for reference in _references(obj):
            owner = self._owner_in_cache(obj, reference)
            if owner is not None and owner.deleting:
                keys.append(_key(owner))
        return keys

    def _dependents(self, uid: str) -> list[Object]:
        return [found for cache in self._caches.values() for found in cache.by(OWNERS, uid)]

    def _resource(self, reference: Json) -> Resource | None:
        group, _, _version = str(reference.get("apiVersion", "")).rpartition("/")
        return self._by_kind.get((group, str(reference.get("kind"))))

    def _owner_in_cache(self, obj: Object, reference: Json) -> Object | None:
        resource = self._resource(reference)
        if resource is None:
            return None
        name = str(reference["name"])
        key = f"{obj.namespace}/{name}" if resource.namespaced else name
        found = self._caches[resource.key].get(key)
        return found if found is not None and found.uid == reference["uid"] else None

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        resource_key, _, object_key = key.partition("|")
        cache = self._caches.get(resource_key)
        obj = cache.get(object_key) if cache is not None else None
        if cache is None or obj is None or (cache.is_deleting(obj) and not _is_marked(obj)):
            return None
        owners = tuple(self._owner(obj, reference) for reference in _references(obj))
        needed = _is_marked(obj) or any(owner.state == "waiting" for owner in owners)
        return Observed(obj, owners, tuple(self._dependents(obj.uid)) if needed else ())

    def _owner(self, obj: Object, reference: Json) -> Owner:
        resource = self._resource(reference)
        if resource is None:
            return Owner(reference, "solid")  # A kind nobody knows: never a reason to delete.
        found = self._owner_in_cache(obj, reference)
        if found is not None:
            waiting = found.deleting and FOREGROUND in _finalizers(found)
            return Owner(reference, "waiting" if waiting else "solid", resource)
        if (obj.namespace, reference["uid"]) in self._absent:
            return Owner(reference, "absent", resource)
        if resource.namespaced and not obj.namespace:
            return Owner(reference, "solid", None)
        return Owner(reference, "unknown", resource)

    def plan(self, observed: Observed, now: float) -> Plan:
        unknown = [owner for owner in observed.owners if owner.state == "unknown"]
        if unknown and not observed.object.deleting:
            asks = tuple(self._ask(observed.object, owner) for owner in unknown)
            return Plan(asks, CACHE_LATE_S)
        return plan(observed)

    def _ask(self, obj: Object, owner: Owner) -> Call:
        """Ask the server itself whether the owner is there."""
        resource, reference = owner.resource, owner.reference
        assert resource is not None

        async def ask(client: Client) -> None:
            if (obj.namespace, reference["uid"]) in self._absent:
                return
            try:
                namespace = obj.namespace if resource.namespaced else ""
                found = await client.get(resource, reference["name"], namespace=namespace)
                absent = found.uid != reference["uid"]
            except Error as error:
                if error.reason != "NotFound":
                    raise
                absent = True
            if absent:
                self._absent[obj.namespace, reference["uid"]] = None
                if len(self._absent) > ABSENT_MAX:
                    self._absent.popitem(last=False)

        return Call(f"is {resource.key} {reference['name']} {reference['uid']} there", ask)


def plan(observed: Observed) -> Plan:
    """What becomes of one object, once it is known who its owners are."""
    obj = observed.object
    if obj.deleting:
        return Plan(tuple(_finish(observed)))
    by_state: dict[State, list[Owner]] = {}
    for owner in observed.owners:
        by_state.setdefault(owner.state, []).append(owner)
    lost = [*by_state.get("absent", ()), *by_state.get("waiting", ())]
    misplaced = [owner for owner in by_state.get("solid", ()) if owner.resource is None]
    actions: list[Action] = [_invalid(obj, owner) for owner in misplaced if not obj.namespace]
    if not lost:
        return Plan(tuple(actions))
    if by_state.get("solid"):
        return Plan((_without_owners(obj, lost),))
    return Plan((_collect(observed, by_state),))


def _collect(observed: Observed, by_state: Mapping[State, list[Owner]]) -> Delete:
    obj = observed.object
    propagation: Propagation = "Background"
    if (by_state.get("waiting") and observed.dependents) or FOREGROUND in _finalizers(obj):
        # The owner waits for this one, so this one must wait for its own.
        propagation = "Foreground"
    elif ORPHAN in _finalizers(obj):
        propagation = "Orphan"
    return Delete(obj, propagation=propagation)


def _finish(observed: Observed) -> list[Action]:
    """An object that is being deleted with a mark: let go of dependents, or wait for them."""
    obj, finalizers = observed.object, _finalizers(observed.object)
    if ORPHAN in finalizers:
        released = [
            _without_uid(dependent, obj.uid)
            for dependent in observed.dependents
            if not dependent.deleting
        ]
        return [*released, _without_finalizer(obj, ORPHAN)]
    blocking = [d for d in observed.dependents if _blocks(d, obj.uid)]
    if blocking:
        return []  # Each of them was woken too, and goes by its own plan.
    return [_without_finalizer(obj, FOREGROUND)]


def _without_finalizer(obj: Object, finalizer: str) -> Patch:
    rest = [name for name in _finalizers(obj) if name != finalizer]
    # The revision makes sure that nobody's finalizer is lost.
    return Patch(obj, {"metadata": {"finalizers": rest, "resourceVersion": str(obj.revision)}})


def _without_owners(obj: Object, owners: Iterable[Owner]) -> Patch:
    gone = {owner.reference["uid"] for owner in owners}
    rest = [reference for reference in _references(obj) if reference["uid"] not in gone]
    return _set_references(obj, rest)


def _without_uid(obj: Object, uid: str) -> Patch:
    return _set_references(obj, [ref for ref in _references(obj) if ref["uid"] != uid])


def _set_references(obj: Object, references: list[Json]) -> Patch:
    metadata = {"ownerReferences": references or None, "resourceVersion": str(obj.revision)}
    return Patch(obj, {"metadata": metadata})


def _invalid(obj: Object, owner: Owner) -> Emit:
    message = (
        f"ownerRef [{owner.reference.get('kind')}, name: {owner.reference.get('name')}, "
        f'uid: {owner.reference["uid"]}] does not exist in namespace ""'
    )
    return Emit(obj, "Warning", "OwnerRefInvalidNamespace", message)


def _blocks(dependent: Object, uid: str) -> bool:
    return any(
        ref["uid"] == uid and ref.get("blockOwnerDeletion") for ref in _references(dependent)
    )


def _key(obj: Object) -> str:
    return f"{obj.resource.key}|{obj.key}"


def _references(obj: Object) -> list[Json]:
    return obj.metadata.get("ownerReferences") or []


def _finalizers(obj: Object) -> list[str]:
    return obj.metadata.get("finalizers") or []


def _is_marked(obj: Object) -> bool:
    """Being deleted, and waiting for the garbage collector."""
    return obj.deleting and not {FOREGROUND, ORPHAN}.isdisjoint(_finalizers(obj))


def _shape(obj: Object) -> tuple[object, ...]:
    metadata = obj.metadata
    return (
        metadata.get("ownerReferences"),
        metadata.get("finalizers"),
        "deletionTimestamp" in metadata,
    )

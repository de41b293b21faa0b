"""What a component knows of one kind: the objects as watched, and its own writes at once.

Owns      the newest known version of each object, and the indexes to find them by.
Leaves    where changes come from (reflector), who is woken by them (reflector's listeners).
Invariant a writer that reports its writes here reads them from then on, however late the watch is;
          the watch never takes the cache back behind them. What comes out is read-only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from busk8s.api.object import Object
from busk8s.api.scheme import Resource
from busk8s.client.interface import Change, Gone, Put, Reset

TOMBSTONES_MAX = 8_192  # Uids seen gone: an answer to a write may come later than the deletion.

IndexFunction = Callable[[Object], Iterable[str]]
Delta = tuple[Object | None, Object | None]  # (before, after); None = not there.

NAMESPACE = "namespace"
CONTROLLER = "controller"
OWNERS = "owners"
NODE = "node"
UID = "uid"


def by_namespace(obj: Object) -> Iterable[str]:
    return (obj.namespace,)


def by_controller(obj: Object) -> Iterable[str]:
    """The uid of the owner that manages the object, or `orphans_in` its namespace."""
    for reference in obj.metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            return (reference["uid"],)
    return (orphans_in(obj.namespace),)


def orphans_in(namespace: str) -> str:
    """The value of index CONTROLLER under which objects that nobody manages are filed."""
    return f"orphans/{namespace}"


def by_owners(obj: Object) -> Iterable[str]:
    return [reference["uid"] for reference in obj.metadata.get("ownerReferences") or ()]


def by_node(obj: Object) -> Iterable[str]:
    return ((obj.data.get("spec") or {}).get("nodeName") or "",)


def by_uid(obj: Object) -> Iterable[str]:
    return (obj.uid,)


INDEXES: Mapping[str, IndexFunction] = {
    NAMESPACE: by_namespace,
    CONTROLLER: by_controller,
    OWNERS: by_owners,
    NODE: by_node,
    UID: by_uid,
}


class _Index:
    """Buckets of keys; an object whose values did not change costs nothing."""

    __slots__ = ("_buckets", "_function", "_values")

    def __init__(self, function: IndexFunction) -> None:
        self._function = function
        self._buckets: dict[str, dict[str, None]] = {}
        self._values: dict[str, tuple[str, ...]] = {}

    def put(self, key: str, obj: Object) -> None:
        values = tuple(self._function(obj))
        if self._values.get(key, ()) == values:
            return
        self.remove(key)
        if values:
            self._values[key] = values
        for value in values:
            self._buckets.setdefault(value, {})[key] = None

    def remove(self, key: str) -> None:
        for value in self._values.pop(key, ()):
            bucket = self._buckets.get(value)
            if bucket is not None:
                bucket.pop(key, None)
                if not bucket:
                    del self._buckets[value]

    def keys(self, value: str) -> Collection[str]:
        return self._buckets.get(value, ())


class Cache:
    """All known objects of `resource`. Not thread-safe; pure but for its own state."""

    def __init__(
        self,
        resource: Resource,
        indexes: Iterable[str] = (),
        *,
        keep: Callable[[Object], Object] | None = None,
    ) -> None:
        self.resource = resource
        self.revision = 0
        self.synced = False
        self._keep = keep
        self._objects: dict[str, Object] = {}
        self._indexes: dict[str, _Index] = {}
        self._assumed: dict[str, int] = {}
        self._doomed: set[str] = set()
        self._tombstones: OrderedDict[str, None] = OrderedDict()
        names = (NAMESPACE, *indexes) if resource.namespaced else tuple(indexes)
        for name in names:
            self.add_index(name)

    def add_index(self, name: str) -> None:
        if name in self._indexes:
            return
        index = self._indexes[name] = _Index(INDEXES[name])
        for key, obj in self._objects.items():
            index.put(key, obj)

    def keep(self, reduce: Callable[[Object], Object] | None) -> None:
        """Keep what `reduce` leaves of each object (None: all of it); before the first change."""
        assert not self.synced
        self._keep = reduce

    @property
    def keeps_less(self) -> bool:
        """Whether less than whole objects are kept."""
        return self._keep is not None

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._objects.values())

    def get(self, key: str) -> Object | None:
        return self._objects.get(key)

    def by(self, index: str, value: str) -> list[Object]:
        """Objects filed under `value`, in the order they came to be known."""
        objects = self._objects
        return [objects[key] for key in self._indexes[index].keys(value)]

    def count(self, index: str, value: str) -> int:
        return len(self._indexes[index].keys(value))

    def is_deleting(self, obj: Object) -> bool:
        """Whether `obj` is on its way out, as watched or because we asked for it."""
        return obj.deleting or obj.uid in self._doomed

    def apply(self, change: Change) -> list[Delta]:
        """Take in what the watch says; returns what that changed."""
        if isinstance(change, Put):
            return self._put(change.object)
        if isinstance(change, Gone):
            return self._gone(change.object)
        return self._reset(change)

    def assume(self, obj: Object) -> list[Delta]:
        """Take in the answer to a write of ours, unless the watch has passed it already."""
        if obj.revision <= self.revision or obj.uid in self._tombstones:
            return []
        old = self._objects.get(obj.key)
        if old is not None and old.revision >= obj.revision:
            return []
        self._assumed[obj.key] = obj.revision
        return [(old, self._store(self._reduced(obj)))]

    def assume_deleted(self, obj: Object) -> None:
        """Remember that the server agreed to delete `obj`; the watch will show it in time."""
        known = self._objects.get(obj.key)
        if known is not None and known.uid == obj.uid and not known.deleting:
            self._doomed.add(obj.uid)

    def _put(self, obj: Object) -> list[Delta]:
        self.revision = max(self.revision, obj.revision)
        old = self._objects.get(obj.key)
        obj = self._reduced(obj)
        if old is not None and old.revision >= obj.revision:
            if old.revision == obj.revision:
                self._assumed.pop(obj.key, None)
            return []
        self._assumed.pop(obj.key, None)
        if old is not None and old.uid != obj.uid:
            self._bury(old)
        return [(old, self._store(obj))]

    def _gone(self, obj: Object) -> list[Delta]:
        self.revision = max(self.revision, obj.revision)
        old = self._objects.get(obj.key)
        self._bury(obj)
        if old is None or (old.uid != obj.uid and old.revision > obj.revision):
            return []
        self._remove(old)
        return [(old, None)]

    def _reset(self, reset: Reset) -> list[Delta]:
        self.revision = reset.revision
        self.synced = True
        deltas: list[Delta] = []
        present = {obj.key for obj in reset.objects}
        for key, old in list(self._objects.items()):
            # A write of ours that is newer than the snapshot is not in it yet.
            if key not in present and self._assumed.get(key, 0) <= reset.revision:
                self._bury(old)
                self._remove(old)
                deltas.append((old, None))
        for obj in reset.objects:
            before = self._objects.get(obj.key)
            if before is not None and self._assumed.get(obj.key, 0) > reset.revision:
                continue
            self._assumed.pop(obj.key, None)
            if before is None or before.revision != obj.revision:
                deltas.append((before, self._store(self._reduced(obj))))
        return deltas

    def _reduced(self, obj: Object) -> Object:
        return obj if self._keep is None else self._keep(obj)

    def _store(self, obj: Object) -> Object:
        key = obj.key
        if self._doomed and obj.deleting:
            self._doomed.discard(obj.uid)
        self._objects[key] = obj
        for index in self._indexes.values():
            index.put(key, obj)
        return obj

    def _remove(self, obj: Object) -> None:
        key = obj.key
        del self._objects[key]
        self._assumed.pop(key, None)
        for index in self._indexes.values():
            index.remove(key)

    def _bury(self, obj: Object) -> None:
        self._doomed.discard(obj.uid)
        self._tombstones[obj.uid] = None
        if len(self._tombstones) > TOMBSTONES_MAX:
            self._tombstones.popitem(last=False)


METADATA_KEPT = (
    "name", "namespace", "uid", "ownerReferences", "finalizers", "deletionTimestamp",
    "resourceVersion",
)  # fmt: skip


def metadata_only(obj: Object) -> Object:
    """`obj` without its content: what the garbage collector needs to know of any kind."""
    metadata = obj.glance()["metadata"]
    kept = {key: metadata[key] for key in METADATA_KEPT if key in metadata}
    data = {
        "kind": obj.resource.kind,
        "apiVersion": obj.resource.api_version,
        "metadata": kept,
    }
    return Object(obj.resource, obj.namespace, obj.name, revision=obj.revision, body=b"", data=data)

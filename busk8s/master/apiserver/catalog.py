"""Which resources this API server serves: the built-in ones and those of the definitions in force.

Owns      looking resources up by what a path, a key or an object says; telling who keeps answers
          made of them that they have changed.
Leaves    which definitions are in force (definitions), what is done with a resource.
Invariant a built-in resource is found as in `scheme`; `generation` grows with every change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from busk8s.api import scheme
from busk8s.api.definitions import in_force, resources_of
from busk8s.api.object import Json, Object
from busk8s.api.scheme import CUSTOMRESOURCEDEFINITIONS, Resource
from busk8s.master.store.watch import Event, WatchCache

DEFINITIONS = CUSTOMRESOURCEDEFINITIONS.key


_BUILT_IN = frozenset((r.group, r.version, r.plural) for r in scheme.SERVED)


class Catalog:
    def __init__(self) -> None:
        self.generation = 0
        self._definitions: dict[str, tuple[Resource, ...]] = {}
        self._by_plural: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str, str], Resource] = {}
        self._stored: dict[str, Resource] = {}
        self._shelves: dict[str, Resource] = {}
        self._served: tuple[Resource, ...] = tuple(scheme.SERVED)
        self._shapes: dict[str, Json | None] = {}
        self._ended: list[str] = []
        self._cache: WatchCache | None = None
        self._listeners: list[Callable[[], None]] = []

    def open(self, cache: WatchCache) -> None:
        """Take in the definitions that are there, and follow them."""
        self._cache = cache
        for definition in cache.list(DEFINITIONS):
            self._take(definition, gone=False)
        self._settle()
        cache.on_events(self._observe)

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def __contains__(self, asked: object) -> bool:
        """Whether (group, version, plural) is served: kept small, each request asks it."""
        return asked in _BUILT_IN or asked in self._by_plural

    def lookup(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at /apis/<group>/<version>/<plural>; the core group is ""."""
        found = scheme.lookup(group, version, plural)
        return found or self._by_plural.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> Resource | None:
        found = scheme.by_kind(group, version, kind)
        return found or self._by_kind.get((group, version, kind))

    def by_key(self, key: str) -> Resource | None:
        """The resource in the version that is preferred (built in) or stored (custom)."""
        return scheme.RESOURCES.get(key) or self._stored.get(key)

    def served(self) -> Sequence[Resource]:
        return self._served

    def shelf(self, key: str) -> Resource:
        """What the cache files objects under `key` by; it may be asked before a definition is
        known, and keeps the objects of one that no longer is."""
        found = scheme.RESOURCES.get(key) or self._shelves.get(key)
        if found is None:
            plural, _, group = key.partition(".")
            found = self._shelves[key] = Resource(group, "", plural, "", namespaced=True)
        return found

    def _observe(self, events: Sequence[Event]) -> None:
        changed = False
        for event in events:
            if event.object.resource.key == DEFINITIONS:
                gone = event.type == "DELETED"
                changed |= self._take(event.object, gone=gone)
        if changed:
            self._settle()

    def _take(self, definition: Object, *, gone: bool) -> bool:
        """Whether anything changes by it. Its status may change without that."""
        name = definition.name
        data = None if gone else in_force(definition)
        shape = _shape(data) if data is not None else None
        if shape == self._shapes.get(name):
            return False
        if data is None:
            del self._shapes[name], self._definitions[name]
        else:
            self._shapes[name] = shape
            self._definitions[name] = resources_of(definition, data)
        self._ended.append(name)
        return True

    def _settle(self) -> None:
        found = [each for family in self._definitions.values() for each in family]
        self._by_plural = {(r.group, r.version, r.plural): r for r in found}
        self._by_kind = {(r.group, r.version, r.kind): r for r in found}
        self._stored = {r.key: r.custom.storage for r in found if r.custom is not None}
        self._served = (*scheme.SERVED, *found)
        self.generation += 1
        for listener in self._listeners:
            listener()
        ended, self._ended = self._ended, []
        if self._cache is not None:
            for name in ended:  # Whoever watches by an old definition is to look anew.
                self._cache.end_watches(name)


def _shape(data: Json) -> Json:
    """What of a definition its resources depend on."""
    status, metadata = data["status"], data["metadata"]
    return {
        "uid": metadata.get("uid"),
        "generation": metadata.get("generation"),
        "names": status.get("acceptedNames"),
        "stored": status.get("storedVersions"),
        "terminating": "deletionTimestamp" in metadata,
    }

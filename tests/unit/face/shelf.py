"""What is read of a watch cache, as a dictionary; and one that holds the default roles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from busk8s.api import scheme
from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.rbac.reconcile import default_objects
from busk8s.master.store.watch import Event

RBAC = "rbac.authorization.k8s.io"


class Shelf:
    def __init__(self, *objects: Object) -> None:
        self.objects = {(o.resource.key, o.namespace, o.name): o for o in objects}
        self.callbacks: list[Callable[[Sequence[Any]], None]] = []

    def get(self, key: str, namespace: str, name: str) -> Object | None:
        return self.objects.get((key, namespace, name))

    def list(self, key: str, namespace: str | None = None) -> list[Object]:
        return [o for (k, n, _), o in self.objects.items() if k == key and namespace in (None, n)]

    def on_events(self, callback: Callable[[Sequence[Any]], None]) -> None:
        self.callbacks.append(callback)

    def put(self, data: Json) -> None:
        """Write an object of an access kind, as the watch cache would tell it."""
        made = access_object(data)
        key = (made.resource.key, made.namespace, made.name)
        before = self.objects.get(key)
        self.objects[key] = made
        self._tell(Event("MODIFIED" if before else "ADDED", made, before, 1, 0.0))

    def delete(self, data: Json) -> None:
        gone = access_object(data)
        del self.objects[(gone.resource.key, gone.namespace, gone.name)]
        self._tell(Event("DELETED", gone, gone, 1, 0.0))

    def _tell(self, event: Event) -> None:
        for callback in self.callbacks:
            callback([event])


def obj(of: Resource, name: str, namespace: str = "", **fields: Any) -> Object:
    data = {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, **fields}
    return Object(of, namespace, name, revision=1, body=orjson.dumps(data))


def access_object(data: Json) -> Object:
    """A role or a binding as the cache holds it."""
    of = scheme.by_kind(RBAC, "v1", data["kind"])
    assert of is not None
    metadata = data["metadata"]
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    return Object(of, namespace, name, revision=1, body=orjson.dumps(data))


def default_shelf(*more: Object) -> Shelf:
    return Shelf(*map(access_object, default_objects()), *more)

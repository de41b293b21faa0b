"""What the master wants of this node: the last state of its view, indexed for the kubelet.

Owns      the objects, the parsed pods by uid, and which pods use which ConfigMap or Secret.
Leaves    where the batches come from (client), keeping them over a restart (checkpoint).
Invariant after `apply` the view equals the source's; the result names every pod to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from busk8s.api.object import Object
from busk8s.client.interface import Change, Gone, Put, Reset
from busk8s.worker.kubelet.pods import Pod, parse_pod
from busk8s.worker.kubelet.references import Reference, references


@dataclass(slots=True)
class Delta:
    """Pods to look at, in the order found; `reset`: the batch held the whole state."""

    pods: dict[str, None] = field(default_factory=dict)
    vanished: dict[str, None] = field(default_factory=dict)
    node: bool = False
    reset: bool = False


class View:
    def __init__(self, node_name: str) -> None:
        self.node_name = node_name
        self.revision = 0
        self.pods: dict[str, Pod] = {}
        self._objects: dict[str, dict[str, Object]] = {}
        self._users: dict[Reference, dict[str, None]] = {}

    def get(self, resource_key: str, namespace: str, name: str) -> Object | None:
        key = f"{namespace}/{name}" if namespace else name
        return self._objects.get(resource_key, {}).get(key)

    def all(self, resource_key: str) -> Iterable[Object]:
        return self._objects.get(resource_key, {}).values()

    def objects(self) -> Iterable[Object]:
        for held in self._objects.values():
            yield from held.values()

    def apply(self, batch: Sequence[Change]) -> Delta:
        delta = Delta()
        for change in batch:
            match change:
                case Reset():
                    self._reset(change, delta)
                case Put(obj):
                    self._put(obj, delta)
                case Gone(obj):
                    self._gone(obj, delta)
        return delta

    def _reset(self, change: Reset, delta: Delta) -> None:
        kept = {(obj.resource.key, obj.key) for obj in change.objects}
        for obj in list(self.objects()):
            if (obj.resource.key, obj.key) not in kept:
                self._gone(obj, delta)
        for obj in change.objects:
            self._put(obj, delta)
        self.revision = change.revision
        delta.reset = True

    def _put(self, obj: Object, delta: Delta) -> None:
        kind = obj.resource.key
        held = self._objects.setdefault(kind, {})
        old = held.get(obj.key)
        held[obj.key] = obj
        self.revision = max(self.revision, obj.revision)
        if kind == "pods":
            if old is not None and old.uid != obj.uid:
                self._forget(old, delta)
            self._pod(obj, delta)
        elif kind == "nodes":
            delta.node = delta.node or obj.name == self.node_name
        elif old is None or old.revision != obj.revision:
            self._wake_users(obj, delta)

    def _gone(self, obj: Object, delta: Delta) -> None:
        kind = obj.resource.key
        old = self._objects.get(kind, {}).pop(obj.key, None)
        if kind == "pods":
            self._forget(old or obj, delta)
        elif kind == "nodes":
            delta.node = delta.node or obj.name == self.node_name
        else:
            self._wake_users(obj, delta)

    def _pod(self, obj: Object, delta: Delta) -> None:
        pod = parse_pod(obj)
        if self.node_name and pod.node_name != self.node_name:
            return
        self.pods[pod.uid] = pod
        delta.vanished.pop(pod.uid, None)
        delta.pods[pod.uid] = None
        for reference in references(pod):
            self._users.setdefault(reference, {})[pod.uid] = None

    def _forget(self, obj: Object, delta: Delta) -> None:
        pod = self.pods.pop(obj.uid, None)
        if pod is None:
            return
        delta.pods.pop(pod.uid, None)
        delta.vanished[pod.uid] = None
        for reference in references(pod):
            users = self._users.get(reference, {})
            users.pop(pod.uid, None)
            if not users:
                self._users.pop(reference, None)

    def _wake_users(self, obj: Object, delta: Delta) -> None:
        users = self._users.get(Reference(obj.resource.key, obj.namespace, obj.name), {})
        delta.pods.update(users)

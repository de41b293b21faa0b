"""What each topic holds, kept up to date event by event. Pure.

Owns      which objects belong to `node/<name>` and to `net`, and the delta each event makes there.
Leaves    numbering and sending (bus/hub), `kind/<resource>` snapshots (watch cache).
Invariant applying events one by one gives the same views as building them from what is there;
          a node's view holds what its pods reference, counted, and not one object more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from busk8s.api.object import Json, Object
from busk8s.master.store.watch import Event
from busk8s.protocol import GONE, NET, PUT, Entry, kind_topic, node_topic

Ref = tuple[str, str, str]  # (resource key, namespace, name)

EVERY = "*"  # As a name: all objects of that resource in that namespace.
PODS, NODES, SERVICES, SLICES = "pods", "nodes", "services", "endpointslices.discovery.k8s.io"
CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
RUNTIME_CLASSES = "runtimeclasses.node.k8s.io"
# What pods may reference; Nodes and Pods themselves belong to a view by name.
REFERENCED = frozenset(
    ("configmaps", "secrets", "serviceaccounts", CLAIMS, VOLUMES, RUNTIME_CLASSES, SERVICES)
)
API_SERVICE: Ref = (SERVICES, "default", "kubernetes")
NET_ANNOTATIONS = "net.busk8s.io/"  # What workers tell each other about their networks.

Deltas = dict[str, list[Entry]]


@dataclass(slots=True)
class _NodeView:
    topic: str
    wanted: dict[Ref, int] = field(default_factory=dict)
    members: dict[Ref, tuple[Object, frozenset[Ref]]] = field(default_factory=dict)


class Views:
    def __init__(self) -> None:
        self._nodes: dict[str, _NodeView] = {}
        self._objects: dict[Ref, Object] = {}
        self._services: dict[str, dict[Ref, Object]] = {}
        self._wanted_by: dict[Ref, dict[str, None]] = {}
        self._net: dict[Ref, Object] = {}
        self._node_of: dict[Ref, str] = {}  # Where each pod is: so that no old version is parsed.

    def load(self, objects: Iterable[Object]) -> None:
        """Begin with what is there: as if each had just been added."""
        for obj in objects:
            self._step(False, obj, {})

    def apply(self, events: Sequence[Event]) -> Deltas:
        """Take `events` in; for each topic they touch, the deltas in order."""
        deltas: Deltas = {}
        for event in events:
            obj, gone = event.object, event.type == "DELETED"
            deltas.setdefault(kind_topic(obj.resource.key), []).append(_entry(obj, gone=gone))
            self._step(gone, obj, deltas)
        return deltas

    def contents(self, topic: str) -> list[Entry]:
        """All that `node/<name>` or `net` holds now; what others need comes before them."""
        if topic == NET:
            return [_entry(obj) for obj in self._net.values()]
        view = self._nodes.get(topic.removeprefix("node/"))
        if view is None:
            return []
        last = [_entry(obj) for ref, (obj, _) in view.members.items() if ref[0] == PODS]
        return [_entry(o) for ref, (o, _) in view.members.items() if ref[0] != PODS] + last

    # --- one event --------------------------------------------------------------------------------

    def _step(self, gone: bool, obj: Object, deltas: Deltas) -> None:
        key = obj.resource.key
        if key == PODS:
            self._pod(obj, gone, deltas)
        elif key == NODES:
            self._set(self._view(obj.name), _ref(obj), None if gone else obj, deltas)
            self._tidy(obj.name)
        elif key in REFERENCED:
            self._referenced(obj, gone, deltas)
        if key in (SERVICES, SLICES, NODES):
            self._step_net(obj, gone, deltas)

    def _pod(self, obj: Object, gone: bool, deltas: Deltas) -> None:
        ref = _ref(obj)
        before = self._node_of.pop(ref, "")
        now = "" if gone else str((obj.data.get("spec") or {}).get("nodeName") or "")
        if before and before != now:
            self._set(self._view(before), ref, None, deltas)
            self._tidy(before)
        if now:
            self._node_of[ref] = now
            self._set(self._view(now), ref, obj, deltas)

    def _referenced(self, obj: Object, gone: bool, deltas: Deltas) -> None:
        ref = _ref(obj)
        shelf = self._services.setdefault(obj.namespace, {}) if ref[0] == SERVICES else {}
        if gone:
            self._objects.pop(ref, None)
            shelf.pop(ref, None)
        else:
            self._objects[ref] = shelf[ref] = obj
        if ref[0] == SERVICES and not shelf:
            del self._services[obj.namespace]
        names = dict(self._wanted_by.get(ref, {}))
        if ref[0] == SERVICES:
            names |= self._wanted_by.get((SERVICES, obj.namespace, EVERY), {})
        for name in names:
            self._set(self._nodes[name], ref, None if gone else obj, deltas)

    def _step_net(self, obj: Object, gone: bool, deltas: Deltas) -> None:
        ref = _ref(obj)
        old = self._net.get(ref)
        if gone:
            if self._net.pop(ref, None) is not None:
                deltas.setdefault(NET, []).append(_entry(obj, gone=True))
            return
        shown = _reduced(obj) if ref[0] == NODES else obj
        if ref[0] == NODES and old is not None and _same(old, shown):
            return  # A beat's status changes nothing that other nodes need.
        self._net[ref] = shown
        deltas.setdefault(NET, []).append(_entry(shown))

    # --- one node's view --------------------------------------------------------------------------

    def _view(self, name: str) -> _NodeView:
        view = self._nodes.get(name)
        if view is None:
            view = self._nodes[name] = _NodeView(node_topic(name))
        return view

    def _tidy(self, name: str) -> None:
        if not self._nodes[name].members and not self._nodes[name].wanted:
            del self._nodes[name]

    def _set(self, view: _NodeView, ref: Ref, obj: Object | None, deltas: Deltas) -> None:
        """From now on `ref` is `obj` in this view (None: not there): it, and what it needs."""
        old = view.members.get(ref)
        before = old[1] if old is not None else frozenset()
        if obj is None:
            if old is not None:
                del view.members[ref]
                deltas.setdefault(view.topic, []).append(_entry(old[0], gone=True))
            after: frozenset[Ref] = frozenset()
        else:
            after = needs(obj)
            for needed in sorted(after - before):
                self._want(view, needed, deltas)
            view.members[ref] = (obj, after)
            deltas.setdefault(view.topic, []).append(_entry(obj))
        for needed in sorted(before - after):
            self._unwant(view, needed, deltas)

    def _want(self, view: _NodeView, ref: Ref, deltas: Deltas) -> None:
        count = view.wanted.get(ref, 0)
        view.wanted[ref] = count + 1
        if count == 0:
            name = view.topic.removeprefix("node/")
            self._wanted_by.setdefault(ref, {})[name] = None
            for one in self._named(ref):
                if one not in view.members:
                    self._set(view, one, self._objects[one], deltas)

    def _unwant(self, view: _NodeView, ref: Ref, deltas: Deltas) -> None:
        view.wanted[ref] -= 1
        if view.wanted[ref]:
            return
        del view.wanted[ref]
        names = self._wanted_by[ref]
        del names[view.topic.removeprefix("node/")]
        if not names:
            del self._wanted_by[ref]
        for one in self._named(ref):
            if one in view.members and not _wants(view, one):
                self._set(view, one, None, deltas)

    def _named(self, ref: Ref) -> list[Ref]:
        """The existing objects that `ref` names: one, none, or all of a namespace."""
        if ref[2] == EVERY:
            return list(self._services.get(ref[1], {}))
        return [ref] if ref in self._objects else []


def _wants(view: _NodeView, ref: Ref) -> bool:
    return ref in view.wanted or (ref[0] == SERVICES and (SERVICES, ref[1], EVERY) in view.wanted)


# --- what an object needs on its node -------------------------------------------------------------


def needs(obj: Object) -> frozenset[Ref]:
    """The objects a node must see because it sees `obj`."""
    if obj.resource.key == PODS:
        return frozenset(_pod_needs(obj.namespace, obj.name, obj.data.get("spec") or {}))
    if obj.resource.key == CLAIMS:
        volume = (obj.data.get("spec") or {}).get("volumeName")
        return frozenset([(VOLUMES, "", volume)]) if volume else frozenset()
    return frozenset()


def _pod_needs(namespace: str, pod: str, spec: Json) -> Iterable[Ref]:
    yield (SERVICES, namespace, EVERY)  # For the *_SERVICE_HOST variables of its containers.
    yield API_SERVICE
    yield ("serviceaccounts", namespace, spec.get("serviceAccountName") or "default")
    if name := spec.get("runtimeClassName"):
        yield (RUNTIME_CLASSES, "", name)
    for secret in spec.get("imagePullSecrets") or ():
        if name := secret.get("name"):
            yield ("secrets", namespace, name)
    for volume in spec.get("volumes") or ():
        yield from _volume_needs(namespace, pod, volume)
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            yield from _environment_needs(namespace, container)


def _volume_needs(namespace: str, pod: str, volume: Json) -> Iterable[Ref]:
    yield from _source_needs(namespace, volume, secret_name="secretName")
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield from _source_needs(namespace, source, secret_name="name")
    if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
        yield (CLAIMS, namespace, name)
    if volume.get("ephemeral"):
        yield (CLAIMS, namespace, f"{pod}-{volume['name']}")
    if name := ((volume.get("csi") or {}).get("nodePublishSecretRef") or {}).get("name"):
        yield ("secrets", namespace, name)


def _source_needs(namespace: str, source: Json, *, secret_name: str) -> Iterable[Ref]:
    if name := (source.get("configMap") or {}).get("name"):
        yield ("configmaps", namespace, name)
    if name := (source.get("secret") or {}).get(secret_name):
        yield ("secrets", namespace, name)


def _environment_needs(namespace: str, container: Json) -> Iterable[Ref]:
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        if name := (source.get("configMapKeyRef") or {}).get("name"):
            yield ("configmaps", namespace, name)
        if name := (source.get("secretKeyRef") or {}).get("name"):
            yield ("secrets", namespace, name)
    for source in container.get("envFrom") or ():
        if name := (source.get("configMapRef") or {}).get("name"):
            yield ("configmaps", namespace, name)
        if name := (source.get("secretRef") or {}).get("name"):
            yield ("secrets", namespace, name)


# --- entries --------------------------------------------------------------------------------------


def entries(objects: Iterable[Object]) -> list[Entry]:
    return [_entry(obj) for obj in objects]


def _entry(obj: Object, *, gone: bool = False) -> Entry:
    body = b"" if gone else obj.lean
    key = obj.resource.key
    return (GONE if gone else PUT, key, obj.namespace, obj.name, obj.revision, body)


def _ref(obj: Object) -> Ref:
    return (obj.resource.key, obj.namespace, obj.name)


def _reduced(node: Object) -> Object:
    """A Node as other nodes see it: who it is, where it is, which pods' addresses it has."""
    metadata = node.metadata
    spec = node.data.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    shown: Json = {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": node.name,
            "uid": metadata.get("uid", ""),
            "resourceVersion": str(node.revision),
            "labels": metadata.get("labels") or {},
            "annotations": {k: v for k, v in annotations.items() if k.startswith(NET_ANNOTATIONS)},
        },
        "spec": {key: spec[key] for key in ("podCIDR", "podCIDRs") if key in spec},
        "status": {"addresses": (node.data.get("status") or {}).get("addresses") or []},
    }
    return Object(node.resource, "", node.name, revision=node.revision, body=orjson.dumps(shown))


def _same(one: Object, other: Object) -> bool:
    """Equal but for the resourceVersion. Parsed anew: the parsed form of every node is not kept."""
    was, now = one.glance(), other.glance()
    if was["spec"] != now["spec"] or was["status"] != now["status"]:
        return False
    return all(was["metadata"][k] == now["metadata"][k] for k in ("uid", "labels", "annotations"))

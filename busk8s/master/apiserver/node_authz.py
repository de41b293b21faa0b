"""The node authoriser: a kubelet reaches what its own pods use, and nothing else.

Owns      which pods are bound to which node, what a pod refers to, the table of a node's verbs.
Leaves    the contents of what a node writes (admission.node_restriction).
Invariant the index follows committed writes: a pod bound a moment ago already counts.
Source    Kubernetes reference, "Using Node Authorization".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from busk8s.api.object import Json, Object
from busk8s.api.request import User
from busk8s.master.apiserver.attributes import Attributes

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
LEASE_NAMESPACE = "kube-node-lease"

READ = frozenset({"get", "list", "watch"})
OWN_BY_NAME = frozenset({"get", "create", "update", "patch", "delete"})
# Key -> verbs allowed on every object of it. Anything finer is in `_rules`.
ALWAYS: dict[str, frozenset[str]] = {
    "services": READ,
    "endpointslices.discovery.k8s.io": READ,
    "nodes": READ,
    "runtimeclasses.node.k8s.io": READ,
    "csidrivers.storage.k8s.io": READ,
    "events": frozenset({"create", "update", "patch"}),
    "events.events.k8s.io": frozenset({"create", "update", "patch"}),
    "tokenreviews.authentication.k8s.io": frozenset({"create"}),
    "subjectaccessreviews.authorization.k8s.io": frozenset({"create"}),
    "localsubjectaccessreviews.authorization.k8s.io": frozenset({"create"}),
    "selfsubjectreviews.authentication.k8s.io": frozenset({"create"}),
    "selfsubjectaccessreviews.authorization.k8s.io": frozenset({"create"}),
    "certificatesigningrequests.certificates.k8s.io": frozenset({"create", "get", "list", "watch"}),
}
REFERRED = frozenset({"secrets", "configmaps", "persistentvolumeclaims"})


def node_of(user: User) -> str | None:
    """The node's name when `user` is a node's identity."""
    if NODES_GROUP in user.groups and user.name.startswith(NODE_PREFIX):
        return user.name[len(NODE_PREFIX) :] or None
    return None


class Cache(Protocol):
    """What is read of the watch cache (store.watch.WatchCache)."""

    def get(self, resource_key: str, namespace: str, name: str) -> Object | None: ...

    def list(self, resource_key: str, namespace: str | None = None) -> Sequence[Object]: ...

    def on_events(self, callback: Any) -> Any: ...


class NodeAuthorizer:
    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._pods: dict[str, dict[tuple[str, str], None]] = {}
        self._node: dict[tuple[str, str], str] = {}  # the inverse, so a deletion is not parsed
        for pod in cache.list("pods"):
            self._bind(pod)
        cache.on_events(self._follow)

    def authorize(self, node: str, attributes: Attributes) -> str | None:
        """None when allowed; else why not, "" when there is nothing to add to the refusal."""
        assert attributes.resource is not None
        key, verb = attributes.resource.key, attributes.verb
        if key == "nodes":
            return self._own_node(node, attributes)
        if key == "pods":
            return self._own_pods(node, attributes)
        if verb in ALWAYS.get(key, ()) and not attributes.subresource:
            return None
        if key in REFERRED:
            return self._referred(node, attributes)
        if key == "persistentvolumes":
            return self._volume(node, attributes)
        if key in ("leases.coordination.k8s.io", "csinodes.storage.k8s.io"):
            lease = key.startswith("leases")
            own = attributes.name in (node, "") and verb in OWN_BY_NAME
            if own and (not lease or attributes.namespace == LEASE_NAMESPACE):
                return None
            return "can only access the lease of its own node" if lease else ""
        if key == "serviceaccounts":
            return self._account(node, attributes)
        return ""

    # The finer rules, one a resource.

    @staticmethod
    def _own_node(node: str, attributes: Attributes) -> str | None:
        verb, name = attributes.verb, attributes.name
        if verb in READ and attributes.subresource in ("", "status"):
            return None  # addresses and pod subnets of all nodes are what kube-proxy needs
        if attributes.subresource not in ("", "status"):
            return ""
        if verb == "create" and name in ("", node):
            return None  # the name in the body is NodeRestriction's to check
        if verb in ("update", "patch"):
            return None if name == node else f"node {node!r} cannot modify node {name!r}"
        return ""

    def _own_pods(self, node: str, attributes: Attributes) -> str | None:
        verb, sub = attributes.verb, attributes.subresource
        if verb in ("list", "watch") and not sub and not attributes.name:
            own = f"spec.nodeName={node}" in attributes.field_selector.split(",")
            return None if own else "can only list/watch pods with spec.nodeName field selector"
        if verb == "create" and not sub:
            return None  # mirror pods: NodeRestriction looks at the body
        allowed = (
            (verb in ("get", "watch", "delete") and not sub)
            or (verb in ("get", "patch", "update") and sub == "status")
            or (verb == "create" and sub == "eviction")
        )
        if not allowed:
            return ""
        bound = (attributes.namespace, attributes.name) in self._pods.get(node, ())
        return None if bound else f"no relationship found between node '{node}' and this object"

    def _referred(self, node: str, attributes: Attributes) -> str | None:
        key, verb = attributes.plural, attributes.verb
        if verb not in READ or (verb != "get" and not attributes.name) or attributes.subresource:
            return "can only read namespaced object of this type by name"
        wanted = (key, attributes.name)
        if any(wanted in refers_to(pod) for pod in self._bound(node, attributes.namespace)):
            return None
        return f"no relationship found between node '{node}' and this object"

    def _volume(self, node: str, attributes: Attributes) -> str | None:
        if attributes.verb != "get" or attributes.subresource:
            return ""
        for namespace, name in self._pods.get(node, ()):
            pod = self._cache.get("pods", namespace, name)
            for key, claim in refers_to(pod) if pod else ():
                if key != "persistentvolumeclaims":
                    continue
                found = self._cache.get(key, namespace, claim)
                if found and (found.data.get("spec") or {}).get("volumeName") == attributes.name:
                    return None
        return f"no relationship found between node '{node}' and this object"

    def _account(self, node: str, attributes: Attributes) -> str | None:
        get = attributes.verb == "get" and not attributes.subresource
        token = attributes.verb == "create" and attributes.subresource == "token"
        if not get and not token:
            return ""
        for pod in self._bound(node, attributes.namespace):
            if pod.data["spec"].get("serviceAccountName") == attributes.name:
                return None
        return f"no relationship found between node '{node}' and this object"

    # The index.

    def _bound(self, node: str, namespace: str) -> Iterator[Object]:
        for where, name in self._pods.get(node, ()):
            if where == namespace:
                pod = self._cache.get("pods", where, name)
                if pod is not None:
                    yield pod

    def _follow(self, events: Sequence[Any]) -> None:
        for event in events:
            pod: Object = event.object
            if pod.resource.key != "pods":
                continue
            if event.type == "DELETED":
                self._unbind((pod.namespace, pod.name))
            elif (pod.namespace, pod.name) not in self._node:
                self._bind(pod)

    def _bind(self, pod: Object) -> None:
        node = _node(pod)
        if node:
            key = (pod.namespace, pod.name)
            self._pods.setdefault(node, {})[key] = None
            self._node[key] = node

    def _unbind(self, key: tuple[str, str]) -> None:
        node = self._node.pop(key, None)
        if node is not None:
            pods = self._pods[node]
            del pods[key]
            if not pods:
                del self._pods[node]


def _node(pod: Object) -> str:
    return str((pod.data.get("spec") or {}).get("nodeName") or "")


def refers_to(pod: Object) -> frozenset[tuple[str, str]]:
    """(plural, name) of every Secret, ConfigMap and claim the pod's node must read to run it."""
    return frozenset(references_in(pod.data.get("spec") or {}))


def references_in(spec: Json) -> Iterator[tuple[str, str]]:
    """The same of a pod's spec, one by one."""
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", secret.get("name", "")
    for volume in spec.get("volumes") or ():
        yield from _volume_references(volume)
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            yield from _container_references(container)


def _volume_references(volume: Json) -> Iterator[tuple[str, str]]:
    if "secret" in volume:
        yield "secrets", volume["secret"].get("secretName", "")
    if "configMap" in volume:
        yield "configmaps", volume["configMap"].get("name", "")
    if "persistentVolumeClaim" in volume:
        yield "persistentvolumeclaims", volume["persistentVolumeClaim"].get("claimName", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "secret" in source:
            yield "secrets", source["secret"].get("name", "")
        if "configMap" in source:
            yield "configmaps", source["configMap"].get("name", "")
    for driver in ("csi", "cephfs", "rbd", "flexVolume", "iscsi", "storageos", "scaleIO"):
        given = volume.get(driver) or {}
        reference = given.get("nodePublishSecretRef") or given.get("secretRef")
        if reference:
            yield "secrets", reference.get("name", "")


def _container_references(container: Json) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        if "secretRef" in source:
            yield "secrets", source["secretRef"].get("name", "")
        if "configMapRef" in source:
            yield "configmaps", source["configMapRef"].get("name", "")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        if "secretKeyRef" in source:
            yield "secrets", source["secretKeyRef"].get("name", "")
        if "configMapKeyRef" in source:
            yield "configmaps", source["configMapKeyRef"].get("name", "")

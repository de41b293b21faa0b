"""A node writes only about itself: its Node, the status of its pods, mirror pods, its lease.

Owns      limits on what a node may say in a write that the node authoriser let through.
Source    Kubernetes reference, "Admission Control", NodeRestriction.
"""

from __future__ import annotations

from collections.abc import Mapping

from busk8s import errors
from busk8s.api.object import Json
from busk8s.master.apiserver.admission.plugin import Interest, Lookup, name_of, refuse
from busk8s.master.apiserver.admission.service_account import MIRROR_ANNOTATION
from busk8s.master.apiserver.attributes import Operation
from busk8s.master.apiserver.node_authz import LEASE_NAMESPACE, node_of, references_in

LEASES = "leases.coordination.k8s.io"
CSI_NODES = "csinodes.storage.k8s.io"
RESTRICTED_SUFFIX = "node-restriction.kubernetes.io"
# What a kubelet sets on its own Node; other labels under kubernetes.io and k8s.io are not its own.
KUBELET_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
    }
)
KUBELET_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")


class NodeRestriction:
    interest = Interest(
        resources=frozenset({"nodes", "pods", LEASES, CSI_NODES, "serviceaccounts"}),
        subresources=None,
    )

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        node = node_of(operation.attributes.user)
        if node is None:
            return
        resource = operation.attributes.resource
        assert resource is not None
        if resource.key == "nodes":
            self._node(node, operation)
        elif resource.key == "pods":
            self._pod(node, operation)
        elif resource.key == "serviceaccounts":
            self._token(node, operation)
        elif name_of(operation) != node:
            why = f'node "{node}" may only write its own {resource.kind}'
            raise refuse(operation.attributes, why)
        elif resource.key == LEASES and operation.attributes.namespace != LEASE_NAMESPACE:
            why = f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
            raise refuse(operation.attributes, why)

    # Its Node.

    @staticmethod
    def _node(node: str, operation: Operation) -> None:
        attributes = operation.attributes
        asked = name_of(operation)
        if asked != node:
            why = f'node "{node}" is not allowed to modify node "{asked}"'
            raise refuse(attributes, why, name=asked)
        new = operation.object
        if operation.kind == "CREATE" and new is not None:
            _check_labels(node, operation, {}, _labels(new))
            return
        if operation.kind != "UPDATE" or new is None or operation.old is None:
            return
        old = operation.old.data
        if attributes.subresource == "status":
            return
        if _taints(new) != _taints(old):
            raise refuse(attributes, f'node "{node}" is not allowed to modify taints')
        if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
            raise refuse(attributes, f'node "{node}" is not allowed to modify ownerReferences')
        _check_labels(node, operation, _labels(old), _labels(new))

    # Its pods.

    def _pod(self, node: str, operation: Operation) -> None:
        subresource = operation.attributes.subresource
        if subresource == "eviction":
            self._eviction(node, operation)
        elif subresource == "status" and operation.kind == "UPDATE":
            self._pod_status(node, operation)
        elif subresource:
            why = f"unexpected subresource {subresource!r}"
            raise refuse(operation.attributes, why)
        elif operation.kind == "CREATE":
            self._mirror_pod(node, operation)
        elif operation.kind == "DELETE":
            if operation.old is not None and _bound_to(operation.old.data) != node:
                raise refuse(operation.attributes, _only_own(node, "delete"))
        else:
            raise refuse(operation.attributes, f'node "{node}" may not change the pod itself')

    @staticmethod
    def _pod_status(node: str, operation: Operation) -> None:
        assert operation.old is not None
        assert operation.object is not None
        if _bound_to(operation.old.data) != node:
            raise refuse(operation.attributes, _only_own(node, "update status for"))
        if _labels(operation.object) != _labels(operation.old.data):
            why = f'node "{node}" cannot update labels through pod status'
            raise refuse(operation.attributes, why)

    def _eviction(self, node: str, operation: Operation) -> None:
        name = name_of(operation)
        pod = self._lookup.get("pods", operation.attributes.namespace, name)
        if pod is None:
            raise errors.not_found("pods", name)
        if _bound_to(pod.data) != node:
            raise refuse(operation.attributes, _only_own(node, "evict"), name=name)

    @staticmethod
    def _mirror_pod(node: str, operation: Operation) -> None:
        pod = operation.object
        assert pod is not None
        attributes, name = operation.attributes, name_of(operation)
        metadata, spec = pod["metadata"], pod.get("spec") or {}
        if MIRROR_ANNOTATION not in (metadata.get("annotations") or {}):
            why = (
                f'pod does not have "{MIRROR_ANNOTATION}" annotation, '
                f'node "{node}" can only create mirror pods'
            )
            raise refuse(attributes, why, name=name)
        if spec.get("nodeName") != node:
            raise refuse(attributes, _only_own(node, "create"), name=name)
        if spec.get("serviceAccountName") or spec.get("serviceAccount"):
            why = f'node "{node}" can not create pods that reference a service account'
            raise refuse(attributes, why, name=name)
        for plural, _ in sorted(references_in(spec)):
            why = f'node "{node}" can not create pods that reference {plural}'
            raise refuse(attributes, why, name=name)
        for owner in metadata.get("ownerReferences") or ():
            if (owner.get("kind"), owner.get("name")) != ("Node", node):
                why = f'node "{node}" can only create pods owned by itself'
                raise refuse(attributes, why, name=name)

    # Tokens of its pods.

    def _token(self, node: str, operation: Operation) -> None:
        if operation.attributes.subresource != "token" or operation.object is None:
            return
        bound = (operation.object.get("spec") or {}).get("boundObjectRef") or {}
        if bound.get("kind") != "Pod":
            raise refuse(operation.attributes, f'node "{node}" requires a token bound to a pod')
        pod = self._lookup.get("pods", operation.attributes.namespace, str(bound.get("name")))
        if pod is None or pod.uid != bound.get("uid") or _bound_to(pod.data) != node:
            why = f'node "{node}" requested a token bound to a pod scheduled on a different node'
            raise refuse(operation.attributes, why)


def _only_own(node: str, what: str) -> str:
    return f'node "{node}" can only {what} pods with spec.nodeName set to itself'


def _bound_to(pod: Json) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def _labels(data: Json) -> Mapping[str, str]:
    return (data.get("metadata") or {}).get("labels") or {}


def _taints(data: Json) -> object:
    return (data.get("spec") or {}).get("taints") or []


def _check_labels(
    node: str, operation: Operation, old: Mapping[str, str], new: Mapping[str, str]
) -> None:
    changed = sorted(k for k in {**old, **new} if old.get(k) != new.get(k))
    denied = [label for label in changed if not _may_set(label)]
    if denied:
        why = f'node "{node}" is not allowed to modify labels: {", ".join(denied)}'
        raise refuse(operation.attributes, why, name=node)


def _may_set(label: str) -> bool:
    domain, slash, _ = label.rpartition("/")
    if not slash:
        return True
    if domain == RESTRICTED_SUFFIX or domain.endswith("." + RESTRICTED_SUFFIX):
        return False
    if not any(domain == d or domain.endswith("." + d) for d in ("kubernetes.io", "k8s.io")):
        return True
    return label in KUBELET_LABELS or any(
        domain == p or domain.endswith("." + p) for p in KUBELET_PREFIXES
    )

"""Leases of nodes, made from the last beats when somebody reads them.

Owns      the objects that clients see under kube-node-lease for workers of the bus.
Leaves    beats (liveness), writing them for watchers (lease_renewals), Leases that kubelets over
          HTTPS write themselves.
Invariant reading costs what is read; a stored Lease keeps its identity and shows the last beat.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from copy import deepcopy

import orjson

from busk8s.api.object import Json, Object, encode, with_revision
from busk8s.api.scheme import RESOURCES
from busk8s.master.apiserver.join import public_key
from busk8s.master.apiserver.liveness import LEASE_NAMESPACE, Liveness
from busk8s.master.store.watch import WatchCache

LEASES = RESOURCES["leases.coordination.k8s.io"]
LEASE_SECONDS = 40  # As upstream's kubelets ask for; clients show it, nothing here waits for it.


class NodeLeases:
    """What readers see: lists, gets."""

    def __init__(self, liveness: Liveness, cache: WatchCache) -> None:
        self._liveness, self._cache = liveness, cache

    def holds(self, resource_key: str) -> bool:
        return resource_key == LEASES.key

    def get(
        self, resource_key: str, namespace: str, name: str, stored: Object | None
    ) -> Object | None:
        if resource_key != LEASES.key or namespace != LEASE_NAMESPACE:
            return stored
        data = self.renewed(name, stored)
        if data is None:
            return stored
        if stored is not None:
            body = with_revision(
                encode(data), stored.revision, head_length=stored.resource.head_length
            )
            return Object(LEASES, namespace, name, revision=stored.revision, body=body)
        revision = int(data["metadata"]["resourceVersion"])
        body = orjson.dumps(data)
        return Object(LEASES, namespace, name, revision=revision, body=body, data=data)

    def list(
        self, resource_key: str, namespace: str | None, stored: Sequence[Object]
    ) -> Sequence[Object]:
        """`stored`, with those of `namespace` (None: of all) that only memory knows."""
        if resource_key != LEASES.key or namespace not in (None, LEASE_NAMESPACE):
            return stored
        found = {(obj.namespace, obj.name): obj for obj in stored}
        for name in self._liveness.nodes():
            key = (LEASE_NAMESPACE, name)
            lease = self.get(resource_key, *key, found.get(key))
            if lease is not None:
                found[key] = lease
        return [found[key] for key in sorted(found)]

    def renewed(self, name: str, stored: Object | None) -> Json | None:
        """The Lease of node `name` as its last beat makes it; None: nothing newer is known.

        Without `stored` it bears the revision of its Node.
        """
        at = self._liveness.last_beat(name)
        node = self._cache.get("nodes", "", name)
        if at is None or node is None or public_key(node) is None:
            return None
        if stored is None:
            return _lease(node, at)
        spec = stored.data.get("spec") or {}
        if spec.get("holderIdentity") != name or spec.get("renewTime", "") >= at:
            return None
        data = deepcopy(stored.data)
        data["spec"]["renewTime"] = at
        return data


def _lease(node: Object, renewed: str) -> Json:
    """As a kubelet makes it: the Node owns it, and its birth is the Node's."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}
    return {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {
            "name": node.name,
            "namespace": LEASE_NAMESPACE,
            "uid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"lease of {node.uid}")),
            "resourceVersion": str(node.revision),
            "creationTimestamp": str(node.metadata.get("creationTimestamp", "")),
            "ownerReferences": [owner],
        },
        "spec": {
            "holderIdentity": node.name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": renewed,
        },
    }

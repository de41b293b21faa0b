"""Leases of nodes that are in no store: made from the last beats when somebody reads them.

Owns      the objects that clients see under kube-node-lease. Leaves   beats (liveness).
Invariant reading costs what is read; nothing is written. A stored Lease of that name goes first.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from busk8s.api.object import Object
from busk8s.api.scheme import RESOURCES
from busk8s.master.apiserver.liveness import LEASE_NAMESPACE, Liveness
from busk8s.master.store.watch import WatchCache

LEASES = RESOURCES["leases.coordination.k8s.io"]


class NodeLeases:
    """Meets attributes.Unstored.

    Differs from Kubernetes: watching kube-node-lease shows no renewals, only reading does.
    """

    def __init__(self, liveness: Liveness, cache: WatchCache) -> None:
        self._liveness, self._cache = liveness, cache

    def holds(self, resource_key: str) -> bool:
        return resource_key == LEASES.key

    def get(self, resource_key: str, namespace: str, name: str) -> Object | None:
        if resource_key != LEASES.key or namespace != LEASE_NAMESPACE:
            return None
        node = self._cache.get("nodes", "", name)
        if node is None:
            return None
        created = str(node.metadata.get("creationTimestamp", ""))
        lease = self._liveness.lease(name, uid=node.uid, created=created, revision=node.revision)
        if lease is None:
            return None
        body = orjson.dumps(lease)
        return Object(LEASES, namespace, name, revision=node.revision, body=body, data=lease)

    def list(self, resource_key: str, namespace: str | None) -> Sequence[Object]:
        """Those of `namespace` (None: of all), without what is stored under the same name."""
        if resource_key != LEASES.key or namespace not in (None, LEASE_NAMESPACE):
            return []
        made = (self.get(resource_key, LEASE_NAMESPACE, name) for name in self._liveness.nodes())
        return [
            lease
            for lease in made
            if lease and self._cache.get(resource_key, LEASE_NAMESPACE, lease.name) is None
        ]

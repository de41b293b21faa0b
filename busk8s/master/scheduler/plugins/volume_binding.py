"""VolumeBinding: nodes that reach a pod's volumes, and volumes for claims that waited for a node.

Leaves    which volume fits a claim (api.claiming), the rest of binding (the controllers): a pod
          whose claims are not bound yet is tried again when they are.
"""

from __future__ import annotations

import numpy as np

from busk8s.api.claiming import (
    SELECTED_NODE,
    best_volume,
    is_reserved_for,
    reaches,
    reservation,
)
from busk8s.api.object import Object
from busk8s.api.scheme import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES
from busk8s.client.interface import Client
from busk8s.errors import Error
from busk8s.master.scheduler.framework import NotYet, Verdict
from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.snapshot import NodeInfo, Snapshot
from busk8s.master.scheduler.volumes import VolumeFacts

WITHOUT_PROVISIONER = "kubernetes.io/no-provisioner"
OUT_OF_REACH = "node(s) didn't match PersistentVolume's node affinity"
NONE_FREE = "node(s) didn't find available persistent volumes to bind"


class VolumeBinding:
    name = "VolumeBinding"
    static = False
    wakes_on = frozenset({"node", "volume"})

    def __init__(self, client: Client, facts: VolumeFacts) -> None:
        self._client = client
        self._facts = facts
        self._snapshot: Snapshot | None = None  # What pods were last judged by.
        self._everywhere = Verdict(np.ones(0, bool))

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> str | None:
        return self._facts.needs(pod).why or None

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict:
        if not pod.kind.claims:  # Most pods: nothing is made for them.
            if len(self._everywhere.passes) != len(snapshot.rows):
                self._everywhere = Verdict(np.ones(len(snapshot.rows), bool))
            return self._everywhere
        self._snapshot, needs = snapshot, self._facts.needs(pod)
        far = [not all(_reaches(v, node) for v in needs.volumes) for node in snapshot.rows]
        beyond = snapshot.select(far)
        none = snapshot.select(
            [
                not out and not all(self._served(claim, node) for claim in needs.unbound)
                for out, node in zip(far, snapshot.rows, strict=True)
            ]
        )
        return Verdict(~(beyond | none), {OUT_OF_REACH: beyond, NONE_FREE: none})

    async def bind(self, pod: PodInfo, node: str) -> None:
        """Choose volumes for claims that waited for the pod's node; raises NotYet until all are
        bound, for a binding is no place to wait."""
        unbound = self._facts.needs(pod).unbound
        for claim in unbound:
            try:
                await self._choose(claim, node)
            except Error as error:
                if error.code != 409:  # Somebody was quicker, who may be the binder.
                    raise
        if unbound:
            raise NotYet("PersistentVolumeClaims are being bound")

    def _served(self, claim: Object, node: NodeInfo | None) -> bool:
        if node is None:
            return False
        selected = (claim.metadata.get("annotations") or {}).get(SELECTED_NODE)
        if selected is not None:
            return bool(selected == node.name)
        return self._free(claim, node) is not None or self._provisions(claim)

    def _free(self, claim: Object, node: NodeInfo) -> Object | None:
        volumes = self._facts.volumes
        reserved = [volume for volume in volumes if is_reserved_for(volume, claim)]
        return best_volume(claim, [v for v in reserved or volumes if _reaches(v, node)])

    def _provisions(self, claim: Object) -> bool:
        found = self._facts.class_of(claim)
        provisioner = "" if found is None else found.data.get("provisioner") or ""
        return bool(provisioner) and provisioner != WITHOUT_PROVISIONER

    async def _choose(self, claim: Object, name: str) -> None:
        node = None if self._snapshot is None else self._snapshot.nodes.get(name)
        if node is None:
            return
        volume = self._free(claim, node)
        if volume is not None:
            if not (volume.data.get("spec") or {}).get("claimRef", {}).get("uid"):
                await self._client.update(PERSISTENTVOLUMES, reservation(volume, claim))
        elif SELECTED_NODE not in (claim.metadata.get("annotations") or {}):
            marks = {"annotations": {SELECTED_NODE: name}, "uid": claim.uid}
            await self._client.patch(
                PERSISTENTVOLUMECLAIMS, claim.name, {"metadata": marks}, namespace=claim.namespace
            )


def _reaches(volume: Object, node: NodeInfo | None) -> bool:
    return node is not None and reaches(volume, node.labels, node.name)

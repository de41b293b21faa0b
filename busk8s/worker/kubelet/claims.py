"""Volumes that a pod has by a claim: what they really are on this node. Pure.

Owns      following a claim to its volume, and the volume to a path of this node.
Leaves    mounting (volumes), binding claims (the master).
Invariant only a claim that is bound, to a volume that names it, is ever mounted.
"""

from __future__ import annotations

from busk8s.api.claiming import LOCAL_PROVISIONER, PROVISIONED_BY
from busk8s.api.object import Json, Object
from busk8s.worker.kubelet.env import Lookup
from busk8s.worker.kubelet.payload import VolumeError
from busk8s.worker.kubelet.pods import Pod

SHARED = "SharedDirectoryOrCreate"  # Ours: made for whatever user the pod runs as.


def resolve(pod: Pod, volume: Json, lookup: Lookup) -> Json:
    """`volume`, with the source that its claim stands for; itself when it has no claim."""
    source = volume.get("persistentVolumeClaim")
    if source is None:
        return volume
    name = source.get("claimName", "")
    claim = lookup("persistentvolumeclaims", pod.namespace, name)
    if claim is None:
        raise VolumeError(f'persistentvolumeclaim "{name}" not found')
    bound = _volume_of(claim, lookup)
    spec = bound.data.get("spec") or {}
    if spec.get("volumeMode", "Filesystem") != "Filesystem":
        raise VolumeError(f"volumeMode {spec['volumeMode']} is not supported")
    read_only = {"readOnly": True} if source.get("readOnly") else {}
    if "hostPath" in spec:
        return {"name": volume["name"], "hostPath": spec["hostPath"], **read_only}
    if "local" in spec:
        ours = (bound.metadata.get("annotations") or {}).get(PROVISIONED_BY) == LOCAL_PROVISIONER
        where = {"path": spec["local"]["path"], "type": SHARED if ours else "Directory"}
        return {"name": volume["name"], "hostPath": where, **read_only}
    kind = next((key for key in spec if key not in _NO_SOURCE), "none")
    raise VolumeError(f"volume type {kind} is not supported")


_NO_SOURCE = (
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity",
    "persistentVolumeReclaimPolicy", "storageClassName", "volumeAttributesClassName", "volumeMode",
)  # fmt: skip


def _volume_of(claim: Object, lookup: Lookup) -> Object:
    spec, status = claim.data.get("spec") or {}, claim.data.get("status") or {}
    name = spec.get("volumeName")
    if not name or status.get("phase") != "Bound":
        raise VolumeError(f"error processing PVC {claim.key}: PVC is not bound")
    volume = lookup("persistentvolumes", "", name)
    if volume is None:
        raise VolumeError(f'persistentvolume "{name}" not found')
    reference = (volume.data.get("spec") or {}).get("claimRef") or {}
    if reference.get("uid") != claim.uid:
        raise VolumeError(
            f"error processing PVC {claim.key}: its volume {name} is bound to another"
        )
    return volume

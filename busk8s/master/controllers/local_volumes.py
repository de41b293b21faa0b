"""Volumes on the nodes' own disks: made for claims of the class `local`, removed when released.

Owns      the volume of a claim whose pod was given a node, and the pod that removes a directory.
Leaves    binding (claim_binding), choosing the node (scheduler), the directory itself (kubelet).
Invariant only `<the node's place for volumes>/<the volume's name>` is ever removed, and the
          volume is deleted after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from busk8s.api.claiming import LOCAL_PROVISIONER, PROVISIONED_BY, SELECTED_NODE, VOLUMES_PLACE
from busk8s.api.object import Json, Object
from busk8s.api.scheme import (
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    STORAGECLASSES,
    Resource,
)
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import NOTHING, Create, Delete, Emit, Plan, Told, Update
from busk8s.master.controllers.children import spec_of, status_of
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import slim_node, slim_pod

NODE = "busk8s.io/node"  # On a volume: whose disk it is on.
REMOVER_SPACE, REMOVER = "kube-system", "remove-"
REMOVER_S = 120  # Then it has failed.
AGAIN_S = 60.0  # After a removal that failed.
MODES = frozenset(("ReadWriteOnce", "ReadWriteOncePod"))


@dataclass(frozen=True)
class Wanted:
    claim: Object
    storage_class: Object
    node: Object | None  # The one that was selected, if it is there.
    made: bool  # The volume is there.


@dataclass(frozen=True)
class Released:
    volume: Object
    node: Object | None
    remover: Object | None


class LocalProvisioner:
    name = "local-volume-provisioner"
    component = "local-volume-provisioner"

    def __init__(self, caches: SharedCaches) -> None:
        self._claims = caches.need(PERSISTENTVOLUMECLAIMS)
        self._volumes = caches.need(PERSISTENTVOLUMES)
        self._classes = caches.need(STORAGECLASSES)
        self._nodes = caches.need(NODES, whole=False, keep=slim_node)
        self._pods = caches.need(PODS, whole=False, keep=slim_pod)
        # Keys of claims have a slash, those of volumes have none.
        self.wakes: Mapping[Resource, Wake] = {
            PERSISTENTVOLUMECLAIMS: own_key,
            PERSISTENTVOLUMES: own_key,
            PODS: self._woken_by_pod,
        }

    def _woken_by_pod(self, old: Object | None, new: Object | None) -> Iterable[str]:
        pod = new or old
        if pod is None or pod.namespace != REMOVER_SPACE or not pod.name.startswith(REMOVER):
            return []
        return [pod.name.removeprefix(REMOVER)]

    def observe(self, key: str, failure: Error | None) -> Wanted | Released | None:
        return self._claim(key) if "/" in key else self._volume(key)

    def _claim(self, key: str) -> Wanted | None:
        claim = self._claims.get(key)
        if claim is None or claim.deleting or spec_of(claim).get("volumeName"):
            return None
        found = self._classes.get(spec_of(claim).get("storageClassName") or "")
        if found is None or found.data.get("provisioner") != LOCAL_PROVISIONER:
            return None
        node = self._nodes.get(_notes(claim).get(SELECTED_NODE, ""))
        return Wanted(claim, found, node, self._volumes.get(volume_name(claim)) is not None)

    def _volume(self, key: str) -> Released | None:
        volume = self._volumes.get(key)
        if volume is None or volume.deleting:
            return None
        ours = _notes(volume).get(PROVISIONED_BY) == LOCAL_PROVISIONER
        policy = spec_of(volume).get("persistentVolumeReclaimPolicy")
        if not ours or policy != "Delete" or status_of(volume).get("phase") != "Released":
            return None
        remover = self._pods.get(f"{REMOVER_SPACE}/{REMOVER}{key}")
        return Released(volume, self._nodes.get(_notes(volume).get(NODE, "")), remover)

    def plan(self, observed: Wanted | Released, now: float) -> Plan:
        return provide(observed) if isinstance(observed, Wanted) else remove(observed)


def volume_name(claim: Object) -> str:
    return f"pvc-{claim.uid}"


def provide(wanted: Wanted) -> Plan:
    """Make the volume of a claim that was given a node."""
    claim, node = wanted.claim, wanted.node
    if wanted.made:
        return NOTHING
    if why := _impossible(wanted):
        return Plan((Emit(claim, "Warning", "ProvisioningFailed", why),))
    if SELECTED_NODE not in _notes(claim):
        return NOTHING
    if node is None:
        return Plan((_choose_again(claim),))
    told = Told(
        claim,
        success=("ProvisioningSucceeded", "Successfully provisioned volume {name}"),
        failure=("ProvisioningFailed", "failed to provision volume: {error}"),
    )
    return Plan((Create(PERSISTENTVOLUMES, _made(wanted, node), told),))


def _impossible(wanted: Wanted) -> str:
    spec, node = spec_of(wanted.claim), wanted.node
    if wanted.storage_class.data.get("volumeBindingMode") != "WaitForFirstConsumer":
        return "volumes of a node need volumeBindingMode WaitForFirstConsumer"
    if not set(spec.get("accessModes") or ()) <= MODES:
        return "only ReadWriteOnce and ReadWriteOncePod are supported"
    if spec.get("volumeMode", "Filesystem") != "Filesystem":
        return "only volumeMode Filesystem is supported"
    if spec.get("selector"):
        return "claim Selector is not supported"
    if node is not None and not _notes(node).get(VOLUMES_PLACE):
        return f"node {node.name} has no place for volumes"
    return ""


def _choose_again(claim: Object) -> Update:
    """The node is gone: let the scheduler choose another."""
    notes = {key: value for key, value in _notes(claim).items() if key != SELECTED_NODE}
    metadata = {**claim.metadata, "annotations": notes, "resourceVersion": str(claim.revision)}
    return Update(claim.resource, {**claim.data, "metadata": metadata})


def _made(wanted: Wanted, node: Object) -> Json:
    claim, found, name = wanted.claim, wanted.storage_class, volume_name(wanted.claim)
    host = node.labels.get("kubernetes.io/hostname", node.name)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [host]}
    reference = {"kind": claim.resource.kind, "apiVersion": "v1", "uid": claim.uid}
    reference |= {"namespace": claim.namespace, "name": claim.name}
    spec = {
        "capacity": {"storage": spec_of(claim)["resources"]["requests"]["storage"]},
        "accessModes": spec_of(claim)["accessModes"],
        "persistentVolumeReclaimPolicy": found.data.get("reclaimPolicy") or "Delete",
        "storageClassName": found.name,
        "volumeMode": "Filesystem",
        "mountOptions": found.data.get("mountOptions") or [],
        "claimRef": reference,
        "local": {"path": f"{_notes(node)[VOLUMES_PLACE]}/{name}"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
    }
    marks = {PROVISIONED_BY: LOCAL_PROVISIONER, NODE: node.name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": marks},
        "spec": {key: value for key, value in spec.items() if value},
    }


def remove(released: Released) -> Plan:
    """Have the directory removed on its node, then the volume."""
    volume, node, remover = released.volume, released.node, released.remover
    if node is None:
        return Plan((Delete(volume),))  # The disk went with its node.
    path = (spec_of(volume).get("local") or {}).get("path")
    if path != f"{_notes(node).get(VOLUMES_PLACE)}/{volume.name}":
        why = f"{path} is not the directory of this volume on node {node.name}"
        return Plan((Emit(volume, "Warning", "VolumeFailedDelete", why),))
    if remover is None:
        return Plan((Create(PODS, _remover(volume, node, path)),))
    phase = status_of(remover).get("phase")
    if remover.deleting or phase not in ("Succeeded", "Failed"):
        return NOTHING
    if phase == "Succeeded":
        return Plan((Delete(volume), Delete(remover)))
    why = f"pod {remover.key} could not remove {path}"
    failed = Emit(volume, "Warning", "VolumeFailedDelete", why)
    return Plan((failed, Delete(remover)), AGAIN_S)


def _remover(volume: Object, node: Object, path: str) -> Json:
    container = {"name": "remove", "image": "busk8s.io/none", "command": ["rm", "-rf", "--", path]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{REMOVER}{volume.name}", "namespace": REMOVER_SPACE},
        "spec": {
            "nodeName": node.name,
            "hostNetwork": True,  # It needs no address, and so no network of pods.
            "restartPolicy": "Never",
            "activeDeadlineSeconds": REMOVER_S,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        },
    }


def _notes(obj: Object) -> Json:
    notes: Json = obj.metadata.get("annotations") or {}
    return notes

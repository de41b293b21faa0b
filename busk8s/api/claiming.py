"""Which volume fits a claim. Pure.

Owns      matching a PersistentVolume to a PersistentVolumeClaim: size, modes, class, labels, who it
          was reserved for; the annotations that tell what was done for a claim.
Leaves    binding them (controllers), which nodes reach a volume (placement), mounting (kubelet).
Source    Kubernetes documentation, "Persistent Volumes", Binding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from busk8s.api.object import Json, Object
from busk8s.api.placement import term_matches
from busk8s.api.quantity import nanos
from busk8s.api.selectors import from_label_selector
from busk8s.errors import Error

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
LOCAL_PROVISIONER = "busk8s.io/local"  # Volumes on the nodes' own disks.
VOLUMES_PLACE = "busk8s.io/volumes"  # On a Node: the directory that holds them.


def reservation(volume: Object, claim: Object) -> Json:
    """`volume` as it is to be written to keep it for `claim`; a write that fails when it has
    changed meanwhile."""
    metadata = {**volume.metadata, "resourceVersion": str(volume.revision)}
    if not _spec(volume).get("claimRef"):
        notes = volume.metadata.get("annotations") or {}
        metadata["annotations"] = {**notes, BOUND_BY_CONTROLLER: "yes"}
    reference = {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": claim.namespace,
        "name": claim.name,
        "uid": claim.uid,
        "resourceVersion": str(claim.revision),
    }
    return {**volume.data, "metadata": metadata, "spec": {**_spec(volume), "claimRef": reference}}


def class_of(obj: Object) -> str:
    """The storage class of a claim or a volume; "" is none."""
    notes = obj.metadata.get("annotations") or {}
    old = notes.get("volume.beta.kubernetes.io/storage-class")
    return str(old if old is not None else _spec(obj).get("storageClassName") or "")


def is_reserved_for(volume: Object, claim: Object) -> bool:
    """Whether the volume names this claim, by its uid or for whoever has its name."""
    reference = _spec(volume).get("claimRef") or {}
    same = (reference.get("namespace"), reference.get("name")) == (claim.namespace, claim.name)
    return same and reference.get("uid") in (None, "", claim.uid)


def misfit(volume: Object, claim: Object) -> str:
    """Why the volume cannot serve the claim; "" when it can."""
    have, want = _spec(volume), _spec(claim)
    if _size(volume) < _requested(claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if have.get("volumeMode", "Filesystem") != want.get("volumeMode", "Filesystem"):
        return "incompatible volumeMode"
    if not set(want.get("accessModes") or ()) <= set(have.get("accessModes") or ()):
        return "incompatible accessMode"
    name = "volumeAttributesClassName"
    if (have.get(name) or "") != (want.get(name) or ""):
        return "VolumeAttributesClassName does not match"
    return ""


def best_volume(claim: Object, volumes: Iterable[Object]) -> Object | None:
    """The volume reserved for the claim, or the smallest free one that fits."""
    found = [v for v in volumes if not v.deleting and not misfit(v, claim)]
    for volume in found:
        if is_reserved_for(volume, claim):
            return volume
    free = [v for v in found if is_free(v) and _is_selected(v, claim)]
    return min(free, key=lambda v: (_size(v), v.name), default=None)


def is_free(volume: Object) -> bool:
    phase = (volume.data.get("status") or {}).get("phase")
    return not _spec(volume).get("claimRef") and phase == "Available"


def reaches(volume: Object, labels: Mapping[str, str], node: str) -> bool:
    """Whether a node can use the volume."""
    required = (_spec(volume).get("nodeAffinity") or {}).get("required")
    if required is None:
        return True
    return any(term_matches(t, labels, node) for t in required.get("nodeSelectorTerms") or ())


def waits_for_consumer(storage_class: Object | None) -> bool:
    """Whether claims of the class are bound only for a pod that was given a node."""
    return (
        storage_class is not None
        and storage_class.data.get("volumeBindingMode") == "WaitForFirstConsumer"
    )


def _is_selected(volume: Object, claim: Object) -> bool:
    selector = _spec(claim).get("selector")
    if selector is None:
        return True
    try:
        return from_label_selector(selector).matches(volume.labels)
    except Error:
        return False


def _size(volume: Object) -> int:
    return nanos((_spec(volume).get("capacity") or {}).get("storage", "0"))


def _requested(claim: Object) -> int:
    requests = (_spec(claim).get("resources") or {}).get("requests") or {}
    return nanos(requests.get("storage", "0"))


def _spec(obj: Object) -> Json:
    spec: Json = obj.data.get("spec") or {}
    return spec

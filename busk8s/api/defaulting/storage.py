"""Defaults of volumes, claims and their classes.

Source    Kubernetes API reference; core/v1 and storage/v1 defaults.
"""

from __future__ import annotations

from busk8s.api.defaulting.pod import Json, default_resource_list, filling

_csi_driver = filling(
    attachRequired=True,
    podInfoOnMount=False,
    storageCapacity=False,
    fsGroupPolicy="ReadWriteOnceWithFSType",
    requiresRepublish=False,
    seLinuxMount=False,
)


def default_volume(volume: Json) -> None:
    """A PersistentVolume."""
    spec = volume.setdefault("spec", {})
    filling(persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")(spec)
    if capacity := spec.get("capacity"):
        default_resource_list(capacity)
    if (host_path := spec.get("hostPath")) is not None:
        host_path.setdefault("type", "")
    filling(phase="Pending")(volume.setdefault("status", {}))


def default_claim(claim: Json) -> None:
    """A PersistentVolumeClaim, or the template of one."""
    spec = claim.setdefault("spec", {})
    filling(volumeMode="Filesystem")(spec)
    for quantities in (spec.get("resources") or {}).values():
        if isinstance(quantities, dict):
            default_resource_list(quantities)
    filling(phase="Pending")(claim.setdefault("status", {}))


def default_storage_class(storage_class: Json) -> None:
    filling(reclaimPolicy="Delete", volumeBindingMode="Immediate")(storage_class)


def default_csi_driver(driver: Json) -> None:
    spec = driver.setdefault("spec", {})
    _csi_driver(spec)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]

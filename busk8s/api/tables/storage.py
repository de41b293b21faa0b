"""Rows of the storage kinds: volumes, claims, classes, drivers.

Owns      their columns and cells.
Leaves    the kinds beside (modules of this package).
Invariant as tables/column.
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.api.tables.column import (
    UNSET,
    Cells,
    Json,
    Printer,
    age,
    at,
    column,
    columns,
    name_of,
)

_MODES = (
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
)
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _modes(given: Sequence[str] | None) -> str:
    return ",".join(short for mode, short in _MODES if mode in (given or ()))


def _phase(obj: Json) -> str:
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    return str(at(obj, "status", "phase") or "")


def _class_name(obj: Json) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    return str(annotations.get(BETA_CLASS) or at(obj, "spec", "storageClassName") or "")


def _volume(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    claim = spec.get("claimRef")
    return [
        name_of(obj),
        at(spec, "capacity", "storage") or "0",
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class_name(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        at(obj, "status", "reason") or "",
        age(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _claim(obj: Json, now: float) -> Cells:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        name_of(obj),
        _phase(obj),
        spec.get("volumeName", ""),
        (at(status, "capacity", "storage") or "0") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        _class_name(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        age(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _storage_class(obj: Json, now: float) -> Cells:
    annotations = obj["metadata"].get("annotations") or {}
    is_default = any(annotations.get(key) == "true" for key in DEFAULT_CLASS)
    return [
        name_of(obj) + (" (default)" if is_default else ""),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or UNSET,
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def _driver(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    tokens = spec.get("tokenRequests")
    return [
        name_of(obj),
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(token.get("audience", "") for token in tokens) if tokens else UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or "<none>",
        age(obj, now),
    ]


def _csi_node(obj: Json, now: float) -> Cells:
    return [name_of(obj), len(at(obj, "spec", "drivers") or ()), age(obj, now)]


def _attachment(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    return [
        name_of(obj),
        spec.get("attacher", ""),
        at(spec, "source", "persistentVolumeName") or "",
        spec.get("nodeName", ""),
        bool(at(obj, "status", "attached")),
        age(obj, now),
    ]


def _attributes_class(obj: Json, now: float) -> Cells:
    return [name_of(obj), obj.get("driverName", ""), age(obj, now)]


def _capacity(obj: Json, _now: float) -> Cells:
    return [name_of(obj), obj.get("storageClassName", ""), obj.get("capacity") or UNSET]


PRINTERS = {
    "csistoragecapacities.storage.k8s.io": Printer(
        columns("Name|StorageClassName|Capacity"), _capacity
    ),
    "persistentvolumes": Printer(
        columns(
            "Name|Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass"
            "|VolumeAttributesClass|Reason|Age|+VolumeMode"
        ),
        _volume,
    ),
    "persistentvolumeclaims": Printer(
        columns(
            "Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age"
            "|+VolumeMode"
        ),
        _claim,
    ),
    "storageclasses.storage.k8s.io": Printer(
        columns("Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age"),
        _storage_class,
    ),
    "csidrivers.storage.k8s.io": Printer(
        (
            *columns("Name"),
            column("AttachRequired", "boolean"),
            column("PodInfoOnMount", "boolean"),
            column("StorageCapacity", "boolean"),
            column("TokenRequests"),
            column("RequiresRepublish", "boolean"),
            *columns("Modes|Age"),
        ),
        _driver,
    ),
    "csinodes.storage.k8s.io": Printer(columns("Name|#Drivers|Age"), _csi_node),
    "volumeattachments.storage.k8s.io": Printer(
        (*columns("Name|Attacher|PV|Node"), column("Attached", "boolean"), *columns("Age")),
        _attachment,
    ),
    "volumeattributesclasses.storage.k8s.io": Printer(
        columns("Name|DriverName|Age"), _attributes_class
    ),
}

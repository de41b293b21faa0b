"""Claims and volumes are held as long as somebody uses them (StorageObjectInUseProtection)."""

from __future__ import annotations

from busk8s.api.scheme import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES
from busk8s.master.apiserver.admission.plugin import Interest
from busk8s.master.apiserver.attributes import Operation

FINALIZERS = {
    PERSISTENTVOLUMECLAIMS.key: "kubernetes.io/pvc-protection",
    PERSISTENTVOLUMES.key: "kubernetes.io/pv-protection",
}


class StorageObjectInUseProtection:
    interest = Interest(kinds=frozenset({"CREATE"}), resources=frozenset(FINALIZERS))

    def admit(self, operation: Operation) -> None:
        assert operation.object is not None
        assert operation.attributes.resource is not None
        finalizer = FINALIZERS[operation.attributes.resource.key]
        metadata = operation.object["metadata"]
        known = metadata.get("finalizers") or []
        if finalizer not in known:
            metadata["finalizers"] = [*known, finalizer]

"""Which claims may grow (PersistentVolumeClaimResize).

Owns      the permission to ask for more room.
Leaves    shrinking and other changes of a claim (rules/volumes), making room (nobody here).
Source    Kubernetes documentation, "Persistent Volumes", "Expanding Persistent Volumes Claims".
"""

from __future__ import annotations

from busk8s.api.object import Json
from busk8s.api.quantity import parse
from busk8s.api.scheme import PERSISTENTVOLUMECLAIMS, STORAGECLASSES
from busk8s.master.apiserver.admission.plugin import Interest, Lookup, refuse
from busk8s.master.apiserver.attributes import Operation

CLASS_BETA = "volume.beta.kubernetes.io/storage-class"
_NOT_BOUND = "Only bound persistent volume claims can be expanded"
_NOT_ALLOWED = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
    "must support resize"
)


class PersistentVolumeClaimResize:
    interest = Interest(
        kinds=frozenset({"UPDATE"}), resources=frozenset({PERSISTENTVOLUMECLAIMS.key})
    )

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        new, old = operation.object, operation.old
        if new is None or old is None:
            return
        before = old.data
        if not _grows(before, new):
            return
        if (before.get("status") or {}).get("phase") != "Bound":
            raise refuse(operation.attributes, _NOT_BOUND)
        name = _class_of(new)
        found = self._lookup.get(STORAGECLASSES.key, "", name) if name else None
        if name != _class_of(before) or found is None:
            raise refuse(operation.attributes, _NOT_ALLOWED)
        if not found.data.get("allowVolumeExpansion"):
            raise refuse(operation.attributes, _NOT_ALLOWED)


def _grows(before: Json, after: Json) -> bool:
    asked, had = _asked(after), _asked(before)
    return asked != had and parse(asked) > parse(had)


def _asked(claim: Json) -> str:
    resources = (claim.get("spec") or {}).get("resources") or {}
    return str((resources.get("requests") or {}).get("storage") or "0")


def _class_of(claim: Json) -> str:
    notes = claim["metadata"].get("annotations") or {}
    return str(notes.get(CLASS_BETA) or (claim.get("spec") or {}).get("storageClassName") or "")

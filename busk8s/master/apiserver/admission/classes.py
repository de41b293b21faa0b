"""What a class says of those that name it, and which class those have that name none.

Owns      RuntimeClass (overhead, where its pods may run), DefaultStorageClass,
          DefaultIngressClass.
Leaves    running pods of a class (kubelet), making volumes (nobody here).
Source    KEP 585, KEP 688; Kubernetes documentation, "Runtime Class", "Storage Classes",
          "Ingress".
"""

from __future__ import annotations

from busk8s.api.object import Object
from busk8s.api.scheme import INGRESSCLASSES, INGRESSES, PERSISTENTVOLUMECLAIMS, RUNTIMECLASSES
from busk8s.api.scheme import STORAGECLASSES as STORAGE
from busk8s.master.apiserver.admission.plugin import Interest, Lookup, name_of, refuse
from busk8s.master.apiserver.attributes import Operation

DEFAULT_STORAGE = "storageclass.kubernetes.io/is-default-class"
DEFAULT_STORAGE_BETA = "storageclass.beta.kubernetes.io/is-default-class"
DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class"
INGRESS_CLASS = "kubernetes.io/ingress.class"
_NO_OVERHEAD = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
_OTHER_OVERHEAD = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"


class RuntimeClasses:
    interest = Interest(kinds=frozenset({"CREATE"}), resources=frozenset({"pods"}))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        assert operation.object is not None
        spec = operation.object.setdefault("spec", {})
        name = spec.get("runtimeClassName")
        if not name:
            if spec.get("overhead"):
                raise refuse(operation.attributes, _NO_OVERHEAD, name=name_of(operation))
            return
        found = self._lookup.get(RUNTIMECLASSES.key, "", name)
        if found is None:
            why = f'pod rejected: RuntimeClass "{name}" not found'
            raise refuse(operation.attributes, why, name=name_of(operation))
        self._overhead(operation, found)
        self._scheduling(operation, found)

    def _overhead(self, operation: Operation, found: Object) -> None:
        assert operation.object is not None
        spec = operation.object["spec"]
        fixed = (found.data.get("overhead") or {}).get("podFixed")
        given = spec.get("overhead")
        if given and given != fixed:
            why = _OTHER_OVERHEAD if fixed else _NO_OVERHEAD
            raise refuse(operation.attributes, why, name=name_of(operation))
        if fixed:
            spec["overhead"] = dict(fixed)

    def _scheduling(self, operation: Operation, found: Object) -> None:
        assert operation.object is not None
        spec, scheduling = operation.object["spec"], found.data.get("scheduling") or {}
        own = spec.get("nodeSelector") or {}
        for key, value in (scheduling.get("nodeSelector") or {}).items():
            if own.get(key, value) != value:
                why = (
                    "conflict: runtimeClass.scheduling.nodeSelector"
                    f"[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own[key]}"
                )
                raise refuse(operation.attributes, why, name=name_of(operation))
            own = {**own, key: value}
        if own:
            spec["nodeSelector"] = own
        if tolerations := scheduling.get("tolerations"):
            known = spec.get("tolerations") or []
            spec["tolerations"] = [*known, *(each for each in tolerations if each not in known)]


class DefaultStorageClass:
    interest = Interest(
        kinds=frozenset({"CREATE"}), resources=frozenset({PERSISTENTVOLUMECLAIMS.key})
    )

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        assert operation.object is not None
        spec = operation.object.setdefault("spec", {})
        if "storageClassName" in spec:
            return
        defaults = [c for c in self._lookup.list(STORAGE.key) if _is_default_storage(c)]
        if defaults:
            spec["storageClassName"] = _newest(defaults).name


def _is_default_storage(obj: Object) -> bool:
    notes = obj.metadata.get("annotations") or {}
    return "true" in (notes.get(DEFAULT_STORAGE), notes.get(DEFAULT_STORAGE_BETA))


def _newest(found: list[Object]) -> Object:
    """Of several defaults the one made last; of those made at once the first by name."""
    latest = max(str(each.metadata.get("creationTimestamp", "")) for each in found)
    return min(
        (each for each in found if each.metadata.get("creationTimestamp", "") == latest),
        key=lambda each: each.name,
    )


class DefaultIngressClass:
    interest = Interest(kinds=frozenset({"CREATE"}), resources=frozenset({INGRESSES.key}))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        assert operation.object is not None
        metadata, spec = operation.object["metadata"], operation.object.setdefault("spec", {})
        if "ingressClassName" in spec or INGRESS_CLASS in (metadata.get("annotations") or {}):
            return
        defaults = [
            each
            for each in self._lookup.list(INGRESSCLASSES.key)
            if (each.metadata.get("annotations") or {}).get(DEFAULT_INGRESS) == "true"
        ]
        if defaults:
            spec["ingressClassName"] = _newest(defaults).name

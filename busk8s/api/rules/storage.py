"""Persistent volumes and the claims upon them.

Source    Kubernetes API reference, "Config and Storage"; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import label_errors, subdomain_errors
from busk8s.api.quantity import nanos
from busk8s.api.rules.cause import (
    forbidden,
    immutable,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from busk8s.api.rules.disks import validate_persistent_source
from busk8s.api.rules.scheduling import validate_label_selector, validate_node_selector
from busk8s.errors import Cause

Json = dict[str, Any]

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
VOLUME_MODES = ("Block", "Filesystem")
# Fields of a PersistentVolumeSpec that are no volume source.
_NO_SOURCE = frozenset((
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity",
    "persistentVolumeReclaimPolicy", "storageClassName", "volumeAttributesClassName", "volumeMode",
))  # fmt: skip
_CLAIM_CHANGEABLE = ("resources", "volumeAttributesClassName")
_NEVER_SMALLER = "field can not be less than previous value"


def validate_volume(volume: Json, causes: list[Cause]) -> None:
    validate_volume_spec(volume.get("spec") or {}, "spec", causes)


def validate_volume_spec(
    spec: Json, path: str, causes: list[Cause], *, inline: bool = False
) -> None:
    """The spec of a PersistentVolume, or the `inlineVolumeSpec` of an attachment."""
    _validate_modes(spec.get("accessModes") or (), f"{path}.accessModes", causes)
    capacity = spec.get("capacity") or {}
    if not inline:
        if not capacity:
            causes.append(required(f"{path}.capacity"))
        elif capacity.keys() != {"storage"}:
            causes.append(not_supported(f"{path}.capacity", capacity, ("storage",)))
        for name, quantity in capacity.items():
            if nanos(quantity) <= 0:
                here = f"{path}.capacity[{name}]"
                causes.append(invalid(here, quantity, "must be greater than zero"))
        policy = spec.get("persistentVolumeReclaimPolicy")
        if policy and policy not in RECLAIM_POLICIES:
            here = f"{path}.persistentVolumeReclaimPolicy"
            causes.append(not_supported(here, policy, RECLAIM_POLICIES))
    _validate_source(spec, path, causes)
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if affinity.get("required") is None:
            causes.append(
                required(f"{path}.nodeAffinity.required", "must specify required node constraints")
            )
        else:
            validate_node_selector(affinity["required"], f"{path}.nodeAffinity.required", causes)
    elif "local" in spec:
        causes.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    _validate_class(spec, path, causes)


def _validate_source(spec: Json, path: str, causes: list[Cause]) -> None:
    sources = [name for name in spec if name not in _NO_SOURCE]
    if not sources:
        causes.append(required(path, "must specify a volume type"))
    for name in sources[1:]:
        detail = "may not specify more than 1 volume type"
        causes.append(forbidden(f"{path}.{name}", detail))
    if not sources:
        return
    validate_persistent_source(spec, sources[0], path, "", causes)
    if sources[0] == "hostPath":
        recycled = spec.get("persistentVolumeReclaimPolicy") == "Recycle"
        if recycled and (spec["hostPath"].get("path") or "") == "/":
            detail = "may not be 'recycle' for a hostPath mount of '/'"
            causes.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", detail))


def _validate_class(spec: Json, path: str, causes: list[Cause]) -> None:
    for name in ("storageClassName", "volumeAttributesClassName"):
        if value := spec.get(name):
            causes += invalid_each(f"{path}.{name}", value, subdomain_errors(value))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        causes.append(not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))


def _validate_modes(modes: Any, path: str, causes: list[Cause]) -> None:
    if not modes:
        causes.append(required(path, "at least 1 access mode is required"))
    for mode in modes:
        if mode not in ACCESS_MODES:
            causes.append(not_supported(path, mode, ACCESS_MODES))
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        causes.append(forbidden(path, detail))


def validate_volume_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_volume(new, causes)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    changed = [
        name for name in (spec.keys() | was.keys()) - _NO_SOURCE if spec.get(name) != was.get(name)
    ]
    if changed and not _secret_only(spec, was, changed):
        detail = "spec.persistentvolumesource is immutable after creation"
        causes.append(forbidden("spec.persistentvolumesource", detail))
    if spec.get("volumeMode") != was.get("volumeMode"):
        causes.append(immutable("spec.volumeMode", spec.get("volumeMode")))
    if was.get("nodeAffinity") and spec.get("nodeAffinity") != was["nodeAffinity"]:
        causes.append(immutable("spec.nodeAffinity", spec.get("nodeAffinity")))


def _secret_only(spec: Json, was: Json, changed: list[str]) -> bool:
    """A CSI volume may come by its expansion secrets later."""
    if changed != ["csi"] or "csi" not in spec or "csi" not in was:
        return False
    names = ("controllerExpandSecretRef", "nodeExpandSecretRef")
    kept = [{k: v for k, v in each["csi"].items() if k not in names} for each in (spec, was)]
    return kept[0] == kept[1] and all(
        spec["csi"].get(name) == was["csi"][name] for name in names if name in was["csi"]
    )


def validate_claim(claim: Json, causes: list[Cause]) -> None:
    validate_claim_spec(claim.get("spec") or {}, "spec", causes)


def validate_claim_spec(spec: Json, path: str, causes: list[Cause]) -> None:
    """A PersistentVolumeClaimSpec, also as a template."""
    _validate_modes(spec.get("accessModes") or (), f"{path}.accessModes", causes)
    if selector := spec.get("selector"):
        validate_label_selector(selector, f"{path}.selector", causes)
    resources = spec.get("resources") or {}
    size = (resources.get("requests") or {}).get("storage")
    if size is None:
        causes.append(required(f"{path}.resources[storage]"))
    elif nanos(size) <= 0:
        here = f"{path}.resources[storage]"
        causes.append(invalid(here, size, "must be greater than zero"))
    _validate_class(spec, path, causes)
    _validate_data_source(spec, path, causes)


def _validate_data_source(spec: Json, path: str, causes: list[Cause]) -> None:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for name, each in (("dataSource", source), ("dataSourceRef", reference)):
        if each is None:
            continue
        for field in ("name", "kind"):
            if not each.get(field):
                causes.append(required(f"{path}.{name}.{field}"))
        group = each.get("apiGroup") or ""
        if not group and each.get("kind") != "PersistentVolumeClaim":
            detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            causes.append(invalid(f"{path}.{name}", each.get("kind"), detail))
        if group:
            causes += invalid_each(f"{path}.{name}.apiGroup", group, subdomain_errors(group))
    namespace = (reference or {}).get("namespace")
    if namespace:
        here = f"{path}.dataSourceRef.namespace"
        causes += invalid_each(here, namespace, label_errors(namespace))
        if source is not None:
            detail = "may not be specified when dataSourceRef.namespace is specified"
            causes.append(invalid(path, "dataSource", detail))
    elif source is not None and reference is not None and source != reference:
        causes.append(invalid(path, "dataSource", "must match dataSourceRef"))


def validate_claim_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """A bound claim may grow; little else changes, and an unbound one may be bound."""
    validate_claim(new, causes)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    changeable = set(_CLAIM_CHANGEABLE)
    if not was.get("volumeName"):
        changeable.add("volumeName")
    if not was.get("storageClassName") and "storageClassName" not in was:
        changeable.add("storageClassName")
    changed = {name for name in spec.keys() | was.keys() if spec.get(name) != was.get(name)}
    bound = (old.get("status") or {}).get("phase") == "Bound"
    other = {k: v for k, v in (spec.get("resources") or {}).items() if k != "requests"} != {
        k: v for k, v in (was.get("resources") or {}).items() if k != "requests"
    }
    size, before = _size(spec), _size(was)
    if changed - changeable or other or (size != before and not bound):
        detail = (
            "spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims"
        )
        causes.append(forbidden("spec", detail))
    elif size is not None and before is not None and nanos(size) < nanos(before):
        floor = ((old.get("status") or {}).get("capacity") or {}).get("storage")
        if floor is None or nanos(size) <= nanos(floor):
            detail = _NEVER_SMALLER
            causes.append(forbidden("spec.resources.requests.storage", detail))


def _size(spec: Json) -> Any:
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage")


def validate_claim_status(new: Json, old: Json, causes: list[Cause]) -> None:
    for name in ("capacity", "allocatedResources"):
        for key, quantity in ((new.get("status") or {}).get(name) or {}).items():
            if nanos(quantity) < 0:
                detail = "must be greater than or equal to 0"
                causes.append(invalid(f"status.{name}[{key}]", quantity, detail))

"""Persistent volumes and the claims upon them.

Leaves    the sources of volumes (disks), classes and drivers (storage_classes).
Differs from Kubernetes: a refused change is not shown as a diff.
Source    Kubernetes API reference, "Config and Storage"; the rules of core validation.
"""

from __future__ import annotations

import posixpath
from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors, subdomain_errors
from busk8s.api.quantity import nanos, value
from busk8s.api.rules.cause import (
    IMMUTABLE,
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
RESIZE_STATES = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress",
    "NodeResizeInfeasible", "NodeResizePending",
)  # fmt: skip
CLASS = "volume.beta.kubernetes.io/storage-class"
_INLINE = "in the context of inline volumes"


def validate_volume(volume: Json, causes: list[Cause]) -> None:
    name = (volume.get("metadata") or {}).get("name") or ""
    validate_volume_spec(volume.get("spec") or {}, "spec", causes, volume_name=name)


def validate_volume_spec(
    spec: Json,
    path: str,
    causes: list[Cause],
    *,
    inline: bool = False,
    volume_name: str = "",
    allow_values: bool = False,
) -> None:
    """The spec of a PersistentVolume, or the `inlineVolumeSpec` of an attachment.

    `allow_values`: values of the node affinity that are no label values are let pass.
    """
    if inline:
        _validate_inline(spec, path, causes)
    _validate_modes(spec.get("accessModes") or (), f"{path}.accessModes", "", causes)
    if not inline:
        _validate_capacity(spec, path, causes)
        policy = spec.get("persistentVolumeReclaimPolicy")
        if policy and policy not in RECLAIM_POLICIES:
            here = f"{path}.persistentVolumeReclaimPolicy"
            causes.append(not_supported(here, policy, RECLAIM_POLICIES))
        if (affinity := spec.get("nodeAffinity")) is not None:
            _validate_affinity(affinity, f"{path}.nodeAffinity", allow_values, causes)
    _validate_source(spec, path, volume_name, causes)
    if not inline:
        if name := spec.get("storageClassName"):
            causes += invalid_each(f"{path}.storageClassName", name, subdomain_errors(name))
        _validate_volume_mode(spec, path, causes)
    if (name := spec.get("volumeAttributesClassName")) is not None:
        here = f"{path}.volumeAttributesClassName"
        if not name:
            causes.append(required(here, "an empty string is disallowed"))
        else:
            causes += invalid_each(here, name, subdomain_errors(name))
        if spec.get("csi") is None:
            detail = "has to be specified when using volumeAttributesClassName"
            causes.append(required(f"{path}.csi", detail))


def _validate_inline(spec: Json, path: str, causes: list[Cause]) -> None:
    for field in ("claimRef", "capacity", "nodeAffinity", "storageClassName"):
        if spec.get(field):
            causes.append(forbidden(f"{path}.{field}", f"may not be specified {_INLINE}"))
    if spec.get("csi") is None:
        causes.append(required(f"{path}.csi", f"has to be specified {_INLINE}"))
    if (spec.get("persistentVolumeReclaimPolicy") or "Retain") != "Retain":
        detail = f"may only be Retain {_INLINE}"
        causes.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", detail))
    if (spec.get("volumeMode") or "Filesystem") != "Filesystem":
        detail = f"may not specify volumeMode other than Filesystem {_INLINE}"
        causes.append(forbidden(f"{path}.volumeMode", detail))


def _validate_capacity(spec: Json, path: str, causes: list[Cause]) -> None:
    capacity, here = spec.get("capacity"), f"{path}.capacity"
    if not capacity:
        causes.append(required(here))
    if (capacity or {}).keys() != {"storage"}:
        causes.append(not_supported(here, capacity, ("storage",)))
    for name, quantity in (capacity or {}).items():
        _validate_stored(quantity, f"{here}[{name}]", causes)
        if nanos(quantity) <= 0:
            detail = "must be greater than zero"
            causes.append(invalid(f"{here}[{name}]", quantity, detail))


def _validate_stored(quantity: Any, path: str, causes: list[Cause]) -> None:
    if value(quantity) < 0:
        causes.append(invalid(path, value(quantity), "must be a valid resource quantity"))


def _validate_affinity(affinity: Json, path: str, allow_values: bool, causes: list[Cause]) -> None:
    if affinity.get("required") is None:
        causes.append(required(f"{path}.required", "must specify required node constraints"))
    else:
        validate_node_selector(affinity["required"], f"{path}.required", causes, allow_values)


def _validate_source(spec: Json, path: str, volume_name: str, causes: list[Cause]) -> None:
    sources = [name for name in spec if name not in _NO_SOURCE]
    if not sources:
        causes.append(required(path, "must specify a volume type"))
        return
    for name in sources[1:]:
        detail = "may not specify more than 1 volume type"
        causes.append(forbidden(f"{path}.{name}", detail))
    kind = sources[0]
    validate_persistent_source(spec, kind, path, volume_name, causes)
    if kind == "local" and spec.get("nodeAffinity") is None:
        causes.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    where = (spec.get("hostPath") or {}).get("path") or "."
    recycled = spec.get("persistentVolumeReclaimPolicy") == "Recycle"
    if recycled and not posixpath.normpath(where).strip("/"):
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        causes.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", detail))


def _validate_volume_mode(spec: Json, path: str, causes: list[Cause]) -> None:
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        causes.append(not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))


def _validate_modes(modes: Any, path: str, missing: str, causes: list[Cause]) -> None:
    if not modes:
        causes.append(required(path, missing))
    for mode in modes:
        if mode not in ACCESS_MODES:
            causes.append(not_supported(path, mode, ACCESS_MODES))
    others = {mode for mode in modes if mode in ACCESS_MODES} - {"ReadWriteOncePod"}
    if others and "ReadWriteOncePod" in modes:
        detail = "may not use ReadWriteOncePod with other access modes"
        causes.append(forbidden(path, detail))


def validate_volume_update(new: Json, old: Json, causes: list[Cause]) -> None:
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    validate_volume_spec(
        spec,
        "spec",
        causes,
        volume_name=(new.get("metadata") or {}).get("name") or "",
        allow_values=_has_odd_values(was.get("nodeAffinity")),
    )
    if _sources(spec, was) != _sources(was, was):
        detail = "spec.persistentvolumesource is immutable after creation"
        causes.append(forbidden("spec.persistentvolumesource", detail))
    if spec.get("volumeMode") != was.get("volumeMode"):  # Upstream leaves `spec` out.
        causes.append(immutable("volumeMode", spec.get("volumeMode")))
    affinity, before = spec.get("nodeAffinity"), was.get("nodeAffinity")
    if before is not None and affinity != before:
        detail = f"{IMMUTABLE}, except for updating from beta label to GA"
        causes.append(invalid("nodeAffinity", affinity, detail))
    name = "volumeAttributesClassName"
    if was.get(name) is not None and spec.get(name) is None:
        detail = "update from non-nil value to nil is forbidden"
        causes.append(forbidden(f"spec.{name}", detail))


def _has_odd_values(affinity: Json | None) -> bool:
    found: list[Cause] = []
    if affinity is not None:
        _validate_affinity(affinity, "", False, found)
    return bool(found)


def _sources(spec: Json, was: Json) -> Json:
    """A CSI volume may come by its controller's expansion secret later."""
    found = {name: source for name, source in spec.items() if name not in _NO_SOURCE}
    name = "controllerExpandSecretRef"
    if found.get("csi") and was.get("csi") and was["csi"].get(name) is None:
        found["csi"] = {field: each for field, each in found["csi"].items() if field != name}
    return found


def validate_claim(claim: Json, causes: list[Cause]) -> None:
    validate_claim_spec(claim.get("spec") or {}, "spec", causes)


def validate_claim_spec(
    spec: Json,
    path: str,
    causes: list[Cause],
    *,
    allow_values: bool = False,
    allow_groups: bool = False,
) -> None:
    """A PersistentVolumeClaimSpec, also as a template. The rest: what is let pass on update."""
    modes = spec.get("accessModes") or ()
    missing = "at least 1 access mode is required"
    if not modes:
        causes.append(required(f"{path}.accessModes", missing))
    if selector := spec.get("selector"):
        validate_label_selector(selector, f"{path}.selector", causes, allow_values)
    if modes:
        _validate_modes(modes, f"{path}.accessModes", missing, causes)
    size = _size(spec)
    if size is None:
        causes.append(required(f"{path}.resources[storage]"))
    elif nanos(size) <= 0:
        here = f"{path}.resources[storage]"
        causes.append(invalid(here, size, "must be greater than zero"))
    if name := spec.get("storageClassName"):
        causes += invalid_each(f"{path}.storageClassName", name, subdomain_errors(name))
    _validate_volume_mode(spec, path, causes)
    _validate_data_source(spec, path, allow_groups, causes)
    if name := spec.get("volumeAttributesClassName"):
        causes += invalid_each(f"{path}.volumeAttributesClassName", name, subdomain_errors(name))


def _validate_data_source(spec: Json, path: str, allow_groups: bool, causes: list[Cause]) -> None:
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
        if group and not allow_groups:
            causes += invalid_each(f"{path}.{name}.apiGroup", group, subdomain_errors(group))
    namespace = (reference or {}).get("namespace")
    if namespace:
        here = f"{path}.dataSourceRef.namespace"
        causes += invalid_each(here, namespace, label_errors(namespace))
        if source is not None:
            detail = "may not be specified when dataSourceRef.namespace is specified"
            causes.append(invalid(path, {}, detail))  # A path, which has nothing to show.
    elif None not in (source, reference) and _named(source) != _named(reference):
        causes.append(invalid(path, {}, "must match dataSourceRef"))


def _named(source: Json | None) -> list[Any]:
    return [(source or {}).get(name) for name in ("apiGroup", "kind", "name")]


def validate_claim_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """A bound claim may grow and change its class of attributes; an unbound one may be bound."""
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    odd: list[Cause] = []
    validate_label_selector(was.get("selector") or {}, "", odd)
    references = (was.get("dataSource") or {}, was.get("dataSourceRef") or {})
    validate_claim_spec(
        spec,
        "spec",
        causes,
        allow_values=bool(odd),
        allow_groups=any(each.get("apiGroup") is not None for each in references),
    )
    notes, before = ((each.get("metadata") or {}).get("annotations") or {} for each in (new, old))
    if notes.get(CLASS) != before.get(CLASS) and not _moves_class(spec, was, notes, before):
        causes.append(immutable(f"metadata.annotations.{CLASS}", notes.get(CLASS) or ""))
    if _fixed(spec, was, new, before) != _fixed(was, was, new, before):
        detail = (
            "spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims"
        )
        causes.append(forbidden("spec", detail))
    size, had = _size(spec), _size(was)
    status = old.get("status") or {}
    floor = (status.get("capacity") or {}).get("storage") or "0"
    if size is not None and had is not None and nanos(floor) >= nanos(size) < nanos(had):
        detail = "field can not be less than status.capacity"
        causes.append(forbidden("spec.resources.requests.storage", detail))
    if spec.get("volumeMode") != was.get("volumeMode"):  # Upstream leaves `spec` out.
        causes.append(immutable("volumeMode", spec.get("volumeMode")))
    name = "volumeAttributesClassName"
    if status.get("currentVolumeAttributesClassName") is not None and was.get(name):
        to = {None: "nil", "": "empty string"}.get(spec.get(name))
        if to is not None:
            detail = (
                f"update to {to} is forbidden when status.currentVolumeAttributesClassName is not "
                "nil"
            )
            causes.append(forbidden(f"spec.{name}", detail))


def _moves_class(spec: Json, was: Json, notes: Json, before: Json) -> bool:
    """From the annotation of old to the field."""
    name, had = spec.get("storageClassName"), before.get(CLASS)
    return had is not None and "storageClassName" not in was and name == had and CLASS not in notes


def _fixed(spec: Json, was: Json, new: Json, before: Json) -> Json:
    """Of `spec` what must be as it was: the rest may change, as far as the claim has come."""
    kept = dict(spec)
    if not was.get("volumeName"):
        kept.pop("volumeName", None)
    name = spec.get("storageClassName")
    if name is not None and "storageClassName" not in was and before.get(CLASS) in (None, name):
        del kept["storageClassName"]
    if (new.get("status") or {}).get("phase") == "Bound":
        kept.pop("volumeAttributesClassName", None)
        resources = dict(spec.get("resources") or {})
        requests = dict(resources.get("requests") or {})
        requests.pop("storage", None)
        kept["resources"] = {**resources, "requests": requests}
    return kept


def _size(spec: Json) -> Any:
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage")


def validate_claim_status(new: Json, old: Json, causes: list[Cause]) -> None:
    status = new.get("status") or {}
    for name, quantity in (status.get("capacity") or {}).items():
        _validate_stored(quantity, f"status.capacity[{name}]", causes)
    for name, state in (status.get("allocatedResourceStatuses") or {}).items():
        path = "status.allocatedResourceStatuses"
        causes += _key_errors(name, path)
        if state not in RESIZE_STATES:
            causes.append(not_supported(path, name, RESIZE_STATES))
    for name, quantity in (status.get("allocatedResources") or {}).items():
        path = "status.allocatedResources"
        if errors := _key_errors(name, path):
            causes += errors
        else:
            _validate_stored(quantity, f"{path}[{name}]", causes)


def _key_errors(name: str, path: str) -> list[Cause]:
    if errors := qualified_name_errors(name):
        return invalid_each(path, name, errors)
    native = "/" not in name or "kubernetes.io/" in name
    return [not_supported(path, name, ("storage",))] if native and name != "storage" else []

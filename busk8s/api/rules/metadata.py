"""ObjectMeta of every kind: names, labels, annotations, owners, finalizers.

Owns      what each kind's name may look like, and what of the metadata never changes.
Source    apimachinery pkg/api/validation/objectmeta.go; each kind's strategy for its name rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from busk8s.api.meta import (
    NameErrors,
    label_errors,
    label_value_errors,
    path_segment_errors,
    qualified_name_errors,
    subdomain_errors,
)
from busk8s.api.rules.cause import (
    forbidden,
    immutable,
    invalid,
    invalid_each,
    not_negative,
    required,
    too_long,
)
from busk8s.api.scheme import Resource
from busk8s.errors import Cause

Json = dict[str, Any]

ANNOTATIONS_BYTES_MAX = 256 * 1024
STANDARD_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))

_LABELS = ("namespaces", "services", "statefulsets.apps", "workloads.scheduling.k8s.io")
_PATH_SEGMENTS = tuple(
    f"{plural}.rbac.authorization.k8s.io"
    for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
)
NAME_RULES: Mapping[str, NameErrors] = {
    **dict.fromkeys(_LABELS, label_errors),
    **dict.fromkeys(_PATH_SEGMENTS, path_segment_errors),
    "apiservices.apiregistration.k8s.io": path_segment_errors,  # `v1.` is the core group's
    "certificatesigningrequests.certificates.k8s.io": path_segment_errors,
    # It may be named after its signer: its own rules say how (trust_bundles).
    "clustertrustbundles.certificates.k8s.io": lambda name: (),
}


def name_errors(resource: Resource, name: str) -> tuple[str, ...]:
    """Why `name` cannot be the name of such an object; empty if it can."""
    return NAME_RULES.get(resource.key, subdomain_errors)(name)


def validate_metadata(resource: Resource, metadata: Json) -> list[Cause]:
    causes: list[Cause] = []
    if base := metadata.get("generateName"):
        # A dash at its end is fine: the suffix follows it.
        whole = base[:-1] + "a" if base.endswith("-") and len(base) > 1 else base
        causes += invalid_each("metadata.generateName", base, name_errors(resource, whole))
    name = metadata.get("name")
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    elif errors := name_errors(resource, name):
        causes += invalid_each("metadata.name", name, errors)
    namespace = metadata.get("namespace")
    if resource.namespaced:
        if not namespace:
            causes.append(required("metadata.namespace"))
        elif errors := label_errors(namespace):
            causes += invalid_each("metadata.namespace", namespace, errors)
    elif namespace:
        causes.append(forbidden("metadata.namespace", "not allowed on this type"))
    causes += not_negative("metadata.generation", metadata.get("generation"))
    _validate_marks(resource, metadata, causes, created=True)
    return causes


def _validate_marks(
    resource: Resource, metadata: Json, causes: list[Cause], *, created: bool
) -> None:
    if labels := metadata.get("labels"):
        causes += validate_labels(labels, "metadata.labels")
    if annotations := metadata.get("annotations"):
        causes += validate_annotations(annotations, "metadata.annotations")
    if owners := metadata.get("ownerReferences"):
        causes += _validate_owners(owners)
    if finalizers := metadata.get("finalizers"):
        if created:
            causes += _finalizer_errors(finalizers)
        causes += _own_finalizer_errors(resource, finalizers)


def validate_labels(labels: Mapping[str, str], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, value in labels.items():
        if errors := qualified_name_errors(key):
            causes += invalid_each(path, key, errors)
        if errors := label_value_errors(value):
            causes += invalid_each(path, value, errors)
    return causes


def validate_annotations(annotations: Mapping[str, str], path: str) -> list[Cause]:
    causes: list[Cause] = []
    size = 0
    for key, value in annotations.items():
        # Annotation keys may have upper case before the slash; labels may not.
        if errors := qualified_name_errors(key.lower()):
            causes += invalid_each(path, key, errors)
        size += len(key) + len(value)
    if size > ANNOTATIONS_BYTES_MAX or (
        # Bytes are what is limited; they are only counted when characters come near.
        size * 4 > ANNOTATIONS_BYTES_MAX
        and sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items())
        > ANNOTATIONS_BYTES_MAX
    ):
        causes.append(too_long(path, ANNOTATIONS_BYTES_MAX))
    return causes


def _validate_owners(owners: list[Json]) -> list[Cause]:
    path = "metadata.ownerReferences"
    causes: list[Cause] = []
    controller = ""
    for owner in owners:
        version = owner.get("apiVersion") or ""
        if not version.rpartition("/")[2]:
            causes.append(invalid(f"{path}.apiVersion", version, "version must not be empty"))
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                causes.append(invalid(f"{path}.{name}", owner.get(name, ""), "must not be empty"))
        if version == "v1" and owner.get("kind") == "Event":
            detail = "/v1, Kind=Event is disallowed from being an owner"
            causes.append(invalid(path, owner, detail))
        if owner.get("controller"):
            this = f"{owner.get('kind') or ''}/{owner.get('name') or ''}"
            if controller:
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in '
                    f"references for {controller} and {this}"
                )
                causes.append(invalid(path, owners, detail))
            controller = controller or this
    return causes


def _finalizer_errors(finalizers: list[str]) -> list[Cause]:
    """On create: those of an object that is there already were good enough."""
    path = "metadata.finalizers"
    causes: list[Cause] = []
    for finalizer in finalizers:
        causes += invalid_each(path, finalizer, qualified_name_errors(finalizer))
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        detail = "finalizer orphan and foregroundDeletion cannot be both set"
        causes.append(invalid(path, finalizers, detail))
    return causes


def _own_finalizer_errors(resource: Resource, finalizers: list[str]) -> list[Cause]:
    # Upstream's own definitions of custom resources have a finalizer that is not qualified.
    if resource.custom is not None or resource.group == "apiextensions.k8s.io":
        return []
    detail = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid(f"metadata.finalizers[{index}]", finalizer, detail)
        for index, finalizer in enumerate(finalizers)
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS
    ]


def validate_metadata_update(resource: Resource, new: Json, old: Json) -> list[Cause]:
    """What an update may not change. The caller has checked the resourceVersion."""
    causes: list[Cause] = []
    if old.get("deletionTimestamp"):
        had = old.get("finalizers") or ()
        added = sorted(set(new.get("finalizers") or ()) - set(had))
        if added:
            names = ", ".join(f'"{name}"' for name in added)
            detail = (
                "no new finalizers can be added if the object is being deleted, found new "
                f"finalizers []string{{{names}}}"
            )
            causes.append(forbidden("metadata.finalizers", detail))
    for name in ("name", "namespace", "uid", "creationTimestamp"):
        if new.get(name) != old.get(name):
            causes.append(immutable(f"metadata.{name}", new.get(name)))
    generation = new.get("generation") or 0
    if generation < (old.get("generation") or 0):
        causes.append(invalid("metadata.generation", generation, "must not be decremented"))
    _validate_marks(resource, new, causes, created=False)
    return causes

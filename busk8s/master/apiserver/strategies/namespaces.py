"""Namespaces: active from the start, held by the `kubernetes` finalizer until they are empty.

Source    pkg/registry/core/namespace/strategy.go.
"""

from __future__ import annotations

from busk8s.api.object import Json

FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"


def on_create(namespace: Json) -> None:
    namespace["status"] = {"phase": "Active"}
    spec = namespace.setdefault("spec", {})
    finalizers = spec.setdefault("finalizers", [])
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    _label(namespace)


def on_update(namespace: Json, old: Json) -> None:
    """Only the `finalize` subresource changes spec.finalizers."""
    namespace["spec"] = old.get("spec") or {}
    _label(namespace)


def _label(namespace: Json) -> None:
    """Every namespace bears its name as a label, whatever the user says."""
    metadata = namespace["metadata"]
    if name := metadata.get("name"):  # Without one it is refused, but later.
        metadata["labels"] = {**(metadata.get("labels") or {}), NAME_LABEL: name}


def finalize(namespace: Json, old: Json) -> None:
    """What a write to `finalize` may change: spec.finalizers."""
    namespace["status"] = old.get("status") or {}
    metadata, before = namespace["metadata"], old["metadata"]
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "creationTimestamp", "uid"):
        if key in before:
            metadata[key] = before[key]
        else:
            metadata.pop(key, None)

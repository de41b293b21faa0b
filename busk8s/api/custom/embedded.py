"""Objects inside objects: `x-kubernetes-embedded-resource`.

Owns      pruning the metadata of embedded resources to ObjectMeta, and what each must say.
Leaves    the metadata of the object itself (api.rules.metadata, decode).
Source    upstream's schema/objectmeta.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from busk8s.api.custom.findings import invalid
from busk8s.api.custom.node import Node
from busk8s.errors import Cause

Json = dict[str, Any]
_KIND = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
KIND_LENGTH_MAX = 63
_KIND_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def visit_embedded(
    value: Any, node: Node | None, path: str, visit: Callable[[Json, str], None]
) -> None:
    """Calls `visit` with each embedded resource and its path, outer ones first."""
    if node is None:
        return
    if isinstance(value, dict):
        if node.embedded and path:
            visit(value, path)
        for key, each in value.items():
            if isinstance(each, dict | list):
                at = f"{path}.{key}" if path else key
                if key not in node.properties:
                    at = f"{path}[{key}]"
                visit_embedded(each, node.under(key), at, visit)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            visit_embedded(each, node.items, f"{path}[{at}]", visit)


def prune_metadata(value: Any, node: Node) -> list[str]:
    """Drops what ObjectMeta does not know from embedded metadata; answers the dropped paths."""
    dropped: list[str] = []

    def visit(resource: Json, path: str) -> None:
        metadata = resource.get("metadata")
        if isinstance(metadata, dict):
            dropped.extend(f"{path}.metadata.{each}" for each in _check(metadata))
            if metadata.get("creationTimestamp") is None:
                metadata.pop("creationTimestamp", None)

    visit_embedded(value, node, "", visit)
    return sorted(dropped)


def _check(metadata: Json) -> list[str]:
    from busk8s.api.fieldcheck import check
    from busk8s.api.mismatch import TypeMismatch
    from busk8s.api.types.meta_v1 import ObjectMeta

    try:
        return check(metadata, ObjectMeta)
    except TypeMismatch:
        return []  # `embedded_failures` says what is wrong with it


def embedded_failures(value: Any, node: Node) -> list[Cause]:
    causes: list[Cause] = []
    visit_embedded(value, node, "", lambda resource, path: _failures(resource, path, causes))
    return causes


def _failures(resource: Json, path: str, causes: list[Cause]) -> None:
    for name in ("apiVersion", "kind"):
        if name not in resource:
            causes.append(Cause("FieldValueRequired", "Required value", f"{path}.{name}"))
            continue
        value, at = resource[name], f"{path}.{name}"
        if not isinstance(value, str):
            causes.append(invalid(at, value, "must be a string"))
        elif not value:
            causes.append(invalid(at, value, "must not be empty"))
        elif name == "apiVersion" and value.count("/") > 1:
            causes.append(invalid(at, value, f"unexpected GroupVersion string: {value}"))
        elif name == "kind" and not _legal_kind(value):
            detail = f"may have mixed case, but should otherwise match: {_KIND_WORDS}"
            causes.append(invalid(at, value, detail))
    metadata = resource.get("metadata")
    if metadata is not None:
        causes += _metadata_failures(metadata, f"{path}.metadata")


def _legal_kind(kind: str) -> bool:
    return len(kind) <= KIND_LENGTH_MAX and _KIND.fullmatch(kind.lower()) is not None


def _metadata_failures(metadata: Any, path: str) -> list[Cause]:
    from busk8s.api.fieldcheck import check
    from busk8s.api.meta import label_errors, path_segment_errors
    from busk8s.api.mismatch import TypeMismatch
    from busk8s.api.rules.metadata import validate_annotations, validate_labels
    from busk8s.api.types.meta_v1 import ObjectMeta

    if not isinstance(metadata, dict):
        return [invalid(path, metadata, "must be an object")]
    try:
        check(dict(metadata), ObjectMeta)
    except TypeMismatch as error:
        return [invalid(path, metadata, str(error))]
    causes = [
        invalid(f"{path}.name", name, error)
        for name in [metadata.get("name")]
        if name
        for error in path_segment_errors(name)
    ]
    if namespace := metadata.get("namespace"):
        causes += [invalid(f"{path}.namespace", namespace, e) for e in label_errors(namespace)]
    causes += validate_labels(metadata.get("labels") or {}, f"{path}.labels")
    causes += validate_annotations(metadata.get("annotations") or {}, f"{path}.annotations")
    return causes

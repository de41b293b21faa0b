"""The way from client-side to server-side apply: kubectl's annotation of what it applied last.

Owns      which fields kubectl may take over without force, and keeping the annotation true.
Leaves    the apply itself (ownership).
Invariant only the manager named `kubectl` is treated so; others meet their conflicts.
"""

from __future__ import annotations

from typing import Any

import orjson

from busk8s.api.apply.compare import compare
from busk8s.api.apply.extract import WrongType, fields_of
from busk8s.api.apply.fieldset import FieldSet, difference
from busk8s.api.apply.layout import Layout

Json = dict[str, Any]

KUBECTL = "kubectl"
ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATIONS_BYTES_MAX = 256 * 1024  # Of all annotations of an object; upstream's limit.


def takeover(live: Json, layout: Layout, version: str) -> FieldSet:
    """The fields client-side apply set and nobody has changed since: no conflict for kubectl.

    None when it applied in another version than `version`, which `live` is in.
    """
    text = _annotations(live).get(ANNOTATION)
    if not isinstance(text, str):
        return {}
    try:
        config = orjson.loads(text)
        fields = fields_of(config, layout)
    except (orjson.JSONDecodeError, WrongType):
        return {}
    if not isinstance(config, dict) or config.get("apiVersion") != version:
        return {}
    found = compare(live, config, layout)
    return difference(difference(fields, found.written), found.removed)


def keep_true(new: Json, applied: Json) -> None:
    """Where `new` has the annotation, make it say `applied`; in place."""
    annotations = _annotations(new)
    if ANNOTATION not in annotations:
        return
    metadata = dict(applied.get("metadata") or {})
    metadata.pop("managedFields", None)
    others = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != ANNOTATION}
    if "annotations" in metadata:
        metadata["annotations"] = others
    config = {**applied, "metadata": metadata}
    text = orjson.dumps(config, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    size = sum(len(k.encode()) + len(str(v).encode()) for k, v in annotations.items())
    if size - len(annotations[ANNOTATION].encode()) + len(text.encode()) > ANNOTATIONS_BYTES_MAX:
        del annotations[ANNOTATION]
    else:
        annotations[ANNOTATION] = text


def _annotations(document: Json) -> Json:
    metadata = document.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}

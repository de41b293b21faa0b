"""Revisions of a Deployment: which ReplicaSet is which, and what its annotations remember.

Owns      template comparison and hash, revision numbers and their history, copied annotations.
Leaves    how many replicas each has (deployment_plan).
Invariant a revision number rises when its template is used again; it is never given twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson

from busk8s.api.object import Json, Object
from busk8s.ids import NAME_ALPHABET
from busk8s.master.controllers.children import spec_of

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MAX,
        "deprecated.deployment.rollback.to",
    )
)
HASH_LENGTH = 10
HISTORY_LENGTH_MAX = 2_000  # As Kubernetes; older numbers are dropped first.


def template_of(obj: Object) -> Json:
    template: Json = spec_of(obj).get("template") or {}
    return template


def template_hash(template: Json, collisions: int) -> str:
    """Names the ReplicaSet of `template`.

    Differs from Kubernetes: not FNV over Go's memory layout, but SHA-256 over canonical JSON, so
    the hashes are others; what they promise is the same.
    """
    text = orjson.dumps(template, option=orjson.OPT_SORT_KEYS)
    if collisions:
        text += b"#%d" % collisions
    number = int.from_bytes(hashlib.sha256(text).digest(), "big")
    letters = []
    for _ in range(HASH_LENGTH):
        number, digit = divmod(number, len(NAME_ALPHABET))
        letters.append(NAME_ALPHABET[digit])
    return "".join(letters)


def without_hash(template: Json) -> Json:
    metadata = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    metadata["labels"] = labels
    metadata.pop("creationTimestamp", None)
    return {**template, "metadata": metadata}


def same_template(a: Json, b: Json) -> bool:
    return without_hash(a) == without_hash(b)


def with_hash(template: Json, hash_: str) -> Json:
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), HASH_LABEL: hash_}
    return {**template, "metadata": metadata}


def annotations_of(obj: Object) -> dict[str, str]:
    return obj.metadata.get("annotations") or {}


def revision_of(obj: Object) -> int:
    return number_in(obj, REVISION) or 0


def number_in(obj: Object, annotation: str) -> int | None:
    try:
        return int(annotations_of(obj)[annotation])
    except (KeyError, ValueError):
        return None


def next_revision(old_sets: Sequence[Object]) -> int:
    return max((revision_of(rs) for rs in old_sets), default=0) + 1


def annotations_for(
    deployment: Object, revision: int, before: dict[str, str] | None
) -> dict[str, str]:
    """What the new ReplicaSet is to carry; `before` is None when it is yet to be made."""
    copied = {k: v for k, v in annotations_of(deployment).items() if k not in NOT_COPIED}
    if before is None:
        return {**copied, REVISION: str(revision)}
    result = {**before, **copied}
    old_text = before.get(REVISION, "")
    old = int(old_text) if old_text.isdigit() else 0
    if old < revision:
        result[REVISION] = str(revision)
        if old:
            result[HISTORY] = _history(before.get(HISTORY, ""), old)
    return result


def _history(before: str, revision: int) -> str:
    numbers = [*(before.split(",") if before else ()), str(revision)]
    while len(numbers) > 1 and len(",".join(numbers)) > HISTORY_LENGTH_MAX:
        numbers.pop(0)
    return ",".join(numbers)

"""Jobs: the selector and the labels that tie pods to one Job, by its uid.

Source    pkg/registry/batch/job/strategy.go, generateSelector.
"""

from __future__ import annotations

from busk8s.api.object import Json

UID_LABEL = "batch.kubernetes.io/controller-uid"
NAME_LABEL = "batch.kubernetes.io/job-name"
OLD_UID_LABEL = "controller-uid"
OLD_NAME_LABEL = "job-name"


def on_create(job: Json) -> None:
    """Unless the user minds the selector: pods of this Job bear its uid, and nobody else's do."""
    spec = job.get("spec") or {}
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    name, uid = job["metadata"].get("name", ""), job["metadata"]["uid"]
    template = spec["template"]
    metadata = dict(template.get("metadata") or {})
    own = {UID_LABEL: uid, NAME_LABEL: name, OLD_UID_LABEL: uid, OLD_NAME_LABEL: name}
    # What a user says for these stays, and is then refused for not matching.
    metadata["labels"] = own | (metadata.get("labels") or {})
    if not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(metadata["labels"])
    selector = dict(spec.get("selector") or {})
    selector["matchLabels"] = {UID_LABEL: uid} | (selector.get("matchLabels") or {})
    job["spec"] = {**spec, "template": {**template, "metadata": metadata}, "selector": selector}

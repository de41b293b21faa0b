"""Replication controllers, templates of pods, and revisions of what a controller made.

Source    Kubernetes API reference, "Workload Resources"; the rules of core and apps validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import immutable, invalid, not_negative, not_supported, required
from busk8s.api.rules.pod import validate_template
from busk8s.errors import Cause

Json = dict[str, Any]

_COUNTS = ("readyReplicas", "availableReplicas", "fullyLabeledReplicas")


def validate_replication_controller(controller: Json, causes: list[Cause]) -> None:
    spec = controller.get("spec") or {}
    causes += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    causes += not_negative("spec.replicas", spec.get("replicas"))
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        causes.append(required("spec.selector"))
    if template is None:
        causes.append(required("spec.template"))
        return
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector and not selector.items() <= labels.items():
        detail = "`selector` does not match template `labels`"
        causes.append(invalid("spec.template.metadata.labels", labels, detail))
    validate_template(template, "spec.template", causes)
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy not in (None, "", "Always"):
        causes.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))


def validate_replication_controller_status(new: Json, old: Json, causes: list[Cause]) -> None:
    status = new.get("status") or {}
    replicas = status.get("replicas", 0)
    for name in ("replicas", *_COUNTS, "observedGeneration"):
        causes += not_negative(f"status.{name}", status.get(name))
    for name in _COUNTS:
        if status.get(name, 0) > replicas:
            detail = "cannot be greater than status.replicas"
            causes.append(invalid(f"status.{name}", status.get(name, 0), detail))
    if status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
        detail = "cannot be greater than readyReplicas"
        available = status.get("availableReplicas", 0)
        causes.append(invalid("status.availableReplicas", available, detail))


def validate_pod_template(template: Json, causes: list[Cause]) -> None:
    validate_template(template.get("template") or {}, "template", causes)


def validate_controller_revision(revision: Json, causes: list[Cause]) -> None:
    if revision.get("data") is None:
        causes.append(required("data", "data is mandatory"))
    causes += not_negative("revision", revision.get("revision"))


def validate_controller_revision_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_controller_revision(new, causes)
    if new.get("data") != old.get("data"):
        causes.append(immutable("data", new.get("data")))

"""Replication controllers, templates of pods, and revisions of what a controller made.

Source    Kubernetes API reference, "Workload Resources"; the rules of core and apps validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import immutable, invalid, not_negative, required
from busk8s.api.rules.pod import validate_template
from busk8s.api.rules.ratcheting import of_template
from busk8s.api.rules.selected import validate_endless
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]


def validate_replication_controller(
    controller: Json, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    spec = controller.get("spec") or {}
    causes += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        causes.append(required("spec.selector"))
    if spec.get("replicas") is None:
        causes.append(required("spec.replicas"))
    causes += not_negative("spec.replicas", spec.get("replicas"))
    if template is None:
        causes.append(required("spec.template"))
        return
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector and not selector.items() <= labels.items():
        detail = "`selector` does not match template `labels`"
        causes.append(invalid("spec.template.metadata.labels", labels or None, detail))
    validate_template(template, "spec.template", causes, allowed)
    validate_endless(template, "ReplicationController", "spec.template", causes)


def validate_replication_controller_update(new: Json, old: Json, causes: list[Cause]) -> None:
    if new.get("spec") != old.get("spec"):
        allowed = of_template((old.get("spec") or {}).get("template") or {})
        validate_replication_controller(new, causes, allowed)


def validate_pod_template(template: Json, causes: list[Cause]) -> None:
    validate_template(template.get("template") or {}, "template", causes)


def validate_pod_template_update(new: Json, old: Json, causes: list[Cause]) -> None:
    if (template := new.get("template") or {}) != (was := old.get("template") or {}):
        validate_template(template, "template", causes, of_template(was))


def validate_controller_revision(revision: Json, causes: list[Cause]) -> None:
    if revision.get("data") is None:
        causes.append(required("data", "data is mandatory"))
    causes += not_negative("revision", revision.get("revision"))


def validate_controller_revision_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_controller_revision(new, causes)
    if new.get("data") != old.get("data"):
        causes.append(immutable("data", new.get("data")))

"""A selector, and the template whose labels it is to match: what pod-making kinds share.

Owns      how a missing, an empty and an unreadable selector are told of.
Leaves    the template's own rules (pod), each kind's strategy.
Source    Kubernetes API reference, "Workload Resources"; the rules of apps validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import forbidden, immutable, invalid, not_supported, required
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.errors import Cause, Error

Json = dict[str, Any]


def validate_selector(spec: Json, kind: str, causes: list[Cause]) -> None:
    """The selector of a kind that must have one, and never an empty one."""
    selector = spec.get("selector")
    if selector is None:
        causes.append(required("spec.selector"))
        return
    validate_label_selector(selector, "spec.selector", causes)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        causes.append(invalid("spec.selector", selector, f"empty selector is invalid for {kind}"))


def read_selector(selector: Json | None) -> LabelSelector | None:
    """What it selects; None if it cannot be read. A missing one selects nothing."""
    try:
        return from_label_selector(selector)
    except Error:
        return None


def validate_match(selector: LabelSelector, template: Json, path: str) -> list[Cause]:
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector.matches(labels):
        return []
    detail = "`selector` does not match template `labels`"
    return [invalid(f"{path}.metadata.labels", labels or None, detail)]


def validate_endless(template: Json, kind: str, path: str, causes: list[Cause]) -> None:
    """Pods of this kind are started again, without an end."""
    spec = template.get("spec") or {}
    if spec.get("restartPolicy") != "Always":
        here = f"{path}.spec.restartPolicy"
        causes.append(not_supported(here, spec.get("restartPolicy") or "", ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {kind} is not Supported"
        causes.append(forbidden(f"{path}.spec.activeDeadlineSeconds", detail))


def selector_stays(new: Json, old: Json, causes: list[Cause]) -> None:
    selector = (new.get("spec") or {}).get("selector")
    if selector != (old.get("spec") or {}).get("selector"):
        causes.append(immutable("spec.selector", selector))


def has_bad_values(selector: Json | None) -> bool:
    """Whether it holds label values that are none, as older servers let pass."""
    found: list[Cause] = []
    for expression in (selector or {}).get("matchExpressions") or ():
        validate_label_selector({"matchExpressions": [expression]}, "", found)
    return any(".values[" in cause.field for cause in found)

"""Defaults of resource claims and their templates.

Source    pkg/apis/resource/v1/defaults.go.
"""

from __future__ import annotations

from busk8s.api.defaulting.pod import Json


def default_claim(claim: Json) -> None:
    _default_spec(claim.setdefault("spec", {}))


def default_claim_template(template: Json) -> None:
    spec = template.setdefault("spec", {})
    spec.setdefault("metadata", {})
    _default_spec(spec.setdefault("spec", {}))


def _default_spec(spec: Json) -> None:
    for request in (spec.get("devices") or {}).get("requests") or ():
        choices = [request.get("exactly"), *(request.get("firstAvailable") or ())]
        for choice in choices:
            if choice is not None:
                _default_choice(choice)


def _default_choice(choice: Json) -> None:
    if not choice.get("allocationMode"):
        choice["allocationMode"] = "ExactCount"
    if choice["allocationMode"] == "ExactCount" and not choice.get("count"):
        choice["count"] = 1

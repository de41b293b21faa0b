"""StatefulSets: strategy, claims, the template as its pods will be, and what stays as it was.

Source    Kubernetes API reference, StatefulSet; the rules of apps validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import label_errors
from busk8s.api.rules.cause import (
    forbidden,
    invalid,
    invalid_each,
    not_negative,
    not_supported,
    required,
)
from busk8s.api.rules.pod import validate_template
from busk8s.api.rules.ratcheting import of_template
from busk8s.api.rules.selected import (
    read_selector,
    validate_endless,
    validate_match,
    validate_selector,
)
from busk8s.api.rules.shares import amount, at_most_all, positive
from busk8s.api.rules.storage import validate_claim_spec
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]

CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip
MANAGEMENT = ("OrderedReady", "Parallel")
RETENTION = ("Retain", "Delete")


def validate_stateful_set(stateful_set: Json, causes: list[Cause]) -> None:
    spec = stateful_set.get("spec") or {}
    _validate_spec(spec, causes)


def validate_stateful_set_update(new: Json, old: Json, causes: list[Cause]) -> None:
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if spec != was:
        allowed = of_template(was.get("template") or {})
        before: list[Cause] = []
        _validate_spec(was, before, allowed, stored=True)
        # Older servers let any template pass; such a set can still be scaled and mended.
        _validate_spec(spec, causes, allowed, stored=True, whole=not before)
    names = (spec.keys() | was.keys()) - set(CHANGEABLE)
    if any(spec.get(name) != was.get(name) for name in names):
        listed = ", ".join(f"'{name}'" for name in CHANGEABLE[:-1])
        detail = (
            f"updates to statefulset spec for fields other than {listed} and "
            f"'{CHANGEABLE[-1]}' are forbidden"
        )
        causes.append(forbidden("spec", detail))


def _validate_spec(
    spec: Json,
    causes: list[Cause],
    allowed: Tolerance = STRICT,
    *,
    stored: bool = False,
    whole: bool = True,
) -> None:
    """`stored`: what never changes was accepted once; `whole`: the template is looked into."""
    _validate_management(spec.get("podManagementPolicy") or "", causes)
    _validate_strategy(spec.get("updateStrategy") or {}, causes)
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for name, policy in retention.items():
        if policy not in RETENTION:
            path = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
            causes.append(not_supported(path, policy, RETENTION))
    claims = spec.get("volumeClaimTemplates") or ()
    for index, claim in enumerate(() if stored else claims):
        path = f"spec.volumeClaimTemplates[{index}].spec"
        validate_claim_spec(claim.get("spec") or {}, path, causes)
    causes += not_negative("spec.replicas", spec.get("replicas"))
    causes += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    causes += not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    if (service := spec.get("serviceName")) and not stored:
        causes += invalid_each("spec.serviceName", service, label_errors(service))
    validate_selector(spec, "statefulset", causes)
    template = spec.get("template") or {}
    selector = read_selector(spec.get("selector"))
    if selector is None:
        causes.append(invalid("spec.selector", spec.get("selector"), ""))
    else:
        if not selector.everything:
            causes += validate_match(selector, template, "spec.template")
        if whole:
            validate_template(_as_pods_have_it(template, claims), "spec.template", causes, allowed)
    validate_endless(template, "StatefulSet", "spec.template", causes)


def _validate_management(policy: str, causes: list[Cause]) -> None:
    path = "spec.podManagementPolicy"
    if not policy:
        causes.append(required(path))
    elif policy not in MANAGEMENT:
        causes.append(invalid(path, policy, "must be 'OrderedReady' or 'Parallel'"))


def _validate_strategy(strategy: Json, causes: list[Cause]) -> None:
    path, kind = "spec.updateStrategy", strategy.get("type") or ""
    rolling = strategy.get("rollingUpdate")
    if not kind:
        causes.append(required(path))
    elif kind == "OnDelete":
        if rolling is not None:
            detail = "only allowed for updateStrategy 'RollingUpdate'"
            causes.append(invalid(f"{path}.rollingUpdate", rolling, detail))
    elif kind == "RollingUpdate":
        _validate_rolling(rolling or {}, f"{path}.rollingUpdate", causes)
    else:
        causes.append(invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'"))


def _validate_rolling(rolling: Json, path: str, causes: list[Cause]) -> None:
    causes += not_negative(f"{path}.partition", rolling.get("partition"))
    if (gone := rolling.get("maxUnavailable")) is not None:
        here = f"{path}.maxUnavailable"
        causes += positive(gone, here)
        if amount(gone) == 0:
            causes.append(invalid(here, gone, "cannot be 0"))
        causes += at_most_all(gone, here)


def _as_pods_have_it(template: Json, claims: Any) -> Json:
    """Names are the controller's to give, and each claim is a volume."""
    spec = template.get("spec") or {}
    made = {claim.get("metadata", {}).get("name") or "" for claim in claims}
    volumes = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in sorted(made)
    ] + [each for each in spec.get("volumes") or () if each.get("name") not in made]
    kept = {k: v for k, v in spec.items() if k not in ("hostname", "subdomain", "volumes")}
    return {**template, "spec": {**kept, "volumes": volumes}}

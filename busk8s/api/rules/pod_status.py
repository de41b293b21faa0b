"""The status of a pod: forward only, and addresses that are some.

Owns      what a write through `status` may say of containers, addresses, claims and conditions.
Source    Kubernetes API reference, PodStatus; the rules of core validation.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from busk8s.api.meta import qualified_name_errors, subdomain_errors
from busk8s.api.rules.addresses import ip_errors
from busk8s.api.rules.cause import duplicate, forbidden, immutable, invalid, invalid_each
from busk8s.api.rules.container_status import (
    validate_container_statuses,
    validate_extended_claim,
)
from busk8s.api.rules.pod_update import validate_kept_annotations
from busk8s.errors import Cause

Json = dict[str, Any]

_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
_NOT_NEGATIVE = "must be a non-negative integer"


def validate_pod_status(new: Json, old: Json, causes: list[Cause]) -> None:
    now, before = ((pod.get("metadata") or {}).get("annotations") or {} for pod in (new, old))
    if now != before:
        validate_kept_annotations(now, before, causes)
    status, was = new.get("status") or {}, old.get("status") or {}
    spec = old.get("spec") or {}
    _validate_conditions(status.get("conditions") or (), causes)
    _validate_nomination(status, was, spec, causes)
    if (observed := status.get("observedGeneration", 0)) < 0:
        causes.append(invalid("status.observedGeneration", observed, _NOT_NEGATIVE))
    quality = status.get("qosClass")
    if was.get("qosClass") and quality != was["qosClass"]:
        causes.append(immutable("status.qosClass", quality))
    if not _all_may_restart(spec):
        for name, group in (
            ("containerStatuses", "containers"),
            ("initContainerStatuses", "initContainers"),
        ):
            _validate_ended(status, was, name, spec, spec.get(group) or (), causes)
    _validate_ended(status, was, "ephemeralContainerStatuses", spec, None, causes)
    if claims := status.get("resourceClaimStatuses"):
        _validate_claims(claims, new.get("spec") or {}, causes)
    if (claim := status.get("extendedResourceClaimStatus")) is not None:
        validate_extended_claim(claim, spec, "status.extendedResourceClaimStatus", causes)
    for name in ("podIPs", "hostIPs"):
        if status.get(name) != was.get(name):
            _validate_addresses(status, was, name, causes)
    validate_container_statuses(status, spec, causes)


def _validate_conditions(conditions: Sequence[Json], causes: list[Cause]) -> None:
    for index, condition in enumerate(conditions):
        path, kind = f"status.conditions[{index}]", condition.get("type") or ""
        if (observed := condition.get("observedGeneration", 0)) < 0:
            causes.append(invalid(f"{path}.observedGeneration", observed, _NOT_NEGATIVE))
        if kind not in _SYSTEM_CONDITIONS:
            causes += invalid_each(f"{path}.Type", kind, qualified_name_errors(kind))


def _validate_nomination(status: Json, was: Json, spec: Json, causes: list[Cause]) -> None:
    name, path = status.get("nominatedNodeName") or "", "status.nominatedNodeName"
    if not name or name == was.get("nominatedNodeName"):
        return
    causes += invalid_each(path, name, subdomain_errors(name))
    if spec.get("nodeName"):
        detail = "may not be set on pods that are already bound to a node"
        causes.append(forbidden(path, detail))


def _all_may_restart(spec: Json) -> bool:
    return any(
        rule.get("action") == "RestartAllContainers"
        for group in ("containers", "initContainers")
        for container in spec.get(group) or ()
        for rule in container.get("restartPolicyRules") or ()
    )


def _validate_ended(
    status: Json,
    was: Json,
    name: str,
    spec: Json,
    containers: Sequence[Json] | None,
    causes: list[Cause],
) -> None:
    """A container that ended for good does not run again. None: those never do."""
    shown = {each.get("name"): each for each in status.get(name) or ()}
    for index, before in enumerate(was.get(name) or ()):
        ended, now = (before.get("state") or {}).get("terminated"), shown.get(before.get("name"))
        if ended is None or now is None or "terminated" in (now.get("state") or {}):
            continue
        found = [c for c in containers or () if c.get("name") == before.get("name")]
        if not found or not _restarts(found[0], spec, ended.get("exitCode", 0)):
            detail = "may not be transitioned to non-terminated state"
            causes.append(forbidden(f"status.{name}[{index}].state", detail))


def _restarts(container: Json, spec: Json, code: int) -> bool:
    """By its rules, by its own policy, by the pod's: the first that says anything."""
    for rule in container.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        inside = code in (codes.get("values") or ())
        if inside is (codes.get("operator") == "In"):
            return True
    policy = container.get("restartPolicy") or spec.get("restartPolicy")
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def _validate_claims(statuses: list[Json], spec: Json, causes: list[Cause]) -> None:
    known = {claim.get("name") for claim in spec.get("resourceClaims") or ()}
    seen: set[str] = set()
    for index, each in enumerate(statuses):
        path, name = f"status.resourceClaimStatuses[{index}]", each.get("name") or ""
        if name not in known:
            detail = "must match the name of an entry in `spec.resourceClaims`"
            causes.append(invalid(f"{path}.name", name, detail))
        if name in seen:
            causes.append(duplicate(f"{path}.name", name))
        seen.add(name)
        if (claim := each.get("resourceClaimName")) is not None:
            causes += invalid_each(f"{path}.resourceClaimName", claim, subdomain_errors(claim))


def _validate_addresses(status: Json, was: Json, name: str, causes: list[Cause]) -> None:
    """At most one of each family; of the host's, the first is `hostIP`."""
    path, wrong = f"status.{name}", len(causes)
    listed = [entry.get("ip") or "" for entry in status.get(name) or ()]
    if name == "hostIPs" and listed and listed[0] != status.get("hostIP"):
        causes.append(invalid(f"{path}[0].ip", listed[0], "must be equal to `hostIP`"))
    had = [entry.get("ip") or "" for entry in was.get(name) or ()]
    for index, address in enumerate(listed):
        causes += ip_errors(address, f"{path}[{index}]", had)
    if len(listed) > 1 and len(causes) == wrong:
        families = {ipaddress.ip_address(address).version for address in listed}
        if len(listed) > 2 or len(families) < 2:
            detail = "may specify no more than one IP for each IP family"
            causes.append(invalid(path, status[name], detail))

"""What a status says of single containers: who runs in them, how their devices are, claims made.

Source    Kubernetes API reference, ContainerStatus; the rules of core validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from busk8s.api.meta import label_errors, subdomain_errors
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalid_each,
    not_supported,
    required,
    too_long,
)
from busk8s.api.rules.security import ID_MAX
from busk8s.errors import Cause

Json = dict[str, Any]

HEALTH = ("Healthy", "Unhealthy", "Unknown")
MESSAGE_MAX = 1024
_STATUSES = (
    ("containerStatuses", "containers"), ("initContainerStatuses", "initContainers"),
    ("ephemeralContainerStatuses", ""),
)  # fmt: skip
_RESOURCE = (
    "must match the extended resource name of an entry in "
    "spec.initContainers.resources.requests or spec.containers.resources.requests"
)


def validate_container_statuses(status: Json, spec: Json, causes: list[Cause]) -> None:
    system = (spec.get("os") or {}).get("name") or "linux"
    for field, group in _STATUSES:
        for index, each in enumerate(status.get(field) or ()):
            path = f"status.{field}[{index}]"
            if (user := each.get("user")) is not None and user.get("linux") is not None:
                _validate_user(user["linux"], f"{path}.user.linux", system, causes)
            if not (devices := each.get("allocatedResourcesStatus")):
                continue
            here = f"{path}.allocatedResourcesStatus"
            if not group:
                causes.append(forbidden(here, "must not be specified in container status"))
                continue
            known = [c for c in spec.get(group) or () if c.get("name") == each.get("name")]
            _validate_devices(devices, known, here, causes)


def _validate_user(user: Json, path: str, system: str, causes: list[Cause]) -> None:
    if system == "windows":
        causes.append(forbidden(path, "cannot be set for a windows pod"))
        return
    for field in ("uid", "gid"):
        causes += in_range(f"{path}.{field}", user.get(field), 0, ID_MAX)
    for index, group in enumerate(user.get("supplementalGroups") or ()):
        causes += in_range(f"{path}.supplementalGroups[{index}]", group, 0, ID_MAX)


def _validate_devices(
    devices: Sequence[Json], known: Sequence[Json], path: str, causes: list[Cause]
) -> None:
    for index, device in enumerate(devices):
        here, name = f"{path}[{index}]", device.get("name") or ""
        if known:
            _validate_name(name, known[0].get("resources") or {}, f"{here}.name", causes)
        seen: set[str] = set()
        for number, one in enumerate(device.get("resources") or ()):
            at, health, message = (
                f"{here}.resources[{number}]",
                one.get("health"),
                one.get("message"),
            )
            if health not in HEALTH:
                causes.append(not_supported(f"{at}.health", health or "", HEALTH))
            if message == "":
                causes.append(required(f"{at}.message", "must be non-empty if specified"))
            elif message is not None and len(message.encode()) > MESSAGE_MAX:
                causes.append(too_long(f"{at}.message", MESSAGE_MAX))
            if (identity := one.get("resourceID") or "") in seen:
                causes.append(duplicate(f"{at}.resourceID", identity))
            seen.add(identity)


def _validate_name(name: str, resources: Json, path: str, causes: list[Cause]) -> None:
    if name.startswith("claim:"):
        claims = [
            "/".join(filter(None, (each.get("name"), each.get("request"))))
            for each in resources.get("claims") or ()
        ]
        known = name.removeprefix("claim:") in claims
        detail = (
            "must match one of the container's resource claims in a format "
            "'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty"
        )
    else:
        known = name in (resources.get("requests") or {})
        detail = "must match one of the container's resource requests"
    if not known:
        causes.append(invalid(path, name, detail))


def validate_extended_claim(claim: Json, spec: Json, path: str, causes: list[Cause]) -> None:
    """`extendedResourceClaimStatus`: the claim made for the resources that containers ask for."""
    asked = {
        each.get("name"): (each.get("resources") or {}).get("requests") or {}
        for group in ("initContainers", "containers")
        for each in spec.get(group) or ()
    }
    mappings, fields = claim.get("requestMappings") or (), ("containerName", "resourceName")
    if not mappings:
        causes.append(
            required(f"{path}.requestMappings", "at least one request mapping is required")
        )
    seen: set[tuple[str, ...]] = set()
    for index, mapping in enumerate(mappings):
        here = f"{path}.requestMappings[{index}]"
        container, resource = (mapping.get(field) or "" for field in fields)
        request = mapping.get("requestName") or ""
        if container not in asked:
            detail = (
                "must match the name of an entry in spec.initContainers.name or "
                "spec.containers.name"
            )
            causes.append(invalid(f"{here}.containerName", container, detail))
        elif resource not in asked[container]:
            causes.append(invalid(f"{here}.resourceName", resource, _RESOURCE))
        causes += invalid_each(f"{path}.requestName", request, label_errors(request))
        if (container, resource, request) in seen:
            for field in (*fields, "requestName"):
                causes.append(duplicate(f"{here}.{field}", mapping.get(field) or ""))
        seen.add((container, resource, request))
    if not (name := claim.get("resourceClaimName")):
        causes.append(required(f"{path}.resourceClaimName"))
    else:
        causes += invalid_each(f"{path}.resourceClaimName", name, subdomain_errors(name))

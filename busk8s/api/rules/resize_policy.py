"""What a container says of resizing it in place: with or without a restart, by resource.

Source    Kubernetes API reference, ContainerResizePolicy; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import duplicate, invalid, one_of
from busk8s.errors import Cause

Json = dict[str, Any]

RESOURCES = ("cpu", "memory")
POLICIES = ("NotRequired", "RestartContainer")


def validate_policies(
    policies: list[Json], path: str, pod_restart: str, causes: list[Cause]
) -> None:
    seen = set()
    for index, each in enumerate(policies):
        resource, policy = each.get("resourceName"), each.get("restartPolicy")
        if resource in seen:
            causes.append(duplicate(f"{path}[{index}]", resource))
        seen.add(resource)
        causes += one_of(path, resource, RESOURCES)
        causes += one_of(path, policy, POLICIES)
        if pod_restart == "Never" and policy != "NotRequired":
            detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            causes.append(invalid(path, policy, detail))

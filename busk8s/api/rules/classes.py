"""Classes that pods name: of priority and of runtimes.

Source    Kubernetes API reference, PriorityClass and RuntimeClass; the rules of scheduling and
          node validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import label_errors
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    immutable,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from busk8s.api.rules.metadata import validate_labels
from busk8s.api.rules.pod import PREEMPTION_POLICIES
from busk8s.api.rules.resources import validate_resources
from busk8s.api.rules.scheduling import validate_tolerations
from busk8s.errors import Cause

Json = dict[str, Any]

# Above it are the system's own classes.
USER_PRIORITY_MAX = 1_000_000_000
SYSTEM_PREFIX = "system-"
SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def validate_priority_class(priority_class: Json, causes: list[Cause]) -> None:
    name = priority_class["metadata"].get("name") or ""
    value = priority_class.get("value", 0)
    if name.startswith(SYSTEM_PREFIX):
        if why := _system_class_error(priority_class, name, value):
            detail = "priority class names with 'system-' prefix are reserved for system use only. "
            causes.append(forbidden("metadata.name", f"{detail}error: {why}"))
    elif value > USER_PRIORITY_MAX:
        detail = f"maximum allowed value of a user defined priority is {USER_PRIORITY_MAX}"
        causes.append(forbidden("value", detail))
    policy = priority_class.get("preemptionPolicy")
    if not policy:
        causes.append(required("preemptionPolicy"))
    elif policy not in PREEMPTION_POLICIES:
        causes.append(not_supported("preemptionPolicy", policy, PREEMPTION_POLICIES))


def _system_class_error(priority_class: Json, name: str, value: int) -> str:
    known = SYSTEM_CLASSES.get(name)
    if known is None:
        return f"{name} is not a known system priority class"
    if value != known:
        return f"value of {name} PriorityClass must be {known}"
    if priority_class.get("globalDefault"):
        return f"globalDefault of {name} PriorityClass must be false"
    return ""


def validate_priority_class_update(new: Json, old: Json, causes: list[Cause]) -> None:
    if new.get("value", 0) != old.get("value", 0):
        causes.append(forbidden("value", "may not be changed in an update."))
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        causes.append(immutable("preemptionPolicy", new.get("preemptionPolicy")))


def validate_runtime_class(runtime_class: Json, causes: list[Cause]) -> None:
    handler = runtime_class.get("handler") or ""
    causes += invalid_each("handler", handler, label_errors(handler))
    if overhead := (runtime_class.get("overhead") or {}).get("podFixed"):
        validate_resources({"limits": overhead}, "overhead", causes)
    scheduling = runtime_class.get("scheduling") or {}
    if selector := scheduling.get("nodeSelector"):
        causes += validate_labels(selector, "scheduling.nodeSelector")
    tolerations = scheduling.get("tolerations") or []
    validate_tolerations(tolerations, "scheduling.tolerations", causes)
    seen: list[Json] = []
    for index, toleration in enumerate(tolerations):
        if toleration in seen:
            causes.append(duplicate(f"scheduling.tolerations[{index}]", toleration))
        seen.append(toleration)


def validate_runtime_class_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_runtime_class(new, causes)
    if new.get("handler") != old.get("handler"):
        causes.append(invalid("handler", new.get("handler"), "field is immutable"))

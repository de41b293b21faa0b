"""What may change of a pod after its creation: little, in its spec; forward only, in its status.

Source    Kubernetes API reference, "Pod update and replacement"; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import forbidden, immutable, in_range, invalid
from busk8s.api.rules.container import ID_MAX
from busk8s.api.rules.pod import IP_MESSAGE, is_ip, validate_pod_spec
from busk8s.errors import Cause

Json = dict[str, Any]

_CHANGEABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)
_SETTLED = frozenset((
    "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates",
    "containers", "initContainers",
))  # fmt: skip
_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown", "")


def validate_pod_update(new: Json, old: Json, causes: list[Cause]) -> None:
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if spec is was or spec == was:
        return
    validate_pod_spec(spec, "spec", causes)
    for name in ("containers", "initContainers"):
        if len(spec.get(name) or ()) != len(was.get(name) or ()):
            detail = "pod updates may not add or remove containers"
            causes.append(forbidden(f"spec.{name}", detail))
            return
    _validate_deadline(spec, was, causes)
    _validate_tolerations(spec, was, causes)
    _validate_gates(spec, was, causes)
    if changed := _unchangeable(spec, was):
        causes.append(forbidden("spec", f"{_CHANGEABLE}\n" + "\n".join(changed)))


def _validate_deadline(spec: Json, was: Json, causes: list[Cause]) -> None:
    path, name = "spec.activeDeadlineSeconds", "activeDeadlineSeconds"
    new, old = spec.get(name), was.get(name)
    if new is None:
        if old is not None:
            detail = "must not update from a positive integer to nil value"
            causes.append(invalid(path, None, detail))
        return
    causes += in_range(path, new, 1, ID_MAX)
    if old is not None and old < new:
        causes.append(invalid(path, new, "must be less than or equal to previous value"))


def _validate_tolerations(spec: Json, was: Json, causes: list[Cause]) -> None:
    """All that were there stay; only their seconds may change."""
    kept = [_without_seconds(each) for each in spec.get("tolerations") or ()]
    for toleration in was.get("tolerations") or ():
        if _without_seconds(toleration) not in kept:
            detail = "existing toleration can not be modified except its tolerationSeconds"
            causes.append(forbidden("spec.tolerations", detail))
            return


def _without_seconds(toleration: Json) -> Json:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _validate_gates(spec: Json, was: Json, causes: list[Cause]) -> None:
    had = {gate.get("name") for gate in was.get("schedulingGates") or ()}
    for gate in spec.get("schedulingGates") or ():
        if gate.get("name") not in had:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            causes.append(forbidden("spec.schedulingGates", detail))


def _unchangeable(spec: Json, was: Json) -> list[str]:
    """The changed fields that may not change, as `path: old -> new`."""
    changed = [
        name
        for name in sorted(spec.keys() | was.keys())
        if name not in _SETTLED and spec.get(name) != was.get(name)
    ]
    if was.get("schedulingGates"):
        changed = [name for name in changed if not _gated_change(name, spec, was)]
    grace, had = (each.get("terminationGracePeriodSeconds") for each in (spec, was))
    if grace != had and not (grace == 1 and (had or 0) < 0):
        changed.append("terminationGracePeriodSeconds")
    lines = [f"spec.{name}: {was.get(name)!r} -> {spec.get(name)!r}" for name in changed]
    for name in ("containers", "initContainers"):
        pairs = zip(spec.get(name) or (), was.get(name) or (), strict=True)
        for index, (container, before) in enumerate(pairs):
            if {**container, "image": ""} != {**before, "image": ""}:
                fields = sorted(
                    field
                    for field in container.keys() | before.keys()
                    if field != "image" and container.get(field) != before.get(field)
                )
                lines += [f"spec.{name}[{index}].{field}" for field in fields]
    return lines


def _gated_change(name: str, spec: Json, was: Json) -> bool:
    """Before its scheduling gates open, a pod's placement may be narrowed."""
    if name == "nodeSelector":
        return (was.get(name) or {}).items() <= (spec.get(name) or {}).items()
    return name == "affinity" and not was.get(name)


def validate_pod_status(new: Json, old: Json, causes: list[Cause]) -> None:
    status, was = new.get("status") or {}, old.get("status") or {}
    policy = (new.get("spec") or {}).get("restartPolicy")
    for name in ("containerStatuses", "initContainerStatuses"):
        before = {each.get("name"): each for each in was.get(name) or ()}
        if policy == "Always" and name == "containerStatuses":
            continue
        for index, each in enumerate(status.get(name) or ()):
            _validate_ended(each, before.get(each.get("name")), policy, f"{name}[{index}]", causes)
    for index, entry in enumerate(status.get("podIPs") or ()):
        if not is_ip(entry.get("ip")):
            causes.append(invalid(f"status.podIPs[{index}].ip", entry.get("ip"), IP_MESSAGE))
    before = {each.get("name"): each for each in was.get("ephemeralContainerStatuses") or ()}
    for index, each in enumerate(status.get("ephemeralContainerStatuses") or ()):
        path = f"ephemeralContainerStatuses[{index}]"
        _validate_ended(each, before.get(each.get("name")), "Never", path, causes)
    quality = status.get("qosClass")
    if quality and was.get("qosClass") and quality != was["qosClass"]:
        causes.append(immutable("status.qosClass", quality))
    if status.get("phase", "") not in _PHASES:
        causes.append(invalid("status.phase", status["phase"], "not a valid pod phase"))


def _validate_ended(
    each: Json, before: Json | None, policy: str | None, path: str, causes: list[Cause]
) -> None:
    """A container that ended for good does not run again."""
    ended = ((before or {}).get("state") or {}).get("terminated")
    if not ended or "terminated" in (each.get("state") or {}):
        return
    if policy == "Never" or (policy == "OnFailure" and ended.get("exitCode") == 0):
        detail = "may not be transitioned to non-terminated state"
        causes.append(forbidden(f"status.{path}.state", detail))

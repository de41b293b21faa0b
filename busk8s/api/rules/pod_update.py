"""What may change of a pod after its creation: little, and less once its gates are open.

Leaves    its status (pod_status), resizing (resize) and ephemeral containers (ephemeral).
Source    Kubernetes API reference, "Pod update and replacement"; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import forbidden, in_range, invalid
from busk8s.api.rules.ephemeral import MIRROR
from busk8s.api.rules.pod import validate_whole_pod
from busk8s.api.rules.ratcheting import of_spec
from busk8s.api.rules.security import APPARMOR_PREFIX, ID_MAX
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
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def validate_pod_update(new: Json, old: Json, causes: list[Cause]) -> None:
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    now, before = ((pod.get("metadata") or {}).get("annotations") or {} for pod in (new, old))
    if spec != was or now != before:
        allowed = of_spec(was, old.get("metadata") or {})
        validate_whole_pod(new, causes, allowed)
    if now != before:
        validate_kept_annotations(now, before, causes)
    if spec == was:
        return
    for name in ("containers", "initContainers"):
        if len(spec.get(name) or ()) != len(was.get(name) or ()):
            detail = "pod updates may not add or remove containers"
            causes.append(forbidden(f"spec.{name}", detail))
            return
    if not _validate_deadline(spec, was, causes):
        return
    _validate_tolerations(spec, was, causes)
    _validate_gates(spec, was, causes)
    if was.get("schedulingGates"):
        _validate_placement(spec, was, causes)
    if changed := _unchangeable(spec, was):
        causes.append(forbidden("spec", f"{_CHANGEABLE}\n" + "\n".join(changed)))


def validate_kept_annotations(now: Json, before: Json, causes: list[Cause]) -> None:
    """A mirror pod stays one, and profiles in annotations stay as they were."""
    for key in sorted(now.keys() | before.keys()):
        what = "mirror pod annotation" if key == MIRROR else "AppArmor annotations"
        if key != MIRROR and not key.startswith(APPARMOR_PREFIX):
            continue
        if key not in before:
            causes.append(forbidden(f"metadata.annotations[{key}]", f"may not add {what}"))
        elif now.get(key) != before[key]:
            detail = f"may not remove or update {what}"
            causes.append(forbidden(f"metadata.annotations[{key}]", detail))


def _validate_deadline(spec: Json, was: Json, causes: list[Cause]) -> bool:
    """Whether it is worth while to look at the rest."""
    path, name = "spec.activeDeadlineSeconds", "activeDeadlineSeconds"
    new, old = spec.get(name), was.get(name)
    if new is None:
        if old is not None:
            detail = "must not update from a positive integer to nil value"
            causes.append(invalid(path, None, detail))
        return True
    if wrong := in_range(path, new, 0, ID_MAX):
        causes += wrong
        return False
    if old is not None and old < new:
        causes.append(invalid(path, new, "must be less than or equal to previous value"))
        return False
    return True


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
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        if (name := gate.get("name")) not in had:
            detail = f"only deletion is allowed, but found new scheduling gate '{name}'"
            causes.append(forbidden(f"spec.schedulingGates[{index}].name", detail))


def _validate_placement(spec: Json, was: Json, causes: list[Cause]) -> None:
    """Before its scheduling gates open, a pod's placement may be narrowed."""
    selector, before = spec.get("nodeSelector") or {}, was.get("nodeSelector") or {}
    if not before.items() <= selector.items():
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        causes.append(invalid("spec.nodeSelector", selector, detail))
    old_terms, terms = (_terms(each) for each in (was, spec))
    if not old_terms or old_terms == terms:
        return
    path = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"
    if len(old_terms) != len(terms):
        detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        causes.append(invalid(path, terms, detail))
        return
    for index, (term, old_term) in enumerate(zip(terms, old_terms, strict=True)):
        if not _only_narrowed(term, old_term):
            detail = "only additions are allowed (no mutations or deletions)"
            causes.append(invalid(f"{path}[{index}]", term, detail))


def _terms(spec: Json) -> list[Json]:
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return (node.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []


def _only_narrowed(term: Json, old: Json) -> bool:
    """A term without anything selects nothing, and would be widened by what is added."""
    parts = ("matchExpressions", "matchFields")
    if not any(old.get(part) for part in parts):
        return not any(term.get(part) for part in parts)
    return all(
        (term.get(part) or [])[: len(old.get(part) or [])] == (old.get(part) or [])
        for part in parts
    )


def _unchangeable(spec: Json, was: Json) -> list[str]:
    """The changed fields that may not change, as `path: old -> new`."""
    gated = bool(was.get("schedulingGates"))
    changed = [
        name
        for name in sorted(spec.keys() | was.keys())
        if name not in _SETTLED and _part(spec, name, gated) != _part(was, name, gated)
    ]
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


def _part(spec: Json, name: str, gated: bool) -> Any:
    """A field, without what of it a gated pod may change (that is looked at by itself)."""
    if not gated or name not in ("nodeSelector", "affinity"):
        return spec.get(name)
    if name == "nodeSelector":
        return None
    rest = {k: v for k, v in (spec.get(name) or {}).items() if k != "nodeAffinity" and v}
    return rest or None

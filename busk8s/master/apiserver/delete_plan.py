"""What a delete does to one object: a pure decision.

Owns      DeleteOptions, grace, finalizers by propagation policy, and when an object goes at once.
Leaves    reading options, admission, committing (delete), what dependents do (garbage collector).
Source    apiserver registry/generic/registry/store.go and registry/rest/delete.go: the behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from busk8s.api.meta import format_time, parse_time
from busk8s.api.object import Json
from busk8s.master.apiserver.strategies.base import Strategy

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """meta/v1 DeleteOptions, checked."""

    grace_s: int | None = None
    propagation: str = ""
    orphan: bool | None = None
    uid: str = ""
    revision: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Removed:
    """The object goes now; `data` is its last state."""

    data: Json


@dataclass(frozen=True, slots=True)
class Marked:
    """The object stays, with `data` saying that it is on its way out."""

    data: Json


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing to do: the deletion that runs already is at least as soon."""


Plan = Removed | Marked | Pending


def plan_delete(
    strategy: Strategy, data: Json, options: DeleteOptions, now: float, *, held: bool = False
) -> Plan:
    """`data` is not changed. `held`: something beside its finalizers keeps it (namespaces)."""
    metadata: Json = dict(data["metadata"])
    graceful, grace = False, 0
    if strategy.graceful is not None:
        decided = _grace(strategy, data, metadata, options, now)
        if decided is None:
            return Pending()
        graceful, grace = decided
    finalizers = metadata.get("finalizers") or []
    wanted = wanted_finalizers(strategy, finalizers, options)
    if wanted != finalizers:
        metadata["finalizers"] = wanted
    if not wanted:
        metadata.pop("finalizers", None)
    if not graceful and (wanted or held):
        _mark(metadata, now)
    marked = {**data, "metadata": metadata}
    if wanted or held or grace > 0:
        return Pending() if marked == data else Marked(marked)
    return Removed(marked)


def _grace(
    strategy: Strategy, data: Json, metadata: Json, options: DeleteOptions, now: float
) -> tuple[bool, int] | None:
    """(graceful, seconds) after noting them in `metadata`; None when nothing gets sooner."""
    assert strategy.graceful is not None
    if "deletionTimestamp" in metadata:
        running = metadata.get("deletionGracePeriodSeconds") or 0
        if running == 0:
            return False, 0
        # Asking again without a number keeps the running one; only a shorter one counts.
        if options.grace_s is None or options.grace_s >= running:
            return None
        grace = max(options.grace_s, 0)
        began = parse_time(metadata["deletionTimestamp"]) - running
        _set_grace(metadata, began + grace, grace)
        return True, grace
    grace = strategy.graceful(data, options.grace_s)
    _set_grace(metadata, now + grace, grace)
    _bump(metadata)
    return True, grace


def _set_grace(metadata: Json, at: float, grace: int) -> None:
    metadata["deletionTimestamp"] = format_time(at)
    metadata["deletionGracePeriodSeconds"] = grace


def _mark(metadata: Json, now: float) -> None:
    if "deletionTimestamp" not in metadata:
        _bump(metadata)
        metadata["deletionTimestamp"] = format_time(now)
    metadata["deletionGracePeriodSeconds"] = 0


def _bump(metadata: Json) -> None:
    """Deleting counts as a change of what is wanted, where changes are counted."""
    if metadata.get("generation"):
        metadata["generation"] += 1


def wanted_finalizers(
    strategy: Strategy, finalizers: list[Any], options: DeleteOptions
) -> list[Any]:
    """The finalizers with the garbage collector's two as options and default say."""
    if not strategy.propagation:
        return finalizers
    policy = _policy(strategy, finalizers, options)
    extra = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    kept = [one for one in finalizers if one not in (ORPHAN, FOREGROUND)]
    if extra is None:
        return kept
    return finalizers if {*kept, extra} == {*finalizers} else [*kept, extra]


def _policy(strategy: Strategy, finalizers: list[Any], options: DeleteOptions) -> str:
    if options.orphan is not None:
        return "Orphan" if options.orphan else "Background"
    if options.propagation:
        return options.propagation
    if ORPHAN in finalizers:
        return "Orphan"
    if FOREGROUND in finalizers:
        return "Foreground"
    return strategy.propagation


def plan_namespace_delete(
    strategy: Strategy, data: Json, options: DeleteOptions, now: float
) -> Plan:
    """A namespace first becomes Terminating; it goes when spec.finalizers are empty as well."""
    held = bool((data.get("spec") or {}).get("finalizers"))
    plan = plan_delete(replace(strategy, graceful=None), data, options, now, held=held)
    if isinstance(plan, Marked):
        status = {**(data.get("status") or {}), "phase": "Terminating"}
        metadata = {k: v for k, v in plan.data["metadata"].items() if k != _GRACE}
        marked = {**plan.data, "metadata": metadata, "status": status}
        return Pending() if marked == data else Marked(marked)
    return plan


# Holds a definition until its objects are gone.
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def plan_definition_delete(
    strategy: Strategy, data: Json, options: DeleteOptions, now: float
) -> Plan:
    """A definition stays until its objects are gone; its finalizer comes with the delete."""
    metadata = data["metadata"]
    if "deletionTimestamp" not in metadata:
        finalizers = metadata.get("finalizers") or []
        if CLEANUP not in finalizers:
            data = {**data, "metadata": {**metadata, "finalizers": [*finalizers, CLEANUP]}}
        said = {
            "type": "Terminating",
            "status": "True",
            "lastTransitionTime": format_time(now),
            "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion "
            "will begin soon",
        }
        status = data.get("status") or {}
        conditions = [one for one in status.get("conditions") or () if one["type"] != said["type"]]
        data = {**data, "status": {**status, "conditions": [*conditions, said]}}
    return plan_delete(strategy, data, options, now)


_GRACE = "deletionGracePeriodSeconds"

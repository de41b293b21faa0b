"""The status of a Job: it ends once, it ends whole, and what was counted stays counted.

Owns      which changes of a Job's status are none.
Invariant a field is looked at when it changed: a write about something else always passes.
Source    Kubernetes API reference, JobStatus; the rules of batch validation and the Job strategy.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import parse_time
from busk8s.api.rules.cause import (
    IMMUTABLE,
    duplicate,
    invalid,
    not_negative,
    required,
    wrong,
)
from busk8s.errors import Cause

Json = dict[str, Any]

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_TERMINAL = ("Failed", "Complete", "FailureTarget")
_CONDITIONS = "status.conditions"


def is_true(status: Json, kind: str) -> bool:
    return any(
        each.get("type") == kind and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )


def validate_job_status(new: Json, old: Json, causes: list[Cause]) -> None:
    status, was = new.get("status") or {}, old.get("status") or {}
    for name in _COUNTS:
        causes += not_negative(f"status.{name}", status.get(name))
    _validate_uncounted(status.get("uncountedTerminatedPods") or {}, causes)
    _validate_outcome(status, was, causes)
    _validate_times(status, was, causes)
    _validate_finished(new.get("spec") or {}, status, was, causes)
    _validate_indexes(new.get("spec") or {}, status, was, causes)
    ready = status.get("ready")
    if (
        ready is not None
        and ready > status.get("active", 0)
        and _differ(status, was, "ready", "active")
    ):
        causes.append(invalid("status.ready", ready, "cannot set more ready pods than active"))
    _validate_criteria(new.get("spec") or {}, status, causes)
    _validate_transition(new.get("spec") or {}, status, was, causes)


def _differ(status: Json, was: Json, *names: str) -> bool:
    return any(status.get(name) != was.get(name) for name in names)


def _turned(status: Json, was: Json, *kinds: str) -> bool:
    return any(is_true(status, kind) != is_true(was, kind) for kind in kinds)


def _finished(status: Json) -> bool:
    return is_true(status, "Complete") or is_true(status, "Failed")


def _validate_uncounted(pods: Json, causes: list[Cause]) -> None:
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for index, uid in enumerate(pods.get(name) or ()):
            path = f"status.uncountedTerminatedPods.{name}[{index}]"
            if not uid:
                causes.append(invalid(path, uid, "must not be empty"))
            elif uid in seen:
                causes.append(duplicate(path, uid))
            seen.add(uid)


def _validate_outcome(status: Json, was: Json, causes: list[Cause]) -> None:
    complete, failed = is_true(status, "Complete"), is_true(status, "Failed")
    to_fail = is_true(status, "FailureTarget")
    if complete and failed and _turned(status, was, "Complete", "Failed"):
        causes.append(wrong(_CONDITIONS, "cannot set Complete=True and Failed=true conditions"))
    if complete and to_fail and _turned(status, was, "Complete", "FailureTarget"):
        detail = "cannot set Complete=True and FailureTarget=true conditions"
        causes.append(wrong(_CONDITIONS, detail))


def _validate_times(status: Json, was: Json, causes: list[Cause]) -> None:
    end, start = status.get("completionTime"), status.get("startTime")
    complete, path = is_true(status, "Complete"), "status.completionTime"
    if _turned(status, was, "Complete") or _differ(status, was, "completionTime"):
        if end is not None and not complete:
            detail = "cannot set completionTime when there is no Complete=True condition"
            causes.append(invalid(path, end, detail))
        if end is None and complete:
            causes.append(required(path, "completionTime is required for Complete jobs"))
    moved = _differ(status, was, "completionTime", "startTime")
    if end and start and moved and parse_time(end) < parse_time(start):
        causes.append(invalid(path, end, "must be equal to or after `startTime`"))
    failed = is_true(status, "Failed") and not is_true(status, "FailureTarget")
    if failed and (_turned(status, was, "Failed") or _differ(status, was, "failedIndexes")):
        detail = "cannot set Failed=True condition without the FailureTarget=true condition"
        causes.append(wrong(_CONDITIONS, detail))
    early = complete and not is_true(status, "SuccessCriteriaMet")
    if early and _turned(status, was, "Complete", "SuccessCriteriaMet"):
        detail = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        causes.append(wrong(_CONDITIONS, detail))


def _validate_finished(spec: Json, status: Json, was: Json, causes: list[Cause]) -> None:
    """Nothing of a finished Job runs, ends or waits to be counted."""
    if not _finished(status):
        return
    turned = not _finished(was)
    active, terminating = status.get("active", 0), status.get("terminating") or 0
    if active > 0 and (turned or _differ(status, was, "active")):
        detail = "active>0 is invalid for finished job"
        causes.append(invalid("status.active", active, detail))
    never = bool(spec.get("suspend")) and spec.get("completions") == 0
    begun = status.get("startTime") is not None or never
    if not begun and (turned or _differ(status, was, "startTime")):
        detail = "startTime is required for finished job"
        causes.append(required("status.startTime", detail))
    uncounted = status.get("uncountedTerminatedPods") or {}
    if any(uncounted.values()) and (turned or _differ(status, was, "uncountedTerminatedPods")):
        path = "status.uncountedTerminatedPods"
        causes.append(invalid(path, uncounted, "must be empty for finished job"))
    if terminating > 0 and (turned or _differ(status, was, "terminating")):
        detail = "terminating>0 is invalid for finished job"
        causes.append(invalid("status.terminating", terminating, detail))


def _validate_indexes(spec: Json, status: Json, was: Json, causes: list[Cause]) -> None:
    completions = spec.get("completions")
    done, failed = status.get("completedIndexes") or "", status.get("failedIndexes")
    done_path, failed_path = "status.completedIndexes", "status.failedIndexes"
    if _differ(status, was, "completedIndexes") and done:
        if completions is not None:
            try:
                intervals(done, completions)
            except ValueError as error:
                detail = f"error parsing completedIndexes: {error}"
                causes.append(invalid(done_path, done, detail))
        if spec.get("completionMode") != "Indexed":
            detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
            causes.append(invalid(done_path, done, detail))
    if _differ(status, was, "failedIndexes") and failed is not None:
        if spec.get("backoffLimitPerIndex") is None:
            detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            causes.append(invalid(failed_path, failed, detail))
        elif completions is not None:
            try:
                intervals(failed, completions)
            except ValueError as error:
                detail = f"error parsing failedIndexes: {error}"
                causes.append(invalid(failed_path, failed, detail))
    if (
        completions is not None
        and failed
        and _differ(status, was, "failedIndexes", "completedIndexes")
    ):
        both = _overlap(done, failed, completions)
        if both is not None:
            detail = f"failedIndexes and completedIndexes overlap at index: {both}"
            causes.append(invalid(failed_path, failed, detail))


def intervals(text: str, completions: int) -> list[tuple[int, int]]:
    """`1,3-5` as pairs, both ends in. ValueError in upstream's words."""
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        first, last = _interval(part, completions)
        if found and found[-1][1] >= first:
            raise ValueError(f"non-increasing order, previous: {found[-1][1]}, current: {first}")
        found.append((first, last))
    return found


def _interval(part: str, completions: int) -> tuple[int, int]:
    limits = part.split("-")
    if len(limits) > 2:
        raise ValueError(
            f'the fragment "{part}" violates the requirement that an index interval can have at '
            "most two parts separated by '-'"
        )
    numbers = []
    for limit in limits:
        if not (limit.isascii() and limit.isdigit()):
            raise ValueError(f'cannot convert string to integer for index: "{limit}"')
        numbers.append(int(limit))
        if numbers[-1] >= completions:
            raise ValueError(f'too large index: "{limit}"')
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise ValueError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]


def _overlap(done: str, failed: str, completions: int) -> int | None:
    """The first index that is in both; texts that cannot be read are told of elsewhere."""
    try:
        completed, lost = intervals(done, completions), intervals(failed, completions)
    except ValueError:
        return None
    at = 0
    for first, last in lost:
        while at < len(completed) and completed[at][1] < first:
            at += 1
        if at < len(completed) and completed[at][0] <= last:
            return max(first, completed[at][0])
    return None


def _validate_criteria(spec: Json, status: Json, causes: list[Cause]) -> None:
    met = is_true(status, "SuccessCriteriaMet")
    for kind, shown in (("Failed", "Failed"), ("FailureTarget", "FailureTarget")):
        if met and is_true(status, kind):
            detail = f"cannot set SuccessCriteriaMet=True and {shown}=true conditions"
            causes.append(wrong(_CONDITIONS, detail))
    if spec.get("successPolicy") is not None and not met and is_true(status, "Complete"):
        detail = (
            "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        )
        causes.append(wrong(_CONDITIONS, detail))


def _validate_transition(spec: Json, status: Json, was: Json, causes: list[Cause]) -> None:
    for kind in _TERMINAL:
        if is_true(was, kind) and not is_true(status, kind):
            detail = f"cannot disable the terminal {kind}=True condition"
            causes.append(wrong(_CONDITIONS, detail))
    failed, succeeded = status.get("failed", 0), status.get("succeeded", 0)
    if failed < was.get("failed", 0):
        causes.append(invalid("status.failed", failed, "cannot decrease the failed counter"))
    elastic = spec.get("completionMode") == "Indexed" and (
        spec.get("completions") == spec.get("parallelism")
    )
    if succeeded < was.get("succeeded", 0) and not elastic:
        detail = "cannot decrease the succeeded counter"
        causes.append(invalid("status.succeeded", succeeded, detail))
    end, ended = status.get("completionTime"), was.get("completionTime")
    if end is not None and ended is not None and end != ended:
        causes.append(invalid("status.completionTime", end, IMMUTABLE))
    start, started = status.get("startTime"), was.get("startTime")
    resumes = is_true(was, "Suspended") and not is_true(status, "Suspended")
    if started is not None and start != started and not spec.get("suspend") and not resumes:
        detail = "field is immutable for unsuspended job once set"
        causes.append(invalid("status.startTime", start, detail))
    if is_true(was, "SuccessCriteriaMet") and not is_true(status, "SuccessCriteriaMet"):
        causes.append(wrong(_CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition"))
    if (
        is_true(was, "Complete")
        and not is_true(was, "SuccessCriteriaMet")
        and is_true(status, "SuccessCriteriaMet")
    ):
        detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        causes.append(wrong(_CONDITIONS, detail))

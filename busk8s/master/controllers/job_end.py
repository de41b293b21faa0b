"""Whether a Job is to end, and how: limits, deadline, policies, enough success. Pure.

Owns      verdicts, in upstream's order: what failed comes before what is enough.
Leaves    carrying the end out (job_plan), what pods count for (job_count).
Invariant an end that was announced in the status stays, whatever the pods do afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable

from busk8s.api.meta import parse_time
from busk8s.api.object import Json, Object
from busk8s.master.controllers.children import condition, spec_of, status_of
from busk8s.master.controllers.job_count import Tally, completions_of, is_indexed
from busk8s.master.controllers.job_failures import limit_per_index, match
from busk8s.master.controllers.job_pods import parse_indexes

BACKOFF_LIMIT = 6

Verdict = tuple[str, str, str]  # condition type, reason, message
DONE: Verdict = ("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
TOO_MANY: Verdict = (
    "Failed",
    "BackoffLimitExceeded",
    "Job has reached the specified backoff limit",
)
TOO_LATE: Verdict = (
    "Failed",
    "DeadlineExceeded",
    "Job was active longer than specified deadline",
)
TOO_MANY_INDEXES: Verdict = (
    "Failed",
    "MaxFailedIndexesExceeded",
    "Job has exceeded the specified maximal number of failed indexes",
)
SOME_INDEXES: Verdict = ("Failed", "FailedIndexes", "Job has failed indexes")
TARGETS = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}


def ended(job: Object) -> Json | None:
    """The condition that says that the Job is over."""
    for type_ in ("Complete", "Failed"):
        found = condition(status_of(job), type_)
        if found is not None and found.get("status") == "True":
            return found
    return None


def announced(job: Object) -> Verdict | None:
    """The end that was announced already: it stays, whatever the pods do now."""
    for type_, target in TARGETS.items():
        found = condition(status_of(job), target)
        if found is not None and found.get("status") == "True":
            return type_, found.get("reason", ""), found.get("message", "")
    return None


def judge(job: Object, tally: Tally, now: float) -> Verdict | None:
    """Whether the Job is to end now, and how."""
    spec = spec_of(job)
    for pod in tally.broken:
        found = match(job, pod)
        if found.action == "FailJob":
            return "Failed", "PodFailurePolicy", found.message
    limit = spec.get("backoffLimit")
    limit = BACKOFF_LIMIT if limit is None else int(limit)
    if tally.failures > limit or _restarted_too_often(job, tally.active, limit):
        return TOO_MANY
    remaining_s = deadline_in_s(job, status_of(job), now)
    if remaining_s is not None and remaining_s <= 0 and not spec.get("suspend"):
        return TOO_LATE
    if is_indexed(job) and (verdict := _by_indexes(job, tally)) is not None:
        return verdict
    completions = spec.get("completions")
    if completions is not None:
        return DONE if tally.successes >= int(completions) else None
    return DONE if tally.successes and not (tally.active or tally.terminating) else None


def deadline_in_s(job: Object, status: Json, now: float) -> float | None:
    allowed_s, start = spec_of(job).get("activeDeadlineSeconds"), status.get("startTime")
    if allowed_s is None or not start:
        return None
    return parse_time(start) + float(allowed_s) - now


def _restarted_too_often(job: Object, active: Iterable[Object], limit: int) -> bool:
    """Containers that are restarted in place count as failures, too."""
    template = spec_of(job).get("template") or {}
    if (template.get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        int(container.get("restartCount") or 0)
        for pod in active
        for container in status_of(pod).get("containerStatuses") or ()
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _by_indexes(job: Object, tally: Tally) -> Verdict | None:
    failed = len(tally.failed_indexes)
    if failed and limit_per_index(job) is not None:
        most = spec_of(job).get("maxFailedIndexes")
        if most is not None and failed > int(most):
            return TOO_MANY_INDEXES
        if failed + len(tally.indexes) >= completions_of(job):
            return SOME_INDEXES
    policy = spec_of(job).get("successPolicy") or {}
    for number, rule in enumerate(policy.get("rules") or () if tally.indexes else ()):
        if _is_enough(rule, tally.indexes):
            return "Complete", "SuccessPolicy", f"Matched rules at index {number}"
    return None


def _is_enough(rule: Json, succeeded: set[int]) -> bool:
    count, text = rule.get("succeededCount"), rule.get("succeededIndexes")
    if text is None:
        return count is not None and len(succeeded) >= int(count)
    wanted = parse_indexes(text)
    found = len(wanted & succeeded)
    return bool(wanted) and (found == len(wanted) or (count is not None and found >= int(count)))

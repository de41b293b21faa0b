"""What a failed pod means to its Job: by its policy, and by the index it had. Pure.

Owns      matching of podFailurePolicy, failures counted for each index, the back-off of an index.
Leaves    counting (job_count), whether the Job ends (job_end).
Invariant how often an index has failed is written in its newest pod, so the last failed pod of an
          index is kept until there is another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from busk8s.api.object import Json, Object
from busk8s.master.controllers.children import spec_of, status_of
from busk8s.master.controllers.job_pods import finished_at, growing_backoff, index_of

FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


@dataclass(frozen=True, slots=True)
class Match:
    """Which rule a failed pod falls under; `message` is for the Job when it fails by it."""

    action: str
    message: str


COUNTED = Match("Count", "")  # What no rule is about.


def is_failed(job: Object, pod: Object, *, going: bool) -> bool:
    """Where only failed pods are replaced, one that is on its way out is waited for."""
    phase = status_of(pod).get("phase")
    if phase == "Failed":
        return True
    return going and phase != "Succeeded" and not replaces_failed_only(job)


def replaces_failed_only(job: Object) -> bool:
    return spec_of(job).get("podReplacementPolicy") == "Failed"


def match(job: Object, pod: Object) -> Match:
    """The first rule that a failed pod falls under."""
    policy = spec_of(job).get("podFailurePolicy") or {}
    for number, rule in enumerate(policy.get("rules") or ()):
        action = rule["action"]
        where = f"matching {action} rule at index {number}"
        if "onExitCodes" in rule:
            if ended := _by_exit_code(status_of(pod), rule["onExitCodes"]):
                name, code = ended
                text = f"Container {name} for pod {pod.key} failed with exit code {code} {where}"
                return Match(action, text)
        elif kind := _by_condition(status_of(pod), rule.get("onPodConditions") or ()):
            return Match(action, f"Pod {pod.key} has condition {kind} {where}")
    return COUNTED


def _by_exit_code(status: Json, wanted: Json) -> tuple[str, int] | None:
    """(container, exit code) of the first that failed so."""
    only, values = wanted.get("containerName"), wanted.get("values") or ()
    for field in ("containerStatuses", "initContainerStatuses"):
        for container in status.get(field) or ():
            ended = (container.get("state") or {}).get("terminated")
            code = (ended or {}).get("exitCode", 0)
            if code == 0 or only not in (None, container.get("name")):
                continue
            if (code in values) is (wanted.get("operator") == "In"):
                return container["name"], code
    return None


def _by_condition(status: Json, patterns: Iterable[Json]) -> str:
    wanted = [(p.get("type"), p.get("status", "True")) for p in patterns]
    for found in status.get("conditions") or ():
        if (found.get("type"), found.get("status")) in wanted:
            return str(found["type"])
    return ""


# -- by index --------------------------------------------------------------------------------------


def limit_per_index(job: Object) -> int | None:
    limit = spec_of(job).get("backoffLimitPerIndex")
    return None if limit is None else int(limit)


def failures_before(pod: Object, annotation: str = FAILURES) -> int:
    """How often pods of this index had failed when this one was made."""
    text = (pod.metadata.get("annotations") or {}).get(annotation, "")
    return int(text) if text.isdecimal() else 0


def fails_index(job: Object, pod: Object) -> bool:
    """Whether the index of a failed pod is not tried again."""
    action, limit = match(job, pod).action, limit_per_index(job)
    if limit is None or action == "Ignore":
        return False
    return action == "FailIndex" or failures_before(pod) >= limit


def annotations_after(job: Object, last: Object | None) -> dict[str, str]:
    """What the pod that follows `last` (None: the first of its index) knows of failures."""
    if last is None:
        return {FAILURES: "0"}
    counted, ignored = failures_before(last), failures_before(last, IGNORED)
    if match(job, last).action == "Ignore":
        ignored += 1
    else:
        counted += 1
    return {FAILURES: str(counted)} | ({IGNORED: str(ignored)} if ignored else {})


def index_backoff_until(last: Object | None) -> float:
    """No new pod of the index before."""
    if last is None:
        return 0.0
    failures = failures_before(last) + failures_before(last, IGNORED) + 1
    return (finished_at(last) or 0.0) + growing_backoff(failures)


def last_failed(failed: Iterable[Object]) -> dict[int, Object]:
    """Index -> the failed pod that knows most of its index."""
    found: dict[int, Object] = {}
    for pod in failed:
        index = index_of(pod)
        if index is not None and (index not in found or _age(found[index]) <= _age(pod)):
            found[index] = pod
    return found


def _age(pod: Object) -> tuple[int, float]:
    known = failures_before(pod) + failures_before(pod, IGNORED)
    return known, finished_at(pod) or 0.0

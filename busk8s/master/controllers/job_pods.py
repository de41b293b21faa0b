"""Pods of a Job: what one looks like, which index it has, which of them are given up. Pure.

Owns      the pod made from a Job, completion indexes and their text, who goes first, back-off.
Leaves    how many there are to be and what they count for (job_plan).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count, islice

from busk8s.api.meta import parse_time
from busk8s.api.object import Json, Object
from busk8s.master.controllers.children import (
    controller_reference,
    is_ready,
    spec_of,
    status_of,
)

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
NO_NOTES: Mapping[str, str] = {}
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
BACKOFF_FIRST_S = 10.0  # As Kubernetes: 10 s after the first failure, doubled up to 10 min.
BACKOFF_MAX_S = 600.0
BACKOFF_DOUBLINGS_MAX = 16  # Far beyond BACKOFF_MAX_S; keeps the power small.


def pod_for(job: Object, index: int | None, notes: Mapping[str, str] = NO_NOTES) -> Json:
    """The pod of the template; of an Indexed Job it knows its index in every way upstream has.

    `notes`: annotations of ours.
    """
    template = spec_of(job).get("template") or {}
    given, spec = template.get("metadata") or {}, template.get("spec") or {}
    labels, annotations = dict(given.get("labels") or {}), dict(given.get("annotations") or {})
    base = f"{job.name}-"
    if index is not None:
        base = f"{job.name}-{index}-"
        labels[INDEX] = annotations[INDEX] = str(index)
        spec = _with_index(spec, f"{job.name}-{index}")
    annotations |= notes
    metadata: Json = {"generateName": base, "namespace": job.namespace, "labels": labels}
    if annotations:
        metadata["annotations"] = annotations
    metadata["finalizers"] = [*(given.get("finalizers") or ()), FINALIZER]
    metadata["ownerReferences"] = [controller_reference(job)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _with_index(spec: Json, hostname: str) -> Json:
    spec = {**spec, "hostname": hostname}
    for field in ("containers", "initContainers"):
        if spec.get(field):
            spec[field] = [_with_variable(container) for container in spec[field]]
    return spec


def _with_variable(container: Json) -> Json:
    env = container.get("env") or []
    if any(variable["name"] == INDEX_VARIABLE for variable in env):
        return container
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
    return {**container, "env": [*env, {"name": INDEX_VARIABLE, "valueFrom": source}]}


def is_tracked(pod: Object) -> bool:
    """Whether the pod waits for us to count it."""
    return FINALIZER in (pod.metadata.get("finalizers") or ())


def index_of(pod: Object) -> int | None:
    text = pod.labels.get(INDEX, "")
    return int(text) if text.isdecimal() else None


def parse_indexes(text: str) -> set[int]:
    """`0-2,5` as numbers; what cannot be read is left out."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if first.isdecimal() and (not last or last.isdecimal()):
            found.update(range(int(first), int(last or first) + 1))
    return found


def render_indexes(indexes: Iterable[int]) -> str:
    """Numbers as `0-2,5`: runs of three or more by their ends."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(_run(first, last) for first, last in runs)


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"


def free_indexes(wanted: int, completions: int, taken: set[int]) -> list[int]:
    """The first `wanted` indexes that nobody has."""
    free = (index for index in count() if index not in taken)
    return [index for index in islice(free, wanted) if index < completions]


def cheapest_first(pods: Iterable[Object]) -> list[Object]:
    """Unbound before bound, pending before running, unready before ready, young before old."""

    def cost(pod: Object) -> tuple[object, ...]:
        born = pod.metadata.get("creationTimestamp")
        return (
            bool(spec_of(pod).get("nodeName")),
            status_of(pod).get("phase") == "Running",
            is_ready(pod),
            -parse_time(born) if born else 0.0,
            pod.uid,
        )

    return sorted(pods, key=cost)


def surplus(active: Sequence[Object], excess: int, completions: int | None) -> list[Object]:
    """Who goes: of an Indexed Job (`completions` given) first who has a wrong or a second index."""
    gone: list[Object] = []
    rest = cheapest_first(active)
    if completions is not None:
        seen: set[int] = set()
        for pod in reversed(list(rest)):
            index = index_of(pod)
            if index is None or index >= completions or index in seen:
                gone.append(pod)
                rest.remove(pod)
            else:
                seen.add(index)
    return [*gone, *rest[: max(0, excess - len(gone))]]


def finished_at(pod: Object) -> float | None:
    """When its last container ended, as far as that is known."""
    status = status_of(pod)
    stamp: str | None = status.get("finishedAt")
    for found in status.get("conditions") or ():
        if stamp is None and found.get("type") == "Ready":
            stamp = found.get("lastTransitionTime")
    stamp = stamp or pod.metadata.get("creationTimestamp")
    return parse_time(stamp) if stamp else None


def backoff_until(pods: Iterable[Object]) -> float:
    """No new pod before: the more pods failed since one succeeded, the later.

    Differs from Kubernetes: read from the pods themselves, so it survives a restart; a pod that
    somebody deleted is replaced at once.
    """
    failed: list[float] = []
    succeeded = 0.0
    for pod in pods:
        phase = status_of(pod).get("phase")
        at = finished_at(pod) or 0.0
        if phase == "Failed":
            failed.append(at)
        elif phase == "Succeeded":
            succeeded = max(succeeded, at)
    since = [at for at in failed if at > succeeded]
    if not since:
        return 0.0
    return max(since) + growing_backoff(len(since))


def growing_backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row (one at least)."""
    doublings = min(failures - 1, BACKOFF_DOUBLINGS_MAX)
    return min(BACKOFF_FIRST_S * 2.0**doublings, BACKOFF_MAX_S)

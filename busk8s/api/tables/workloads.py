"""Rows of the workload kinds: deployments and what they own, jobs, scaling, disruption.

Owns      their columns and cells.
Leaves    pods (tables/pod).
Invariant as tables/column.
"""

from __future__ import annotations

from collections.abc import Mapping

from busk8s.api.meta import parse_time
from busk8s.api.tables.column import (
    NONE,
    UNKNOWN,
    UNSET,
    Cells,
    Json,
    Printer,
    age,
    at,
    columns,
    container_cells,
    first_few,
    human_duration,
    labels_text,
    name_of,
    selector_text,
    since,
)

HPA_METRICS_SHOWN_MAX = 2
# Conditions that name a job's state, in the order in which they win.
_JOB_ENDED = (("Complete", "Complete"), ("Failed", "Failed"))
_JOB_GOING = (
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)


def _template(obj: Json) -> tuple[str, str]:
    return container_cells(at(obj, "spec", "template"))


def _number(obj: Json, *path: str) -> int:
    return int(at(obj, *path) or 0)


def _deployment(obj: Json, now: float) -> Cells:
    ready, desired = _number(obj, "status", "readyReplicas"), _number(obj, "spec", "replicas")
    updated = _number(obj, "status", "updatedReplicas")
    available = _number(obj, "status", "availableReplicas")
    selector = selector_text(at(obj, "spec", "selector"))
    head = [name_of(obj), f"{ready}/{desired}", updated, available, age(obj, now)]
    return [*head, *_template(obj), selector]


def _counts(obj: Json) -> Cells:
    spec, status = ("spec", "replicas"), ("status", "replicas")
    return [_number(obj, *spec), _number(obj, *status), _number(obj, "status", "readyReplicas")]


def _replica_set(obj: Json, now: float) -> Cells:
    selector = selector_text(at(obj, "spec", "selector"))
    return [name_of(obj), *_counts(obj), age(obj, now), *_template(obj), selector]


def _replication_controller(obj: Json, now: float) -> Cells:
    selector = labels_text(at(obj, "spec", "selector"))
    return [name_of(obj), *_counts(obj), age(obj, now), *_template(obj), selector]


def _stateful_set(obj: Json, now: float) -> Cells:
    ready, desired = _number(obj, "status", "readyReplicas"), _number(obj, "spec", "replicas")
    return [name_of(obj), f"{ready}/{desired}", age(obj, now), *_template(obj)]


def _daemon_set(obj: Json, now: float) -> Cells:
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    counts = [_number(obj, "status", name) for name in names]
    nodes = labels_text(at(obj, "spec", "template", "spec", "nodeSelector"))
    selector = selector_text(at(obj, "spec", "selector"))
    return [name_of(obj), *counts, nodes, age(obj, now), *_template(obj), selector]


def _job(obj: Json, now: float) -> Cells:
    selector = selector_text(at(obj, "spec", "selector"))
    head = [name_of(obj), _job_status(obj), _job_completions(obj), _job_duration(obj, now)]
    return [*head, age(obj, now), *_template(obj), selector]


def _job_status(obj: Json) -> str:
    true = {
        c.get("type") for c in at(obj, "status", "conditions") or () if c.get("status") == "True"
    }
    for condition, word in _JOB_ENDED:
        if condition in true:
            return word
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    return next((word for condition, word in _JOB_GOING if condition in true), "Running")


def _job_completions(obj: Json) -> str:
    succeeded = _number(obj, "status", "succeeded")
    completions = at(obj, "spec", "completions")
    if completions is not None:
        return f"{succeeded}/{completions}"
    parallelism = _number(obj, "spec", "parallelism")
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(obj: Json, now: float) -> str:
    start, end = at(obj, "status", "startTime"), at(obj, "status", "completionTime")
    if not start:
        return ""
    return human_duration((parse_time(end) if end else now) - parse_time(start))


def _cron_job(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    last = at(obj, "status", "lastScheduleTime")
    template = at(spec, "jobTemplate", "spec") or {}
    return [
        name_of(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        {None: UNSET, True: "True", False: "False"}[spec.get("suspend")],
        len(at(obj, "status", "active") or ()),
        since(last, now) if last else NONE,
        age(obj, now),
        *container_cells(template.get("template")),
        selector_text(template.get("selector")),
    ]


def _controller_revision(obj: Json, now: float) -> Cells:
    owners = obj["metadata"].get("ownerReferences") or ()
    owner = next((o for o in owners if o.get("controller")), None)
    controller = NONE
    if owner:
        group = owner.get("apiVersion", "").rpartition("/")[0]
        kind = owner.get("kind", "").lower() + (f".{group}" if group else "")
        controller = f"{kind}/{owner.get('name', '')}"
    return [name_of(obj), controller, int(obj.get("revision", 0)), age(obj, now)]


def _disruption_budget(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        name_of(obj),
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        _number(obj, "status", "disruptionsAllowed"),
        age(obj, now),
    ]


def _autoscaler(obj: Json, now: float) -> Cells:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        name_of(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics_text(spec, status),
        UNSET if least is None else str(least),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas") or 0,
        age(obj, now),
    ]


def _metrics_text(spec: Json, status: Json) -> str:
    if wanted := spec.get("targetCPUUtilizationPercentage"):  # autoscaling/v1
        current = status.get("currentCPUUtilizationPercentage")
        return f"cpu: {UNKNOWN if current is None else f'{current}%'}/{wanted}%"
    current_metrics = status.get("currentMetrics") or ()
    texts = [
        _metric_text(metric, current_metrics[number] if number < len(current_metrics) else {})
        for number, metric in enumerate(spec.get("metrics") or ())
    ]
    return first_few(texts, separator=", ", limit=HPA_METRICS_SHOWN_MAX) or NONE


_METRIC_MEMBERS: Mapping[str, str] = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def _metric_text(metric: Json, now_metric: Json) -> str:
    kind = metric.get("type", "")
    member = _METRIC_MEMBERS.get(kind)
    if member is None:
        return "<unknown type>"
    target = at(metric, member, "target") or {}
    current = at(now_metric, member, "current") or {}
    if kind in ("Resource", "ContainerResource"):
        return f"{at(metric, member, 'name')}: {_resource_metric(target, current)}"
    if "averageValue" in target:
        text = f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']}"
        return text if kind == "Pods" else text + " (avg)"
    return f"{current.get('value', UNKNOWN)}/{target.get('value', UNKNOWN)}"


def _resource_metric(target: Json, current: Json) -> str:
    if "averageValue" in target:
        return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']}"
    used, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    return (
        f"{UNKNOWN if used is None else f'{used}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"
    )


def _pod_template(obj: Json, _now: float) -> Cells:
    template = obj.get("template") or {}
    return [
        name_of(obj),
        *container_cells(template),
        labels_text(at(template, "metadata", "labels")),
    ]


_SCALED = "Name|#Desired|#Current|#Ready|Age|+Containers|+Images|+Selector"
PRINTERS = {
    "deployments.apps": Printer(
        columns("Name|Ready|Up-to-date|Available|Age|+Containers|+Images|+Selector"), _deployment
    ),
    "replicasets.apps": Printer(columns(_SCALED), _replica_set),
    "replicationcontrollers": Printer(columns(_SCALED), _replication_controller),
    "statefulsets.apps": Printer(columns("Name|Ready|Age|+Containers|+Images"), _stateful_set),
    "daemonsets.apps": Printer(
        columns(
            "Name|#Desired|#Current|#Ready|#Up-to-date|#Available|Node Selector|Age"
            "|+Containers|+Images|+Selector"
        ),
        _daemon_set,
    ),
    "jobs.batch": Printer(
        columns("Name|Status|Completions|Duration|Age|+Containers|+Images|+Selector"), _job
    ),
    "cronjobs.batch": Printer(
        columns(
            "Name|Schedule|Timezone|Suspend|#Active|Last Schedule|Age|+Containers|+Images|+Selector"
        ),
        _cron_job,
    ),
    "controllerrevisions.apps": Printer(
        columns("Name|Controller|#Revision|Age"), _controller_revision
    ),
    "poddisruptionbudgets.policy": Printer(
        columns("Name|Min Available|Max Unavailable|#Allowed Disruptions|Age"), _disruption_budget
    ),
    "horizontalpodautoscalers.autoscaling": Printer(
        columns("Name|Reference|Targets|MinPods|MaxPods|Replicas|Age"), _autoscaler
    ),
    "podtemplates": Printer(columns("Name|Containers|Images|Pod Labels"), _pod_template),
}

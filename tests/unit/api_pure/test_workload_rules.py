"""Rules of the kinds that make pods: what is said, where, on create, update and status."""

from __future__ import annotations

from typing import Any

import pytest
from rule_cases import created, status_updated, stored, updated

from busk8s.api.scheme import (
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    PODDISRUPTIONBUDGETS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    STATEFULSETS,
    Resource,
)
from busk8s.api.validation import validate_create

Json = dict[str, Any]

POD: Json = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE: Json = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
SELECTED: Json = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
ROLLING = "spec.updateStrategy.rollingUpdate"
NO_MATCH = "spec.template.metadata.labels: invalid: `selector` does not match template `labels`"


def with_pod(**fields: Any) -> Json:
    return {**SELECTED, "template": {**TEMPLATE, "spec": {**POD, **fields}}}


@pytest.mark.parametrize(
    ("resource", "spec", "want"),
    [
        pytest.param(DEPLOYMENTS, SELECTED, [], id="a deployment"),
        pytest.param(
            DEPLOYMENTS,
            {"template": TEMPLATE},
            ["spec.selector: required", NO_MATCH],
            id="a deployment without a selector",
        ),
        pytest.param(
            DEPLOYMENTS,
            {**SELECTED, "selector": {}},
            ["spec.selector: invalid: empty selector is invalid for deployment"],
            id="a deployment with an empty selector",
        ),
        pytest.param(
            DEPLOYMENTS,
            {**SELECTED, "selector": {"matchLabels": {"a": "c"}}},
            [NO_MATCH],
            id="a selector of other labels",
        ),
        pytest.param(
            DEPLOYMENTS,
            {**SELECTED, "strategy": {"type": "Sideways"}},
            [
                'spec.strategy: unsupported: {"type":"Sideways"}: supported values: '
                '"Recreate", "RollingUpdate"'
            ],
            id="no such strategy",
        ),
        pytest.param(
            REPLICASETS,
            with_pod(restartPolicy="Never", activeDeadlineSeconds=5),
            [
                'spec.template.spec.restartPolicy: unsupported: "Never": supported values: '
                '"Always"',
                "spec.template.spec.activeDeadlineSeconds: forbidden: activeDeadlineSeconds in "
                "ReplicaSet is not Supported",
            ],
            id="pods of a replica set are started again",
        ),
        pytest.param(
            DAEMONSETS, {"template": TEMPLATE}, [NO_MATCH], id="a daemon set without a selector"
        ),
        pytest.param(
            DAEMONSETS,
            {**SELECTED, "updateStrategy": {"type": "Sideways"}},
            [
                'spec.updateStrategy: unsupported: {"type":"Sideways"}: supported values: '
                '"RollingUpdate", "OnDelete"'
            ],
            id="a daemon set's strategy",
        ),
        pytest.param(
            REPLICATIONCONTROLLERS,
            {"replicas": -1, "template": {"metadata": {}, "spec": POD}},
            [
                "spec.selector: required",
                "spec.replicas: invalid: must be greater than or equal to 0",
            ],
            id="a controller of fewer than none",
        ),
    ],
)
def test_created(resource: Resource, spec: Json, want: list[str]) -> None:
    assert created(resource, {"spec": spec}) == want


@pytest.mark.parametrize(
    ("rolling", "want"),
    [
        pytest.param({}, [], id="defaults"),
        pytest.param({"maxSurge": 1, "maxUnavailable": 0}, [], id="surge"),
        pytest.param(
            {"maxSurge": 1},
            [f"{ROLLING}.maxSurge: invalid: may not be set when maxUnavailable is non-zero"],
            id="both",
        ),
        pytest.param(
            {"maxUnavailable": 0},
            [f"{ROLLING}.maxUnavailable: required: cannot be 0 when maxSurge is 0"],
            id="neither",
        ),
        pytest.param(
            {"maxUnavailable": 0, "maxSurge": "101%"},
            [f"{ROLLING}.maxSurge: invalid: must not be greater than 100%"],
            id="more than all",
        ),
    ],
)
def test_daemon_updates(rolling: Json, want: list[str]) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert created(DAEMONSETS, {"spec": {**SELECTED, "updateStrategy": strategy}}) == want


STATEFUL: Json = {**SELECTED, "serviceName": "s"}
CLAIM: Json = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
MOUNTED: Json = {
    "containers": [
        {"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
    ]
}


@pytest.mark.parametrize(
    ("more", "want"),
    [
        pytest.param({}, [], id="as it should be"),
        pytest.param(
            {"volumeClaimTemplates": [CLAIM], "template": {**TEMPLATE, "spec": MOUNTED}},
            [],
            id="claims are volumes of its pods",
        ),
        pytest.param(
            {"template": {**TEMPLATE, "spec": MOUNTED}},
            ['spec.template.spec.containers[0].volumeMounts[0].name: not found: "data"'],
            id="a mount of no claim",
        ),
        pytest.param(
            {"podManagementPolicy": "Sideways"},
            ["spec.podManagementPolicy: invalid: must be 'OrderedReady' or 'Parallel'"],
            id="management",
        ),
        pytest.param(
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            [f"{ROLLING}: invalid: only allowed for updateStrategy 'RollingUpdate'"],
            id="rolling where nothing rolls",
        ),
        pytest.param(
            {"updateStrategy": {"type": "Sideways"}},
            ["spec.updateStrategy: invalid: must be 'RollingUpdate' or 'OnDelete'"],
            id="strategy",
        ),
        pytest.param(
            {"updateStrategy": {"rollingUpdate": {"partition": -1, "maxUnavailable": 0}}},
            [
                f"{ROLLING}.partition: invalid: must be greater than or equal to 0",
                f"{ROLLING}.maxUnavailable: invalid: cannot be 0",
            ],
            id="nothing may be unavailable",
        ),
        pytest.param(
            {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Maybe"}},
            [
                "spec.persistentVolumeClaimRetentionPolicy.whenScaled: unsupported: "
                '"Maybe": supported values: "Retain", "Delete"'
            ],
            id="retention",
        ),
        pytest.param(
            {"ordinals": {"start": -1}, "minReadySeconds": -1},
            [
                "spec.minReadySeconds: invalid: must be greater than or equal to 0",
                "spec.ordinals.start: invalid: must be greater than or equal to 0",
            ],
            id="numbers",
        ),
    ],
)
def test_stateful_sets(more: Json, want: list[str]) -> None:
    assert created(STATEFULSETS, {"spec": {**STATEFUL, **more}}) == want


FIXED = (
    "spec: forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
    "'template', 'updateStrategy', 'revisionHistoryLimit', "
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


@pytest.mark.parametrize(
    ("more", "want"),
    [
        pytest.param({"replicas": 3, "minReadySeconds": 1}, [], id="what may change"),
        pytest.param({"serviceName": "t"}, [FIXED], id="the service"),
        pytest.param({"volumeClaimTemplates": [CLAIM]}, [FIXED], id="the claims"),
    ],
)
def test_what_of_a_stateful_set_may_change(more: Json, want: list[str]) -> None:
    new = {"spec": {**STATEFUL, **more}}
    assert updated(STATEFULSETS, {"spec": STATEFUL}, new) == want


def test_a_stateful_set_with_a_bad_template_from_older_times_can_be_scaled() -> None:
    old = {**STATEFUL, "template": {**TEMPLATE, "spec": MOUNTED}}
    assert created(STATEFULSETS, {"spec": old})
    assert updated(STATEFULSETS, {"spec": old}, {"spec": {**old, "replicas": 3}}) == []


@pytest.mark.parametrize("resource", [DEPLOYMENTS, REPLICASETS, DAEMONSETS])
def test_selectors_stay(resource: Resource) -> None:
    wider = {**SELECTED, "selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
    found = updated(resource, {"spec": SELECTED}, {"spec": wider})
    assert found == ["spec.selector: invalid: field is immutable"]


def test_a_bad_label_value_in_a_stored_selector_is_let_pass() -> None:
    bad = {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["-x"]}]}
    spec = {**SELECTED, "selector": {**SELECTED["selector"], **bad}}
    path = "spec.selector.matchExpressions[0].values[0]"
    assert created(DAEMONSETS, {"spec": spec})[0].startswith(f"{path}: invalid: a valid label")
    assert updated(DAEMONSETS, {"spec": spec}, {"spec": {**spec, "minReadySeconds": 1}}) == []


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param({"minAvailable": 1}, [], id="a number"),
        pytest.param({"maxUnavailable": "30%"}, [], id="a share"),
        pytest.param(
            {"minAvailable": 1, "maxUnavailable": 1},
            ["spec: invalid: minAvailable and maxUnavailable cannot be both set"],
            id="both",
        ),
        pytest.param(
            {"minAvailable": "101%"},
            ["spec.minAvailable: invalid: must not be greater than 100%"],
            id="more than all",
        ),
        pytest.param(
            {"minAvailable": -1},
            ["spec.minAvailable: invalid: must be greater than or equal to 0"],
            id="negative",
        ),
        pytest.param(
            {"unhealthyPodEvictionPolicy": "Maybe"},
            [
                'spec.unhealthyPodEvictionPolicy: unsupported: "Maybe": supported values: '
                '"AlwaysAllow", "IfHealthyBudget"'
            ],
            id="no such policy",
        ),
    ],
)
def test_budgets(spec: Json, want: list[str]) -> None:
    found = created(PODDISRUPTIONBUDGETS, {"spec": {"selector": SELECTED["selector"], **spec}})
    assert found == want


ALL = "cannot be greater than status.replicas"


@pytest.mark.parametrize(
    ("resource", "old", "new", "want"),
    [
        pytest.param(
            DEPLOYMENTS,
            {"collisionCount": 2},
            {"collisionCount": 1, "replicas": 1, "updatedReplicas": 2},
            [
                f"status.updatedReplicas: invalid: {ALL}",
                "status.collisionCount: invalid: cannot be decremented",
            ],
            id="a deployment",
        ),
        pytest.param(
            STATEFULSETS,
            {},
            {"replicas": 2, "readyReplicas": 1, "availableReplicas": 2, "currentReplicas": 3},
            [
                f"status.currentReplicas: invalid: {ALL}",
                "status.availableReplicas: invalid: cannot be greater than status.readyReplicas",
            ],
            id="a stateful set",
        ),
        pytest.param(
            DAEMONSETS,
            {},
            {"numberReady": -1},
            ["status.numberReady: invalid: must be greater than or equal to 0"],
            id="a daemon set",
        ),
        pytest.param(
            REPLICATIONCONTROLLERS,
            {},
            {"replicas": 1, "readyReplicas": 2},
            [f"status.readyReplicas: invalid: {ALL}"],
            id="a replication controller",
        ),
    ],
)
def test_counts(resource: Resource, old: Json, new: Json, want: list[str]) -> None:
    assert status_updated(resource, {"spec": SELECTED}, old, new) == want


OWN_LABELS = {
    "batch.kubernetes.io/controller-uid": "u-1",
    "batch.kubernetes.io/job-name": "x",
    "controller-uid": "u-1",
    "job-name": "x",
}
JOB: Json = {
    "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}},
    "template": {"metadata": {"labels": OWN_LABELS}, "spec": {**POD, "restartPolicy": "Never"}},
}


@pytest.mark.parametrize(
    ("more", "want"),
    [
        pytest.param({}, [], id="as it should be"),
        pytest.param(
            {"selector": {"matchLabels": {"a": "b"}}},
            ["spec.selector: invalid: `selector` not auto-generated", NO_MATCH],
            id="a selector of the user's own",
        ),
        pytest.param(
            {"completionMode": "Sometimes"},
            [
                'spec.completionMode: unsupported: "Sometimes": supported values: '
                '"NonIndexed", "Indexed"'
            ],
            id="mode",
        ),
        pytest.param(
            {"completionMode": "Indexed", "completions": 3, "parallelism": 100_001},
            [
                "spec.parallelism: invalid: must be less than or equal to 100000 when completion "
                "mode is Indexed"
            ],
            id="too many at once",
        ),
        pytest.param(
            {"managedBy": "acme"},
            ['spec.managedBy: invalid: must be a domain-prefixed path (such as "acme.io/foo")'],
            id="manager",
        ),
        pytest.param(
            {"managedBy": "acme.io/" + "x" * 60},
            ["spec.managedBy: too long: may not be more than 63 bytes"],
            id="manager's length",
        ),
    ],
)
def test_jobs(more: Json, want: list[str]) -> None:
    assert created(JOBS, {"spec": {**JOB, **more}}) == want


def test_labels_of_another_job_are_refused() -> None:
    labels = {**OWN_LABELS, "job-name": "y"}
    labels.pop("controller-uid")
    spec = {**JOB, "template": {**JOB["template"], "metadata": {"labels": labels}}}
    assert created(JOBS, {"spec": spec}) == [
        "spec.template.metadata.labels[controller-uid]: required: must be 'u-1'",
        "spec.template.metadata.labels[job-name]: invalid: must be 'x'",
    ]


def test_an_indexed_job_leaves_room_for_the_index_in_its_name() -> None:
    name = "n" * 62
    job = stored(JOBS, {"spec": {**JOB, "manualSelector": True}}, name=name)
    job["spec"] |= {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
    found = validate_create(JOBS, job)
    assert [cause.field for cause in found] == ["metadata.name"]
    assert found[0].message.endswith(
        f"will not able to create pod with invalid DNS label: {name}-2"
    )


def job_with(pod: Json | None = None, **more: Any) -> Json:
    template = {**JOB["template"], "spec": {**JOB["template"]["spec"], **(pod or {})}}
    return {**JOB, "template": template, **more}


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(
            {"completions": 9}, {"completions": 9, "parallelism": 5}, [], id="parallelism"
        ),
        pytest.param(
            {"completions": 2},
            {"completions": 3},
            ["spec.completions: invalid: field is immutable"],
            id="completions",
        ),
        pytest.param(
            {"completions": 2, "parallelism": 2, "completionMode": "Indexed"},
            {"completions": 3, "parallelism": 3, "completionMode": "Indexed"},
            [],
            id="an indexed job grows",
        ),
        pytest.param(
            {"completions": 2, "parallelism": 2, "completionMode": "Indexed"},
            {"completions": 3, "parallelism": 2, "completionMode": "Indexed"},
            ["spec.completions: invalid: can only be modified in tandem with spec.parallelism"],
            id="an indexed job grows by halves",
        ),
        pytest.param(
            {},
            {"pod": {"nodeSelector": {"a": "b"}}},
            ["spec.template: invalid: field is immutable"],
            id="where it runs",
        ),
        pytest.param(
            {"suspend": True},
            {"suspend": True, "pod": {"nodeSelector": {"a": "b"}}},
            [],
            id="where it will run once resumed",
        ),
        pytest.param(
            {"suspend": True},
            {"suspend": True, "pod": {"hostNetwork": True}},
            ["spec.template: invalid: field is immutable"],
            id="what it runs stays even so",
        ),
        pytest.param(
            {"managedBy": "acme.io/x"},
            {"managedBy": "acme.io/y"},
            ["spec.managedBy: invalid: field is immutable"],
            id="manager",
        ),
    ],
)
def test_what_of_a_job_may_change(old: Json, new: Json, want: list[str]) -> None:
    assert updated(JOBS, {"spec": job_with(**old)}, {"spec": job_with(**new)}) == want


def condition(kind: str, status: str = "True") -> Json:
    return {"type": kind, "status": status}


START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
DONE: Json = {
    "startTime": START,
    "completionTime": END,
    "succeeded": 1,
    "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
}
COND = "status.conditions: invalid"


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param({}, {"startTime": START, "active": 1, "ready": 1}, [], id="it runs"),
        pytest.param({"startTime": START, "active": 1}, DONE, [], id="it is done"),
        pytest.param(
            {"startTime": START},
            {"startTime": START, "conditions": [condition("Complete")]},
            [
                "status.completionTime: required: completionTime is required for Complete jobs",
                f"{COND}: cannot set Complete=True condition without the "
                "SuccessCriteriaMet=true condition",
            ],
            id="done without a time",
        ),
        pytest.param(
            {"startTime": START},
            {**DONE, "completionTime": "2025-01-01T00:00:00Z", "active": 1, "terminating": 1},
            [
                "status.completionTime: invalid: must be equal to or after `startTime`",
                "status.active: invalid: active>0 is invalid for finished job",
                "status.terminating: invalid: terminating>0 is invalid for finished job",
            ],
            id="done before it began, and still at it",
        ),
        pytest.param(
            {},
            {"conditions": [condition("Failed")]},
            [
                f"{COND}: cannot set Failed=True condition without the FailureTarget=true "
                "condition",
                "status.startTime: required: startTime is required for finished job",
            ],
            id="failed out of nothing",
        ),
        pytest.param(
            DONE,
            {"startTime": START},
            [
                f"{COND}: cannot disable the terminal Complete=True condition",
                "status.succeeded: invalid: cannot decrease the succeeded counter",
                f"{COND}: cannot disable the SuccessCriteriaMet=True condition",
            ],
            id="undone",
        ),
        pytest.param(
            {"startTime": START, "active": 1},
            {"startTime": END, "active": 1, "ready": 2},
            [
                "status.ready: invalid: cannot set more ready pods than active",
                "status.startTime: invalid: field is immutable for unsuspended job once set",
            ],
            id="begun twice",
        ),
        pytest.param(
            {},
            {"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
            [
                "status.uncountedTerminatedPods.succeeded[1]: invalid: must not be empty",
                'status.uncountedTerminatedPods.failed[0]: duplicate: "a"',
            ],
            id="counted twice",
        ),
        pytest.param(
            {},
            {"completedIndexes": "0"},
            [
                "status.completedIndexes: invalid: cannot set non-empty completedIndexes when "
                "non-indexed completion mode"
            ],
            id="indexes of a job that has none",
        ),
    ],
)
def test_the_status_of_a_job(old: Json, new: Json, want: list[str]) -> None:
    assert status_updated(JOBS, {"spec": JOB}, old, new) == want


@pytest.mark.parametrize(
    ("done", "failed", "want"),
    [
        pytest.param("0,2-3", None, [], id="well"),
        pytest.param(
            "3,1",
            None,
            ["completedIndexes: non-increasing order, previous: 3, current: 1"],
            id="order",
        ),
        pytest.param("7", None, ['completedIndexes: too large index: "7"'], id="too large"),
        pytest.param(
            "x",
            None,
            ['completedIndexes: cannot convert string to integer for index: "x"'],
            id="no number",
        ),
    ],
)
def test_indexes(done: str, failed: str | None, want: list[str]) -> None:
    spec = {**JOB, "completionMode": "Indexed", "completions": 5, "parallelism": 5}
    found = status_updated(JOBS, {"spec": spec}, {}, {"completedIndexes": done})
    assert found == [f"status.completedIndexes: invalid: error parsing {each}" for each in want]


CRON: Json = {
    "schedule": "*/5 * * * *",
    "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
}
TZ = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"


@pytest.mark.parametrize(
    ("schedule", "want"),
    [
        ("*/5 0-6 1,15 jan-MAR sun", ""),
        ("@every 1h30m", ""),
        ("@hourly", ""),
        ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-2 * * * *", "beginning of range (5) beyond end of range (2): 5-2"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        (
            "x * * * *",
            'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax',
        ),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
        (
            "@every day",
            'failed to parse duration @every day: time: invalid duration "day"',
        ),
        ("TZ=UTC * * * * *", TZ),
    ],
)
def test_schedules(schedule: str, want: str) -> None:
    found = created(CRONJOBS, {"spec": {**CRON, "schedule": schedule}})
    assert found == ([f"spec.schedule: invalid: {want}"] if want else [])


@pytest.mark.parametrize(
    ("zone", "want"),
    [
        ("Europe/Berlin", ""),
        ("", "timeZone must be nil or non-empty string"),
        ("../etc", "unknown time zone ../etc"),
        ("Mars/Base", "unknown time zone Mars/Base"),
        (
            "Local",
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        ),
    ],
)
def test_time_zones(zone: str, want: str) -> None:
    found = created(CRONJOBS, {"spec": {**CRON, "timeZone": zone}})
    assert found == ([f"spec.timeZone: invalid: {want}"] if want else [])


def test_cron_jobs() -> None:
    job = {"spec": {**CRON["jobTemplate"]["spec"], "selector": {}, "manualSelector": True}}
    spec = {**CRON, "jobTemplate": job, "concurrencyPolicy": "Maybe"}
    name = "n" * 53
    assert created(CRONJOBS, {"spec": spec}, name=name) == [
        'spec.concurrencyPolicy: unsupported: "Maybe": supported values: "Allow", "Forbid", '
        '"Replace"',
        "spec.jobTemplate.spec.selector: invalid: `selector` will be auto-generated",
        'spec.jobTemplate.spec.manualSelector: unsupported: true: supported values: "nil", "false"',
        "metadata.name: invalid: must be no more than 52 characters",
    ]
    longer = {**CRON, "suspend": True}
    assert updated(CRONJOBS, {"spec": CRON}, {"spec": longer}, name=name) == []

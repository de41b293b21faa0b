"""What a Job may say of failures, indexes and success: one rule a row, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api import scheme
from busk8s.api.defaults import apply_defaults
from busk8s.api.rules.job_policies import count_indexes
from busk8s.api.validation import validate_create, validate_update

Json = dict[str, Any]
EXIT = {"operator": "In", "values": [1]}
MANY = 100_001


def job(restart: str = "Never", **spec: Any) -> Json:
    containers = [{"name": "c", "image": "i"}]
    pod = {"restartPolicy": restart, "containers": containers}
    selector = {"matchLabels": {"a": "b"}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
    made = {
        "metadata": {"name": "j", "namespace": "default", "uid": "u"},
        "spec": {"selector": selector, "manualSelector": True, "template": template, **spec},
    }
    apply_defaults(scheme.JOBS, made)
    return made


def indexed(**spec: Any) -> Json:
    return job(completionMode="Indexed", completions=spec.pop("completions", 5), **spec)


def rule(**fields: Any) -> Json:
    return job(podFailurePolicy={"rules": [{"action": "FailJob", **fields}]})


def codes(**fields: Any) -> Json:
    return rule(onExitCodes={**EXIT, **fields})


def enough(**fields: Any) -> Json:
    return indexed(successPolicy={"rules": [fields]})


def said(data: Json) -> list[str]:
    return [f"{c.field}: {c.message}" for c in validate_create(scheme.JOBS, data)]


GOOD: dict[str, Json] = {
    "plain": job(),
    "limits of indexes": indexed(backoffLimitPerIndex=1, maxFailedIndexes=2),
    "every action": job(
        completionMode="Indexed", completions=5, backoffLimitPerIndex=1,
        podFailurePolicy={"rules": [
            {"action": a, "onExitCodes": EXIT} for a in ("Count", "FailIndex", "FailJob", "Ignore")
        ]},
    ),
    "a condition": rule(onPodConditions=[{"type": "DisruptionTarget"}]),
    "zero is not in": codes(operator="NotIn", values=[0]),
    "enough": enough(succeededIndexes="0,2-4", succeededCount=4),
    "another manager": job(managedBy="example.com/manager"),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_what_is_good_is_taken(case: str) -> None:
    assert said(GOOD[case]) == []


BAD: dict[str, tuple[Json, str]] = {
    "a limit of no index": (
        job(backoffLimitPerIndex=1),
        "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
    ),
    "a most without a limit": (
        indexed(maxFailedIndexes=1),
        "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
    ),
    "more may fail than there are": (
        indexed(backoffLimitPerIndex=1, maxFailedIndexes=6),
        "spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions",
    ),
    "very many completions": (
        indexed(completions=MANY, backoffLimitPerIndex=1),
        "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
    ),
    "very many at once": (
        indexed(completions=MANY, backoffLimitPerIndex=1, maxFailedIndexes=1, parallelism=10_001),
        "spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when "
        "completions are above 100000 and used with backoff limit per index",
    ),
    "too parallel": (
        indexed(parallelism=MANY),
        "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when "
        "completion mode is Indexed",
    ),
    "another mode": (
        job(completionMode="x"),
        'spec.completionMode: Unsupported value: "x": supported values: "NonIndexed", "Indexed"',
    ),
    "restarts under a policy": (
        job("OnFailure", podFailurePolicy={"rules": []}),
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported '
        "when podFailurePolicy is specified",
    ),
    "restarts under a limit": (
        job("OnFailure", completionMode="Indexed", completions=1, backoffLimitPerIndex=1),
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported '
        "when backoffLimitPerIndex is specified",
    ),
    "replacement before the end": (
        job(podFailurePolicy={"rules": []}, podReplacementPolicy="TerminatingOrFailed"),
        'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: '
        '"Failed"',
    ),
    "too many rules": (
        job(podFailurePolicy={"rules": [{"action": "Count", "onExitCodes": EXIT}] * 21}),
        "spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items",
    ),
    "no action": (
        rule(action="", onExitCodes=EXIT),
        "spec.podFailurePolicy.rules[0].action: Required value: valid values: "
        '["Count" "FailIndex" "FailJob" "Ignore"]',
    ),
    "another action": (
        rule(action="x", onExitCodes=EXIT),
        'spec.podFailurePolicy.rules[0].action: Unsupported value: "x": supported values: '
        '"Count", "FailIndex", "FailJob", "Ignore"',
    ),
    "an index without a limit": (
        rule(action="FailIndex", onExitCodes=EXIT),
        'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the '
        "backoffLimitPerIndex to be set",
    ),
    "neither": (
        rule(),
        "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and "
        "OnPodConditions is required",
    ),
    "both": (
        rule(onExitCodes=EXIT, onPodConditions=[{"type": "X"}]),
        "spec.podFailurePolicy.rules[0]: Invalid value: specifying both OnExitCodes and "
        "OnPodConditions is not supported",
    ),
    "success as a failure": (
        codes(values=[0, 1]),
        "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for "
        "the In operator",
    ),
    "a code twice": (
        codes(values=[1, 1]),
        "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Duplicate value: 1",
    ),
    "no order": (
        codes(values=[2, 1]),
        "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1]: must be ordered",
    ),
    "no codes": (
        codes(values=[]),
        "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: []: at least one value "
        "is required",
    ),
    "another operator": (
        codes(operator="x"),
        'spec.podFailurePolicy.rules[0].onExitCodes.operator: Unsupported value: "x": supported '
        'values: "In", "NotIn"',
    ),
    "a container that is not there": (
        codes(containerName="x"),
        'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "x": must be one '
        "of the container or initContainer names in the pod template",
    ),
    "another status": (
        rule(onPodConditions=[{"type": "X", "status": "x"}]),
        'spec.podFailurePolicy.rules[0].onPodConditions[0].status: Unsupported value: "x": '
        'supported values: "False", "True", "Unknown"',
    ),
    "success without indexes": (
        job(successPolicy={"rules": []}),
        'spec.successPolicy: Invalid value: {"rules":[]}: requires indexed completion mode',
    ),
    "success without rules": (
        indexed(successPolicy={"rules": []}),
        "spec.successPolicy.rules: Required value: at least one rules must be specified when the "
        "successPolicy is specified",
    ),
    "an empty rule of success": (
        enough(),
        "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or "
        "succeededIndexes must be specified",
    ),
    "more than all": (
        enough(succeededCount=6),
        "spec.successPolicy.rules[0].succeededCount: Invalid value: 6: must be less than or equal "
        "to 5 (the number of specified completions)",
    ),
    "more than those": (
        enough(succeededIndexes="0-1", succeededCount=3),
        "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal "
        "to 2 (the number of indexes in the specified succeededIndexes field)",
    ),
    "an index too large": (
        enough(succeededIndexes="0-5"),
        'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-5": error parsing '
        'succeededIndexes: too large index: "5"',
    ),
    "a manager without a domain": (
        job(managedBy="me"),
        'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as '
        '"acme.io/foo")',
    ),
    "a manager with a long name": (
        job(managedBy="a.io/" + "x" * 60),
        "spec.managedBy: Too long: may not be more than 63 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_is_told(case: str) -> None:
    data, message = BAD[case]
    assert message in said(data)


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("0", 1), ("0,2", 2), ("0-2,4", 4), ("1-2,3-4", 4)],
)
def test_indexes_are_counted(text: str, count: int) -> None:
    assert count_indexes(text, 5) == count


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "cannot convert string to integer"),
        ("1-", "cannot convert string to integer"),
        ("1-2-3", "at most two parts separated by '-'"),
        ("2-1", "non-increasing order, previous: 2, current: 1"),
        ("1,1", "non-increasing order, previous: 1, current: 1"),
        ("5", "too large index"),
    ],
)
def test_other_texts_are_no_indexes(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        count_indexes(text, 5)


@pytest.mark.parametrize(
    ("field", "value", "changes"),
    [
        ("podFailurePolicy", {"rules": []}, False),
        ("successPolicy", {"rules": [{"succeededCount": 1}]}, False),
        ("backoffLimitPerIndex", 3, False),
        ("managedBy", "example.com/other", False),
        ("maxFailedIndexes", 3, True),
    ],
)
def test_what_may_change(field: str, value: Any, changes: bool) -> None:
    old = indexed(backoffLimitPerIndex=1, maxFailedIndexes=2, podReplacementPolicy="Failed")
    new = {**old, "spec": {**old["spec"], field: value}}
    found = [c for c in validate_update(scheme.JOBS, new, old) if c.field == f"spec.{field}"]
    assert [c.message.endswith("field is immutable") for c in found] == ([] if changes else [True])

"""Jobs with policies: what a failed pod means, failures by index, and when success is enough."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import JOBS, PODS
from busk8s.master.controllers.actions import Create, Delete, Patch, Plan, Update
from busk8s.master.controllers.children import Claim, is_finished, status_of
from busk8s.master.controllers.job_count import Observed
from busk8s.master.controllers.job_end import ended
from busk8s.master.controllers.job_failures import FAILURES, IGNORED, failures_before, match
from busk8s.master.controllers.job_plan import plan
from busk8s.master.controllers.job_pods import FINALIZER, INDEX, index_of, parse_indexes
from busk8s.master.controllers.slim import slim_pod
from tests.unit.controllers.build import NOW, thing
from tests.unit.controllers.cluster import control_plane, until
from tests.unit.controllers.model import Model
from tests.unit.controllers.test_job import end, is_said, job, manifest, running

ON_42 = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
ON_DISRUPTION = {
    "action": "Ignore",
    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
}


def on_exit(action: str, *values: int, operator: str = "In", container: str = "") -> Json:
    codes: Json = {"operator": operator, "values": list(values)}
    if container:
        codes["containerName"] = container
    return {"action": action, "onExitCodes": codes}


def failed(name: str, code: int = 1, *, before: int | None = None, **more: Any) -> Object:
    """A failed pod with two containers: `c` ended with `code`, `d` well."""
    metadata: Json = {"labels": {"job-name": "j"}, "finalizers": [FINALIZER]}
    if (index := more.get("index")) is not None:
        metadata["labels"][INDEX] = str(index)
    if before is not None:
        metadata["annotations"] = {FAILURES: str(before)}
    if ignored := more.get("ignored"):
        metadata["annotations"][IGNORED] = str(ignored)
    if not more.get("tracked", True):
        metadata["finalizers"] = []
    status: Json = {
        "phase": more.get("phase", "Failed"),
        "finishedAt": format_time(NOW - more.get("ago_s", 5)),
        "conditions": [{"type": t, "status": "True"} for t in more.get("conditions", ())],
        "containerStatuses": [
            {"name": "c", "state": {"terminated": {"exitCode": code}}},
            {"name": "d", "state": {"terminated": {"exitCode": 0}}},
        ],
    }
    return thing(PODS, name, metadata=metadata, spec={}, status=status)


def policy(*rules: Json, **more: Any) -> Object:
    return job(podFailurePolicy={"rules": list(rules)}, podReplacementPolicy="Failed", **more)


MATCHES: dict[str, tuple[list[Json], Object, str, str]] = {
    "no rule fits": ([ON_42], failed("p", 1), "Count", ""),
    "the exit code": (
        [ON_42], failed("p", 42), "FailJob",
        "Container c for pod default/p failed with exit code 42 matching FailJob rule at index 0",
    ),
    "the first rule decides": (
        [on_exit("Ignore", 42), ON_42], failed("p", 42), "Ignore",
        "Container c for pod default/p failed with exit code 42 matching Ignore rule at index 0",
    ),
    "any other code": (
        [on_exit("Ignore", 42, operator="NotIn")], failed("p", 1), "Ignore",
        "Container c for pod default/p failed with exit code 1 matching Ignore rule at index 0",
    ),
    "of another container": ([on_exit("FailJob", 42, container="d")], failed("p", 42), "Count", ""),
    "a container that ended well is no failure": (
        [on_exit("FailJob", 42, operator="NotIn", container="d")], failed("p", 42), "Count", "",
    ),
    "a condition": (
        [ON_42, ON_DISRUPTION], failed("p", 1, conditions=["DisruptionTarget"]), "Ignore",
        "Pod default/p has condition DisruptionTarget matching Ignore rule at index 1",
    ),
    "a condition that is not there": ([ON_DISRUPTION], failed("p", 1), "Count", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", MATCHES)
def test_rules(case: str) -> None:
    rules, pod, action, message = MATCHES[case]
    found = match(policy(*rules), pod)
    assert (found.action, found.message) == (action, message)


def planned(job: Object, *pods: Object, now: float = NOW) -> Plan:
    return plan(Observed(job, Claim(pods, ()), frozenset()), now)


def status_after(job: Object, *pods: Object, now: float = NOW) -> Json:
    updates = [a for a in planned(job, *pods, now=now).actions if isinstance(a, Update)]
    found: Json = updates[0].data["status"] if updates else status_of(job)
    return found


def conditions(status: Json) -> dict[str, tuple[str, str]]:
    found = status.get("conditions") or ()
    return {c["type"]: (c["reason"], c["message"]) for c in found if c["status"] == "True"}


def test_one_pod_fails_the_job_by_the_policy() -> None:
    running_one = failed("r", phase="Running")
    actions = planned(policy(ON_42, completions=2), failed("p", 42), running_one).actions
    assert [a.object.name for a in actions if isinstance(a, Delete)] == ["r"]
    status = status_after(policy(ON_42, completions=2), failed("p", 42))
    said = (
        "PodFailurePolicy",
        "Container c for pod default/p failed with exit code 42 matching FailJob rule at index 0",
    )
    assert conditions(status) == {"FailureTarget": said}
    gone = failed("p", 42, tracked=False)
    assert conditions(status_after(job(status, completions=2), gone))["Failed"] == said


def test_an_ignored_failure_is_let_go_uncounted_and_replaced() -> None:
    lost = failed("p", 1, conditions=["DisruptionTarget"], ago_s=60)
    model = policy(ON_DISRUPTION, completions=1, backoffLimit=0)
    actions = planned(model, lost).actions
    assert any(isinstance(a, Patch) and a.object.name == "p" for a in actions)
    assert any(isinstance(a, Create) for a in actions)
    status = status_after(model, lost)
    assert status["uncountedTerminatedPods"] == {}
    assert "failed" not in status
    assert not conditions(status)


def test_a_counted_failure_is_counted() -> None:
    model = policy(on_exit("Count", 3), ON_42, completions=1, backoffLimit=0)
    assert conditions(status_after(model, failed("p", 3)))["FailureTarget"][0] == (
        "BackoffLimitExceeded"
    )


def indexed(status: Json | None = None, limit: int | None = 1, **spec: Any) -> Object:
    if limit is not None:
        spec["backoffLimitPerIndex"] = limit
    spec = {"completions": 4, "parallelism": 4, "backoffLimit": 2**31 - 1, **spec}
    return job(status, completionMode="Indexed", **spec)


def created(job: Object, *pods: Object, now: float = NOW) -> dict[str, dict[str, str]]:
    """Index -> annotations of ours, of the pods that are made."""
    made = [a.data["metadata"] for a in planned(job, *pods, now=now).actions
            if isinstance(a, Create)]  # fmt: skip
    return {
        m["labels"][INDEX]: {k: v for k, v in m["annotations"].items() if k != INDEX} for m in made
    }


def test_the_pods_of_an_index_know_how_often_it_failed() -> None:
    assert created(indexed()) == {str(i): {FAILURES: "0"} for i in range(4)}
    last = failed("p", before=0, index=1, ago_s=60)
    assert created(indexed(limit=3), last)["1"] == {FAILURES: "1"}
    third = failed("p", before=2, index=1, ago_s=600)
    assert created(indexed(limit=3), third)["1"] == {FAILURES: "3"}
    lost = failed("p", before=2, index=1, ago_s=600, conditions=["DisruptionTarget"])
    ignoring = indexed(limit=3, podFailurePolicy={"rules": [ON_DISRUPTION]})
    assert created(ignoring, lost)["1"] == {FAILURES: "2", IGNORED: "1"}


def test_each_index_waits_for_itself() -> None:
    fresh = failed("p", before=0, index=1, ago_s=4)
    step = planned(indexed(), fresh)
    assert sorted(created(indexed(), fresh)) == ["0", "2", "3"]
    assert step.look_again_after_s == pytest.approx(6)
    second = failed("p", before=1, index=1, ago_s=15)
    assert "1" not in created(indexed(limit=5), second)
    assert "1" in created(indexed(limit=5), second, now=NOW + 5)


def test_the_last_failed_pod_of_an_index_is_kept_until_there_is_another() -> None:
    def released(*pods: Object) -> list[str]:
        actions = planned(indexed(limit=3), *pods).actions
        return [a.object.name for a in actions if isinstance(a, Patch)]

    first, second = failed("a", before=0, index=1), failed("b", before=1, index=1)
    assert released(first) == []
    assert released(first, second) == ["a"]
    follower = failed("c", before=2, index=1, phase="Running")
    assert released(first, second, follower) == ["a", "b"]
    counted = status_after(indexed(limit=3), first)["uncountedTerminatedPods"]
    assert counted == {"failed": ["uid of a"]}


def test_an_index_fails_at_its_limit_and_the_others_go_on() -> None:
    last = failed("p", before=1, index=1, ago_s=600)
    status = status_after(indexed(), last)
    assert status["failedIndexes"] == "1"
    assert not conditions(status)
    assert sorted(created(indexed(status), last)) == ["0", "2", "3"]
    released = [a.object.name for a in planned(indexed(), last).actions if isinstance(a, Patch)]
    assert released == ["p"]


def test_an_index_fails_by_the_policy() -> None:
    rules = {"rules": [on_exit("FailIndex", 9)]}
    status = status_after(
        indexed(limit=5, podFailurePolicy=rules), failed("p", 9, before=0, index=2)
    )
    assert status["failedIndexes"] == "2"


GOES_ON = failed("r", phase="Running", index=0)


@pytest.mark.parametrize(
    ("status", "spec", "said"),
    [
        ({"completedIndexes": "0-2", "failedIndexes": "3"}, {}, "FailedIndexes"),
        ({"completedIndexes": "0,1", "failedIndexes": "3"}, {}, ""),
        ({"failedIndexes": "1,3"}, {"maxFailedIndexes": 1}, "MaxFailedIndexesExceeded"),
        ({"failedIndexes": "1"}, {"maxFailedIndexes": 1}, ""),
        ({"failedIndexes": "1"}, {"maxFailedIndexes": 0}, "MaxFailedIndexesExceeded"),
    ],
    ids=["none is left", "one is left", "too many", "as many as may", "none may"],
)
def test_failed_indexes_end_the_job(status: Json, spec: Json, said: str) -> None:
    found = conditions(status_after(indexed(status, **spec), GOES_ON))
    assert [reason for reason, _ in found.values()] == ([said] if said else [])


@pytest.mark.parametrize(
    ("done", "rules", "said"),
    [
        ("0", [{"succeededIndexes": "0"}], "Matched rules at index 0"),
        ("1", [{"succeededIndexes": "0"}], ""),
        ("0,2", [{"succeededIndexes": "0-2"}], ""),
        ("0,2", [{"succeededIndexes": "0-2", "succeededCount": 2}], "Matched rules at index 0"),
        ("0,3", [{"succeededIndexes": "0-2", "succeededCount": 2}], ""),
        ("1,3", [{"succeededIndexes": "0"}, {"succeededCount": 2}], "Matched rules at index 1"),
        ("", [{"succeededCount": 0}], ""),
    ],
    ids=[
        "the leader", "another", "not all", "enough of them", "enough, but others", "any two",
        "nothing yet",
    ],
)  # fmt: skip
def test_success_policies(done: str, rules: list[Json], said: str) -> None:
    model = indexed({"completedIndexes": done}, limit=None, successPolicy={"rules": rules})
    found = conditions(status_after(model, GOES_ON))
    assert found == ({"SuccessCriteriaMet": ("SuccessPolicy", said)} if said else {})


def test_failure_comes_before_success() -> None:
    model = indexed(
        {"completedIndexes": "0"},
        limit=None,
        successPolicy={"rules": [{"succeededCount": 1}]},
        podFailurePolicy={"rules": [ON_42]},
    )
    assert "FailureTarget" in conditions(status_after(model, failed("p", 42, index=1)))


def test_what_policies_look_at_survives_in_the_caches() -> None:
    pod = failed("p", 42, before=3, index=1, ignored=2, conditions=["DisruptionTarget", "Ready"])
    slim = slim_pod(pod)
    for rules in ([ON_42], [ON_DISRUPTION]):
        assert match(policy(*rules), slim) == match(policy(*rules), pod)
    assert (failures_before(slim), failures_before(slim, IGNORED)) == (3, 2)


STEPS = st.sampled_from(["sync", "half", "succeed", "fail", "ignore", "failindex", "wait"])
CODES = {"fail": 1, "ignore": 7, "failindex": 9}


@settings(max_examples=60)
@given(
    st.integers(1, 3),
    st.integers(0, 2),
    st.lists(st.tuples(STEPS, st.integers(0, 20)), max_size=40),
)
def test_no_index_is_tried_more_often_than_its_limit_allows(
    completions: int, limit: int, steps: list[tuple[str, int]]
) -> None:
    """Pods end in any way, plans are cut off half way; every index succeeds or fails for good."""
    world = Model(NOW)
    rules = {"rules": [on_exit("Ignore", 7), on_exit("FailIndex", 9)]}
    spec: Json = {"completions": completions, "parallelism": completions, "backoffLimit": 2**31 - 1}
    world.put(indexed(limit=limit, podFailurePolicy=rules, podReplacementPolicy="Failed", **spec))
    counted: dict[int, int] = {}
    for step, number in [*steps, *([("wait", 0), ("sync", 0), ("succeed", 0)] * 8), *LAST]:
        alive = [p for p in world.all(PODS) if not is_finished(p)]
        chosen = alive[number % len(alive)] if alive else None
        if step in ("sync", "half"):
            seen = planned(world.one(JOBS, "j"), *world.all(PODS), now=world.now)
            for action in seen.actions[: number if step == "half" else None]:
                world.act(action)
        elif step == "wait":
            world.now += 700
        elif chosen is not None:
            _end(world, chosen, step)
            index = index_of(chosen)
            assert index is not None
            if step == "fail":
                counted[index] = counted.get(index, 0) + 1
        assert all(failures <= limit + 1 for failures in counted.values())
    over = world.one(JOBS, "j")
    status = status_of(over)
    assert ended(over), status
    assert not any(p.metadata.get("finalizers") for p in world.all(PODS))
    settled = [parse_indexes(status.get(k) or "") for k in ("completedIndexes", "failedIndexes")]
    assert not settled[0] & settled[1]
    assert settled[0] | settled[1] == set(range(completions))


LAST = [("sync", 0)] * 6


def _end(world: Model, pod: Object, step: str) -> None:
    world.end(pod.name, "Succeeded" if step == "succeed" else "Failed")
    over = {"name": "c", "state": {"terminated": {"exitCode": CODES.get(step, 0)}}}
    world.objects[PODS.key, pod.name]["status"]["containerStatuses"] = [over]


async def test_an_evicted_pod_of_a_job_is_not_a_failure() -> None:
    async with control_plane() as cluster:
        policy = {"rules": [ON_DISRUPTION]}
        await cluster.create(JOBS, manifest(backoffLimit=0, podFailurePolicy=policy))
        await until(lambda: running(cluster))
        (first,) = running(cluster)
        reason = {"type": "DisruptionTarget", "status": "True"}
        await cluster.patch(PODS, first, {"status": {"conditions": [reason]}}, "status")
        await end(cluster, first, "Failed")
        await until(lambda: [n for n in running(cluster) if n != first])
        await end(cluster, running(cluster)[0], "Succeeded")
        await until(lambda: is_said(cluster, "Complete"))
        assert "failed" not in status_of(cluster.one(JOBS, "j"))

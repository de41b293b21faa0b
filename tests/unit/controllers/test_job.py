"""Job: what is done for what is seen, and that nothing is counted twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import EVENTS, JOBS, PODS
from busk8s.master.controllers.actions import Create, Delete, Emit, Patch, Plan, Update
from busk8s.master.controllers.children import Claim, condition, is_finished, status_of
from busk8s.master.controllers.job_count import Observed
from busk8s.master.controllers.job_end import ended
from busk8s.master.controllers.job_plan import plan
from busk8s.master.controllers.job_pods import (
    FINALIZER,
    INDEX,
    backoff_until,
    free_indexes,
    index_of,
    parse_indexes,
    pod_for,
    render_indexes,
)
from tests.unit.controllers.build import NOW, thing
from tests.unit.controllers.cluster import Cluster, control_plane, until
from tests.unit.controllers.model import Model


def job(status: Json | None = None, **spec: Any) -> Object:
    template = {
        "metadata": {"labels": {"job-name": "j"}},
        "spec": {
            "restartPolicy": spec.pop("restart", "Never"),
            "containers": [{"name": "c"}],
        },
    }
    labels = {"matchLabels": {"job-name": "j"}}
    return thing(
        JOBS, "j", spec={"selector": labels, "template": template, **spec}, status=status or {}
    )


def pod(name: str, phase: str = "Running", *, ago_s: float = 5, **more: Any) -> Object:
    metadata: Json = {"labels": {"job-name": "j"}, "finalizers": [FINALIZER]}
    if (index := more.get("index")) is not None:
        metadata["labels"][INDEX] = str(index)
    if not more.get("tracked", True):
        metadata["finalizers"] = []
    if more.get("deleting"):
        metadata["deletionTimestamp"] = format_time(NOW)
    status: Json = {"phase": phase, "finishedAt": format_time(NOW - ago_s)}
    if restarts := more.get("restarts"):
        status["containerStatuses"] = [{"restartCount": restarts}]
    return thing(PODS, name, metadata=metadata, spec={}, status=status)


def seen(job: Object, *pods: Object) -> Observed:
    return Observed(job, Claim(pods, ()), frozenset(p.uid for p in pods if p.deleting))


def planned(job: Object, *pods: Object, now: float = NOW) -> Plan:
    return plan(seen(job, *pods), now)


def status_after(job: Object, *pods: Object, now: float = NOW) -> Json:
    for action in planned(job, *pods, now=now).actions:
        if isinstance(action, Update):
            found: Json = action.data["status"]
            return found
    return status_of(job)


def said(status: Json) -> dict[str, str]:
    return {
        c["type"]: c.get("reason", "")
        for c in status.get("conditions") or ()
        if c["status"] == "True"
    }


@pytest.mark.parametrize(
    ("spec", "pods", "creates", "deletes"),
    [
        pytest.param({"completions": 1}, [], 1, 0, id="one pod by default"),
        pytest.param({"completions": 5, "parallelism": 2}, [], 2, 0, id="no more than parallel"),
        pytest.param(
            {"completions": 2, "parallelism": 5}, [pod("a")], 1, 0, id="no more than are missing"
        ),
        pytest.param({"parallelism": 2}, [], 2, 0, id="a work queue starts all"),
        pytest.param(
            {"parallelism": 3},
            [pod("a", "Succeeded"), pod("b")],
            0,
            0,
            id="a work queue starts none after the first success",
        ),
        pytest.param(
            {"completions": 5, "parallelism": 1}, [pod("a"), pod("b")], 0, 1, id="one too many"
        ),
        pytest.param(
            {"completions": 2}, [pod("a", "Failed", ago_s=5)], 0, 0, id="a failure makes it wait"
        ),
        pytest.param(
            {"completions": 2}, [pod("a", "Failed", ago_s=11)], 1, 0, id="then it tries again"
        ),
        pytest.param({"completions": 1, "suspend": True}, [pod("a")], 0, 1, id="suspended"),
        pytest.param({"completions": 1, "managedBy": "x.io/y"}, [], 0, 0, id="another's"),
        pytest.param(
            {"completions": 3, "parallelism": 3, "completionMode": "Indexed"},
            [pod("a", index=0), pod("b", index=0)],
            0,
            1,
            id="two of one index",
        ),
    ],
)
def test_pods(spec: Json, pods: list[Object], creates: int, deletes: int) -> None:
    actions = planned(job(**spec), *pods).actions
    assert sum(isinstance(a, Create) for a in actions) == creates
    assert sum(isinstance(a, Delete) for a in actions) == deletes


def test_a_pod_is_counted_in_three_steps() -> None:
    """1. its uid into the status 2. its finalizer off 3. the uid out, the number up."""
    model = job(completions=2, parallelism=1)
    done = pod("a", "Succeeded")
    first = planned(model, done).actions
    assert isinstance(first[0], Update)
    status = first[0].data["status"]
    assert status["uncountedTerminatedPods"] == {"succeeded": ["uid of a"]}
    assert "succeeded" not in status
    assert isinstance(first[1], Patch)
    assert first[1].object.name == "a"
    again = status_after(job(status, completions=2), done)
    assert again["uncountedTerminatedPods"] == {"succeeded": ["uid of a"]}
    last = status_after(job(status, completions=2), pod("a", "Succeeded", tracked=False))
    assert last["succeeded"] == 1
    assert last["uncountedTerminatedPods"] == {}


@pytest.mark.parametrize(
    ("spec", "pods", "target"),
    [
        pytest.param(
            {"completions": 1},
            [pod("a", "Succeeded")],
            {"SuccessCriteriaMet": "CompletionsReached"},
            id="enough succeeded",
        ),
        pytest.param(
            {"completions": 1, "backoffLimit": 0},
            [pod("a", "Failed")],
            {"FailureTarget": "BackoffLimitExceeded"},
            id="failed too often",
        ),
        pytest.param(
            {"completions": 1, "backoffLimit": 2, "restart": "OnFailure"},
            [pod("a", restarts=2)],
            {"FailureTarget": "BackoffLimitExceeded"},
            id="restarted too often",
        ),
        pytest.param({"completions": 2}, [pod("a", "Succeeded")], {}, id="half done"),
    ],
)
def test_how_it_ends(spec: Json, pods: list[Object], target: dict[str, str]) -> None:
    assert said(status_after(job(**spec), *pods)) == target


def test_the_deadline_ends_it_and_is_waited_for() -> None:
    start = {"startTime": format_time(NOW - 10)}
    early = planned(job(start, completions=1, activeDeadlineSeconds=30), pod("a"))
    assert early.look_again_after_s == pytest.approx(20)
    late = status_after(job(start, completions=1, activeDeadlineSeconds=30), pod("a"), now=NOW + 20)
    assert said(late) == {"FailureTarget": "DeadlineExceeded"}


def test_it_is_over_when_every_pod_has_ended_and_is_counted() -> None:
    status = status_after(job(completions=1, backoffLimit=0), pod("a", "Failed"), pod("b"))
    assert "Failed" not in said(status)
    status = status_after(
        job(status, completions=1, backoffLimit=0),
        pod("a", "Failed", tracked=False),
        pod("b", "Failed", deleting=True, tracked=False),
    )
    assert said(status)["Failed"] == "BackoffLimitExceeded"
    assert status["failed"] >= 1


def test_suspension_is_told_and_taken_back() -> None:
    stopped = status_after(job({"startTime": format_time(NOW)}, completions=1, suspend=True))
    assert said(stopped) == {"Suspended": "JobSuspended"}
    assert "startTime" not in stopped
    resumed = status_after(job(stopped, completions=1, suspend=False), now=NOW + 60)
    assert said(resumed) == {}
    assert resumed["startTime"] == format_time(NOW + 60)


def test_a_finished_job_goes_when_its_time_to_live_has_passed() -> None:
    over = {"type": "Complete", "status": "True", "lastTransitionTime": format_time(NOW)}
    finished = job({"conditions": [over]}, completions=1, ttlSecondsAfterFinished=30)
    assert planned(finished).look_again_after_s == pytest.approx(30)
    (delete,) = planned(finished, now=NOW + 30).actions
    assert isinstance(delete, Delete)
    assert delete.propagation == "Foreground"


def test_a_pod_of_an_indexed_job_knows_its_index() -> None:
    made = pod_for(job(completionMode="Indexed", completions=3), 2)
    assert made["spec"]["hostname"] == "j-2"
    assert made["metadata"]["generateName"] == "j-2-"
    assert made["metadata"]["annotations"][INDEX] == made["metadata"]["labels"][INDEX] == "2"
    (variable,) = made["spec"]["containers"][0]["env"]
    assert variable["name"] == "JOB_COMPLETION_INDEX"


@pytest.mark.parametrize(
    ("ages_s", "wait_s"),
    [
        pytest.param([0], 10, id="ten seconds after the first"),
        pytest.param([0, 20], 20, id="twice as long after the second"),
        pytest.param([0] * 30, 600, id="never more than ten minutes"),
    ],
)
def test_back_off(ages_s: list[float], wait_s: float) -> None:
    pods = [pod(f"p{i}", "Failed", ago_s=age) for i, age in enumerate(ages_s)]
    assert backoff_until(pods) - NOW == pytest.approx(wait_s)
    assert backoff_until([*pods, pod("ok", "Succeeded", ago_s=-1)]) == 0


@given(st.sets(st.integers(0, 60)))
def test_indexes_are_read_as_they_are_written(indexes: set[int]) -> None:
    assert parse_indexes(render_indexes(indexes)) == indexes
    free = free_indexes(5, 61, indexes)
    assert not indexes & set(free)
    assert len(free) == min(5, 61 - len(indexes))


STEPS = st.sampled_from(["sync", "half", "run", "succeed", "fail", "delete", "reap", "wait"])


@settings(max_examples=60)
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 3),
    st.lists(st.tuples(STEPS, st.integers(0, 20)), max_size=50),
)
def test_no_pod_is_counted_twice_and_never_too_many_run(
    completions: int, parallelism: int, indexed: bool, limit: int, steps: list[tuple[str, int]]
) -> None:
    """Pods end in any way, plans are cut off half way; in the end the numbers are right."""
    world = Model(NOW)
    spec: Json = {"completions": completions, "parallelism": parallelism, "backoffLimit": limit}
    world.put(job(**spec, completionMode="Indexed" if indexed else "NonIndexed"))
    ends: dict[str, str] = {}
    for step, number in [*steps, *LAST]:
        names = [p.name for p in world.all(PODS) if not is_finished(p)]
        alive = [n for n in names if not world.one(PODS, n).deleting]
        chosen = alive[number % len(alive)] if alive else ""
        match step:
            case "sync" | "half":
                seen = _plan(world)
                cut = number if step == "half" else len(seen.actions)
                for action in seen.actions[:cut]:
                    world.act(action)
            case "wait":
                world.now += 700
            case "run" if chosen:
                world.run(chosen)
            case "succeed" | "fail" if chosen:
                world.end(chosen, "Succeeded" if step == "succeed" else "Failed")
                ends[world.one(PODS, chosen).uid] = step
            case "delete" if chosen:
                world.delete(PODS, chosen, world.one(PODS, chosen).uid)
            case "reap":
                for found in world.all(PODS):
                    if found.deleting:
                        world.reap(found.name)
        _check(world, parallelism, completions, ends)
    assert ended(world.one(JOBS, "j")), status_of(world.one(JOBS, "j"))
    assert not any(p.metadata.get("finalizers") for p in world.all(PODS))
    assert not _plan(world).actions


LAST = [("wait", 0), ("sync", 0), ("succeed", 0), ("succeed", 0), ("reap", 0), ("sync", 0)] * 8 + [
    ("reap", 0),
    ("sync", 0),
] * 4


def _plan(world: Model) -> Plan:
    pods = tuple(world.all(PODS))
    going = frozenset(p.uid for p in pods if p.deleting)
    return plan(Observed(world.one(JOBS, "j"), Claim(pods, ()), going), world.now)


def _check(world: Model, parallelism: int, completions: int, ends: dict[str, str]) -> None:
    active = [p for p in world.all(PODS) if not p.deleting and not is_finished(p)]
    assert len(active) <= parallelism
    status = status_of(world.one(JOBS, "j"))
    uncounted = status.get("uncountedTerminatedPods") or {}
    successes = list(ends.values()).count("succeed")
    assert status.get("succeeded", 0) + len(uncounted.get("succeeded") or ()) <= successes
    indexes = [index_of(p) for p in active]
    if any(index is not None for index in indexes):
        assert len(set(indexes)) == len(indexes)
        done = parse_indexes(status.get("completedIndexes") or "")
        assert len(done) == status.get("succeeded", 0) <= completions


# -- against the API server ----------------------------------------------------------------------


def manifest(**spec: Any) -> Json:
    container = {"name": "c", "image": "i"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {"metadata": {"name": "j"}, "spec": {"template": template, **spec}}


async def end(cluster: Cluster, name: str, phase: str) -> None:
    stamp = format_time(cluster.clock.now())
    over = {"name": "c", "state": {"terminated": {"exitCode": 0, "finishedAt": stamp}}}
    patch = {"status": {"phase": phase, "containerStatuses": [over]}}
    await cluster.patch(PODS, name, patch, "status")


def is_said(cluster: Cluster, type_: str) -> bool:
    found = condition(status_of(cluster.one(JOBS, "j")), type_)
    return found is not None and found["status"] == "True"


def running(cluster: Cluster) -> list[str]:
    return [
        p.name for p in cluster.all(PODS)
        if status_of(p).get("phase") == "Running" and not p.deleting
    ]  # fmt: skip


async def test_a_job_completes_and_says_so() -> None:
    async with control_plane() as cluster:
        await cluster.create(JOBS, manifest(completions=3, parallelism=2))
        for _ in range(3):
            await until(lambda: running(cluster))
            await end(cluster, running(cluster)[0], "Succeeded")
        await until(lambda: is_said(cluster, "Complete"))
        status = status_of(cluster.one(JOBS, "j"))
        assert status["succeeded"] == 3
        assert status["completionTime"]
        assert status["uncountedTerminatedPods"] == {}
        assert not any(p.metadata.get("finalizers") for p in cluster.all(PODS))
        assert len(cluster.all(PODS)) == 3
        await until(lambda: any(e.data["reason"] == "Completed" for e in cluster.all(EVENTS)))


async def test_a_job_that_fails_too_often_backs_off_and_fails() -> None:
    async with control_plane() as cluster:
        await cluster.create(JOBS, manifest(backoffLimit=1))
        began = cluster.clock.now()
        for _ in range(2):
            await until(lambda: running(cluster))
            await end(cluster, running(cluster)[0], "Failed")
        await until(lambda: is_said(cluster, "Failed"))
        assert cluster.clock.now() - began >= 9
        assert status_of(cluster.one(JOBS, "j"))["failed"] == 2


async def test_a_deleted_job_takes_its_pods_along() -> None:
    async with control_plane() as cluster:
        await cluster.create(JOBS, manifest(completions=2, parallelism=2))
        await until(lambda: len(running(cluster)) == 2)
        await cluster.client.delete(JOBS, "j", namespace="default", propagation="Background")
        await until(lambda: not cluster.all(PODS))


async def test_an_expired_job_goes_with_its_pods() -> None:
    async with control_plane() as cluster:
        await cluster.create(JOBS, manifest(ttlSecondsAfterFinished=5))
        await until(lambda: running(cluster))
        await end(cluster, running(cluster)[0], "Succeeded")
        await until(lambda: is_said(cluster, "Complete"))
        await until(lambda: not cluster.all(PODS) and not cluster.all(JOBS))


def test_events_tell_of_the_end() -> None:
    status = {"conditions": [{"type": "FailureTarget", "status": "True", "reason": "X"}]}
    actions = planned(job(status, completions=1)).actions
    assert [a.reason for a in actions if isinstance(a, Emit)] == ["X"]

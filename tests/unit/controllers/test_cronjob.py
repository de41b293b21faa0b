"""CronJob: each moment of the schedule makes one Job, and none is forgotten or made twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.schedule import BadSchedule, check, last_due, missed, next_due, zone_of
from busk8s.api.scheme import CRONJOBS, JOBS
from busk8s.errors import Error
from busk8s.master.controllers.actions import Create, Delete, Emit, Plan
from busk8s.master.controllers.children import spec_of, status_of
from busk8s.master.controllers.cronjob import SCHEDULED_AT, Observed, finished, name_at, plan
from tests.unit.controllers.build import NOW, thing
from tests.unit.controllers.cluster import control_plane, until
from tests.unit.controllers.model import Model

BORN = NOW - NOW % 3600 - 1  # A second before a full hour.


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "last", "following"),
    [
        pytest.param(
            "*/5 * * * *", "", "2026-03-01T10:07", "2026-03-01T10:05", "2026-03-01T10:10",
            id="every five minutes",
        ),
        pytest.param(
            "0 9 * * MON", "", "2026-03-04T00:00", "2026-03-02T09:00", "2026-03-09T09:00",
            id="mondays",
        ),
        pytest.param(
            "@daily", "Europe/Berlin", "2026-07-01T12:00", "2026-06-30T22:00",
            "2026-07-01T22:00", id="midnight elsewhere",
        ),
        pytest.param(
            "30 12 ? * *", "", "2026-03-01T12:30", "2026-03-01T12:30", "2026-03-02T12:30",
            id="at the very moment",
        ),
        pytest.param(
            "@every 90m", "", "2026-03-01T02:00", "2026-03-01T01:30", "2026-03-01T03:00",
            id="an interval",
        ),
    ],
)  # fmt: skip
def test_schedules(schedule: str, zone: str, now: str, last: str, following: str) -> None:
    since = at("2026-03-01T00:00") if "every" in schedule else at("2026-02-01T00:00")
    assert last_due(schedule, zone, since, at(now)) == at(last)
    assert next_due(schedule, zone, since, at(now)) == at(following)


@pytest.mark.parametrize(
    ("schedule", "zone"),
    [("* * * *", ""), ("61 * * * *", ""), ("@every soon", ""), ("* * * * *", "Mars/Olympus")],
    ids=["too few fields", "no such minute", "no duration", "no such zone"],
)
def test_bad_schedules(schedule: str, zone: str) -> None:
    with pytest.raises(BadSchedule):
        check(schedule, zone)


@given(st.integers(0, 10**6), st.integers(0, 10**5))
def test_what_is_next_is_last_when_it_has_come(start: int, ahead: int) -> None:
    since, now = NOW + start, NOW + start + ahead
    following = next_due("*/7 3-20 * * *", "Europe/Berlin", since, now)
    assert last_due("*/7 3-20 * * *", "Europe/Berlin", since, following) == following
    last = last_due("*/7 3-20 * * *", "Europe/Berlin", since, now)
    assert (last is None) == (missed("*/7 3-20 * * *", "Europe/Berlin", since, now, 5) == 0)
    assert zone_of("Europe/Berlin") is zone_of("Europe/Berlin")


def cron(schedule: str = "*/10 * * * *", **spec: Any) -> Object:
    status = spec.pop("status", {})
    template = {"spec": {"template": {"spec": {"containers": []}}}}
    metadata = {"creationTimestamp": format_time(BORN)}
    spec = {"schedule": schedule, "jobTemplate": template, **spec}
    return thing(CRONJOBS, "c", metadata=metadata, spec=spec, status=status)


def job(name: str, end: str = "", *, started: float = BORN, manual: bool = False) -> Object:
    said = [{"type": end, "status": "True"}] if end else []
    annotations = {} if manual else {SCHEDULED_AT: format_time(started)}
    status = {"startTime": format_time(started), "conditions": said}
    return thing(JOBS, name, metadata={"annotations": annotations}, status=status)


def planned(cron: Object, *jobs: Object, now: float) -> Plan:
    return plan(Observed(cron, jobs), now)


def made(plan: Plan) -> list[str]:
    return [a.data["metadata"]["name"] for a in plan.actions if isinstance(a, Create)]


FIRST = f"c-{int(BORN + 1) // 60}"


@pytest.mark.parametrize(
    ("spec", "jobs", "after_s", "creates", "deletes"),
    [
        pytest.param({}, [], 0, [], [], id="not yet"),
        pytest.param({}, [], 1, [FIRST], [], id="now"),
        pytest.param({}, [job(FIRST)], 1, [], [], id="once only"),
        pytest.param({"suspend": True}, [], 1, [], [], id="suspended"),
        pytest.param({"startingDeadlineSeconds": 60}, [], 90, [], [], id="too late"),
        pytest.param({"startingDeadlineSeconds": 60}, [], 50, [FIRST], [], id="just in time"),
        pytest.param({}, [job("x")], 1, [FIRST], [], id="beside another"),
        pytest.param({"concurrencyPolicy": "Forbid"}, [job("x")], 1, [], [], id="forbidden"),
        pytest.param(
            {"concurrencyPolicy": "Forbid"}, [job("x", manual=True)], 1, [FIRST], [], id="by hand"
        ),
        pytest.param(
            {"concurrencyPolicy": "Replace"}, [job("x")], 1, [FIRST], ["x"], id="replaced"
        ),
        pytest.param(
            {"successfulJobsHistoryLimit": 1},
            [job("a", "Complete", started=1), job("b", "Complete", started=2), job("c", "Failed")],
            0,
            [],
            ["a"],
            id="history",
        ),
    ],
)
def test_plan(
    spec: Json, jobs: list[Object], after_s: float, creates: list[str], deletes: list[str]
) -> None:
    done = planned(cron(**spec), *jobs, now=BORN + after_s)
    assert made(done) == creates
    assert [a.object.name for a in done.actions if isinstance(a, Delete)] == deletes


def test_it_looks_again_just_after_the_next_moment() -> None:
    assert planned(cron(), now=BORN).look_again_after_s == pytest.approx(1.1)


def test_many_missed_moments_make_one_job_and_a_warning() -> None:
    done = planned(cron("* * * * *"), now=BORN + 86_400)
    assert len(made(done)) == 1
    assert [a.reason for a in done.actions if isinstance(a, Emit)] == ["TooManyMissedTimes"]


@settings(max_examples=50)
@given(
    st.sampled_from(["Allow", "Forbid", "Replace"]),
    st.lists(st.tuples(st.sampled_from(["sync", "half", "end"]), st.integers(1, 1_500))),
)
def test_a_moment_makes_one_job_and_history_stays_short(
    policy: str, steps: list[tuple[str, int]]
) -> None:
    world = Model(BORN)
    limits = {"successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 1}
    world.put(cron(concurrencyPolicy=policy, **limits))
    moments: list[str] = []
    for step, figure in [*steps, ("sync", 1), ("sync", 1)]:
        world.now += figure
        jobs = world.all(JOBS)
        if step == "end" and jobs:
            ended = jobs[figure % len(jobs)]
            end = ("Complete", "Failed")[figure % 2]
            ended.data["status"] = {"conditions": [{"type": end, "status": "True"}]}
            world.put(ended)
        elif step != "end":
            done = planned(world.one(CRONJOBS, "c"), *jobs, now=world.now)
            cut = figure % 3 if step == "half" else None
            for action in done.actions[:cut]:
                world.act(action)
                moments += made(Plan((action,)))
    assert len(set(moments)) == len(moments)
    ends = [finished(found) for found in world.all(JOBS)]
    assert ends.count("Complete") <= 2
    assert ends.count("Failed") <= 1
    if policy != "Allow":
        assert ends.count("") <= 1
    assert not made(planned(world.one(CRONJOBS, "c"), *world.all(JOBS), now=world.now))


async def test_jobs_come_by_the_minute_in_the_cluster() -> None:
    async with control_plane() as cluster:
        container = {"name": "c", "image": "i"}
        pod = {"restartPolicy": "Never", "containers": [container]}
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
        await cluster.create(CRONJOBS, {"metadata": {"name": "c"}, "spec": spec})
        await until(lambda: len(cluster.all(JOBS)) == 2, within_s=150)
        first, second = cluster.all(JOBS)
        found = cluster.one(CRONJOBS, "c")
        due = second.metadata["annotations"][SCHEDULED_AT]
        await until(lambda: status_of(cluster.one(CRONJOBS, "c"))["lastScheduleTime"] == due)
        await until(lambda: len(status_of(cluster.one(CRONJOBS, "c"))["active"]) == 2)
        assert int(second.name.rpartition("-")[2]) == int(first.name.rpartition("-")[2]) + 1
        assert second.name.startswith(name_at(found, 0).rpartition("-")[0])
        assert spec_of(second)["template"]["spec"]["restartPolicy"] == "Never"
        with pytest.raises(Error, match="expected exactly 5 fields"):
            await cluster.create(CRONJOBS, {"metadata": {"name": "d"}, "spec": spec | BAD})


BAD = {"schedule": "* *"}

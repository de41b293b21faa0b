"""Priority and fairness: whose request goes next, who waits, who is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from api_world import PODS, Api, pod, world

from busk8s import errors
from busk8s.api.request import Request, User
from busk8s.api.scheme import RESOURCES
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.fairness import defaults, dump
from busk8s.master.apiserver.fairness.dangling import DanglingSchemas
from busk8s.master.apiserver.fairness.gate import Gate
from busk8s.master.apiserver.fairness.level import WAIT_S_MAX, Level, Seat, Shape
from busk8s.master.apiserver.fairness.matching import Asked, schema_of
from busk8s.master.apiserver.fairness.tally import Tallies
from busk8s.metrics import text
from busk8s.tasks import Nursery

LEVELS = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
SCHEMAS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
NODE = User("system:node:n1", ("system:nodes", "system:authenticated"))
ALICE = User("alice", ("system:authenticated",))


def level(seats: int = 10, per_flow: int = 100, waiting: int = 1_000) -> Level:
    return Level("l", "u", Shape(seats, per_flow, waiting))


async def work(on: Level, flow: str, width: int, lasts_s: float, done: list[str]) -> None:
    if not on.take(width):
        await on.wait(flow, width)
    seat = Seat(on, width, Tallies().of("s", "l"))
    await asyncio.sleep(lasts_s)
    done.append(flow)
    seat.free()


async def test_a_flood_of_wide_requests_does_not_hold_up_a_narrow_one() -> None:
    on, done = level(seats=10), []
    flood = [asyncio.create_task(work(on, "flood", 10, 0.2, done)) for _ in range(50)]
    await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work(on, "other", 1, 0.0, done)
    assert loop.time() - began == pytest.approx(0.1)  # Until the one that ran was through.
    assert done == ["flood", "other"]
    await asyncio.gather(*flood)
    assert on.in_use == on.waiting == 0


async def test_flows_share_by_work_not_by_number() -> None:
    on, done = level(seats=4), []
    tasks = [asyncio.create_task(work(on, "wide", 4, 0.1, done)) for _ in range(20)]
    tasks += [asyncio.create_task(work(on, "slim", 1, 0.1, done)) for _ in range(80)]
    await asyncio.sleep(2.05)
    assert 8 <= done.count("wide") <= 12
    assert 24 <= done.count("slim") <= 48  # Seats stand empty while a wide one waits for all.
    await asyncio.gather(*tasks)
    assert on.in_use == 0


async def test_one_request_wider_than_all_seats_runs_alone() -> None:
    on, done = level(seats=2), []
    await asyncio.gather(*(work(on, "a", 10, 1.0, done) for _ in range(3)))
    assert done == ["a", "a", "a"]


@pytest.mark.parametrize("shape", [Shape(1), Shape(1, per_flow=2, waiting=9), Shape(1, 9, 2)])
async def test_who_finds_the_queue_full_is_refused_at_once(shape: Shape) -> None:
    on = Level("l", "u", shape)
    assert on.take(1)
    allowed = min(shape.per_flow, shape.waiting)
    tasks = [asyncio.create_task(on.wait("a", 1)) for _ in range(allowed)]
    await asyncio.sleep(0)
    with pytest.raises(errors.Error) as refusal:
        await on.wait("a", 1)
    assert (refusal.value.code, refusal.value.reason) == (429, "TooManyRequests")
    assert refusal.value.retry_after_s == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    on.give_back(1)
    assert (on.in_use, on.waiting) == (0, 0)


async def test_who_waits_too_long_is_refused_and_leaves_nothing() -> None:
    on = level(seats=1)
    assert on.take(1)
    began = asyncio.get_running_loop().time()
    with pytest.raises(errors.Error):
        await on.wait("a", 1)
    assert asyncio.get_running_loop().time() - began == pytest.approx(WAIT_S_MAX)
    on.give_back(1)
    assert (on.in_use, on.waiting) == (0, 0)
    assert on.take(1)


async def test_a_seat_whose_holder_is_gone_is_free() -> None:
    on = level(seats=1)
    assert on.take(1)
    seat: Seat | None = Seat(on, 1, Tallies().of("s", "l"))
    assert not on.take(1)
    assert seat is not None
    seat = None
    assert on.take(1)


WHO: list[tuple[str, User, Asked, str]] = [
    ("masters", User("a", ("system:masters",)), Asked("list", "", "pods", True, "x"), "exempt"),
    ("probes", ALICE, Asked("get", path="/readyz"), "probes"),
    ("a node's own status", NODE, Asked("patch", "", "nodes/status"), "system-node-high"),
    ("a node's lease", NODE,
     Asked("update", "coordination.k8s.io", "leases", True, "kube-node-lease"), "system-node-high"),
    ("a node's pods", NODE, Asked("list", "", "pods"), "system-nodes"),
    ("the scheduler", User("system:kube-scheduler"), Asked("list", "", "pods"), "kube-scheduler"),
    ("a leader", User("system:kube-scheduler"),
     Asked("update", "coordination.k8s.io", "leases", True, "x"), "system-leader-election"),
    ("a system account", User("system:serviceaccount:kube-system:x"),
     Asked("list", "", "pods"), "kube-system-service-accounts"),
    ("an account", User("system:serviceaccount:d:x", ("system:serviceaccounts",)),
     Asked("list", "", "pods"), "service-accounts"),
    ("a person", ALICE, Asked("list", "", "pods"), "global-default"),
    ("a person at a path", ALICE, Asked("get", path="/version"), "global-default"),
]  # fmt: skip


@pytest.mark.parametrize(("user", "asked", "name"), [w[1:] for w in WHO], ids=[w[0] for w in WHO])
def test_the_default_schemas_tell_who_is_who(user: User, asked: Asked, name: str) -> None:
    found = [one for one in map(schema_of, defaults.schemas()) if one.matches(user, asked)]
    assert min(found, key=lambda one: (one.precedence, one.name)).name == name


async def gated() -> Api:
    api = Api()
    await api.store.open()
    await api.cache.open()
    api.server._gate = Gate(api.cache)
    api.server.open()
    for one in defaults.levels():
        await api.must("POST", LEVELS, one)
    for one in defaults.schemas():
        await api.must("POST", SCHEMAS, one)
    return api


async def test_every_answer_names_its_schema_and_level() -> None:
    api = await gated()
    await api.must("POST", PODS, pod())
    schema = (await api.must("GET", SCHEMAS + "/global-default"))["metadata"]["uid"]
    priority = (await api.must("GET", LEVELS + "/global-default"))["metadata"]["uid"]
    for path in (PODS, PODS + "/a"):
        headers = dict((await api.raw("GET", path, user=ALICE)).headers)
        assert headers["X-Kubernetes-PF-FlowSchema-UID"] == schema
        assert headers["X-Kubernetes-PF-PriorityLevel-UID"] == priority


async def test_objects_that_change_count_from_the_next_request_on() -> None:
    api = await gated()
    spec: dict[str, Any] = {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    await api.must("POST", LEVELS, {"metadata": {"name": "none"}, "spec": spec})
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "alice"}}],
        "resourceRules": [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}
        ],
    }
    mine = {
        "metadata": {"name": "alice"},
        "spec": {
            "matchingPrecedence": 50,
            "priorityLevelConfiguration": {"name": "none"},
            "rules": [rule],
        },
    }
    await api.must("POST", SCHEMAS, mine)
    request = Request("GET", PODS, ALICE)
    await api.server.dispatch(request)
    gate = api.server._gate
    assert gate is not None
    (none,) = [one for one in gate.levels() if one.name == "none"]
    none.in_use = none.shape.seats
    refused = await api.server.dispatch(request)
    assert (refused.status, dict(refused.headers)["Retry-After"]) == (429, "1")
    assert (await api.server.dispatch(Request("GET", PODS, NODE))).status == 200
    await api.must("DELETE", SCHEMAS + "/alice")
    assert (await api.server.dispatch(request)).status == 200


async def test_without_objects_nothing_is_limited() -> None:
    api = await world()
    api.server._gate = Gate(api.cache)
    response = await api.raw("GET", PODS, user=ALICE)
    assert (response.status, response.headers) == (200, ())


async def test_a_long_answer_holds_its_seats_until_it_is_let_go() -> None:
    api = await gated()
    for index in range(250):
        await api.must("POST", PODS, pod(f"p{index}", annotations={"x": "y" * 1_000}))
    response = await api.raw("GET", PODS, user=ALICE)
    gate = api.server._gate
    assert gate is not None
    (mine,) = [one for one in gate.levels() if one.name == "global-default"]
    assert mine.in_use == 3
    del response
    assert mine.in_use == 0


async def test_what_each_level_does_for_each_schema_is_counted() -> None:
    api = await gated()
    gate = api.server._gate
    assert gate is not None
    flow = gate.flow_of(Attributes(ALICE, "list", RESOURCES["pods"]))
    assert flow is not None
    flow.level.shape = Shape(1, per_flow=1, waiting=1)
    first = await gate.seat(flow, 1, "readOnly")
    second = asyncio.create_task(gate.seat(flow, 1, "readOnly"))
    await asyncio.sleep(0.3)
    with pytest.raises(errors.Error) as refused:
        await gate.seat(flow, 1, "mutating")
    assert refused.value.code == 429
    families = gate.tallies.families(gate.levels)

    def said() -> list[str]:
        mine = 'flow_schema="global-default"', "apiserver_current_inqueue", "limit_seats"
        lines = text(families).decode().splitlines()
        return [line for line in lines if any(one in line for one in mine) and line[0] != "#"]

    pair = '{flow_schema="global-default",priority_level="global-default"}'
    assert f"apiserver_flowcontrol_current_executing_requests{pair} 1" in said()
    assert f"apiserver_flowcontrol_current_inqueue_requests{pair} 1" in said()
    assert 'apiserver_current_inqueue_requests{request_kind="readOnly"} 1' in said()
    first.free()
    (await second).free()
    counted = said()
    assert f"apiserver_flowcontrol_current_executing_seats{pair} 0" in counted
    assert f"apiserver_flowcontrol_dispatched_requests_total{pair} 2" in counted
    why = pair.replace("}", ',reason="queue-full"}')
    assert f"apiserver_flowcontrol_rejected_requests_total{why} 1" in counted
    assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="global-default"} 1' in counted
    waits = [line for line in counted if "wait_duration_seconds_sum" in line and "true" in line]
    assert [float(line.split()[-1]) for line in waits] == [pytest.approx(0.3)]


async def test_a_schema_says_whether_its_level_is_there() -> None:
    api = await gated()
    keeper = DanglingSchemas(api.cache, api.server.dispatch, api.clock)
    assert await keeper.settle()

    async def dangling(name: str) -> tuple[str, str, str]:
        (found,) = (await api.must("GET", f"{SCHEMAS}/{name}"))["status"]["conditions"]
        assert found["type"] == "Dangling"
        return found["status"], found["reason"], found["message"]

    said = 'This FlowSchema references the PriorityLevelConfiguration object named "{}" '
    there = said.format("global-default") + "and it exists"
    assert await dangling("global-default") == ("False", "Found", there)
    revision = api.cache.revision
    await keeper.settle()
    assert api.cache.revision == revision  # What is so already is not written again.
    await api.must("DELETE", f"{LEVELS}/global-default")
    await keeper.settle()
    gone = said.format("global-default") + "but there is no such object"
    assert await dangling("global-default") == ("True", "NotFound", gone)


async def test_the_keeper_of_conditions_wakes_by_itself() -> None:
    api = await gated()
    keeper = DanglingSchemas(api.cache, api.server.dispatch, api.clock)
    async with Nursery() as nursery:
        nursery.spawn(keeper.run())
        await asyncio.sleep(1)
        await api.must("DELETE", f"{LEVELS}/workload-low")
        await asyncio.sleep(1)
    schema = await api.must("GET", f"{SCHEMAS}/service-accounts")
    assert schema["status"]["conditions"][0]["status"] == "True"


async def test_levels_and_queues_are_shown_as_they_are() -> None:
    api = await gated()
    gate = api.server._gate
    assert gate is not None
    flow = gate.flow_of(Attributes(ALICE, "list", RESOURCES["pods"]))
    assert flow is not None
    flow.level.shape = Shape(1, per_flow=5, waiting=5)
    seat = await gate.seat(flow, 1, "readOnly")
    waiting = asyncio.create_task(gate.seat(flow, 1, "readOnly"))
    await asyncio.sleep(0)
    show = dump.handlers(gate)
    path = "/debug/api_priority_and_fairness/dump_"
    levels = (await show[path + "priority_levels"](Request("GET", path))).body.decode()
    rows = {line.split(",")[0]: line.replace(" ", "").split(",") for line in levels.splitlines()}
    assert rows["PriorityLevelName"][4:6] == ["WaitingRequests", "ExecutingRequests"]
    assert rows["global-default"][1:7] == ["1", "false", "false", "1", "1", "1"]
    assert rows["exempt"][1:4] == ["0", "true", "false"]
    queues = (await show[path + "queues"](Request("GET", path))).body.decode().splitlines()
    assert [cell.strip() for cell in queues[1].split(",")] == [
        "global-default", "0", "1", "global-default/alice",
    ]  # fmt: skip
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert flow.tally.cancelled == 1
    seat.free()


async def test_other_debugging_is_refused_by_name() -> None:
    api = await gated()
    gate = api.server._gate
    assert gate is not None
    with pytest.raises(errors.Error, match="/debug/pprof is not supported") as refused:
        await dump.handlers(gate)["/debug/"](Request("GET", "/debug/pprof"))
    assert refused.value.code == 501

"""Resources of running pods: who is given what, how it is shown, and how it gets there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubelet_world import World, until, world
from pod_cases import container, make_pod, sandbox, situation, state

from busk8s.worker.kubelet.admit import Claim, Room, judge
from busk8s.worker.kubelet.allocation import Allocation
from busk8s.worker.kubelet.machine import Machine
from busk8s.worker.kubelet.plan import Failure, plan
from busk8s.worker.kubelet.resize import Pending
from busk8s.worker.kubelet.resources import Requests
from busk8s.worker.kubelet.status import Host, pod_status
from busk8s.worker.kubelet.status_writer import status_patch
from busk8s.worker.runtime.base import Limits
from busk8s.worker.runtime.hollow import Stages

Json = dict[str, Any]
ROOM = Room(cpu_millis=4_000, memory_bytes=1_000)
HELD = [Claim(Requests(cpu=1_500, memory=300), ()), Claim(Requests(cpu=1_500), ())]


def claim(cpu: int, memory: int = 0) -> Claim:
    return Claim(Requests(cpu=cpu, memory=memory), ())


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (claim(1_000, 700), None),
        (claim(0, 0), None),
        (claim(1_001), Pending(
            "Deferred", "Node didn't have enough resource: cpu, requested: 1001, used: 3000, "
            "capacity: 4000")),
        (claim(1, 701), Pending(
            "Deferred", "Node didn't have enough resource: memory, requested: 701, used: 300, "
            "capacity: 1000")),
        (claim(4_001, 2_000), Pending(
            "Infeasible", "Node didn't have enough capacity: cpu, requested: 4001, "
            "capacity: 4000, memory, requested: 2000, capacity: 1000")),
    ],
    ids=["it fits", "nothing", "too much cpu now", "too much memory now", "too much for ever"],
)  # fmt: skip
def test_the_node_says_whether_there_is_room(wanted: Claim, said: Pending | None) -> None:
    assert judge(wanted, HELD, ROOM) == said


def asking(cpu: str, **more: Any) -> Json:
    return {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}]}


def refuse(asked: Claim) -> Pending:
    return Pending("Deferred", "no")


def test_a_pod_keeps_what_it_has_until_there_is_room() -> None:
    allocation = Allocation(make_pod(asking("1")))
    bigger = make_pod(asking("2"))
    allocation.follow(bigger, refuse)
    assert allocation.pending == Pending("Deferred", "no")
    assert allocation.claim.requests.cpu == 1_000
    shown = allocation.applied(bigger)
    assert shown.containers[0].raw["resources"] == {"requests": {"cpu": "1"}}
    assert shown.spec["containers"][0]["resources"] == {"requests": {"cpu": "1"}}
    allocation.follow(bigger, lambda asked: None)
    assert (allocation.pending, allocation.claim.requests.cpu) == (None, 2_000)
    assert allocation.applied(bigger) is bigger


def test_a_wish_taken_back_is_no_longer_pending() -> None:
    allocation = Allocation(make_pod(asking("1")))
    allocation.follow(make_pod(asking("2")), refuse)
    allocation.follow(make_pod(asking("1")), refuse)
    assert allocation.pending is None


def test_after_a_restart_a_pod_has_what_its_status_says() -> None:
    given = {"requests": {"cpu": "1"}}
    entry = {"name": "c", "resources": given, "allocatedResources": {"cpu": "1"}}
    pod = make_pod(asking("2"), status={"containerStatuses": [entry]})
    allocation = Allocation(pod)
    assert allocation.claim.requests.cpu == 1_000
    assert allocation.applied(pod).containers[0].raw["resources"] == given


def test_a_resize_is_shown_while_it_lasts() -> None:
    small, large = {"cpu": "100m"}, {"cpu": "200m"}
    spec = {"containers": [{"name": "a", "image": "i", "resources": {"requests": large}}]}
    up = sandbox("s0")
    host = Host(("10.0.0.1",), "process")
    old = {"containerStatuses": [{"name": "a", "resources": {"requests": small}}]}

    def shown(limits: Limits, **more: Any) -> tuple[Json, dict[str, tuple[str, str]]]:
        seen = situation(spec, state([up], [container("a", limits=limits)]), **more)
        status = pod_status(1_000.0, seen, plan(1_000.0, seen), old, host)
        kinds = ("PodResizePending", "PodResizeInProgress")
        return status["containerStatuses"][0], {
            c["type"]: (c.get("reason", ""), c.get("message", ""))
            for c in status["conditions"]
            if c["type"] in kinds
        }

    entry, conditions = shown(Limits(100))
    assert (entry["resources"], entry["allocatedResources"]) == ({"requests": small}, large)
    assert conditions == {"PodResizeInProgress": ("", "")}
    _, conditions = shown(Limits(100), not_resized={"a": Failure("Error", "no", 1_005.0)})
    assert conditions == {"PodResizeInProgress": ("Error", "no")}
    entry, conditions = shown(Limits(200))
    assert (entry["resources"], conditions) == ({"requests": large}, {})
    _, conditions = shown(Limits(200), pending=Pending("Infeasible", "too big"))
    assert conditions == {"PodResizePending": ("Infeasible", "too big")}


def test_a_condition_that_is_over_is_taken_away() -> None:
    ready = {"type": "Ready", "status": "True"}
    over = {"type": "PodResizeInProgress", "status": "True"}
    theirs = {"type": "example.com/gate", "status": "True"}
    patch = status_patch({"conditions": [ready, over, theirs]}, {"conditions": [ready]})
    assert patch == {"conditions": [{"type": "PodResizeInProgress", "$patch": "delete"}]}


def sized(cpu: str, memory: str, policy: str = "NotRequired") -> Json:
    amounts = {"cpu": cpu, "memory": memory}
    restart = [{"resourceName": "memory", "restartPolicy": policy}]
    resources = {"requests": amounts, "limits": amounts}
    made = {"name": "c", "image": "sleep", "resources": resources, "resizePolicy": restart}
    return {"nodeName": "n1", "containers": [made]}


def resize(w: World, name: str, spec: Json) -> None:
    w.api.put("pods", {**w.api.pod(name), "spec": spec})


def condition(w: World, name: str, kind: str) -> Json:
    found = [c for c in w.status(name).get("conditions") or () if c["type"] == kind]
    return dict(found[0]) if found else {}


def actual(w: World, name: str) -> Limits:
    return w.runtime._containers[w.runtime_container(name)].config.limits


MACHINE = Machine(4, 8 << 30, 9 << 30, "m", "s", "b", "6.1", "os", "amd64", "n1")


async def test_a_running_container_is_resized_without_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path, machine=MACHINE) as w:
        w.api.put_pod("web", sized("1", "1Gi"))
        await until(lambda: w.ready("web"))
        resize(w, "web", sized("500m", "2Gi"))
        await until(lambda: actual(w, "web") == Limits(500, 500, 2 << 30))
        await until(lambda: w.container("web")["resources"]["limits"]["memory"] == "2Gi")
        assert w.container("web")["allocatedResources"] == {"cpu": "500m", "memory": "2Gi"}
        assert w.container("web")["restartCount"] == 0
        assert not condition(w, "web", "PodResizeInProgress")


async def test_a_container_is_restarted_where_its_policy_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, machine=MACHINE) as w:
        w.api.put_pod("web", sized("1", "1Gi", "RestartContainer"))
        await until(lambda: w.ready("web"))
        resize(w, "web", sized("1", "2Gi", "RestartContainer"))
        await until(lambda: w.container("web")["restartCount"] == 1 and w.ready("web"))
        assert actual(w, "web") == Limits(1_000, 1_000, 2 << 30)


async def test_a_resize_waits_until_others_are_gone(tmp_path: Path) -> None:
    async with world(tmp_path, machine=MACHINE) as w:
        w.api.put_pod("web", sized("1", "1Gi"))
        w.api.put_pod("other", sized("2", "1Gi"))
        await until(lambda: w.ready("web") and w.ready("other"))
        resize(w, "web", sized("3", "1Gi"))
        await until(lambda: condition(w, "web", "PodResizePending").get("reason") == "Deferred")
        assert w.container("web")["resources"]["limits"]["cpu"] == "1"
        assert "ResizeDeferred" in w.api.reasons("web")
        w.api.delete_pod("other")
        await until(lambda: actual(w, "web").cpu_limit_millis == 3_000)
        await until(lambda: not condition(w, "web", "PodResizePending"))


async def test_what_the_node_can_never_give_is_infeasible(tmp_path: Path) -> None:
    async with world(tmp_path, machine=MACHINE) as w:
        w.api.put_pod("web", sized("1", "1Gi"))
        await until(lambda: w.ready("web"))
        resize(w, "web", sized("64", "1Gi"))
        await until(lambda: condition(w, "web", "PodResizePending").get("reason") == "Infeasible")
        assert actual(w, "web").cpu_limit_millis == 1_000


async def test_memory_in_use_is_not_taken_away(tmp_path: Path) -> None:
    table = {"sleep": Stages(memory_bytes=512 << 20)}
    async with world(tmp_path, table, machine=MACHINE) as w:
        w.api.put_pod("web", sized("1", "1Gi"))
        await until(lambda: w.ready("web"))
        resize(w, "web", sized("1", "256Mi"))
        await until(lambda: condition(w, "web", "PodResizeInProgress").get("reason") == "Error")
        message = condition(w, "web", "PodResizeInProgress")["message"]
        assert message == (
            "attempting to set memory limit (268435456) below current usage (536870912)"
        )
        assert w.container("web")["resources"]["limits"]["memory"] == "1Gi"
        assert w.container("web")["restartCount"] == 0

"""StatefulSet: order, partitions, revisions, and that nobody is touched out of turn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.object import Json, Object
from busk8s.api.scheme import CONTROLLERREVISIONS, EVENTS, PODS, STATEFULSETS
from busk8s.master.controllers.actions import Create, Delete, Plan
from busk8s.master.controllers.children import Claim, is_finished, is_ready, spec_of, status_of
from busk8s.master.controllers.history import new_name
from busk8s.master.controllers.statefulset_plan import Observed, ordinal_of, plan
from tests.unit.controllers.build import NOW, thing
from tests.unit.controllers.cluster import Cluster, control_plane, until
from tests.unit.controllers.model import Model

SELECTOR = {"matchLabels": {"app": "s"}}


def template(image: str) -> Json:
    return {
        "metadata": {"labels": {"app": "s"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }


def stateful_set(replicas: int = 3, **spec: Any) -> Object:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": spec.pop("partition", 0)}}
    base = {"replicas": replicas, "selector": SELECTOR, "template": template("s:1")}
    base |= {"serviceName": "peers", "updateStrategy": rolling}
    return thing(STATEFULSETS, "s", spec=base | spec)


class World(Model):
    def __init__(self, sts: Object) -> None:
        super().__init__(NOW)
        self.put(sts)

    def planned(self) -> Plan:
        sts, pods = self.one(STATEFULSETS, "s"), tuple(self.all(PODS))
        revisions = Claim(tuple(self.all(CONTROLLERREVISIONS)), ())
        bearer = self.get(CONTROLLERREVISIONS, new_name(sts)[0])
        going = frozenset(pod.uid for pod in pods if pod.deleting)
        return plan(Observed(sts, Claim(pods, ()), revisions, bearer, going), self.now)

    def settle(self) -> None:
        for _ in range(80):
            planned = self.planned()
            self.perform(planned)
            changed = [p for p in self.all(PODS) if p.deleting or not is_ready(p)]
            for pod in changed:
                if pod.deleting:
                    self.reap(pod.name)
                elif not is_finished(pod):
                    self.run(pod.name)
            if not planned.actions and not changed:
                return
        pytest.fail("it does not come to an end")

    def change(self, **spec: Any) -> None:
        sts = self.one(STATEFULSETS, "s")
        sts.data["spec"] |= spec
        self.put(sts)

    @property
    def images(self) -> dict[str, str]:
        return {
            p.name: spec_of(p)["containers"][0]["image"]
            for p in sorted(self.all(PODS), key=lambda p: p.name)
        }

    @property
    def status(self) -> Json:
        return status_of(self.one(STATEFULSETS, "s"))


def named(planned: Plan) -> list[str]:
    """What is made (+) and ended (-)."""
    found = []
    for action in planned.actions:
        match action:
            case Create(resource=resource, data=data) if resource == PODS:
                found.append(f"+{data['metadata']['name']}")
            case Delete(object=obj) if obj.resource == PODS:
                found.append(f"-{obj.name}")
    return found


def test_pods_are_made_one_by_one_each_when_the_one_before_is_ready() -> None:
    world = World(stateful_set())
    world.perform(world.planned())  # the revision
    for ordinal in range(3):
        planned = world.planned()
        assert named(planned) == [f"+s-{ordinal}"]
        world.perform(planned)
        assert named(world.planned()) == []
        world.run(f"s-{ordinal}")
    assert named(world.planned()) == []


def test_in_parallel_they_are_made_at_once() -> None:
    world = World(stateful_set(podManagementPolicy="Parallel", ordinals={"start": 5}))
    world.perform(world.planned())
    assert named(world.planned()) == ["+s-5", "+s-6", "+s-7"]


def test_a_pod_has_its_name_as_hostname_and_its_service_as_subdomain() -> None:
    world = World(stateful_set(1))
    world.settle()
    pod = world.one(PODS, "s-0")
    assert (spec_of(pod)["hostname"], spec_of(pod)["subdomain"]) == ("s-0", "peers")
    assert pod.labels["statefulset.kubernetes.io/pod-name"] == "s-0"
    assert pod.labels["apps.kubernetes.io/pod-index"] == "0"
    assert pod.labels["controller-revision-hash"] == world.status["updateRevision"]


def test_the_highest_goes_first_and_the_next_when_it_is_gone() -> None:
    world = World(stateful_set(3))
    world.settle()
    world.change(replicas=1)
    planned = world.planned()
    assert named(planned) == ["-s-2"]
    world.perform(planned)
    assert named(world.planned()) == []
    world.reap("s-2")
    assert named(world.planned()) == ["-s-1"]


def test_an_update_goes_from_the_highest_down_and_becomes_current() -> None:
    world = World(stateful_set(3))
    world.settle()
    before = world.status["currentRevision"]
    world.change(template=template("s:2"))
    world.perform(world.planned())
    planned = world.planned()
    assert named(planned) == ["-s-2"]
    world.settle()
    assert set(world.images.values()) == {"s:2"}
    assert world.status["currentRevision"] == world.status["updateRevision"] != before
    assert (world.status["updatedReplicas"], world.status["readyReplicas"]) == (3, 3)


def test_a_partition_holds_the_lower_ones_at_the_old_revision() -> None:
    world = World(stateful_set(3, partition=2))
    world.settle()
    world.change(template=template("s:2"))
    world.settle()
    assert world.images == {"s-0": "s:1", "s-1": "s:1", "s-2": "s:2"}
    victim = world.one(PODS, "s-0")
    world.delete(PODS, "s-0", victim.uid)
    world.settle()
    assert world.images["s-0"] == "s:1"
    assert world.status["currentRevision"] != world.status["updateRevision"]


def test_on_delete_waits_for_the_user() -> None:
    world = World(stateful_set(2, updateStrategy={"type": "OnDelete"}))
    world.settle()
    world.change(template=template("s:2"))
    world.settle()
    assert set(world.images.values()) == {"s:1"}
    world.delete(PODS, "s-1", world.one(PODS, "s-1").uid)
    world.settle()
    assert world.images == {"s-0": "s:1", "s-1": "s:2"}


def test_a_failed_pod_is_replaced_under_its_name() -> None:
    world = World(stateful_set(2))
    world.settle()
    world.end("s-0", "Failed")
    assert named(world.planned()) == ["-s-0"]


def test_failed_pods_that_are_not_wanted_any_more_do_not_wait_for_each_other() -> None:
    world = World(stateful_set(2))
    world.settle()
    world.end("s-0", "Failed")
    world.end("s-1", "Failed")
    world.change(replicas=0)
    world.settle()
    assert not world.all(PODS)


def test_minimum_ready_time_is_waited_for() -> None:
    world = World(stateful_set(2, minReadySeconds=30))
    world.perform(world.planned())
    world.perform(world.planned())
    world.run("s-0")
    planned = world.planned()
    assert named(planned) == []
    assert planned.look_again_after_s == pytest.approx(30)
    world.now += 30
    assert named(world.planned()) == ["+s-1"]


STEPS = st.sampled_from(
    ["sync", "sync", "half", "run", "unready", "reap", "kill", "fail", "scale", "update"]
)


@settings(max_examples=80)
@given(
    st.integers(0, 4),
    st.booleans(),
    st.integers(0, 2),
    st.lists(st.tuples(STEPS, st.integers(0, 9)), max_size=60),
)
def test_nobody_is_touched_while_a_lower_one_is_not_ready(
    replicas: int, ordered: bool, partition: int, steps: list[tuple[str, int]]
) -> None:
    policy = "OrderedReady" if ordered else "Parallel"
    world = World(stateful_set(replicas, podManagementPolicy=policy, partition=partition))
    world.settle()
    for step, figure in steps:
        pods = world.all(PODS)
        chosen = pods[figure % len(pods)] if pods else None
        match step:
            case "sync" | "half":
                planned = world.planned()
                if ordered:
                    _check_order(world, planned)
                for action in planned.actions[: figure if step == "half" else None]:
                    world.act(action)
            case "run" | "unready" if chosen and not chosen.deleting and not is_finished(chosen):
                world.run(chosen.name, ready=step == "run")
            case "reap" if chosen and chosen.deleting:
                world.reap(chosen.name)
            case "kill" if chosen:
                world.delete(PODS, chosen.name, chosen.uid)
            case "fail" if chosen and not chosen.deleting:
                world.end(chosen.name, "Failed")
            case "scale":
                world.change(replicas=figure % 5)
            case "update":
                world.change(template=template(f"s:{figure}"))
    world.settle()
    wanted = spec_of(world.one(STATEFULSETS, "s"))["replicas"]
    assert list(world.images) == [f"s-{n}" for n in range(wanted)]
    assert world.status.get("readyReplicas", 0) == wanted
    assert not world.planned().actions


def _check_order(world: World, planned: Plan) -> None:
    """One pod a step; to make or update one, all below must be ready; to give one up, too."""
    touched = named(planned)
    assert len(touched) <= 1
    for change in touched:
        ordinal = int(change.rpartition("-")[2])
        target = world.get(PODS, change[1:])
        if target is not None and is_finished(target):
            continue  # It is over: replaced as soon as those below are ready.
        sts = world.one(STATEFULSETS, "s")
        below = {ordinal_of(sts, p): p for p in world.all(PODS)}
        for lower in range(min(ordinal, spec_of(sts)["replicas"])):
            assert is_ready(below[lower])
            assert not below[lower].deleting


async def test_it_runs_scales_and_rolls_out_in_the_cluster() -> None:
    async with control_plane() as cluster:
        spec = stateful_set(2).data["spec"]
        await cluster.create(STATEFULSETS, {"metadata": {"name": "s"}, "spec": spec})
        await until(lambda: _status(cluster).get("readyReplicas") == 2)
        assert [pod.name for pod in cluster.all(PODS)] == ["s-0", "s-1"]
        await cluster.patch(STATEFULSETS, "s", {"spec": {"replicas": 3}}, "scale")
        await until(lambda: _status(cluster).get("readyReplicas") == 3)
        image = {"spec": {"template": template("s:2")}}
        await cluster.patch(STATEFULSETS, "s", image, kind="strategic")
        await until(
            lambda: (
                _status(cluster).get("updatedReplicas") == 3
                and _status(cluster)["currentRevision"] == _status(cluster)["updateRevision"]
                and _status(cluster)["observedGeneration"] == 3
            )
        )
        assert any(e.data["reason"] == "SuccessfulDelete" for e in cluster.all(EVENTS))
        assert len(cluster.all(CONTROLLERREVISIONS)) == 2


def _status(cluster: Cluster) -> Json:
    return status_of(cluster.one(STATEFULSETS, "s"))

"""DaemonSet: which nodes have a pod, and that updates never take too many away."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.object import Json, Object
from busk8s.api.scheme import CONTROLLERREVISIONS, DAEMONSETS, NODES, PODS
from busk8s.master.controllers.actions import Delete, Patch, Plan
from busk8s.master.controllers.children import Claim, is_finished, is_ready, spec_of, status_of
from busk8s.master.controllers.daemonset_plan import (
    Observed,
    node_of,
    plan,
    pod_for,
    should_run,
    tolerations,
)
from busk8s.master.controllers.history import HASH_LABEL, new_name, number
from tests.unit.controllers.build import NOW, thing
from tests.unit.controllers.cluster import Cluster, control_plane, until
from tests.unit.controllers.model import Model

SELECTOR = {"matchLabels": {"app": "d"}}


def daemon_set(image: str = "d:1", *, pod: Json | None = None, **spec: Any) -> Object:
    template = {
        "metadata": {"labels": {"app": "d"}},
        "spec": {"containers": [{"name": "c", "image": image}], **(pod or {})},
    }
    spec = {"selector": SELECTOR, "template": template, **spec}
    return thing(DAEMONSETS, "d", spec=spec)


def node(name: str = "n1", *taints: tuple[str, str], **labels: str) -> Object:
    spec = {"taints": [{"key": key, "effect": effect} for key, effect in taints]}
    return thing(NODES, name, metadata={"labels": labels}, spec=spec)


@pytest.mark.parametrize(
    ("pod", "on", "want"),
    [
        pytest.param({}, node(), (True, True), id="any node"),
        pytest.param({"nodeSelector": {"disk": "ssd"}}, node(), (False, False), id="no label"),
        pytest.param(
            {"nodeSelector": {"disk": "ssd"}}, node(disk="ssd"), (True, True), id="the label"
        ),
        pytest.param({}, node("n1", ("x", "NoSchedule")), (False, True), id="may keep its pod"),
        pytest.param({}, node("n1", ("x", "NoExecute")), (False, False), id="may not keep it"),
        pytest.param(
            {"tolerations": [{"operator": "Exists"}]},
            node("n1", ("x", "NoExecute")),
            (True, True),
            id="tolerated",
        ),
        pytest.param(
            {},
            node("n1", ("node.kubernetes.io/unschedulable", "NoSchedule")),
            (True, True),
            id="cordoned",
        ),
        pytest.param(
            {},
            node("n1", ("node.kubernetes.io/not-ready", "NoExecute")),
            (True, True),
            id="not ready",
        ),
        pytest.param({"nodeName": "n2"}, node(), (False, False), id="another node by name"),
    ],
)
def test_which_nodes(pod: Json, on: Object, want: tuple[bool, bool]) -> None:
    assert should_run(daemon_set(pod=pod), on) == want


def test_a_pod_is_meant_for_one_node_and_tolerates_what_a_daemon_must() -> None:
    preferred = [{"weight": 1, "preference": {"matchExpressions": []}}]
    kept = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    made = pod_for(daemon_set(pod={"affinity": kept, "hostNetwork": True}), "n7", "abc")
    assert node_of(thing(PODS, "x", spec=made["spec"])) == "n7"
    affinity = made["spec"]["affinity"]["nodeAffinity"]
    assert affinity["preferredDuringSchedulingIgnoredDuringExecution"] == preferred
    keys = {t["key"].partition("/")[2] for t in made["spec"]["tolerations"]}
    assert keys == {
        "not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure",
        "unschedulable", "network-unavailable",
    }  # fmt: skip
    assert made["metadata"]["labels"][HASH_LABEL] == "abc"
    assert tolerations({"tolerations": made["spec"]["tolerations"]}) == made["spec"]["tolerations"]


class World(Model):
    """Nodes, one DaemonSet, and its plan."""

    def __init__(self, ds: Object, nodes: list[Object]) -> None:
        super().__init__(NOW)
        for obj in (ds, *nodes):
            self.put(obj)

    def planned(self) -> Plan:
        ds, pods = self.one(DAEMONSETS, "d"), tuple(self.all(PODS))
        revisions = tuple(self.all(CONTROLLERREVISIONS))
        bearer = self.get(CONTROLLERREVISIONS, new_name(ds)[0])
        going = frozenset(pod.uid for pod in pods if pod.deleting)
        nodes = tuple(self.all(NODES))
        claims = Claim(pods, ()), Claim(revisions, ())
        return plan(Observed(ds, *claims, nodes, bearer, going), self.now)

    def settle(self) -> None:
        for _ in range(40):
            planned = self.planned()
            self.perform(planned)
            changed = [pod for pod in self.all(PODS) if pod.deleting or not is_ready(pod)]
            for pod in changed:
                if pod.deleting:
                    self.reap(pod.name)
                else:
                    self.run(pod.name, node=node_of(pod))
            if not planned.actions and not changed:
                return
        pytest.fail("it does not come to an end")

    def update(self, image: str) -> None:
        ds = self.one(DAEMONSETS, "d")
        ds.data["spec"]["template"] = daemon_set(image).data["spec"]["template"]
        self.put(ds)


def test_every_eligible_node_gets_its_pod_and_a_new_one_too() -> None:
    world = World(daemon_set(), [node("n1"), node("n2"), node("n3", ("x", "NoSchedule"))])
    world.settle()
    assert sorted(node_of(pod) for pod in world.all(PODS)) == ["n1", "n2"]
    status = status_of(world.one(DAEMONSETS, "d"))
    assert (status["desiredNumberScheduled"], status["numberReady"]) == (2, 2)
    assert (status["updatedNumberScheduled"], status["numberAvailable"]) == (2, 2)
    world.put(node("n4"))
    world.settle()
    assert sorted(node_of(pod) for pod in world.all(PODS)) == ["n1", "n2", "n4"]


def test_on_delete_waits_for_the_user() -> None:
    world = World(daemon_set(updateStrategy={"type": "OnDelete"}), [node("n1"), node("n2")])
    world.settle()
    before = {pod.uid for pod in world.all(PODS)}
    world.update("d:2")
    world.settle()
    assert {pod.uid for pod in world.all(PODS)} == before
    victim = world.all(PODS)[0]
    world.delete(PODS, victim.name, victim.uid)
    world.settle()
    hashes = {pod.labels[HASH_LABEL] for pod in world.all(PODS)}
    assert len(hashes) == 2
    assert "updatedNumberScheduled" in status_of(world.one(DAEMONSETS, "d"))


def test_the_old_template_comes_back_as_the_newest_revision() -> None:
    world = World(daemon_set(), [node()])
    world.settle()
    first = world.all(CONTROLLERREVISIONS)[0]
    world.update("d:2")
    world.settle()
    assert sorted(number(r) for r in world.all(CONTROLLERREVISIONS)) == [1, 2]
    world.update("d:1")
    world.settle()
    assert number(world.one(CONTROLLERREVISIONS, first.name)) == 3
    assert len(world.all(CONTROLLERREVISIONS)) == 2


def test_old_revisions_are_forgotten() -> None:
    world = World(daemon_set(revisionHistoryLimit=1), [node()])
    for image in ("d:1", "d:2", "d:3", "d:4"):
        world.update(image)
        world.settle()
    assert sorted(number(r) for r in world.all(CONTROLLERREVISIONS)) == [3, 4]


def test_a_failed_pod_is_replaced_after_a_while() -> None:
    world = World(daemon_set(), [node()])
    world.settle()
    world.end(world.all(PODS)[0].name, "Failed")
    assert world.planned().look_again_after_s == pytest.approx(10)
    world.now += 10
    assert any(isinstance(action, Delete) for action in world.planned().actions)


def test_a_name_that_is_taken_is_given_up() -> None:
    world = World(daemon_set(), [node()])
    name, _ = new_name(world.one(DAEMONSETS, "d"))
    seen = Observed(
        world.one(DAEMONSETS, "d"),
        Claim((), ()),
        Claim((), ()),
        (),
        thing(CONTROLLERREVISIONS, name),
    )
    (patch,) = plan(seen, NOW).actions
    assert isinstance(patch, Patch)
    assert patch.patch == {"status": {"collisionCount": 1}}


STEPS = st.sampled_from(["sync", "sync", "half", "run", "reap", "kill", "fail", "taint", "update"])


@settings(max_examples=60)
@given(
    st.integers(1, 4),
    st.one_of(st.tuples(st.integers(1, 2), st.just(0)), st.tuples(st.just(0), st.integers(1, 2))),
    st.lists(st.tuples(STEPS, st.integers(0, 9)), max_size=50),
)
def test_a_node_has_one_pod_and_updates_keep_their_bounds(
    nodes: int, bounds: tuple[int, int], steps: list[tuple[str, int]]
) -> None:
    rolling = {"maxUnavailable": bounds[0], "maxSurge": bounds[1]}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    world = World(daemon_set(updateStrategy=strategy), [node(f"n{i}") for i in range(nodes)])
    world.settle()
    for step, figure in steps:
        pods = world.all(PODS)
        chosen = pods[figure % len(pods)] if pods else None
        match step:
            case "sync" | "half":
                planned = world.planned()
                _check_deletes(world, planned, max(1, bounds[0]) if not bounds[1] else 0)
                for action in planned.actions[: figure if step == "half" else None]:
                    world.act(action)
            case "run" if chosen and not chosen.deleting and not is_finished(chosen):
                world.run(chosen.name, node=node_of(chosen))
            case "reap" if chosen and chosen.deleting:
                world.reap(chosen.name)
            case "kill" if chosen:
                world.delete(PODS, chosen.name, chosen.uid)
            case "fail" if chosen and spec_of(chosen).get("nodeName"):
                world.end(chosen.name, "Failed")
            case "taint":
                taint = [("x", ("NoSchedule", "NoExecute")[figure % 2])] if figure < 4 else []
                world.put(node(f"n{figure % nodes}", *taint))
            case "update":
                world.update(f"d:{figure}")
        _check_nodes(world, 2 if bounds[1] else 1)
    world.now += 1_000
    world.settle()
    eligible = [n.name for n in world.all(NODES) if should_run(daemon_set(), n)[0]]
    kept = [n.name for n in world.all(NODES) if should_run(daemon_set(), n)[1]]
    where = sorted(node_of(pod) for pod in world.all(PODS))
    assert len(set(where)) == len(where)
    assert set(eligible) <= set(where) <= set(kept)


def _check_nodes(world: Model, most: int) -> None:
    where: dict[str, int] = {}
    for pod in world.all(PODS):
        if not pod.deleting and not is_finished(pod):
            where[node_of(pod)] = where.get(node_of(pod), 0) + 1
    assert max(where.values(), default=0) <= most


def _check_deletes(world: Model, planned: Plan, most: int) -> None:
    """Pods that serve are taken only where they must not be, or as far as may be missed."""
    ds = world.one(DAEMONSETS, "d")
    eligible = {n.name for n in world.all(NODES) if should_run(ds, n)[0]}
    doomed = {a.object.uid for a in planned.actions if isinstance(a, Delete)}
    serving = [p for p in world.all(PODS) if is_ready(p) and not p.deleting]
    before = {node_of(p) for p in serving} & eligible
    after = {node_of(p) for p in serving if p.uid not in doomed} & eligible
    if before - after:
        assert len(eligible) - len(after) <= most


async def test_a_daemon_runs_on_every_node_and_is_updated_node_by_node() -> None:
    async with control_plane() as cluster:
        data = daemon_set().data
        await cluster.create(DAEMONSETS, {"metadata": {"name": "d"}, "spec": data["spec"]})
        await until(lambda: _status(cluster).get("numberAvailable") == 2)
        await cluster.add_node("n3")
        await until(lambda: _status(cluster).get("desiredNumberScheduled") == 3)
        image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "d:2"}]}}}}
        await cluster.patch(DAEMONSETS, "d", image, kind="strategic")
        await until(
            lambda: (
                _status(cluster).get("updatedNumberScheduled") == 3
                and _status(cluster).get("numberAvailable") == 3
            )
        )
        assert len(cluster.all(CONTROLLERREVISIONS)) == 2
        await cluster.client.delete(DAEMONSETS, "d", namespace="default")
        await until(lambda: not cluster.all(PODS) and not cluster.all(CONTROLLERREVISIONS))


def _status(cluster: Cluster) -> Json:
    return status_of(cluster.one(DAEMONSETS, "d"))

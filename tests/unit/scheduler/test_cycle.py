"""Which node a pod gets, and what is said when none fits."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.object import Object, encode, with_revision
from busk8s.api.scheme import NODES, PODS, Resource
from busk8s.master.scheduler.cycle import Chosen, Cycle, Unschedulable
from busk8s.master.scheduler.framework import Filter, Profile
from busk8s.master.scheduler.plugins.balanced_allocation import BalancedAllocation
from busk8s.master.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from busk8s.master.scheduler.plugins.node_affinity import NodeAffinity
from busk8s.master.scheduler.plugins.node_ports import NodePorts
from busk8s.master.scheduler.plugins.node_unschedulable import NodeUnschedulable
from busk8s.master.scheduler.plugins.pod_topology_spread import PodTopologySpread
from busk8s.master.scheduler.plugins.priority_sort import PrioritySort
from busk8s.master.scheduler.plugins.resources_fit import NodeResourcesFit
from busk8s.master.scheduler.plugins.taint_toleration import TaintToleration, tolerates
from busk8s.master.scheduler.plugins.unsupported import Unsupported
from busk8s.master.scheduler.pod import PodClasses, PodInfo, pod_requests
from busk8s.master.scheduler.snapshot import Snapshot, node_info

PLUGINS: list[Any] = [
    PrioritySort(), Unsupported(), NodeUnschedulable(), TaintToleration(), NodeAffinity(),
    NodePorts(), NodeResourcesFit(), PodTopologySpread(NodeAffinity(), TaintToleration()),
    InterPodAffinity(), BalancedAllocation(),
]  # fmt: skip
CLASSES = PodClasses()


def obj(resource: Resource, name: str, namespace: str = "", **data: Any) -> Object:
    metadata = {"name": name, "uid": f"uid-{name}", **data.pop("metadata", {})}
    data = {"kind": resource.kind, "apiVersion": "v1", "metadata": metadata, **data}
    body = with_revision(encode(data), 1, head_length=resource.head_length)
    return Object(resource, namespace, name, revision=1, body=body)


def node(name: str, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **spec: Any) -> Object:
    labels = spec.pop("labels", {})
    amounts = {"cpu": cpu, "memory": memory, "pods": pods, **spec.pop("more", {})}
    return obj(NODES, name, metadata={"labels": labels}, spec=spec, status={"allocatable": amounts})


def pod(name: str, requests: dict[str, str] | None = None, **spec: Any) -> PodInfo:
    container: dict[str, Any] = {"name": "c", "image": "i"}
    if requests:
        container["resources"] = {"requests": requests}
    if "ports" in spec:
        container["ports"] = spec.pop("ports")
    spec.setdefault("containers", [container])
    return CLASSES.info(obj(PODS, name, "default", spec=spec))


def snapshot(*nodes: Object, pods: list[PodInfo] | None = None) -> Snapshot:
    made = Snapshot()
    for each in nodes:
        made.put_node(node_info(each))
    for placed in pods or []:
        made.add_pod(placed)
    return made


def decide(wanted: PodInfo, state: Snapshot, seed: int = 0) -> Chosen | Unschedulable:
    profile = Profile(PLUGINS, scheduler_name="default-scheduler")
    return Cycle(profile, random.Random(seed)).decide(wanted, state)


def term(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    kind = "requiredDuringSchedulingIgnoredDuringExecution"
    return {"nodeAffinity": {kind: {"nodeSelectorTerms": list(terms)}}}


NO_SCHEDULE = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("wanted", "nodes", "message"),
    [
        pytest.param(pod("p"), [], "no nodes available to schedule pods", id="no node"),
        pytest.param(
            pod("p"),
            [node("a", unschedulable=True), node("b", taints=[NO_SCHEDULE])],
            "0/2 nodes are available: 1 node(s) had untolerated taint(s), "
            "1 node(s) were unschedulable.",
            id="each node for its own reason, in order of the text",
        ),
        pytest.param(
            pod("p", {"cpu": "5", "memory": "1Ti"}),
            [node("a"), node("b", cpu="8")],
            "0/2 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.",
            id="a node may lack several resources",
        ),
        pytest.param(
            pod("p", nodeSelector={"disk": "ssd"}),
            [node("a", labels={"disk": "hdd"})],
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
            id="node selector",
        ),
        pytest.param(
            pod("p"),
            [node("a", pods="0")],
            "0/1 nodes are available: 1 Too many pods.",
            id="too many pods",
        ),
        pytest.param(
            pod("p", {"example.com/gpu": "1"}),
            [node("a")],
            "0/1 nodes are available: 1 Insufficient example.com/gpu.",
            id="a resource no node has",
        ),
        pytest.param(
            pod("p", nodeSelector={"disk": "ssd"}, tolerations=[]),
            [node("a", unschedulable=True, labels={"disk": "hdd"})],
            "0/1 nodes are available: 1 node(s) were unschedulable.",
            id="only the first plug-in that refuses a node counts",
        ),
        pytest.param(
            pod("p", resourceClaims=[{"name": "gpu", "resourceClaimName": "gpu"}]),
            [node("a")],
            "0/1 nodes are available: node(s) cannot be judged: not supported: resourceClaims.",
            id="what no plug-in can judge is refused by name",
        ),
    ],
)
def test_why_no_node_fits(wanted: PodInfo, nodes: list[Object], message: str) -> None:
    decision = decide(wanted, snapshot(*nodes))
    assert isinstance(decision, Unschedulable)
    assert decision.message == message


def test_a_taken_host_port_says_so() -> None:
    held = pod("held", ports=[{"containerPort": 80, "hostPort": 80}])
    held.node = "a"
    decision = decide(
        pod("p", ports=[{"containerPort": 8080, "hostPort": 80, "hostIP": "127.0.0.1"}]),
        snapshot(node("a"), pods=[held]),
    )
    assert isinstance(decision, Unschedulable)
    assert "1 node(s) didn't have free ports for the requested pod ports" in decision.message
    udp = pod("q", ports=[{"containerPort": 80, "hostPort": 80, "protocol": "UDP"}])
    assert decide(udp, snapshot(node("a"))) == Chosen("a")


@pytest.mark.parametrize(
    ("wanted", "nodes", "want"),
    [
        pytest.param(
            pod("p", tolerations=[{"operator": "Exists"}]),
            [node("a", unschedulable=True, taints=[NO_SCHEDULE])],
            "a",
            id="Exists without a key tolerates everything, cordons too",
        ),
        pytest.param(
            pod("p", affinity=required(term("zone", "In", "z2"), term("zone", "In", "z3"))),
            [node("a", labels={"zone": "z1"}), node("b", labels={"zone": "z3"})],
            "b",
            id="affinity terms are alternatives",
        ),
        pytest.param(
            pod("p", affinity=required({"matchFields": [
                {"key": "metadata.name", "operator": "In", "values": ["b"]}]})),
            [node("a"), node("b")],
            "b",
            id="by name",
        ),
        pytest.param(
            pod("p", affinity={"nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 100, "preference": term("fast", "Exists")}]}}),
            [node("a"), node("b", cpu="2", labels={"fast": ""})],
            "b",
            id="preferred affinity outweighs emptiness",
        ),
        pytest.param(
            pod("p"),
            [node("a", taints=[{"key": "x", "effect": "PreferNoSchedule"}]), node("b", cpu="2")],
            "b",
            id="PreferNoSchedule is avoided",
        ),
        pytest.param(pod("p"), [node("a", cpu="1"), node("b", cpu="8")], "b", id="the emptier"),
    ],
)  # fmt: skip
def test_which_node_is_chosen(wanted: PodInfo, nodes: list[Object], want: str) -> None:
    assert decide(wanted, snapshot(*nodes)) == Chosen(want)


def test_equal_pods_spread_over_equal_nodes() -> None:
    state = snapshot(node("a"), node("b"), node("c"))
    for number in range(6):
        wanted = pod(f"p{number}", {"cpu": "100m"})
        decision = decide(wanted, state, seed=number)
        assert isinstance(decision, Chosen)
        wanted.node = decision.node
        state.add_pod(wanted)
    assert [len(state.nodes[name].pods) for name in "abc"] == [2, 2, 2]


@pytest.mark.parametrize(
    ("toleration", "want"),
    [
        pytest.param({"key": "dedicated", "value": "db"}, True, id="equal, any effect"),
        pytest.param({"key": "dedicated", "value": "x"}, False, id="other value"),
        pytest.param({"key": "dedicated", "operator": "Exists"}, True, id="exists"),
        pytest.param({"key": "other", "operator": "Exists"}, False, id="other key"),
        pytest.param({"operator": "Exists", "effect": "NoExecute"}, False, id="other effect"),
        pytest.param({"value": "db"}, False, id="no key needs Exists"),
    ],
)
def test_tolerations(toleration: dict[str, str], want: bool) -> None:
    assert tolerates([toleration], ("dedicated", "db", "NoSchedule")) is want


def test_requests_are_the_larger_of_running_and_initialising() -> None:
    def container(cpu: str, **more: str) -> dict[str, Any]:
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [container("100m"), container("200m")],
        "initContainers": [container("50m", restartPolicy="Always"), container("900m")],
        "overhead": {"cpu": "10m"},
    }
    assert pod_requests(spec)[0] == {"cpu": 960}
    assert pod_requests({"containers": [{"name": "c"}]}) == ({}, 100, 200 * 1024 * 1024)


def test_a_removed_node_keeps_its_pods_in_mind_until_it_returns() -> None:
    held = pod("p", {"cpu": "3"})
    held.node = "a"
    state = snapshot(node("a"), pods=[held])
    state.drop_node("a")
    state.put_node(node_info(node("b")))
    state.put_node(node_info(node("a")))
    free = state.free("cpu")
    assert {n.name: int(free[n.index]) for n in state.nodes.values()} == {"a": 1000, "b": 4000}
    state.drop_pod(held)
    state.drop_pod(held)
    assert int(state.free("cpu")[state.nodes["a"].index]) == 4000


specs = st.fixed_dictionaries(
    {},
    optional={
        "requests": st.fixed_dictionaries(
            {}, optional={"cpu": st.sampled_from(["500m", "2"]), "memory": st.just("4Gi")}
        ),
        "nodeSelector": st.just({"disk": "ssd"}),
        "tolerations": st.just([{"key": "dedicated", "operator": "Exists"}]),
        "ports": st.just([{"containerPort": 1, "hostPort": 1}]),
    },
)
nodes = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.sampled_from(["1", "4"]),
        "unschedulable": st.booleans(),
        "taints": st.just([NO_SCHEDULE]),
        "labels": st.just({"disk": "ssd"}),
    },
)


def fits(wanted: PodInfo, spec: dict[str, Any], which: Object, placed: list[PodInfo]) -> bool:
    """The brute-force oracle: straight from the API reference, one node at a time."""
    data = which.data
    here = [p for p in placed if p.node == which.name]
    if data["spec"].get("unschedulable") or (
        data["spec"].get("taints") and "tolerations" not in spec
    ):
        return False
    if "nodeSelector" in spec and data["metadata"]["labels"].get("disk") != "ssd":
        return False
    if "ports" in spec and any(p.kind.host_ports for p in here):
        return False
    cpu = int(data["status"]["allocatable"]["cpu"]) * 1000
    memory = 8 * 1024**3
    used_cpu = sum(p.kind.requests.get("cpu", 0) for p in here)
    used_memory = sum(p.kind.requests.get("memory", 0) for p in here)
    return (
        used_cpu + wanted.kind.requests.get("cpu", 0) <= cpu or not wanted.kind.requests.get("cpu")
    ) and (
        used_memory + wanted.kind.requests.get("memory", 0) <= memory
        or not wanted.kind.requests.get("memory")
    )


@given(st.lists(nodes, max_size=4), st.lists(specs, max_size=12), st.integers(0, 9))
def test_a_pod_is_placed_exactly_when_the_oracle_finds_a_node_and_then_fits(
    made: list[dict[str, Any]], wanted: list[dict[str, Any]], seed: int
) -> None:
    objects = [node(f"n{i}", **spec) for i, spec in enumerate(made)]
    state = snapshot(*objects)
    profile = Profile(PLUGINS, scheduler_name="default-scheduler")
    cycle = Cycle(profile, random.Random(seed))
    placed: list[PodInfo] = []
    for number, spec in enumerate(wanted):
        candidate = pod(f"p{number}", **spec)
        good = {o.name for o in objects if fits(candidate, spec, o, placed)}
        decision = cycle.decide(candidate, state)
        if isinstance(decision, Chosen):
            assert decision.node in good
            candidate.node = decision.node
            state.add_pod(candidate)
            placed.append(candidate)
        else:
            assert not good
            assert not objects or sum(decision.reasons.values()) >= len(objects)


@given(st.lists(nodes, min_size=1, max_size=4), specs)
def test_the_order_of_filters_does_not_change_who_is_feasible(
    made: list[dict[str, Any]], spec: dict[str, Any]
) -> None:
    state = snapshot(*(node(f"n{i}", **each) for i, each in enumerate(made)))
    wanted = pod("p", **spec)
    filters = [p for p in PLUGINS if isinstance(p, Filter)]
    forwards = np.logical_and.reduce([f.filter(wanted, state).passes for f in filters])
    backwards = np.logical_and.reduce([f.filter(wanted, state).passes for f in filters[::-1]])
    assert (forwards == backwards).all()


def test_a_pod_that_is_resized_counts_with_what_it_has_and_what_it_asks_for() -> None:
    given = {"name": "c", "resources": {"requests": {"cpu": "3"}}}
    spec = {"nodeName": "n", "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}
    shrinking = CLASSES.info(
        obj(PODS, "a", "default", spec=spec, status={"containerStatuses": [given]})
    )
    state = snapshot(node("n", cpu="4"), pods=[shrinking])
    assert isinstance(decide(pod("b", {"cpu": "2"}), state), Unschedulable)
    state.drop_pod(shrinking)
    state.add_pod(CLASSES.info(obj(PODS, "a", "default", spec=spec)))
    assert decide(pod("b", {"cpu": "2"}), state) == Chosen("n")

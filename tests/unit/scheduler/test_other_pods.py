"""Rules about other pods: affinity, anti-affinity, spread; and an oracle that counts by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.object import Json
from busk8s.api.scheme import PODS
from busk8s.master.scheduler.cycle import Chosen, Cycle, Unschedulable
from busk8s.master.scheduler.framework import Profile
from busk8s.master.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from busk8s.master.scheduler.plugins.node_affinity import NodeAffinity
from busk8s.master.scheduler.plugins.pod_topology_spread import PodTopologySpread
from busk8s.master.scheduler.plugins.priority_sort import PrioritySort
from busk8s.master.scheduler.plugins.taint_toleration import TaintToleration
from busk8s.master.scheduler.pod import PodClasses, PodInfo
from busk8s.master.scheduler.snapshot import Snapshot, node_info
from tests.unit.scheduler.test_cycle import node, obj, required, term

CLASSES = PodClasses()
ZONE, HOST = "zone", "host"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
AFFINITY, TAINTS = NodeAffinity(), TaintToleration()


def pod(
    name: str,
    app: str = "web",
    *,
    on: str = "",
    namespace: str = "default",
    labels: dict[str, str] | None = None,
    going: bool = False,
    **spec: Any,
) -> PodInfo:
    metadata: Json = {"labels": {"app": app, **(labels or {})}}
    if going:
        metadata["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    whole = {"containers": [{"name": "c"}], "nodeName": on, **spec}
    return CLASSES.info(obj(PODS, name, namespace, metadata=metadata, spec=whole))


def near(app: str, key: str = ZONE, **more: Any) -> Json:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def together(*terms: Json) -> Json:
    return {"podAffinity": {REQUIRED: list(terms)}}


def apart(*terms: Json) -> Json:
    return {"podAntiAffinity": {REQUIRED: list(terms)}}


def spread(app: str = "web", key: str = ZONE, skew: int = 1, **more: Any) -> list[Json]:
    return [
        {
            "labelSelector": {"matchLabels": {"app": app}},
            "topologyKey": key,
            "maxSkew": skew,
            "whenUnsatisfiable": "DoNotSchedule",
            **more,
        }
    ]


def cluster(*placed: PodInfo, zones: str = "aab", **labels: str) -> Snapshot:
    """Nodes n0, n1, … in the zones given by letter; `-` is in none."""
    made = Snapshot()
    for index, zone in enumerate(zones):
        own = {HOST: f"n{index}", **({ZONE: zone} if zone != "-" else {})}
        made.put_node(node_info(node(f"n{index}", labels=own | labels)))
    for each in placed:
        made.add_pod(each)
    return made


def feasible(wanted: PodInfo, state: Snapshot) -> str:
    """The numbers of the nodes that pass."""
    passes = InterPodAffinity().filter(wanted, state).passes
    passes = passes & PodTopologySpread(AFFINITY, TAINTS).filter(wanted, state).passes
    return "".join(str(index) for index, passed in enumerate(passes) if passed)


@pytest.mark.parametrize(
    ("wanted", "state", "want"),
    [
        pytest.param(pod("p"), cluster(), "012", id="without rules anywhere"),
        pytest.param(
            pod("p", affinity=together(near("db"))),
            cluster(pod("d", "db", on="n0")),
            "01",
            id="near a pod means in its zone",
        ),
        pytest.param(
            pod("p", affinity=together(near("db", HOST))),
            cluster(pod("d", "db", on="n0")),
            "0",
            id="or on its host",
        ),
        pytest.param(
            pod("p", affinity=together(near("db"), near("db", HOST))),
            cluster(pod("d", "db", on="n0")),
            "0",
            id="all terms must hold",
        ),
        pytest.param(
            pod("p", affinity=together(near("db"))), cluster(), "", id="near nobody is nowhere"
        ),
        pytest.param(
            pod("p", affinity=together(near("web"))),
            cluster(zones="a-b"),
            "02",
            id="the first of a series goes into any domain",
        ),
        pytest.param(
            pod("p", affinity=together(near("web"))),
            cluster(pod("w", on="n2")),
            "2",
            id="the second near the first",
        ),
        pytest.param(
            pod("p", affinity=together(near("db"))),
            cluster(pod("d", "db", on="n0", namespace="other")),
            "",
            id="pods of other namespaces do not count",
        ),
        pytest.param(
            pod("p", affinity=together(near("db", namespaces=["other"]))),
            cluster(pod("d", "db", on="n0", namespace="other")),
            "01",
            id="unless they are named",
        ),
        pytest.param(
            pod("p", affinity=together(near("db", namespaceSelector={}))),
            cluster(pod("d", "db", on="n0", namespace="other")),
            "01",
            id="or all are meant",
        ),
        pytest.param(
            pod("p", affinity=apart(near("web", HOST))),
            cluster(pod("w", on="n1")),
            "02",
            id="apart from a pod on its host",
        ),
        pytest.param(
            pod("p", affinity=apart(near("web"))),
            cluster(pod("w", on="n1"), zones="aa-"),
            "2",
            id="a node without the key is in no domain",
        ),
        pytest.param(
            pod("p"),
            cluster(pod("shy", "shy", on="n0", affinity=apart(near("web")))),
            "2",
            id="a pod that is there may want to be apart",
        ),
        pytest.param(
            pod("p", "other"),
            cluster(pod("shy", "shy", on="n0", affinity=apart(near("web")))),
            "012",
            id="from those it names only",
        ),
        pytest.param(
            pod(
                "p",
                labels={"version": "2"},
                affinity=apart(near("web", HOST, matchLabelKeys=["version"])),
            ),
            cluster(
                pod("old", on="n0", labels={"version": "1"}),
                pod("new", on="n1", labels={"version": "2"}),
            ),
            "02",
            id="matchLabelKeys: of the same version only",
        ),
        pytest.param(
            pod(
                "p",
                labels={"tenant": "x"},
                affinity=apart(near("web", HOST, mismatchLabelKeys=["tenant"])),
            ),
            cluster(
                pod("ours", on="n0", labels={"tenant": "x"}),
                pod("theirs", on="n1", labels={"tenant": "y"}),
            ),
            "02",
            id="mismatchLabelKeys: of other tenants only",
        ),
        pytest.param(
            pod("p", affinity=apart({"topologyKey": HOST})),
            cluster(pod("w", on="n1")),
            "012",
            id="no selector covers no pod",
        ),
    ],
)
def test_affinity(wanted: PodInfo, state: Snapshot, want: str) -> None:
    assert feasible(wanted, state) == want


@pytest.mark.parametrize(
    ("wanted", "state", "want"),
    [
        pytest.param(
            pod("p", topologySpreadConstraints=spread()),
            cluster(pod("w", on="n0")),
            "2",
            id="into the emptier zone",
        ),
        pytest.param(
            pod("p", topologySpreadConstraints=spread(skew=2)),
            cluster(pod("w", on="n0")),
            "012",
            id="as far as the skew allows",
        ),
        pytest.param(
            pod("p", topologySpreadConstraints=spread()),
            cluster(pod("w", on="n0", going=True)),
            "012",
            id="a pod that is going does not count",
        ),
        pytest.param(
            pod("p", topologySpreadConstraints=spread()),
            cluster(pod("w", on="n0", namespace="other")),
            "012",
            id="nor one of another namespace",
        ),
        pytest.param(
            pod("p", topologySpreadConstraints=spread()),
            cluster(zones="aa-"),
            "01",
            id="a node without the key is out",
        ),
        pytest.param(
            pod("p", topologySpreadConstraints=spread(minDomains=3)),
            cluster(pod("w", on="n0"), pod("x", on="n2")),
            "",
            id="with too few domains the least is none",
        ),
        pytest.param(
            pod("p", topologySpreadConstraints=spread() + spread(key=HOST)),
            cluster(pod("w", on="n0"), pod("x", on="n2")),
            "1",
            id="every constraint must hold",
        ),
        pytest.param(
            pod("p", "other", topologySpreadConstraints=spread()),
            cluster(pod("w", on="n0")),
            "012",
            id="a pod that does not count itself may go where there is one more",
        ),
        pytest.param(
            pod(
                "p",
                topologySpreadConstraints=spread(),
                affinity=required(term(ZONE, "In", "a")),
            ),
            cluster(pod("w", on="n0")),
            "012",
            id="zones that its node affinity excludes are no domains",
        ),
        pytest.param(
            pod(
                "p",
                topologySpreadConstraints=spread(nodeAffinityPolicy="Ignore"),
                affinity=required(term(ZONE, "In", "a")),
            ),
            cluster(pod("w", on="n0")),
            "2",
            id="but by the policy Ignore they are",
        ),
        pytest.param(
            pod(
                "p",
                labels={"hash": "2"},
                topologySpreadConstraints=spread(matchLabelKeys=["hash"]),
            ),
            cluster(pod("old", on="n0", labels={"hash": "1"})),
            "012",
            id="matchLabelKeys: each version for itself",
        ),
    ],
)
def test_spread(wanted: PodInfo, state: Snapshot, want: str) -> None:
    assert feasible(wanted, state) == want


def decide(wanted: PodInfo, state: Snapshot) -> Chosen | Unschedulable:
    plugins: list[Any] = [
        PrioritySort(), TAINTS, AFFINITY, PodTopologySpread(AFFINITY, TAINTS), InterPodAffinity(),
    ]  # fmt: skip
    profile = Profile(plugins, scheduler_name="default-scheduler")
    return Cycle(profile, random.Random(0)).decide(wanted, state)


@pytest.mark.parametrize(
    ("wanted", "state", "message"),
    [
        (
            pod("p", affinity=together(near("db"))),
            cluster(),
            "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.",
        ),
        (
            pod("p", affinity=apart(near("web", "all"))),
            cluster(pod("w", on="n1"), all="x"),
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
        ),
        (
            pod("p"),
            cluster(pod("shy", "shy", on="n0", affinity=apart(near("web", "all"))), all="x"),
            "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules.",
        ),
        (
            pod("p", topologySpreadConstraints=spread(minDomains=3)),
            cluster(pod("w", on="n0"), pod("x", on="n2"), zones="a-b"),
            "0/3 nodes are available: "
            "1 node(s) didn't match pod topology spread constraints (missing required label), "
            "2 node(s) didn't match pod topology spread constraints.",
        ),
    ],
    ids=["affinity", "anti-affinity", "of others", "spread"],
)
def test_what_is_said_when_no_node_fits(wanted: PodInfo, state: Snapshot, message: str) -> None:
    decision = decide(wanted, state)
    assert isinstance(decision, Unschedulable)
    assert decision.message == message


def wish(app: str, weight: int, key: str = HOST) -> Json:
    return {"weight": weight, "podAffinityTerm": near(app, key)}


@pytest.mark.parametrize(
    ("wanted", "state", "want"),
    [
        pytest.param(
            pod("p", affinity={"podAffinity": {PREFERRED: [wish("db", 5)]}}),
            cluster(pod("d", "db", on="n1")),
            "n1",
            id="near whom it likes",
        ),
        pytest.param(
            pod("p", affinity={"podAntiAffinity": {PREFERRED: [wish("web", 5)]}}),
            cluster(pod("w", on="n0"), pod("x", on="n2")),
            "n1",
            id="away from whom it does not",
        ),
        pytest.param(
            pod("p"),
            cluster(pod("d", on="n2", affinity={"podAffinity": {PREFERRED: [wish("web", 1)]}})),
            "n2",
            id="near who likes it",
        ),
        pytest.param(
            pod("p", topologySpreadConstraints=spread(whenUnsatisfiable="ScheduleAnyway")),
            cluster(pod("w", on="n0")),
            "n2",
            id="rather into the emptier zone",
        ),
    ],
)
def test_preferences(wanted: PodInfo, state: Snapshot, want: str) -> None:
    assert decide(wanted, state) == Chosen(want)


# --- the oracle ---------------------------------------------------------------------------------

keys = st.sampled_from([ZONE, HOST])
apps = st.sampled_from(["web", "db"])
terms = st.builds(near, apps, keys)
rules = st.fixed_dictionaries(
    {},
    optional={
        "affinity": st.one_of(
            st.builds(together, terms), st.builds(apart, terms), st.builds(apart, terms, terms)
        ),
        "topologySpreadConstraints": st.builds(spread, apps, keys, st.integers(1, 2)),
    },
)
places = st.sampled_from(["n0", "n1", "n2", "n3"])


def oracle(wanted: PodInfo, spec: Json, zones: str, there: list[tuple[PodInfo, Json]]) -> str:
    """One node at a time, one pod at a time, straight from the API reference."""

    def value(name: str, key: str) -> str | None:
        if key == HOST:
            return name
        zone = zones[int(name[1:])]
        return None if zone == "-" else zone

    names = [f"n{index}" for index in range(len(zones))]

    def beside(one: str, other: str, key: str) -> bool:
        return value(one, key) is not None and value(one, key) == value(other, key)

    def covers(each: Json, candidate: PodInfo) -> bool:
        wanted_app = each["labelSelector"]["matchLabels"]["app"]
        return bool(candidate.sort.labels["app"] == wanted_app)

    def fits(name: str) -> bool:
        affinity = spec.get("affinity") or {}
        musts = affinity.get("podAffinity", {}).get(REQUIRED, [])
        covered = [p for p, _ in there if all(covers(each, p) for each in musts)]
        for each in musts:
            if value(name, each["topologyKey"]) is None:
                return False
            alone = not covered and all(covers(t, wanted) for t in musts)
            if not alone and not any(beside(name, p.node, each["topologyKey"]) for p in covered):
                return False
        for each in affinity.get("podAntiAffinity", {}).get(REQUIRED, []):
            if any(covers(each, p) and beside(name, p.node, each["topologyKey"]) for p, _ in there):
                return False
        for other, rules_ in there:
            for each in (rules_.get("affinity") or {}).get("podAntiAffinity", {}).get(REQUIRED, []):
                if covers(each, wanted) and beside(name, other.node, each["topologyKey"]):
                    return False
        return all(even(name, each) for each in spec.get("topologySpreadConstraints", []))

    def even(name: str, each: Json) -> bool:
        key = each["topologyKey"]
        if value(name, key) is None:
            return False
        domains = {value(n, key) for n in names} - {None}
        held = {
            domain: sum(covers(each, p) and value(p.node, key) == domain for p, _ in there)
            for domain in domains
        }
        here = held[value(name, key)] + covers(each, wanted)
        return bool(here - min(held.values()) <= each["maxSkew"])

    return "".join(name[1:] for name in names if fits(name))


@given(
    st.text("ab-", min_size=4, max_size=4), st.lists(st.tuples(apps, places, rules), max_size=8),
    apps, rules,
)  # fmt: skip
def test_a_node_passes_exactly_when_the_oracle_says_so(
    zones: str, given_: list[tuple[str, str, Json]], app: str, spec: Json
) -> None:
    there = [
        (pod(f"e{index}", each, on=place, **held), held)
        for index, (each, place, held) in enumerate(given_)
    ]
    state = cluster(*(p for p, _ in there), zones=zones)
    wanted = pod("p", app, **spec)
    assert feasible(wanted, state) == oracle(wanted, spec, zones, there)
    # What is counted can be taken away again without a trace.
    for each, _ in there:
        state.drop_pod(each)
    assert not state.crowds.all
    assert not state.crowds.guarded
    assert not state.crowds.leaning

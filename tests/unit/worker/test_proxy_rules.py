"""The table a set of services makes, and that differences lead from any table to any other."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from busk8s.worker.proxy.ports import Endpoint, ServicePort, service_ports
from busk8s.worker.proxy.rules import BASE, SETS, Ruleset, difference, replace, ruleset
from tests.unit.worker.cluster_objects import endpoint, endpoint_slice, service

TABLE = "ip t"


def table_of(services: list[Any], slices: list[Any]) -> Ruleset:
    return ruleset(service_ports(services, slices, "n1"))


def test_a_cluster_ip_leads_to_its_endpoints_evenly() -> None:
    slices = [endpoint_slice("web", [endpoint("10.0.0.1"), endpoint("10.0.1.1", "n2")])]
    table = table_of([service("web")], slices)
    ((key, verdict),) = table.elements["services"].items()
    assert key == "10.96.0.1 . tcp . 80"
    assert table.chains[verdict.removeprefix("goto ")] == (
        "meta l4proto tcp dnat ip to numgen random mod 2 map "
        "{ 0 : 10.0.0.1 . 8080, 1 : 10.0.1.1 . 8080 }",
    )
    assert table.elements["hairpin"] == {"10.0.0.1 . 10.0.0.1": ""}


def test_without_endpoints_a_call_is_refused_at_once() -> None:
    table = table_of([service("web", ports=[{"port": 80, "nodePort": 30080}])], [])
    assert table.elements["empty"] == {"10.96.0.1 . tcp . 80": "goto refuse"}
    assert table.elements["emptyports"] == {"tcp . 30080": "goto refuse"}
    assert not table.chains


def test_a_local_policy_without_local_endpoints_drops() -> None:
    slices = [endpoint_slice("web", [endpoint("10.0.1.1", "n2")])]
    table = table_of([service("web", internalTrafficPolicy="Local")], slices)
    assert table.elements["empty"] == {"10.96.0.1 . tcp . 80": "goto lose"}


def test_calls_from_outside_are_marked_for_masquerading_unless_they_stay_local() -> None:
    ports = [{"port": 80, "nodePort": 30080}]
    slices = [endpoint_slice("web", [endpoint("10.0.0.1")])]
    anywhere = table_of([service("web", ports=ports)], slices)
    chain = anywhere.elements["nodeports"]["tcp . 30080"].removeprefix("goto ")
    assert "mark set" in anywhere.chains[chain][0]
    local = table_of([service("web", ports=ports, externalTrafficPolicy="Local")], slices)
    chain = local.elements["nodeports"]["tcp . 30080"].removeprefix("goto ")
    assert not any("mark set" in rule for rule in local.chains[chain])


def test_who_called_before_goes_where_it_went() -> None:
    slices = [endpoint_slice("web", [endpoint("10.0.0.1"), endpoint("10.0.0.2")])]
    table = table_of([service("web", sessionAffinity="ClientIP")], slices)
    assert len(table.sets) == 2
    assert all("timeout 10800s" in text for text in table.sets.values())


def test_nothing_changed_takes_no_command() -> None:
    slices = [endpoint_slice("web", [endpoint("10.0.0.1")])]
    table = table_of([service("web")], slices)
    assert difference(TABLE, table, table) == []


# -- any table to any other ---------------------------------------------------------------------

endpoints = st.lists(
    st.builds(Endpoint, st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), st.just(80)),
    max_size=3, unique=True,
).map(tuple)  # fmt: skip


@st.composite
def any_port(draw: st.DrawFn) -> ServicePort:
    every = draw(endpoints)
    some = every[: draw(st.integers(0, len(every)))]
    number = draw(st.integers(1, 4))
    return ServicePort(
        "default", f"s{number}", "", "tcp", 80,
        cluster_ips=(f"10.96.0.{number}",),
        external_ips=draw(st.sampled_from([(), ("192.0.2.1",)])),
        node_port=draw(st.sampled_from([0, 30000 + number])),
        internal=draw(st.sampled_from([every, some])),
        external=draw(st.sampled_from([every, some])),
        all=every,
        external_local=draw(st.booleans()),
        affinity_s=draw(st.sampled_from([0, 60])),
    )  # fmt: skip


tables = st.lists(any_port(), max_size=4, unique_by=lambda port: port.key).map(ruleset)


class Kernel:
    """As strict as nft: what is named must be there, what is removed must be there and unused."""

    def __init__(self) -> None:
        self.chains: dict[str, list[str]] = {name: list(rules) for name, (_, rules) in BASE.items()}
        self.sets: dict[str, str] = {}
        self.elements: dict[str, dict[str, str]] = {name: {} for name in SETS}

    def run(self, commands: list[str]) -> None:
        for command in commands:
            verb, kind, _, _, name, rest = (command + " ").split(" ", 5)
            getattr(self, f"{verb}_{kind}")(name, rest.strip())
        for rule in self.used():
            for target in re.findall(r"goto (\w+)", rule):
                assert target in self.chains, rule
            for named in re.findall(r"@(\w+)", rule):
                assert named in self.sets or named in self.elements, rule

    def used(self) -> list[str]:
        verdicts = [v for members in self.elements.values() for v in members.values()]
        return verdicts + [rule for rules in self.chains.values() for rule in rules]

    def add_chain(self, name: str, rest: str) -> None:
        assert name not in self.chains
        self.chains[name] = []

    def flush_chain(self, name: str, rest: str) -> None:
        self.chains[name].clear()

    def delete_chain(self, name: str, rest: str) -> None:
        assert not self.chains.pop(name)
        assert not any(f"goto {name}" in used for used in self.used())

    def add_set(self, name: str, rest: str) -> None:
        assert name not in self.sets
        self.sets[name] = rest

    def delete_set(self, name: str, rest: str) -> None:
        del self.sets[name]
        assert not any(f"@{name} " in rule + " " for rule in self.used())

    def add_rule(self, name: str, rest: str) -> None:
        assert all(target in self.chains for target in re.findall(r"goto (\w+)", rest))
        assert all(s in self.sets or s in self.elements for s in re.findall(r"@(\w+)", rest))
        self.chains[name].append(rest)

    def add_element(self, name: str, rest: str) -> None:
        for key, verdict in members(rest):
            assert key not in self.elements[name]
            assert verdict.removeprefix("goto ") in self.chains or not verdict
            self.elements[name][key] = verdict

    def delete_element(self, name: str, rest: str) -> None:
        for key, verdict in members(rest):
            assert self.elements[name].pop(key) == verdict


def members(text: str) -> list[tuple[str, str]]:
    entries = text.strip("{} ").split(", ")
    return [(key, verdict) for key, _, verdict in (entry.partition(" : ") for entry in entries)]


def state(table: Ruleset) -> tuple[Any, Any, Any]:
    base = {name: list(rules) for name, (_, rules) in BASE.items()}
    chains = base | {name: list(rules) for name, rules in table.chains.items()}
    elements = {name: dict(table.elements.get(name, {})) for name in SETS}
    return chains, dict(table.sets), elements


@given(st.lists(tables, min_size=1, max_size=5))
def test_differences_lead_from_any_table_to_any_other(steps: list[Ruleset]) -> None:
    kernel = Kernel()
    before = Ruleset()
    for step in steps:
        kernel.run(difference(TABLE, before, step))
        assert (kernel.chains, kernel.sets, kernel.elements) == state(step)
        before = step


@given(tables)
def test_a_replacement_does_not_care_what_was_there(table: Ruleset) -> None:
    commands = replace(TABLE, table)
    assert commands[:3] == ["add table ip t", "delete table ip t", "add table ip t"]
    assert commands[-len(difference(TABLE, Ruleset(), table)) or len(commands) :] == (
        difference(TABLE, Ruleset(), table)
    )

"""Addresses of pods, routes to other nodes: pure parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.worker.network.bridge import bridge_name, veth_name
from busk8s.worker.network.ipam import Full, Subnet, mac_of, next_address
from busk8s.worker.network.routes import Route, plan
from tests.unit.worker.cluster_objects import node


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.0", "10.0.0.0/31", "10.0.0.0/7", "10.0.0/24", "fd00::/64", "10.0.0.0/x"],
)
def test_what_is_no_pod_subnet_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="subnet"):
        Subnet(text)


def test_a_subnet_gives_its_gateway_first_and_never_its_ends() -> None:
    subnet = Subnet("10.1.2.77/30")
    assert (str(subnet), subnet.gateway) == ("10.1.2.76/30", "10.1.2.77")
    assert next_address(subnet, ()) == "10.1.2.78"
    with pytest.raises(Full, match=r"10\.1\.2\.76/30"):
        next_address(subnet, ("10.1.2.78",))


def test_an_address_just_given_back_is_the_last_to_be_given_again() -> None:
    subnet = Subnet("10.0.0.0/29")
    given_out = []
    last = ""
    for _ in range(6):
        last = next_address(subnet, (), last)
        given_out.append(last)
    assert given_out == [f"10.0.0.{i}" for i in (2, 3, 4, 5, 6, 2)]


@given(
    st.integers(24, 30),
    st.lists(st.booleans(), max_size=300),
)
def test_no_two_pods_have_one_address(prefix: int, steps: list[bool]) -> None:
    subnet = Subnet(f"10.9.8.0/{prefix}")
    used: dict[str, None] = {}
    last = ""
    for take in steps:
        if not take and used:
            used.pop(next(iter(used)))
            continue
        try:
            ip = next_address(subnet, used, last)
        except Full:
            assert len(used) == subnet.size - 3
            continue
        assert ip not in used
        assert 2 <= subnet.offset(ip) <= subnet.size - 2
        used[ip] = None
        last = ip


def test_device_names_fit_and_hardware_addresses_are_local() -> None:
    assert len(bridge_name("0123456789")) == 15
    assert len(veth_name("f" * 32)) <= 15
    assert mac_of("10.0.0.1") == b"\x02\x42\x0a\x00\x00\x01"


def test_routes_lead_to_the_pods_of_other_machines() -> None:
    nodes = [
        node("n1", "192.0.2.1", "10.244.0.0/24"),
        node("n2", "192.0.2.2", "10.244.1.0/24"),
        node("n3", "192.0.2.3"),
        node("n4", "192.0.2.1", "10.244.4.0/24"),
    ]
    assert plan(nodes, "n1", ["192.0.2.1"]) == [Route("10.244.1.0", 24, "192.0.2.2")]

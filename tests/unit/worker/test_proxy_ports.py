"""Which endpoints a service port leads to, and where it can be called."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.worker.proxy.ports import Endpoint, ServicePort, service_ports
from busk8s.worker.proxy.userspace import listeners
from tests.unit.worker.cluster_objects import endpoint, endpoint_slice, service

HERE, THERE = endpoint("10.0.0.1", "n1"), endpoint("10.0.1.1", "n2")


def only(services: list[Any], slices: list[Any]) -> ServicePort:
    (port,) = service_ports(services, slices, "n1")
    return port


def ips(endpoints: tuple[Endpoint, ...]) -> list[str]:
    return [one.ip for one in endpoints]


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        pytest.param([HERE, THERE], ["10.0.0.1", "10.0.1.1"], id="all that are ready"),
        pytest.param([HERE, endpoint("10.0.0.9", ready=False)], ["10.0.0.1"], id="not the unready"),
        pytest.param(
            [endpoint("10.0.0.9", ready=False, serving=True, terminating=True), HERE],
            ["10.0.0.1"],
            id="no terminating one beside a ready one",
        ),
        pytest.param(
            [endpoint("10.0.0.9", ready=False, serving=True, terminating=True)],
            ["10.0.0.9"],
            id="a terminating one that still serves, when there is no other",
        ),
        pytest.param([{"addresses": ["10.0.0.3"]}], ["10.0.0.3"], id="unknown readiness is ready"),
        pytest.param([], [], id="none"),
    ],
)
def test_endpoints_that_count(endpoints: list[Any], expected: list[str]) -> None:
    port = only([service("web")], [endpoint_slice("web", endpoints)])
    assert ips(port.all) == ips(port.internal) == expected


def test_ports_are_matched_by_name_across_slices() -> None:
    web = service("web", ports=[{"name": "a", "port": 80}, {"name": "b", "port": 81}])
    slices = [
        endpoint_slice("web", [HERE], port=8080, name="a"),
        endpoint_slice("web", [THERE], port=9090, name="b"),
    ]
    a, b = service_ports([web], slices, "n1")
    assert (a.all, b.all) == (
        (Endpoint("10.0.0.1", 8080, True),),
        (Endpoint("10.0.1.1", 9090, False),),
    )


@pytest.mark.parametrize(
    ("spec", "internal", "external"),
    [
        pytest.param({}, 2, 2, id="anywhere by default"),
        pytest.param({"internalTrafficPolicy": "Local"}, 1, 2, id="inside stays here"),
        pytest.param({"externalTrafficPolicy": "Local"}, 2, 1, id="outside stays here"),
    ],
)
def test_traffic_policies(spec: dict[str, Any], internal: int, external: int) -> None:
    port = only([service("web", **spec)], [endpoint_slice("web", [HERE, THERE])])
    assert (len(port.internal), len(port.external)) == (internal, external)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"clusterIP": "None", "clusterIPs": ["None"]}, id="headless"),
        pytest.param({"type": "ExternalName"}, id="a name elsewhere"),
        pytest.param({"clusterIP": "fd00::1", "clusterIPs": ["fd00::1"]}, id="IPv6 alone"),
        pytest.param({"ports": [{"port": 9, "protocol": "SCTP"}]}, id="SCTP"),
    ],
)
def test_services_that_are_not_for_a_proxy(spec: dict[str, Any]) -> None:
    assert service_ports([service("x", **spec)], [endpoint_slice("x", [HERE])], "n1") == ()


def test_addresses_from_outside_and_affinity() -> None:
    web = service(
        "web", type="LoadBalancer", externalIPs=["192.0.2.9"], sessionAffinity="ClientIP",
        ports=[{"port": 80, "nodePort": 30080}],
    )  # fmt: skip
    web["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}, {"hostname": "x"}]}}
    port = only([web], [])
    assert port.external_ips == ("192.0.2.9", "192.0.2.10")
    assert (port.node_port, port.affinity_s) == (30080, 10_800)


def test_slices_of_other_families_and_owners_are_left_alone() -> None:
    slices = [endpoint_slice("web", [HERE], kind="IPv6"), endpoint_slice("other", [HERE])]
    assert only([service("web")], slices).all == ()


def test_without_root_only_loopback_is_listened_on_and_the_rest_is_named() -> None:
    udp = service("dns", "127.96.0.3", ports=[{"port": 53, "protocol": "UDP"}])
    services = [
        service("far", "10.96.0.1", ports=[{"port": 80, "nodePort": 30080}]),
        service("near", "127.96.0.2"),
        udp,
    ]
    slices = [endpoint_slice(name, [HERE]) for name in ("far", "near")]
    wanted, refused = listeners(service_ports(services, slices, "n1"))
    assert {address: ips(to) for address, to in wanted.items()} == {
        ("127.0.0.1", 30080): ["10.0.0.1"],
        ("127.96.0.2", 80): ["10.0.0.1"],
    }
    assert refused == [
        "default/dns:/udp: only TCP is served without root",
        "default/far:/tcp: 10.96.0.1 cannot be served without root",
    ]

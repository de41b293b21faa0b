"""Rules of services, endpoints, ingresses, network policies: what is wrong, what is let pass."""

from __future__ import annotations

from typing import Any

import pytest
from rule_cases import created, status_updated, updated

from busk8s.api import scheme

Json = dict[str, Any]


def service(*ports: Json, **spec: Any) -> Json:
    return {"spec": {"ports": list(ports) or [{"port": 1}], **spec}}


RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
BALANCER: Json = {"type": "LoadBalancer"}
SERVICES: dict[str, tuple[Json, list[str]]] = {
    "plain": (service(), []),
    "headless, with node ports": (
        service(type="NodePort", clusterIP="None"),
        ["spec.clusterIPs[0]: invalid: may not be set to 'None' for NodePort services"],
    ),
    "a name, with addresses": (
        service(type="ExternalName", externalName="a.b.", clusterIP="1.2.3.4", ipFamilies=["IPv4"]),
        [
            "spec.clusterIPs: forbidden: may not be set for ExternalName services",
            "spec.ipFamilies: forbidden: may not be set for ExternalName services",
        ],
    ),
    "too many addresses": (
        service(
            clusterIP="1.2.3.4",
            clusterIPs=["1.2.3.4", "1.2.3.5"],
            ipFamilies=["IPv4", "IPv6"],
        ),
        [
            "spec.clusterIPs: invalid: may specify no more than one IP for each IP family",
            "spec.clusterIPs[1]: invalid: expected an IPv6 value as indicated by `ipFamilies[1]`",
        ],
    ),
    "none among others": (
        service(clusterIP="None", clusterIPs=["None", "1.2.3.4"]),
        ["spec.clusterIPs: invalid: 'None' must be the first and only value"],
    ),
    "ranges": (
        service(**BALANCER, loadBalancerSourceRanges=[" 10.0.0.0/8 ", "10.0.0.0"]),
        [
            "spec.LoadBalancerSourceRanges[1]: invalid: must be a valid CIDR value, (e.g. "
            "10.9.8.0/24 or 2001:db8::/64)"
        ],
    ),
    "ranges of no balancer": (
        service(loadBalancerSourceRanges=["10.0.0.0/8"]),
        [
            "spec.LoadBalancerSourceRanges: forbidden: may only be used when `type` is "
            "'LoadBalancer'"
        ],
    ),
    "leading zeros": (
        service(externalIPs=["010.0.0.1"]),
        ["spec.externalIPs[0]: invalid: must not have leading 0s"],
    ),
    "distribution": (
        service(trafficDistribution="Far"),
        [
            'spec.trafficDistribution: unsupported: "Far": supported values: "PreferClose", '
            '"PreferSameZone", "PreferSameNode"'
        ],
    ),
    "health port": (
        service(**BALANCER, healthCheckNodePort=30000),
        [
            "spec.healthCheckNodePort: invalid: may only be set when `type` is 'LoadBalancer' and "
            "`externalTrafficPolicy` is 'Local'"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_of_services(name: str) -> None:
    body, expected = SERVICES[name]
    assert created(scheme.SERVICES, body) == expected


def addressed(*ips: str, **spec: Any) -> Json:
    families = ["IPv6" if ":" in ip else "IPv4" for ip in ips]
    return service(clusterIP=ips[0], clusterIPs=list(ips), ipFamilies=families, **spec)


BOTH = {"ipFamilyPolicy": "PreferDualStack"}
UPDATES: dict[str, tuple[Json, Json, list[str]]] = {
    "a second address comes": (addressed("1.2.3.4"), addressed("1.2.3.4", "fd00::1", **BOTH), []),
    "and goes, said so": (addressed("1.2.3.4", "fd00::1", **BOTH), addressed("1.2.3.4"), []),
    "and goes unsaid": (
        addressed("1.2.3.4", "fd00::1", **BOTH), addressed("1.2.3.4", **BOTH),
        [
            "spec.ipFamilyPolicy: invalid: must be set to 'SingleStack' when releasing the "
            "secondary clusterIP",
            "spec.ipFamilyPolicy: invalid: must be set to 'SingleStack' when releasing the "
            "secondary ipFamily",
        ],
    ),
    "the first stays": (
        addressed("1.2.3.4"), addressed("1.2.3.5"),
        ["spec.clusterIPs[0]: invalid: may not change once set"],
    ),
    "an address let in earlier": (
        service(externalIPs=["010.0.0.1"]), service(externalIPs=["010.0.0.1"]), [],
    ),
    "the balancer's class": (
        service(**BALANCER), service(**BALANCER, loadBalancerClass="a.b/c"),
        ["spec.loadBalancerClass: invalid: may not change once set"],
    ),
    "the health port": (
        service(**BALANCER, externalTrafficPolicy="Local", healthCheckNodePort=30000),
        service(**BALANCER, externalTrafficPolicy="Local", healthCheckNodePort=30001),
        ["spec.healthCheckNodePort: forbidden: field is immutable"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UPDATES)
def test_of_services_that_change(name: str) -> None:
    old, new, expected = UPDATES[name]
    assert updated(scheme.SERVICES, old, new) == expected


def ways(*listed: Json) -> Json:
    return {"loadBalancer": {"ingress": list(listed)}}


STATUSES: dict[str, tuple[Json, Json, list[str]]] = {
    "of no balancer": (
        service(), ways({"ip": "1.2.3.4", "ipMode": "VIP"}),
        [
            "status.loadBalancer.ingress: forbidden: may only be used when `spec.type` is "
            "'LoadBalancer'"
        ],
    ),
    "modes": (
        service(**BALANCER),
        ways({"ip": "x", "ipMode": "VIP"}, {"ip": "1.2.3.4"}, {"hostname": "1.2.3.4"}),
        [
            "status.loadBalancer.ingress[0].ip: invalid: must be a valid IP address, (e.g. "
            "10.9.8.7 or 2001:db8::ffff)",
            "status.loadBalancer.ingress[1].ipMode: required: must be specified when `ip` is set",
            "status.loadBalancer.ingress[2].hostname: invalid: must be a DNS name, not an IP "
            "address",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATUSES)
def test_of_statuses_of_services(name: str) -> None:
    body, status, expected = STATUSES[name]
    assert status_updated(scheme.SERVICES, body, {}, status) == expected


def endpoint_slice(*addresses: str, kind: str = "IPv4", **endpoint: Any) -> Json:
    return {"addressType": kind, "endpoints": [{"addresses": list(addresses), **endpoint}]}


SLICES: dict[str, tuple[Json, list[str]]] = {
    "plain": (endpoint_slice("1.2.3.4"), []),
    "of the other family": (
        endpoint_slice("fd00::1"), ["endpoints[0].addresses: invalid: must be an IPv4 address"],
    ),
    "written otherwise": (
        endpoint_slice("fd00:0::1", kind="IPv6"),
        ['endpoints[0].addresses[0]: invalid: must be in canonical form ("fd00::1")'],
    ),
    "one word": (
        endpoint_slice("host", kind="FQDN"),
        [
            "endpoints[0].addresses[0]: invalid: should be a domain with at least two segments "
            "separated by dots"
        ],
    ),
    "hints": (
        endpoint_slice("1.2.3.4", hints={"forZones": [{"name": "a"}, {"name": "a"}]}),
        ['endpoints[0].hints.forZones[1].name: duplicate: "a"'],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SLICES)
def test_of_endpoint_slices(name: str) -> None:
    body, expected = SLICES[name]
    assert created(scheme.ENDPOINTSLICES, body) == expected


def test_endpoints_that_stay_are_let_pass() -> None:
    bad: Json = endpoint_slice("010.0.0.1")
    assert updated(scheme.ENDPOINTSLICES, bad, bad) == []
    subsets = {"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]}
    assert updated(scheme.ENDPOINTS, subsets, subsets) == []
    assert created(scheme.ENDPOINTS, subsets) == [
        "subsets[0].addresses[0].ip: invalid: may not be in the loopback range (127.0.0.0/8, "
        "::1/128)"
    ]


def ingress(host: str = "a.b", secret: str = "s", **path: Any) -> Json:
    backend = {"service": {"name": "x", "port": {"number": 1}}}
    entry = {"path": "/", "pathType": "Prefix", "backend": backend, **path}
    rule = {"host": host, "http": {"paths": [entry]}}
    return {"spec": {"rules": [rule], "tls": [{"secretName": secret}]}}


def policy(cidr: str, *without: str, **selector: str) -> Json:
    block = {"cidr": cidr, "except": list(without)}
    chosen = {"matchExpressions": [{"key": "k", "operator": "In", "values": [selector["value"]]}]}
    peers = [{"ipBlock": block}, {"podSelector": chosen}]
    return {"spec": {"podSelector": chosen, "ingress": [{"from": peers}]}}


def test_what_an_ingress_has_wrong_already_is_let_pass() -> None:
    bad, good = ingress(secret="A"), ingress()
    path = "spec.tls[0].secretName"
    assert [line.split(":")[0] for line in created(scheme.INGRESSES, bad)] == [path]
    assert updated(scheme.INGRESSES, bad, bad) == []
    assert [line.split(":")[0] for line in updated(scheme.INGRESSES, good, bad)] == [path]
    wild = ingress("*.a.b", path="x")
    assert updated(scheme.INGRESSES, wild, wild) == []
    assert updated(scheme.INGRESSES, good, wild) == [
        "spec.rules[0].http.paths[0].path: invalid: must be an absolute path"
    ]


def test_what_a_policy_has_wrong_already_is_let_pass() -> None:
    bad, good = policy("10.0.0.1/08", value="a b"), policy("10.0.0.0/8", value="a")
    assert updated(scheme.NETWORKPOLICIES, bad, bad) == []
    found = updated(scheme.NETWORKPOLICIES, good, bad)
    assert [line.split(":")[0] for line in found] == [
        "spec.podSelector.matchExpressions[0].values[0]",
        "spec.ingress[0].from[0].ipBlock.cidr",
        "spec.ingress[0].from[1].podSelector.matchExpressions[0].values[0]",
    ]
    assert created(scheme.NETWORKPOLICIES, policy("10.0.0.0/8", "10.0.0.0/8", value="a")) == [
        "spec.ingress[0].from[0].ipBlock.except[0]: invalid: must be a strict subset of `cidr`"
    ]


def test_a_service_range_grows_by_the_other_family_alone() -> None:
    old = {"spec": {"cidrs": ["10.0.0.0/24"]}}
    kind = scheme.SERVICECIDRS
    assert updated(kind, old, {"spec": {"cidrs": ["10.0.0.0/24", "fd00::/64"]}}) == []
    assert updated(kind, old, {"spec": {"cidrs": ["10.0.1.0/24"]}}) == [
        "spec.cidrs[0]: invalid: field is immutable"
    ]
    assert updated(kind, old, {"spec": {"cidrs": []}}) == [
        "spec.cidrs: invalid: field is immutable"
    ]


def test_the_controller_of_a_class_is_a_path() -> None:
    body = {"spec": {"controller": "A.b/x y"}}
    assert [line.split(":")[0] for line in created(scheme.INGRESSCLASSES, body)] == [
        "spec.controller",
        "spec.controller",
    ]

"""EndpointSlices and Endpoints: who is in, on which port, in which slice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.object import Json, Object
from busk8s.api.scheme import ENDPOINTSLICES, SERVICES
from busk8s.master.controllers import endpoints, endpointslices
from busk8s.master.controllers.actions import Create, Delete, Update
from busk8s.master.controllers.endpoint_facts import backends
from tests.unit.controllers.build import pod, thing


def service(**spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    whole = {"selector": {"app": "web"}, "ports": ports, "ipFamilies": ["IPv4"]} | spec
    return thing(SERVICES, "web", spec=whole)


@pytest.mark.parametrize(
    ("spec", "found", "want"),
    [
        pytest.param({}, pod("a"), (True, True, False), id="ready"),
        pytest.param({}, pod("a", ready=False), (False, False, False), id="not ready"),
        pytest.param({}, pod("a", deleting=True), (False, True, True), id="going, still serving"),
        pytest.param(
            {"publishNotReadyAddresses": True},
            pod("a", ready=False),
            (True, False, False),
            id="published though not ready",
        ),
        pytest.param({}, pod("a", ip=""), None, id="without an address"),
        pytest.param({}, pod("a", phase="Succeeded"), None, id="over"),
        pytest.param({}, pod("a", ip="fd00::1"), None, id="of the other family"),
    ],
)
def test_conditions(spec: Json, found: Object, want: tuple[bool, bool, bool] | None) -> None:
    result = backends(service(**spec), [found], {}, "IPv4")
    assert [(b.ready, b.serving, b.terminating) for b in result] == ([want] if want else [])


def port(target: object) -> Json:
    return {"ports": [{"port": 80, "protocol": "TCP", "targetPort": target}]}


OFFERS = {"containers": [{"ports": [{"name": "web", "containerPort": 8443, "protocol": "TCP"}]}]}


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param(port(8080), [8080], id="by number"),
        pytest.param(port(None), [80], id="the same as the service's"),
        pytest.param(port("web"), [8443], id="by name"),
        pytest.param(port("absent"), [], id="a name the pod does not have"),
        pytest.param({"ports": [], "clusterIP": "None"}, [], id="headless without ports"),
    ],
)
def test_ports(spec: Json, want: list[int]) -> None:
    (found,) = backends(service(**spec), [pod("a", **OFFERS)], {}, "IPv4")
    assert [dict(entry)["port"] for entry in found.ports] == want


def observed(
    svc: Object, pods: list[Object], slices: tuple[Object, ...] = ()
) -> endpointslices.Observed:
    return endpointslices.Observed(svc, slices, tuple(pods), frozenset(), {"n1": "east"})


def perform(slices: tuple[Object, ...], actions: tuple[Any, ...]) -> tuple[Object, ...]:
    result = {found.name: found for found in slices}
    for number, action in enumerate(actions):
        match action:
            case Create(data=data):
                name = f"web-{len(result)}-{number}"
                labels = data["metadata"]["labels"]
                content = {k: data[k] for k in ("endpoints", "ports", "addressType")}
                result[name] = thing(ENDPOINTSLICES, name, metadata={"labels": labels}, **content)
            case Update(data=data):
                name = data["metadata"]["name"]
                content = {k: data[k] for k in ("endpoints", "ports", "addressType")}
                metadata = {"labels": data["metadata"]["labels"]}
                result[name] = thing(ENDPOINTSLICES, name, metadata=metadata, **content)
            case Delete(object=found):
                del result[found.name]
    return tuple(result.values())


def test_an_endpoint_says_where_and_who() -> None:
    plan = endpointslices.plan(observed(service(), [pod("a", hostname="zero", subdomain="web")]))
    (create,) = plan.actions
    assert isinstance(create, Create)
    assert create.data["endpoints"] == [
        {
            "addresses": ["10.1.0.1"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {
                "kind": "Pod",
                "namespace": "default",
                "name": "a",
                "uid": "uid of a",
            },
            "nodeName": "n1",
            "zone": "east",
            "hostname": "zero",
        }
    ]
    assert create.data["metadata"]["labels"] == {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }


def test_a_service_without_pods_has_one_empty_slice() -> None:
    slices = perform((), endpointslices.plan(observed(service(), [])).actions)
    assert [found.data["endpoints"] for found in slices] == [[]]
    assert endpointslices.plan(observed(service(), [], slices)).actions == ()


def test_one_change_touches_one_slice() -> None:
    pods = [pod(f"p{i:03}", ip=f"10.1.1.{i}") for i in range(230)]
    slices = perform((), endpointslices.plan(observed(service(), pods)).actions)
    assert sorted(len(found.data["endpoints"]) for found in slices) == [30, 100, 100]
    pods[7] = pod("p007", ip="10.1.1.7", ready=False)
    plan = endpointslices.plan(observed(service(), pods, slices))
    assert [type(action) for action in plan.actions] == [Update]


numbers = st.lists(st.integers(0, 350), unique=True, max_size=320)


@given(st.lists(numbers, min_size=1, max_size=4))
def test_every_pod_is_in_one_slice_whatever_came_before(story: list[list[int]]) -> None:
    slices: tuple[Object, ...] = ()
    for names in story:
        pods = [pod(f"p{i}", ip=f"10.2.{i // 200}.{i % 200}") for i in names]
        slices = perform(slices, endpointslices.plan(observed(service(), pods, slices)).actions)
        placed = [
            endpoint["targetRef"]["name"]
            for found in slices
            for endpoint in found.data["endpoints"]
        ]
        assert sorted(placed) == sorted(f"p{i}" for i in names)
        assert all(len(found.data["endpoints"]) <= 100 for found in slices)
        assert endpointslices.plan(observed(service(), pods, slices)).actions == ()


def test_endpoints_are_truncated_and_say_so() -> None:
    pods = [pod(f"p{i:04}", ip=f"10.3.{i // 250}.{i % 250}") for i in range(1_005)]
    plan = endpoints.plan(endpoints.Observed(service(), None, tuple(pods)))
    (create,) = plan.actions
    assert isinstance(create, Create)
    assert len(create.data["subsets"][0]["addresses"]) == 1_000
    annotations = create.data["metadata"]["annotations"]
    assert annotations == {"endpoints.kubernetes.io/over-capacity": "truncated"}


def test_endpoints_keep_those_that_are_not_ready_apart() -> None:
    pods = (pod("a"), pod("b", ip="10.1.0.2", ready=False), pod("c", ip="10.1.0.3", deleting=True))
    (create,) = endpoints.plan(endpoints.Observed(service(), None, pods)).actions
    assert isinstance(create, Create)
    (subset,) = create.data["subsets"]
    assert [a["ip"] for a in subset["addresses"]] == ["10.1.0.1"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["10.1.0.2"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]

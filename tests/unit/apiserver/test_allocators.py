"""Cluster IPs and node ports: no duplicates, whatever races, crashes or changes type."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from api_world import Api, service, world
from hypothesis import given
from hypothesis import strategies as st

from busk8s.master.apiserver.allocators import ServiceAllocators

URL = "/api/v1/namespaces/default/services"


async def made(api: Api, name: str = "s", **spec: Any) -> dict[str, Any]:
    return (await api.must("POST", URL, service(name, **spec)))["spec"]


async def test_a_service_gets_an_address_of_the_network() -> None:
    api = await world()
    spec = await made(api)
    assert spec["clusterIP"].startswith("10.96.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


async def test_racing_services_never_share() -> None:
    api = await world()
    commit = api.store.commit

    async def slowly(batch: Any) -> Any:
        await asyncio.sleep(0.01)
        return await commit(batch)

    api.store.commit = slowly  # type: ignore[method-assign]  # a store with latency
    specs = await asyncio.gather(*(made(api, f"s{i}", type="NodePort") for i in range(50)))
    assert len({spec["clusterIP"] for spec in specs}) == 50
    assert len({spec["ports"][0]["nodePort"] for spec in specs}) == 50


async def test_after_a_crash_what_is_stored_is_taken() -> None:
    api = await world()
    spec = await made(api, type="NodePort", clusterIP="10.96.0.9")
    again = ServiceAllocators()
    again.open(api.cache)
    api.server.parts.services = again
    status, said = await api.do("POST", URL, service("t", clusterIP="10.96.0.9"))
    assert status == 422
    assert "provided IP is already allocated" in said["message"]
    port = spec["ports"][0]["nodePort"]
    ports = [{"port": 1, "nodePort": port}]
    status, said = await api.do("POST", URL, service("t", type="NodePort", ports=ports))
    assert status == 422
    assert "provided port is already allocated" in said["message"]


@pytest.mark.parametrize(
    "spec",
    [
        {"clusterIP": "10.97.0.1"},
        {"clusterIP": "nonsense"},
        {"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]},
    ],
    ids=["outside the network", "no address", "outside the port range"],
)
async def test_what_cannot_be_given_is_refused(spec: dict[str, Any]) -> None:
    api = await world()
    assert (await api.do("POST", URL, service(**spec)))[0] == 422
    assert api.store.revision == 0


async def test_a_refused_or_dry_service_keeps_nothing() -> None:
    api = await world()
    asked = service("s", clusterIP="10.96.0.9")
    await api.must("POST", URL + "?dryRun=All", asked)
    bad = service("s", clusterIP="10.96.0.9", ports=[{"port": 99999}])
    assert (await api.do("POST", URL, bad))[0] == 422
    assert (await made(api, "t", clusterIP="10.96.0.9"))["clusterIP"] == "10.96.0.9"


async def test_a_deleted_service_gives_back_what_it_had() -> None:
    api = await world()
    await made(api, clusterIP="10.96.0.9")
    await api.must("DELETE", URL + "/s")
    assert (await made(api, "t", clusterIP="10.96.0.9"))["clusterIP"] == "10.96.0.9"


async def test_headless_and_external_names_take_no_address() -> None:
    api = await world()
    assert (await made(api, "h", clusterIP="None"))["clusterIPs"] == ["None"]
    spec = await made(api, "e", type="ExternalName", externalName="x.example")
    assert "clusterIP" not in spec


async def test_types_change_and_keep_what_they_can() -> None:
    api = await world()
    first = await made(api)
    _, now = await api.patch(URL + "/s", {"spec": {"type": "NodePort"}})
    assert now["spec"]["clusterIP"] == first["clusterIP"]
    port = now["spec"]["ports"][0]["nodePort"]
    _, now = await api.patch(URL + "/s", {"spec": {"type": "ClusterIP"}})
    assert "nodePort" not in now["spec"]["ports"][0]
    other = await made(api, "t", type="NodePort", ports=[{"port": 1, "nodePort": port}])
    assert other["ports"][0]["nodePort"] == port
    change = {"spec": {"type": "ExternalName", "externalName": "x.example", "clusterIP": ""}}
    status, now = await api.patch(URL + "/s", change)
    assert status == 200, now
    assert "clusterIP" not in now["spec"]
    reused = await made(api, "u", clusterIP=first["clusterIP"])
    assert reused["clusterIP"] == first["clusterIP"]


async def test_an_address_cannot_be_changed() -> None:
    api = await world()
    await made(api)
    assert (await api.patch(URL + "/s", {"spec": {"clusterIP": "10.96.0.77"}}))[0] == 422


async def test_a_put_without_the_address_keeps_it() -> None:
    api = await world()
    first = await made(api)
    now = await api.must("PUT", URL + "/s", service(selector={"a": "b"}))
    assert now["spec"]["clusterIP"] == first["clusterIP"]


@given(st.lists(st.tuples(st.sampled_from("cdu"), st.integers(0, 5)), max_size=25))
def test_what_is_given_out_is_never_given_twice(steps: list[tuple[str, int]]) -> None:
    """Random creates, deletes and updates over a network of six addresses and three ports."""

    async def run() -> None:
        api = await Api(service_network="10.0.0.0/29", node_ports=(30000, 30002)).open()
        for verb, number in steps:
            name = f"s{number}"
            if verb == "c":
                await api.do("POST", URL, service(name, type="NodePort"))
            elif verb == "d":
                await api.do("DELETE", f"{URL}/{name}")
            else:
                kind = "ClusterIP" if number % 2 else "NodePort"
                await api.patch(f"{URL}/{name}", {"spec": {"type": kind}})
            items = (await api.must("GET", URL))["items"]
            ips = [item["spec"]["clusterIP"] for item in items]
            ports = [p["nodePort"] for i in items for p in i["spec"]["ports"] if "nodePort" in p]
            assert len(set(ips)) == len(ips)
            assert len(set(ports)) == len(ports)

    asyncio.run(run())

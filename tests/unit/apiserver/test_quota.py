"""Quotas: exact under many creators, given back when things go, and told in the status."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from api_world import PODS, Api, Json, config_map, pod, running_pod, service, world
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.master.apiserver.quota.keeper import QuotaKeeper
from busk8s.testing.simloop import SimLoop

QUOTAS = "/api/v1/namespaces/default/resourcequotas"
MAPS = "/api/v1/namespaces/default/configmaps"
CREATORS = 50


def quota(hard: Json, name: str = "q", **spec: Any) -> Json:
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}


def needing(name: str, cpu: str = "", *, limit: str = "", **spec: Any) -> Json:
    made = pod(name)
    resources: Json = {}
    if cpu:
        resources["requests"] = {"cpu": cpu}
    if limit:
        resources["limits"] = {"cpu": limit}
    made["spec"]["containers"][0]["resources"] = resources
    made["spec"] |= spec
    return made


async def bounded(hard: Json, **spec: Any) -> tuple[Api, QuotaKeeper]:
    api = await world()
    keeper = QuotaKeeper(api.server.parts.quotas, api.cache, api.server.dispatch, api.clock)
    await api.must("POST", QUOTAS, quota(hard, **spec))
    await keeper.settle()
    return api, keeper


async def used(api: Api, keeper: QuotaKeeper) -> Json:
    await keeper.settle()
    status: Json = (await api.must("GET", f"{QUOTAS}/q"))["status"]
    found: Json = status["used"]
    return found


async def test_fifty_creators_at_once_stay_within_the_quota() -> None:
    api, keeper = await bounded({"pods": "10", "requests.cpu": "1"})
    answers = await asyncio.gather(
        *(api.do("POST", PODS, needing(f"p{number}", "100m")) for number in range(CREATORS))
    )
    codes = [status for status, _ in answers]
    assert (codes.count(201), codes.count(403)) == (10, CREATORS - 10)
    assert await used(api, keeper) == {"pods": "10", "requests.cpu": "1"}
    refused = next(said for status, said in answers if status == 403)
    assert refused["message"].endswith(
        "is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=100m, "
        "used: pods=10,requests.cpu=1, limited: pods=10,requests.cpu=1"
    )


async def test_what_goes_is_given_back() -> None:
    api, keeper = await bounded({"count/configmaps": "1", "configmaps": "1"})
    await api.must("POST", MAPS, config_map("a"))
    assert (await api.do("POST", MAPS, config_map("b")))[0] == 403
    await api.must("DELETE", f"{MAPS}/a")
    await api.must("POST", MAPS, config_map("b"))
    assert await used(api, keeper) == {"count/configmaps": "1", "configmaps": "1"}


async def test_a_failed_write_and_a_dry_run_hold_nothing() -> None:
    api, keeper = await bounded({"configmaps": "2"})
    await api.must("POST", MAPS, config_map("a"))
    assert (await api.do("POST", MAPS, config_map("a")))[0] == 409
    await api.must("POST", MAPS + "?dryRun=All", config_map("b"))
    assert await used(api, keeper) == {"configmaps": "1"}
    await api.must("POST", MAPS, config_map("b"))
    assert (await api.do("POST", MAPS + "?dryRun=All", config_map("c")))[0] == 403


async def test_a_finished_pod_uses_nothing_but_its_place_in_the_store() -> None:
    api, keeper = await bounded({"pods": "1", "count/pods": "5"})
    await running_pod(api, "a")
    assert await used(api, keeper) == {"pods": "1", "count/pods": "1"}
    await api.patch(f"{PODS}/a/status", {"status": {"phase": "Succeeded"}})
    assert await used(api, keeper) == {"pods": "0", "count/pods": "1"}
    await api.must("POST", PODS, pod("b"))


async def test_containers_must_say_what_is_bounded() -> None:
    api, _ = await bounded({"limits.cpu": "1", "requests.cpu": "1"})
    _, said = await api.do("POST", PODS, needing("a", "100m"))
    assert said["message"] == (
        'pods "a" is forbidden: failed quota: q: must specify limits.cpu for: c'
    )
    await api.must("POST", PODS, needing("a", "100m", limit="200m"))


@pytest.mark.parametrize(
    ("scope", "within", "beyond"),
    [
        pytest.param("BestEffort", pod("a"), needing("b", "1"), id="best effort"),
        pytest.param("NotBestEffort", needing("a", "1"), pod("b"), id="not best effort"),
        pytest.param(
            "Terminating", needing("a", activeDeadlineSeconds=5), pod("b"), id="terminating"
        ),
        pytest.param(
            "NotTerminating", pod("a"), needing("b", activeDeadlineSeconds=5), id="not terminating"
        ),
    ],
)
async def test_scopes(scope: str, within: Json, beyond: Json) -> None:
    api, keeper = await bounded({"pods": "1"}, scopes=[scope])
    await api.must("POST", PODS, within)
    await api.must("POST", PODS, beyond)
    assert await used(api, keeper) == {"pods": "1"}
    within["metadata"]["name"] = "c"
    assert (await api.do("POST", PODS, within))[0] == 403


async def test_priority_classes_have_quotas_of_their_own() -> None:
    selector = {
        "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
    }
    api, _ = await bounded({"pods": "0"}, scopeSelector=selector)
    await api.must("POST", PODS, pod("low"))
    assert (await api.do("POST", PODS, needing("a", priorityClassName="high")))[0] == 403


async def test_services_and_claims_count_what_is_dear_in_them() -> None:
    gold = "gold.storageclass.storage.k8s.io/requests.storage"
    api, keeper = await bounded({
        "services": "5", "services.nodeports": "2", "requests.storage": "3Gi", gold: "1Gi",
    })  # fmt: skip
    services = "/api/v1/namespaces/default/services"
    await api.must("POST", services, service("a"))
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    await api.must("POST", services, service("b", type="NodePort", ports=ports))
    assert (await api.do("POST", services, service("c", type="NodePort")))[0] == 403
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"

    def claim(name: str, size: str, **spec: Any) -> Json:
        requests = {"requests": {"storage": size}}
        return {
            "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": requests, **spec},
        }

    await api.must("POST", claims, claim("a", "1Gi", storageClassName="gold"))
    _, said = await api.do("POST", claims, claim("b", "1Gi", storageClassName="gold"))
    assert f"requested: {gold}=1Gi, used: {gold}=1Gi, limited: {gold}=1Gi" in said["message"]
    assert (await used(api, keeper))["requests.storage"] == "1Gi"


async def test_a_quota_that_comes_later_counts_what_is_there() -> None:
    api, keeper = await bounded({"configmaps": "9"})
    await asyncio.gather(*(api.must("POST", MAPS, config_map(f"m{n}")) for n in range(4)))
    await api.must("POST", QUOTAS, quota({"configmaps": "2", "resourcequotas": "5"}, "late"))
    await keeper.settle()
    late = await api.must("GET", f"{QUOTAS}/late")
    assert late["status"]["used"] == {"configmaps": "4", "resourcequotas": "2"}
    assert (await api.do("POST", MAPS, config_map("more")))[0] == 403
    await api.patch(f"{QUOTAS}/late", {"spec": {"hard": {"configmaps": "5"}}})
    await api.must("POST", MAPS, config_map("more"))
    await api.must("DELETE", f"{QUOTAS}/late")
    await api.must("POST", MAPS, config_map("and more"[:3]))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pod", "finish", "delete", "hard"]),
        st.integers(0, 5),
        st.sampled_from(["100m", "250m", "1", "0"]),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(STEPS, st.integers(0, 999))
def test_the_sums_are_those_of_the_objects(steps: list[tuple[str, int, str]], seed: int) -> None:
    async def play() -> None:
        api, keeper = await bounded({"pods": "4", "requests.cpu": "1"})
        rng = random.Random(seed)
        for what, number, cpu in steps:
            name = f"p{number}"
            if what == "pod":
                both = (api.do("POST", PODS, needing(name, cpu)) for _ in range(rng.choice((1, 2))))
                await asyncio.gather(*both)
            elif what == "finish":
                await api.patch(f"{PODS}/{name}/status", {"status": {"phase": "Failed"}})
            elif what == "delete":
                await api.do("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0")
            else:
                await api.patch(f"{QUOTAS}/q", {"spec": {"hard": {"pods": str(number)}}})
        there = (await api.must("GET", PODS))["items"]
        active = [each for each in there if each["status"]["phase"] != "Failed"]
        cpu_millis = sum(
            _millis(each["spec"]["containers"][0]["resources"]["requests"]["cpu"])
            for each in active
        )
        found = await used(api, keeper)
        assert int(found["pods"]) == len(active)
        assert _millis(found["requests.cpu"]) == cpu_millis <= 1000

    with asyncio.Runner(loop_factory=SimLoop) as runner:
        runner.run(play())


def _millis(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(quota({"pods": "-1"}), "spec.hard[pods]", id="negative"),
        pytest.param(quota({"pods": "1.5"}), "spec.hard[pods]", id="half a pod"),
        pytest.param(quota({"wool": "1"}), "spec.hard[wool]", id="no standard resource"),
        pytest.param(
            quota({}, scopes=["BestEffort", "NotBestEffort"]), "spec.scopes", id="opposites"
        ),
    ],
)
async def test_quotas_that_make_no_sense_are_refused(body: Json, field: str) -> None:
    api = await world()
    status, said = await api.do("POST", QUOTAS, body)
    assert (status, said["details"]["causes"][0]["field"]) == (422, field)

"""Eviction and reviews as real clients send them."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import MERGE, PODS, Api, pod, running_pod, world

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.mark.parametrize("query", ["", "?dryRun=All"], ids=["for good", "as a trial"])
async def test_an_eviction_may_say_null_where_go_leaves_a_time_out(query: str) -> None:
    """kubectl drain before 1.34 sends `creationTimestamp: null`."""
    api = await world()
    await api.must("POST", PODS, pod())
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "a", "namespace": "default", "creationTimestamp": None},
    }
    status, data = await api.do("POST", f"{PODS}/a/eviction{query}", eviction)
    assert status == 201, data
    assert (await api.do("GET", f"{PODS}/a"))[0] == (200 if query else 404)


async def test_an_evicted_pod_says_why_it_goes() -> None:
    api = await world()
    was = await running_pod(api)
    version = was["metadata"]["resourceVersion"]
    eviction = {
        "metadata": {"name": "a"},
        "deleteOptions": {"preconditions": {"resourceVersion": version}},
    }
    trial = await api.do("POST", f"{PODS}/a/eviction?dryRun=All", eviction)
    assert trial[0] == 201, trial
    assert await api.must("GET", f"{PODS}/a") == was
    await api.must("POST", f"{PODS}/a/eviction", eviction)
    now = await api.must("GET", f"{PODS}/a")
    assert "deletionTimestamp" in now["metadata"]
    (said,) = [c for c in now["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert said.pop("lastTransitionTime")
    assert said == {
        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }  # fmt: skip
    stale = {"deleteOptions": {"preconditions": {"resourceVersion": version}}}
    assert (await api.do("POST", f"{PODS}/a/eviction", {**eviction, **stale}))[0] == 409


async def test_a_review_may_say_null_too() -> None:
    api = await world()
    spec = {"resourceAttributes": {"verb": "get", "resource": "pods", "group": None}}
    review = {"metadata": {"creationTimestamp": None}, "spec": spec, "status": {"allowed": False}}
    assert (await api.must("POST", REVIEW, review))["status"] == {"allowed": True}


BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def eviction(version: str = "policy/v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": "Eviction", "metadata": {"name": "a"}, **more}


async def budget(api: Api, name: str) -> None:
    spec = {"selector": {"matchLabels": {"app": "a"}}, "minAvailable": 0}
    await api.must("POST", BUDGETS, {"metadata": {"name": name}, "spec": spec})


async def test_kubectl_before_1_22_evicts_by_the_beta_version() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    assert (await api.do("POST", f"{PODS}/a/eviction", eviction("policy/v1beta1")))[0] == 201
    assert (await api.do("GET", f"{PODS}/a"))[0] == 404


async def test_what_is_evicted_says_so_until_it_is_gone() -> None:
    api = await world()
    await running_pod(api)
    await api.must("POST", f"{PODS}/a/eviction", eviction())
    going = await api.must("GET", f"{PODS}/a")
    assert "deletionTimestamp" in going["metadata"]
    (said,) = [c for c in going["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert (said["status"], said["reason"]) == ("True", "EvictionByEvictionAPI")
    assert said["message"] == "Eviction API: evicting"
    await api.must("POST", f"{PODS}/a/eviction", eviction())
    again = await api.must("GET", f"{PODS}/a")
    assert again["status"] == going["status"]


async def test_a_trial_says_nothing_in_the_pod() -> None:
    api = await world()
    before = await running_pod(api)
    await api.must("POST", f"{PODS}/a/eviction?dryRun=All", eviction())
    assert (await api.must("GET", f"{PODS}/a"))["metadata"] == before["metadata"]


async def test_an_eviction_of_a_version_that_is_past_is_refused() -> None:
    api = await world()
    made = await running_pod(api)
    version = made["metadata"]["resourceVersion"]
    await api.must("PATCH", f"{PODS}/a", {"metadata": {"labels": {"b": "c"}}}, content_type=MERGE)
    asked = {"deleteOptions": {"preconditions": {"resourceVersion": version}}}
    assert (await api.do("POST", f"{PODS}/a/eviction", eviction(**asked)))[0] == 409
    now = await api.must("GET", f"{PODS}/a")
    asked["deleteOptions"]["preconditions"]["resourceVersion"] = now["metadata"]["resourceVersion"]
    assert (await api.do("POST", f"{PODS}/a/eviction", eviction(**asked)))[0] == 201


async def test_two_budgets_of_one_pod_are_a_failure_in_upstreams_form() -> None:
    api = await world()
    await running_pod(api)
    await api.must("PATCH", f"{PODS}/a", {"metadata": {"labels": {"app": "a"}}}, content_type=MERGE)
    await budget(api, "one")
    await budget(api, "two")
    status, said = await api.do("POST", f"{PODS}/a/eviction", eviction())
    assert (status, said["status"], said["code"]) == (500, "Failure", 500)
    assert "reason" not in said
    assert said["message"].startswith("This pod has more than one PodDisruptionBudget")
    assert "deletionTimestamp" not in (await api.must("GET", f"{PODS}/a"))["metadata"]

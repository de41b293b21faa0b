"""Eviction and reviews as real clients send them."""

from __future__ import annotations

import pytest
from api_world import PODS, pod, running_pod, world

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

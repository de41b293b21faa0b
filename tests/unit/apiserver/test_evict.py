"""Eviction and reviews as real clients send them."""

from __future__ import annotations

import pytest
from api_world import PODS, pod, world

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


async def test_a_review_may_say_null_too() -> None:
    api = await world()
    spec = {"resourceAttributes": {"verb": "get", "resource": "pods", "group": None}}
    review = {"metadata": {"creationTimestamp": None}, "spec": spec, "status": {"allowed": False}}
    assert (await api.must("POST", REVIEW, review))["status"] == {"allowed": True}

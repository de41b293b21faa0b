"""API concepts: scale, binding, eviction, log, reviews, and what is refused by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from api_world import ADMIN, MERGE, PODS, Api, deployment, pod, running_pod, world

from busk8s import errors
from busk8s.api.request import User
from busk8s.master.apiserver.attributes import Attributes

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
REVIEWS = "/apis/authorization.k8s.io/v1"


async def test_scale_shows_replicas_and_the_selector_as_text() -> None:
    api = await world()
    await api.must("POST", DEPLOYMENTS, deployment(replicas=2))
    scale = await api.must("GET", DEPLOYMENTS + "/d/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 0, "selector": "app=d"}


async def test_a_scale_written_changes_the_deployment() -> None:
    api = await world()
    await api.must("POST", DEPLOYMENTS, deployment())
    scale = await api.must("GET", DEPLOYMENTS + "/d/scale")
    scale["spec"]["replicas"] = 5
    await api.must("PUT", DEPLOYMENTS + "/d/scale", scale)
    stale, _ = await api.do("PUT", DEPLOYMENTS + "/d/scale", scale)
    assert stale == 409
    patched = await api.must(
        "PATCH", DEPLOYMENTS + "/d/scale", {"spec": {"replicas": 7}}, content_type=MERGE
    )
    assert patched["spec"]["replicas"] == 7
    now = await api.must("GET", DEPLOYMENTS + "/d")
    assert (now["spec"]["replicas"], now["metadata"]["generation"]) == (7, 3)


async def test_a_negative_scale_is_invalid() -> None:
    api = await world()
    await api.must("POST", DEPLOYMENTS, deployment())
    status, _ = await api.patch(DEPLOYMENTS + "/d/scale", {"spec": {"replicas": -1}})
    assert status == 422


def binding(name: str = "a", node: str = "n1", **target: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "target": {"kind": "Node", "name": node, **target}}


@pytest.mark.parametrize("url", [PODS + "/a/binding", "/api/v1/namespaces/default/bindings"])
async def test_a_binding_assigns_the_pod_once(url: str) -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    assert (await api.do("POST", url, binding()))[0] == 201
    now = await api.must("GET", PODS + "/a")
    assert now["spec"]["nodeName"] == "n1"
    (condition,) = now["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")
    status, said = await api.do("POST", url, binding(node="n2"))
    assert (status, said["reason"]) == (409, "Conflict")
    assert said["message"].endswith('pod a is already assigned to node "n1"')


async def test_of_racing_bindings_one_wins() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    url = PODS + "/a/binding"
    answers = await asyncio.gather(*(api.do("POST", url, binding(node=f"n{i}")) for i in range(5)))
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (binding(node=""), 422),
        (binding(kind="Pod"), 422),
        ({"metadata": {"name": "other"}, "target": {"name": "n"}}, 400),
        ({"metadata": {"uid": "other"}, "target": {"name": "n"}}, 409),
        (b"[", 400),
    ],
    ids=["no node", "no node kind", "another name", "another uid", "cut"],
)
async def test_bindings_that_cannot_be_are_refused(body: Any, code: int) -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    assert (await api.do("POST", PODS + "/a/binding", body))[0] == code


async def budget(api: Api, allowed: int, **status: Any) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
    await api.must("POST", BUDGETS, {"metadata": {"name": "b"}, "spec": spec})
    seen = {"observedGeneration": 1, "disruptionsAllowed": allowed, "desiredHealthy": 1}
    change = {"status": {**seen, "currentHealthy": 1, "expectedPods": 1, **status}}
    await api.must("PATCH", BUDGETS + "/b/status", change, content_type=MERGE)


EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}


async def test_an_eviction_without_a_budget_deletes_with_grace() -> None:
    api = await world()
    await running_pod(api)
    assert (await api.do("POST", PODS + "/a/eviction", EVICTION))[0] == 201
    assert (await api.must("GET", PODS + "/a"))["metadata"]["deletionGracePeriodSeconds"] == 30


async def test_an_eviction_over_the_budget_is_429() -> None:
    api = await world()
    await running_pod(api, labels={"app": "x"})
    await budget(api, 0)
    status, said = await api.do("POST", PODS + "/a/eviction", EVICTION)
    assert status == 429
    assert said["message"] == ("Cannot evict pod as it would violate the pod's disruption budget.")
    (cause,) = said["details"]["causes"]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == "The disruption budget b needs 1 healthy pods and has 1 currently"
    assert "deletionTimestamp" not in (await api.must("GET", PODS + "/a"))["metadata"]


async def test_an_eviction_spends_the_budget() -> None:
    api = await world()
    await running_pod(api, labels={"app": "x"})
    await budget(api, 1)
    assert (await api.do("POST", PODS + "/a/eviction", EVICTION))[0] == 201
    status = (await api.must("GET", BUDGETS + "/b"))["status"]
    assert status["disruptionsAllowed"] == 0
    assert list(status["disruptedPods"]) == ["a"]


async def test_a_budget_nobody_has_looked_at_holds_evictions_back() -> None:
    api = await world()
    await running_pod(api, labels={"app": "x"})
    await budget(api, 1, observedGeneration=0)
    response = await api.raw("POST", PODS + "/a/eviction", EVICTION)
    assert response.status == 429
    assert response.headers == (("Retry-After", "10"),)


class Node:
    """The stream of a node: says what it was asked for."""

    def __init__(self, *chunks: bytes, error: errors.Error | None = None) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.chunks = chunks
        self.error = error

    async def open(self, node: str, verb: str, params: dict[str, Any]) -> AsyncIterator[bytes]:
        self.asked.append((node, verb, params))
        if self.error is not None:
            raise self.error
        for chunk in self.chunks:
            yield chunk


async def test_a_log_is_streamed_from_the_pods_node() -> None:
    node = Node(b"one\n", b"two\n")
    api = await world(streams=node)
    made = await running_pod(api)
    url = PODS + "/a/log?follow=true&tailLines=5&timestamps=true&sinceSeconds=60&limitBytes=100"
    response = await api.raw("GET", url)
    assert (response.status, response.content_type) == (200, "text/plain")
    assert response.stream is not None
    assert b"".join([chunk async for chunk in response.stream]) == b"one\ntwo\n"
    ((name, verb, params),) = node.asked
    assert (name, verb) == ("n1", "log")
    assert params == {
        "container": "c", "follow": True, "timestamps": True, "tailLines": 5, "sinceSeconds": 60,
        "limitBytes": 100, "namespace": "default", "pod": "a", "uid": made["metadata"]["uid"],
    }  # fmt: skip


async def test_a_nodes_refusal_is_a_status() -> None:
    api = await world(streams=Node(error=errors.unavailable("node n1 is not connected")))
    await running_pod(api)
    status, said = await api.do("GET", PODS + "/a/log")
    assert (status, said["message"]) == (503, "node n1 is not connected")


async def test_of_several_containers_one_must_be_named() -> None:
    api = await world(streams=Node(b"x"))
    body = pod()
    body["spec"]["containers"].append({"name": "d", "image": "x"})
    await api.must("POST", PODS, body)
    status, said = await api.do("GET", PODS + "/a/log")
    assert status == 400
    assert said["message"] == ("a container name must be specified for pod a, choose one of: [c d]")
    status, said = await api.do("GET", PODS + "/a/log?container=e")
    assert (status, said["message"]) == (400, "container e is not valid for pod a")


async def test_a_pod_without_a_node_has_an_empty_log() -> None:
    api = await world(streams=Node(b"x"))
    await api.must("POST", PODS, pod())
    response = await api.raw("GET", PODS + "/a/log")
    assert (response.status, response.body, response.stream) == (200, b"", None)


async def test_a_container_that_waits_says_why() -> None:
    api = await world(streams=Node(b"x"))
    await running_pod(api)
    waiting = {"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}
    waiting |= {"image": "i", "imageID": "", "ready": False, "restartCount": 0}
    change = {"status": {"containerStatuses": [waiting]}}
    await api.must("PATCH", PODS + "/a/status", change, content_type=MERGE)
    status, said = await api.do("GET", PODS + "/a/log")
    assert status == 400
    assert said["message"] == 'container "c" in pod "a" is waiting to start: ContainerCreating'


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("tailLines=-1", 422),
        ("tailLines=x", 400),
        ("limitBytes=0", 422),
        ("sinceSeconds=0", 422),
        ("sinceSeconds=5&sinceTime=2027-01-15T08:00:00Z", 422),
        ("sinceTime=yesterday", 400),
        ("follow=perhaps", 200),
        ("stream=Sideways", 422),
        ("previous=true", 200),
    ],
)
async def test_log_options_are_checked(query: str, code: int) -> None:
    api = await world(streams=Node(b"x"))
    await running_pod(api)
    assert (await api.raw("GET", f"{PODS}/a/log?{query}")).status == code


class OnlyGet:
    """Allows `get` to everybody, everything to administrators."""

    def authorize(self, attributes: Attributes) -> str | None:
        if attributes.user is ADMIN or attributes.verb == "get":
            return None
        return "no rule allows it"


async def test_a_denied_request_says_who_what_and_where() -> None:
    api = await world(authorizer=OnlyGet())
    status, said = await api.do("POST", PODS, pod(), user=User("joe"))
    assert (status, said["reason"]) == (403, "Forbidden")
    assert said["message"] == (
        'pods is forbidden: User "joe" cannot create resource "pods" in API group "" in the '
        'namespace "default": no rule allows it'
    )


@pytest.mark.parametrize(("verb", "allowed"), [("get", True), ("delete", False)])
async def test_access_reviews_ask_the_authorizer(verb: str, allowed: bool) -> None:
    api = await world(authorizer=OnlyGet())
    spec = {"user": "joe", "resourceAttributes": {"verb": verb, "resource": "pods"}}
    answer = await api.must("POST", REVIEWS + "/subjectaccessreviews", {"spec": spec})
    assert answer["status"]["allowed"] is allowed
    mine = {"spec": {"resourceAttributes": spec["resourceAttributes"]}}
    answer = await api.must("POST", REVIEWS + "/selfsubjectaccessreviews", mine)
    assert answer["status"]["allowed"] is True


async def test_who_am_i() -> None:
    api = await world()
    url = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = await api.must("POST", url, {})
    assert answer["status"]["userInfo"] == {"username": "admin", "groups": ["system:masters"]}


async def test_tokens_are_refused_by_name_without_a_signer() -> None:
    api = await world()
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await api.must("POST", accounts, {"metadata": {"name": "s"}})
    status, said = await api.do("POST", accounts + "/s/token", {"spec": {"audiences": []}})
    assert status == 501, said
    assert "token signer" in said["message"]


async def test_discovery_lists_what_is_served() -> None:
    api = await world()
    core = await api.must("GET", "/api/v1")
    named = {entry["name"]: entry for entry in core["resources"]}
    assert named["pods"]["shortNames"] == ["po"]
    assert "pods/log" in named
    assert {"pods/exec", "pods/attach", "pods/portforward"} <= set(named)
    assert named["pods/exec"]["kind"] == "PodExecOptions"
    groups = await api.must("GET", "/apis")
    assert "apps" in {group["name"] for group in groups["groups"]}
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    whole = await api.raw("GET", "/apis", accept=accept)
    assert whole.content_type == accept
    assert orjson.loads(whole.body)["kind"] == "APIGroupDiscoveryList"

"""API concepts: cpu and memory of a running pod are changed in place, and nothing else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from api_world import PODS, Api, pod, world

from busk8s.master.apiserver.admission.chain import AdmissionChain

Json = dict[str, Any]
URL = PODS + "/a/resize"
STRATEGIC = "application/strategic-merge-patch+json"
BURSTABLE = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m"}}


def sized(own: Json | None = None, **spec: Any) -> Json:
    body = pod()
    body["spec"]["containers"][0]["resources"] = BURSTABLE if own is None else own
    body["spec"] |= spec
    return body


def patch(**resources: Json) -> Json:
    return {"spec": {"containers": [{"name": "c", "resources": resources}]}}


async def made(body: Json) -> Api:
    api = await world()
    await api.must("POST", PODS, body)
    return api


async def test_resources_change_and_are_counted() -> None:
    api = await made(sized())
    was = await api.must("GET", PODS + "/a")
    now = await api.must("PATCH", URL, patch(requests={"cpu": "150m"}), content_type=STRATEGIC)
    assert now["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "150m", "memory": "64Mi"}, "limits": {"cpu": "200m"},
    }  # fmt: skip
    assert now["metadata"]["generation"] == was["metadata"]["generation"] + 1
    assert await api.must("GET", URL) == now


async def test_all_else_that_is_sent_is_left_as_it_was() -> None:
    api = await made(sized())
    was = await api.must("GET", PODS + "/a")
    sent: Json = orjson.loads(orjson.dumps(was))
    sent["spec"]["containers"][0] |= {"image": "other", "command": ["x"]}
    sent["spec"]["tolerations"] = [{"operator": "Exists"}]
    sent["metadata"] |= {"labels": {"x": "y"}}
    sent["status"]["phase"] = "Failed"
    assert await api.must("PUT", URL, sent) == was


async def test_the_main_path_changes_no_resources() -> None:
    api = await made(sized())
    status, error = await api.patch(PODS + "/a", patch(requests={"cpu": "150m"}), STRATEGIC)
    assert (status, "pod updates may not change fields" in error["message"]) == (422, True)


INIT = {"name": "i", "image": "x", "resources": BURSTABLE}
SIDECAR = {**INIT, "restartPolicy": "Always"}
RESTARTS = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]


def of_init(container: Json) -> Json:
    return sized(initContainers=[container])


REFUSED: dict[str, tuple[Json, Json, str]] = {
    "another quality of service": (
        sized(), patch(limits={"cpu": "100m", "memory": "64Mi"}),
        'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
    ),
    "any quality where there was none": (
        sized({}), patch(requests={"cpu": "1"}),
        'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
    ),
    "a request taken away": (
        sized(), patch(requests={"memory": None}),
        "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
    ),
    "a limit taken away": (
        sized(), patch(limits=None),
        "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
    ),
    "a request over the limit": (
        sized(), patch(requests={"cpu": "300m"}),
        "must be less than or equal to cpu limit of 200m",
    ),
    "another resource": (
        sized(), patch(requests={"ephemeral-storage": "1Gi"}),
        "spec: Forbidden: only cpu and memory resources are mutable",
    ),
    "the policy": (
        sized(), {"spec": {"containers": [{"name": "c", "resizePolicy": RESTARTS}]}},
        "spec: Forbidden: only cpu and memory resources are mutable",
    ),
    "one container more": (
        sized(), {"spec": {"containers": [{"name": "d", "image": "x"}]}},
        "spec.containers: Forbidden: containers may not be added or removed on resize",
    ),
    "resources of the pod": (
        sized(resources={"limits": {"cpu": "1"}}), patch(requests={"cpu": "150m"}),
        "Forbidden: pods with pod-level resources cannot be resized",
    ),
    "another resource of a sidecar": (
        of_init(SIDECAR),
        {"spec": {"initContainers": [
            {"name": "i", "resources": {"limits": {"ephemeral-storage": "1"}}}]}},
        "spec.initContainers[0]: Forbidden: only cpu and memory resources for init or sidecar "
        "containers are mutable",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_a_resize_cannot_be(case: str) -> None:
    body, change, said = REFUSED[case]
    api = await made(body)
    status, error = await api.patch(URL, change, STRATEGIC)
    assert status == 422
    assert said in error["message"]


async def test_a_sidecar_is_resized() -> None:
    api = await made(of_init(SIDECAR))
    change = {"spec": {"initContainers": [{"name": "i", "resources": {"limits": {"cpu": "1"}}}]}}
    now = await api.must("PATCH", URL, change, content_type=STRATEGIC)
    assert now["spec"]["initContainers"][0]["resources"]["limits"] == {"cpu": "1"}


async def test_containers_keep_their_order() -> None:
    body = sized()
    body["spec"]["containers"].append({"name": "d", "image": "x"})
    api = await made(body)
    now = await api.must("GET", PODS + "/a")
    now["spec"]["containers"].reverse()
    status, error = await api.do("PUT", URL, now)
    assert status == 422
    assert (
        "spec.containers[0].name: Forbidden: containers may not be renamed or reordered"
        in (error["message"])
    )


async def test_a_node_that_says_nothing_of_resources_cannot_resize() -> None:
    api = await made(sized())
    running = {"name": "c", "state": {"running": {}}}
    await api.patch(PODS + "/a/status", {"status": {"containerStatuses": [running]}})
    status, error = await api.patch(URL, patch(requests={"cpu": "150m"}), STRATEGIC)
    assert status == 422
    assert "spec: Forbidden: Pod running on node without support for resize" in error["message"]


POLICIES: dict[str, tuple[list[Json], str, str]] = {
    "a resource twice": (
        [{"resourceName": "cpu", "restartPolicy": "NotRequired"}] * 2, "Always",
        'resizePolicy[1]: Duplicate value: "cpu"',
    ),
    "another resource": (
        [{"resourceName": "x", "restartPolicy": "NotRequired"}], "Always",
        'resizePolicy: Unsupported value: "x": supported values: "cpu", "memory"',
    ),
    "another policy": (
        [{"resourceName": "cpu", "restartPolicy": "x"}], "Always",
        'resizePolicy: Unsupported value: "x": supported values: "NotRequired", "RestartContainer"',
    ),
    "a restart of what is never restarted": (
        RESTARTS, "Never",
        "must be 'NotRequired' when pod `restartPolicy` is 'Never'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", POLICIES)
async def test_policies_are_validated_when_the_pod_is_made(case: str) -> None:
    policies, restart, said = POLICIES[case]
    body = sized(restartPolicy=restart)
    body["spec"]["containers"][0]["resizePolicy"] = policies
    api = await world()
    status, error = await api.do("POST", PODS, body)
    assert (status, said in error["message"]) == (422, True), error["message"]


async def test_limit_ranges_and_quotas_bound_a_resize() -> None:
    api = await world()
    ids, authorizer = api.server.parts.ids, api.server.parts.authorizer
    await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
    await api.must("POST", PODS, sized())
    api.server.parts.admission = AdmissionChain(api.cache, ids=ids, authorizer=authorizer)
    item = {"type": "Container", "max": {"cpu": "1"}}
    base = "/api/v1/namespaces/default"
    limits = {"metadata": {"name": "r"}, "spec": {"limits": [item]}}
    await api.must("POST", base + "/limitranges", limits)
    status, error = await api.patch(URL, patch(limits={"cpu": "2"}), STRATEGIC)
    assert status == 403
    assert "maximum cpu usage per Container is 1, but limit is 2" in error["message"]
    hard = {"metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": "120m"}}}
    await api.must("POST", base + "/resourcequotas", hard)
    status, error = await api.patch(URL, patch(requests={"cpu": "150m"}), STRATEGIC)
    assert status == 403
    assert (
        "exceeded quota: q, requested: requests.cpu=50m, used: requests.cpu=100m"
        in (error["message"])
    )
    assert (await api.patch(URL, patch(requests={"cpu": "120m"}), STRATEGIC))[0] == 200

"""What kinds do apart from the rest, as a real API server was seen to: names, counts, defaults."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from api_world import Api, config_map, deployment, world

from busk8s.api.object import Json

MAPS = "/api/v1/namespaces/default/configmaps"
POD: Json = {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}
APPS = "/apis/apps/v1/namespaces/default/"
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1/"
STORAGE = "/apis/storage.k8s.io/v1/"
RESOURCE = "/apis/resource.k8s.io/v1/"
RULE: Json = {
    "subjects": [{"kind": "User", "user": {"name": "x"}}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}


def named(name: str = "a", **more: Any) -> Json:
    return {"metadata": {"name": name}, **more}


UNCONDITIONAL = {
    "/api/v1/namespaces/default/serviceaccounts": named(),
    FLOW + "flowschemas": named(
        spec={"priorityLevelConfiguration": {"name": "exempt"}, "rules": [RULE]}
    ),
    FLOW + "prioritylevelconfigurations": named(
        spec={"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    ),
}
CONDITIONAL = {
    STORAGE + "csidrivers": named(spec={}),
    STORAGE + "namespaces/default/csistoragecapacities": named(storageClassName="x"),
    "/apis/policy/v1/namespaces/default/poddisruptionbudgets": named(spec={"minAvailable": 1}),
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": named(webhooks=[]),
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": named(webhooks=[]),
}


@pytest.mark.parametrize("url", UNCONDITIONAL)
async def test_some_kinds_are_replaced_without_a_version(url: str) -> None:
    api = await world()
    body = UNCONDITIONAL[url]
    await api.must("POST", url, body)
    again = copy.deepcopy(body)
    again["metadata"]["labels"] = {"x": "y"}
    assert (await api.must("PUT", url + "/a", again))["metadata"]["labels"] == {"x": "y"}


@pytest.mark.parametrize("url", CONDITIONAL)
async def test_some_kinds_are_replaced_by_version_only(url: str) -> None:
    """Whether the object is there, and is the one meant, is asked before."""
    api = await world()
    body = CONDITIONAL[url]
    assert (await api.do("PUT", url + "/a", body))[0] == 404
    await api.must("POST", url, body)
    status, said = await api.do("PUT", url + "/a", body)
    assert (status, said["details"]["kind"]) == (422, url.rpartition("/")[2])
    assert "metadata.resourceVersion: Invalid value: 0: must be specified" in said["message"]
    other = copy.deepcopy(body)
    other["metadata"]["uid"] = "another"
    assert (await api.do("PUT", url + "/a", other))[0] == 409


async def test_a_replacement_says_its_name() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    status, said = await api.do("PUT", MAPS + "/a", {})
    assert (status, said["message"]) == (
        400,
        "the name of the object (a based on URL) was undeterminable: name must be provided",
    )


async def test_a_uid_does_not_change_by_a_patch() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    status, said = await api.patch(MAPS + "/a", {"metadata": {"uid": "another"}})
    assert (status, said["details"]["causes"][0]["field"]) == (422, "metadata.uid")


@pytest.mark.parametrize(
    ("url", "body", "first"),
    [
        (RESOURCE + "deviceclasses", named(spec={}), 1),
        (STORAGE + "csidrivers", named(spec={}), None),
        (
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            named(addressType="IPv4", endpoints=[], ports=[]),
            1,
        ),
    ],
    ids=["one", "none before a change", "slices"],
)
async def test_generations_begin_as_the_kind_has_it(
    url: str, body: Json, first: int | None
) -> None:
    api = await world()
    assert (await api.must("POST", url, body))["metadata"].get("generation") == first


async def test_labels_of_slices_count() -> None:
    api = await world()
    url = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    await api.must("POST", url, named(addressType="IPv4", endpoints=[], ports=[]))
    _, labelled = await api.patch(url + "/a", {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 2
    _, noted = await api.patch(url + "/a", {"metadata": {"annotations": {"x": "y"}}})
    assert noted["metadata"]["generation"] == 2


async def test_a_daemon_set_counts_its_templates() -> None:
    api = await world()
    body = deployment("s")
    body["kind"] = "DaemonSet"
    body["spec"].pop("replicas", None)
    url, key = APPS + "daemonsets", "deprecated.daemonset.template.generation"
    made = await api.must("POST", url, body)
    assert made["metadata"]["annotations"] == {key: "1"}
    _, same = await api.patch(url + "/s", {"metadata": {"annotations": {key: "9"}}})
    assert same["metadata"]["annotations"] == {key: "1"}
    change = {"spec": {"template": {"metadata": {"labels": {"new": "x"}}}}}
    _, changed = await api.patch(url + "/s", change)
    assert changed["metadata"]["annotations"] == {key: "2"}


async def test_a_job_without_labels_bears_those_of_its_pods() -> None:
    api = await world()
    url = "/apis/batch/v1/namespaces/default/jobs"
    job = await api.must("POST", url, named(spec={"template": {"spec": POD}}))
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    assert job["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "a"
    assert (await api.do("POST", url, {"spec": {"template": {"spec": POD}}}))[0] == 422


async def test_who_deletes_a_job_is_told_that_its_pods_stay() -> None:
    api = await world()
    url = "/apis/batch/v1/namespaces/default/jobs"
    for query, told in (
        ("", 1),
        ("?propagationPolicy=Background", 0),
        ("?orphanDependents=true", 0),
    ):
        await api.must("POST", url, named(spec={"template": {"spec": POD}}))
        response = await api.raw("DELETE", url + "/a" + query)
        assert sum(name == "Warning" for name, _ in response.headers) == told, query
        await api.patch(url + "/a", {"metadata": {"finalizers": None}})


async def test_a_limit_range_without_a_name_is_named_by_its_uid() -> None:
    api = await world()
    body = {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}}
    metadata = (await api.must("POST", "/api/v1/namespaces/default/limitranges", body))["metadata"]
    assert metadata["name"] == metadata["uid"]


DEFAULTS: list[tuple[str, Json, str, Any]] = [
    (FLOW + "flowschemas", UNCONDITIONAL[FLOW + "flowschemas"], "spec.matchingPrecedence", 1000),
    (
        FLOW + "prioritylevelconfigurations",
        UNCONDITIONAL[FLOW + "prioritylevelconfigurations"],
        "spec.limited",
        {
            "limitResponse": {"type": "Reject"},
            "nominalConcurrencyShares": 30,
            "lendablePercent": 0,
        },
    ),
    (
        RESOURCE + "namespaces/default/resourceclaimtemplates",
        named(
            spec={
                "spec": {
                    "devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "x"}}]}
                }
            }
        ),
        "spec.spec.devices.requests.0.exactly",
        {"deviceClassName": "x", "allocationMode": "ExactCount", "count": 1},
    ),
    (
        "/api/v1/namespaces/default/events",
        named(involvedObject={"kind": "Pod", "name": "a", "namespace": "default"}),
        "source",
        {},
    ),
    ("/api/v1/nodes", named(), "status.daemonEndpoints", {"kubeletEndpoint": {"Port": 0}}),
    (
        "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
        named(spec={"scaleTargetRef": {"kind": "Deployment", "name": "x"}, "maxReplicas": 2}),
        "spec.targetCPUUtilizationPercentage",
        80,
    ),
]


@pytest.mark.parametrize(
    ("url", "body", "path", "wanted"), DEFAULTS, ids=[url.split("/")[-1] for url, *_ in DEFAULTS]
)
async def test_what_is_left_out_is_filled(url: str, body: Json, path: str, wanted: Any) -> None:
    api = await world()
    found: Any = await api.must("POST", url, body)
    for step in path.split("."):
        found = found[int(step)] if step.isdigit() else found[step]
    assert found == wanted


async def test_fields_that_are_written_as_null_do_not_stand_in_the_way_of_patches() -> None:
    api: Api = await world()
    url = "/api/v1/namespaces/default/events"
    regarding = {"kind": "Pod", "name": "a", "namespace": "default"}
    made = await api.must("POST", url, named(involvedObject=regarding))
    assert made["eventTime"] is None
    _, patched = await api.patch(url + "/a", {"message": "m"})
    assert (patched["message"], patched["firstTimestamp"]) == ("m", None)


async def test_a_refusal_about_a_deprecated_kind_says_so_too() -> None:
    api = await world()
    response = await api.raw("GET", "/api/v1/namespaces/default/endpoints/none")
    assert response.status == 404
    assert any(name == "Warning" and "deprecated" in value for name, value in response.headers)


async def test_a_status_write_of_a_deployment_leaves_labels_alone_and_may_empty_the_status() -> (
    None
):
    api = await world()
    url = APPS + "deployments"
    body = deployment()
    body["metadata"]["labels"] = {"x": "y"}
    await api.must("POST", url, body)
    seen = await api.must("PUT", url + "/d/status", {**deployment(), "status": None})
    assert (seen["metadata"]["labels"], seen["status"]) == ({"x": "y"}, {})


async def test_a_status_write_of_a_claim_of_devices_leaves_metadata_alone() -> None:
    api = await world()
    url = RESOURCE + "namespaces/default/resourceclaims"
    await api.must("POST", url, named(spec={}))
    change = {"metadata": {"labels": {"x": "y"}, "annotations": {"x": "y"}}}
    _, seen = await api.patch(url + "/a/status", change)
    assert "labels" not in seen["metadata"]
    assert "annotations" not in seen["metadata"]

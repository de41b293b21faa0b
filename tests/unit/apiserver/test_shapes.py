"""API concepts: Tables, PartialObjectMetadata, negotiation; kinds served in two versions."""

from __future__ import annotations

import orjson
import pytest
from api_world import PODS, config_map, deployment, lines, pod, running_pod, world

from busk8s.api import scheme
from busk8s.api.tables import table as tables

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
MERGE = "application/merge-patch+json"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
FLOW_SCHEMAS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


async def test_a_table_of_pods_has_kubectls_columns() -> None:
    api = await world()
    await running_pod(api)
    table = await api.must("GET", PODS, accept=TABLE)
    shown = [c["name"] for c in table["columnDefinitions"] if c["priority"] == 0]
    assert shown == ["Name", "Ready", "Status", "Restarts", "Age"]
    (row,) = table["rows"]
    assert row["cells"][:5] == ["a", "0/1", "Running", "0", "0s"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert table["metadata"]["resourceVersion"] == str(api.store.revision)


@pytest.mark.parametrize(
    ("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "Pod")]
)
async def test_a_table_includes_what_is_asked_for(include: str, kind: str | None) -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    table = await api.must("GET", f"{PODS}/a?includeObject={include}", accept=TABLE)
    assert table["rows"][0].get("object", {}).get("kind") == kind


async def test_a_finished_pod_is_marked_in_its_row() -> None:
    api = await world()
    await running_pod(api)
    done = {"status": {"phase": "Succeeded"}}
    await api.must("PATCH", PODS + "/a/status", done, content_type=MERGE)
    (row,) = (await api.must("GET", PODS, accept=TABLE))["rows"]
    assert [(c["type"], c["reason"]) for c in row["conditions"]] == [("Completed", "Succeeded")]


async def test_flow_schemas_are_shown_as_they_are_tried() -> None:
    api = await world()
    for name, precedence in (("a", 900), ("c", 3), ("b", 3)):
        spec = {"matchingPrecedence": precedence, "priorityLevelConfiguration": {"name": "l"}}
        await api.must("POST", FLOW_SCHEMAS, {"metadata": {"name": name}, "spec": spec})
    table = await api.must("GET", FLOW_SCHEMAS, accept=TABLE)
    assert [row["cells"][0] for row in table["rows"]] == ["b", "c", "a"]


async def test_a_scale_is_shown_as_a_table_too() -> None:
    api = await world()
    await api.must("POST", DEPLOYMENTS, deployment(replicas=2))
    table = await api.must("GET", DEPLOYMENTS + "/d/scale", accept=TABLE)
    assert [c["name"] for c in table["columnDefinitions"]] == [
        "Name",
        "Desired",
        "Available",
        "Age",
    ]
    assert [row["cells"] for row in table["rows"]] == [["d", 2, 0, "0s"]]
    bare = await api.must("GET", DEPLOYMENTS + "/d/scale", accept=PARTIAL)
    assert bare.keys() == {"kind", "apiVersion", "metadata"}


async def test_another_include_is_a_bad_request() -> None:
    api = await world()
    assert (await api.do("GET", PODS + "?includeObject=All", accept=TABLE))[0] == 400
    assert (await api.raw("GET", PODS + "?watch=1&includeObject=All", accept=TABLE)).status == 400
    await api.must("POST", PODS, pod())
    assert (await api.do("DELETE", PODS + "/a?includeObject=All", accept=TABLE))[0] == 400
    await api.must("GET", PODS + "/a")  # What is refused harms nothing.


@pytest.mark.parametrize("resource", scheme.SERVED, ids=lambda r: f"{r.key} {r.version}")
def test_every_kind_has_a_row_even_when_it_is_bare(resource: scheme.Resource) -> None:
    data = {"metadata": {"name": "x"}, "spec": {}}
    row = tables.cells(resource, data, now=0.0)
    assert len(row) == len(tables.columns(resource))
    assert "x" in row
    orjson.dumps(row)


async def test_partial_metadata_has_nothing_else() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    one = await api.must("GET", PODS + "/a", accept=PARTIAL)
    assert one.keys() == {"kind", "apiVersion", "metadata"}
    many = await api.must("GET", PODS, accept=PARTIALS)
    assert many["kind"] == "PartialObjectMetadataList"
    assert many["items"] == [one]
    (event,) = await lines(await api.raw("GET", PODS + "?watch=1", accept=PARTIAL), 1)
    assert event["object"] == one


@pytest.mark.parametrize(
    ("accept", "code"),
    [
        ("*/*", 200),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", 200),
        ("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", 406),
        ("text/html", 406),
    ],
)
async def test_accept_is_negotiated(accept: str, code: int) -> None:
    api = await world()
    assert (await api.do("GET", PODS, accept=accept))[0] == code


async def test_events_are_one_store_under_two_names() -> None:
    api = await world()
    old = "/api/v1/namespaces/default/events"
    new = "/apis/events.k8s.io/v1/namespaces/default/events"
    body = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": "default"},
        "reason": "Started",
        "message": "it runs",
        "type": "Normal",
    }
    await api.must("POST", old, body)
    seen = await api.must("GET", new + "/e")
    assert (seen["apiVersion"], seen["kind"]) == ("events.k8s.io/v1", "Event")
    assert seen["note"] == "it runs"
    assert seen["regarding"]["name"] == "a"
    assert "message" not in seen
    (item,) = (await api.must("GET", new))["items"]
    assert item == seen
    (event,) = await lines(await api.raw("GET", new + "?watch=1"), 1)
    assert event["object"] == seen
    await api.patch(new + "/e", {"note": "it ran"})
    assert (await api.must("GET", old + "/e"))["message"] == "it ran"


async def test_autoscalers_are_served_as_v1_and_v2() -> None:
    api = await world()
    one = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    two = one.replace("v1/", "v2/", 1)
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 60}
    await api.must("POST", one, {"metadata": {"name": "h"}, "spec": spec})
    new = await api.must("GET", two + "/h")
    assert new["apiVersion"] == "autoscaling/v2"
    assert new["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
    old = await api.must("GET", one + "/h")
    assert old["apiVersion"] == "autoscaling/v1"
    # Both are required there: typed clients refuse an object without them.
    assert old["status"] == {"currentReplicas": 0, "desiredReplicas": 0}
    assert new["status"] == {"desiredReplicas": 0, "currentMetrics": None}
    assert old["spec"]["targetCPUUtilizationPercentage"] == 60
    (item,) = (await api.must("GET", one))["items"]
    assert item == old
    (item,) = (await api.must("GET", two))["items"]
    assert item == new


async def test_an_unknown_path_is_not_found() -> None:
    api = await world()
    for path in ("/nope", "/apis/nope", "/apis/nope/v1/things"):
        response = await api.raw("GET", path)
        assert (response.status, response.body) == (404, b"404 page not found\n"), path
        assert response.content_type == "text/plain; charset=utf-8"
    for path in (
        "/api/v1/things",
        "/apis/apps/v9/deployments",
        "/api/v1/pods/x",
        PODS + "/a/x",
    ):
        status, said = await api.do("GET", path)
        assert (status, said["reason"]) == (404, "NotFound"), path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", PODS),
        ("PATCH", PODS),
        ("POST", PODS + "/a"),
        ("POST", "/api/v1/pods"),
        ("BREW", PODS),
    ],
)
async def test_methods_that_mean_nothing_are_405(method: str, path: str) -> None:
    api = await world()
    await api.must("POST", "/api/v1/namespaces/default/configmaps", config_map())
    assert (await api.do(method, path, pod()))[0] == 405


async def test_yaml_is_answered_to_who_wants_it() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    response = await api.raw("GET", PODS + "/a", accept="application/yaml")
    assert response.content_type == "application/yaml"
    assert response.body.startswith(b"kind: Pod\napiVersion: v1\nmetadata:\n")

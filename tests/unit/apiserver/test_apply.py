"""Server-side apply, as a client sees it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from api_world import ADMIN, MERGE, PODS, Api, config_map, deployment, pod, world

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
YAML = "application/apply-patch+yaml"
Json = dict[str, Any]


async def apply(
    api: Api, url: str, config: Any, manager: str = "one", more: str = ""
) -> tuple[int, Json]:
    return await api.do("PATCH", f"{url}?fieldManager={manager}{more}", config, content_type=YAML)


async def applied(api: Api, url: str, config: Any, manager: str = "one", more: str = "") -> Json:
    status, data = await apply(api, url, config, manager, more)
    assert status < 300, data
    return data


def owners(obj: Json) -> dict[str, Json]:
    return {e["manager"]: e["fieldsV1"] for e in obj["metadata"].get("managedFields", ())}


def data_of(*names: str) -> Json:
    return {"f:data": {f"f:{name}": {} for name in names}}


async def test_applying_what_is_not_there_creates_it() -> None:
    api = await world()
    status, made = await apply(api, MAPS + "/a", config_map())
    assert status == 201
    [entry] = made["metadata"]["managedFields"]
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "manager": "one",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": data_of("k"),
    }


async def test_applying_the_same_again_writes_nothing() -> None:
    api = await world()
    made = await applied(api, MAPS + "/a", config_map())
    assert await applied(api, MAPS + "/a", config_map()) == made
    assert api.store.revision == 1


async def test_a_deployment_applied_again_keeps_its_defaults_and_writes_nothing() -> None:
    api = await world()
    made = await applied(api, DEPLOYMENTS + "/d", deployment(replicas=3))
    assert made["spec"]["strategy"]["type"] == "RollingUpdate"
    assert await applied(api, DEPLOYMENTS + "/d", deployment(replicas=3)) == made
    template = owners(made)["one"]["f:spec"]["f:template"]["f:spec"]
    assert template == {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}}}}


async def test_what_is_no_longer_applied_goes_unless_another_owns_it() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map(data={"x": "1", "y": "2"}))
    await applied(api, MAPS + "/a", config_map(data={"y": "2"}), "two")
    now = await applied(api, MAPS + "/a", config_map(data={"z": "3"}))
    assert now["data"] == {"y": "2", "z": "3"}
    assert owners(now) == {"one": data_of("z"), "two": data_of("y")}


async def test_changing_what_another_owns_is_a_conflict() -> None:
    api = await world()
    await applied(api, DEPLOYMENTS + "/d", deployment(replicas=3))
    status, said = await apply(api, DEPLOYMENTS + "/d", deployment(replicas=4), "two")
    assert (status, said["reason"]) == (409, "Conflict")
    assert said["message"] == ('Apply failed with 1 conflict: conflict with "one": .spec.replicas')
    assert said["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "one"',
            "field": ".spec.replicas",
        }
    ]


async def test_force_takes_the_field_over() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map(data={"x": "1", "y": "1"}))
    now = await applied(api, MAPS + "/a", config_map(data={"x": "2"}), "two", "&force=true")
    assert now["data"] == {"x": "2", "y": "1"}
    assert owners(now) == {"one": data_of("y"), "two": data_of("x")}


async def test_a_scale_takes_the_replicas_and_an_apply_then_conflicts() -> None:
    api = await world()
    url = DEPLOYMENTS + "/d"
    await applied(api, url, deployment(replicas=3))
    scale = {"spec": {"replicas": 5}}
    await api.must("PATCH", url + "/scale?fieldManager=kubectl-scale", scale, content_type=MERGE)
    status, said = await apply(api, url, deployment(replicas=3))
    assert status == 409
    assert said["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-scale" with subresource "scale" '
        "using apps/v1: .spec.replicas"
    )


async def test_an_object_nobody_is_known_to_own_belongs_to_before_first_apply() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map(data={"x": "1"}))
    _, reset = await api.patch(MAPS + "/a", {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in reset["metadata"]
    now = await applied(api, MAPS + "/a", config_map(data={"x": "1", "y": "2"}))
    fields = owners(now)
    assert fields["before-first-apply"] == {"f:data": {".": {}, "f:x": {}}}
    assert fields["one"] == data_of("x", "y")


async def test_later_writes_are_tracked_by_their_manager_or_user_agent() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map(data={"x": "1"}))
    now = await api.must(
        "PATCH", MAPS + "/a?fieldManager=hand", {"data": {"x": "2", "y": "3"}}, content_type=MERGE
    )
    assert owners(now) == {"hand": data_of("x", "y")}
    assert now["metadata"]["managedFields"][0]["operation"] == "Update"


async def test_status_and_the_rest_are_owned_apart() -> None:
    api = await world()
    await applied(api, PODS + "/a", pod() | {"status": {"phase": "Running"}})
    status = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    status |= {"status": {"phase": "Running"}, "spec": {"nodeName": "n1"}}
    now = await applied(api, PODS + "/a/status", status, "kubelet")
    assert now["status"]["phase"] == "Running"
    assert "nodeName" not in now["spec"]
    assert owners(now)["kubelet"] == {"f:status": {"f:phase": {}}}
    assert owners(now)["one"].keys() == {"f:spec"}


async def test_an_empty_entry_forgets_all_ownership() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map())
    reset: Json = {"metadata": {"managedFields": [{}]}}
    _, now = await api.patch(MAPS + "/a", reset)
    assert "managedFields" not in now["metadata"]


async def test_a_put_that_leaves_managed_fields_out_loses_none() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map())
    now = await api.must("PUT", MAPS + "/a", config_map())
    assert owners(now) == {"one": data_of("k")}


async def test_a_dry_run_shows_what_would_be_and_keeps_nothing() -> None:
    api = await world()
    shown = await applied(api, MAPS + "/a", config_map(), more="&dryRun=All")
    assert owners(shown) == {"one": data_of("k")}
    assert api.store.revision == 0


@pytest.mark.parametrize(
    ("config", "query", "code", "said"),
    [
        (config_map(), "", 422, "fieldManager: Required value: is required for apply patch"),
        (config_map(), "?fieldManager=" + "x" * 129, 422, "fieldManager: Too long"),
        (pod(), "?fieldManager=m", 400, "invalid object type: /v1, Kind=Pod"),
        (b"{", "?fieldManager=m", 400, "error decoding YAML"),
        (b"[]", "?fieldManager=m", 400, "error decoding YAML"),
        (b"a: 1" + b"0" * 40, "?fieldManager=m", 400, "error decoding YAML"),
        (
            config_map(managedFields=[{"manager": "x"}]),
            "?fieldManager=m",
            400,
            "metadata.managedFields must be nil",
        ),
        (config_map("b"), "?fieldManager=m", 400, "does not match the name on the URL"),
        (
            config_map() | {"foo": 1},
            "?fieldManager=m",
            500,
            "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): "
            ".foo: field not declared in schema",
        ),
        (config_map() | {"data": []}, "?fieldManager=m", 500, ".data: expected map, got []"),
    ],
    ids=[
        "no manager",
        "a long manager",
        "another kind",
        "cut",
        "a list",
        "an integer too large",
        "managed fields",
        "another name",
        "an unknown field",
        "a list for a map",
    ],
)
async def test_what_cannot_be_applied_is_refused(
    config: Any, query: str, code: int, said: str
) -> None:
    api = await world()
    status, answer = await api.do("PATCH", MAPS + "/a" + query, config, content_type=YAML)
    assert status == code, answer
    assert said in answer["message"]


async def test_force_is_for_apply_alone() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    status, said = await api.patch(MAPS + "/a?force=true", {"data": {"x": "1"}})
    assert status == 422
    assert "force: Forbidden: may not be specified for non-apply patch" in said["message"]


async def test_yaml_is_applied_and_a_key_given_twice_is_told() -> None:
    api = await world()
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1', x: '2'}\n"
    strict = MAPS + "/a?fieldManager=m&fieldValidation=Strict"
    status, said = await api.do("PATCH", strict, text, content_type=YAML, user=ADMIN)
    assert status == 400
    assert "already set in map" in said["message"]
    response = await api.raw("PATCH", MAPS + "/a?fieldManager=m", text, content_type=YAML)
    assert response.status == 201
    assert any(name == "Warning" for name, _ in response.headers)


async def test_a_scale_can_be_applied() -> None:
    api = await world()
    url = DEPLOYMENTS + "/d"
    await applied(api, url, deployment(replicas=3))
    scale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "d"},
        "spec": {"replicas": 4},
    }
    status, said = await apply(api, url + "/scale", scale, "hpa")
    assert (status, said["details"]["causes"][0]["field"]) == (409, ".spec.replicas")
    now = await applied(api, url + "/scale", scale, "hpa", "&force=true")
    assert (now["kind"], now["spec"]["replicas"]) == ("Scale", 4)
    entries = (await api.must("GET", url))["metadata"]["managedFields"]
    [entry] = [e for e in entries if e["manager"] == "hpa"]
    assert (entry["subresource"], entry["apiVersion"]) == ("scale", "apps/v1")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners({"metadata": {"managedFields": entries}})["one"]["f:spec"]


HPAS = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers/h"


def hpa(version: str, **spec: Any) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 5, **spec},
    }


async def test_ownership_holds_over_the_versions_of_a_kind() -> None:
    api = await world()
    one, two = HPAS.format("v1"), HPAS.format("v2")
    await applied(api, one, hpa("v1", minReplicas=2))
    status, said = await apply(api, two, hpa("v2", minReplicas=3), "two")
    assert (status, said["details"]["causes"][0]["field"]) == (409, ".spec.minReplicas")
    now = await applied(api, two, hpa("v2"))
    assert now["spec"]["minReplicas"] == 1, "given up in v2, so the default"
    assert [e["apiVersion"] for e in now["metadata"]["managedFields"]] == ["autoscaling/v2"]


async def test_kubectl_takes_over_what_its_client_side_apply_set() -> None:
    api = await world()
    note = "kubectl.kubernetes.io/last-applied-configuration"
    last = config_map(data={"x": "1", "y": "1"})
    made = config_map(data={"x": "1", "y": "1"}, annotations={note: json.dumps(last)})
    await api.must("POST", MAPS, made)
    status, _ = await apply(api, MAPS + "/a", config_map(data={"x": "2", "y": "1"}), "other")
    assert status == 409
    now = await applied(api, MAPS + "/a", config_map(data={"x": "2", "y": "1"}), "kubectl")
    assert now["data"] == {"x": "2", "y": "1"}
    assert json.loads(now["metadata"]["annotations"][note])["data"]["x"] == "2"


async def test_what_changed_since_client_side_apply_is_a_conflict_for_kubectl_too() -> None:
    api = await world()
    note = "kubectl.kubernetes.io/last-applied-configuration"
    made = config_map(data={"x": "9"}, annotations={note: json.dumps(config_map(data={"x": "1"}))})
    await api.must("POST", MAPS + "?fieldManager=kubectl-client-side-apply", made)
    status, said = await apply(api, MAPS + "/a", config_map(data={"x": "2"}), "kubectl")
    assert status == 409
    assert 'conflict with "kubectl-client-side-apply" using v1: .data.x' in said["message"]


async def test_managed_fields_may_be_rewritten_by_a_json_patch() -> None:
    api = await world()
    made = await applied(api, MAPS + "/a", config_map())
    entry = made["metadata"]["managedFields"][0] | {"manager": "kubectl"}
    operations = [
        {"op": "replace", "path": "/metadata/managedFields", "value": [entry]},
        {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": made["metadata"]["resourceVersion"],
        },
    ]
    status, now = await api.patch(MAPS + "/a", operations, "application/json-patch+json")
    assert status == 200
    assert owners(now) == {"kubectl": data_of("k")}


@pytest.mark.parametrize(
    "entry",
    [
        {"manager": "x", "operation": "Eat", "fieldsType": "FieldsV1", "fieldsV1": {}},
        {"manager": "x", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"x": {}}},
        {"manager": "x", "operation": "Apply", "fieldsType": "V9", "fieldsV1": {}},
        {"manager": "x", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"k:[": {}}},
        {"manager": "x", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:a": 1}},
    ],
    ids=["an operation", "an element", "a type", "a key", "a node"],
)
async def test_managed_fields_that_make_no_sense_are_not_taken(entry: Json) -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map())
    status, now = await api.patch(MAPS + "/a", {"metadata": {"managedFields": [entry]}})
    assert status == 200
    assert owners(now) == {"one": data_of("k")}


async def test_a_write_that_changes_nothing_keeps_the_times() -> None:
    api = await world()
    made = await applied(api, MAPS + "/a", config_map())
    await asyncio.sleep(5)
    assert (await api.patch(MAPS + "/a?fieldManager=x", {"data": {"k": "v"}}))[1] == made
    assert await api.must("PUT", MAPS + "/a", made) == made
    assert await applied(api, MAPS + "/a", config_map()) == made


async def test_the_eleventh_updater_folds_the_oldest_into_ancient_changes() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map())
    for number in range(12):
        await asyncio.sleep(1)
        url = f"{MAPS}/a?fieldManager=m{number:02}"
        _, now = await api.patch(url, {"data": {f"k{number}": "x"}})
    updaters = [e for e in now["metadata"]["managedFields"] if e["operation"] == "Update"]
    assert len(updaters) == 10
    assert updaters[0]["manager"] == "ancient-changes"
    assert updaters[0]["fieldsV1"] == data_of("k0", "k1", "k2")


async def test_two_who_apply_a_new_object_at_once_both_own_it() -> None:
    api = await world()
    both = [applied(api, MAPS + "/a", config_map(), name) for name in ("one", "two")]
    await asyncio.gather(*both)
    assert owners(await api.must("GET", MAPS + "/a")).keys() == {"one", "two"}


async def test_an_applied_version_that_is_not_the_live_one_is_a_conflict() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map())
    status, said = await apply(api, MAPS + "/a", config_map(data={}, resourceVersion="77"))
    assert (status, said["reason"]) == (409, "Conflict")


async def test_a_missing_object_has_no_status_to_apply() -> None:
    api = await world()
    status = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    assert (await apply(api, PODS + "/a/status", status))[0] == 404


async def test_quantities_are_compared_by_value() -> None:
    api = await world()

    def with_cpu(amount: Any) -> Json:
        config = pod()
        config["spec"]["containers"][0]["resources"] = {"requests": {"cpu": amount}}
        return config

    made = await applied(api, PODS + "/a", with_cpu("1"))
    now = await applied(api, PODS + "/a", with_cpu("1000m"), "two")
    assert now["spec"] == made["spec"]
    assert owners(now)["two"] == owners(made)["one"]
    assert await applied(api, PODS + "/a", with_cpu(1), "two") == now


async def test_an_applied_null_is_owned_and_means_absence() -> None:
    api = await world()
    config = deployment(replicas=None)
    config["metadata"]["creationTimestamp"] = None
    config["spec"]["template"]["metadata"]["creationTimestamp"] = None
    made = await applied(api, DEPLOYMENTS + "/d", config)
    assert made["spec"]["replicas"] == 1
    assert made["metadata"]["creationTimestamp"]
    assert "creationTimestamp" not in made["spec"]["template"]["metadata"]
    spec = owners(made)["one"]["f:spec"]
    assert "f:creationTimestamp" in spec["f:template"]["f:metadata"]
    assert "f:metadata" not in owners(made)["one"]
    assert await applied(api, DEPLOYMENTS + "/d", config) == made


async def test_items_of_a_list_that_is_one_value_belong_to_who_applied_the_list() -> None:
    api = await world()
    config = pod()
    config["spec"]["tolerations"] = [{"key": "a", "operator": "Exists"}]
    made = await applied(api, PODS + "/a", config)
    assert owners(made)["one"]["f:spec"]["f:tolerations"] == {}
    config["spec"]["tolerations"] = [{"key": "a", "operator": "Exists", "wrong": 1}]
    status, said = await apply(api, PODS + "/a", config)
    assert status == 500
    assert ".spec.tolerations[0].wrong: field not declared in schema" in said["message"]


async def test_items_of_a_set_are_owned_by_their_value() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map(finalizers=["x/one"]))
    now = await applied(api, MAPS + "/a", config_map(finalizers=["x/two"]), "two")
    assert sorted(now["metadata"]["finalizers"]) == ["x/one", "x/two"]
    now = await applied(api, MAPS + "/a", config_map())
    assert now["metadata"]["finalizers"] == ["x/two"]
    assert owners(now)["two"]["f:metadata"] == {"f:finalizers": {'v:"x/two"': {}}}


async def test_several_conflicts_name_each_manager_and_field() -> None:
    api = await world()
    await applied(api, MAPS + "/a", config_map(data={"x": "1", "y": "1"}))
    await applied(api, MAPS + "/a", config_map(data={"z": "1"}), "two")
    wanted = config_map(data={"x": "2", "y": "2", "z": "2"})
    _, said = await apply(api, MAPS + "/a", wanted, "three")
    assert said["message"] == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.x\n- .data.y\n'
        'conflicts with "two":\n- .data.z'
    )
    assert len(said["details"]["causes"]) == 3


async def test_a_file_with_json_escapes_is_json_and_not_yaml() -> None:
    api = await world()
    text = json.dumps(config_map(data={"k": "\U0001f600"})).encode()
    assert b"\\ud83d" in text
    now = await applied(api, MAPS + "/a", text)
    assert now["data"]["k"] == "\U0001f600"

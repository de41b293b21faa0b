"""Custom resources: served as soon as they are defined, and as any other kind from then on."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import orjson
import pytest
from api_world import MERGE, Json, lines
from custom_world import (
    DEFINITIONS,
    OPEN,
    SCHEMA,
    WIDGETS,
    custom,
    definition,
    keeping,
    version,
    widget,
)

from busk8s.api.definitions import resources_of, written_as
from busk8s.api.request import Response

APPLY = "application/apply-patch+yaml"


async def test_a_definition_is_established_and_its_kind_discovered() -> None:
    api, _ = await custom()
    made = await api.must("GET", f"{DEFINITIONS}/widgets.example.com")
    found = {each["type"]: each["status"] for each in made["status"]["conditions"]}
    assert found == {"NamesAccepted": "True", "Established": "True"}
    assert made["status"]["storedVersions"] == ["v1"]
    listed = await api.must("GET", "/apis/example.com/v1")
    assert [entry["name"] for entry in listed["resources"]] == ["widgets", "widgets/status"]
    groups = await api.must("GET", "/apis")
    assert groups["groups"][-1]["preferredVersion"]["groupVersion"] == "example.com/v1"
    document = await api.must("GET", "/openapi/v3/apis/example.com/v1")
    assert "com.example.v1.Widget" in document["components"]["schemas"]
    # kubectl apply looks here for what a patch may be; strategic ones are answered 415.
    item = document["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]
    assert sorted(item["patch"]["requestBody"]["content"]) == [
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
    ]


async def test_what_the_cluster_does_itself_asks_for_the_stored_version() -> None:
    new = version("v2", storage=False)
    api, _ = await custom(definition(versions=[version(), new]))
    found = api.cache.get(
        "customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com"
    )
    assert found is not None
    resources = resources_of(found, found.data)
    assert [resource.version for resource in resources] == ["v2", "v1"]
    assert written_as(resources).version == "v1"


async def test_a_group_of_several_definitions_prefers_its_best_version() -> None:
    gears = definition("gears", "Gear", versions=[version("v1alpha1")])
    api, keeper = await custom(
        gears, definition(versions=[version(), version("v2beta1", storage=False)])
    )
    group = await api.must("GET", "/apis/example.com")
    assert [each["version"] for each in group["versions"]] == ["v1", "v2beta1", "v1alpha1"]
    listed = [await api.must("GET", f"/apis/example.com/{each}") for each in ("v1", "v2beta1")]
    hashes = {each["resources"][0]["storageVersionHash"] for each in listed}
    assert len(hashes) == 1
    url = f"{DEFINITIONS}/widgets.example.com"
    held = widget()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await api.must("POST", WIDGETS, held)
    await api.must("DELETE", url)
    await keeper.settle()
    listed = await api.must("GET", "/apis/example.com/v1")
    assert listed["resources"][0]["verbs"] == ["delete", "deletecollection", "get", "list", "watch"]


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        pytest.param(("v1",), "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget",
                     id="a newer one"),
        pytest.param(("v1", "v2", "v2beta1"),
                     "example.com/v1beta1 Widget is deprecated; use example.com/v2 Widget",
                     id="the best of them"),
        pytest.param(("v1alpha1",), "example.com/v1beta1 Widget is deprecated", id="older ones"),
    ],
)  # fmt: skip
async def test_a_deprecated_version_names_the_one_to_use(versions: Any, said: str) -> None:
    others = [version(name, storage=False) for name in versions]
    old = version("v1beta1", deprecated=True)
    api, _ = await custom(definition(versions=[old, *others]))
    response = await api.raw("GET", WIDGETS.replace("v1", "v1beta1"))
    assert response.headers[0][1] == f'299 - "{said}"'


@pytest.mark.parametrize(
    ("note", "condition"),
    [
        ("https://github.com/kubernetes/kubernetes/pull/79724",
         ("True", "ApprovedAnnotation",
          "approved in https://github.com/kubernetes/kubernetes/pull/79724")),
        ("unapproved, test", ("False", "UnapprovedAnnotation", 'not approved: "unapproved, test"')),
    ],
)  # fmt: skip
async def test_a_group_of_kubernetes_own_says_whether_it_was_reviewed(
    note: str, condition: tuple[str, str, str]
) -> None:
    made = definition(group="bar.k8s.io")
    made["metadata"] = {
        "name": "widgets.bar.k8s.io",
        "annotations": {"api-approved.kubernetes.io": note},
    }
    api, keeper = await custom(made)
    url = f"{DEFINITIONS}/widgets.bar.k8s.io"
    [found] = [
        (each["status"], each["reason"], each["message"])
        for each in (await api.must("GET", url))["status"]["conditions"]
        if each["type"] == "KubernetesAPIApprovalPolicyConformant"
    ]
    assert found == condition
    change = {"metadata": {"annotations": {"api-approved.kubernetes.io": "nobody knows"}}}
    assert (await api.patch(url, change))[0] == 422
    await keeper.settle()


async def test_a_definition_that_serves_nothing_still_takes_its_objects_along() -> None:
    api, keeper = await custom()
    await api.must("POST", WIDGETS, widget())
    url = f"{DEFINITIONS}/widgets.example.com"
    await api.patch(url, {"spec": {"versions": [version(served=False)]}})
    await keeper.settle()
    assert (await api.do("GET", WIDGETS))[0] == 404
    await api.must("DELETE", url)
    while await keeper.settle():
        pass
    assert (await api.do("GET", url))[0] == 404
    assert list(api.cache.list("widgets.example.com")) == []


async def test_openapi_says_what_can_be_selected_by_and_what_is_an_object_inside() -> None:
    whole = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}  # fmt: skip
    spec = {"type": "object", "properties": {"size": {"type": "string"}, "template": whole}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    fields = [{"jsonPath": ".spec.size"}]
    opened = version("v1alpha1", storage=False, schema={"openAPIV3Schema": OPEN})
    api, _ = await custom(
        definition(versions=[version(schema=schema, selectableFields=fields), opened])
    )
    for path, place in (("v3/apis/example.com/v1", "components"), ("v2", "")):
        document = await api.must("GET", f"/openapi/{path}")
        schemas = document["components"]["schemas"] if place else document["definitions"]
        shown = schemas["com.example.v1.Widget"]
        assert shown["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.size"}]
        template = shown["properties"]["spec"]["properties"]["template"]
        assert sorted(template["properties"]) == ["apiVersion", "kind", "metadata", "spec"]
        assert template["required"] == ["kind", "apiVersion"]
    opened_v2 = document["definitions"]["com.example.v1alpha1.Widget"]
    assert opened_v2.keys() == {"type", "x-kubernetes-group-version-kind"}


async def test_before_it_is_established_nothing_is_served() -> None:
    api, _ = await custom()
    await api.must("POST", DEFINITIONS, definition("gears", "Gear"))
    assert (await api.do("GET", "/apis/example.com/v1/gears"))[0] == 404


async def test_a_custom_resource_is_defaulted_pruned_and_validated() -> None:
    api, _ = await custom()
    body = widget(spec={"size": 2, "extra": 1, "parts": [{"name": "x", "odd": 1}]})
    response = await api.raw("POST", WIDGETS, body)
    made = orjson.loads(response.body)
    assert made["spec"] == {"size": 2, "color": "red", "parts": [{"name": "x"}]}
    assert made["metadata"]["generation"] == 1
    warned = [text for name, text in response.headers if name.lower() == "warning"]
    assert warned == [
        '299 - "unknown field \\"spec.extra\\""',
        '299 - "unknown field \\"spec.parts[0].odd\\""',
    ]
    status, said = await api.do("POST", WIDGETS, widget("b", {"size": 0, "color": "green"}))
    assert status == 422
    assert {cause["field"] for cause in said["details"]["causes"]} == {"spec.color", "spec.size"}
    status, said = await api.do("POST", WIDGETS + "?fieldValidation=Strict", body)
    assert status == 400
    assert 'strict decoding error: unknown field "spec.extra"' in said["message"]


async def test_metadata_is_that_of_any_kind() -> None:
    api, _ = await custom()
    body = widget()
    body["metadata"] |= {"creationTimestamp": None, "labels": {"a b": "c"}}
    status, said = await api.do("POST", WIDGETS, body)
    assert status == 422
    assert said["details"]["causes"][0]["field"] == "metadata.labels"
    body["metadata"]["labels"] = {"a": 1}
    assert (await api.do("POST", WIDGETS, body))[0] == 400


async def test_status_and_spec_are_written_apart() -> None:
    api, _ = await custom()
    made = await api.must("POST", WIDGETS, widget(status={"ready": True}))
    assert "status" not in made
    patch = {"spec": {"size": 9}, "status": {"ready": True}}
    _, after = await api.patch(f"{WIDGETS}/a/status", patch)
    assert (after["spec"]["size"], after["status"], after["metadata"]["generation"]) == (
        1,
        {"ready": True},
        1,
    )
    _, after = await api.patch(f"{WIDGETS}/a", patch)
    assert (after["spec"]["size"], after["metadata"]["generation"]) == (9, 2)


async def test_without_the_subresource_status_is_a_field() -> None:
    api, _ = await custom(definition(versions=[version()]))
    made = await api.must("POST", WIDGETS, widget(status={"ready": True}))
    assert made["status"] == {"ready": True}
    _, after = await api.patch(f"{WIDGETS}/a", {"status": {"ready": False}})
    assert after["metadata"]["generation"] == 2
    assert (await api.do("GET", f"{WIDGETS}/a/status"))[0] == 404


@pytest.mark.parametrize(
    ("content_type", "body", "want"),
    [
        pytest.param(MERGE, {"spec": {"size": 5}}, 200, id="merge"),
        pytest.param(
            "application/json-patch+json",
            [{"op": "replace", "path": "/spec/size", "value": 5}],
            200,
            id="json",
        ),
        pytest.param(
            "application/strategic-merge-patch+json", {"spec": {"size": 5}}, 415, id="strategic"
        ),
    ],
)
async def test_patches(content_type: str, body: Any, want: int) -> None:
    api, _ = await custom()
    await api.must("POST", WIDGETS, widget())
    status, said = await api.do("PATCH", f"{WIDGETS}/a", body, content_type=content_type)
    assert status == want, said
    assert status != 200 or said["spec"]["size"] == 5


async def test_an_update_names_the_version_it_replaces() -> None:
    api, _ = await custom()
    made = await api.must("POST", WIDGETS, widget())
    status, said = await api.do("PUT", f"{WIDGETS}/a", widget(spec={"size": 3}))
    assert status == 422
    assert said["details"]["causes"][0]["field"] == "metadata.resourceVersion"
    made["spec"]["size"] = 3
    assert (await api.must("PUT", f"{WIDGETS}/a", made))["spec"]["size"] == 3


async def test_appliers_share_a_list_by_its_keys() -> None:
    api, _ = await custom()

    async def applied(manager: str, part: str) -> tuple[int, Json]:
        body = widget(spec={"size": 1, "parts": [{"name": part, "many": 1}]})
        url = f"{WIDGETS}/a?fieldManager={manager}"
        return await api.do("PATCH", url, body, content_type=APPLY)

    assert (await applied("one", "x"))[0] == 201
    status, after = await applied("two", "y")
    assert (status, [part["name"] for part in after["spec"]["parts"]]) == (200, ["x", "y"])
    url = f"{WIDGETS}/a?fieldManager=three"
    status, said = await api.do("PATCH", url, widget(spec={"size": 2}), content_type=APPLY)
    assert (status, said["details"]["causes"][0]["field"]) == (409, ".spec.size")


async def test_a_table_has_the_columns_of_the_definition() -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Made", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Lost", "type": "string", "jsonPath": ".spec.absent", "priority": 1},
    ]
    api, _ = await custom(definition(versions=[version(additionalPrinterColumns=columns)]))
    await api.must("POST", WIDGETS, widget())
    accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
    table = await api.must("GET", WIDGETS, accept=accept)
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Size", "Made", "Lost"]
    assert table["rows"][0]["cells"] == ["a", 1, "0s", None]


async def test_selectable_fields_and_no_others_select() -> None:
    fields = [{"jsonPath": ".spec.color"}]
    api, _ = await custom(definition(versions=[version(selectableFields=fields)]))
    await api.must("POST", WIDGETS, widget("r"))
    await api.must("POST", WIDGETS, widget("b", {"size": 1, "color": "blue"}))
    found = await api.must("GET", WIDGETS + "?fieldSelector=spec.color=blue")
    assert [each["metadata"]["name"] for each in found["items"]] == ["b"]
    assert (await api.do("GET", WIDGETS + "?fieldSelector=spec.size=1"))[0] == 400


async def test_a_watch_tells_of_changes() -> None:
    api, _ = await custom()
    response = await api.raw("GET", WIDGETS + "?watch=1")
    reading = asyncio.create_task(lines(response, 2))
    await asyncio.sleep(0.01)
    await api.must("POST", WIDGETS, widget())
    await api.must("DELETE", f"{WIDGETS}/a")
    assert [event["type"] for event in await reading] == ["ADDED", "DELETED"]


async def test_versions_show_one_object_under_each_name() -> None:
    old = version("v1beta1", storage=False, deprecated=True, schema={"openAPIV3Schema": OPEN})
    api, keeper = await custom(definition(versions=[version(), old]))
    await api.must("POST", WIDGETS, widget())
    before = WIDGETS.replace("v1", "v1beta1")
    response = await api.raw("GET", f"{before}/a")
    shown = orjson.loads(response.body)
    assert (shown["apiVersion"], shown["spec"]["size"]) == ("example.com/v1beta1", 1)
    assert response.headers[0][1] == (
        '299 - "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget"'
    )
    listed = await api.must("GET", before)
    assert (listed["apiVersion"], listed["items"][0]["apiVersion"]) == (
        "example.com/v1beta1",
        "example.com/v1beta1",
    )
    made = widget("b", {"size": 2})
    await api.must("POST", before, {**made, "apiVersion": "example.com/v1beta1"})
    assert (await api.must("GET", f"{WIDGETS}/b"))["apiVersion"] == "example.com/v1"
    await keeper.settle()


async def test_the_storage_version_may_change_under_stored_objects() -> None:
    old = version("v1beta1", storage=False, schema={"openAPIV3Schema": OPEN})
    api, keeper = await custom(definition(versions=[version(), old]))
    await api.must("POST", WIDGETS, widget())
    url = f"{DEFINITIONS}/widgets.example.com"
    turned = [{**version(), "storage": False}, {**old, "storage": True}]
    _, after = await api.patch(url, {"spec": {"versions": turned}})
    assert after["status"]["storedVersions"] == ["v1", "v1beta1"]
    await keeper.settle()
    await api.must("POST", WIDGETS, widget("b"))
    listed = await api.must("GET", WIDGETS)
    assert {each["apiVersion"] for each in listed["items"]} == {"example.com/v1"}
    response = await api.raw("GET", WIDGETS + "?watch=1&resourceVersion=0")
    seen = await lines(response, 2)
    assert {event["object"]["apiVersion"] for event in seen} == {"example.com/v1"}


async def test_a_changed_schema_holds_from_then_on() -> None:
    api, _ = await custom()
    await api.must("POST", WIDGETS, widget())
    versions = [version(schema={"openAPIV3Schema": OPEN})]
    await api.patch(f"{DEFINITIONS}/widgets.example.com", {"spec": {"versions": versions}})
    _, after = await api.patch(f"{WIDGETS}/a", {"spec": {"size": 0, "free": True}})
    assert after["spec"] == {"size": 0, "color": "red", "free": True}


async def _events(response: Response, count: int) -> asyncio.Task[list[Json]]:
    task = asyncio.ensure_future(lines(response, count))
    await asyncio.sleep(0.01)
    return task


async def test_what_a_schema_knows_no_more_is_not_shown_any_more() -> None:
    """Neither in answers nor to watches; who writes the object again writes it without."""
    api, keeper = await custom()
    for name in ("a", "b", "held"):
        body = widget(name, {"size": 1, "count": 7})
        if name == "held":
            body["metadata"]["finalizers"] = ["example.com/hold"]
        await api.must("POST", WIDGETS, body)
    fewer = deepcopy(SCHEMA)
    del fewer["properties"]["spec"]["properties"]["count"]
    url = f"{DEFINITIONS}/widgets.example.com"
    versions = [version(schema={"openAPIV3Schema": fewer}, subresources={"status": {}})]
    await api.patch(url, {"spec": {"versions": versions}})
    await keeper.settle()
    known = {"size": 1, "color": "red"}
    assert (await api.must("GET", f"{WIDGETS}/a"))["spec"] == known
    listed = await api.must("GET", WIDGETS)
    assert [each["spec"] for each in listed["items"]] == [known] * 3
    watching = [
        await _events(await api.raw("GET", WIDGETS + "?watch=1" + query), 7)
        for query in ("", "&labelSelector=!absent")
    ]
    await api.must("DELETE", f"{WIDGETS}/b")
    await api.must("DELETE", f"{WIDGETS}/held")
    await api.must("POST", WIDGETS, widget("new"))
    assert (await api.patch(f"{WIDGETS}/a", {"spec": {"size": 2}}))[1]["spec"] == known | {
        "size": 2
    }
    for watch in watching:
        seen = [(event["type"], event["object"]["metadata"]["name"]) for event in await watch]
        assert seen == [
            ("ADDED", "a"), ("ADDED", "b"), ("ADDED", "held"), ("DELETED", "b"),
            ("MODIFIED", "held"), ("ADDED", "new"), ("MODIFIED", "a"),
        ]  # fmt: skip
        assert not any("count" in event["object"]["spec"] for event in watch.result())
    stored = api.cache.get("widgets.example.com", "default", "held")
    assert stored is not None
    assert stored.data["spec"] == known


async def test_a_definition_goes_after_its_objects() -> None:
    api, keeper = await custom()
    held = widget("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await api.must("POST", WIDGETS, widget())
    await api.must("POST", WIDGETS, held)
    url = f"{DEFINITIONS}/widgets.example.com"
    await api.must("DELETE", url)
    await keeper.settle()  # It says that it ends.
    assert await keeper.settle()
    assert [each["metadata"]["name"] for each in (await api.must("GET", WIDGETS))["items"]] == [
        "held"
    ]
    status, _ = await api.patch(f"{WIDGETS}/held", {"metadata": {"finalizers": None}})
    assert status == 200
    while await keeper.settle():
        pass
    assert (await api.do("GET", url))[0] == 404
    assert (await api.do("GET", WIDGETS))[0] == 404
    assert (await api.do("GET", "/apis/example.com"))[0] == 404


async def test_a_name_belongs_to_one_definition() -> None:
    api, _ = await custom(definition(), definition("gears", "Widget"))
    made = await api.must("GET", f"{DEFINITIONS}/gears.example.com")
    found = {
        each["type"]: (each["status"], each["reason"]) for each in made["status"]["conditions"]
    }
    assert found == {
        "NamesAccepted": ("False", "ListKindConflict"),
        "Established": ("False", "NotAccepted"),
    }


async def test_definitions_and_objects_are_there_after_a_restart() -> None:
    api, _ = await custom()
    await api.must("POST", WIDGETS, widget())
    again = type(api).__new__(type(api))
    type(api).__init__(again)
    again.store = api.store
    again.cache.__init__(api.store, again.catalog.shelf, again.clock)  # type: ignore[misc]
    await again.cache.open()
    again.server.parts.store = api.store
    again.server.open()
    await keeping(again)
    assert (await again.must("GET", f"{WIDGETS}/a"))["spec"]["size"] == 1
    _, after = await again.patch(f"{WIDGETS}/a", {"spec": {"size": 4}})
    assert after["spec"]["size"] == 4


async def test_a_scale_shows_and_sets_what_its_paths_name() -> None:
    scale = {
        "specReplicasPath": ".spec.count",
        "statusReplicasPath": ".status.count",
        "labelSelectorPath": ".status.selector",
    }
    api, _ = await custom(
        definition(versions=[version(subresources={"status": {}, "scale": scale})])
    )
    await api.must("POST", WIDGETS, widget(spec={"size": 1, "count": 2}))
    await api.patch(f"{WIDGETS}/a/status", {"status": {"count": 1, "selector": "a=b"}})
    shown = await api.must("GET", f"{WIDGETS}/a/scale")
    assert (shown["kind"], shown["spec"], shown["status"]) == (
        "Scale",
        {"replicas": 2},
        {"replicas": 1, "selector": "a=b"},
    )
    status, _ = await api.patch(f"{WIDGETS}/a/scale", {"spec": {"replicas": 7}})
    assert status == 200
    assert (await api.must("GET", f"{WIDGETS}/a"))["spec"]["count"] == 7

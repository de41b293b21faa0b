"""Discovery as clients read it, and the OpenAPI documents."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from busk8s.api import discovery, openapi, scheme

GROUP_VERSIONS = sorted({(r.group, r.version) for r in scheme.SERVED})


def test_the_core_group_lists_resources_and_subresources() -> None:
    body = discovery.resource_list(scheme.SERVED, "", "v1")
    assert body is not None
    entries = {entry["name"]: entry for entry in body["resources"]}
    assert body["groupVersion"] == "v1"
    assert entries["pods"] == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": sorted(scheme.ALL_VERBS),
        "shortNames": ["po"],
        "categories": ["all"],
        "storageVersionHash": "xPOwRZ+Yhw8=",
    }
    assert entries["pods/eviction"]["group"] == "policy"
    assert entries["pods/log"]["kind"] == "Pod"
    assert entries["nodes/proxy"]["kind"] == "NodeProxyOptions"
    assert entries["bindings"]["verbs"] == ["create"]
    assert "deletecollection" not in entries["namespaces"]["verbs"]


@pytest.mark.parametrize(
    ("group", "version", "plural", "stored"),
    [
        ("apps", "v1", "deployments", "8aSe+NMegvE="),
        ("", "v1", "events", "r2yiGXH7wu8="),
        ("events.k8s.io", "v1", "events", "r2yiGXH7wu8="),
        ("autoscaling", "v1", "horizontalpodautoscalers", "qwQve8ut294="),
        ("autoscaling", "v2", "horizontalpodautoscalers", "qwQve8ut294="),
        ("authentication.k8s.io", "v1", "tokenreviews", None),
        ("", "v1", "componentstatuses", None),
        ("", "v1", "pods/status", None),
    ],
)
def test_the_stored_version_is_told_by_a_hash_as_upstream_makes_it(
    group: str, version: str, plural: str, stored: str | None
) -> None:
    body = discovery.resource_list(scheme.SERVED, group, version)
    assert body is not None
    [entry] = [entry for entry in body["resources"] if entry["name"] == plural]
    assert entry.get("storageVersionHash") == stored


def test_a_groups_preferred_version_comes_first() -> None:
    body = discovery.group(scheme.SERVED, "autoscaling")
    assert body is not None
    assert body["preferredVersion"] == {"groupVersion": "autoscaling/v2", "version": "v2"}
    assert [entry["version"] for entry in body["versions"]] == ["v2", "v1"]


@pytest.mark.parametrize("name", ["", "example.com"], ids=["core", "unknown"])
def test_what_is_no_named_group_is_none(name: str) -> None:
    assert discovery.group(scheme.SERVED, name) is None


def test_the_plain_and_the_aggregated_form_name_the_same_resources() -> None:
    plain = set()
    for group, version in GROUP_VERSIONS:
        body = discovery.resource_list(scheme.SERVED, group, version)
        assert body is not None
        plain |= {(group, version, entry["name"]) for entry in body["resources"]}
    aggregated = set()
    for core in (True, False):
        for item in discovery.aggregated(scheme.SERVED, core=core)["items"]:
            for version in item["versions"]:
                aggregated |= _names(item["metadata"].get("name", ""), version)
    assert aggregated == plain


def _names(group: str, version: dict[str, Any]) -> set[tuple[str, str, str]]:
    found = set()
    for entry in version["resources"]:
        found.add((group, version["version"], entry["resource"]))
        for sub in entry.get("subresources", ()):
            name = f"{entry['resource']}/{sub['subresource']}"
            found.add((group, version["version"], name))
    return found


def test_groups_come_in_the_order_that_decides_short_names() -> None:
    names = [entry["name"] for entry in discovery.group_list(scheme.SERVED)["groups"]]
    assert names[:3] == ["apiregistration.k8s.io", "apps", "events.k8s.io"]
    assert len(names) == len(set(names)) == len({r.group for r in scheme.SERVED} - {""})


def test_the_version_is_kubernetes_own_with_a_suffix() -> None:
    body = discovery.version()
    assert (body["gitVersion"], body["major"], body["minor"]) == ("v1.37.0+busk8s", "1", "37")


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return {found for item in node for found in references(item)}
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*(references(value) for value in node.values()))


def test_v2_refers_only_to_what_it_defines() -> None:
    document = orjson.loads(openapi.v2(scheme.SERVED))
    defined = {"#/definitions/" + name for name in document["definitions"]}
    assert references(document) <= defined
    assert document["definitions"]["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"] == [
        {"group": "", "kind": "Pod", "version": "v1"}
    ]
    listing = document["paths"]["/api/v1/namespaces/{namespace}/pods"]["get"]
    assert listing["operationId"] == "listCoreV1NamespacedPod"
    assert listing["x-kubernetes-action"] == "list"
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale" in document["paths"]


@pytest.mark.parametrize(("group", "version"), GROUP_VERSIONS)
def test_v3_refers_only_to_what_it_defines(group: str, version: str) -> None:
    body = openapi.v3(scheme.SERVED, group, version)
    assert body is not None
    document = orjson.loads(body)
    defined = {"#/components/schemas/" + name for name in document["components"]["schemas"]}
    assert references(document) <= defined
    for path, item in document["paths"].items():
        assert path.startswith(f"/apis/{group}/{version}" if group else f"/api/{version}")
        names = {parameter["name"] for parameter in item["parameters"]}
        assert {part.strip("{}") for part in path.split("/") if part.startswith("{")} <= names


def test_v3_says_that_patches_take_field_validation_and_strategic_merge() -> None:
    """kubectl decides by this whether the server validates, and how it may patch."""
    document = orjson.loads(openapi.v3(scheme.SERVED, "apps", "v1") or b"")
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {"dryRun", "fieldValidation"} <= {p["name"] for p in patch["parameters"]}
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]
    assert patch["x-kubernetes-group-version-kind"]["kind"] == "Deployment"


def test_the_v3_index_changes_its_hash_with_what_is_served() -> None:
    whole = orjson.loads(openapi.v3_index(scheme.SERVED))["paths"]
    less = [r for r in scheme.SERVED if r is not scheme.JOBS]
    fewer = orjson.loads(openapi.v3_index(less))["paths"]
    assert len(whole) == len(GROUP_VERSIONS)
    assert whole["apis/batch/v1"] != fewer["apis/batch/v1"]
    assert whole["apis/apps/v1"] == fewer["apis/apps/v1"]


def test_a_group_version_that_is_not_served_has_no_document() -> None:
    assert openapi.v3(scheme.SERVED, "apps", "v1beta1") is None
    assert discovery.resource_list(scheme.SERVED, "apps", "v1beta1") is None

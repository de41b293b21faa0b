"""Custom resources through real kubectl: defined, written, scaled, owning, and gone with all."""

from __future__ import annotations

import json

import pytest

from .conftest import Cluster, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.count, statusReplicasPath: .status.count}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What is wanted of a widget.
            required: [size]
            properties:
              size: {type: integer, minimum: 1, description: How big it is.}
              color: {type: string, enum: [red, blue], default: red}
              count: {type: integer, default: 1}
          status:
            type: object
            properties: {count: {type: integer}, ready: {type: boolean}}
"""
WIDGET = """
apiVersion: shop.example.com/v1
kind: Widget
metadata: {name: %s}
spec: {size: %d}
"""


@pytest.fixture(scope="module")
def widgets(cluster: Cluster) -> Cluster:
    cluster.apply(DEFINITION)
    cluster.kubectl("wait --for=condition=Established crd/widgets.shop.example.com --timeout=10s")
    return cluster


def test_a_custom_resource_is_used_like_any_other(widgets: Cluster) -> None:
    widgets.apply(WIDGET % ("one", 3))
    table = widgets.kubectl("get wd").splitlines()
    assert [line.split() for line in table] == [["NAME", "SIZE"], ["one", "3"]]
    assert "widget.shop.example.com/one" in widgets.kubectl("get all -o name")
    said = widgets.kubectl("explain widget.spec")
    assert "How big it is." in said
    assert "What is wanted of a widget." in said
    assert widgets.kubectl("diff -f -", stdin=WIDGET % ("one", 3)) == ""
    widgets.apply(WIDGET % ("one", 6))
    assert widgets.get("wd/one")["spec"]["size"] == 6
    widgets.apply(WIDGET % ("one", 3))
    widgets.kubectl("scale wd/one --replicas=4")
    assert widgets.get("wd/one")["spec"] == {"size": 3, "color": "red", "count": 4}
    widgets.kubectl(
        "patch wd one --type=merge --subresource=status -p", '{"status":{"ready":true}}'
    )
    widgets.kubectl("wait --for=jsonpath={.status.ready}=true wd/one --timeout=5s")
    widgets.kubectl("apply --server-side --force-conflicts -f -", stdin=WIDGET % ("one", 5))
    assert widgets.get("wd/one")["spec"]["size"] == 5
    with pytest.raises(AssertionError, match=r"spec.size in body should be greater than or equal"):
        widgets.apply(WIDGET % ("two", 0))


def test_what_a_custom_resource_owns_goes_with_it(widgets: Cluster) -> None:
    widgets.apply(WIDGET % ("owner", 1))
    owner = {
        "apiVersion": "shop.example.com/v1",
        "kind": "Widget",
        "name": "owner",
        "uid": widgets.get("wd/owner")["metadata"]["uid"],
    }
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "owned", "ownerReferences": [owner]},
    }
    widgets.apply(json.dumps(body))
    widgets.kubectl("delete wd owner")
    wait_for("the owned ConfigMap to go", lambda: "owned" not in widgets.kubectl("get cm -o name"))


def test_a_namespace_takes_its_custom_resources_along(widgets: Cluster) -> None:
    widgets.kubectl("create namespace shop")
    widgets.kubectl("apply -n shop -f -", stdin=WIDGET % ("inside", 1))
    widgets.kubectl("delete namespace shop --timeout=20s")
    assert not [each for each in widgets.items("wd") if each["metadata"]["namespace"] == "shop"]


def test_a_definition_takes_its_objects_along(widgets: Cluster) -> None:
    widgets.apply(
        DEFINITION.replace("widgets", "gears").replace("Widget", "Gear").replace("wd", "gr")
    )
    widgets.kubectl("wait --for=condition=Established crd/gears.shop.example.com --timeout=10s")
    widgets.apply(WIDGET.replace("Widget", "Gear") % ("last", 1))
    widgets.kubectl("delete crd gears.shop.example.com --timeout=20s")
    assert "gears" not in widgets.kubectl("api-resources --api-group=shop.example.com")

"""A kind of two versions, converted by a webhook behind a Service, through real kubectl."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Cluster, wait_for
from .hooks import behind_a_service, told, webhook_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with webhook_server(tmp_path_factory.mktemp("hook")) as said:
        yield said


def version(name: str, size: str, places: dict[str, Any]) -> dict[str, Any]:
    spec = {"type": "object", "properties": {"colour": {"type": "string"}, **places}}
    return {
        "name": name,
        "served": True,
        "storage": name == "v1",
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": size}],
    }


def definition(server: dict[str, str]) -> str:
    number = {"type": "integer"}
    measures = {"type": "object", "properties": {"size": number}}
    client = {
        "service": {"namespace": "converted", "name": "hook", "path": "/convert"},
        "caBundle": server["ca"],
    }
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    spec = {
        "group": "box.example.com",
        "scope": "Namespaced",
        "names": {"plural": "boxes", "singular": "box", "kind": "Box"},
        "versions": [
            version("v1", ".spec.size", {"size": number}),
            version("v2", ".spec.measures.size", {"measures": measures}),
        ],
        "conversion": {"strategy": "Webhook", "webhook": webhook},
    }
    return json.dumps(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "boxes.box.example.com"},
            "spec": spec,
        }
    )


def box(name: str, api: str, spec: dict[str, Any]) -> str:
    return json.dumps(
        {
            "apiVersion": f"box.example.com/{api}",
            "kind": "Box",
            "metadata": {"name": name, "namespace": "converted"},
            "spec": spec,
        }
    )


def test_a_kind_in_two_versions(cluster: Cluster, server: dict[str, str]) -> None:
    cluster.kubectl("create namespace converted")
    behind_a_service(cluster, server, "converted")
    cluster.apply(definition(server))
    cluster.kubectl("wait --for=condition=Established crd/boxes.box.example.com --timeout=10s")

    def spec(name: str, api: str) -> Any:
        return cluster.get(f"boxes.{api}.box.example.com {name}", "converted")["spec"]

    cluster.apply(box("old", "v1", {"size": 1, "colour": "red"}))
    cluster.apply(box("new", "v2", {"measures": {"size": 2}}))
    assert spec("old", "v2") == {"measures": {"size": 1}, "colour": "red"}
    assert spec("new", "v1") == {"size": 2}
    table = cluster.kubectl("-n converted get boxes.v2.box.example.com --no-headers")
    assert [line.split()[:2] for line in table.splitlines()] == [["new", "2"], ["old", "1"]]

    # kubectl's own patches, in the version that is not stored.
    cluster.apply(box("old", "v2", {"measures": {"size": 5}}))
    assert spec("old", "v1")["size"] == 5
    applied = box("old", "v2", {"measures": {"size": 7}})
    cluster.kubectl("apply --server-side --force-conflicts -f -", stdin=applied)
    assert spec("old", "v1")["size"] == 7
    said = told(cluster, "-n converted label boxes.v2.box.example.com old a=b")
    assert said == ""
    cluster.kubectl("-n converted wait --for=jsonpath={.spec.measures.size}=7 "
                    "boxes.v2.box.example.com/old --timeout=10s")  # fmt: skip

    # Without its webhook the other version fails by name; what the cluster itself does goes on.
    cluster.kubectl("-n converted delete service hook")
    applied = box("late", "v2", {"measures": {"size": 1}})
    failed = cluster.kubectl("apply -f -", stdin=applied, check=False)
    assert failed == ""
    wait_for(
        "a webhook nobody can reach",
        lambda: (
            "conversion webhook for box.example.com/v2, Kind=Box failed"
            in told(cluster, "-n converted create -f -", stdin=applied)
        ),
    )
    assert spec("old", "v1")["size"] == 7
    cluster.kubectl("delete namespace converted --timeout=60s")
    cluster.kubectl("delete crd boxes.box.example.com --timeout=30s")

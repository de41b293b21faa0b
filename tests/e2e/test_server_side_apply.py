"""kubectl's server-side apply against a whole cluster, and its way over from client-side apply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import KUBECTL, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def config(name: str, **data: str) -> str:
    metadata = {"name": name}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def entries(cluster: Cluster, name: str) -> dict[str, Any]:
    shown = cluster.kubectl(f"get {name} -o json --show-managed-fields")
    return {e["manager"]: e["fieldsV1"] for e in json.loads(shown)["metadata"]["managedFields"]}


def test_conflicts_are_told_shown_and_forced(cluster: Cluster) -> None:
    apply = "apply --server-side -f -"
    assert "serverside-applied" in cluster.kubectl(apply, stdin=config("shared", x="1"))
    again = config("shared", x="2")
    other = f"{apply} --field-manager=other"
    assert cluster.kubectl(other, stdin=again, check=False) == ""
    shown = cluster.kubectl("diff --server-side --force-conflicts -f -", stdin=again, check=False)
    assert '+  x: "2"' in shown
    cluster.kubectl(f"{other} --force-conflicts", stdin=again)
    assert entries(cluster, "configmap/shared") == {"other": {"f:data": {"f:x": {}}}}


def test_what_was_applied_by_the_client_becomes_kubectls_own(cluster: Cluster) -> None:
    cluster.kubectl("apply -f -", stdin=config("moved", x="1", y="1"))
    cluster.kubectl("apply --server-side -f -", stdin=config("moved", x="2", y="1"))
    assert entries(cluster, "configmap/moved")["kubectl"] == {"f:data": {"f:x": {}, "f:y": {}}}
    cluster.kubectl("apply --server-side -f -", stdin=config("moved", x="2"))
    assert cluster.get("configmap/moved")["data"] == {"x": "2"}
    last = cluster.kubectl("apply view-last-applied configmap/moved -o json")
    assert json.loads(last)["data"] == {"x": "2"}


def test_a_scaled_deployment_is_told_so(cluster: Cluster) -> None:
    container = {"name": "c", "image": "x", "command": ["sleep", "1000"]}
    labels = {"app": "scaled"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "scaled"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    text = json.dumps(deployment)
    cluster.kubectl("apply --server-side -f -", stdin=text)
    cluster.kubectl("scale deployment/scaled --replicas=1")
    command = [
        KUBECTL or "kubectl",
        f"--kubeconfig={cluster.kubeconfig}",
        "apply",
        "--server-side",
        "-f",
        "-",
    ]
    refused = cluster.run(command, stdin=text, check=False)
    assert refused.returncode == 1
    assert (
        'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
        in refused.stderr
    )

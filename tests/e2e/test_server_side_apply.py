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


def test_who_created_an_object_is_known_and_conflicts(cluster: Cluster) -> None:
    cluster.kubectl("create deployment made --image=x --replicas=0 -- sleep 1000")
    text = cluster.kubectl("get deployment/made -o yaml --show-managed-fields=false")
    kept = cluster.get("deployment/made")
    metadata = {"name": "made"}
    spec = {"replicas": 1, "selector": kept["spec"]["selector"]}
    spec["template"] = {"metadata": kept["spec"]["template"]["metadata"]}
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    assert "managedFields" not in text
    refused = told(cluster, json.dumps(wanted), "--field-manager=other")
    assert (
        'Apply failed with 1 conflict: conflict with "kubectl-create" using apps/v1: .spec.replicas'
        in refused
    )
    fields = entries(cluster, "deployment/made")
    assert "f:replicas" in fields["kubectl-create"]["f:spec"]
    assert fields["kube-controller-manager"].keys() == {"f:metadata", "f:status"}


def test_a_pods_status_is_the_kubelets_and_the_servers_objects_are_the_servers(
    cluster: Cluster,
) -> None:
    cluster.kubectl("run told --image=x --command -- sleep 1000")
    cluster.kubectl("wait pod/told --for=condition=Ready --timeout=30s")
    pod = cluster.get("pod/told --show-managed-fields")
    [status] = [e for e in pod["metadata"]["managedFields"] if e.get("subresource") == "status"]
    assert (status["manager"], status["operation"]) == ("kubelet", "Update")
    assert 'k:{"type":"Ready"}' in status["fieldsV1"]["f:status"]["f:conditions"]
    assert "f:nodeName" not in entries(cluster, "pod/told")["kubectl-run"]["f:spec"]
    cluster.kubectl("delete pod/told --grace-period=0 --force")
    assert entries(cluster, "clusterrole/cluster-admin").keys() == {"kube-apiserver"}
    assert entries(cluster, "namespace/kube-system").keys() == {"kube-apiserver"}


def told(cluster: Cluster, config: str, *more: str) -> str:
    """What kubectl says when it may not apply `config`."""
    command = [KUBECTL or "kubectl", f"--kubeconfig={cluster.kubeconfig}"]
    command += ["apply", "--server-side", "-f", "-", *more]
    refused = cluster.run(command, stdin=config, check=False)
    assert refused.returncode == 1
    return refused.stderr


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
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in told(
        cluster, text
    )

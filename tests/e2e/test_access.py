"""Access by roles, through real kubectl."""

from __future__ import annotations

import pytest

from .conftest import KUBECTL, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
"""


def told(cluster: Cluster, line: str) -> str:
    """What kubectl says beside its answer."""
    command = [str(KUBECTL), f"--kubeconfig={cluster.kubeconfig}", *line.split()]
    return cluster.run(command, check=False).stderr


def test_roles_made_with_kubectl_decide(cluster: Cluster) -> None:
    cluster.kubectl("create namespace access")
    cluster.kubectl("-n access create role r --verb=list --resource=pods,pods/log")
    cluster.kubectl("-n access create rolebinding r --role=r --user=jo")
    assert cluster.kubectl("-n access auth can-i list pods --as=jo").strip() == "yes"
    assert "pods/log" in cluster.kubectl("-n access auth can-i --list --as=jo")
    assert "No resources found" in told(cluster, "-n access get pods --as=jo")
    assert 'cannot list resource "secrets"' in told(cluster, "-n access get secrets --as=jo")
    cluster.kubectl("-n access create rolebinding adm --clusterrole=admin --user=al")
    bind = "-n access create rolebinding x --user=jo --clusterrole="
    cluster.kubectl(f"{bind}view --as=al")
    assert "RBAC permissions not currently held" in told(cluster, f"{bind}cluster-admin --as=al")


def test_kubectl_reconciles_roles(cluster: Cluster) -> None:
    for verbs in ("get, list", "get, watch"):
        cluster.kubectl("auth reconcile -f -", stdin=ROLE.replace("get, list", verbs))
    rules = cluster.get("clusterrole reader")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_one_learns_who_one_is(cluster: Cluster) -> None:
    assert "kubernetes-admin" in cluster.kubectl("auth whoami")
    assert "system:authenticated" in cluster.kubectl("auth whoami --as=jo")

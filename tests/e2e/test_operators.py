"""An operator by kopf, as its users run it: handlers, finalizers, timers, webhooks, peering."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import Cluster, wait_for
from .hooks import told
from .webhook_server import certificate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

OPERATOR = Path(__file__).parent / "kopf_operator.py"
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %(plural)s.%(group)s}
spec:
  group: %(group)s
  scope: %(scope)s
  names: {plural: %(plural)s, kind: %(kind)s}
  versions:
  - name: v1
    served: true
    storage: true
    %(more)s
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
FLOWERS = DEFINITION % {
    "group": "garden.example.com",
    "scope": "Namespaced",
    "plural": "flowers",
    "kind": "Flower",
    "more": "subresources: {status: {}}",
}
PEERINGS = DEFINITION % {
    "group": "kopf.dev",
    "scope": "Cluster",
    "plural": "clusterkopfpeerings",
    "kind": "ClusterKopfPeering",
    "more": "additionalPrinterColumns: []",
}
PEERING = "{apiVersion: kopf.dev/v1, kind: ClusterKopfPeering, metadata: {name: gardeners}}"
FLOWER = """
apiVersion: garden.example.com/v1
kind: Flower
metadata: {name: %s}
spec: {petals: %d}
"""
HOOKS = "validatingwebhookconfigurations,mutatingwebhookconfigurations"


@contextmanager
def running(cluster: Cluster, pem: Path) -> Iterator[None]:
    """The operator, from when its webhooks are registered until it has left of itself."""
    env = os.environ | {"KUBECONFIG": str(cluster.kubeconfig), "HOOK_PEM": str(pem)}
    command = [sys.executable, "-m", "kopf", "run", str(OPERATOR), "--all-namespaces"]
    with (cluster.data / "logs" / "kopf.log").open("a") as log:  # Shown when a test fails.
        process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            peers = "clusterkopfpeering gardeners"
            wait_for("a peer's beat", lambda: cluster.get(peers).get("status"))
            wait_for(
                "the operator's webhooks",
                lambda: [hook for hook in cluster.items(HOOKS) if hook.get("webhooks")][1:],
            )
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


@pytest.fixture(scope="module")
def garden(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cluster, Path]:
    cluster.apply(FLOWERS + "---" + PEERINGS)
    cluster.kubectl("wait --for=condition=Established crd --all --timeout=10s")
    cluster.apply(PEERING)
    return cluster, certificate(tmp_path_factory.mktemp("kopf"))[0]


def test_an_operator_does_its_work(garden: tuple[Cluster, Path]) -> None:
    cluster, pem = garden

    def status() -> dict[str, object]:
        found: dict[str, object] = cluster.get("flower rose").get("status", {})
        return found

    with running(cluster, pem):
        assert "flowers need water" in told(cluster, "create -f -", FLOWER % ("rose", 5))
        refused = told(cluster, "create -f -", FLOWER % ("odd", 13))
        assert "denied the request: thirteen petals are unlucky" in refused
        rose = cluster.get("flower rose")
        assert rose["spec"] == {"petals": 5, "color": "blue"}
        wait_for("the flower to be planted", lambda: status().get("phase") == "planted")
        assert cluster.get("configmap rose-pot")["data"] == {"color": "blue"}
        wait_for("the timer", lambda: int(str(status().get("watered", 0))) > 1)
        cluster.kubectl("patch flower rose --type=merge -p", '{"spec":{"petals":7}}')
        wait_for("the update to be noticed", lambda: status().get("grown") == "5 to 7")
        held = cluster.get("flower rose")["metadata"]["finalizers"]
        assert held == ["kopf.zalando.org/KopfFinalizerMarker"]
    with running(cluster, pem):
        wait_for("the flower to be remembered", lambda: status().get("remembered"))
        cluster.kubectl("delete flower rose --timeout=60s")
        assert cluster.get("configmap rose-was-here")
        wait_for("the pot to go too", lambda: "rose-pot" not in str(cluster.items("configmaps")))

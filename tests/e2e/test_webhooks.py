"""Admission webhooks through real kubectl: a server behind a Service, and one by its URL."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .conftest import Cluster, wait_for
from .hooks import behind_a_service, told, webhook_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with webhook_server(tmp_path_factory.mktemp("hook")) as said:
        yield said


def configuration(kind: str, name: str, client: dict[str, object], **more: object) -> str:
    hook = {
        "name": f"{name}.example.com",
        "clientConfig": client,
        "rules": [
            {
                "operations": ["CREATE", "DELETE"],
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["configmaps"],
            }
        ],
        "namespaceSelector": {"matchLabels": {"hooked": "yes"}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "NoneOnDryRun",
        **more,
    }
    return json.dumps(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [hook],
        }
    )


def test_webhooks_by_url_and_by_service(cluster: Cluster, server: dict[str, str]) -> None:
    cluster.kubectl("create namespace hooked")
    cluster.kubectl("label namespace hooked hooked=yes")
    url = f"https://127.0.0.1:{server['port']}"
    by_url = {"url": f"{url}/mutate", "caBundle": server["ca"]}
    cluster.kubectl("apply -f -", stdin=configuration("Mutating", "stamp", by_url))
    cluster.kubectl("-n hooked create configmap a --from-literal=x=1")
    assert json.loads(cluster.kubectl("-n hooked get configmap a -o json"))["metadata"][
        "labels"
    ] == {"stamped": "yes"}
    assert "mind the gap" in told(cluster, "-n hooked create configmap warned --from-literal=x=1")

    behind_a_service(cluster, server)
    service = {
        "service": {"namespace": "hooked", "name": "hook", "path": "/validate"},
        "caBundle": server["ca"],
    }
    cluster.kubectl("apply -f -", stdin=configuration("Validating", "check", service))
    said = told(cluster, "-n hooked create configmap bad --from-literal=x=1")
    assert 'admission webhook "check.example.com" denied the request: no bad names' in said
    dry = "-n hooked create configmap dry --from-literal=x=1 --dry-run=server"
    assert "created (server dry run)" in cluster.kubectl(dry)
    assert "NotFound" in told(cluster, "-n hooked get configmap dry")
    assert "denied the request" not in told(cluster, "create configmap bad --from-literal=x=1")

    cluster.kubectl("-n hooked delete service hook")
    wait_for(
        "a webhook nobody can reach",
        lambda: "failed calling webhook" in told(cluster, "-n hooked delete configmap a"),
    )
    cluster.kubectl("delete validatingwebhookconfigurations check")
    cluster.kubectl("delete mutatingwebhookconfigurations stamp")
    cluster.kubectl("-n hooked delete configmap a")

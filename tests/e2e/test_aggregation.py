"""An extension API server and a Service behind the API server, through real kubectl."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import KUBECTL, Cluster, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
SERVER = Path(__file__).parent / "extension_server.py"
PROXY = "/api/v1/namespaces/default/services/ext"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    where = tmp_path_factory.mktemp("extension")
    process = subprocess.Popen(
        [sys.executable, str(SERVER), str(where)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def made(server: dict[str, Any]) -> str:
    ports = [{"name": "tls", "port": 443}, {"name": "web", "port": 80}]
    real = [{"name": "tls", "port": server["port"]}, {"name": "web", "port": server["plain"]}]
    items = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "ext", "namespace": "default"},
            "spec": {"ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "ext-1",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "ext"},
            },
            "addressType": "IPv4",
            "ports": real,
            "endpoints": [{"addresses": [server["host"]]}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1.ext.example.com"},
            "spec": {
                "group": "ext.example.com",
                "version": "v1",
                "groupPriorityMinimum": 100,
                "versionPriority": 10,
                "caBundle": server["ca"],
                "service": {"name": "ext", "namespace": "default"},
            },
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def told(cluster: Cluster, line: str) -> str:
    command = [str(KUBECTL), f"--kubeconfig={cluster.kubeconfig}", *line.split()]
    return cluster.run(command, check=False).stderr


def test_an_extension_server_and_a_proxied_service(
    cluster: Cluster, server: dict[str, Any]
) -> None:
    cluster.kubectl("apply -f -", stdin=made(server))
    wait = "wait apiservice/v1.ext.example.com --for=condition=Available --timeout=30s"
    cluster.kubectl(wait)
    services = cluster.kubectl("get apiservices")
    assert "v1.apps" in services
    assert "default/ext" in services
    assert "wd" in cluster.kubectl("api-resources --api-group=ext.example.com")
    assert "w1" in cluster.kubectl("get widgets")
    watched = told(cluster, "get wd -w --request-timeout=3s") or cluster.kubectl("get wd -w")
    assert "error" not in watched
    said = json.loads(cluster.kubectl("get --raw /apis/ext.example.com/v1/who?x=1"))
    assert said == {"path": "/apis/ext.example.com/v1/who?x=1", "user": "kubernetes-admin"}

    assert json.loads(cluster.kubectl(f"get --raw {PROXY}:web/proxy/a?b=c"))["path"] == "/a?b=c"
    secure = f"get --raw {PROXY.replace('ext', 'https:ext:tls')}/proxy/"
    assert json.loads(cluster.kubectl(secure))["user"] == ""
    assert "no service port 81 found" in told(cluster, f"get --raw {PROXY}:81/proxy/")
    assert "control plane is running at" in cluster.kubectl("cluster-info")

    cluster.kubectl("delete endpointslice ext-1")
    wait_for("the condition", lambda: "(EndpointsNotFound)" in cluster.kubectl("get apiservices"))
    assert "unable to handle the request" in told(cluster, "get widgets")
    cluster.kubectl("delete apiservice v1.ext.example.com")
    cluster.kubectl("delete service ext")

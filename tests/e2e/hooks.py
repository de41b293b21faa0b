"""A webhook server as an operator would run one: a process, behind a Service or by its address."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .conftest import KUBECTL, Cluster

SERVER = Path(__file__).parent / "webhook_server.py"


@contextmanager
def webhook_server(where: Path) -> Iterator[dict[str, str]]:
    """What it prints first is its address and its CA."""
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


def told(cluster: Cluster, line: str, stdin: str = "") -> str:
    """What kubectl says beside its answer."""
    command = [str(KUBECTL), f"--kubeconfig={cluster.kubeconfig}", *line.split()]
    return cluster.run(command, check=False, stdin=stdin).stderr


def behind_a_service(cluster: Cluster, server: dict[str, str], namespace: str = "hooked") -> None:
    """A Service without selector, and the server's own address as its endpoint."""
    port = {"port": 443, "targetPort": int(server["port"]), "protocol": "TCP"}
    cluster.kubectl(
        "apply -f -",
        stdin=json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "hook", "namespace": namespace},
                "spec": {"ports": [port]},
            }
        ),
    )
    cluster.kubectl(
        "apply -f -",
        stdin=json.dumps(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": "hook-1",
                    "namespace": namespace,
                    "labels": {"kubernetes.io/service-name": "hook"},
                },
                "addressType": "IPv4",
                "ports": [{"port": int(server["port"]), "protocol": "TCP"}],
                "endpoints": [{"addresses": [server["host"]]}],
            }
        ),
    )

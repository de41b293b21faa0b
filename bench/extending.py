"""What extending the API costs: server-side applies of a Deployment, and many custom definitions.

    python bench/extending.py URL TOKEN --applies 1000
    python bench/extending.py URL TOKEN --definitions 200

Owns      the requests, one after another over one TLS connection, and their times as a client sees them.
Leaves    the server's own time and memory (budget.py reads its process).
Invariant every answer is checked: a refused request ends the run.
"""

from __future__ import annotations

import argparse
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

APPLY = "application/apply-patch+yaml"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web?fieldManager=bench&force=true"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ESTABLISHED_S = 30.0


def deployment(turn: int) -> dict[str, object]:
    """A Deployment as charts write them; each turn rolls out another image."""
    labels = {"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "bench"}
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10}
    container = {
        "name": "web",
        "image": f"registry.example/web:{turn}",
        "args": ["--listen=:8080", "--log=json"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{number}", "value": str(number)} for number in range(6)],
        "envFrom": [{"configMapRef": {"name": "web"}}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"},
        },
        "livenessProbe": probe,
        "readinessProbe": probe,
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
    }  # fmt: skip
    spec = {
        "serviceAccountName": "default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "web"}}],
        "terminationGracePeriodSeconds": 30,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": labels, "annotations": {"turn": str(turn)}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def definition(number: int) -> dict[str, object]:
    """A definition of middling size: two dozen fields with descriptions, a list map, a status."""
    text = "What this field is for, as a sentence that somebody wrote for kubectl explain."
    fields = {f"field{n}": {"type": "string", "description": text} for n in range(20)}
    ports = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "port": {"type": "integer", "minimum": 1}},
        },
    }
    spec = {"type": "object", "properties": {**fields, "ports": ports}}
    status = {"type": "object", "properties": {"phase": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }  # fmt: skip
    group, plural = f"g{number // 10}.bench.example", f"things{number}"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": f"thing{number}", "kind": f"Thing{number}"},
            "versions": [version],
        },
    }


class Wire:
    def __init__(self, url: str, token: str) -> None:
        at = urlsplit(url)
        tls = ssl._create_unverified_context()
        self._link = http.client.HTTPSConnection(at.hostname, at.port, timeout=60, context=tls)
        self._headers = {"Authorization": f"Bearer {token}"}

    def send(self, method: str, path: str, body: object = None, kind: str = "application/json"):
        data = None if body is None else json.dumps(body).encode()
        self._link.request(method, path, data, {**self._headers, "Content-Type": kind})
        answer = self._link.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {said[:300]!r}")
        return json.loads(said)


def applies(wire: Wire, count: int) -> None:
    times = sorted(_timed(wire, count))
    middle, last = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(
        f"applies {count}: p50 {middle * 1e3:.2f} ms p99 {last * 1e3:.2f} ms as the client sees it"
    )


def _timed(wire: Wire, count: int) -> Iterator[float]:
    for turn in range(count):
        body = deployment(turn)
        began = time.perf_counter()
        wire.send("PATCH", DEPLOYMENT, body, APPLY)
        yield time.perf_counter() - began


def definitions(wire: Wire, count: int) -> None:
    began = time.perf_counter()
    for number in range(count):
        wire.send("POST", DEFINITIONS, definition(number))
    while not all(map(_established, wire.send("GET", DEFINITIONS)["items"])):
        if time.perf_counter() - began > ESTABLISHED_S:
            raise SystemExit("not every definition is established")
        time.sleep(0.1)
    spent = time.perf_counter() - began
    last = definition(count - 1)["spec"]
    items = wire.send("GET", f"/apis/{last['group']}/v1/{last['names']['plural']}")["items"]
    assert items == []
    print(f"definitions {count}: established in {spent:.2f} s")


def _established(definition: dict) -> bool:
    found = definition.get("status", {}).get("conditions", ())
    return any(one["type"] == "Established" and one["status"] == "True" for one in found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--applies", type=int, default=0)
    parser.add_argument("--definitions", type=int, default=0)
    given = parser.parse_args()
    link = Wire(given.url, given.token)
    if given.applies:
        applies(link, given.applies)
    if given.definitions:
        definitions(link, given.definitions)

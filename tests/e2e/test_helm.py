"""Helm 4 with a chart of ours: server-side apply, its status watcher, hooks, conflicts, history."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cluster, is_ready

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

HELM = Path(__file__).parent / "helm_client.py"
CHART = {
    "Chart.yaml": "{apiVersion: v2, name: shop, version: 0.1.0}",
    "values.yaml": "{replicas: 1, color: red, ready: true}",
    "crds/crd.yaml": """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shelves.shop.example.org}
spec:
  group: shop.example.org
  scope: Namespaced
  names: {plural: shelves, kind: Shelf}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
""",
    "templates/shop.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: c
        image: none
        command: [sleep, "1000"]
        env: [{name: COLOR, value: {{ .Values.color }}}]
        {{- if not .Values.ready }}
        readinessProbe: {exec: {command: ["false"]}}
        {{- end }}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  looked: {{ (lookup "v1" "Namespace" "" "helmed").metadata.name | default "nothing" }}
  served: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
---
apiVersion: shop.example.org/v1
kind: Shelf
metadata: {name: {{ .Release.Name }}}
spec: {color: {{ .Values.color }}}
""",
    "templates/hooks.yaml": """
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-before
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: none, command: ["true"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: c, image: none, command: ["true"]}]}
""",
}


class Helm:
    def __init__(self, cluster: Cluster, chart: Path) -> None:
        self._cluster, self._chart = cluster, str(chart)

    def do(self, action: str, *args: Any, **options: Any) -> Any:
        given = json.dumps({"args": args, "options": options})
        config = str(self._cluster.kubeconfig)
        return json.loads(
            self._cluster.run([sys.executable, str(HELM), config, action, given]).stdout
        )

    def install(self, name: str, **values: Any) -> Any:
        return self.do("install", self._chart, name, values, wait="watcher", timeout=60)

    def upgrade(self, name: str, timeout: int = 60, **values: Any) -> Any:
        options = {"wait": "watcher", "timeout": timeout, "reuse_values": True}
        back = timeout != 60
        return self.do("upgrade", self._chart, name, values, rollback_on_failure=back, **options)


@pytest.fixture(scope="module")
def helm(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    chart = tmp_path_factory.mktemp("shop")
    for name, text in CHART.items():
        file = chart / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    cluster.kubectl("create namespace helmed")
    return Helm(cluster, chart)


def test_a_release_lives_its_life(cluster: Cluster, helm: Helm) -> None:
    def color() -> str:
        spec = cluster.get("deployment web", "helmed")["spec"]["template"]["spec"]
        return str(spec["containers"][0]["env"][0]["value"])

    def ready() -> int:
        return len([pod for pod in cluster.items("pods -l app=web", "helmed") if is_ready(pod)])

    assert helm.install("web")["status"] == "deployed"
    assert ready() == 1
    shown = cluster.kubectl("-n helmed get deployment web -o json --show-managed-fields")
    web = json.loads(shown)
    assert "Apply" in [entry["operation"] for entry in web["metadata"]["managedFields"]]
    assert cluster.get("configmap web", "helmed")["data"] == {"looked": "helmed", "served": "true"}
    assert cluster.get("job web-before", "helmed")["status"]["succeeded"] == 1
    helm.do("test", "web", timeout=30)

    assert helm.upgrade("web", replicas=2)["revision"] == 2
    assert ready() == 2
    cluster.kubectl("-n helmed set env deployment/web COLOR=green")
    conflict = helm.upgrade("web", color="blue")["error"]
    assert 'conflict with "kubectl-set" using apps/v1' in conflict
    assert '.spec.template.spec.containers[name="c"].env[name="COLOR"].value' in conflict
    assert color() == "green"
    cluster.kubectl("-n helmed set env deployment/web COLOR=red")
    assert helm.upgrade("web", color="red", replicas=1)["status"] == "deployed"

    failed = helm.upgrade("web", timeout=3, ready=False)["error"]
    assert "has been rolled back" in failed
    states = [(r["revision"], r["status"]) for r in helm.do("history", "web")]
    assert states[-1][1] == "deployed"
    assert "failed" in [status for _, status in states]
    helm.do("uninstall", "web", wait="watcher", timeout=30)
    assert cluster.items("deployments", "helmed") == []
    assert cluster.items("shelves", "helmed") == []
    assert helm.do("list") == []

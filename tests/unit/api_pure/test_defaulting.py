"""Defaults: what each kind gets, and that getting it twice changes nothing."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from busk8s.api import scheme
from busk8s.api.defaulting.pod import pull_policy
from busk8s.api.defaulting.service import complete_families, complete_update
from busk8s.api.defaults import apply_defaults
from busk8s.api.patch import merge_patch
from busk8s.api.validation import validate_update


def defaulted(key: str, obj: dict[str, Any]) -> dict[str, Any]:
    apply_defaults(scheme.RESOURCES[key], obj)
    return obj


def pod(spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "x:1", **container}]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers, **(spec or {})}}


def test_a_bare_pod_gets_what_upstream_gives_it() -> None:
    assert defaulted("pods", pod())["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "x:1",
                "imagePullPolicy": "IfNotPresent",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.25", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
        ("nginx:latest@sha256:abc", "Always"),
    ],
)
def test_the_tag_decides_the_pull_policy(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def container(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = defaulted("pods", pod(**fields))["spec"]["containers"][0]
    return found


def test_requests_come_from_limits_in_pods_but_not_in_templates() -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}
    assert container(resources=deepcopy(resources))["resources"]["requests"] == {
        "cpu": "100m",
        "memory": "1Gi",
    }
    replica_set = {"metadata": {}, "spec": {"template": pod(resources=deepcopy(resources))}}
    template = defaulted("replicasets.apps", replica_set)["spec"]["template"]["spec"]
    assert template["containers"][0]["resources"] == resources
    assert "enableServiceLinks" not in template


def test_probes_ports_and_references_are_completed() -> None:
    found = container(
        livenessProbe={"httpGet": {"port": 80}},
        ports=[{"containerPort": 80}],
        env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    )
    assert found["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert found["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert found["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"


def test_host_network_takes_the_container_ports() -> None:
    found = defaulted("pods", pod({"hostNetwork": True}, ports=[{"containerPort": 80}]))
    assert found["spec"]["containers"][0]["ports"][0]["hostPort"] == 80


@pytest.mark.parametrize(
    ("volume", "wanted"),
    [
        ({}, {"emptyDir": {}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ({"configMap": {"name": "s"}}, {"configMap": {"name": "s", "defaultMode": 420}}),
        ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "defaultMode": 420,
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                }
            },
        ),
    ],
)
def test_volumes_are_completed(volume: dict[str, Any], wanted: dict[str, Any]) -> None:
    found = defaulted("pods", pod({"volumes": [{"name": "v", **volume}]}))
    assert found["spec"]["volumes"] == [{"name": "v", **wanted}]


def test_the_old_name_of_the_service_account_still_counts() -> None:
    spec = defaulted("pods", pod({"serviceAccount": "robot"}))["spec"]
    assert spec["serviceAccountName"] == "robot"


def test_a_deployment_rolls_by_a_quarter() -> None:
    spec = defaulted("deployments.apps", {"metadata": {}, "spec": {"template": pod()}})["spec"]
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    numbers = (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"])
    assert numbers == (1, 10, 600)


def test_a_recreating_deployment_has_no_rolling_update() -> None:
    deployment = {"metadata": {}, "spec": {"strategy": {"type": "Recreate"}, "template": pod()}}
    strategy = defaulted("deployments.apps", deployment)["spec"]["strategy"]
    assert strategy == {"type": "Recreate"}


def test_a_cluster_ip_service_is_completed() -> None:
    service = {"metadata": {}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}
    completed = defaulted("services", service)
    assert completed["spec"] == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "selector": {"a": "b"},
    }
    complete_families(completed)
    spec = completed["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


def test_a_node_port_service_lets_traffic_in_from_outside() -> None:
    spec = defaulted("services", {"metadata": {}, "spec": {"type": "NodePort"}})["spec"]
    assert spec["externalTrafficPolicy"] == "Cluster"


def test_an_external_name_has_no_addresses_to_speak_of() -> None:
    spec = {"type": "ExternalName", "externalName": "x.y"}
    found = defaulted("services", {"metadata": {}, "spec": spec})["spec"]
    assert found.keys() == {"type", "externalName", "sessionAffinity"}


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "ExternalName"])
def test_a_service_can_change_its_type_by_a_patch_of_the_type_alone(kind: str) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30000}]}
    metadata = {"name": "s", "namespace": "n"}
    old = defaulted("services", {"metadata": metadata, "spec": spec})
    old["spec"] |= {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}
    before = deepcopy(old)
    new = merge_patch(old, {"spec": {"type": kind, "externalName": "x.y"}})
    apply_defaults(scheme.RESOURCES["services"], new)
    complete_update(new, old)
    assert validate_update(scheme.RESOURCES["services"], new, old) == []
    assert ("nodePort" in new["spec"]["ports"][0]) is (kind == "NodePort")
    assert old == before


def test_string_data_is_written_into_data() -> None:
    secret = {"metadata": {}, "data": {"b": "Yg=="}, "stringData": {"a": "a", "b": "c"}}
    assert defaulted("secrets", secret) == {
        "metadata": {},
        "type": "Opaque",
        "data": {"a": "YQ==", "b": "Yw=="},
    }


def test_a_namespace_is_labelled_with_its_name() -> None:
    namespace = defaulted("namespaces", {"metadata": {"name": "n"}})
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert namespace["status"] == {"phase": "Active"}


def test_all_of_a_nodes_capacity_is_allocatable_unless_it_says_otherwise() -> None:
    node = defaulted("nodes", {"metadata": {}, "status": {"capacity": {"cpu": "2000m"}}})
    assert node["status"]["allocatable"] == {"cpu": "2"}


def test_a_controller_without_labels_takes_its_templates() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, **pod()}
    template["metadata"] = {"labels": {"a": "b"}}
    found = defaulted("replicationcontrollers", {"metadata": {}, "spec": {"template": template}})
    assert found["metadata"]["labels"] == found["spec"]["selector"] == {"a": "b"}


@pytest.mark.parametrize("key", sorted(scheme.RESOURCES))
def test_defaults_applied_twice_change_nothing(key: str) -> None:
    once = defaulted(key, {"metadata": {"name": "a"}, "kind": scheme.RESOURCES[key].kind})
    assert defaulted(key, deepcopy(once)) == once

"""What the writer of an object is told although it is accepted, in upstream's words."""

# ruff: noqa: E501  # the words of a warning stay in one piece

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.warnings import network
from busk8s.api.warnings.table import on_create, on_update

Json = dict[str, Any]


def pod(metadata: Json | None = None, **spec: Any) -> Json:
    container = {"name": "c", "image": "i"}
    return {
        "metadata": {"name": "p", **(metadata or {})},
        "spec": {"containers": [container], **spec},
    }


def with_container(**fields: Any) -> Json:
    return pod(containers=[{"name": "c", "image": "i", **fields}])


def port(number: int, **more: Any) -> Json:
    return {"containerPort": number, "protocol": "TCP", **more}


TOKEN = {"serviceAccountToken": {"path": "token"}}
HIDES = 'hides previous definition of "A", which may be dropped when using apply'

PODS: list[tuple[str, Json, list[str]]] = [
    ("nothing", pod(), []),
    (
        "old node label",
        pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
        ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
    ),
    (
        "old node label in affinity",
        pod(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "beta.kubernetes.io/arch", "operator": "Exists"}]}]}}}),
        ['spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms'
         '[0].matchExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; use '
         '"kubernetes.io/arch" instead'],
    ),
    (
        "spread without selector",
        pod(topologySpreadConstraints=[{"topologyKey": "zone"}]),
        ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"],
    ),
    (
        "old annotation",
        pod({"annotations": {"scheduler.alpha.kubernetes.io/critical-pod": ""}}),
        ['metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; '
         'use the "priorityClassName" field instead'],
    ),
    ("volume that is gone", pod(volumes=[{"name": "v", "gitRepo": {}}]),
     ["spec.volumes[0].gitRepo: deprecated in v1.11"]),
    (
        "file over a token",
        pod(volumes=[{"name": "v", "projected": {"sources": [
            TOKEN, {"configMap": {"items": [{"key": "k", "path": "token"}]}}]}}]),
        ['spec.volumes[0].projected.sources.configMap[0]: has duplicated path with '
         'ServiceAccountToken "token"'],
    ),
    ("same pull secret", pod(imagePullSecrets=[{"name": "a"}, {"name": "a"}]),
     ['spec.imagePullSecrets[1].name: duplicate name "a"']),
    ("no pull secret", pod(imagePullSecrets=[{}]),
     ['spec.imagePullSecrets[0].name: invalid empty name ""']),
    ("part of a byte", with_container(resources={"limits": {"memory": "100m"}}),
     ['spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, '
      'must be an integer']),
    ("hidden variable", with_container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
     [f"spec.containers[0].env[1]: {HIDES}"]),
    ("variable that builds on another",
     with_container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]), []),
    ("same port", with_container(ports=[port(80), port(80)]),
     ["spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"]),
    ("overlapping port", with_container(ports=[port(80, hostPort=81), port(80)]),
     ["spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]"]),
    ("ambiguous port", with_container(ports=[port(80, hostPort=8), port(80, hostPort=8, hostIP="1.2.3.4")]),
     ["spec.containers[0].ports[1]: dangerously ambiguous port definition with "
      "spec.containers[0].ports[0]"]),
    ("address without port", with_container(ports=[port(80, hostIP="1.2.3.4")]),
     ["spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 "
      "Protocol:TCP HostIP:1.2.3.4}"]),
    ("negative grace", pod(terminationGracePeriodSeconds=-1),
     ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be "
      "treated as 1"]),
]  # fmt: skip


@pytest.mark.parametrize(("obj", "said"), [row[1:] for row in PODS], ids=[row[0] for row in PODS])
def test_a_pod_and_a_template_are_told_the_same(obj: Json, said: list[str]) -> None:
    assert on_create("pods", obj) == said
    deployment = {"metadata": {"name": "d"}, "spec": {"template": obj}}
    assert on_create("deployments.apps", deployment) == [
        f"spec.template.{text}".replace("with spec.", "with spec.template.spec.") for text in said
    ]


def test_a_name_that_is_no_host_name_is_told() -> None:
    (said,) = on_create("pods", pod({"name": "a.b"}))
    assert said.startswith(
        "metadata.name: this is used in the Pod's hostname, which can result in "
    )
    assert "a DNS label is recommended: [a lowercase RFC 1123 label must consist of" in said


def test_updates_of_pods_and_of_unchanged_specs_are_silent() -> None:
    odd = with_container(ports=[port(80), port(80)])
    assert on_update("pods", odd, pod()) == []
    deployment = {"metadata": {"name": "d"}, "spec": {"template": odd}}
    assert on_update("deployments.apps", deployment, deployment) == []
    assert on_update("deployments.apps", deployment, {"spec": {}}) != []


SERVICES = [
    ({"externalIPs": ["1.2.3.4"]}, ["spec.externalIPs is deprecated and may no longer be implemented in some clusters"]),
    ({"clusterIP": "None", "sessionAffinity": "ClientIP"}, ["spec.SessionAffinity is ignored for headless services"]),
    ({"type": "ClusterIP", "externalName": "x"}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
    ({"trafficDistribution": "PreferClose"}, ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "said"), SERVICES)
def test_services(spec: Json, said: list[str]) -> None:
    assert network.of_service({"metadata": {}, "spec": spec}) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.2.3.4", []),
        ("2001:db8::1", []),
        ("01.2.3.4", ['at: non-standard IP address "01.2.3.4" will be considered invalid in a future '
                      'Kubernetes release: use "1.2.3.4"']),
        ("::ffff:1.2.3.4", ['at: non-standard IP address "::ffff:1.2.3.4" will be considered invalid '
                            'in a future Kubernetes release: use "1.2.3.4"']),
        ("2001:DB8::1", ['at: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format '
                         '("2001:db8::1")']),
    ],
)  # fmt: skip
def test_addresses(text: str, said: list[str]) -> None:
    assert network.of_ip(text, "at") == said


@pytest.mark.parametrize(
    ("text", "usual"),
    [("10.0.0.0/8", ""), ("10.0.0.1/8", "10.0.0.0/8"), ("010.0.0.0/8", "10.0.0.0/8")],
)
def test_networks(text: str, usual: str) -> None:
    said = network.of_cidr(text, "at")
    assert len(said) == bool(usual)
    assert all(usual in one for one in said)


@pytest.mark.parametrize(
    ("key", "obj", "begins"),
    [
        ("persistentvolumes", {"spec": {"persistentVolumeReclaimPolicy": "Recycle"}},
         "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated."),
        ("persistentvolumeclaims", {"spec": {"resources": {"requests": {"storage": "1m"}}}},
         "spec.resources.requests[storage]: fractional byte value"),
        ("nodes", {"spec": {"externalID": "x"}}, "spec.externalID: this field is deprecated"),
        ("runtimeclasses.node.k8s.io", {"scheduling": {"nodeSelector": {"beta.kubernetes.io/os": "x"}}},
         "scheduling.nodeSelector: deprecated since v1.14"),
        ("storageclasses.storage.k8s.io", {"allowedTopologies": [{"matchLabelExpressions": [
            {"key": "beta.kubernetes.io/os"}]}]}, "allowedTopologies[0].matchLabelExpressions[0]: "),
        ("serviceaccounts", {"metadata": {"annotations": {
            "kubernetes.io/enforce-mountable-secrets": "true"}}}, "metadata.annotations[kubernetes.io/"),
        ("ingresses.networking.k8s.io", {"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}},
         'annotation "kubernetes.io/ingress.class" is deprecated'),
        ("statefulsets.apps", {"metadata": {"name": "s"}, "spec": {"revisionHistoryLimit": -1}},
         "spec.revisionHistoryLimit: a negative value retains"),
    ],
)  # fmt: skip
def test_other_kinds(key: str, obj: Json, begins: str) -> None:
    (said,) = on_create(key, obj)
    assert said.startswith(begins)


@pytest.mark.parametrize(
    ("completions", "parallelism", "mode", "told"),
    [(100_001, 10_001, "Indexed", True), (100_000, 10_001, "Indexed", False),
     (100_001, 10_000, "Indexed", False), (100_001, 10_001, "NonIndexed", False)],
)  # fmt: skip
def test_jobs_of_more_indexes_than_can_be_noted(
    completions: int, parallelism: int, mode: str, told: bool
) -> None:
    spec = {"completions": completions, "parallelism": parallelism, "completionMode": mode}
    job = {"metadata": {"name": "j"}, "spec": {**spec, "template": pod()}}
    cron_job = {"metadata": {"name": "j"}, "spec": {"jobTemplate": {"spec": job["spec"]}}}
    words = "In Indexed Jobs with a number of completions higher than 10^5"
    for key, obj, path in (
        ("jobs.batch", job, "spec"),
        ("cronjobs.batch", cron_job, "spec.jobTemplate.spec"),
    ):
        found = on_create(key, obj)
        assert [said.startswith(f"{path}: {words}") for said in found] == ([True] if told else [])

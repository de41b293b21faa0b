"""Validation: each rule's field, reason and words."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from busk8s.api import scheme
from busk8s.api.defaults import apply_defaults
from busk8s.api.validation import validate_create, validate_status_update, validate_update
from busk8s.errors import Cause

Json = dict[str, Any]


def said(causes: list[Cause]) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in causes]


def prepared(key: str, obj: Json) -> Json:
    resource = scheme.RESOURCES[key]
    obj.setdefault("metadata", {}).setdefault("name", "x")
    if resource.namespaced:
        obj["metadata"].setdefault("namespace", "default")
    apply_defaults(resource, obj)
    return obj


def created(key: str, obj: Json) -> list[str]:
    return said(validate_create(scheme.RESOURCES[key], prepared(key, obj)))


def updated(key: str, old: Json, new: Json) -> list[str]:
    return said(validate_update(scheme.RESOURCES[key], prepared(key, new), prepared(key, old)))


def pod(spec: Json | None = None, **container: Any) -> Json:
    return {"spec": {"containers": [{"name": "c", "image": "x:1", **container}], **(spec or {})}}


def template(spec: Json | None = None) -> Json:
    return {"metadata": {"labels": {"a": "b"}}, **pod(spec)}


def deployment(**spec: Any) -> Json:
    return {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template(), **spec}}


CONTAINER_RULES: list[tuple[str, Json, list[str]]] = [
    ("no name", {"name": ""}, ["name: Required value"]),
    ("bad name", {"name": "A"}, ['name: Invalid value: "A": a lowercase RFC 1123 label must']),
    ("no image", {"image": ""}, ["image: Required value"]),
    (
        "image with blanks",
        {"image": " x"},
        ['image: Invalid value: " x": must not have leading or trailing whitespace'],
    ),
    (
        "pull policy",
        {"imagePullPolicy": "Maybe"},
        [
            'imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", '
            '"IfNotPresent", "Never"'
        ],
    ),
    ("no port", {"ports": [{"containerPort": 0}]}, ["ports[0].containerPort: Required value"]),
    (
        "port range",
        {"ports": [{"containerPort": 70000}]},
        [
            "ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"
        ],
    ),
    (
        "port name twice",
        {"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
        ['ports[1].name: Duplicate value: "a"'],
    ),
    (
        "port name",
        {"ports": [{"containerPort": 1, "name": "1-"}]},
        [
            'ports[0].name: Invalid value: "1-": must contain at least one letter (a-z)',
            'ports[0].name: Invalid value: "1-": must not begin or end with a hyphen',
        ],
    ),
    (
        "protocol",
        {"ports": [{"containerPort": 1, "protocol": "tcp"}]},
        ['ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'],
    ),
    ("env name", {"env": [{"name": ""}]}, ["env[0].name: Required value"]),
    (
        "env from two",
        {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]},  # noqa: E501
        [
            'env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'
        ],
    ),
    (
        "env field",
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]},
        [
            'env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.x": error converting '
            "fieldPath: field label not supported: spec.x"
        ],
    ),
    (
        "env key",
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]},
        ["env[0].valueFrom.secretKeyRef.key: Required value"],
    ),
    (
        "mount of nothing",
        {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        ['volumeMounts[0].name: Not found: "v"'],
    ),
    (
        "request over limit",
        {"resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "2Gi"}}},
        [
            'resources.requests: Invalid value: "2Gi": must be less than or equal to memory '
            "limit of 1Gi"
        ],
    ),
    (
        "negative resource",
        {"resources": {"requests": {"cpu": "-1"}}},
        [
            'resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'
        ],
    ),
    (
        "half a device",
        {"resources": {"limits": {"a.b/c": "500m"}}},
        ['resources.limits[a.b/c]: Invalid value: "500m": must be an integer',
         'resources.requests[a.b/c]: Invalid value: "500m": must be an integer'],
    ),
    (
        "probe of nothing",
        {"livenessProbe": {}},
        ["livenessProbe: Required value: must specify a handler type"],
    ),
    (
        "probe of two",
        {"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}},
        ["livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    ),
    (
        "liveness threshold",
        {"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}},
        ["livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    (
        "probe by port name",
        {"readinessProbe": {"httpGet": {"port": "UPPER"}}},
        [
            'readinessProbe.httpGet.port: Invalid value: "UPPER": must contain only '
            "alpha-numeric characters (a-z, 0-9), and hyphens (-)",
            'readinessProbe.httpGet.port: Invalid value: "UPPER": must contain at least one '
            "letter (a-z)",
        ],
    ),
    (
        "privilege",
        {"securityContext": {"runAsUser": -1}},
        [
            "securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, "
            "inclusive"
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [(rule[1], rule[2]) for rule in CONTAINER_RULES],
    ids=[rule[0] for rule in CONTAINER_RULES],
)
def test_a_container_rule(fields: Json, wanted: list[str]) -> None:
    found = created("pods", pod(**deepcopy(fields)))
    assert len(found) == len(wanted), found
    for got, start in zip(found, wanted, strict=True):
        assert got.startswith(f"spec.containers[0].{start}")


POD_RULES: list[tuple[str, Json, str]] = [
    ("no containers", {"containers": []}, "spec.containers: Required value"),
    (
        "restart policy",
        {"restartPolicy": "Often"},
        'spec.restartPolicy: Unsupported value: "Often": supported values: "Always", '
        '"OnFailure", "Never"',
    ),
    (
        "volume twice",
        {"volumes": [{"name": "v"}, {"name": "v"}]},
        'spec.volumes[1].name: Duplicate value: "v"',
    ),
    (
        "volume of two sources",
        {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
        "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
    ),
    (
        "host path upwards",
        {"volumes": [{"name": "v", "hostPath": {"path": "/a/../b"}}]},
        'spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'',
    ),
    (
        "secret without name",
        {"volumes": [{"name": "v", "secret": {}}]},
        "spec.volumes[0].secret.secretName: Required value",
    ),
    (
        "toleration of all",
        {"tolerations": [{}]},
        'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is '
        'empty, which means "match all values and all keys"',
    ),
    (
        "seconds without effect",
        {"tolerations": [{"key": "a", "tolerationSeconds": 1}]},
        "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when "
        "`tolerationSeconds` is set",
    ),
    (
        "node selector",
        {"nodeSelector": {"a b": "x"}},
        'spec.nodeSelector: Invalid value: "a b": name part must consist of',
    ),
    (
        "affinity operator",
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]}}}},
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
        "nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when "
        "`operator` is 'In' or 'NotIn'",
    ),
    (
        "topology key",
        {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "a b"}]}}},
        "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]."
        'topologyKey: Invalid value: "a b": name part must consist',
    ),
    (
        "spread",
        {"topologySpreadConstraints": [
            {"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]},
        "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
    ),
    (
        "deadline",
        {"activeDeadlineSeconds": 0},
        "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
    ),
    (
        "hostname",
        {"hostname": "A.b"},
        'spec.hostname: Invalid value: "A.b": a lowercase RFC 1123 label must',
    ),
    (
        "init container with probe",
        {"initContainers": [
            {"name": "i", "image": "x", "readinessProbe": {"tcpSocket": {"port": 1}}}]},
        "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers",
    ),
    (
        "same name twice",
        {"initContainers": [{"name": "c", "image": "x"}]},
        'spec.initContainers[0].name: Duplicate value: "c"',
    ),
    (
        "gated and bound",
        {"nodeName": "n", "schedulingGates": [{"name": "g"}]},
        "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
    ),
    (
        "own dns without servers",
        {"dnsPolicy": "None", "dnsConfig": {}},
        "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver",
    ),
    (
        "host alias",
        {"hostAliases": [{"ip": "x"}]},
        'spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address',
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [(rule[1], rule[2]) for rule in POD_RULES],
    ids=[rule[0] for rule in POD_RULES],
)
def test_a_pod_rule(spec: Json, wanted: str) -> None:
    found = created("pods", pod(deepcopy(spec)))
    assert len(found) == 1, found
    assert found[0].startswith(wanted)


def test_host_ports_do_not_clash_within_a_pod() -> None:
    ports = [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]
    assert created("pods", pod(ports=ports)) == [
        'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'
    ]


METADATA_RULES: list[tuple[str, Json, str]] = [
    ("no name", {"name": ""}, "metadata.name: Required value: name or generateName is required"),
    ("name", {"name": "A"}, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain'),
    ("long name", {"name": "a" * 254}, "metadata.name: Invalid value: "),
    ("generate name", {"generateName": "A-"}, 'metadata.generateName: Invalid value: "A-": a low'),
    ("namespace", {"namespace": "A"}, 'metadata.namespace: Invalid value: "A": a lowercase'),
    ("label key", {"labels": {"/a": ""}}, 'metadata.labels: Invalid value: "/a": prefix part must'),
    ("label value", {"labels": {"a": "b c"}}, 'metadata.labels: Invalid value: "b c": a valid'),
    ("annotation", {"annotations": {"a b": ""}}, 'metadata.annotations: Invalid value: "a b": nam'),
    (
        "annotations too big",
        {"annotations": {"a": "x" * 262145}},
        "metadata.annotations: Too long: may not be more than 262144 bytes",
    ),
    (
        "finalizer",
        {"finalizers": ["mine"]},
        'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name '
        "nor is it fully qualified",
    ),
    (
        "two controllers",
        {"ownerReferences": [
            {"apiVersion": "v1", "kind": "A", "name": n, "uid": "u", "controller": True}
            for n in ("a", "b")]},
        "metadata.ownerReferences: Invalid value: [{",
    ),
    (
        "owner without uid",
        {"ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "a"}]},
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [(rule[1], rule[2]) for rule in METADATA_RULES],
    ids=[rule[0] for rule in METADATA_RULES],
)
def test_a_metadata_rule_holds_for_any_kind(metadata: Json, wanted: str) -> None:
    obj = {"metadata": {"name": "x", "namespace": "default", **deepcopy(metadata)}}
    for key in ("configmaps", "serviceaccounts"):
        found = said(validate_create(scheme.RESOURCES[key], obj))
        assert found, key
        assert found[0].startswith(wanted)


@pytest.mark.parametrize(
    ("key", "name", "legal"),
    [
        ("pods", "a.b", True),
        ("services", "a.b", False),
        ("services", "1a", True),
        ("namespaces", "a.b", False),
        ("clusterroles.rbac.authorization.k8s.io", "system:x", True),
        ("clusterroles.rbac.authorization.k8s.io", "a/b", False),
        ("cronjobs.batch", "a" * 53, False),
    ],
)
def test_each_kind_has_its_own_rule_for_names(key: str, name: str, legal: bool) -> None:
    found = created(key, {"metadata": {"name": name}})
    assert any(text.startswith("metadata.name") for text in found) is not legal


def test_a_cluster_scoped_object_has_no_namespace() -> None:
    node = {"metadata": {"namespace": "x"}}
    assert created("nodes", node) == ["metadata.namespace: Forbidden: not allowed on this type"]


SERVICE_RULES: list[tuple[str, Json, str]] = [
    ("no ports", {}, "spec.ports: Required value"),
    ("unnamed", {"ports": [{"port": 1}, {"port": 2, "name": "b"}]}, "spec.ports[0].name: Required"),
    ("port", {"ports": [{"port": 0, "targetPort": 1}]}, "spec.ports[0].port: Invalid value: 0"),
    (
        "type",
        {"type": "Magic", "ports": [{"port": 1}]},
        'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", '
        '"LoadBalancer", "NodePort"',
    ),
    (
        "node port",
        {"ports": [{"port": 1, "nodePort": 30000}]},
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ),
    (
        "external policy",
        {"ports": [{"port": 1}], "externalTrafficPolicy": "Local"},
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for',
    ),
    ("nowhere", {"type": "ExternalName"}, "spec.externalName: Required value"),
    (
        "loopback",
        {"ports": [{"port": 1}], "externalIPs": ["127.0.0.1"]},
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range',
    ),
    (
        "cluster ip",
        {"ports": [{"port": 1}], "clusterIP": "x"},
        'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address',
    ),
    (
        "affinity",
        {"ports": [{"port": 1}], "sessionAffinity": "Sticky"},
        'spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"',
    ),
    (
        "same port twice",
        {"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]},
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP",',
    ),
]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [(rule[1], rule[2]) for rule in SERVICE_RULES],
    ids=[rule[0] for rule in SERVICE_RULES],
)
def test_a_service_rule(spec: Json, wanted: str) -> None:
    found = created("services", {"spec": deepcopy(spec)})
    assert len(found) == 1, found
    assert found[0].startswith(wanted)


OTHER_RULES: list[tuple[str, str, Json, str]] = [
    (
        "selector that does not match",
        "deployments.apps",
        deployment(selector={"matchLabels": {"a": "c"}}),
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match '
        "template `labels`",
    ),
    (
        "a label of the template that is none",
        "deployments.apps",
        deployment(
            selector={"matchLabels": {"a": "b"}},
            template={**template(), "metadata": {"labels": {"a": "b", "c": "d e"}}},
        ),
        'spec.template.labels: Invalid value: "d e": ',
    ),
    (
        "pods that end",
        "replicasets.apps",
        deployment(template=template({"restartPolicy": "Never"})),
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ),
    (
        "standing still",
        "deployments.apps",
        deployment(strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}),
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when "
        "`maxSurge` is 0",
    ),
    (
        "bad percent",
        "deployments.apps",
        deployment(strategy={"rollingUpdate": {"maxSurge": "x"}}),
        'spec.strategy.rollingUpdate.maxSurge: Invalid value: "x": a valid percent string',
    ),
    (
        "recreate and roll",
        "deployments.apps",
        deployment(strategy={"type": "Recreate", "rollingUpdate": {}}),
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is "
        "'Recreate'",
    ),
    ("config key", "configmaps", {"data": {"a/b": ""}}, 'data[a/b]: Invalid value: "a/b": a valid'),
    ("too much data", "configmaps", {"data": {"a": "x" * 1048577}}, ": Too long: may not be more"),
    ("tls", "secrets", {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, "data[tls.key]: Re"),
    (
        "token without account",
        "secrets",
        {"type": "kubernetes.io/service-account-token"},
        "metadata.annotations[kubernetes.io/service-account.name]: Required value",
    ),
    ("taint", "nodes", {"spec": {"taints": [{"key": "a"}]}}, "metadata.taints[0].effect: Required"),
    (
        "taint effect",
        "nodes",
        {"spec": {"taints": [{"key": "a", "effect": "Never"}]}},
        'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", '
        '"PreferNoSchedule", "NoExecute"',
    ),
    (
        "event of another namespace",
        "events",
        {"involvedObject": {"namespace": "other"}},
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ),
    (
        "lease of no time",
        "leases.coordination.k8s.io",
        {"spec": {"leaseDurationSeconds": 0}},
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
    ),
    (
        "address type",
        "endpointslices.discovery.k8s.io",
        {"addressType": "X", "endpoints": []},
        'addressType: Unsupported value: "X": supported values: "FQDN", "IPv4", "IPv6"',
    ),
    (
        "endpoint without address",
        "endpointslices.discovery.k8s.io",
        {"addressType": "IPv4", "endpoints": [{}]},
        "endpoints[0].addresses: Required value: must contain at least 1 address",
    ),
    (
        "ports of one name",
        "endpointslices.discovery.k8s.io",
        {"addressType": "IPv4", "endpoints": [], "ports": [{"port": 1}, {"port": 2}]},
        'ports[1].name: Duplicate value: ""',
    ),
    (
        "job that never ends",
        "jobs.batch",
        {
            "spec": {
                "manualSelector": True,
                "selector": {"matchLabels": {"a": "b"}},
                "template": template({"restartPolicy": "Always"}),
            }
        },
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ),
    (
        "a role for nobody",
        "rolebindings.rbac.authorization.k8s.io",
        {"roleRef": {"kind": "Role", "name": ""}},
        "roleRef.name: Required value",
    ),
]


@pytest.mark.parametrize(
    ("key", "obj", "wanted"),
    [rule[1:] for rule in OTHER_RULES],
    ids=[rule[0] for rule in OTHER_RULES],
)
def test_a_rule(key: str, obj: Json, wanted: str) -> None:
    found = created(key, deepcopy(obj))
    assert len(found) == 1, found
    assert found[0].startswith(wanted)


def changed(obj: Json, **spec: Any) -> Json:
    new = deepcopy(obj)
    new["spec"].update(spec)
    return new


POD = pod({"tolerations": [{"key": "a", "operator": "Exists"}], "activeDeadlineSeconds": 10})


@pytest.mark.parametrize(
    ("new", "wanted"),
    [
        (pod({**POD["spec"], "containers": [{"name": "c", "image": "y"}]}), []),
        (changed(POD, activeDeadlineSeconds=5), []),
        (
            changed(POD, activeDeadlineSeconds=50),
            ["spec.activeDeadlineSeconds: Invalid value: 50: must be less than or equal to prev"],
        ),
        (changed(POD, tolerations=[*POD["spec"]["tolerations"], {"operator": "Exists"}]), []),
        (
            changed(POD, tolerations=[]),
            ["spec.tolerations: Forbidden: existing toleration can not be modified except its"],
        ),
        (
            changed(POD, nodeSelector={"a": "b"}),
            ["spec: Forbidden: pod updates may not change fields other than `spec.containers[*]."],
        ),
        (
            changed(POD, terminationGracePeriodSeconds=1),
            ["spec: Forbidden: pod updates may not change fields other than `spec.containers[*]."],
        ),
        (
            changed(POD, containers=[*POD["spec"]["containers"], {"name": "d", "image": "y"}]),
            ["spec.containers: Forbidden: pod updates may not add or remove containers"],
        ),
        (
            changed(POD, schedulingGates=[{"name": "g"}]),
            ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new"],
        ),
    ],
    ids=[
        "image", "earlier", "later", "tolerate more", "tolerate less", "selector", "grace",
        "one more container", "gate",
    ],
)  # fmt: skip
def test_little_of_a_pod_may_change(new: Json, wanted: list[str]) -> None:
    old, later = prepared("pods", deepcopy(POD)), prepared("pods", deepcopy(new))
    for container in later["spec"]["containers"]:
        container["imagePullPolicy"] = "IfNotPresent"
    found = said(validate_update(scheme.RESOURCES["pods"], later, old))
    assert len(found) == len(wanted), found
    assert all(got.startswith(start) for got, start in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    ("key", "old", "new", "wanted"),
    [
        (
            "deployments.apps",
            deployment(),
            deployment(selector={"matchLabels": {"a": "b"}, "matchExpressions": []}),
            ['spec.selector: Invalid value: {"matchLabels":{"a":"b"},"matchExpressions":[]}: '
             "field is immutable"],
        ),
        ("deployments.apps", deployment(), deployment(replicas=5), []),
        (
            "services",
            {"spec": {"ports": [{"port": 1}], "clusterIP": "10.0.0.1"}},
            {"spec": {"ports": [{"port": 1}], "clusterIP": "10.0.0.2"}},
            ['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'],
        ),
        (
            "secrets",
            {"type": "a"},
            {"type": "b"},
            ['type: Invalid value: "b": field is immutable'],
        ),
        (
            "configmaps",
            {"immutable": True, "data": {"a": "1"}},
            {"immutable": True, "data": {"a": "2"}},
            ["data: Forbidden: field is immutable when `immutable` is set"],
        ),
        (
            "configmaps",
            {"immutable": True},
            {},
            ["immutable: Forbidden: field is immutable when `immutable` is set"],
        ),
        (
            "nodes",
            {"spec": {"podCIDRs": ["10.0.0.0/24"]}},
            {"spec": {"podCIDRs": ["10.0.1.0/24"]}},
            ["spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to "
             "valid"],
        ),
        (
            "configmaps",
            {"metadata": {"uid": "1"}},
            {"metadata": {"uid": "2"}},
            ['metadata.uid: Invalid value: "2": field is immutable'],
        ),
        (
            "configmaps",
            {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}},
            {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["c/d"]}},
            ["metadata.finalizers: Forbidden: no new finalizers can be added if the object is "
             'being deleted, found new finalizers []string{"c/d"}'],
        ),
    ],
)  # fmt: skip
def test_what_is_settled_stays(key: str, old: Json, new: Json, wanted: list[str]) -> None:
    assert updated(key, deepcopy(old), deepcopy(new)) == wanted


def test_a_container_that_ended_for_good_does_not_run_again() -> None:
    def status(state: Json) -> Json:
        return {**pod({"restartPolicy": "Never"}),
                "status": {"containerStatuses": [{"name": "c", "state": state}]}}  # fmt: skip

    old = prepared("pods", status({"terminated": {"exitCode": 0}}))
    new = prepared("pods", status({"running": {}}))
    found = said(validate_status_update(scheme.RESOURCES["pods"], new, old))
    assert found == [
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated "
        "state"
    ]


@pytest.mark.parametrize("key", sorted(scheme.RESOURCES))
def test_an_unchanged_object_may_be_written_whatever_its_kind(key: str) -> None:
    resource = scheme.RESOURCES[key]
    obj = prepared(key, {})
    before = deepcopy(obj)
    metadata = [c for c in validate_update(resource, obj, obj) if c.field.startswith("metadata")]
    assert metadata == validate_status_update(resource, obj, obj) == []
    assert obj == before

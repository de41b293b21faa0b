"""Rules of the kinds that name, store, connect and bound: good objects, then what is wrong."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from busk8s.api import scheme
from busk8s.api.defaults import apply_defaults
from busk8s.api.validation import validate_create, validate_status_update, validate_update
from busk8s.errors import Cause

Json = dict[str, Any]

POD = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
LEVEL = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
FLOW = "flowschemas.flowcontrol.apiserver.k8s.io"
HPA = "horizontalpodautoscalers.autoscaling"

GOOD: dict[str, Json] = {
    "endpoints": {
        "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80, "protocol": "TCP"}]}]
    },
    "ingresses.networking.k8s.io": {
        "spec": {
            "ingressClassName": "nginx",
            "rules": [
                {
                    "host": "*.example.com",
                    "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]},
                }
            ],
            "tls": [{"hosts": ["a.example.com"], "secretName": "tls"}],
        }
    },
    "ingressclasses.networking.k8s.io": {
        "spec": {
            "controller": "acme.io/foo",
            "parameters": {"kind": "P", "name": "p", "scope": "Cluster"},
        }
    },
    "networkpolicies.networking.k8s.io": {
        "spec": {
            "podSelector": {"matchLabels": {"a": "b"}},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                    "ports": [{"port": 80, "endPort": 90, "protocol": "TCP"}],
                }
            ],
        }
    },
    "servicecidrs.networking.k8s.io": {"spec": {"cidrs": ["10.0.0.0/24", "2001:db8::/96"]}},
    "ipaddresses.networking.k8s.io": {
        "metadata": {"name": "10.0.0.1"},
        "spec": {"parentRef": {"resource": "services", "name": "s", "namespace": "n"}},
    },
    "persistentvolumes": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/data"},
        }
    },
    "persistentvolumeclaims": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
    },
    "storageclasses.storage.k8s.io": {"provisioner": "acme.io/disk", "parameters": {"a": "b"}},
    "volumeattributesclasses.storage.k8s.io": {
        "driverName": "csi.acme.io",
        "parameters": {"iops": "1"},
    },
    "volumeattachments.storage.k8s.io": {
        "spec": {
            "attacher": "csi.acme.io",
            "nodeName": "n1",
            "source": {"persistentVolumeName": "v"},
        }
    },
    "csidrivers.storage.k8s.io": {"metadata": {"name": "csi.acme.io"}, "spec": {}},
    "csinodes.storage.k8s.io": {"spec": {"drivers": [{"name": "csi.acme.io", "nodeID": "i"}]}},
    "csistoragecapacities.storage.k8s.io": {"storageClassName": "fast", "capacity": "1Ti"},
    HPA: {
        "spec": {
            "minReplicas": 1,
            "maxReplicas": 3,
            "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
        }
    },
    "priorityclasses.scheduling.k8s.io": {"value": 10},
    "runtimeclasses.node.k8s.io": {
        "handler": "runsc",
        "overhead": {"podFixed": {"cpu": "10m"}},
        "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]},
    },
    FLOW: {
        "spec": {
            "matchingPrecedence": 100,
            "priorityLevelConfiguration": {"name": "global-default"},
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "*"}}],
                    "resourceRules": [
                        {
                            "verbs": ["list"],
                            "apiGroups": ["*"],
                            "resources": ["*"],
                            "namespaces": ["*"],
                        }
                    ],
                    "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]}],
                }
            ],
        }
    },
    LEVEL: {
        "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 10,
                "limitResponse": {
                    "type": "Queue",
                    "queuing": {"queues": 64, "handSize": 6, "queueLengthLimit": 50},
                },
            },
        }
    },
    "replicationcontrollers": {"spec": {"selector": {"a": "b"}, "template": POD}},
    "podtemplates": {"template": POD},
    "controllerrevisions.apps": {"data": {"spec": {}}, "revision": 1},
}


def prepared(key: str, obj: Json) -> Json:
    resource = scheme.RESOURCES[key]
    obj = deepcopy(obj)
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    obj.setdefault("metadata", {}).setdefault("name", "x")
    if resource.namespaced:
        obj["metadata"].setdefault("namespace", "default")
    apply_defaults(resource, obj)
    return obj


def said(causes: list[Cause]) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in causes]


def changed(obj: Json, path: str, value: Any) -> Json:
    """`obj` with the member at the dotted `path` set, or taken away where `value` is None."""
    obj = deepcopy(obj)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    at: Any = obj
    for part in parents:
        at = at[part] if isinstance(part, int) else at.setdefault(part, {})
    if value is None:
        at.pop(last, None)
    else:
        at[last] = value
    return obj


def test_counts_below_nothing_are_told_once_each() -> None:
    """A status whose smaller count is absent and whose larger one is negative."""
    new = prepared("replicationcontrollers", GOOD["replicationcontrollers"])
    new["status"] = {"replicas": 0, "readyReplicas": -1}
    found = said(validate_status_update(scheme.RESOURCES["replicationcontrollers"], new, new))
    assert [each.partition(":")[0] for each in found] == [
        "status.readyReplicas",
        "status.availableReplicas",
    ]


@pytest.mark.parametrize("key", GOOD)
def test_a_good_object_is_stored_and_may_stay_as_it_is(key: str) -> None:
    obj, resource = prepared(key, GOOD[key]), scheme.RESOURCES[key]
    assert said(validate_create(resource, obj)) == []
    assert said(validate_update(resource, obj, obj)) == []
    assert said(validate_status_update(resource, obj, obj)) == []


ING, RULE = "ingresses.networking.k8s.io", "spec.rules.0.http.paths.0"
NP, PVC, PV = "networkpolicies.networking.k8s.io", "persistentvolumeclaims", "persistentvolumes"
SC, VA = "storageclasses.storage.k8s.io", "volumeattachments.storage.k8s.io"
BAD: list[tuple[str, str, Any, str]] = [
    ("endpoints", "subsets.0.addresses", [], "subsets[0]: Required value: must specify `addres"),
    (
        "endpoints",
        "subsets.0.addresses.0.ip",
        "127.0.0.1",
        'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range',
    ),
    ("endpoints", "subsets.0.addresses.0.ip", "x", 'subsets[0].addresses[0].ip: Invalid value: "x'),
    ("endpoints", "subsets.0.ports.0.port", 0, "subsets[0].ports[0].port: Invalid value: 0: must"),
    (ING, "spec", {}, "spec: Invalid value: []: either `defaultBackend` or `rules` must be speci"),
    (
        ING,
        "spec.rules.0.host",
        "1.2.3.4",
        'spec.rules[0].host: Invalid value: "1.2.3.4": must be a',
    ),
    (ING, "spec.rules.0.host", "*x", 'spec.rules[0].host: Invalid value: "*x": a wildcard DNS'),
    (ING, f"{RULE}.pathType", None, "spec.rules[0].http.paths[0].pathType: Required value: pathTy"),
    (ING, f"{RULE}.path", "a", 'spec.rules[0].http.paths[0].path: Invalid value: "a": must be an'),
    (ING, f"{RULE}.path", "/a//b", 'spec.rules[0].http.paths[0].path: Invalid value: "/a//b": mus'),
    (
        ING,
        f"{RULE}.backend",
        {},
        'spec.rules[0].http.paths[0].backend: Invalid value: "": resource or',
    ),
    (
        ING,
        f"{RULE}.backend.service.port",
        {},
        "spec.rules[0].http.paths[0].backend: Required value: port name or number is requi",
    ),
    (ING, "spec.ingressClassName", "A", 'spec.ingressClassName: Invalid value: "A": a lowercase'),
    (
        "ingressclasses.networking.k8s.io",
        "spec.controller",
        "foo",
        'spec.controller: Invalid value: "foo": must be a domain-prefixed path (such as "acme.io/f',
    ),
    (
        "ingressclasses.networking.k8s.io",
        "spec.parameters.scope",
        "Namespace",
        "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
    ),
    (NP, "spec.policyTypes", ["x"], 'spec.policyTypes[0]: Unsupported value: "x": supported value'),
    (
        NP,
        "spec.ingress.0.from.0.ipBlock.except",
        ["11.0.0.0/8"],
        'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/8": must be a strict',
    ),
    (NP, "spec.ingress.0.from.0.podSelector", {}, "spec.ingress[0].from[0]: Forbidden: may not sp"),
    (NP, "spec.ingress.0.from.0", {}, "spec.ingress[0].from[0]: Required value: must specify a pe"),
    (
        NP,
        "spec.ingress.0.ports.0.endPort",
        70,
        "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `po",
    ),
    (
        "servicecidrs.networking.k8s.io",
        "spec.cidrs",
        ["10.0.0.1/24"],
        'spec.cidrs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix',
    ),
    (
        "ipaddresses.networking.k8s.io",
        "metadata.name",
        "010.0.0.1",
        'metadata.name: Invalid value: "010.0.0.1": must not have leading 0s',
    ),
    (PV, "spec.capacity", {}, "spec.capacity: Required value"),
    (PV, "spec.accessModes", [], "spec.accessModes: Required value"),
    (PV, "spec.hostPath", None, "spec: Required value: must specify a volume type"),
    (PV, "spec.nfs", {"server": "s", "path": "/"}, "spec.nfs: Forbidden: may not specify more tha"),
    (PV, "spec.hostPath.path", "/a/../b", 'spec.hostPath.path: Invalid value: "/a/../b": must not'),
    (PVC, "spec.accessModes", ["x"], 'spec.accessModes: Unsupported value: "x": supported values:'),
    (PVC, "spec.resources", {}, "spec.resources[storage]: Required value"),
    (
        PVC,
        "spec.accessModes",
        ["ReadWriteOncePod", "ReadWriteOnce"],
        "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
    ),
    (
        PVC,
        "spec.dataSource",
        {"kind": "Pod", "name": "x"},
        "spec.dataSource: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing",
    ),
    (SC, "provisioner", "a b", 'provisioner: Invalid value: "a b": name part must consist of alph'),
    (SC, "reclaimPolicy", "x", 'reclaimPolicy: Unsupported value: "x": supported values: "Delete"'),
    (SC, "parameters", {"": "x"}, 'parameters: Invalid value: "": field can not be empty.'),
    (
        "volumeattributesclasses.storage.k8s.io",
        "parameters",
        {},
        "parameters: Required value: must contain at least one key/value pair",
    ),
    (VA, "spec.source", {}, "spec.source: Required value: must specify exactly one of inlineVolu"),
    (
        "csidrivers.storage.k8s.io",
        "spec.tokenRequests",
        [{"audience": "a", "expirationSeconds": 5}],
        "spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration les",
    ),
    (
        "csinodes.storage.k8s.io",
        "spec.drivers.0.nodeID",
        "",
        "spec.drivers[0].nodeID: Required value",
    ),
    (
        "csistoragecapacities.storage.k8s.io",
        "storageClassName",
        "",
        'storageClassName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower',
    ),
    (HPA, "spec.minReplicas", 0, "spec.minReplicas: Invalid value: 0: must be greater than or eq"),
    (HPA, "spec.maxReplicas", 0, "spec.maxReplicas: Invalid value: 0: must be greater than 0"),
    (HPA, "spec.scaleTargetRef.name", "", "spec.scaleTargetRef.name: Required value"),
    (
        HPA,
        "spec.metrics",
        [{"type": "Resource"}],
        "spec.metrics[0].resource: Required value: must populate information for the given metric",
    ),
    (
        HPA,
        "spec.metrics",
        [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}],
        "spec.metrics[0].resource.target.averageValue: Required value: must set either a target ut",
    ),
    (
        HPA,
        "spec.behavior.scaleDown.stabilizationWindowSeconds",
        4000,
        "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 4000: must be less tha",
    ),
    (
        "priorityclasses.scheduling.k8s.io",
        "value",
        2_000_000_000,
        "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
    ),
    (
        "priorityclasses.scheduling.k8s.io",
        "metadata.name",
        "system-mine",
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for sys",
    ),
    (
        "runtimeclasses.node.k8s.io",
        "handler",
        "a.b",
        'handler: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alph',
    ),
    (
        FLOW,
        "spec.matchingPrecedence",
        -1,
        "spec.matchingPrecedence: Invalid value: -1: must be a po",
    ),
    (FLOW, "spec.rules.0.subjects", [], "spec.rules[0].subjects: Required value: subjects must co"),
    (
        FLOW,
        "spec.rules.0.resourceRules.0.verbs",
        ["look"],
        'spec.rules[0].resourceRules[0].verbs: Unsupported value: ["look"]: supported values: "cre',
    ),
    (
        FLOW,
        "spec.rules.0.nonResourceRules.0.nonResourceURLs",
        ["x"],
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "x": must be a path',
    ),
    (
        LEVEL,
        "spec.type",
        "Exempt",
        "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if",
    ),
    (
        LEVEL,
        "spec.limited.limitResponse.queuing.handSize",
        65,
        "spec.limited.limitResponse.queuing.handSize: Invalid value: 65: should not be greater tha",
    ),
    (
        LEVEL,
        "spec.limited.limitResponse.queuing.handSize",
        11,
        "spec.limited.limitResponse.queuing.handSize: Invalid value: 11: required entropy bits of",
    ),
    (
        "replicationcontrollers",
        "spec.selector",
        {"a": "c"},
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match templ',
    ),
    ("podtemplates", "template.spec.containers", [], "template.spec.containers: Required value"),
    ("controllerrevisions.apps", "revision", -1, "revision: Invalid value: -1: must be greater th"),
]


@pytest.mark.parametrize(
    ("key", "path", "value", "want"),
    BAD,
    ids=[f"{k.split('.')[0]} {p} {v}"[:60] for k, p, v, _ in BAD],
)
def test_what_is_wrong_is_said_at_its_field(key: str, path: str, value: Any, want: str) -> None:
    obj = prepared(key, changed(GOOD[key], path, value))
    found = said(validate_create(scheme.RESOURCES[key], obj))
    assert any(message.startswith(want) for message in found), found


FIXED: list[tuple[str, str, Any, str]] = [
    (
        "ingressclasses.networking.k8s.io",
        "spec.controller",
        "acme.io/b",
        "spec.controller: Invalid",
    ),
    (PV, "spec.hostPath.path", "/other", "spec.persistentvolumesource: Forbidden"),
    (PV, "spec.volumeMode", "Block", 'volumeMode: Invalid value: "Block": field is immutable'),
    (
        PVC,
        "spec.resources.requests.storage",
        "2Gi",
        "spec: Forbidden: spec is immutable after crea",
    ),
    (PVC, "spec.accessModes", ["ReadOnlyMany"], "spec: Forbidden: spec is immutable after creatio"),
    (SC, "parameters", {"a": "c"}, "parameters: Forbidden: updates to parameters are forbidden."),
    (SC, "volumeBindingMode", "WaitForFirstConsumer", 'volumeBindingMode: Invalid value: "WaitFor'),
    (VA, "spec.nodeName", "n2", "spec: Invalid value"),
    (
        "priorityclasses.scheduling.k8s.io",
        "value",
        11,
        "value: Forbidden: may not be changed in an",
    ),
    ("runtimeclasses.node.k8s.io", "handler", "other", 'handler: Invalid value: "other": field is'),
    (
        "controllerrevisions.apps",
        "data",
        {"x": 1},
        'data: Invalid value: {"x":1}: field is immutab',
    ),
    (
        "csidrivers.storage.k8s.io",
        "spec.attachRequired",
        False,
        "spec.attachRequired: Invalid value: false: field is immutable",
    ),
    (
        "ipaddresses.networking.k8s.io",
        "spec.parentRef.name",
        "t",
        "spec.parentRef: Invalid value",
    ),
]


@pytest.mark.parametrize(
    ("key", "path", "value", "want"), FIXED, ids=[f"{k.split('.')[0]} {p}" for k, p, _, _ in FIXED]
)
def test_what_never_changes(key: str, path: str, value: Any, want: str) -> None:
    old, new = prepared(key, GOOD[key]), prepared(key, changed(GOOD[key], path, value))
    found = said(validate_update(scheme.RESOURCES[key], new, old))
    assert any(message.startswith(want) for message in found), found


SIZE = "spec.resources.requests.storage"


def claim(size: str, **status: Any) -> Json:
    made = prepared(PVC, changed(GOOD[PVC], "spec.resources.requests.storage", size))
    return {**made, "status": {"phase": "Bound", **status}}


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(claim("1Gi"), claim("2Gi"), [], id="a bound claim grows"),
        pytest.param(
            claim("2Gi", capacity={"storage": "2Gi"}),
            claim("1Gi"),
            [f"{SIZE}: Forbidden: field can not be less than status.capacity"],
            id="it does not shrink",
        ),
        pytest.param(
            claim("3Gi", capacity={"storage": "1Gi"}),
            claim("2Gi"),
            [],
            id="a growth that failed is taken back in part",
        ),
    ],
)
def test_the_size_of_a_bound_claim(old: Json, new: Json, want: list[str]) -> None:
    assert said(validate_update(scheme.RESOURCES[PVC], new, old)) == want


def test_a_behaviour_is_completed() -> None:
    behavior = prepared(HPA, GOOD[HPA])["spec"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 60
    assert [rule["type"] for rule in behavior["scaleUp"]["policies"]] == ["Pods", "Percent"]


def test_an_autoscaler_may_rest_at_nothing_where_something_outside_is_measured() -> None:
    outside = {
        "type": "External",
        "external": {"metric": {"name": "q"}, "target": {"type": "Value", "value": "1"}},
    }
    obj = changed(changed(GOOD[HPA], "spec.minReplicas", 0), "spec.metrics", [outside])
    assert said(validate_create(scheme.RESOURCES[HPA], prepared(HPA, obj))) == []

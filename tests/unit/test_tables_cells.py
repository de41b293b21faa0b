"""Rows of every kind but pods: given an object, what its cells say."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api import scheme
from busk8s.api.tables import table as tables

Json = dict[str, Any]
CREATED = "2026-01-01T00:00:00Z"
NOW = 1767225600.0 + 2 * 86400  # two days later
META: Json = {"name": "x", "creationTimestamp": CREATED}
OLD = "2d"


def workload(spec: Json, **more: Any) -> Json:
    containers = [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j:2"}]
    template = {"spec": {"containers": containers, "nodeSelector": {"disk": "ssd"}}}
    selector = {"matchLabels": {"app": "x"}}
    return {"spec": {"selector": selector, "template": template, **spec}, **more}


def hpa(*metrics: Json, current: tuple[Json, ...] = ()) -> Json:
    target = {"kind": "Deployment", "name": "web"}
    return {
        "spec": {"scaleTargetRef": target, "maxReplicas": 9, "metrics": list(metrics)},
        "status": {"currentMetrics": list(current), "currentReplicas": 2},
    }


CPU: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}
CPU_NOW: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "current": {"averageUtilization": 7}},
}
PODS_METRIC: Json = {
    "type": "Pods",
    "pods": {"metric": {"name": "qps"}, "target": {"type": "AverageValue", "averageValue": "5"}},
}
EXTERNAL: Json = {
    "type": "External",
    "external": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "3"}},
}
SUBJECTS = [
    {"kind": "User", "name": "ann"},
    {"kind": "User", "name": "bob"},
    {"kind": "Group", "name": "ops"},
    {"kind": "ServiceAccount", "namespace": "ns", "name": "sa"},
]
CASES: list[tuple[scheme.Resource, str, Json, list[Any]]] = [
    (
        scheme.SERVICES,
        "cluster ip",
        {
            "spec": {
                "type": "ClusterIP",
                "clusterIPs": ["10.96.0.1"],
                "selector": {"b": "2", "a": "1"},
                "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
            }
        },
        ["x", "ClusterIP", "10.96.0.1", "<none>", "80/TCP,53/UDP", OLD, "a=1,b=2"],
    ),
    (
        scheme.SERVICES,
        "node port",
        {
            "spec": {
                "type": "NodePort",
                "clusterIPs": ["10.96.0.1"],
                "externalIPs": ["1.2.3.4"],
                "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}],
            }
        },
        ["x", "NodePort", "10.96.0.1", "1.2.3.4", "80:30080/TCP", OLD, "<none>"],
    ),
    (
        scheme.SERVICES,
        "load balancer waiting",
        {"spec": {"type": "LoadBalancer", "clusterIPs": ["10.96.0.1"]}},
        ["x", "LoadBalancer", "10.96.0.1", "<pending>", "<none>", OLD, "<none>"],
    ),
    (
        scheme.SERVICES,
        "load balancer",
        {
            "spec": {
                "type": "LoadBalancer",
                "clusterIPs": ["10.96.0.1"],
                "externalIPs": ["9.9.9.9"],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "a.example"}]}},
        },
        ["x", "LoadBalancer", "10.96.0.1", "9.9.9.9,2.2.2.2,a.example", "<none>", OLD, "<none>"],
    ),
    (
        scheme.SERVICES,
        "external name",
        {"spec": {"type": "ExternalName", "externalName": "db.example"}},
        ["x", "ExternalName", "<none>", "db.example", "<none>", OLD, "<none>"],
    ),
    (
        scheme.DEPLOYMENTS,
        "rolling",
        workload(
            {"replicas": 3},
            status={"readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
        ),
        ["x", "2/3", 1, 2, OLD, "a,b", "i:1,j:2", "app=x"],
    ),
    (
        scheme.REPLICASETS,
        "some ready",
        workload({"replicas": 3}, status={"replicas": 2}),
        ["x", 3, 2, 0, OLD, "a,b", "i:1,j:2", "app=x"],
    ),
    (
        scheme.REPLICATIONCONTROLLERS,
        "plain selector",
        workload(
            {"replicas": 1, "selector": {"app": "y"}}, status={"replicas": 1, "readyReplicas": 1}
        ),
        ["x", 1, 1, 1, OLD, "a,b", "i:1,j:2", "app=y"],
    ),
    (
        scheme.STATEFULSETS,
        "none ready",
        workload({"replicas": 2}, status={}),
        ["x", "0/2", OLD, "a,b", "i:1,j:2"],
    ),
    (
        scheme.DAEMONSETS,
        "on all",
        workload(
            {},
            status={
                "desiredNumberScheduled": 5,
                "currentNumberScheduled": 4,
                "numberReady": 3,
                "updatedNumberScheduled": 2,
                "numberAvailable": 1,
            },
        ),
        ["x", 5, 4, 3, 2, 1, "disk=ssd", OLD, "a,b", "i:1,j:2", "app=x"],
    ),
    (
        scheme.JOBS,
        "complete",
        workload(
            {"completions": 3},
            status={
                "succeeded": 3,
                "startTime": CREATED,
                "completionTime": "2026-01-01T00:01:05Z",
                "conditions": [{"type": "Complete", "status": "True"}],
            },
        ),
        ["x", "Complete", "3/3", "65s", OLD, "a,b", "i:1,j:2", "app=x"],
    ),
    (
        scheme.JOBS,
        "work queue",
        workload({"parallelism": 4}, status={"startTime": CREATED}),
        ["x", "Running", "0/1 of 4", "2d", OLD, "a,b", "i:1,j:2", "app=x"],
    ),
    (
        scheme.JOBS,
        "suspended",
        workload(
            {"parallelism": 1, "suspend": True},
            status={"conditions": [{"type": "Suspended", "status": "True"}]},
        ),
        ["x", "Suspended", "0/1", "", OLD, "a,b", "i:1,j:2", "app=x"],
    ),
    (
        scheme.CRONJOBS,
        "every minute",
        {
            "spec": {
                "schedule": "* * * * *",
                "suspend": False,
                "jobTemplate": {"spec": workload({})["spec"]},
            },
            "status": {"active": [{}], "lastScheduleTime": "2026-01-02T23:59:30Z"},
        },
        ["x", "* * * * *", "<none>", "False", 1, "30s", OLD, "a,b", "i:1,j:2", "app=x"],
    ),
    (scheme.NAMESPACES, "active", {"status": {"phase": "Active"}}, ["x", "Active", OLD]),
    (
        scheme.NODES,
        "ready control plane",
        {
            "metadata": {
                **META,
                "labels": {
                    "node-role.kubernetes.io/control-plane": "",
                    "kubernetes.io/role": "edge",
                },
            },
            "spec": {"unschedulable": True},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "10.1.0.2"}],
                "nodeInfo": {
                    "kubeletVersion": "v1.37.0",
                    "osImage": "Linux",
                    "kernelVersion": "6.1",
                    "containerRuntimeVersion": "process://0.1",
                },
            },
        },
        [
            "x",
            "Ready,SchedulingDisabled",
            "control-plane,edge",
            OLD,
            "v1.37.0",
            "10.1.0.2",
            "<none>",
            "Linux",
            "6.1",
            "process://0.1",
        ],
    ),
    (
        scheme.NODES,
        "silent",
        {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
        [
            "x",
            "NotReady",
            "<none>",
            OLD,
            "",
            "<none>",
            "<none>",
            "<unknown>",
            "<unknown>",
            "<unknown>",
        ],
    ),
    (
        scheme.NODES,
        "never reported",
        {"spec": {}},
        [
            "x",
            "Unknown",
            "<none>",
            OLD,
            "",
            "<none>",
            "<none>",
            "<unknown>",
            "<unknown>",
            "<unknown>",
        ],
    ),
    (
        scheme.CONFIGMAPS,
        "both kinds of data",
        {"data": {"a": "", "b": ""}, "binaryData": {"c": ""}},
        ["x", 3, OLD],
    ),
    (scheme.SECRETS, "opaque", {"type": "Opaque", "data": {"a": ""}}, ["x", "Opaque", 1, OLD]),
    (scheme.SERVICEACCOUNTS, "no secrets", {}, ["x", 0, OLD]),
    (
        scheme.EVENTS,
        "counted",
        {
            "type": "Warning",
            "reason": "BackOff",
            "message": "again\n",
            "count": 4,
            "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{a}"},
            "source": {"component": "kubelet", "host": "n1"},
            "firstTimestamp": CREATED,
            "lastTimestamp": "2026-01-02T23:59:00Z",
        },
        [
            "60s",
            "Warning",
            "BackOff",
            "pod/p",
            "spec.containers{a}",
            "again",
            "kubelet, n1",
            OLD,
            4,
            "x",
        ],
    ),
    (
        scheme.EVENTS,
        "a series",
        {
            "type": "Normal",
            "reason": "R",
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "involvedObject": {"kind": "Node"},
            "reportingComponent": "c",
            "series": {"count": 7, "lastObservedTime": "2026-01-02T23:59:59.000000Z"},
        },
        ["1s", "Normal", "R", "node", "", "", "c", OLD, 7, "x"],
    ),
    (
        scheme.EVENTS_V1,
        "new names",
        {
            "type": "Normal",
            "reason": "R",
            "note": "n",
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "regarding": {"kind": "Pod", "name": "p"},
            "reportingController": "c",
            "reportingInstance": "i",
        },
        [OLD, "Normal", "R", "pod/p", "", "n", "c, i", OLD, 1, "x"],
    ),
    (
        scheme.ENDPOINTS,
        "more than fit",
        {
            "subsets": [
                {"addresses": [{"ip": f"10.0.0.{n}"} for n in range(1, 6)], "ports": [{"port": 80}]}
            ]
        },
        ["x", "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...", OLD],
    ),
    (scheme.ENDPOINTS, "none", {}, ["x", "<none>", OLD]),
    (
        scheme.ENDPOINTSLICES,
        "one port",
        {
            "addressType": "IPv4",
            "ports": [{"port": 80}],
            "endpoints": [{"addresses": ["10.0.0.1"]}],
        },
        ["x", "IPv4", "80", "10.0.0.1", OLD],
    ),
    (
        scheme.ENDPOINTSLICES,
        "empty",
        {"addressType": "IPv6"},
        ["x", "IPv6", "<unset>", "<unset>", OLD],
    ),
    (scheme.LEASES, "held", {"spec": {"holderIdentity": "me"}}, ["x", "me", OLD]),
    (
        scheme.PERSISTENTVOLUMES,
        "bound",
        {
            "spec": {
                "capacity": {"storage": "5Gi"},
                "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": "n", "name": "c"},
                "storageClassName": "fast",
                "volumeMode": "Filesystem",
            },
            "status": {"phase": "Bound"},
        },
        ["x", "5Gi", "RWO,RWX", "Retain", "Bound", "n/c", "fast", "<unset>", "", OLD, "Filesystem"],
    ),
    (
        scheme.PERSISTENTVOLUMECLAIMS,
        "bound",
        {
            "spec": {"volumeName": "v", "storageClassName": "fast"},
            "status": {
                "phase": "Bound",
                "capacity": {"storage": "5Gi"},
                "accessModes": ["ReadWriteOnce"],
            },
        },
        ["x", "Bound", "v", "5Gi", "RWO", "fast", "<unset>", OLD, "<unset>"],
    ),
    (
        scheme.PERSISTENTVOLUMECLAIMS,
        "pending",
        {"spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": "Pending"}},
        ["x", "Pending", "", "", "", "", "<unset>", OLD, "<unset>"],
    ),
    (
        scheme.STORAGECLASSES,
        "default",
        {
            "metadata": {
                **META,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "p",
        },
        ["x (default)", "p", "Delete", "<unset>", False, OLD],
    ),
    (
        scheme.PODDISRUPTIONBUDGETS,
        "minimum",
        {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}},
        ["x", "50%", "N/A", 1, OLD],
    ),
    (
        scheme.HORIZONTALPODAUTOSCALERS,
        "cpu",
        hpa(CPU, current=(CPU_NOW,)),
        ["x", "Deployment/web", "cpu: 7%/50%", "<unset>", 9, 2, OLD],
    ),
    (
        scheme.HORIZONTALPODAUTOSCALERS,
        "more metrics than fit",
        hpa(CPU, PODS_METRIC, EXTERNAL),
        [
            "x",
            "Deployment/web",
            "cpu: <unknown>/50%, <unknown>/5 + 1 more...",
            "<unset>",
            9,
            2,
            OLD,
        ],
    ),
    (
        scheme.HORIZONTALPODAUTOSCALERS_V1,
        "version 1",
        {
            "spec": {
                "scaleTargetRef": {"kind": "D", "name": "w"},
                "minReplicas": 1,
                "maxReplicas": 2,
                "targetCPUUtilizationPercentage": 80,
            }
        },
        ["x", "D/w", "cpu: <unknown>/80%", "1", 2, 0, OLD],
    ),
    (
        scheme.INGRESSES,
        "tls",
        {
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{}],
                "rules": [{"host": "a"}, {"host": "b"}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}},
        },
        ["x", "nginx", "a,b", "1.1.1.1", "80, 443", OLD],
    ),
    (scheme.INGRESSES, "any host", {"spec": {"rules": [{}]}}, ["x", "<none>", "*", "", "80", OLD]),
    (
        scheme.INGRESSCLASSES,
        "parameters",
        {"spec": {"controller": "c", "parameters": {"apiGroup": "g", "kind": "K", "name": "n"}}},
        ["x", "c", "K.g/n", OLD],
    ),
    (scheme.NETWORKPOLICIES, "all pods", {"spec": {"podSelector": {}}}, ["x", "<none>", OLD]),
    (
        scheme.ROLEBINDINGS,
        "all subjects",
        {"roleRef": {"kind": "Role", "name": "r"}, "subjects": SUBJECTS},
        ["x", "Role/r", OLD, "ann, bob", "ops", "ns/sa"],
    ),
    (
        scheme.CLUSTERROLEBINDINGS,
        "nobody",
        {"roleRef": {"kind": "ClusterRole", "name": "r"}},
        ["x", "ClusterRole/r", OLD, "", "", ""],
    ),
    (scheme.ROLES, "made when", {}, ["x", CREATED]),
    (scheme.CLUSTERROLES, "made when", {}, ["x", CREATED]),
    (scheme.LIMITRANGES, "made when", {}, ["x", CREATED]),
    (
        scheme.PRIORITYCLASSES,
        "high",
        {"value": 1000, "preemptionPolicy": "Never"},
        ["x", 1000, False, OLD, "Never"],
    ),
    (scheme.RUNTIMECLASSES, "handler", {"handler": "runc"}, ["x", "runc", OLD]),
    (
        scheme.RESOURCEQUOTAS,
        "both",
        {"status": {"hard": {"pods": "10", "limits.cpu": "2", "cpu": "1"}, "used": {"pods": "3"}}},
        ["x", "cpu: 0/1, pods: 3/10", "limits.cpu: 0/2", OLD],
    ),
    (
        scheme.CERTIFICATESIGNINGREQUESTS,
        "issued",
        {
            "spec": {"signerName": "s", "username": "u", "expirationSeconds": 3600},
            "status": {"conditions": [{"type": "Approved"}], "certificate": "eA=="},
        },
        ["x", OLD, "s", "u", "60m", "Approved,Issued"],
    ),
    (
        scheme.CERTIFICATESIGNINGREQUESTS,
        "pending",
        {"spec": {"signerName": "s", "username": "u"}},
        ["x", OLD, "s", "u", "<none>", "Pending"],
    ),
    (scheme.VALIDATINGWEBHOOKCONFIGURATIONS, "two", {"webhooks": [{}, {}]}, ["x", 2, OLD]),
    (scheme.MUTATINGWEBHOOKCONFIGURATIONS, "none", {}, ["x", 0, OLD]),
    (
        scheme.CONTROLLERREVISIONS,
        "owned",
        {
            "revision": 2,
            "metadata": {
                **META,
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "StatefulSet",
                        "name": "s",
                        "controller": True,
                    }
                ],
            },
        },
        ["x", "statefulset.apps/s", 2, OLD],
    ),
    (scheme.CSINODES, "drivers", {"spec": {"drivers": [{}]}}, ["x", 1, OLD]),
    (
        scheme.COMPONENTSTATUSES,
        "healthy",
        {"conditions": [{"type": "Healthy", "status": "True", "message": "ok"}]},
        ["x", "Healthy", "ok", ""],
    ),
    (
        scheme.VALIDATINGADMISSIONPOLICIES,
        "parameters",
        {"spec": {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}, "validations": [{}] * 2}},
        ["x", 2, "v1/ConfigMap", OLD],
    ),
    (
        scheme.MUTATINGADMISSIONPOLICIES,
        "no parameters",
        {"spec": {"mutations": [{}]}},
        ["x", 1, "<unset>", OLD],
    ),
    (
        scheme.VALIDATINGADMISSIONPOLICYBINDINGS,
        "parameter in a namespace",
        {"spec": {"policyName": "p", "paramRef": {"name": "a", "namespace": "n"}}},
        ["x", "p", "n/a", OLD],
    ),
    (
        scheme.MUTATINGADMISSIONPOLICYBINDINGS,
        "parameter by name alone",
        {"spec": {"policyName": "p", "paramRef": {"name": "a"}}},
        ["x", "p", "*/a", OLD],
    ),
    (
        scheme.MUTATINGADMISSIONPOLICYBINDINGS,
        "parameters by selector",
        {"spec": {"policyName": "p", "paramRef": {"selector": {"matchLabels": {"a": "b"}}}}},
        ["x", "p", "a=b", OLD],
    ),
    (
        scheme.FLOWSCHEMAS,
        "dangling",
        {
            "spec": {
                "priorityLevelConfiguration": {"name": "l"},
                "matchingPrecedence": 900,
                "distinguisherMethod": {"type": "ByUser"},
            },
            "status": {"conditions": [{"type": "Dangling", "status": "True"}]},
        },
        ["x", "l", 900, "ByUser", OLD, "True"],
    ),
    (
        scheme.FLOWSCHEMAS,
        "without a distinguisher",
        {"spec": {"priorityLevelConfiguration": {"name": "l"}, "matchingPrecedence": 1}},
        ["x", "l", 1, "<none>", OLD, "?"],
    ),
    (
        scheme.PRIORITYLEVELCONFIGURATIONS,
        "queuing",
        {
            "spec": {
                "type": "Limited",
                "limited": {
                    "nominalConcurrencyShares": 30,
                    "limitResponse": {
                        "type": "Queue",
                        "queuing": {"queues": 64, "handSize": 6, "queueLengthLimit": 50},
                    },
                },
            }
        },
        ["x", "Limited", 30, 64, 6, 50, OLD],
    ),
    (
        scheme.PRIORITYLEVELCONFIGURATIONS,
        "rejecting",
        {
            "spec": {
                "type": "Limited",
                "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}},
            }
        },
        ["x", "Limited", 5, "<none>", "<none>", "<none>", OLD],
    ),
    (
        scheme.PRIORITYLEVELCONFIGURATIONS,
        "exempt",
        {"spec": {"type": "Exempt", "exempt": {}}},
        ["x", "Exempt", "<none>", "<none>", "<none>", "<none>", OLD],
    ),
    (scheme.RESOURCECLAIMS, "pending", {}, ["x", "pending", OLD]),
    (
        scheme.RESOURCECLAIMS,
        "in use",
        {"status": {"allocation": {}, "reservedFor": [{}]}},
        ["x", "allocated,reserved", OLD],
    ),
    (
        scheme.RESOURCESLICES,
        "of a node",
        {"spec": {"nodeName": "n", "driver": "d", "pool": {"name": "p"}}},
        ["x", "n", "d", "p", OLD],
    ),
    (
        scheme.CSISTORAGECAPACITIES,
        "unset",
        {"storageClassName": "fast"},
        ["x", "fast", "<unset>"],
    ),
]


@pytest.mark.parametrize(
    ("resource", "obj", "cells"),
    [(resource, obj, cells) for resource, _words, obj, cells in CASES],
    ids=[f"{resource.key} {resource.version}, {words}" for resource, words, _o, _c in CASES],
)
def test_cells(resource: scheme.Resource, obj: Json, cells: list[Any]) -> None:
    assert tables.cells(resource, {"metadata": META, **obj}, now=NOW) == cells
    assert len(tables.columns(resource)) == len(cells)


@pytest.mark.parametrize("resource", scheme.SERVED, ids=lambda r: f"{r.key} {r.version}")
def test_every_kind_prints_an_object_with_nothing_but_a_name(resource: scheme.Resource) -> None:
    cells = tables.row(resource, {"metadata": {"name": "x"}}, NOW)
    assert len(cells) == len(tables.columns(resource))
    assert "x" in cells

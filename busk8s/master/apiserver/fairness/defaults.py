"""The flow schemas and priority levels that every cluster begins with.

Owns      their specs as upstream has them, mandatory and suggested.
Leaves    making them (bootstrap).
Source    Kubernetes documentation, "API Priority and Fairness"; upstream's bootstrap policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

GROUP = "flowcontrol.apiserver.k8s.io/v1"
MANDATORY = ("exempt", "catch-all")
_AUTO = {"apf.kubernetes.io/autoupdate-spec": "true"}
_EVERY = ["*"]
_EVERYBODY = ("system:unauthenticated", "system:authenticated")
_NODES, _ACCOUNTS = "system:nodes", "system:serviceaccounts"
_MANAGER, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"

# name: (shares, per cent that may be lent, queues, hand)
_LIMITED = {
    "catch-all": (5, 0, 0, 0),
    "system": (30, 33, 64, 6),
    "node-high": (40, 25, 64, 6),
    "leader-election": (10, 0, 16, 4),
    "workload-high": (40, 50, 128, 6),
    "workload-low": (100, 90, 128, 6),
    "global-default": (20, 50, 128, 6),
}
_QUEUE_LENGTH = 50


def levels() -> Iterator[Json]:
    """The PriorityLevelConfigurations."""
    nothing = {"nominalConcurrencyShares": 0, "lendablePercent": 0}
    yield _object("PriorityLevelConfiguration", "exempt", {"type": "Exempt", "exempt": nothing})
    for name, (shares, lent, queues, hand) in _LIMITED.items():
        response: Json = {"type": "Reject"}
        if queues:
            queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": _QUEUE_LENGTH}
            response = {"type": "Queue", "queuing": queuing}
        limited = {
            "nominalConcurrencyShares": shares,
            "lendablePercent": lent,
            "limitResponse": response,
        }
        spec = {"type": "Limited", "limited": limited}
        yield _object("PriorityLevelConfiguration", name, spec)


def schemas() -> Iterator[Json]:
    """The FlowSchemas, by precedence."""
    leases = _resource(("get", "create", "update"), "coordination.k8s.io", ("leases",), False)
    probes = {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}
    about_nodes = [
        _resource(_EVERY, "", ("nodes", "nodes/status"), True),
        _resource(_EVERY, "coordination.k8s.io", ("leases",), False),
    ]
    system_accounts = _account("kube-system")
    leaders = [_user(_MANAGER), _user(_SCHEDULER), system_accounts]
    everybody = [_group(name) for name in _EVERYBODY]
    by_user, by_namespace = "ByUser", "ByNamespace"
    yield _schema("exempt", "exempt", 1, "", [_group("system:masters")])
    yield _schema("probes", "exempt", 2, "", everybody, (), [probes])
    yield _schema("system-leader-election", "leader-election", 100, by_user, leaders, [leases], ())
    yield _schema("system-node-high", "node-high", 400, by_user, [_group(_NODES)], about_nodes, ())
    yield _schema("system-nodes", "system", 500, by_user, [_group(_NODES)])
    for name in (_MANAGER, _SCHEDULER):
        short = name.removeprefix("system:")
        yield _schema(short, "workload-high", 800, by_namespace, [_user(name)])
    yield _schema(
        "kube-system-service-accounts", "workload-high", 900, by_namespace, [system_accounts]
    )
    yield _schema("service-accounts", "workload-low", 9_000, by_user, [_group(_ACCOUNTS)])
    yield _schema("global-default", "global-default", 9_900, by_user, everybody)
    yield _schema("catch-all", "catch-all", 10_000, by_user, everybody)


def _schema(
    name: str,
    level: str,
    precedence: int,
    by: str,
    subjects: list[Json],
    resources: Any = None,
    paths: Any = None,
) -> Json:
    """Without rules: about everything."""
    if resources is None:
        resources = [_resource(_EVERY, "*", _EVERY, True)]
        paths = [{"verbs": _EVERY, "nonResourceURLs": _EVERY}]
    rule: Json = {"subjects": subjects}
    if resources:
        rule["resourceRules"] = list(resources)
    if paths:
        rule["nonResourceRules"] = list(paths)
    spec: Json = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": [rule],
    }
    if by:
        spec["distinguisherMethod"] = {"type": by}
    return _object("FlowSchema", name, spec)


def _object(kind: str, name: str, spec: Json) -> Json:
    metadata = {"name": name, "annotations": _AUTO}
    return {"apiVersion": GROUP, "kind": kind, "metadata": metadata, "spec": spec}


def _resource(verbs: Any, group: str, resources: Any, cluster: bool) -> Json:
    rule: Json = {
        "verbs": list(verbs),
        "apiGroups": [group],
        "resources": list(resources),
        "namespaces": _EVERY,
    }
    return rule | {"clusterScope": True} if cluster else rule


def _user(name: str) -> Json:
    return {"kind": "User", "user": {"name": name}}


def _group(name: str) -> Json:
    return {"kind": "Group", "group": {"name": name}}


def _account(namespace: str) -> Json:
    return {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": "*"}}

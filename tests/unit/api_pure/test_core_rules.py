"""Rules of nodes, namespaces, limit ranges, quotas, secrets, and of metadata on an update."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from rule_cases import created, lines, status_updated, updated

from busk8s.api import scheme
from busk8s.api.scheme import Resource
from busk8s.api.validation import validate_write

Json = dict[str, Any]


def limits(kind: str = "Container", **parts: Any) -> Json:
    return {"spec": {"limits": [{"type": kind, **parts}]}}


def quota(hard: Json, *scopes: str, **selector: Any) -> Json:
    chosen = {"scopeSelector": {"matchExpressions": [selector]}} if selector else {}
    return {"spec": {"hard": hard, "scopes": list(scopes), **chosen}}


def docker(text: str) -> Json:
    data = {".dockerconfigjson": base64.b64encode(text.encode()).decode()}
    return {"type": "kubernetes.io/dockerconfigjson", "data": data}


def taint(**fields: Any) -> Json:
    return {"key": "k", "effect": "NoSchedule", **fields}


L, Q, S = "spec.limits[0]", "spec.hard", "data[.dockerconfigjson]"
E = "spec.scopeSelector.matchExpressions"
CASES: dict[str, tuple[Resource, Json, list[str]]] = {
    "limits in their order": (
        scheme.LIMITRANGES,
        limits(
            min={"cpu": "1"}, defaultRequest={"cpu": "1"}, default={"cpu": "2"}, max={"cpu": "3"}
        ),
        [],
    ),
    "limits out of it": (
        scheme.LIMITRANGES,
        limits(min={"cpu": "3"}, defaultRequest={"cpu": "2"}, default={"cpu": "1500m"},
               max={"cpu": "1"}),
        [
            f"{L}.min[cpu]: invalid: min value 3 is greater than max value 1",
            f"{L}.defaultRequest[cpu]: invalid: min value 3 is greater than default request "
            "value 2",
            f"{L}.defaultRequest[cpu]: invalid: default request value 2 is greater than max value "
            "1",
            f"{L}.defaultRequest[cpu]: invalid: default request value 2 is greater than default "
            "limit value 1500m",
            f"{L}.default[cpu]: invalid: min value 3 is greater than default value 1500m",
            f"{L}.default[cpu]: invalid: default value 1500m is greater than max value 1",
        ],
    ),
    "limits of nothing a container has": (
        scheme.LIMITRANGES, limits("Pod", max={"storage": "1", "x": "1"}),
        [
            f"{L}.max[storage]: invalid: must be a standard resource for containers",
            f"{L}.max[x]: invalid: must be a standard resource type or fully qualified",
            f"{L}.max[x]: invalid: must be a standard resource for containers",
        ],
    ),
    "a default that cannot be exceeded": (
        scheme.LIMITRANGES, limits(default={"a.b/c": "2"}, defaultRequest={"a.b/c": "1"}),
        [
            f"{L}.defaultRequest[a.b/c]: invalid: default value 2 must equal to defaultRequest "
            "value 1 in a.b/c"
        ],
    ),
    "a ratio": (
        scheme.LIMITRANGES, limits(max={"cpu": "2"}, min={"cpu": "1"},
                                   maxLimitRequestRatio={"cpu": "3"}),
        [
            f"{L}.maxLimitRequestRatio[cpu]: invalid: ratio 3 is greater than max/min = 2.000000"
        ],
    ),
    "quota": (scheme.RESOURCEQUOTAS, quota({"pods": "1", "count/jobs.batch": "2"}), []),
    "quota of what is none": (
        scheme.RESOURCEQUOTAS, quota({"storage": "1", "x": "1", "count/jobs.batch": "500m"}),
        [
            f"{Q}[storage]: invalid: must be a standard resource for quota",
            f"{Q}[x]: invalid: must be a standard resource type or fully qualified",
            f"{Q}[x]: invalid: must be a standard resource for quota",
            f"{Q}[count/jobs.batch]: invalid: must be an integer",
        ],
    ),
    "scopes": (
        scheme.RESOURCEQUOTAS, quota({"cpu": "1"}, "BestEffort", "Mine"),
        [
            "spec.scopes: invalid: unsupported scope applied to resource",
            "spec.scopes: invalid: unsupported scope",
        ],
    ),
    "a scope selector": (
        scheme.RESOURCEQUOTAS, quota({"pods": "1"}, scopeName="Terminating", operator="In"),
        [
            f"{E}.operator: invalid: must be 'Exists' when scope is any of "
            "ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
            "ResourceQuotaScopeCrossNamespacePodAffinity",
            f"{E}.values: required: must be at least one value when `operator` is 'In' or 'NotIn' "
            "for scope selector",
        ],
    ),
    "registry passwords": (scheme.SECRETS, docker('{"auths": {}}'), []),
    "a list of them": (
        scheme.SECRETS, docker("[]"),
        [
            f"{S}: invalid: json: cannot unmarshal array into Go value of type "
            "map[string]interface {}"
        ],
    ),
    "no JSON": (
        scheme.SECRETS, docker("{x"),
        [
            f"{S}: invalid: invalid character 'x' looking for beginning of object key string"
        ],
    ),
    "taints twice": (
        scheme.NODES, {"spec": {"taints": [taint(), taint(value="v")]}},
        [
            'metadata.taints[1]: duplicate: {"Key":"k","Value":"v","Effect":"NoSchedule",'
            '"TimeAdded":null}: taints must be unique by key and effect pair'
        ],
    ),
    "pod networks": (
        scheme.NODES, {"spec": {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]}},
        ["spec.podCIDRs: invalid: may specify no more than one CIDR for each IP family"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_of_core_kinds(name: str) -> None:
    resource, body, expected = CASES[name]
    assert created(resource, body) == expected


def test_of_the_status_of_a_node() -> None:
    status = {
        "capacity": {"pods": "1.5", "cpu": "-1"},
        "addresses": [{"type": "Hostname", "address": "a"}] * 2,
        "declaredFeatures": ["B", "A", "x"],
    }
    assert status_updated(scheme.NODES, {"spec": {}}, {}, status) == [
        "status.capacity.pods: invalid: must be an integer",
        "status.capacity.cpu: invalid: must be greater than or equal to 0",
        "status.declaredFeatures[1]: invalid: list must be sorted alphabetically",
        'status.declaredFeatures[2]: invalid: invalid feature name "x": must start with an '
        "UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or "
        "MyFeature/mySubFeature), and contain only alphanumeric characters and slashes",
        'status.addresses[1]: duplicate: {"Type":"Hostname","Address":"a"}',
    ]


def test_what_a_node_has_once() -> None:
    old = {"spec": {"podCIDRs": ["10.0.0.0/24"], "providerID": "p"}}
    assert updated(scheme.NODES, old, {"spec": {"unschedulable": True}}) == [
        'spec.podCIDRs: forbidden: node updates may not change podCIDR except from "" to valid',
        'spec.providerID: forbidden: node updates may not change providerID except from "" to '
        "valid",
    ]


def test_finalizers_of_a_namespace_are_named() -> None:
    new = {"metadata": {"name": "x", "uid": "u"}, "spec": {"finalizers": ["a/b", "mine"]}}
    old = {"metadata": {"name": "x", "uid": "u"}, "spec": {}}
    assert lines(validate_write(scheme.NAMESPACES, "finalize", new, old)) == [
        "spec.finalizers[1]: invalid: name is neither a standard finalizer name nor is it fully "
        "qualified"
    ]


def test_a_finalizer_is_judged_when_it_comes() -> None:
    found = created(scheme.CONFIGMAPS, {}, finalizers=["a/b/c"])
    assert [line.split(":")[0] for line in found] == ["metadata.finalizers"]
    assert updated(scheme.CONFIGMAPS, {}, {}, finalizers=["a/b/c"]) == []


def test_one_owner_controls() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "uid": "u", "controller": True}
    owners = [{**owner, "name": name} for name in "abc"]
    found = created(scheme.CONFIGMAPS, {}, ownerReferences=owners)
    assert [line[line.index("Only") :] for line in found] == [
        'Only one reference can have Controller set to true. Found "true" in references for '
        f"Pod/a and Pod/{name}"
        for name in "bc"
    ]

"""Rules of resource.k8s.io: requests, selectors, devices on offer, what a claim was given."""

from __future__ import annotations

from typing import Any

import pytest
from rule_cases import created, status_updated, updated

from busk8s.api import scheme

Json = dict[str, Any]


def claim(*requests: Json, **devices: Any) -> Json:
    return {"spec": {"devices": {"requests": list(requests), **devices}}}


def exactly(**fields: Any) -> Json:
    return {"name": "r", "exactly": {"deviceClassName": "c", **fields}}


def selected(expression: str) -> Json:
    return claim(exactly(selectors=[{"cel": {"expression": expression}}]))


R = "spec.devices.requests[0]"
REFERENCE = (
    "must be the name of a request in the claim or the name of a request and a subrequest "
    "separated by '/'"
)
NO_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
OPAQUE = {"driver": "a.b", "parameters": {"x": 1}}

CLAIMS: dict[str, tuple[Json, list[str]]] = {
    "plain": (claim(exactly(), constraints=[]), []),
    "neither": (
        claim({"name": "r"}),
        [f"{R}: required: exactly one of `exactly` or `firstAvailable` is required"],
    ),
    "name": (claim({**exactly(), "name": "R"}), [f"{R}.name: invalid: {NO_LABEL}"]),
    "twice": (claim(exactly(), exactly()), ['spec.devices.requests[1]: duplicate: "r"']),
    "too many": (
        claim(*[exactly()] * 33),
        ["spec.devices.requests: too many: 33: must have at most 32 items"],
    ),
    "class": (
        claim({"name": "r", "exactly": {}}), [f"{R}.exactly.deviceClassName: required"],
    ),
    "mode": (
        claim(
            exactly(allocationMode="Some"),
            {**exactly(allocationMode="All", count=2), "name": "s"},
        ),
        [
            f'{R}.exactly.allocationMode: unsupported: "Some": supported values: "All", '
            '"ExactCount"',
            "spec.devices.requests[1].exactly.count: invalid: must not be specified when "
            "allocationMode is 'All'",
        ],
    ),
    "toleration": (
        claim(exactly(tolerations=[{"operator": "Exists", "value": "x", "effect": "Never"}])),
        [
            f"{R}.exactly.tolerations[0].value: invalid: must be empty for operator `Exists`",
            f'{R}.exactly.tolerations[0].effect: unsupported: "Never": supported values: '
            '"NoExecute", "NoSchedule", "None"',
        ],
    ),
    "constraint": (
        claim(exactly(), constraints=[{"requests": ["r", "q"], "matchAttribute": "x"}, {}]),
        [
            f"spec.devices.constraints[0].requests[1]: invalid: {REFERENCE}",
            "spec.devices.constraints[0].matchAttribute: invalid: a fully qualified name must be "
            "a domain and a name separated by a slash",
            'spec.devices.constraints[1]: required: exactly one of "matchAttribute" or '
            '"distinctAttribute" is required, but multiple fields are set',
        ],
    ),
    "config": (
        claim(
            {"name": "r", "firstAvailable": [{"name": "a", "deviceClassName": "c"}]},
            config=[{"requests": ["r/a"], "opaque": OPAQUE}, {"requests": ["r/b"]}],
        ),
        [
            f"spec.devices.config[1].requests[0]: invalid: {REFERENCE}",
            "spec.devices.config[1].opaque: required",
        ],
    ),
    "selector": (selected("cel.bind(d, device.attributes['a.b'], d.fast)"), []),
    "selector of no truth": (
        selected("device.driver"),
        [
            f"{R}.exactly.selectors[0].cel.expression: invalid: must evaluate to bool or the "
            "unknown type, not string"
        ],
    ),
    "selector too dear": (
        selected(
            "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, "
            "device.attributes.all(d, a == b && c == d))))"
        ),
        [
            f"{R}.exactly.selectors[0].cel.expression: forbidden: too complex, exceeds cost limit"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_of_claims(name: str) -> None:
    body, expected = CLAIMS[name]
    assert created(scheme.RESOURCECLAIMS, body) == expected


def test_a_claims_spec_stays() -> None:
    found = updated(scheme.RESOURCECLAIMS, claim(exactly()), claim(exactly(count=2)))
    assert found == ["spec: invalid: field is immutable"]


def template(spec: Json) -> Json:
    return {"spec": {"metadata": {"labels": {"a": "b"}}, **spec}}


def test_of_templates() -> None:
    kind = scheme.RESOURCECLAIMTEMPLATES
    assert created(kind, template(claim(exactly()))) == []
    found = created(kind, template(claim({"name": "r"})))
    assert [line.split(":")[0] for line in found] == ["spec.spec.devices.requests[0]"]
    found = updated(kind, template(claim(exactly())), template(claim(exactly(count=3))))
    assert found == ["spec: invalid: field is immutable"]


def test_of_classes() -> None:
    body = {"spec": {"config": [{}], "extendedResourceName": "cpu", "selectors": [{}]}}
    assert created(scheme.DEVICECLASSES, body) == [
        "spec.selectors[0].cel: required",
        "spec.config[0].opaque: required",
        "spec.extendedResourceName: invalid: must be a valid extended resource name",
    ]


RESULT = {"request": "r", "driver": "a.b", "pool": "p", "device": "d"}
GIVEN: Json = {"allocation": {"devices": {"results": [RESULT]}}}
USER = {"resource": "pods", "name": "x", "uid": "u"}
AT = "status.allocation.devices.results[0]"

STATUSES: dict[str, tuple[Json, Json, list[str]]] = {
    "given": ({}, {**GIVEN, "reservedFor": [USER]}, []),
    "kept for nobody": (
        {}, {"reservedFor": [USER, USER]},
        [
            'status.reservedFor[1]: duplicate: "u"',
            "status.reservedFor: forbidden: may not be specified when `allocated` is not set",
        ],
    ),
    "given otherwise": (
        GIVEN, {"allocation": {"devices": {"results": []}}},
        ["status.allocation: invalid: field is immutable"],
    ),
    "given wrongly": (
        {}, {"allocation": {"devices": {"results": [{**RESULT, "request": "q", "shareID": "1"}]}}},
        [
            f"{AT}.request: invalid: {REFERENCE}",
            f"{AT}.shareID: invalid: error validating uid: invalid UUID length: 1",
        ],
    ),
    "a device of others": (
        GIVEN,
        {**GIVEN, "devices": [{**RESULT, "device": "e", "networkData": {"ips": ["1.2.3.4"]}}]},
        [
            "status.devices[0]: invalid: must be an allocated device in the claim",
            "status.devices[0].networkData.ips[0]: invalid: must be a valid address in CIDR form, "
            "(e.g. 10.9.8.7/24 or 2001:db8::1/64)",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATUSES)
def test_of_what_a_claim_was_given(name: str) -> None:
    old, new, expected = STATUSES[name]
    assert status_updated(scheme.RESOURCECLAIMS, claim(exactly()), old, new) == expected


def offer(*devices: Json, **spec: Any) -> Json:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    whole = {"driver": "a.b", "pool": pool, "nodeName": "n", **spec}
    return {"spec": {**whole, **({"devices": list(devices)} if devices else {})}}


def shared(**policy: Any) -> Json:
    capacity = {"memory": {"value": "10Gi", "requestPolicy": policy}}
    return offer({"name": "d", "allowMultipleAllocations": True, "capacity": capacity})


D = "spec.devices[0]"
P = f"{D}.capacity[memory].requestPolicy"

SLICES: dict[str, tuple[Json, list[str]]] = {
    "plain": (offer({"name": "d", "attributes": {"a.b/fast": {"bool": True}}}), []),
    "nowhere": (
        offer(nodeName=None),
        [
            "spec: required: exactly one of `nodeName`, `nodeSelector`, `allNodes`, "
            "`perDeviceNodeSelection` is required"
        ],
    ),
    "pool": (
        offer(pool={"name": "a//b", "resourceSliceCount": 0}),
        [
            "spec.pool.name: invalid: a lowercase RFC 1123 subdomain must consist of lower case "
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
            "character (e.g. 'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            "spec.pool.resourceSliceCount: invalid: must be greater than zero",
        ],
    ),
    "attributes": (
        offer({"name": "d", "attributes": {"a": {}, "b": {"version": "1"}, "c": {"strings": []}}}),
        [
            f"{D}.attributes[a]: invalid: exactly one value must be specified",
            f"{D}.attributes[b].version: invalid: must be a string compatible with semver.org "
            "spec 2.0.0",
            f"{D}.attributes[c].strings: invalid: must not be empty if specified",
        ],
    ),
    "devices, with taints": (
        offer(*[{"name": f"d{n}", "taints": [{"key": "k", "effect": "None"}]} for n in range(65)]),
        ["spec.devices: too many: 65: must have at most 64 items"],
    ),
    "counters": (
        offer({"name": "d", "consumesCounters": [{"counterSet": "s"}]}),
        [f"{D}.consumesCounters[0].counters: required"],
    ),
    "binding": (
        offer({"name": "d", "bindingConditions": ["a", "a"]}),
        [
            f'{D}.bindingConditions[1]: duplicate: "a"',
            f"{D}.bindingFailureConditions: invalid: bindingFailureConditions are required to use "
            "bindingConditions",
        ],
    ),
    "a place of its own": (
        offer({"name": "d", "nodeName": "n"}),
        [
            f"{D}: invalid: `nodeName`, `nodeSelector` and `allNodes` can only be set if "
            "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
        ],
    ),
    "capacity not shared": (
        offer({"name": "d", "capacity": {"memory": {"value": "1", "requestPolicy": {}}}}),
        [f"{P}: forbidden: allowMultipleAllocations must be true"],
    ),
    "capacity by steps": (shared(default="2Gi", validRange={"min": "1Gi", "step": "1Gi"}), []),
    "capacity out of range": (
        shared(default="3Gi", validRange={"min": "4Gi", "max": "20Gi", "step": "3Gi"}),
        [
            f"{P}.validRange.min: invalid: default is less than min: 4Gi",
            f"{P}.validRange.max: invalid: max is larger than capacity value: 10Gi",
            f"{P}.validRange.step: invalid: value is not a multiple of a given step (3Gi) from "
            "(4Gi)",
            f"{P}.validRange.step: invalid: value is not a multiple of a given step (3Gi) from "
            "(4Gi)",
        ],
    ),
    "capacity by choice": (
        shared(default="3Gi", validValues=["2Gi", "1Gi", "11Gi"]),
        [
            f"{P}.validValues[1]: invalid: values must be sorted in ascending order",
            f"{P}.validValues[2]: invalid: option is larger than capacity value: 10Gi",
            f"{P}.validValues: invalid: default value is not valid according to the requestPolicy",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SLICES)
def test_of_slices(name: str) -> None:
    body, expected = SLICES[name]
    assert created(scheme.RESOURCESLICES, body) == expected


def test_a_slice_stays_where_it_is() -> None:
    found = updated(scheme.RESOURCESLICES, offer(), offer(nodeName="m", driver="c.d"))
    assert found == [
        "spec.driver: invalid: field is immutable",
        "spec.nodeName: invalid: field is immutable",
    ]


def test_of_taint_rules() -> None:
    taint = {"key": "a b", "effect": "Never"}
    found = created(
        scheme.DEVICETAINTRULES, {"spec": {"deviceSelector": {"pool": ""}, "taint": taint}}
    )
    assert [": ".join(line.split(": ")[:2]) for line in found] == [
        "spec.deviceSelector.pool: required",
        "spec.taint.key: invalid",
        "spec.taint.effect: unsupported",
    ]

"""What a ValidatingAdmissionPolicy's status says of expressions that do not fit their kinds."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import MERGE, Api, Json
from custom_world import custom

from busk8s.master.apiserver.admission.policies.checking import PATH, PolicyChecker

DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
PODS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods", "pods/status"]}
WIDGETS = {"apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["widgets"]}


def policy(*rules: Json, **spec: Any) -> Json:
    given = [{**rule, "operations": ["*"]} for rule in rules or (DEPLOYMENTS,)]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p"},
        "spec": {"matchConstraints": {"resourceRules": given}, **spec},
    }


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"validations": [{"expression": text, "message": "no", **more}]}


async def checked(api: Api, body: Json) -> Json:
    """The status of the policy, once it is checked."""
    checker = PolicyChecker(api.cache, api.catalog, api.server.dispatch)
    await api.must("POST", PATH, body)
    await checker.settle()
    status: Json = (await api.must("GET", f"{PATH}/p"))["status"]
    assert status["observedGeneration"] == 1
    return status


async def warned(body: Json) -> list[Json]:
    api, _ = await custom()
    status = await checked(api, body)
    found: list[Json] = status["typeChecking"].get("expressionWarnings", [])
    return found


async def test_a_field_that_the_kind_does_not_have_is_named_as_upstream_names_it() -> None:
    assert await warned(policy(**says("object.spec.replicas <= 5 && object.foo == 'bar'"))) == [
        {
            "fieldRef": "spec.validations[0].expression",
            "warning": "apps/v1, Kind=Deployment: ERROR: <input>:1:36: undefined field 'foo'\n"
            " | object.spec.replicas <= 5 && object.foo == 'bar'\n"
            " | ...................................^\n",
        }
    ]


FITS = {
    "of metadata": says("object.metadata.labels['a'] == 'b' && oldObject == null"),
    "of a map": says("object.spec.template.spec.nodeSelector.all(k, k != '')"),
    "of a quantity": says(
        "object.spec.template.spec.containers.all(c, quantity(c.resources.limits['cpu'])"
        ".isLessThan(quantity('1')))"
    ),
    "of an int or a string": says("object.spec.strategy.rollingUpdate.maxSurge == 1"),
    "of the request": says("request.userInfo.username == 'ann' && namespaceObject.spec != null"),
    "of the authorizer": says(
        "authorizer.requestResource.check('x').allowed() && "
        "authorizer.group('').resource('pods').check('create').allowed()"
    ),
    "of a variable": {
        "variables": [{"name": "n", "expression": "object.spec.replicas"}],
        **says("variables.n > 1", messageExpression="'n is ' + string(variables.n)"),
    },
    "of a parameter": {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        **says("params.data['max'] == string(object.spec.replicas)"),
    },
    "of a parameter of a kind nobody knows": {
        "paramKind": {"apiVersion": "rules.example.com/v1", "kind": "Rule"},
        **says("params.anything.at.all == 1"),
    },
}  # fmt: skip


@pytest.mark.parametrize("case", FITS)
async def test_nothing_is_said_of_what_fits(case: str) -> None:
    api, _ = await custom()
    assert await checked(api, policy(**FITS[case])) == {
        "observedGeneration": 1,
        "typeChecking": {},
    }


@pytest.mark.parametrize(
    ("spec", "place", "text"),
    [
        pytest.param(
            says("object.spec.replicas > '5'"),
            "expression",
            "found no matching overload for '_>_' applied to '(int, string)'",
            id="a type",
        ),
        pytest.param(
            says("true", messageExpression="object.spec.replicas + 'x'"),
            "messageExpression",
            "found no matching overload for '_+_' applied to '(int, string)'",
            id="a message",
        ),
        pytest.param(
            {
                "variables": [{"name": "n", "expression": "object.spec"}],
                **says("variables.n.sorrow == 1"),
            },
            "expression",
            "undefined field 'sorrow'",
            id="a variable",
        ),
        pytest.param(
            {
                "paramKind": {"apiVersion": "example.com/v1", "kind": "Widget"},
                **says("params.spec.length > 1"),
            },
            "expression",
            "undefined field 'length'",
            id="a parameter of a custom kind",
        ),
    ],
)
async def test_the_place_of_what_does_not_fit_is_named(spec: Any, place: str, text: str) -> None:
    [found] = await warned(policy(**spec))
    assert found["fieldRef"] == f"spec.validations[0].{place}"
    assert text in found["warning"]


async def test_each_kind_is_checked_by_itself_in_order() -> None:
    body = policy(WIDGETS, PODS, DEPLOYMENTS, **says("object.spec.size > 1"))
    [found] = await warned(body)
    lines = [line for line in found["warning"].split("\n") if "Kind=" in line]
    assert [line.partition(": ")[0] for line in lines] == [
        "/v1, Kind=Pod",
        "apps/v1, Kind=Deployment",
    ]


@pytest.mark.parametrize(
    "rule",
    [
        {**DEPLOYMENTS, "apiGroups": ["*"]},
        {**DEPLOYMENTS, "apiVersions": ["*"]},
        {**DEPLOYMENTS, "resources": ["*"]},
        {**DEPLOYMENTS, "resources": ["deployments/scale"]},
        {**DEPLOYMENTS, "resources": ["unheard"]},
    ],
)
async def test_what_names_no_kind_is_not_checked(rule: Json) -> None:
    assert await warned(policy(rule, **says("object.foo == 'bar'"))) == []


async def test_a_policy_is_checked_once_a_generation() -> None:
    api, _ = await custom()
    await checked(api, policy(**says("object.foo == 1")))
    checker = PolicyChecker(api.cache, api.catalog, api.server.dispatch)
    before = api.cache.revision
    await checker.settle()
    assert api.cache.revision == before
    change = {"spec": says("object.spec.replicas == 1")}
    await api.must("PATCH", f"{PATH}/p", change, content_type=MERGE)
    await checker.settle()
    after = await api.must("GET", f"{PATH}/p")
    assert after["status"] == {"observedGeneration": 2, "typeChecking": {}}

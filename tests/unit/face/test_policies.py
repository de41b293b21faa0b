"""Admission policies: what refuses, warns, notes and changes a write, and by which rules."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.defaults import apply_defaults
from busk8s.api.object import Json, Object, encode
from busk8s.api.request import User
from busk8s.api.scheme import Resource
from busk8s.api.validation import validate_create
from busk8s.master.apiserver.admission.expressions import MatchConditions
from busk8s.master.apiserver.admission.policies.definitions import (
    MUTATING,
    VALIDATING,
    Kind,
    Policies,
)
from busk8s.master.apiserver.admission.policies.mutating import MutatingPolicies
from busk8s.master.apiserver.admission.policies.validating import ValidatingPolicies
from busk8s.master.apiserver.attributes import AllowAll, Attributes, Operation

PODS_RULE = {
    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods"],
}  # fmt: skip


class FakeCache:
    """Objects by kind, and whoever listens."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[tuple[str, str], Object]] = {}
        self.put("namespaces", {"metadata": {"name": "default", "labels": {"team": "a"}}})

    def put(self, key: str, data: Json) -> None:
        resource = scheme.RESOURCES[key]
        metadata = data["metadata"]
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **data}
        apply_defaults(resource, whole)
        where = (metadata.get("namespace", ""), metadata["name"])
        self.objects.setdefault(key, {})[where] = Object(
            resource, *where, revision=1, body=encode(whole)
        )

    def get(self, key: str, namespace: str, name: str) -> Object | None:
        return self.objects.get(key, {}).get((namespace, name))

    def list(self, key: str, namespace: str | None = None) -> list[Object]:
        found = self.objects.get(key, {}).items()
        return [o for (where, _), o in sorted(found) if namespace in (None, where)]

    def on_events(self, callback: Any) -> None:
        return None


class Deny:
    def authorize(self, attributes: Attributes) -> str | None:
        return None if attributes.verb == "get" else "no"


def policies(cache: FakeCache, kind: Kind) -> Policies:
    found = Policies(cache, kind)  # type: ignore[arg-type]  # a fake of what it reads
    found.open()
    return found


def bind(cache: FakeCache, kind: Kind, spec: Json, **binding: Any) -> None:
    spec = {"matchConstraints": {"resourceRules": [PODS_RULE]}, **spec}
    cache.put(kind.policies, {"metadata": {"name": "p"}, "spec": spec})
    if kind is VALIDATING:
        binding.setdefault("validationActions", ["Deny"])
    of = {"policyName": "p", **binding}
    cache.put(kind.bindings, {"metadata": {"name": "b"}, "spec": of})


def writing(obj: Json | None = None, resource: Resource = scheme.PODS, **how: Any) -> Operation:
    attributes = Attributes(
        User("ann", ("devs",)), "create", resource, namespace="default", name="web"
    )
    whole = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    return Operation(attributes, how.pop("kind", "CREATE"), obj or whole, **how)


async def validate(cache: FakeCache, operation: Operation) -> None:
    plugin = ValidatingPolicies(policies(cache, VALIDATING), cache, Deny(), scheme.by_kind)
    if plugin.interest_in(operation):
        await plugin.admit(operation)


async def mutate(cache: FakeCache, operation: Operation) -> Json:
    plugin = MutatingPolicies(policies(cache, MUTATING), cache, AllowAll(), scheme.by_kind)
    if plugin.interest_in(operation):
        await plugin.admit(operation)
    assert operation.object is not None
    return operation.object


def validation(text: str, **more: Any) -> Json:
    return {"validations": [{"expression": text, **more}]}


async def test_a_false_expression_refuses_with_its_own_text() -> None:
    cache = FakeCache()
    bind(cache, VALIDATING, validation("object.metadata.name != 'web'"))
    with pytest.raises(errors.Error) as refused:
        await validate(cache, writing())
    assert refused.value.code == 422
    assert refused.value.message == (
        "pods \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
        "failed expression: object.metadata.name != 'web'"
    )


@pytest.mark.parametrize(
    ("reason", "code"),
    [("Forbidden", 403), ("Unauthorized", 401), ("RequestEntityTooLarge", 413), ("Invalid", 422)],
)
async def test_a_reason_is_a_code(reason: str, code: int) -> None:
    cache = FakeCache()
    bind(cache, VALIDATING, validation("false", reason=reason, message="no"))
    with pytest.raises(errors.Error) as refused:
        await validate(cache, writing())
    assert (refused.value.code, refused.value.reason) == (code, reason)


HOLDING = {
    "the request": "request.operation == 'CREATE' && request.userInfo.username == 'ann' "
    "&& 'devs' in request.userInfo.groups && request.resource.resource == 'pods' "
    "&& request.kind.kind == 'Pod' && request.namespace == 'default' && !request.dryRun",
    "no old object": "oldObject == null",
    "the namespace": "namespaceObject.metadata.labels.team == 'a'",
    "what may be done": "authorizer.group('').resource('pods').check('get').allowed()",
    "what may not be done": "!authorizer.requestResource.check('delete').allowed()",
    "another account": "authorizer.serviceAccount('a', 'b').path('/x').check('get').allowed()",
}


@pytest.mark.parametrize("text", HOLDING.values(), ids=HOLDING)
async def test_an_expression_sees(text: str) -> None:
    cache = FakeCache()
    bind(cache, VALIDATING, validation(text))
    await validate(cache, writing())


async def test_warnings_and_notes_do_not_refuse() -> None:
    cache = FakeCache()
    spec = {
        **validation("false", messageExpression="'not ' + object.metadata.name"),
        "auditAnnotations": [{"key": "k", "valueExpression": "'v'"}],
    }
    bind(cache, VALIDATING, spec, validationActions=["Warn", "Audit"])
    operation = writing()
    await validate(cache, operation)
    assert operation.warnings == [
        "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': not web"
    ]
    assert operation.annotations["p/k"] == "v"
    noted = operation.annotations["validation.policy.admission.k8s.io/validation_failure"]
    assert '"message":"not web"' in noted


@pytest.mark.parametrize(("failure", "refuses"), [("Fail", True), ("Ignore", False)])
@pytest.mark.parametrize(
    "spec",
    [
        validation("object.nope == 1"),
        {**validation("true"), "matchConditions": [{"name": "c", "expression": "1 / 0 == 1"}]},
        {**validation("variables.x == 1"), "variables": [{"name": "x", "expression": "1 / 0"}]},
        {**validation("params.x == 1"), "paramKind": {"apiVersion": "v1", "kind": "Nope"}},
        validation("[1,2,3].all(i, " * 12 + "true" + ")" * 12),
    ],
    ids=["an expression", "a condition", "a variable", "parameters", "cost"],
)
async def test_what_fails_follows_the_failure_policy(
    spec: Json, failure: str, refuses: bool
) -> None:
    cache = FakeCache()
    ref = {"name": "x", "parameterNotFoundAction": "Deny"}
    bind(cache, VALIDATING, {**spec, "failurePolicy": failure}, paramRef=ref)
    if refuses:
        with pytest.raises(errors.Error):
            await validate(cache, writing())
    else:
        await validate(cache, writing())


PARAMETERS = {
    "by name": ({"name": "most", "namespace": "default"}, True),
    "by name, in the namespace of the write": ({"name": "most"}, True),
    "by labels": ({"selector": {"matchLabels": {"of": "us"}}}, True),
    "absent, denied": ({"name": "nope"}, True),
    "absent, allowed": ({"name": "nope", "parameterNotFoundAction": "Allow"}, False),
}


@pytest.mark.parametrize(("ref", "refuses"), PARAMETERS.values(), ids=PARAMETERS)
async def test_parameters(ref: Json, refuses: bool) -> None:
    cache = FakeCache()
    metadata = {"name": "most", "namespace": "default", "labels": {"of": "us"}}
    cache.put("configmaps", {"metadata": metadata, "data": {"name": "web"}})
    spec = {
        **validation("object.metadata.name != params.data.name"),
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
    }
    bind(cache, VALIDATING, spec, paramRef={"parameterNotFoundAction": "Deny", **ref})
    if refuses:
        with pytest.raises(errors.Error):
            await validate(cache, writing())
    else:
        await validate(cache, writing())


@pytest.mark.parametrize(
    "match",
    [
        {"namespaceSelector": {"matchLabels": {"team": "b"}}},
        {"objectSelector": {"matchLabels": {"no": "such"}}},
        {"excludeResourceRules": [PODS_RULE]},
        {"resourceRules": [{**PODS_RULE, "operations": ["UPDATE"]}]},
        {"resourceRules": [{**PODS_RULE, "resourceNames": ["other"]}]},
    ],
    ids=["namespace", "object", "excluded", "operation", "name"],
)
async def test_a_binding_narrows(match: Json) -> None:
    cache = FakeCache()
    bind(cache, VALIDATING, validation("false"), matchResources=match)
    await validate(cache, writing())


async def test_policies_never_see_policies() -> None:
    cache = FakeCache()
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    bind(cache, VALIDATING, {"matchConstraints": {"resourceRules": [rule]}, **validation("false")})
    await validate(cache, writing(resource=scheme.VALIDATINGADMISSIONPOLICIES))
    with pytest.raises(errors.Error):
        await validate(cache, writing())


def mutation(text: str, *, merges: bool = True) -> Json:
    kind, name = (
        ("ApplyConfiguration", "applyConfiguration") if merges else ("JSONPatch", "jsonPatch")
    )
    return {"mutations": [{"patchType": kind, name: {"expression": text}}]}


async def test_an_apply_configuration_is_merged() -> None:
    cache = FakeCache()
    text = """Object{metadata: Object.metadata{labels: {'a': 'b'}}, spec: Object.spec{
        containers: [Object.spec.containers{name: 'side', image: 'y'}]}}"""
    bind(cache, MUTATING, mutation(text))
    operation = writing()
    made = await mutate(cache, operation)
    assert made["metadata"]["labels"] == {"a": "b"}
    assert {c["name"] for c in made["spec"]["containers"]} == {"c", "side"}
    assert operation.changed


async def test_a_json_patch_is_applied_and_a_failed_test_changes_nothing() -> None:
    cache = FakeCache()
    text = """[JSONPatch{op: 'add', path: '/metadata/labels', value: {'a/b': 'c'}},
        JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('d/e'), value: 'f'}]"""
    bind(cache, MUTATING, mutation(text, merges=False))
    made = await mutate(cache, writing())
    assert made["metadata"]["labels"] == {"a/b": "c", "d/e": "f"}
    text = """[JSONPatch{op: 'test', path: '/metadata/name', value: 'other'},
        JSONPatch{op: 'remove', path: '/spec'}]"""
    bind(cache, MUTATING, mutation(text, merges=False))
    operation = writing()
    assert "spec" in await mutate(cache, operation)
    assert not operation.changed


BAD_MUTATIONS = {
    "atomic": (
        "Object{spec: Object.spec{tolerations: [Object.spec.tolerations{key: 'x'}]}}",
        "atomic",
    ),
    "a wrong name": ("Object{spec: Object.wrong{hostname: 'x'}}", "type mismatch"),
    "a wrong type": ("Object{spec: Object.spec{hostname: 5}}", "error applying patch"),
    "an unknown field": ("Object{spec: Object.spec{nope: 'x'}}", "error applying patch"),
}


@pytest.mark.parametrize(("text", "why"), BAD_MUTATIONS.values(), ids=BAD_MUTATIONS)
async def test_a_mutation_that_does_not_fit_refuses(text: str, why: str) -> None:
    cache = FakeCache()
    bind(cache, MUTATING, mutation(text))
    with pytest.raises(errors.Error, match=why) as refused:
        await mutate(cache, writing())
    assert refused.value.code == 403
    assert refused.value.message.startswith("policy 'p' with binding 'b' denied request: ")
    bind(cache, MUTATING, {**mutation(text), "failurePolicy": "Ignore"})
    operation = writing()
    await mutate(cache, operation)
    assert not operation.changed


def test_match_conditions_of_webhooks_are_true_false_or_an_error() -> None:
    evaluate = MatchConditions(FakeCache(), AllowAll())
    texts = ["object.metadata.name == 'web'", "false", "1 / 0 == 1", "nope"]
    found = evaluate([("c", text) for text in texts], writing(), scheme.PODS)
    assert found[:2] == [True, False]
    assert found[2] == "expression '1 / 0 == 1' resulted in error: division by zero"
    assert "undeclared reference to 'nope'" in str(found[3])


def test_no_policy_means_no_interest() -> None:
    assert not policies(FakeCache(), VALIDATING).interested(writing())


REFUSED: dict[str, tuple[Json, set[str]]] = {
    "nothing": ({}, {"spec.matchConstraints", "spec.validations", "spec.auditAnnotations"}),
    "an expression": (
        validation("nope"), {"spec.validations[0].expression", "spec.matchConstraints"}
    ),
    "a message": (
        validation("true", message="a\nb"), {"spec.validations[0].message", "spec.matchConstraints"}
    ),
    "a reason": (
        validation("true", reason="X"), {"spec.validations[0].reason", "spec.matchConstraints"}
    ),
    "params without their kind": (
        validation("params.x == 1"), {"spec.validations[0].expression", "spec.matchConstraints"}
    ),
    "a variable's name": (
        {**validation("true"), "variables": [{"name": "a-b", "expression": "1"}]},
        {"spec.variables[0].name", "spec.matchConstraints"},
    ),
    "a condition": (
        {**validation("true"), "matchConditions": [{"name": "c", "expression": "1"}]},
        {"spec.matchConditions[0].expression", "spec.matchConstraints"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "fields"), REFUSED.values(), ids=REFUSED)
def test_a_bad_policy_is_refused_when_it_is_written(spec: Json, fields: set[str]) -> None:
    resource = scheme.VALIDATINGADMISSIONPOLICIES
    data = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "p"}}
    whole = {**data, "spec": spec}
    apply_defaults(resource, whole)
    assert {cause.field for cause in validate_create(resource, whole)} == fields


def test_a_binding_does_not_deny_and_warn() -> None:
    resource = scheme.VALIDATINGADMISSIONPOLICYBINDINGS
    data = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "p"}}
    spec = {"policyName": "p", "validationActions": ["Deny", "Warn"], "paramRef": {}}
    found = validate_create(resource, {**data, "spec": spec})
    assert {cause.field for cause in found} >= {"spec.validationActions", "spec.paramRef"}

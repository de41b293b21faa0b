"""A CustomResourceDefinition is completed and judged as upstream does."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from busk8s.api.custom.definition import default_definition, validate_definition

Json = dict[str, Any]
TEXT = {"type": "string"}
ROOT = "spec.validation.openAPIV3Schema"


def definition(schema: Json | None = None, **spec: Any) -> Json:
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": schema or {"type": "object"}},
    }  # fmt: skip
    obj = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "versions": [version],
            "names": {"plural": "widgets", "kind": "Widget"},
            **spec,
        },
    }  # fmt: skip
    default_definition(obj)
    return obj


def field(schema: Json) -> Json:
    return {"type": "object", "properties": {"f": schema}}


def said(new: Json, old: Json | None = None) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in validate_definition(new, old)]


def test_a_definition_is_completed_from_its_kind() -> None:
    obj = definition()
    assert obj["spec"]["names"]["singular"] == "widget"
    assert obj["spec"]["names"]["listKind"] == "WidgetList"
    assert obj["spec"]["conversion"] == {"strategy": "None"}
    assert obj["status"]["storedVersions"] == ["v1"]
    assert said(obj) == []


F = f"{ROOT}.properties[f]"
RULES = "x-kubernetes-validations"
SCHEMAS: dict[str, tuple[Json, list[str]]] = {
    "no type at the root": ({}, [f"{ROOT}.type: Required value: must not be empty at the root"]),
    "a list at the root": (
        {"type": "array", "items": TEXT},
        [f'{ROOT}.type: Invalid value: "array": must be object at the root'],
    ),
    "a field without a type": (
        field({}), [f"{F}.type: Required value: must not be empty for specified object fields"],
    ),
    "an unknown type": (
        field({"type": "text"}),
        [f'{F}.type: Unsupported value: "text": supported values: "array", "boolean", "integer", '
         '"number", "object", "string"'],
    ),
    "a list without items": (
        field({"type": "array"}), [f"{F}.items: Required value: must be specified"],
    ),
    "a reference": (
        field({"type": "object", "$ref": "#/definitions/x"}),
        [f"{F}.$ref: Forbidden: $ref is not supported"],
    ),
    "a type inside a junctor": (
        field({"type": "string", "anyOf": [{"type": "string"}]}),
        [f"{F}.anyOf[0].type: Forbidden: must be empty to be structural"],
    ),
    "a field only a junctor at the root knows": (
        {"type": "object", "oneOf": [{"properties": {"g": {"minLength": 1}}}]},
        [f"{ROOT}.properties[g]: Required value: because it is defined in "
         f"{ROOT}.oneOf[0].properties[g]"],
    ),
    "unique items": (
        field({"type": "array", "items": TEXT, "uniqueItems": True}),
        [f"{F}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime "
         "complexity becomes quadratic"],
    ),
    "properties beside additionalProperties": (
        field({"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT}),
        [f"{F}.additionalProperties: Forbidden: additionalProperties and properties are mutual "
         "exclusive"],
    ),
    "metadata restricted": (
        {"type": "object", "properties": {
            "metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}},
        [f"{ROOT}.properties[metadata]: Forbidden: must not specify anything other than name and "
         "generateName, but metadata is implicitly specified"],
    ),
    "an embedded resource without fields": (
        field({"type": "object", "x-kubernetes-embedded-resource": True}),
        [f"{F}.properties: Required value: must not be empty if x-kubernetes-embedded-resource is "
         "true without x-kubernetes-preserve-unknown-fields"],
    ),
    "a list map without keys": (
        field({"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}}),
        [f"{F}.x-kubernetes-list-map-keys: Required value: must not be empty if "
         "x-kubernetes-list-type is map"],
    ),
    "a key neither required nor with a default": (
        field({
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
            "items": {"type": "object", "properties": {"n": TEXT}}}),
        [f"{F}.items.properties[n].default: Required value: this property is in "
         "x-kubernetes-list-map-keys, so it must have a default or be a required property"],
    ),
    "a set of granular objects": (
        field({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}}),
        [f"{F}.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list "
         "with x-kubernetes-list-type=set"],
    ),
    "a default of the wrong type": (
        field({"type": "string", "default": 1}),
        [f'{F}.default: Invalid value: "integer":  in body must be of type string: "integer"'],
    ),
    "a default with an unknown field": (
        field({"type": "object", "default": {"x": 1}}),
        [f'{F}.default: Invalid value: {{"x":1}}: must not have unknown fields'],
    ),
    "a rule that does not compile": (
        field({"type": "string", RULES: [{"rule": "self.nope()"}]}), [f"{F}.{RULES}[0].rule: Inv"],
    ),
    "a rule that is no question": (
        field({"type": "string", RULES: [{"rule": "self"}]}),
        [f'{F}.{RULES}[0].rule: Invalid value: {{"rule":"self"}}: cel expression must evaluate to '
         "a bool"],
    ),
    "an old value in an atomic list": (
        field({"type": "array", "maxItems": 9, "items": {
            "type": "string", "maxLength": 9, RULES: [{"rule": "self==oldSelf"}]}}),
        [f'{F}.items.{RULES}[0].rule: Invalid value: "self==oldSelf": oldSelf cannot be used on '
         f"the uncorrelatable portion of the schema within {F}"],
    ),
    "a rule over keys, which count as empty": (
        field({"type": "object", "maxProperties": 8, "additionalProperties": TEXT,
               RULES: [{"rule": "self.all(k, k.matches('^[a-z]+$'))"}]}), [],
    ),
    "a pattern that is none": (
        field({"type": "string", "pattern": "("}), [f'{F}.pattern: Invalid value: "(": must be a'],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SCHEMAS)
def test_a_schema_that_is_not_legal_is_refused(case: str) -> None:
    schema, words = SCHEMAS[case]
    obj = definition()
    obj["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    found = said(obj)
    assert len(found) == len(words)
    for one, start in zip(found, words, strict=True):
        assert one.startswith(start)


def _set(*path: Any, to: Any) -> Callable[[Json], None]:
    def change(obj: Json) -> None:
        for step in path[:-1]:
            obj = obj[step]
        obj[path[-1]] = to

    return change


VERSION = ("spec", "versions", 0)
WRONG: dict[str, tuple[Callable[[Json], None], str]] = {
    "a name that is not its plural and group": (
        _set("metadata", "name", to="x.example.com"),
        'metadata.name: Invalid value: "x.example.com": must be spec.names.plural+"."+spec.group',
    ),
    "no version stored": (
        _set(*VERSION, "storage", to=False),
        'spec.versions: Invalid value: [{"name":"v1"}]: must have exactly one version marked as '
        "storage version",
    ),
    "no schema": (
        _set(*VERSION, "schema", to=None),
        "spec.versions[0].schema.openAPIV3Schema: Required value",
    ),
    "another scope": (
        _set("spec", "scope", to="Global"),
        'spec.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced"',
    ),
    "a short name in capitals": (
        _set("spec", "names", "shortNames", to=["W"]),
        'spec.names.shortNames[0]: Invalid value: "W": a DNS-1035 label must consist',
    ),
    "unknown fields kept everywhere": (
        _set("spec", "preserveUnknownFields", to=True),
        "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
        "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
    ),
    "a webhook without its address": (
        _set("spec", "conversion", to={"strategy": "Webhook",
             "webhook": {"conversionReviewVersions": ["v1"]}}),
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to",
    ),
    "a column of no type": (
        _set(*VERSION, "additionalPrinterColumns", to=[{"name": "A", "jsonPath": ".spec.a"}]),
        "spec.additionalPrinterColumns[0].type: Required value: must be one of boolean,date,",
    ),
    "a scale path out of spec": (
        _set(*VERSION, "subresources", to={"scale": {
            "specReplicasPath": ".status.n", "statusReplicasPath": ".status.n"}}),
        'spec.subresources.scale.specReplicasPath: Invalid value: ".status.n": should be a json '
        "path under .spec",
    ),
    "a selectable field nobody declares": (
        _set(*VERSION, "selectableFields", to=[{"jsonPath": ".spec.x"}]),
        'spec.selectableFields[0].jsonPath: Invalid value: ".spec.x": is an invalid path: does not '
        "refer to a valid field",
    ),
    "a group of Kubernetes' own, not approved": (
        _set("spec", "group", to="x.k8s.io"),
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_definition_that_is_not_legal_is_refused(case: str) -> None:
    change, words = WRONG[case]
    obj = definition()
    change(obj)
    assert any(cause.startswith(words) for cause in said(obj)), said(obj)


def test_group_and_plural_never_change_and_scope_and_kind_not_once_established() -> None:
    old = definition()
    new = deepcopy(old)
    new["spec"]["scope"] = "Cluster"
    assert said(new, old) == []
    old["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    assert said(new, old) == ['spec.scope: Invalid value: "Cluster": field is immutable']


def test_a_stored_version_stays_until_nothing_is_stored_in_it() -> None:
    obj = definition()
    obj["status"]["storedVersions"] = ["v1", "v1beta1"]
    (cause,) = said(obj)
    assert cause.startswith('status.storedVersions[1]: Invalid value: "v1beta1": missing from spec')


def test_a_schema_is_bounded_in_depth_and_size() -> None:
    deep: Json = {"type": "object"}
    for _ in range(200):
        deep = {"type": "object", "properties": {"f": deep}}
    wide = field({"type": "object", "properties": {str(n): TEXT for n in range(40_000)}})
    cyclic: Json = {"type": "object", "properties": {}}
    cyclic["properties"]["f"] = cyclic
    for schema, words in ((deep, "deeper"), (wide, "nodes"), (cyclic, "deeper")):
        (cause,) = said(definition(schema))
        assert words in cause


def test_more_than_eight_selectable_fields_are_refused() -> None:
    names = [f"f{n}" for n in range(9)]
    spec = {"type": "object", "properties": dict.fromkeys(names, TEXT)}
    obj = definition({"type": "object", "properties": {"spec": spec}})
    fields = [{"jsonPath": f".spec.{name}"} for name in names]
    obj["spec"]["versions"][0]["selectableFields"] = fields
    assert said(obj) == ["spec.selectableFields: Too many: 9: must have at most 8 items"]


@pytest.mark.parametrize(
    "part",
    [
        "x", {"properties": [1]}, {"properties": {"a": 3}}, {"type": 5}, {"allOf": {"x": 1}},
        {"maxLength": "x"}, {"pattern": 7}, {"enum": {}}, {RULES: [1]}, {"required": 5},
        {"type": "array", "items": {"type": "array", "items": {"not": [1]}}},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", ["items", "additionalProperties"])
def test_what_is_no_schema_at_all_is_refused_and_breaks_nothing(name: str, part: Any) -> None:
    kind = "array" if name == "items" else "object"
    (cause, *_) = said(definition(field({"type": kind, name: part})))
    assert cause.startswith(f'{ROOT}: Invalid value: ""')

"""Kubernetes' protobuf form: what a Go client sends means what its JSON would mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.protobuf import MAGIC, decode, encode
from busk8s.api.scheme import RESOURCES, model_of
from busk8s.api.wire.messages import SCALARS, fields_of, message_class, message_name
from busk8s.api.wire.reading import to_json
from busk8s.api.wire.writing import fill

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "apiVersion": "apps/v1",
    "metadata": {"name": "w", "labels": {"a": "b"}, "creationTimestamp": "2026-01-02T03:04:05Z"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {},
            "spec": {
                "containers": [
                    {
                        "name": "c",
                        "image": "i",
                        "ports": [{"containerPort": 80}],
                        "resources": {"limits": {"cpu": "1"}},
                        "livenessProbe": {"httpGet": {"port": "http"}},
                    }
                ],
                "volumes": [{"name": "x", "secret": {"secretName": "s"}}],
            },
        },
        "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
    },
    "status": {},
}


def test_a_deployment_survives_the_wire() -> None:
    """Zero replicas too: a pointer to zero is not absent."""
    assert decode(encode(DEPLOYMENT)) == DEPLOYMENT


def test_empty_strings_that_go_always_writes_are_absent_in_json() -> None:
    message = message_class("core.v1.Namespace")()
    message.metadata.name = "shop"
    message.metadata.namespace = ""
    message.metadata.generateName = ""
    message.metadata.creationTimestamp.SetInParent()
    message.spec.SetInParent()
    unknown = message_class("runtime.Unknown")()
    unknown.typeMeta.apiVersion, unknown.typeMeta.kind = "v1", "Namespace"
    unknown.raw = message.SerializeToString()
    assert decode(MAGIC + unknown.SerializeToString()) == {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": "shop"},
        "spec": {},
    }


def test_bytes_are_base64_in_json() -> None:
    secret = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "s"},
        "data": {"k": "YWJj"},
        "immutable": False,
    }
    assert decode(encode(secret)) == secret


@pytest.mark.parametrize(
    "resource",
    list(RESOURCES.values()),
    ids=lambda r: f"{r.api_version} {r.kind}",
)
def test_every_field_of_every_kind_has_a_number(resource: Any) -> None:
    name = message_name(resource.api_version, resource.kind)
    assert name is not None
    numbered: set[str] = set()

    def collect(message: str) -> None:
        for field in fields_of(message):
            if field.inline:
                collect(field.type)
            else:
                numbered.add(field.name)

    collect(name)
    model = model_of(resource)
    wanted = {field.alias or key for key, field in model.model_fields.items()}
    assert wanted - {"kind", "apiVersion"} <= numbered


def of_type(name: str, depth: int) -> st.SearchStrategy[Any]:
    special = {
        "meta.v1.Time": st.sampled_from(["2026-01-02T03:04:05Z", "1999-12-31T23:59:59Z"]),
        "meta.v1.MicroTime": st.just("2026-01-02T03:04:05.000006Z"),
        "resource.Quantity": st.sampled_from(["1", "100m", "2Gi"]),
        "intstr.IntOrString": st.one_of(st.integers(-9, 9), st.sampled_from(["50%", "http"])),
        "runtime.RawExtension": st.just({"a": [1]}),
        "meta.v1.FieldsV1": st.just({"f:metadata": {}}),
        "string": st.text("abc", min_size=1, max_size=3),
        "bytes": st.sampled_from(["YWJj", "AA=="]),
        "bool": st.just(True),
        "int32": st.integers(1, 2**31 - 1),
        "int64": st.integers(1, 2**63 - 1),
        "double": st.sampled_from([1, 0.5, -2.25]),
        "apiextensions.v1.JSON": st.sampled_from([{"a": [1]}, 1, "x", [True]]),
        "apiextensions.v1.JSONSchemaPropsOrArray": st.just([{"type": "string"}]),
        "apiextensions.v1.JSONSchemaPropsOrBool": st.sampled_from([True, {"type": "string"}]),
        "apiextensions.v1.JSONSchemaPropsOrStringArray": st.just(["a"]),
    }
    if name in special:
        return special[name]
    if depth == 0:
        return st.just({})
    fields = fields_of(name)
    if [(f.name, f.label, f.type) for f in fields] == [("items", "n", "string")]:
        return st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=2)
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in fields:
        if field.inline or (not field.omitted_when_empty and not field.pointer):
            continue
        one = of_type(field.type, depth - 1)
        if field.label == "n":
            one = st.lists(one, min_size=1, max_size=2)
        elif field.label == "m":
            one = st.dictionaries(
                st.text("kl", min_size=1, max_size=2), one, min_size=1, max_size=2
            )
        optional[field.name] = one
    return st.fixed_dictionaries({}, optional=optional)


KINDS = sorted(str(message_name(r.api_version, r.kind)) for r in RESOURCES.values())
NEVER_LISTED = {
    str(message_name(r.api_version, r.kind)) + "List"
    for r in RESOURCES.values()
    if "list" not in r.verbs
}


def reachable() -> list[str]:
    """Every message inside any kind: what is deep in a kind is seldom drawn for the kind."""
    found: dict[str, None] = {}
    left = list(KINDS)
    while left:
        name = left.pop()
        if name not in found and name not in SCALARS:
            found[name] = None
            left += [field.type for field in fields_of(name)]
    return sorted(found)


@pytest.mark.parametrize("name", reachable())
@settings(max_examples=3)
@given(data=st.data())
def test_json_to_protobuf_to_json_is_the_identity_for(name: str, data: st.DataObject) -> None:
    made = data.draw(of_type(name, 2))
    if isinstance(made, dict) and name not in ("meta.v1.FieldsV1", "runtime.RawExtension"):
        again = message_class(name).FromString(fill(name, made).SerializeToString())
        assert pruned(to_json(name)(again)) == pruned(made)


def test_a_pod_with_its_token_survives_the_wire() -> None:
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ]
    volume = {"name": "v", "projected": {"sources": sources, "defaultMode": 420}}
    containers = [{"name": "c", "resources": {}}]
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "p"},
        "spec": {"volumes": [volume], "containers": containers},
        "status": {},
    }
    assert decode(encode(pod)) == pod


def test_every_list_has_its_metadata_and_items_where_all_have_them() -> None:
    """So that one frame serves for all."""
    for kind in KINDS:
        if kind + "List" not in NEVER_LISTED:
            fields = [(f.name, f.number, f.label) for f in fields_of(kind + "List")]
            assert fields == [("metadata", 1, "1"), ("items", 2, "n")], kind


DEFINITION: dict[str, Any] = {
    "kind": "CustomResourceDefinition",
    "apiVersion": "apiextensions.k8s.io/v1",
    "metadata": {"name": "x.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"plural": "x", "kind": "X"},
        "scope": "Cluster",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "$ref": "r",
                        "type": "object",
                        "properties": {
                            "a": {"type": "number", "minimum": 0, "maximum": 1.5, "default": 1},
                            "b": {"items": {"type": "string"}, "enum": ["x", None, 1]},
                            "c": {"items": [{"type": "string"}], "additionalProperties": False},
                            "d": {"additionalProperties": {"type": "string"}},
                            "e": {"dependencies": {"f": ["g"], "h": {"type": "string"}}},
                        },
                        "x-kubernetes-preserve-unknown-fields": True,
                        "x-kubernetes-validations": [{"rule": "true"}],
                    }
                },
            }
        ],
    },
}


def test_a_definition_with_schemas_that_hold_schemas_survives_the_wire() -> None:
    found = decode(encode(DEFINITION))
    assert found["spec"]["versions"] == DEFINITION["spec"]["versions"]


def test_a_custom_group_is_never_taken_for_one_of_ours() -> None:
    assert message_name("apps.example.com/v1", "Deployment") is None
    assert message_name("storage.example.k8s.io/v1", "StorageClass") is None
    assert message_name("storage.k8s.io/v1", "StorageClass") == "storage.v1.StorageClass"
    assert message_name("apps/v1", "Deployment") == "apps.v1.Deployment"


def pruned(value: Any) -> Any:
    """Without the empty structs and zeros that Go writes for fields that are never left out."""
    if isinstance(value, dict):
        kept = {key: pruned(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [], "", 0, False)}
    return [pruned(item) for item in value] if isinstance(value, list) else value


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_data_or_a_value_error(noise: bytes, enveloped: bool) -> None:
    body = MAGIC + noise if enveloped else noise
    try:
        assert isinstance(decode(body), dict)
    except ValueError:
        pass


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_message_gives_data_or_a_value_error(at: int, byte: int) -> None:
    body = bytearray(encode(DEPLOYMENT))
    body[at % len(body)] = byte
    try:
        decode(bytes(body))
    except ValueError:
        pass

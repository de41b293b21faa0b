"""Fields of custom objects are owned as their schema says."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.apply.extract import WrongType, fields_of
from busk8s.api.apply.merge import merge
from busk8s.api.custom.structural import compile_schema

Json = dict[str, Any]
TEXT = {"type": "string"}
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["port", "kind"],
                    "items": {
                        "type": "object",
                        "properties": {
                            "port": {"type": "integer"},
                            "kind": {"type": "string", "default": "web"},
                            "note": TEXT,
                        },
                    },
                },
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
                "args": {"type": "array", "items": TEXT},
                "ref": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "properties": {"a": TEXT},
                },
                "open": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"named": {"type": "array", "items": TEXT}},
                },
                "either": {"x-kubernetes-int-or-string": True},
            },
        }
    },
}
LAYOUT = compile_schema(SCHEMA).layout


def owned(**spec: Any) -> Any:
    return fields_of({"spec": spec}, LAYOUT)["f:spec"]


def test_items_of_a_list_map_are_owned_by_keys_and_keys_have_defaults() -> None:
    fields = owned(ports=[{"port": 1, "note": "x"}])["f:ports"]
    assert list(fields) == ['k:{"kind":"web","port":1}']


def test_sets_are_owned_by_value_and_atomics_as_one() -> None:
    fields = owned(tags=["a"], args=["x"], ref={"a": "b"}, either=3)
    assert fields == {"f:tags": {'v:"a"': {}}, "f:args": {}, "f:ref": {}, "f:either": {}}


def test_unknown_fields_that_are_kept_are_owned_one_by_one() -> None:
    fields = owned(open={"named": ["x"], "any": {"deep": 1}})["f:open"]
    assert fields == {"f:named": {}, "f:any": {".": {}, "f:deep": {}}}


def test_metadata_is_owned_as_everywhere() -> None:
    fields = fields_of({"metadata": {"labels": {"a": "b"}, "finalizers": ["x/y"]}}, LAYOUT)
    assert fields["f:metadata"] == {"f:labels": {"f:a": {}}, "f:finalizers": {'v:"x/y"': {}}}


def test_what_the_schema_does_not_declare_is_refused() -> None:
    with pytest.raises(WrongType, match=r"\.spec\.nope"):
        owned(nope=1)


def test_two_documents_are_merged_by_the_schema() -> None:
    live = {"spec": {"ports": [{"port": 1, "kind": "web"}], "tags": ["a"], "args": ["x"]}}
    applied = {"spec": {"ports": [{"port": 1, "note": "n"}], "tags": ["b"], "args": ["y"]}}
    assert merge(live, applied, LAYOUT)["spec"] == {
        "ports": [{"port": 1, "kind": "web", "note": "n"}],
        "tags": ["a", "b"],
        "args": ["y"],
    }

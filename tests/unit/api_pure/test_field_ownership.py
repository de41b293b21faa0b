"""Which fields an applied configuration names, by the structural type: one case a rule."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api import scheme
from busk8s.api.apply import managers
from busk8s.api.apply.compare import compare
from busk8s.api.apply.extract import WrongType, fields_of
from busk8s.api.apply.fieldset import path_text
from busk8s.api.apply.layout import Layout, layout_of
from busk8s.api.apply.managers import Owned, Writer

Json = dict[str, Any]


def layout(kind: str) -> Layout:
    [resource] = [r for r in scheme.RESOURCES.values() if r.kind == kind and r.version == "v1"]
    return layout_of(scheme.model_of(resource))


def in_pod(**spec: Any) -> Json:
    return {"spec": spec}


def in_container(**fields: Any) -> Json:
    return in_pod(containers=[{"name": "c", **fields}])


def container_fields(**fields: Any) -> Json:
    return {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, **fields}}}


@pytest.mark.parametrize(
    ("kind", "config", "fields"),
    [
        (
            "ConfigMap",
            {"metadata": {"labels": {"a": "b"}}},
            {"f:metadata": {"f:labels": {"f:a": {}}}},
        ),
        ("ConfigMap", {"data": {}}, {"f:data": {}}),
        ("ConfigMap", {"data": None, "immutable": True}, {"f:data": {}, "f:immutable": {}}),
        ("Pod", in_pod(containers=[]), {}),
        ("Pod", in_pod(tolerations=[{"key": "a"}]), {"f:spec": {"f:tolerations": {}}}),
        ("Pod", in_pod(nodeSelector={"a": "b"}), {"f:spec": {"f:nodeSelector": {}}}),
        (
            "Pod",
            in_container(ports=[{"containerPort": 80}]),
            {
                "f:spec": container_fields(
                    **{
                        "f:ports": {
                            'k:{"containerPort":80,"protocol":"TCP"}': {
                                ".": {},
                                "f:containerPort": {},
                            }
                        }
                    }
                )
            },
        ),
        (
            "Pod",
            in_container(
                env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}]
            ),
            {
                "f:spec": container_fields(
                    **{
                        "f:env": {
                            'k:{"name":"A"}': {
                                ".": {},
                                "f:name": {},
                                "f:valueFrom": {"f:configMapKeyRef": {}},
                            }
                        }
                    }
                )
            },
        ),
        (
            "ConfigMap",
            {"metadata": {"finalizers": ["a/b"], "ownerReferences": [{"uid": "1", "name": "x"}]}},
            {
                "f:metadata": {
                    "f:finalizers": {'v:"a/b"': {}},
                    "f:ownerReferences": {'k:{"uid":"1"}': {}},
                }
            },
        ),
        (
            "ControllerRevision",
            {"data": {"a": {"b": [1, None]}, "c": {}}, "revision": 1},
            {"f:data": {"f:a": {".": {}, "f:b": {}}, "f:c": {}}, "f:revision": {}},
        ),
    ],
    ids=[
        "each key of a map",
        "an empty map is owned itself",
        "a null is owned",
        "an empty list map owns nothing",
        "an atomic list is one field",
        "an atomic map is one field",
        "an item by two keys, one by its default",
        "an atomic struct is one field",
        "a set by value, atomic items by key",
        "untyped data by the keys of its maps",
    ],
)
def test_a_configuration_names_these_fields(kind: str, config: Json, fields: Json) -> None:
    assert fields_of(config, layout(kind)) == fields


OMITS = (
    'associative list with keys has an element that omits all key fields ["name"] '
    "(and doesn't have default values for any key fields)"
)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"spec": {"foo": 1}}, ".spec.foo: field not declared in schema"),
        ({"spec": 3}, ".spec: expected map, got 3"),
        (in_pod(containers={}), ".spec.containers: expected list, got {}"),
        (in_pod(containers=[{}]), f".spec.containers: element 0: {OMITS}"),
        (
            in_pod(containers=[None]),
            ".spec.containers: element 0: associative list with keys may not have a null element",
        ),
        (
            in_pod(containers=["c"]),
            ".spec.containers: element 0: associative list with keys may not have non-map elements",
        ),
        (
            in_pod(containers=[{"name": "c"}, {"name": "c"}]),
            '.spec.containers: duplicate entries for key [name="c"]',
        ),
        (
            {"metadata": {"finalizers": ["a", "a"]}},
            '.metadata.finalizers: duplicate entries for key [="a"]',
        ),
        (
            {"metadata": {"finalizers": [{}]}},
            ".metadata.finalizers: element 0: associative list without keys has an element "
            "that's a map type",
        ),
        (
            in_container(image=1, stdin="x"),
            'errors:\n  .spec.containers[name="c"].image: expected string, got 1\n'
            '  .spec.containers[name="c"].stdin: expected boolean, got "x"',
        ),
        (
            in_pod(priority="1"),
            ".spec.priority: expected numeric (int or float), got string",
        ),
        (
            in_pod(tolerations=[{"kee": "a"}]),
            ".spec.tolerations[0].kee: field not declared in schema",
        ),
        ([], "expected map, got []"),
    ],
    ids=[
        "an unknown field",
        "a scalar for a struct",
        "a map for a list",
        "an item without its key",
        "a null item",
        "a scalar for an item",
        "an item twice",
        "a value twice in a set",
        "a map in a set",
        "several findings",
        "a text for a number",
        "inside an atomic list",
        "a list for the document",
    ],
)
def test_what_does_not_fit_the_type_is_named(config: Any, said: str) -> None:
    with pytest.raises(WrongType) as caught:
        fields_of(config, layout("Pod"))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("old", "new", "written", "removed"),
    [
        (
            {},
            {"metadata": {"labels": {"a": "1"}}},
            {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}},
            {},
        ),
        ({"data": {"a": "1"}}, {"data": {"a": "2"}}, {"f:data": {"f:a": {}}}, {}),
        ({"data": {"a": "1", "b": "1"}}, {"data": {"b": "1"}}, {}, {"f:data": {"f:a": {}}}),
        ({"data": {"a": "1"}}, {}, {}, {"f:data": {".": {}, "f:a": {}}}),
        ({"data": {"a": "1"}}, {"data": {"a": "1"}}, {}, {}),
    ],
    ids=[
        "a new map with all below, in a struct that is always there",
        "a change",
        "a key less",
        "a map less",
        "nothing",
    ],
)
def test_two_documents_differ_in(old: Json, new: Json, written: Json, removed: Json) -> None:
    found = compare(old, new, layout("ConfigMap"))
    assert (found.written, found.removed) == (written, removed)


def test_paths_are_written_as_people_read_them() -> None:
    path = ("f:spec", 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"x"', "i:3", "f:a")
    assert path_text(path) == '.spec[containerPort=80,protocol="TCP"][="x"][3].a'


def test_entries_come_back_as_they_were_written() -> None:
    managed = {
        Writer("a", "Apply"): Owned({"f:x": {}}, "v1", "2027-01-01T00:00:00Z"),
        Writer("u", "Update", "v1", "status"): Owned({"f:y": {".": {}, "f:z": {}}}, "v1"),
    }
    entries = managers.write(managed)
    assert [entry["operation"] for entry in entries] == ["Apply", "Update"]
    assert managers.read(entries) == managers.read(entries, trusted=True) == managed


def test_an_item_key_is_known_however_it_is_spelled() -> None:
    entry = {
        "manager": "a",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {'k:{ "protocol": "TCP", "containerPort": 80 }': {".": {}}},
    }
    [owned] = managers.read([entry]).values()
    assert owned.fields == {'k:{"containerPort":80,"protocol":"TCP"}': {}}

"""Paths of printer columns find what kubectl would show."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.custom.jsonpath import BadPath, field_path, parse

DOCUMENT: dict[str, Any] = {
    "spec": {"replicas": 3, "a.b": "dotted", "ports": [{"n": "x", "p": 1}, {"n": "y", "p": 2}]},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Old", "status": "False", "since": 4},
        ]
    },
}

FOUND: dict[str, list[Any]] = {
    ".spec.replicas": [3],
    ".spec.nope.deeper": [],
    ".spec['a.b']": ["dotted"],
    r".spec.a\.b": ["dotted"],
    ".spec.ports[0].n": ["x"],
    ".spec.ports[-1].n": ["y"],
    ".spec.ports[9].n": [],
    ".spec.ports[*].p": [1, 2],
    ".spec.ports[0:1].p": [1],
    ".spec.ports[::2].p": [1],
    '.status.conditions[?(@.type=="Ready")].status': ["True"],
    ".status.conditions[?(@.type=='Old')].status": ["False"],
    ".status.conditions[?(@.type!='Old')].status": ["True"],
    ".status.conditions[?(@.since)].type": ["Old"],
    ".status.conditions[?(@.since>=4)].type": ["Old"],
    ".spec.ports[?(@.p<2)].n": ["x"],
    "..n": ["x", "y"],
}


@pytest.mark.parametrize("path", FOUND)
def test_a_path_finds_what_it_names(path: str) -> None:
    assert parse(path).find(DOCUMENT) == FOUND[path]


@pytest.mark.parametrize("path", [".a[", ".a[x]", ".a[?(@.b==c)]", "." + "a" * 5000])
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        parse(path)


SCHEMA = {
    "properties": {
        "spec": {
            "properties": {"a.b": {"type": "string"}, "m": {"additionalProperties": {"type": "x"}}}
        }
    }
}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".spec['a.b'", "unexpected end of JSON path"),
        (".spec.nope", "does not refer to a valid field"),
        ("spec", "expected [ or . but got: spec"),
        (".spec[a]", "expected single quoted string but got a"),
    ],
)
def test_a_path_of_fields_must_be_declared(path: str, words: str) -> None:
    with pytest.raises(BadPath) as refused:
        field_path(path, SCHEMA)
    assert str(refused.value) == words


def test_a_path_of_fields_goes_through_quoted_names_and_maps() -> None:
    assert field_path(".spec['a.b']", SCHEMA) == (("spec", "a.b"), {"type": "string"})
    assert field_path(".spec.m.any", SCHEMA)[0] == ("spec", "m", "any")

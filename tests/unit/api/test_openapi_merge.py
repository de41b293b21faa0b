"""OpenAPI v2 documents of several servers as one: what is taken, and under which names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from busk8s.api.openapi_merge import filtered, merge

GVKS = "x-kubernetes-group-version-kind"


def refers(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"$ref": f"#/definitions/{name}"}}}


def document(definitions: dict[str, Any], *paths: str, of: str = "A") -> dict[str, Any]:
    return {"paths": {path: {"get": refers(of)} for path in paths}, "definitions": definitions}


def test_only_paths_below_the_prefixes_and_what_they_need_are_taken() -> None:
    given = document(
        {"A": refers("B"), "B": refers("A"), "C": {}},
        "/apis/g/v1/x",
        "/apis/g/v2/x",
        "/apis/h/v1/x",
    )
    found = filtered(given, ["/apis/g/v1/", "/apis/h/v1/"])
    assert list(found["paths"]) == ["/apis/g/v1/x", "/apis/h/v1/x"]
    assert sorted(found["definitions"]) == ["A", "B"]


def test_what_is_alike_is_shared_and_its_kinds_are_joined() -> None:
    ours = document({"A": {"type": "object", GVKS: [{"kind": "A"}]}}, "/x")
    other = document({"A": {"type": "object", GVKS: [{"kind": "A"}, {"kind": "B"}]}}, "/y")
    merge(ours, other)
    assert ours["definitions"] == {"A": {"type": "object", GVKS: [{"kind": "A"}, {"kind": "B"}]}}
    assert sorted(ours["paths"]) == ["/x", "/y"]


def test_what_differs_gets_a_new_name_everywhere() -> None:
    ours = document({"A": {"type": "string"}, "A_v2": {"type": "integer"}}, "/x")
    before = copy.deepcopy(ours)
    other = document({"A": refers("A")}, "/x", "/y")
    merge(ours, other)
    assert ours["definitions"] == before["definitions"] | {"A_v3": refers("A_v3")}
    assert ours["paths"]["/x"] == before["paths"]["/x"]  # Our path stays ours.
    assert ours["paths"]["/y"] == {"get": refers("A_v3")}


def test_a_second_server_with_the_same_definition_shares_the_new_name() -> None:
    ours = document({"A": {"type": "string"}}, "/x")
    for path in ("/y", "/z"):
        merge(ours, document({"A": {"type": "boolean"}}, path))
    assert sorted(ours["definitions"]) == ["A", "A_v2"]
    assert ours["paths"]["/y"] == ours["paths"]["/z"] == {"get": refers("A_v2")}


@pytest.mark.parametrize("given", [None, 7, [], {}, {"paths": []}, {"paths": {}, "definitions": 1}])
def test_what_is_no_document_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="no object"):
        filtered(given, ["/"])

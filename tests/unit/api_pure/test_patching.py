"""Patches: the RFCs' own examples, strategic merge's directives, and what is shared."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from busk8s.api import scheme
from busk8s.api.patch import OPERATIONS_MAX, json_patch, merge_patch, strategic_patch
from busk8s.errors import Error

POD = scheme.model_of(scheme.RESOURCES["pods"])


@pytest.mark.parametrize(
    ("document", "patch", "wanted"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_follows_the_rfc(document: Any, patch: Any, wanted: Any) -> None:
    assert merge_patch(document, patch) == wanted


def test_merge_patch_shares_what_it_does_not_touch() -> None:
    document = {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": [{}]}}
    merged = merge_patch(document, {"metadata": {"labels": {"a": "2"}}})
    assert merged["spec"] is document["spec"]
    assert document["metadata"] == {"labels": {"a": "1"}}


@pytest.mark.parametrize(
    ("document", "operations", "wanted"),
    [
        ({}, [{"op": "add", "path": "/a", "value": 1}], {"a": 1}),
        ([1, 3], [{"op": "add", "path": "/1", "value": 2}], [1, 2, 3]),
        ([1], [{"op": "add", "path": "/-", "value": 2}], [1, 2]),
        ({"a": 1}, [{"op": "remove", "path": "/a"}], {}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
        ({"a/b": {"~": 1}}, [{"op": "replace", "path": "/a~1b/~0", "value": 2}], {"a/b": {"~": 2}}),
        ({"a": {"x": 1}}, [{"op": "move", "from": "/a/x", "path": "/y"}], {"a": {}, "y": 1}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"},
                      {"op": "add", "path": "/b/-", "value": 2}], {"a": [1], "b": [1, 2]}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": [9]}], [9]),
    ],
)  # fmt: skip
def test_json_patch_follows_the_rfc(document: Any, operations: Any, wanted: Any) -> None:
    before = deepcopy((document, operations))
    assert json_patch(document, operations) == wanted
    assert (document, operations) == before


def test_a_value_of_the_patch_is_copied_before_a_later_operation_changes_it() -> None:
    value: dict[str, int] = {}
    operations = [
        {"op": "add", "path": "/a", "value": value},
        {"op": "add", "path": "/a/b", "value": 1},
    ]
    assert json_patch({}, operations) == {"a": {"b": 1}}
    assert value == {}


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ("x", 400),
        ({}, 400),
        ([1], 400),
        ([{"op": "test", "path": "/a", "value": True}], 422),
        ([{"op": "remove", "path": "/zz"}], 422),
        ([{"op": "replace", "path": "/zz", "value": 1}], 422),
        ([{"op": "add", "path": "/zz/y", "value": 1}], 422),
        ([{"op": "add", "path": "/list/9", "value": 1}], 422),
        ([{"op": "add", "path": "/list/-1", "value": 1}], 422),
        ([{"op": "remove", "path": "/list/01x"}], 422),
        ([{"op": "add", "path": "a", "value": 1}], 422),
        ([{"op": "add", "path": "/a"}], 422),
        ([{"op": "copy", "path": "/a"}], 422),
        ([{"op": "move", "from": "/d", "path": "/d/e"}], 422),
        ([{"op": "dance", "path": "/a"}], 422),
        ([{"op": "remove", "path": ""}], 422),
        ([{"op": "test", "path": "/a", "value": 1}] * (OPERATIONS_MAX + 1), 413),
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused(operations: Any, code: int) -> None:
    with pytest.raises(Error) as raised:
        json_patch({"a": 1, "list": [1], "d": {"e": 1}}, operations)
    assert raised.value.code == code


def test_copies_that_double_a_document_are_stopped() -> None:
    operations = [{"op": "copy", "from": "", "path": f"/x{i}"} for i in range(60)]
    with pytest.raises(Error, match="rejected"):
        json_patch({"a": [1, 2, 3]}, operations)


def containers(*names: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "image": f"{name}:1"} for name in names]}}


def images(pod: dict[str, Any]) -> list[str]:
    return [each["image"] for each in pod["spec"]["containers"]]


@pytest.mark.parametrize(
    ("patched", "wanted"),
    [
        ([{"name": "b", "image": "b:2"}], ["a:1", "b:2"]),
        ([{"name": "c", "image": "c:2"}], ["c:2", "a:1", "b:1"]),
        ([{"name": "a", "$patch": "delete"}], ["b:1"]),
        ([{"name": "z", "$patch": "delete"}], ["a:1", "b:1"]),
        ([{"$patch": "replace"}, {"name": "c", "image": "c:2"}], ["c:2"]),
        ([{"name": "a", "$patch": "merge", "image": "a:2"}], ["a:2", "b:1"]),
        ([], ["a:1", "b:1"]),
    ],
    ids=["merge", "add first", "delete", "delete none", "replace all", "explicit merge", "empty"],
)
def test_a_list_of_structs_merges_by_its_key(patched: Any, wanted: list[str]) -> None:
    document = containers("a", "b")
    before = deepcopy(document)
    merged = strategic_patch(document, {"spec": {"containers": patched}}, POD)
    assert images(merged) == wanted
    assert document == before
    assert "$patch" not in str(merged)


def test_set_element_order_orders_the_named_and_keeps_the_others_place() -> None:
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            "containers": [{"name": "b", "image": "b:2"}],
        }
    }
    merged = strategic_patch(containers("s", "a", "b"), patch, POD)
    assert images(merged) == ["s:1", "b:2", "a:1"]


def test_what_the_patch_names_must_follow_its_own_order() -> None:
    patch = {
        "spec": {"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}
    }
    with pytest.raises(Error, match="doesn't match"):
        strategic_patch(containers("a", "b"), patch, POD)


def test_primitive_lists_are_sets_that_can_lose_members() -> None:
    document = {"metadata": {"finalizers": ["a/x", "b/x"]}}
    added = strategic_patch(document, {"metadata": {"finalizers": ["c/x"]}}, POD)
    assert sorted(added["metadata"]["finalizers"]) == ["a/x", "b/x", "c/x"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"]}}
    assert strategic_patch(document, patch, POD) == {"metadata": {"finalizers": ["b/x"]}}


def test_retain_keys_drops_the_other_members_of_a_union() -> None:
    document = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    volume = {"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}
    merged = strategic_patch(document, {"spec": {"volumes": [volume]}}, POD)
    assert merged == {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}}


def test_atomic_lists_are_replaced() -> None:
    document = {"spec": {"tolerations": [{"key": "a"}], "containers": []}}
    merged = strategic_patch(document, {"spec": {"tolerations": [{"key": "b"}]}}, POD)
    assert merged["spec"]["tolerations"] == [{"key": "b"}]


def test_a_map_can_be_replaced_emptied_or_lose_keys() -> None:
    document = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    lost = strategic_patch(document, {"metadata": {"labels": {"a": None}}}, POD)
    assert lost["metadata"]["labels"] == {"b": "2"}
    whole = {"metadata": {"labels": {"$patch": "replace", "c": "3"}}}
    assert strategic_patch(document, whole, POD)["metadata"]["labels"] == {"c": "3"}
    empty = {"metadata": {"labels": {"$patch": "delete"}}}
    assert strategic_patch(document, empty, POD)["metadata"]["labels"] == {}


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([], 400),
        ({"spec": {"containers": [{"name": "a", "$patch": "dance"}]}}, 400),
        ({"spec": {"containers": [{"image": "x"}]}}, 422),
        ({"spec": {"containers": ["x"]}}, 400),
        ({"spec": {"$retainKeys": "x"}}, 400),
        ({"spec": {"$setElementOrder/containers": "x"}}, 400),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}}, 400),
    ],
)
def test_a_malformed_strategic_patch_is_refused(patch: Any, code: int) -> None:
    with pytest.raises(Error) as raised:
        strategic_patch({**containers("a"), "metadata": {}}, patch, POD)
    assert raised.value.code == code

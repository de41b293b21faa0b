"""Laws of the pure API functions, over random input."""

from __future__ import annotations

import string
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api import quantity, scheme
from busk8s.api.decode import decode
from busk8s.api.fields import parse_fields
from busk8s.api.meta import format_micro_time, format_time, parse_time
from busk8s.api.patch import json_patch, merge_patch, same_json, strategic_patch
from busk8s.api.selectors import from_label_selector, parse_labels
from busk8s.errors import Error

PODS = scheme.RESOURCES["pods"]
POD = scheme.model_of(PODS)

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "b"])
keys = st.sampled_from(["a", "b", "c", "a/b", "~"])
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
no_nulls = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
)
objects = st.dictionaries(keys, no_nulls, max_size=4)

suffixes = st.sampled_from(["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-2", "e0"])
numbers = st.decimals(-(10**6), 10**6, allow_nan=False, places=3).map(lambda d: f"{d:f}")
quantities = st.builds(str.__add__, numbers, suffixes)
SCALE = {
    **{suffix: Fraction(10) ** e for suffix, e in {"n": -9, "u": -6, "m": -3, "": 0}.items()},
    **{suffix: Fraction(10) ** e for suffix, e in {"k": 3, "M": 6, "G": 9}.items()},
    **{suffix: Fraction(2) ** e for suffix, e in {"Ki": 10, "Mi": 20, "Gi": 30}.items()},
    "e3": Fraction(1000),
    "E-2": Fraction(1, 100),
    "e0": Fraction(1),
}


def refusal(act: Callable[[], object]) -> int:
    """The code `act` is refused with, 0 if it is not."""
    try:
        act()
    except Error as error:
        return error.code
    return 0


@given(numbers, suffixes)
def test_a_quantity_is_its_number_times_its_suffix(number: str, suffix: str) -> None:
    exact = Fraction(Decimal(number)) * SCALE[suffix]
    billionths = exact * 10**9
    away_from_zero = -(-abs(billionths) // 1) * (1 if exact >= 0 else -1)
    assert quantity.parse(number + suffix) == Fraction(away_from_zero, 10**9)


@given(quantities)
def test_the_canonical_text_means_the_same_and_is_its_own_canonical_text(text: str) -> None:
    canonical = quantity.canonical(text)
    assert quantity.parse(canonical) == quantity.parse(text)
    assert quantity.canonical(canonical) == canonical


@given(quantities, quantities)
def test_whole_units_keep_the_order_of_the_values(left: str, right: str) -> None:
    if quantity.parse(left) <= quantity.parse(right):
        assert quantity.value(left) <= quantity.value(right)
        assert quantity.millis(left) <= quantity.millis(right)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_the_one_error(text: str) -> None:
    assert quantity.is_quantity(text) in (True, False)


def merge_difference(old: Any, new: Any) -> Any:
    """The merge patch that makes `new` of `old`."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or not same_json(old[key], value):
            patch[key] = merge_difference(old.get(key), value)
    return patch


@given(objects, objects)
def test_the_difference_merged_in_gives_the_other(old: Any, new: Any) -> None:
    before = deepcopy(old)
    assert same_json(merge_patch(old, merge_difference(old, new)), new)
    assert same_json(old, before)


@given(objects)
def test_an_empty_patch_changes_nothing(document: Any) -> None:
    assert merge_patch(document, {}) == document
    assert json_patch(document, []) == document
    assert strategic_patch(document, {}, POD) == document


@given(objects, st.dictionaries(keys, documents, max_size=4))
def test_a_merge_patch_twice_is_a_merge_patch_once(document: Any, patch: Any) -> None:
    once = merge_patch(document, patch)
    assert same_json(merge_patch(once, patch), once)


def pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


def operations_between(old: Any, new: Any, path: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """A JSON patch that makes `new` of `old`, testing each value it replaces."""
    if same_json(old, new):
        return []
    if not isinstance(old, dict) or not isinstance(new, dict):
        here = pointer(path)
        return [
            {"op": "test", "path": here, "value": old},
            {"op": "replace", "path": here, "value": new},
        ]
    operations = [{"op": "remove", "path": pointer((*path, k))} for k in old if k not in new]
    for key, value in new.items():
        if key not in old:
            operations.append({"op": "add", "path": pointer((*path, key)), "value": value})
        else:
            operations += operations_between(old[key], value, (*path, key))
    return operations


@given(objects, objects)
def test_the_operations_between_two_documents_lead_from_one_to_the_other(
    old: Any, new: Any
) -> None:
    before = deepcopy(old)
    assert same_json(json_patch(old, operations_between(old, new)), new)
    assert same_json(old, before)


operation = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"])},
    optional={
        "path": st.sampled_from(["", "/a", "/a/b", "/a/0", "/a/-", "/b/1", "a", "/c/a~1b"]),
        "from": st.sampled_from(["", "/a", "/b", "/a/0"]),
        "value": documents,
    },
)


@given(documents, st.lists(operation, max_size=6))
def test_any_operations_give_a_document_or_a_refusal_and_change_neither_input(
    document: Any, operations: Any
) -> None:
    before = deepcopy((document, operations))
    assert refusal(lambda: json_patch(document, operations)) in (0, 400, 413, 422)
    assert (document, operations) == before


names = st.sampled_from("abcd")
containers = st.lists(
    st.fixed_dictionaries({"name": names}, optional={"image": st.sampled_from(["x", "y"])}),
    unique_by=lambda container: container["name"],
    max_size=4,
)


def strategic_difference(old: list[Any], new: list[Any]) -> dict[str, Any]:
    """What kubectl sends: an order, the changed, the gone."""
    gone = {each["name"] for each in old} - {each["name"] for each in new}
    patch = [{"name": name, "$patch": "delete"} for name in sorted(gone)]
    patch += [{"image": None, **each} for each in new]
    order = [{"name": each["name"]} for each in new]
    return {"spec": {"containers": patch, "$setElementOrder/containers": order}}


@given(containers, containers)
def test_a_strategic_difference_leads_from_one_list_to_the_other(old: Any, new: Any) -> None:
    document = {"spec": {"containers": old}}
    before = deepcopy(document)
    merged = strategic_patch(document, strategic_difference(old, new), POD)
    assert merged["spec"]["containers"] == new
    assert document == before


directives = st.sampled_from(["$patch", "$retainKeys", "$setElementOrder/containers", "containers"])
wild = st.recursive(
    scalars | st.sampled_from(["delete", "replace", "merge"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(directives | keys | st.just("name"), inner, max_size=4)
    ),
)


@given(containers, st.dictionaries(directives | st.just("volumes"), wild, max_size=4))
def test_any_strategic_patch_gives_a_document_or_a_refusal(old: Any, patch: Any) -> None:
    document = {"spec": {"containers": old}}
    before = deepcopy(document)
    assert refusal(lambda: strategic_patch(document, {"spec": patch}, POD)) in (0, 400, 422)
    assert document == before


labels = st.dictionaries(names, st.sampled_from(["", "x", "y"]), max_size=4)
expression = st.tuples(
    names,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=2),
)


def oracle(wanted: dict[str, str], terms: list[Any], held: dict[str, str]) -> bool:
    """What the API reference says, as slowly as it says it."""
    for key, value in wanted.items():
        if key not in held or held[key] != value:
            return False
    for key, operator, values in terms:
        held_in = key in held and held[key] in values
        if operator == "In" and not held_in:
            return False
        if operator == "NotIn" and held_in:
            return False
        if operator == "Exists" and key not in held:
            return False
        if operator == "DoesNotExist" and key in held:
            return False
    return True


@given(labels, st.lists(expression, max_size=3), labels)
def test_a_selector_struct_and_its_text_select_what_the_reference_says(
    wanted: dict[str, str], terms: list[Any], held: dict[str, str]
) -> None:
    struct = {
        "matchLabels": wanted,
        "matchExpressions": [
            {"key": key, "operator": operator, "values": values if "In" in operator else []}
            for key, operator, values in terms
        ],
    }
    selector = from_label_selector(struct)
    assert selector.matches(held) is oracle(wanted, terms, held)
    assert parse_labels(str(selector)).matches(held) is selector.matches(held)


@given(st.text(string.ascii_letters + " ,=!()<>-./\\", max_size=20))
def test_any_text_is_a_selector_or_a_bad_request(text: str) -> None:
    assert refusal(lambda: parse_labels(text)) in (0, 400)
    assert refusal(lambda: parse_fields(text)) in (0, 400)


media_types = ["", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"]


@given(st.binary(max_size=40), st.sampled_from(media_types))
def test_any_bytes_are_a_document_or_a_refusal(body: bytes, content_type: str) -> None:
    code = refusal(lambda: decode(PODS, body, content_type, "Strict"))
    assert code in (0, 400, 413, 415)


pod_like = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.dictionaries(st.sampled_from(["name", "labels", "finalizers"]), documents),
        "spec": st.dictionaries(st.sampled_from(["containers", "volumes", "nodeName"]), documents),
        "a": documents,
    },
)


@given(pod_like)
def test_decoding_what_was_decoded_changes_nothing(document: Any) -> None:
    try:
        once, _ = decode(PODS, orjson.dumps(document), "application/json", "Warn")
    except Error:
        return
    assert decode(PODS, orjson.dumps(once), "application/json", "Strict") == (once, [])


@given(st.floats(0, 4e9))
def test_times_are_read_back_to_their_precision(now: float) -> None:
    assert parse_time(format_time(now)) == int(now)
    assert abs(parse_time(format_micro_time(now)) - now) < 2e-6

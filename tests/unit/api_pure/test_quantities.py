"""Quantities: one value, one canonical text."""

from __future__ import annotations

import pytest

from busk8s.api import quantity

CANONICAL = {
    "1000m": "1",
    "0.1": "100m",
    "0.5": "500m",
    "1.5": "1500m",
    ".5": "500m",
    "5.": "5",
    "+1": "1",
    "-1.5": "-1500m",
    "100": "100",
    "1000": "1k",
    "1500": "1500",
    "1024Ki": "1Mi",
    "1.5Gi": "1536Mi",
    "128Mi": "128Mi",
    "1024Gi": "1Ti",
    "0.5Ki": "512",
    "1.1Ki": "1126400m",
    "1023Ki": "1023Ki",
    "1e3": "1e3",
    "1E3": "1e3",
    "12e2": "1200",
    "1E": "1E",
    "100E": "100E",
    "1e-3": "1e-3",
    "0": "0",
    "0Gi": "0",
    "0e9": "0",
    "1n": "1n",
    "1u": "1u",
    "0.1n": "1n",
    "-0.1n": "-1n",
    "8Ei": "9223372036854775807",
    "99999999999999999999": "9223372036854775807",
}


@pytest.mark.parametrize(("text", "wanted"), CANONICAL.items(), ids=CANONICAL)
def test_a_quantity_has_one_text_in_its_notation(text: str, wanted: str) -> None:
    assert quantity.canonical(text) == wanted
    assert quantity.canonical(wanted) == wanted


def test_numbers_of_json_are_quantities_too() -> None:
    assert quantity.canonical(2) == "2"
    assert quantity.canonical(1.5) == "1500m"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "quantities must match the regular expression"),
        ("a", "quantities must match the regular expression"),
        ("1 Gi", "quantities must match the regular expression"),
        ("1Gib", "quantities must match the regular expression"),
        ("1.1.1", "unable to parse numeric part of quantity"),
        (".", "unable to parse numeric part of quantity"),
        ("1mm", "unable to parse quantity's suffix"),
        ("1e", "unable to parse quantity's suffix"),
        ("1K", "unable to parse quantity's suffix"),
        ("９", "quantities must match the regular expression"),
    ],
)
def test_what_is_no_quantity_is_refused_in_upstream_words(text: str, message: str) -> None:
    with pytest.raises(quantity.QuantityError, match=message):
        quantity.canonical(text)
    assert not quantity.is_quantity(text)


def test_slivers_count_as_whole_units() -> None:
    assert quantity.value("1m") == 1
    assert quantity.value("-1m") == -1
    assert quantity.millis("1u") == 1
    assert quantity.millis("2") == 2000


def test_resource_lists_are_no_finer_than_thousandths() -> None:
    assert quantity.rounded_to_millis("1u") == "1m"
    assert quantity.rounded_to_millis("1500u") == "2m"
    assert quantity.rounded_to_millis("0.1") == "100m"


@pytest.mark.parametrize("text", ["1e1000000000", "1e-1000000000", "1e" + "9" * 400, "9" * 4000])
def test_absurd_numbers_cost_nothing(text: str) -> None:
    quantity.canonical(text)


def test_a_sum_is_written_in_the_notation_asked_for() -> None:
    total = quantity.nanos("512Mi") + quantity.nanos("1.5Gi")
    assert quantity.render(total, "Mi") == "2Gi"
    assert quantity.render(quantity.nanos("900m") + quantity.nanos("100m")) == "1"

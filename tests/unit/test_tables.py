"""Tables: the texts cells share, the columns, and the Table around the rows."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api import scheme
from busk8s.api.tables import table as tables
from busk8s.api.tables.column import first_few, human_duration, labels_text, selector_text

Json = dict[str, Any]
META: Json = {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}
NOW = 1767225600.0 + 2 * 86400  # two days later


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-1, "0s"), (-0.5, "0s"), (0, "0s"), (119.9, "119s"), (120, "2m"),
        (150, "2m30s"), (599, "9m59s"), (600, "10m"), (10799, "179m"), (10800, "3h"),
        (11100, "3h5m"), (28800, "8h"), (172799, "47h"), (172800, "2d"), (176400, "2d1h"),
        (691200, "8d"), (63071999, "729d"), (63072000, "2y"), (63158400, "2y1d"),
        (252288000, "8y"), (400000000, "12y"),
    ],
)  # fmt: skip
def test_human_duration(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@given(st.floats(min_value=0, max_value=1e10))
def test_human_duration_is_never_longer_than_two_units(seconds: float) -> None:
    text = human_duration(seconds)
    assert 1 <= sum(letter.isalpha() for letter in text) <= 2


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, "<none>"),
        ({}, "<none>"),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (
            {
                "matchExpressions": [
                    {"key": "z", "operator": "In", "values": ["y", "x"]},
                    {"key": "w", "operator": "NotIn", "values": ["v"]},
                    {"key": "e", "operator": "Exists"},
                    {"key": "d", "operator": "DoesNotExist"},
                ]
            },
            "!d,e,w notin (v),z in (x,y)",
        ),
    ],
    ids=["none", "empty", "labels", "expressions"],
)
def test_selector_text(selector: Json | None, text: str) -> None:
    assert selector_text(selector) == text


def test_short_texts() -> None:
    assert labels_text({}) == "<none>"
    assert first_few(["a", "b", "c"]) == "a,b,c"
    assert first_few(["a", "b", "c", "d"]) == "a,b,c + 1 more..."


OBJECT: Json = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": META, "data": {"k": "v"}}


@pytest.mark.parametrize(
    ("include", "kind"),
    [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "ConfigMap")],
)
def test_a_table_carries_as_much_of_the_object_as_asked(include: Any, kind: str | None) -> None:
    table = tables.table(
        scheme.CONFIGMAPS, [OBJECT], NOW, include_object=include, metadata={"resourceVersion": "7"}
    )
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert table["metadata"] == {"resourceVersion": "7"}
    (row,) = table["rows"]
    assert row["cells"] == ["x", 1, "2d"]
    assert row.get("object", {}).get("kind") == kind


def test_columns_say_which_are_wide_and_which_is_the_name() -> None:
    definitions = {c["name"]: c for c in tables.columns(scheme.PODS)}
    assert definitions["Name"]["format"] == "name"
    assert [name for name, c in definitions.items() if c["priority"] == 1] == [
        "IP", "Node", "Nominated Node", "Readiness Gates",
    ]  # fmt: skip
    assert {c["name"]: c["type"] for c in tables.columns(scheme.REPLICASETS)}[
        "Desired"
    ] == "integer"


def test_two_thousand_pods_are_printed_in_a_moment() -> None:
    container = {"name": "a", "state": {"running": {}}, "ready": True, "restartCount": 0}
    pod = {
        "metadata": META,
        "spec": {"containers": [{"name": "a"}], "nodeName": "n"},
        "status": {
            "phase": "Running",
            "containerStatuses": [container],
            "podIPs": [{"ip": "1.1.1.1"}],
        },
    }
    begin = time.process_time()
    tables.table(scheme.PODS, [pod] * 2000, NOW)
    assert time.process_time() - begin < 0.3  # 0.02 s on a quiet machine

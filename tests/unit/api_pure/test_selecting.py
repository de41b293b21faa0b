"""Label and field selectors: grammar, meaning, refusals."""

from __future__ import annotations

import pytest

from busk8s.api import scheme
from busk8s.api.fields import check_fields, match_fields, parse_fields
from busk8s.api.selectors import EVERYTHING, NOTHING, from_label_selector, parse_labels
from busk8s.errors import Error

WEB = {"app": "web", "tier": "front", "weight": "5"}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("other!=x", True),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("!app", False),
        ("app in (web,db)", True),
        ("app in (db)", False),
        ("other in (a)", False),
        ("app notin (db)", True),
        ("other notin (a)", True),
        ("app notin (web)", False),
        ("weight>4", True),
        ("weight<5", False),
        ("app>4", False),
        ("app=web,tier in (front),!gone", True),
        (" app = web , tier = front ", True),
        ("app=", False),
        ("app in (,web)", True),
    ],
)
def test_a_selector_selects_by_labels(text: str, selected: bool) -> None:
    assert parse_labels(text).matches(WEB) is selected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=", "found '=', expected: !, identifier, or 'end of string'"),
        ("a b", "found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,", "found '', expected: identifier after ','"),
        ("a in b", "found 'b' expected: '('"),
        ("a in (b", "found '', expected: ',' or ')'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a>b", "for 'Gt', 'Lt' operators, the value must be an integer"),
        ("a=-", "a valid label must be an empty string or consist of alphanumeric characters"),
        ("-=x", "name part must consist of alphanumeric characters"),
    ],
)
def test_a_bad_selector_is_a_bad_request(text: str, message: str) -> None:
    with pytest.raises(Error) as raised:
        parse_labels(text)
    assert raised.value.code == 400
    of_one = message.startswith("found") and message.endswith(("string'", "after ','"))
    assert raised.value.message.startswith("unable to parse requirement: ") is not of_one
    assert message in raised.value.message


def test_an_empty_set_is_the_empty_value() -> None:
    selector = parse_labels("a in ()")
    assert selector.matches({"a": ""})
    assert not selector.matches({"a": "b"})
    assert not selector.matches({})


def test_no_struct_selects_nothing_and_an_empty_one_everything() -> None:
    assert from_label_selector(None) is NOTHING
    assert from_label_selector({}) is EVERYTHING
    assert not NOTHING.matches(WEB)
    assert EVERYTHING.matches(None)


def test_a_struct_means_all_of_its_terms() -> None:
    selector = from_label_selector({
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front", "back"]},
            {"key": "gone", "operator": "DoesNotExist"},
        ],
    })  # fmt: skip
    assert selector.matches(WEB)
    assert not selector.matches({"app": "web", "tier": "none"})
    assert str(selector) == "app=web,tier in (back,front),!gone"


def test_a_struct_with_a_made_up_operator_is_refused() -> None:
    with pytest.raises(Error, match='"Near" is not a valid label selector operator'):
        from_label_selector({"matchExpressions": [{"key": "a", "operator": "Near"}]})


POD = {
    "metadata": {"name": "p", "namespace": "n"},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]},
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("metadata.name=p", True),
        ("spec.nodeName=n1,status.phase!=Failed", True),
        ("spec.nodeName==n2", False),
        ("spec.hostNetwork=false", True),
        ("spec.restartPolicy=", True),
        ("status.podIPs=10.0.0.1", True),
        ("", True),
    ],
)
def test_pods_are_selected_by_fields(text: str, selected: bool) -> None:
    requirements = parse_fields(text)
    check_fields(scheme.RESOURCES["pods"], requirements)
    assert match_fields(requirements, POD) is selected


def test_commas_and_equals_signs_can_be_escaped() -> None:
    assert parse_fields(r"reason=a\,b\=c\\") == [("reason", "=", "a,b=c\\")]


def test_events_are_selected_by_what_reported_them() -> None:
    assert match_fields(parse_fields("source=kubelet"), {"source": {"component": "kubelet"}})


@pytest.mark.parametrize(
    ("resource", "text", "message"),
    [
        ("pods", "spec.foo=1", "field label not supported: spec.foo"),
        (
            "configmaps",
            "data.a=1",
            '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("pods", "spec", "invalid selector: 'spec'; can't understand 'spec'"),
    ],
)
def test_other_fields_are_refused_by_name(resource: str, text: str, message: str) -> None:
    with pytest.raises(Error) as raised:
        check_fields(scheme.RESOURCES[resource], parse_fields(text))
    assert (raised.value.code, raised.value.message) == (400, message)

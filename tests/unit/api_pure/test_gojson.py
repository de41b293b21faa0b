"""What is said of bodies that are no JSON, as the parser upstream uses says it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.gojson import END, summary, syntax_error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", END),
        (b"  ", END),
        (b"{", END),
        (b'{"a', END),
        (b"[1,", END),
        (b"tru", END),
        (b"1.", END),
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b"\xff", "invalid character '\\xff' looking for beginning of value"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"{} {}", "invalid character '{' after top-level value"),
        (b'"a\nb"', "invalid character '\\n' in string literal"),
        (b'"\\q"', "invalid character 'q' in string escape code"),
        (b'"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
        (b"trap", "invalid character 'a' in literal true (expecting 'u')"),
        (b"-x", "invalid character 'x' in numeric literal"),
        (b"01", "invalid character '1' after top-level value"),
        (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
        (b"1e+x", "invalid character 'x' in exponent of numeric literal"),
        (b"'a'", "invalid character '\\'' looking for beginning of value"),
    ],
)
def test_the_first_byte_at_fault_is_named(body: bytes, message: str) -> None:
    assert syntax_error(body) == message


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_JSON, st.sampled_from([None, 1]))
def test_what_is_json_has_no_error(value: object, indent: int | None) -> None:
    assert syntax_error(json.dumps(value, indent=indent).encode()) == ""


@given(st.binary(max_size=40) | st.text(alphabet='{}[]:,"tfn0-1.e\\u ', max_size=20))
def test_what_is_refused_has_a_message(body: bytes | str) -> None:
    raw = body.encode() if isinstance(body, str) else body
    try:
        json.loads(raw.decode("latin-1"), parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        assert syntax_error(raw) != ""
    else:
        assert syntax_error(raw) == ""


def test_a_deep_body_costs_no_recursion() -> None:
    assert syntax_error(b"[" * 1_000_000) == END


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", "<empty>"),
        (b'{"a":', '{"a":'),
        (b'{"apiVersion": "v1", "kind": "ConfigMap"', '{"apiVersion": "v1", "kind": " ...'),
        (b"[]", "5b5d"),
    ],
)
def test_an_answer_repeats_the_beginning_of_a_body(body: bytes, shown: str) -> None:
    assert summary(body) == shown

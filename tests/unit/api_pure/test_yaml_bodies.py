"""YAML that means harm costs its sender a refusal, and the server next to nothing."""

from __future__ import annotations

import pytest

from busk8s.api.yamlbody import NESTING_MAX, YamlError, parse

DEEP = 200_000
# Our own words, or those of a PyYAML that counts too (from 6.0.4 on).
TOO_DEEP = "too deep|maximum nesting depth"


def bomb(first: str, row: str, rows: int) -> bytes:
    """Each of `rows` anchors refers nine times to the one before."""
    lines = [first]
    lines += [
        row.format(n=number, nine=", ".join([f"*a{number - 1}"] * 9)) for number in range(1, rows)
    ]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        # These ended the process: libyaml composes by recursion in C.
        pytest.param(b'{"a":' * DEEP + b"1" + b"}" * DEEP, TOO_DEEP, id="deep maps"),
        pytest.param(b"[" * DEEP, TOO_DEEP, id="deep lists that never end"),
        pytest.param(b"- " * DEEP + b"x", TOO_DEEP, id="deep lists on one line"),
        pytest.param(b"? " * DEEP + b"x", TOO_DEEP, id="deep keys"),
        pytest.param(("[" * DEEP).encode("utf-16"), TOO_DEEP, id="deep lists in UTF-16"),
        pytest.param(
            b"".join(b" " * n + b"a:\n" for n in range(2 * NESTING_MAX)),
            TOO_DEEP,
            id="deep blocks",
        ),
        # These would have filled the memory.
        pytest.param(bomb("a0: &a0 [x]", "a{n}: &a{n} [{nine}]", 12), "aliasing", id="aliases"),
        pytest.param(b"&a [*a]", "recursion", id="a list of itself"),
        # These were internal errors.
        pytest.param(b"a: " + b"9" * 5_000, "digits", id="a number of 5,000 digits"),
        pytest.param(b'a: !!int ""', "index", id="an integer without digits"),
        pytest.param(b"a: !!bool maybe", "maybe", id="a truth value that is none"),
        pytest.param(b"a: !!timestamp never", "NoneType", id="a time that is none"),
        pytest.param(b"a: .inf", "JSON: inf", id="a number that JSON has not"),
        pytest.param(b"!!set {a, b}", "JSON: set", id="a set"),
        pytest.param(b"!!python/object/apply:os.system [x]", "constructor", id="a call"),
    ],
)
def test_hostile_yaml_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(YamlError, match=said):
        parse(body, [])


def test_merges_of_merges_are_refused_or_stay_small() -> None:
    """Up to PyYAML 6.0.3 a key is merged once for each mention, later once in all."""
    body = bomb("a0: &a0 {x: 1, y: 2}", "a{n}: &a{n}\n  <<: [{nine}]", 12)
    refused, parsed = False, None
    try:
        parsed = parse(body, [])
    except YamlError:
        refused = True
    assert refused or parsed == {f"a{number}": {"x": 1, "y": 2} for number in range(12)}


def test_many_brackets_that_nest_no_deeper_are_no_offence() -> None:
    assert parse(b"a: [" + b"[1], " * 5_000 + b"]", []) == {"a": [[1]] * 5_000}
    assert parse(b'a: "' + b"[" * 5_000 + b'"', []) == {"a": "[" * 5_000}
    assert parse(b"a: |\n" + b" " * 2_000 + b"x", []) == {"a": "x"}


def test_a_lone_equals_sign_is_a_string() -> None:
    assert parse(b"enum:\n- =\n- =~\n", []) == {"enum": ["=", "=~"]}

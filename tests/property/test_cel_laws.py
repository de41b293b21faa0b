"""Our evaluation of CEL against that of the library whose parser it uses."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.cel import types
from busk8s.api.cel.errors import CelError, CelEvalError
from busk8s.api.cel.program import Budget, compile

VALUES: dict[str, Any] = {
    "i": 7, "j": -3, "d": 2.5, "s": "abcab", "b": True, "l": [3, 1, 2], "m": {"k": 1, "z": -1},
}  # fmt: skip
TYPES = {
    "i": types.INT,
    "j": types.INT,
    "d": types.DOUBLE,
    "s": types.STRING,
    "b": types.BOOL,
    "l": types.list_of(types.INT),
    "m": types.map_of(types.INT),
}
_ints = st.sampled_from(
    ["i", "j", "0", "1", "5", "9223372036854775807", "size(s)", "l[0]", "l[9]", "m.k"]
)
_texts = st.sampled_from(["s", "'ab'", "''", "string(i)", "string(d)", "s + 'x'"])
_tests = st.sampled_from(["startsWith", "endsWith", "contains", "matches"])
_lists = st.sampled_from(["l", "[1, 2]", "l.map(x, x * 2)", "l.filter(x, x > 1)", "l + [i]"])


def _of_ints(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, inner, st.sampled_from("+-*/%"), inner)


def _of_bools(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    ints = st.recursive(_ints, _of_ints, max_leaves=4)
    signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return st.one_of(
        st.builds("({} {} {})".format, ints, signs, ints),
        st.builds("({} {} {})".format, _texts, signs, _texts),
        st.builds("({} == {})".format, _lists, _lists),
        st.builds("({} in {})".format, ints, _lists),
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||", "==", "!="]), inner),
        st.builds("(!{})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds(
            "{}.{}(x, (x {} {}) || {})".format,
            _lists,
            st.sampled_from(["all", "exists", "exists_one"]),
            signs,
            ints,
            inner,
        ),
        st.builds("{}.{}({})".format, _texts, _tests, st.sampled_from(["'a'", "'ab'", "s"])),
    )


EXPRESSIONS = st.recursive(
    st.sampled_from(["b", "true", "false", "has(m.k)", "has(m.q)"]), _of_bools, max_leaves=6
)


def ours(text: str) -> Any:
    try:
        return compile(text, TYPES).evaluate(VALUES, Budget())
    except (CelError, CelEvalError):
        return "error"


def theirs(text: str) -> Any:
    from cel_expr_python import cel

    kinds = cel.Type
    variables = {
        "i": kinds.INT, "j": kinds.INT, "d": kinds.DOUBLE, "s": kinds.STRING, "b": kinds.BOOL,
        "l": kinds.List(kinds.INT), "m": kinds.Map(kinds.STRING, kinds.INT),
    }  # fmt: skip
    try:
        found = cel.NewEnv(variables=variables).compile(text).eval(data=VALUES)
    except RuntimeError:
        return "error"
    return found.value() if found.type() == kinds.BOOL else "error"


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_an_expression_means_what_it_means_to_the_library(text: str) -> None:
    assert ours(text) == theirs(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("abij.()[]{}'\"+-*/%<>=!&|?:,0159 lms\\\n\x00é"), max_size=40))
def test_any_text_gives_a_program_or_an_error_of_its_own(text: str) -> None:
    try:
        compile(text, TYPES).evaluate(VALUES, Budget())
    except (CelError, CelEvalError):
        pass

"""Regular expressions: matches, find, findAll, in time linear in the text (RE2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from busk8s.api.cel.errors import CelEvalError
from busk8s.api.cel.library.standard import tenth
from busk8s.api.cel.signatures import Overload, declare
from busk8s.api.cel.values import size_of

PATTERNS_MAX = 256  # compiled patterns remembered
PATTERN_MEMORY = 1 << 20  # bytes that RE2 may use for one


@lru_cache(maxsize=PATTERNS_MAX)
def compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        why = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise CelEvalError(f"error parsing regexp: {why}") from None


def _matches(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


def _find(text: str, pattern: str) -> str:
    found = compiled(pattern).search(text)
    return "" if found is None else str(found[0])


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    made: list[str] = []
    for found in compiled(pattern).finditer(text):
        if 0 <= most <= len(made):
            break
        made.append(found[0])
    return made


def cost(values: Sequence[Any], _: Any) -> int:
    return tenth(1 + size_of(values[0])) * ((size_of(values[1]) + 3) // 4)


OVERLOADS: tuple[Overload, ...] = (
    declare("matches::string,string -> bool", _matches, cost, "matches"),
    declare(".matches::string,string -> bool", _matches, cost, "matches"),
    declare(".find::string,string -> string", _find, cost),
    declare(".findAll::string,string -> list(string)", _find_all, cost),
    declare(".findAll::string,string,int -> list(string)", _find_all, cost),
)

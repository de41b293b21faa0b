"""Label selectors: the text of `labelSelector=` and the `LabelSelector` struct, compiled.

Owns      the grammar of the text form and what a selector matches.
Leaves    field selectors (fields.py), which labels objects carry.
Invariant a LabelSelector never changes and holds only legal keys and values.
Source    apimachinery pkg/labels; the API reference, "Labels and Selectors".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from busk8s.api.fields import match_fields, parse_fields
from busk8s.api.meta import label_value_errors, qualified_name_errors
from busk8s.errors import bad_request

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "LabelSelector",
    "Requirement",
    "from_label_selector",
    "match_fields",
    "parse_fields",
    "parse_labels",
]

# Controllers and watches ask with the same few selectors again and again.
CACHE_ENTRIES = 1024
_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!<>(),]|[^ \t\r\n=!<>(),]+)")
_SYMBOLS = frozenset(("==", "!=", "=", "!", "<", ">", "(", ")", ",", ""))
_EXPRESSION_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Requirement:
    """`operator` is one of `=`, `!=`, `in`, `notin`, `exists`, `!`, `gt`, `lt`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        if not _NUMBER.fullmatch(value):
            return False
        if self.operator == "gt":
            return int(value) > int(self.values[0])
        return int(value) < int(self.values[0])

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{self.values[0]}"
        return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True)
class LabelSelector:
    """All of `requirements` hold; `never` marks the selector that selects nothing."""

    requirements: tuple[Requirement, ...] = ()
    never: bool = False

    @cached_property
    def _equal(self) -> tuple[tuple[str, str], ...] | None:
        """Plain equalities, by far the common case, are compared without any dispatch."""
        if self.never or any(r.operator != "=" for r in self.requirements):
            return None
        return tuple((r.key, r.values[0]) for r in self.requirements)

    @property
    def everything(self) -> bool:
        return not self.requirements and not self.never

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        labels = labels or {}
        equal = self._equal
        if equal is None:
            return not self.never and all(r.matches(labels) for r in self.requirements)
        return all(labels.get(key) == value for key, value in equal)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(never=True)


@lru_cache(CACHE_ENTRIES)
def parse_labels(text: str) -> LabelSelector:
    """The selector in a `labelSelector` query; BadRequest in upstream's words."""
    try:
        requirements = _Parser(text).parse()
    except _SelectorError as error:
        raise bad_request(str(error)) from None
    ordered = sorted(requirements, key=lambda requirement: requirement.key)
    return LabelSelector(tuple(ordered)) if ordered else EVERYTHING


def from_label_selector(selector: Mapping[str, Any] | None) -> LabelSelector:
    """The compiled form of a `LabelSelector` struct: None selects nothing, {} everything."""
    if selector is None:
        return NOTHING
    labels = selector.get("matchLabels") or {}
    requirements = [_requirement(key, "=", (labels[key],)) for key in sorted(labels)]
    for expression in selector.get("matchExpressions") or ():
        name = expression.get("operator", "")
        operator = _EXPRESSION_OPERATORS.get(name)
        if operator is None:
            raise bad_request(f'"{name}" is not a valid label selector operator')
        values = tuple(expression.get("values") or ())
        requirements.append(_requirement(expression.get("key", ""), operator, values))
    return LabelSelector(tuple(requirements)) if requirements else EVERYTHING


class _SelectorError(ValueError):
    """What the parser says; becomes a BadRequest at the public functions."""


def _requirement(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    try:
        return _checked(key, operator, values)
    except _SelectorError as error:
        raise bad_request(str(error)) from None


def _checked(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    if errors := qualified_name_errors(key):
        raise _SelectorError(f'key: Invalid value: "{key}": {"; ".join(errors)}')
    if operator in ("in", "notin") and not values:
        raise _SelectorError(
            "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
        )
    if operator in ("exists", "!") and values:
        raise _SelectorError(
            "values: Invalid value: "
            f"{_shown(values)}: values set must be empty for exists and does not exist"
        )
    for index, value in enumerate(values):
        if operator in ("gt", "lt") and not _NUMBER.fullmatch(value):
            raise _SelectorError(
                f'values[{index}]: Invalid value: "{value}": '
                "for 'Gt', 'Lt' operators, the value must be an integer"
            )
        if errors := label_value_errors(value):
            raise _SelectorError(
                f'values[{index}][{key}]: Invalid value: "{value}": {"; ".join(errors)}'
            )
    return Requirement(key, operator, values)


def _shown(values: tuple[str, ...]) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]"


class _Parser:
    """Recursive descent over the tokens of one selector text."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def parse(self) -> list[Requirement]:
        requirements: list[Requirement] = []
        if self._peek() == "":
            return requirements
        if not self._is_key(self._peek()):
            raise _SelectorError(
                f"found '{self._peek()}', expected: !, identifier, or 'end of string'"
            )
        while True:
            try:
                requirements.append(self._one())
            except _SelectorError as error:
                raise _SelectorError(f"unable to parse requirement: {error}") from None
            token = self._next()
            if token == "":
                return requirements
            if token != ",":
                raise _SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            if not self._is_key(self._peek()):
                raise _SelectorError(f"found '{self._peek()}', expected: identifier after ','")

    def _one(self) -> Requirement:
        operator = "exists"
        key = self._next()
        if key == "!":
            operator, key = "!", self._next()
        if key in _SYMBOLS:
            raise _SelectorError(f"found '{key}', expected: identifier")
        if errors := qualified_name_errors(key):
            raise _SelectorError(f'key: Invalid value: "{key}": {"; ".join(errors)}')
        if operator == "!" or self._peek() in ("", ","):
            return _checked(key, operator, ())
        return self._compared(key)

    def _compared(self, key: str) -> Requirement:
        match self._next():
            case "=" | "==":
                return _checked(key, "=", (self._exact(),))
            case "!=":
                return _checked(key, "!=", (self._exact(),))
            case ">":
                return _checked(key, "gt", (self._exact(),))
            case "<":
                return _checked(key, "lt", (self._exact(),))
            case "in" | "notin" as operator:
                return _checked(key, operator, self._values())
            case token:
                raise _SelectorError(f"found '{token}', expected: {_OPERATORS}")

    def _exact(self) -> str:
        token = self._peek()
        if token in ("", ","):
            return ""
        if token in _SYMBOLS:
            raise _SelectorError(f"found '{token}', expected: identifier")
        return self._next()

    def _values(self) -> tuple[str, ...]:
        if (token := self._next()) != "(":
            raise _SelectorError(f"found '{token}' expected: '('")
        found: dict[str, None] = {}
        while True:
            token = self._next()
            if token == ")":
                return tuple(found) or ("",)  # `()` is the empty value, as upstream reads it.
            if token == ",":
                found[""] = None
            elif token in _SYMBOLS:
                raise _SelectorError(f"found '{token}', expected: ',', ')' or identifier")
            else:
                found[token] = None
                if self._peek() not in (",", ")"):
                    raise _SelectorError(f"found '{self._peek()}', expected: ',' or ')'")
                if self._peek() == ",":
                    self._next()
                    if self._peek() == ")":
                        found[""] = None

    def _is_key(self, token: str) -> bool:
        return token == "!" or token not in _SYMBOLS

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

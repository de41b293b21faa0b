"""JSON paths of custom resources: printer columns, scale, selectable fields, rules' fieldPath.

Owns      the paths columns use (`.spec.a`, `['x']`, `[0]`, `[*]`, slices, `..`, filters) and
          finding what they name; strict paths of fields that a schema declares.
Leaves    how a column shows what is found (tables), scale and selectors (the API server).
Invariant parsing and finding are bounded; what does not exist is nothing, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Json = dict[str, Any]
PATHS_KEPT = 2048
PATH_LENGTH_MAX = 4096
# A recursive descent visits whole documents; more than this is cut.
VISITED_MAX = 10_000

_FILTER = re.compile(
    r"""\?\(\s*@(?P<path>[^=!<>\s)]*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>.+?))?\s*\)\s*""",
    re.S,
)
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+))?\s*")
_NAME = re.compile(r"(?:[^.\[\\]|\\.)+")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class BadPath(ValueError):
    """The path cannot be read, or names what the schema does not declare."""


_Step = Callable[[Any], Iterator[Any]]


@dataclass(frozen=True, slots=True)
class JsonPath:
    text: str
    steps: tuple[_Step, ...]

    def find(self, document: Any) -> list[Any]:
        """All values the path names, in document order."""
        found = [document]
        for step in self.steps:
            found = [each for value in found for each in step(value)][:VISITED_MAX]
        return found


@lru_cache(PATHS_KEPT)
def parse(text: str) -> JsonPath:
    """Raises BadPath. `text` is as in a CustomResourceDefinition: `.spec.replicas`."""
    if len(text) > PATH_LENGTH_MAX:
        raise BadPath(f"the path is longer than {PATH_LENGTH_MAX} characters")
    steps: list[_Step] = []
    at = 1 if text.startswith("$") else 0
    while at < len(text):
        if text.startswith("..", at):
            steps.append(_descend)
            at += 2
            if at < len(text) and text[at] != "[":
                at = _name(text, at, steps)
        elif text[at] == ".":
            at += 1
            if at < len(text) and text[at] not in ".[":
                at = _name(text, at, steps)
        elif text[at] == "[":
            end = _closing(text, at)
            steps.append(_bracket(text[at + 1 : end].strip()))
            at = end + 1
        else:
            at = _name(text, at, steps)
    return JsonPath(text, tuple(steps))


def _name(text: str, at: int, steps: list[_Step]) -> int:
    found = _NAME.match(text, at)
    if found is None:
        raise BadPath(f"unexpected {text[at:]!r}")
    name = re.sub(r"\\(.)", r"\1", found[0])
    steps.append(_every if name == "*" else _field(name))
    return found.end()


def _closing(text: str, at: int) -> int:
    depth, quote = 0, ""
    for here in range(at, len(text)):
        each = text[here]
        if quote:
            quote = "" if each == quote and text[here - 1] != "\\" else quote
        elif each in "'\"":
            quote = each
        elif each == "[":
            depth += 1
        elif each == "]":
            depth -= 1
            if depth == 0:
                return here
    raise BadPath("unterminated array")


def _bracket(text: str) -> _Step:
    if text == "*":
        return _every
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return _field(re.sub(r"\\(.)", r"\1", text[1:-1]))
    if found := _FILTER.fullmatch(text):
        return _filter(parse(found["path"]), found["op"], _literal(found["value"]))
    if re.fullmatch(r"-?\d+", text):
        return _slice(int(text), None, None, single=True)
    if found := _SLICE.fullmatch(text):
        first, last, stride = (int(each) if each else None for each in found.groups())
        return _slice(first, last, stride)
    raise BadPath(f"invalid array index {text}")


def _field(name: str) -> _Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _descend(value: Any) -> Iterator[Any]:
    pending, visited = [value], 0
    while pending and visited < VISITED_MAX:
        here = pending.pop()
        visited += 1
        yield here
        inner = [each for each in _every(here) if isinstance(each, dict | list)]
        pending += reversed(inner)


def _slice(
    first: int | None, last: int | None, stride: int | None, *, single: bool = False
) -> _Step:
    def step(value: Any) -> Iterator[Any]:
        if not isinstance(value, list):
            return
        if single:
            index = first or 0
            if -len(value) <= index < len(value):
                yield value[index]
        elif stride is None or stride > 0:
            yield from value[first:last:stride]

    return step


def _filter(path: JsonPath, operator: str | None, wanted: Any) -> _Step:
    def step(value: Any) -> Iterator[Any]:
        if not isinstance(value, list):
            return
        for each in value:
            found = path.find(each)
            if found and (operator is None or _holds(found[0], operator, wanted)):
                yield each

    return step


def _literal(text: str | None) -> Any:
    if not text:
        return None
    if text[0] in "'\"" and text[-1] == text[0] and len(text) > 1:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text or "e" in text else int(text)
    except ValueError:
        raise BadPath(f"invalid filter operand {text}") from None


def _holds(left: Any, operator: str, right: Any) -> bool:
    if operator == "==":
        return bool(type(left) is type(right) and left == right)
    if operator == "!=":
        return not (type(left) is type(right) and left == right)
    if isinstance(left, bool) or not isinstance(left, str | int | float):
        return False
    if isinstance(left, str) is not isinstance(right, str) or isinstance(right, bool | None):
        return False
    order: dict[str, Callable[[Any, Any], bool]] = {
        "<": lambda a, b: a < b,
        ">": lambda a, b: a > b,
        "<=": lambda a, b: a <= b,
        ">=": lambda a, b: a >= b,
    }
    return order[operator](left, right)


def field_path(text: str, schema: Json, *, arrays: bool = True) -> tuple[tuple[str, ...], Json]:
    """The names a strict path (`.spec.a['b.c']`) goes through, and the schema it ends at.

    Raises BadPath, in upstream's words, if the schema declares no such field.
    """
    names: list[str] = []
    tokens = _tokens(text)
    for token in tokens:
        if token == "." and (name := next(tokens, None)) is not None:
            pass
        elif token == "[":
            if not arrays:
                raise BadPath("array notation is not allowed")
            name = _quoted_name(tokens)
        elif token == ".":
            raise BadPath("unexpected end of JSON path")
        else:
            raise BadPath(f"expected [ or . but got: {token}")
        schema = _declared(schema, name)
        names.append(name)
    return tuple(names), schema


def _tokens(text: str) -> Iterator[str]:
    return iter(re.findall(r"[.\[\]]|'(?:[^'\\]|\\.)*'|[^.\[\]]+", text))


def _quoted_name(tokens: Iterator[str]) -> str:
    token = next(tokens, None)
    if token is None:
        raise BadPath("unexpected end of JSON path")
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise BadPath(f"expected single quoted string but got {token}")
    closing = next(tokens, None)
    if closing is None:
        raise BadPath("unexpected end of JSON path")
    if closing != "]":
        raise BadPath(f"expected ] but got {closing}")
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token[1:-1])


def _declared(schema: Json, name: str) -> Json:
    properties, additional = schema.get("properties"), schema.get("additionalProperties")
    if properties:
        if name not in properties:
            raise BadPath("does not refer to a valid field")
        found = properties[name]
    elif isinstance(additional, dict):
        found = additional
    else:
        raise BadPath("does not refer to a valid field")
    assert isinstance(found, dict)
    return found

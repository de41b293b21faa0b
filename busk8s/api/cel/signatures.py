"""What functions there are: names, parameter and result types, what they do and what they cost.

Owns      Overload, and reading declarations written as `string.startsWith(string) -> bool`.
Leaves    the functions (library/*).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from busk8s.api.cel import types
from busk8s.api.cel.types import CelType
from busk8s.api.cel.values import type_of

Cost = Callable[[Sequence[Any], Any], int]  # of arguments and result


@dataclass(frozen=True, slots=True)
class Overload:
    function: str
    member: bool
    params: tuple[CelType, ...]
    result: CelType
    call: Callable[..., Any]
    cost: Cost | None = None  # None: one unit
    identity: str = ""  # upstream's id, where cost depends on it

    def accepts(self, values: Sequence[Any]) -> bool:
        return all(_takes(p, v) for p, v in zip(self.params, values, strict=True))


def _takes(param: CelType, value: Any) -> bool:
    if param.kind in ("dyn", "param"):
        return True
    of = type_of(value)
    if param.kind == "opaque":
        return of.kind == "opaque" and of.name == param.name
    return of.kind == param.kind


_SIMPLE = {
    t.kind: t
    for t in (
        types.BOOL, types.INT, types.UINT, types.DOUBLE, types.STRING, types.BYTES, types.DYN,
        types.NULL, types.TIMESTAMP, types.DURATION,
    )
}  # fmt: skip


def read_type(text: str) -> CelType:
    text = text.strip()
    if text in _SIMPLE:
        return _SIMPLE[text]
    if len(text) == 1 and text.isupper():
        return CelType("param", (), text)
    head, _, rest = text.partition("(")
    if not rest:
        return CelType("type") if head == "type" else types.opaque(head)
    params = tuple(read_type(p) for p in _split(rest[:-1]))
    if head in ("list", "map", "type"):
        return CelType(head, params)
    return CelType("opaque", params, "optional_type" if head == "optional" else head)


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
    return [part for part in [*parts, text[start:]] if part.strip()]


def declare(
    signature: str, call: Callable[..., Any], cost: Cost | None = None, identity: str = ""
) -> Overload:
    head, _, result = signature.partition(" -> ")
    name, _, params = head.partition("::")
    member = name.startswith(".")
    return Overload(
        name.removeprefix("."),
        member,
        tuple(read_type(p) for p in _split(params)),
        read_type(result),
        call,
        cost,
        identity,
    )


Table = Mapping[tuple[str, bool], tuple[Overload, ...]]


@cache
def table() -> Table:
    from busk8s.api.cel.library import authz, lists, network, others, regexes, standard, strings

    found: dict[tuple[str, bool], list[Overload]] = {}
    for module in (standard, strings, lists, regexes, network, others, authz):
        for one in module.OVERLOADS:
            found.setdefault((one.function, one.member), []).append(one)
    return {key: tuple(all_of) for key, all_of in found.items()}

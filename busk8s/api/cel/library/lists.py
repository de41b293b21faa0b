"""Kubernetes' list functions, those of the language's list library, and sets.

Invariant elements that cannot be compared are an error, and no comparison is free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from busk8s.api.cel.errors import CelEvalError, CostExceeded, no_overload
from busk8s.api.cel.folds import MADE_MAX
from busk8s.api.cel.signatures import Cost, Overload, declare
from busk8s.api.cel.values import Duration, Timestamp, Uint, equal, size_of

_ORDERED = (bool, int, Uint, float, str, bytes, Timestamp, Duration)


def traversal(value: Any) -> int:
    """What going through a whole value costs."""
    if isinstance(value, (str, bytes)):
        return len(value) // 10
    if isinstance(value, list):
        return sum(map(traversal, value))
    if isinstance(value, dict):
        return sum(traversal(k) + traversal(v) for k, v in value.items())
    return 1


def _through(values: Sequence[Any], _: Any) -> int:
    return traversal(values[0])


def _by_size(values: Sequence[Any], _: Any) -> int:
    return 1 + size_of(values[0])


def _by_sizes(values: Sequence[Any], _: Any) -> int:
    return 1 + size_of(values[0]) * size_of(values[1])


def _comparable(items: list[Any]) -> list[Any]:
    numbers = all(type(i) in (int, Uint, float) for i in items)
    if (
        items
        and not numbers
        and not (type(items[0]) in _ORDERED and all(type(i) is type(items[0]) for i in items))
    ):
        raise no_overload()
    return items


def _is_sorted(items: list[Any]) -> bool:
    _comparable(items)
    return all(a <= b for a, b in pairwise(items))


def _sum(items: list[Any]) -> Any:
    if not items:
        return 0
    if all(type(i) is Duration for i in items):
        return Duration(_fits(sum(map(int, items))))
    if all(type(i) is Uint for i in items):
        return Uint(sum(items))
    if not all(type(i) in (int, float) for i in items):
        raise no_overload()
    total = sum(items)
    return _fits(total) if type(total) is int else total


def _fits(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise CelEvalError("integer overflow")
    return value


def _extreme(name: str, of: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    def find(items: list[Any]) -> Any:
        if not items:
            raise CelEvalError(f"{name} called on empty list")
        return of(_comparable(items))

    return find


def _index_of(items: list[Any], value: Any) -> int:
    return next((at for at, item in enumerate(items) if equal(item, value)), -1)


def _last_index_of(items: list[Any], value: Any) -> int:
    backwards = range(len(items) - 1, -1, -1)
    return next((at for at in backwards if equal(items[at], value)), -1)


def _includes(items: list[Any], value: Any) -> bool:
    return any(equal(item, value) for item in items)


# ---- the language's list library ----


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise CelEvalError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise CelEvalError(
            f"cannot slice({start}, {end}), start index must be less than or equal to end index"
        )
    if end > len(items):
        raise CelEvalError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise CelEvalError("level must be non-negative")
    made: list[Any] = []
    for item in items:
        if isinstance(item, list) and depth > 0:
            made.extend(_flatten(item, depth - 1) if depth > 1 else item)
        else:
            made.append(item)
        if len(made) > MADE_MAX:
            raise CostExceeded("operation cancelled: actual cost limit exceeded")
    return made


def _range(count: int) -> list[int]:
    if count > MADE_MAX:
        raise CostExceeded("operation cancelled: actual cost limit exceeded")
    return list(range(max(0, count)))


def _by_result(_: Sequence[Any], found: Any) -> int:
    return 1 + size_of(found)


def _distinct(items: list[Any]) -> list[Any]:
    made: list[Any] = []
    seen: set[Any] = set()
    for item in items:
        if isinstance(item, (str, int, bytes)) and not isinstance(item, bool):
            if item in seen:
                continue
            seen.add(item)
        elif any(equal(item, other) for other in made):
            continue
        made.append(item)
    return made


def _by_square(values: Sequence[Any], _: Any) -> int:
    return 1 + size_of(values[0]) ** 2


def _sort(items: list[Any]) -> list[Any]:
    return sorted(_comparable(items))


# ---- sets ----


def _contains(a: list[Any], b: list[Any]) -> bool:
    return all(_includes(a, item) for item in b)


def _equivalent(a: list[Any], b: list[Any]) -> bool:
    return _contains(a, b) and _contains(b, a)


def _intersects(a: list[Any], b: list[Any]) -> bool:
    return any(_includes(b, item) for item in a)


def _twice_sizes(values: Sequence[Any], _: Any) -> int:
    return 1 + 2 * size_of(values[0]) * size_of(values[1])


_SORTABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_SUMMABLE = ("int", "uint", "double", "duration")


def _by_element(
    name: str, result: str, call: Callable[..., Any], of: Sequence[str]
) -> list[Overload]:
    return [declare(f".{name}::list({t}) -> {result.replace('T', t)}", call, _through) for t in of]


def _pair(name: str, call: Callable[..., Any], cost: Cost) -> Overload:
    return declare(f"{name}::list(A),list(A) -> bool", call, cost)


OVERLOADS: tuple[Overload, ...] = (
    *_by_element("isSorted", "bool", _is_sorted, _SORTABLE),
    *_by_element("sum", "T", _sum, _SUMMABLE),
    *_by_element("min", "T", _extreme("min", min), _SORTABLE),
    *_by_element("max", "T", _extreme("max", max), _SORTABLE),
    declare(".indexOf::list(A),A -> int", _index_of, _through),
    declare(".lastIndexOf::list(A),A -> int", _last_index_of, _through),
    declare(".includes::list(A),A -> bool", _includes, _through),
    declare(".slice::list(A),int,int -> list(A)", _slice, _by_result),
    declare(".flatten::list(list(A)) -> list(A)", _flatten, _by_result),
    declare(".flatten::list(dyn),int -> list(dyn)", _flatten, _by_result),
    declare("lists.range::int -> list(int)", _range, _by_result),
    declare(".distinct::list(A) -> list(A)", _distinct, _by_square),
    declare(".reverse::list(A) -> list(A)", lambda items: items[::-1], _by_size),
    *(declare(f".sort::list({t}) -> list({t})", _sort, _by_square) for t in _SORTABLE),
    declare(".first::list(A) -> optional(A)", lambda items: _maybe(items, 0)),
    declare(".last::list(A) -> optional(A)", lambda items: _maybe(items, -1)),
    _pair("sets.contains", _contains, _by_sizes),
    _pair("sets.equivalent", _equivalent, _twice_sizes),
    _pair("sets.intersects", _intersects, _by_sizes),
)


def _maybe(items: list[Any], at: int) -> Any:
    from busk8s.api.cel.values import NONE, Optional

    return Optional(True, items[at]) if items else NONE

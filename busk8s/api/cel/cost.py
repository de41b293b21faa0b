"""What an expression can cost at most, before it has ever run.

Owns      sizes and costs as ranges, what each node adds, Kubernetes' functions, upstream's limits.
Leaves    what evaluation really costs (plan), how many objects a rule runs for (its schema).
Invariant the estimate needs no value; where a schema bounds nothing it is as large as it can be.
Source    cel-go's checker costs and the Kubernetes libraries' estimates: the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from busk8s.api.cel.check import Checked
from busk8s.api.cel.program import Program
from busk8s.api.cel.tree import Call, Const, Fold, Ident, ListOf, MapOf, Node, Select, Struct
from busk8s.api.cel.types import REQUEST_BYTES_MAX, CelType

EXPRESSION_LIMIT = 10_000_000  # of one rule of a definition, times how often it can run
DEFINITION_LIMIT = 100_000_000  # of all rules of one version together
MOST = 2**64 - 1
_TENTH, _QUARTER = 0.1, 0.25
_SCALARS = frozenset(("bool", "int", "uint", "double", "timestamp", "duration", "null"))


class Range(NamedTuple):
    """Of sizes or of costs."""

    low: int
    high: int

    def plus(self, other: Range) -> Range:
        return Range(_capped(self.low + other.low), _capped(self.high + other.high))

    def times(self, other: Range) -> Range:
        return Range(_capped(self.low * other.low), _capped(self.high * other.high))

    def scaled(self, factor: float) -> Range:
        return Range(_scaled(self.low, factor), _scaled(self.high, factor))

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))


def _capped(value: int) -> int:
    return min(value, MOST)


def _scaled(value: int, factor: float) -> int:
    return MOST if value >= MOST else _capped(math.ceil(round(value * factor, 6)))


ZERO, ONE, ANY = Range(0, 0), Range(1, 1), Range(0, MOST)


def estimate(program: Program) -> int:
    """The most that one evaluation can cost."""
    return _Coster(program.checked).cost(program.checked.root).high


def runs_at_most(of: CelType) -> int:
    """How many values of a type one request has room for, where nothing bounds their number."""
    return REQUEST_BYTES_MAX // (of.size_min_json + 1)


def times(cost: int, runs: int) -> int:
    return _capped(cost * runs)


@dataclass(slots=True)
class _Entry:
    """Sizes of the keys and values of a list or map that is made."""

    key: Range
    value: Range


class _Coster:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._sizes: dict[Node, Range] = {}
        self._entries: dict[Node, _Entry] = {}
        self._locals: dict[str, list[Range | None]] = {}

    def cost(self, node: Node) -> Range:
        return self._COST[type(node)](self, node)

    # ---- sizes ----

    def _known(self, node: Node) -> Range | None:
        if node in self._sizes:
            return self._sizes[node]
        match node:
            case Const(value=str() | bytes() as value):
                return Range(len(value), len(value))
            case Const():
                return ONE
            case ListOf(elements=items):
                return Range(len(items), len(items))
            case MapOf(entries=entries):
                return Range(len(entries), len(entries))
            case Ident(name=name) if self._locals.get(name):
                size = self._locals[name][-1]
                if size is not None:
                    return size
        return _size_of(self._checked.types[node])

    def _size(self, node: Node) -> Range:
        return self._known(node) or ANY

    # ---- nodes ----

    def _const(self, _: Const) -> Range:
        return ZERO

    def _ident(self, _: Ident) -> Range:
        return ONE

    def _select(self, node: Select) -> Range:
        below = self.cost(node.operand) if node not in self._checked.names else ZERO
        if node.test:
            return below
        kind = self._checked.types[node.operand].kind if node.operand in self._checked.types else ""
        return below.plus(ONE if kind in ("map", "object", "param") else ZERO)

    def _list(self, node: ListOf) -> Range:
        total, item = Range(10, 10), None
        for element in node.elements:
            total = total.plus(self.cost(element))
            size = self._size(element)
            item = size if item is None else item.union(size)
        self._entries[node] = _Entry(ONE, item or ZERO)
        return total

    def _map(self, node: MapOf) -> Range:
        total, key_size, value_size = Range(30, 30), None, None
        for key, value, _ in node.entries:
            total = total.plus(self.cost(key)).plus(self.cost(value))
            sizes = self._size(key), self._size(value)
            key_size = sizes[0] if key_size is None else key_size.union(sizes[0])
            value_size = sizes[1] if value_size is None else value_size.union(sizes[1])
        self._entries[node] = _Entry(key_size or ZERO, value_size or ZERO)
        return total

    def _struct(self, node: Struct) -> Range:
        total = Range(40, 40)
        for _, value, _ in node.entries:
            total = total.plus(self.cost(value))
        return total

    def _fold(self, node: Fold) -> Range:
        total = self.cost(node.range).plus(self.cost(node.init))
        self._push(node.accu, self._known(node.init))
        entry, listed = (
            self._entries.get(node.range),
            self._checked.types[node.range].kind == "list",
        )
        names = [node.var, *([node.var2] if node.var2 else [])]
        for at, name in enumerate(names):
            by_key = at == 0 and (bool(node.var2) or not listed)
            self._push(name, None if entry is None else entry.key if by_key else entry.value)
        turn = self.cost(node.condition).plus(self.cost(node.step))
        for name in names:
            self._locals[name].pop()
        total = total.plus(self.cost(node.result))
        self._locals[node.accu].pop()
        if isinstance(node.init, Const):
            self._sizes[node] = self._size(node.init)
        elif isinstance(node.init, (ListOf, MapOf)):
            self._sizes[node] = self._size(node.range)
            if node.step in self._entries:
                self._entries[node] = self._entries[node.step]
        if isinstance(node.condition, Const) and node.condition.value is False:
            self._take_over(node, node.result)  # a binding: nothing is gone through
            return total
        return total.plus(self._size(node.range).times(turn))

    def _push(self, name: str, size: Range | None) -> None:
        self._locals.setdefault(name, []).append(size)

    def _take_over(self, node: Node, of: Node) -> None:
        size = self._known(of)
        if size is not None:
            self._sizes[node] = size
        if of in self._entries:
            self._entries[node] = self._entries[of]

    def _call(self, node: Call) -> Range:
        special = self._SPECIAL.get(node.function)
        target = node.target if node not in self._checked.names else None
        given = ([target] if target is not None else []) + node.args
        costs = [self.cost(arg) for arg in given]
        if special is not None and target is None:
            return special(self, node, costs)
        total = ZERO
        for one in costs:
            total = total.plus(one)
        name = self._checked.names.get(node, node.function)
        known = _FUNCTIONS.get(name)
        if known is None:
            return total.plus(ONE)
        element: Range | None = None
        if given and self._checked.types[given[0]].kind == "list":
            element = self._element(given[0])
        cost, size = known([self._size(arg) for arg in given], element)
        if size is not None:
            self._sizes[node] = size
        return total.plus(cost)

    def _element(self, node: Node) -> Range:
        """The size of an element, where going through it costs by its size."""
        of = self._checked.types[node].params[0]
        if of.kind not in ("string", "bytes"):
            return ZERO
        entry = self._entries.get(node)
        return entry.value if entry is not None else _size_of(of) or ANY

    def _logic(self, _: Call, costs: Sequence[Range]) -> Range:
        return Range(costs[0].low, costs[0].plus(costs[1]).high)

    def _conditional(self, node: Call, costs: Sequence[Range]) -> Range:
        yes, no = node.args[1], node.args[2]
        self._sizes[node] = self._size(yes).union(self._size(no))
        if yes in self._entries and no in self._entries:
            first, second = self._entries[yes], self._entries[no]
            self._entries[node] = _Entry(
                first.key.union(second.key), first.value.union(second.value)
            )
        elif yes in self._entries or no in self._entries:
            self._entries[node] = self._entries[yes if yes in self._entries else no]
        return costs[0].plus(costs[1].union(costs[2]))

    def _compared(self, node: Call, costs: Sequence[Range]) -> Range:
        """By the shorter side, where sides have a length."""
        kinds = {self._checked.types[arg].kind for arg in node.args}
        total = costs[0].plus(costs[1])
        if node.function not in ("_==_", "_!=_") and not kinds & {"string", "bytes", "dyn"}:
            return total.plus(ONE)
        least = min(self._size(node.args[0]).high, self._size(node.args[1]).high)
        return total.plus(Range(min(1, least), least).scaled(_TENTH))

    def _add(self, node: Call, costs: Sequence[Range]) -> Range:
        total, kind = costs[0].plus(costs[1]), self._checked.types[node].kind
        if kind not in ("string", "bytes", "list", "dyn"):
            return total.plus(ONE)
        size = self._size(node.args[0]).plus(self._size(node.args[1]))
        self._sizes[node] = size
        entries = [self._entries[arg] for arg in node.args if arg in self._entries]
        if entries:
            self._entries[node] = entries[-1]
        return total.plus(ONE if kind == "list" else size.scaled(_TENTH))

    def _member(self, node: Call, costs: Sequence[Range]) -> Range:
        total = costs[0].plus(costs[1])
        if self._checked.types[node.args[1]].kind == "map":
            return total.plus(ONE)
        return total.plus(self._size(node.args[1]))

    def _index(self, node: Call, costs: Sequence[Range]) -> Range:
        entry = self._entries.get(node.args[0])
        if entry is not None:
            self._sizes[node] = entry.value
        return costs[0].plus(costs[1]).plus(ONE)

    def _dyn(self, node: Call, costs: Sequence[Range]) -> Range:
        self._take_over(node, node.args[0])
        return costs[0].plus(ONE)

    _COST: dict[type[Node], Callable[..., Range]] = {  # noqa: RUF012
        Const: _const,
        Ident: _ident,
        Select: _select,
        Call: _call,
        ListOf: _list,
        MapOf: _map,
        Struct: _struct,
        Fold: _fold,
    }
    _SPECIAL: dict[str, Callable[[_Coster, Call, Sequence[Range]], Range]] = {  # noqa: RUF012
        "_&&_": _logic,
        "_||_": _logic,
        "_?_:_": _conditional,
        **dict.fromkeys(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"), _compared),
        "_+_": _add,
        "@in": _member,
        "_[_]": _index,
        "dyn": _dyn,
    }


def _size_of(of: CelType) -> Range | None:
    if of.size_max is not None:
        return Range(0, of.size_max)
    if of.kind in _SCALARS:
        return ONE
    if of.name == "optional_type" and of.params and of.params[0].kind in _SCALARS:
        return ONE
    return None


# ---- functions: of the sizes of their arguments, and of the elements of the first ----

_Answer = tuple[Range, Range | None]
_Estimate = Callable[[Sequence[Range], Range | None], _Answer]


def _through(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return sizes[0].scaled(_TENTH), sizes[0]


def _read(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return sizes[0].scaled(_TENTH), None


def _read_twice(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return sizes[0].scaled(2 * _TENTH), Range(0, sizes[0].high)


def _by_argument(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return sizes[1].scaled(_TENTH), None


def _contains(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return sizes[0].scaled(_TENTH).times(sizes[1].scaled(_TENTH)), None


def _regex(sizes: Sequence[Range], _: Range | None) -> _Answer:
    text = sizes[0].plus(ONE).scaled(_TENTH)
    return text.times(sizes[1].scaled(_QUARTER)), Range(0, sizes[0].high)


def _elements(sizes: Sequence[Range], element: Range | None) -> _Answer:
    if element is None:  # of a string
        return sizes[0].scaled(_TENTH), None
    return sizes[0].times(ONE.plus(element.scaled(_TENTH))), None


def _replace(sizes: Sequence[Range], _: Range | None) -> _Answer:
    text, old, new = sizes[0], sizes[1], sizes[2]
    if old.low == 0:
        longest = _capped(_capped(text.high + 1) * new.high + text.high)
    elif new.high <= old.low:
        longest = text.high
    else:
        longest = _capped(math.ceil(text.high / old.low) * new.high)
    return text.scaled(2 * _TENTH), Range(0, longest)


def _join(sizes: Sequence[Range], element: Range | None) -> _Answer:
    made = sizes[0].times(element or ANY)
    if len(sizes) > 1:
        gaps = Range(max(0, sizes[0].low - 1), max(0, sizes[0].high - 1))
        made = made.plus(sizes[1].times(gaps))
    return made.scaled(_TENTH), made


def _to_bytes(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return sizes[0].scaled(_TENTH), Range(sizes[0].low, _capped(sizes[0].high * 4))


def _quoted(sizes: Sequence[Range], _: Range | None) -> _Answer:
    high = _capped(sizes[0].high * 2 + 2)
    return sizes[0].scaled(_TENTH), Range(sizes[0].low + 2, high)


def _check(_: Sequence[Range], __: Range | None) -> _Answer:
    return Range(350_000, 350_000), None


def _selector(sizes: Sequence[Range], _: Range | None) -> _Answer:
    terms = sizes[1].scaled(0.5).scaled(50)
    return Range(10, 10).plus(sizes[1].scaled(_TENTH)).plus(terms), None


def _validate(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return sizes[1].scaled(_TENTH).scaled(32), None


def _cidr_of(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return Range(1, 4).plus(sizes[1].scaled(_TENTH)).plus(Range(1, 3)), None


def _sets(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return ONE.plus(sizes[0].times(sizes[1])), None


def _sets_twice(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return ONE.plus(sizes[0].times(sizes[1]).scaled(2)), None


def _copied(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return ONE.plus(sizes[0]), sizes[0]


def _squared(sizes: Sequence[Range], _: Range | None) -> _Answer:
    return ONE.plus(sizes[0].times(sizes[0])), sizes[0]


_FUNCTIONS: dict[str, _Estimate] = {
    **dict.fromkeys(
        ("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf", "includes"), _elements
    ),
    **dict.fromkeys(
        ("url", "jsonpatch.escapeKey", "lowerAscii", "upperAscii", "substring", "trim"), _through
    ),
    **dict.fromkeys(
        (
            "isURL", "cidr", "isIP", "isCIDR", "ip", "quantity", "isQuantity", "semver", "isSemver",
            "format", "string",
        ),
        _read,
    ),
    **dict.fromkeys(("startsWith", "endsWith"), _by_argument),
    **dict.fromkeys(("matches", "find", "findAll"), _regex),
    **dict.fromkeys(("split", "ip.isCanonical"), _read_twice),
    **dict.fromkeys(("fieldSelector", "labelSelector"), _selector),
    **dict.fromkeys(("containsIP", "containsCIDR"), _cidr_of),
    **dict.fromkeys(("sets.contains", "sets.intersects"), _sets),
    **dict.fromkeys(("distinct", "sort"), _squared),
    **dict.fromkeys(("reverse", "slice"), _copied),
    "sets.equivalent": _sets_twice,
    "contains": _contains,
    "replace": _replace,
    "join": _join,
    "bytes": _to_bytes,
    "strings.quote": _quoted,
    "check": _check,
    "validate": _validate,
}  # fmt: skip

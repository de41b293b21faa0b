"""Comprehensions: the loops behind all, exists, map, filter and their like.

Owns      the state of one evaluation, and loops with the costs of the loops they stand for.
Leaves    which macro became which loop (tree, the library's parser).
Invariant every turn of a loop costs, and the limit is looked at in every turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from busk8s.api.cel.errors import CelEvalError, CostExceeded, no_overload
from busk8s.api.cel.tree import Call, Const, Fold, Ident, ListOf, MapOf, Node

MADE_MAX = 1_000_000  # elements of a list or map that an expression makes


class State:
    """One evaluation under way: `values` of variables, `slots` of loops, what it has cost."""

    __slots__ = ("cost", "limit", "slots", "values")

    def __init__(self, values: Mapping[str, Any], limit: int) -> None:
        self.values, self.limit, self.cost = values, limit, 0
        self.slots: dict[int, Any] = {}


Step = Callable[[State], Any]


def exceeded() -> CostExceeded:
    return CostExceeded("operation cancelled: actual cost limit exceeded")


class Planner(Protocol):
    scopes: list[dict[str, int]]

    def of(self, node: Node) -> Step: ...

    def slot(self) -> int: ...


def plan_fold(planner: Planner, node: Fold) -> Step:
    over, init = planner.of(node.range), planner.of(node.init)
    accu, first, second = planner.slot(), planner.slot(), planner.slot()
    planner.scopes.append({node.accu: accu})
    names = {node.var: first, **({node.var2: second} if node.var2 else {})}
    planner.scopes.append(names)
    loop = _quantifier(planner, node) or _collector(planner, node) or _generic(planner, node, accu)
    planner.scopes.pop()
    result = planner.of(node.result)
    planner.scopes.pop()
    pairs = bool(node.var2)

    def step(s: State) -> Any:
        ranged = over(s)
        s.slots[accu] = init(s)
        s.slots[accu] = loop(s, accu, _turns(s, ranged, first, second, pairs))
        return result(s)

    return step


Loop = Callable[[State, int, Iterable[None]], Any]


def _turns(s: State, ranged: Any, first: int, second: int, pairs: bool) -> Iterable[None]:
    """Once for each element, with the loop's variables set; the limit is looked at each time."""
    slots = s.slots
    if isinstance(ranged, dict):
        items: Iterable[tuple[Any, Any]] = list(ranged.items())
    elif isinstance(ranged, list):
        items = enumerate(ranged)
    else:
        raise no_overload()
    by_key = pairs or isinstance(ranged, dict)
    for key, value in items:
        slots[first] = key if by_key else value
        if pairs:
            slots[second] = value
        if s.cost > s.limit:
            raise exceeded()
        yield


def _is_accu(node: Node, fold: Fold) -> bool:
    return isinstance(node, Ident) and node.name == fold.accu


def _quantifier(planner: Planner, node: Fold) -> Loop | None:
    """all and exists: one element may decide, whatever errors others are."""
    condition, body = node.condition, node.step
    if not isinstance(condition, Call) or condition.function != "@not_strictly_false":
        return None
    if not isinstance(body, Call) or len(body.args) != 2 or not _is_accu(body.args[0], node):
        return None
    decisive = body.function == "_||_"
    test, turn_cost = planner.of(body.args[1]), 4 if decisive else 3

    def loop(s: State, _accu: int, turns: Iterable[None]) -> Any:
        wrong: CelEvalError | None = None
        for _ in turns:
            s.cost += turn_cost
            try:
                found = test(s)
            except CostExceeded:
                raise
            except CelEvalError as error:
                wrong = error
                continue
            if found is decisive:
                return decisive
            if type(found) is not bool:
                wrong = no_overload()
        if wrong is not None:
            raise wrong
        return not decisive

    return loop


def _collector(planner: Planner, node: Fold) -> Loop | None:
    """map, filter and transform*: what grows is grown in place."""
    condition, body = node.condition, node.step
    if not isinstance(condition, Const) or condition.value is not True:
        return None
    test: Step | None = None
    if isinstance(body, Call) and body.function == "_?_:_" and _is_accu(body.args[2], node):
        test, body = planner.of(body.args[0]), body.args[1]
    if not isinstance(body, Call) or not body.args or not _is_accu(body.args[0], node):
        return None
    add = _appending(planner, node, body) or _inserting(planner, node, body)
    if add is None:
        return None
    grow = add

    def loop(s: State, accu: int, turns: Iterable[None]) -> Any:
        made = s.slots[accu]
        for _ in turns:
            s.cost += 1
            wanted = True if test is None else test(s)
            if wanted is True:
                grow(s, made)
            elif wanted is not False:
                raise no_overload()
        return made

    return loop


Grow = Callable[[State, Any], None]


def _appending(planner: Planner, node: Fold, body: Call) -> Grow | None:
    if body.function != "_+_" or not isinstance(node.init, ListOf) or node.init.elements:
        return None
    if not isinstance(body.args[1], ListOf) or len(body.args[1].elements) != 1:
        return None
    element = planner.of(body.args[1].elements[0])

    def grow(s: State, made: Any) -> None:
        made.append(element(s))
        s.cost += 11

    return grow


def _inserting(planner: Planner, node: Fold, body: Call) -> Grow | None:
    if body.function != "cel.@mapInsert" or not isinstance(node.init, MapOf):
        return None
    if len(body.args) == 3:
        key, value = planner.of(body.args[1]), planner.of(body.args[2])

        def grow(s: State, made: Any) -> None:
            _insert(made, key(s), value(s))
            s.cost += 1

        return grow
    entries = planner.of(body.args[1])

    def grow_by(s: State, made: Any) -> None:
        for at, found in entries(s).items():
            _insert(made, at, found)
        s.cost += 1

    return grow_by


def _insert(made: dict[Any, Any], at: Any, value: Any) -> None:
    if at in made:
        raise CelEvalError(f"insert failed: key {at} already exists")
    if len(made) >= MADE_MAX:
        raise exceeded()
    made[at] = value


def _generic(planner: Planner, node: Fold, accu: int) -> Loop:
    condition, body = planner.of(node.condition), planner.of(node.step)

    def loop(s: State, _accu: int, turns: Iterable[None]) -> Any:
        for _ in turns:
            if condition(s) is not True:
                break
            s.slots[accu] = body(s)
        return s.slots[accu]

    return loop

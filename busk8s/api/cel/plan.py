"""A checked tree as nested functions, each of which gives its node's value and counts its cost.

Owns      selection, indexing, logic with errors absorbed, comprehensions, choosing an overload.
Leaves    what functions do (library/*); limits across expressions (program.Budget).
Invariant evaluation ends: every step of a loop is counted, and counting past the limit stops it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from busk8s.api.cel.check import Checked
from busk8s.api.cel.errors import CelEvalError, CostExceeded, no_overload
from busk8s.api.cel.folds import State, Step, exceeded, plan_fold
from busk8s.api.cel.signatures import Overload
from busk8s.api.cel.tree import Call, Const, Fold, Ident, ListOf, MapOf, Node, Select, Struct
from busk8s.api.cel.types import CelType
from busk8s.api.cel.values import (
    NONE,
    Made,
    Optional,
    TypeValue,
    conversion,
    equal,
    equal_unordered,
    size_of,
)

LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40
_SIZED = frozenset((str, list, dict, bytes))
_BAD_TYPES = (TypeError, AttributeError)


def plan(checked: Checked, variables: Mapping[str, CelType]) -> Step:
    return _Planner(checked, variables).of(checked.root)


class _Planner:
    def __init__(self, checked: Checked, variables: Mapping[str, CelType]) -> None:
        self.checked, self._variables = checked, variables
        self.scopes: list[dict[str, int]] = []
        self._slots = 0

    def of(self, node: Node) -> Step:
        return self._PLAN[type(node)](self, node)

    def slot(self) -> int:
        self._slots += 1
        return self._slots - 1

    # ---- names and fields ----

    def _const(self, node: Const) -> Step:
        value = node.value
        return lambda _: value

    def _ident(self, node: Ident) -> Step:
        if node in self.checked.names:
            return self._type_name(self.checked.names[node])
        for scope in reversed(self.scopes):
            if node.name in scope:
                return _local(scope[node.name])
        return _variable(node.name, conversion(self._variables[node.name]))

    def _type_name(self, name: str) -> Step:
        value = TypeValue(name)
        return lambda _: value

    def _select(self, node: Select) -> Step:
        if node in self.checked.names:
            return self._type_name(self.checked.names[node])
        if node in self.checked.qualified:
            return _variable(self.checked.qualified[node], None)
        operand, of = self.of(node.operand), self.checked.types[node.operand]
        name = of.real_names.get(node.field, node.field)
        if node.test:
            return _has(operand, name)
        convert = conversion(self.checked.types[node]) if of.kind in ("object", "opaque") else None
        return _field(operand, name, convert)

    # ---- calls ----

    def _call(self, node: Call) -> Step:
        special = self._SPECIAL.get(node.function)
        if special is not None and node.target is None:
            return special(self, node)
        target = node.target if node not in self.checked.names else None
        args = [self.of(a) for a in ([target] if target is not None else []) + node.args]
        overloads = self.checked.overloads[node]
        given = [self.checked.types[a] for a in ([target] if target else []) + node.args]
        if len(overloads) == 1 and not any(_open(of) for of in given):
            return _direct(overloads[0], args)
        return _dispatched(overloads, args)

    def _and(self, node: Call) -> Step:
        return _logic(self.of(node.args[0]), self.of(node.args[1]), False)

    def _or(self, node: Call) -> Step:
        return _logic(self.of(node.args[0]), self.of(node.args[1]), True)

    def _conditional(self, node: Call) -> Step:
        test, yes, no = (self.of(a) for a in node.args)

        def step(s: State) -> Any:
            chosen = test(s)
            if chosen is True:
                return yes(s)
            if chosen is False:
                return no(s)
            raise no_overload()

        return step

    def _equals(self, node: Call) -> Step:
        a, b = (self.of(arg) for arg in node.args)
        kinds = {self.checked.types[arg].list_type for arg in node.args}
        same = equal_unordered if kinds & {"set", "map"} else equal
        wanted = node.function == "_==_"

        def step(s: State) -> Any:
            x, y = a(s), b(s)
            if type(x) in _SIZED and type(y) in _SIZED:
                s.cost += (min(size_of(x), size_of(y)) + 9) // 10
            else:
                s.cost += 1
            if s.cost > s.limit:
                raise exceeded()
            return same(x, y) is wanted

        return step

    def _index(self, node: Call) -> Step:
        operand, key = self.of(node.args[0]), self.of(node.args[1])

        def step(s: State) -> Any:
            value, at = operand(s), key(s)
            s.cost += 1
            if isinstance(value, Optional):
                return _optional_of(value, at)
            return _at(value, at)

        return step

    def _optional_access(self, node: Call) -> Step:
        operand = self.of(node.args[0])
        if isinstance(node.args[1], Const) and node.function == "_?._":
            of = self.checked.types[node.args[0]]
            of = of.params[0] if of.name == "optional_type" and of.params else of
            name = of.real_names.get(node.args[1].value, node.args[1].value)
            key: Step = lambda _: name  # noqa: E731
            kept = self.checked.types[node]
            convert = conversion(kept.params[0]) if of.kind == "object" and kept.params else None
        else:
            key, convert = self.of(node.args[1]), None

        def step(s: State) -> Any:
            value, at = operand(s), key(s)
            s.cost += 1
            found = _optional_of(value, at)
            if convert is not None and found.present:
                return Optional(True, convert(found.value))
            return found

        return step

    # ---- aggregates ----

    def _list(self, node: ListOf) -> Step:
        if not node.optional and all(isinstance(e, Const) for e in node.elements) and node.elements:
            value = [e.value for e in node.elements if isinstance(e, Const)]
            return lambda _: value
        steps = [(self.of(e), at in node.optional) for at, e in enumerate(node.elements)]

        def step(s: State) -> Any:
            made = []
            for one, optional in steps:
                found = one(s)
                if not optional:
                    made.append(found)
                elif not isinstance(found, Optional):
                    raise no_overload()
                elif found.present:
                    made.append(found.value)
            s.cost += LIST_COST
            return made

        return step

    def _map(self, node: MapOf) -> Step:
        steps = [(self.of(key), self.of(value), opt) for key, value, opt in node.entries]

        def step(s: State) -> Any:
            made: dict[Any, Any] = {}
            for key, value, optional in steps:
                at, found = key(s), value(s)
                if type(at) is list or type(at) is dict:
                    raise CelEvalError("unsupported key type")
                if at in made:
                    raise CelEvalError(f"Failed with repeated key: {at}")
                _put(made, at, found, optional)
            s.cost += MAP_COST
            return made

        return step

    def _struct(self, node: Struct) -> Step:
        real = self.checked.types[node].real_names
        steps = [(real.get(n, n), self.of(value), opt) for n, value, opt in node.entries]
        kind = node.name

        def step(s: State) -> Any:
            made = Made(kind)
            for name, value, optional in steps:
                _put(made, name, value(s), optional)
            s.cost += STRUCT_COST
            return made

        return step

    def _fold(self, node: Fold) -> Step:
        return plan_fold(self, node)

    _PLAN: dict[type[Node], Callable[..., Step]] = {  # noqa: RUF012
        Const: _const,
        Ident: _ident,
        Select: _select,
        Call: _call,
        ListOf: _list,
        MapOf: _map,
        Struct: _struct,
        Fold: _fold,
    }
    _SPECIAL: dict[str, Callable[[_Planner, Call], Step]] = {  # noqa: RUF012
        "_&&_": _and,
        "_||_": _or,
        "_?_:_": _conditional,
        "_==_": _equals,
        "_!=_": _equals,
        "_[_]": _index,
        "_?._": _optional_access,
        "_[?_]": _optional_access,
    }


def _open(of: CelType) -> bool:
    return of.kind in ("dyn", "null", "param", "error")


def _put(made: dict[Any, Any], at: Any, found: Any, optional: bool) -> None:
    if not optional:
        made[at] = found
    elif not isinstance(found, Optional):
        raise no_overload()
    elif found.present:
        made[at] = found.value


def _local(slot: int) -> Step:
    def step(s: State) -> Any:
        s.cost += 1
        return s.slots[slot]

    return step


def _variable(name: str, convert: Callable[[Any], Any] | None) -> Step:
    def step(s: State) -> Any:
        s.cost += 1
        try:
            found = s.values[name]
        except KeyError:
            raise CelEvalError(f"no such attribute(s): {name}") from None
        return found if convert is None else convert(found)

    return step


def _field(operand: Step, name: str, convert: Callable[[Any], Any] | None) -> Step:
    def step(s: State) -> Any:
        value = operand(s)
        s.cost += 1
        try:
            found = value[name]
        except KeyError:
            raise CelEvalError(f"no such key: {name}") from None
        except _BAD_TYPES:
            if isinstance(value, Optional):
                return _optional_of(value, name, convert)
            raise no_overload() from None
        return found if convert is None else convert(found)

    return step


def _has(operand: Step, name: str) -> Step:
    def step(s: State) -> Any:
        value = operand(s)
        if isinstance(value, dict):
            return name in value
        if isinstance(value, Optional):
            return value.present and isinstance(value.value, dict) and name in value.value
        raise no_overload()

    return step


def _optional_of(value: Any, at: Any, convert: Callable[[Any], Any] | None = None) -> Optional:
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.value
    if isinstance(value, dict):
        if at not in value:
            return NONE
        return Optional(True, value[at] if convert is None else convert(value[at]))
    if isinstance(value, list):
        if type(at) is int and 0 <= at < len(value):
            return Optional(True, value[at])
        return NONE
    raise no_overload()


def _at(value: Any, at: Any) -> Any:
    if isinstance(value, dict):
        try:
            return value[at]
        except KeyError:
            raise CelEvalError(f"no such key: {at}") from None
        except TypeError:
            raise no_overload() from None
    if isinstance(value, list):
        if isinstance(at, float) and at.is_integer():
            at = int(at)
        if not isinstance(at, int) or isinstance(at, bool):
            raise CelEvalError("unsupported index type")
        if not 0 <= at < len(value):
            raise CelEvalError(f"index out of bounds: {int(at)}")
        return value[at]
    raise no_overload()


def _logic(left: Step, right: Step, decisive: bool) -> Step:
    """Either side may decide alone, even where the other is an error."""

    def step(s: State) -> Any:
        wrong: CelEvalError | None = None
        try:
            first = left(s)
            if first is decisive:
                return decisive
            if type(first) is not bool:
                wrong = no_overload()
        except CostExceeded:
            raise
        except CelEvalError as error:
            wrong = error
        second = right(s)
        if second is decisive:
            return decisive
        if wrong is not None:
            raise wrong
        if type(second) is not bool:
            raise no_overload()
        return second

    return step


def _direct(overload: Overload, args: list[Step]) -> Step:
    call, cost = overload.call, overload.cost
    if cost is None and len(args) == 2:
        return _direct_two(call, args[0], args[1])

    def step(s: State) -> Any:
        values = [arg(s) for arg in args]
        try:
            found = call(*values)
        except _BAD_TYPES:
            raise no_overload() from None
        s.cost += 1 if cost is None else cost(values, found)
        if s.cost > s.limit:
            raise exceeded()
        return found

    return step


def _direct_two(call: Callable[..., Any], first: Step, second: Step) -> Step:
    def step(s: State) -> Any:
        a, b = first(s), second(s)
        s.cost += 1
        if s.cost > s.limit:
            raise exceeded()
        try:
            return call(a, b)
        except _BAD_TYPES:
            raise no_overload() from None

    return step


def _dispatched(overloads: tuple[Overload, ...], args: list[Step]) -> Step:
    """The overload is chosen by the types of values, once for each combination of them."""
    chosen: dict[tuple[type, ...], Overload] = {}

    def step(s: State) -> Any:
        values = [arg(s) for arg in args]
        key = tuple(map(type, values))
        overload = chosen.get(key)
        if overload is None:
            overload = next((o for o in overloads if o.accepts(values)), None)
            if overload is None:
                raise no_overload()
            chosen[key] = overload
        try:
            found = overload.call(*values)
        except _BAD_TYPES:
            raise no_overload() from None
        s.cost += 1 if overload.cost is None else overload.cost(values, found)
        if s.cost > s.limit:
            raise exceeded()
        return found

    return step

"""The syntax tree, and the parser that makes it: Google's own, through cel-expr-python.

Owns      nodes with positions, macros of two variables, what a syntax error looks like.
Leaves    names and types (check), meaning (plan).
Invariant any text gives a tree or CelError; the tree is no deeper than the parser's own bound.
Differs from Kubernetes: operators and selections nest 32 deep, not 250.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast

from busk8s.api.cel.errors import CelError
from busk8s.api.cel.values import Uint

TEXT_LENGTH_MAX = 100_000  # code points, as the library has it
PARSED_MAX = 256  # trees remembered, so that a rule in many places is parsed once
ACCUMULATOR = "@result"


@dataclass(slots=True, eq=False)
class Node:
    at: int  # offset in code points


@dataclass(slots=True, eq=False)
class Const(Node):
    value: Any


@dataclass(slots=True, eq=False)
class Ident(Node):
    name: str


@dataclass(slots=True, eq=False)
class Select(Node):
    operand: Node
    field: str
    test: bool = False


@dataclass(slots=True, eq=False)
class Call(Node):
    function: str
    target: Node | None
    args: list[Node]


@dataclass(slots=True, eq=False)
class ListOf(Node):
    elements: list[Node]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class MapOf(Node):
    entries: list[tuple[Node, Node, bool]]  # key, value, optional


@dataclass(slots=True, eq=False)
class Struct(Node):
    name: str
    entries: list[tuple[str, Node, bool]]


@dataclass(slots=True, eq=False)
class Fold(Node):
    """A comprehension: `accu` goes from `init` by `step` over `range` while `condition`."""

    var: str
    var2: str
    range: Node
    accu: str
    init: Node
    condition: Node
    step: Node
    result: Node


class SourceError(CelError):
    """Errors at places of the text, written as the compiler of upstream writes them."""

    def __init__(self, text: str, found: Sequence[tuple[int, str]]) -> None:
        super().__init__("\n".join(_shown(text, at, why) for at, why in sorted(found)))


def _shown(text: str, at: int, why: str) -> str:
    line = text.count("\n", 0, at)
    start = text.rfind("\n", 0, at) + 1
    shown = text.split("\n")[line]
    return (
        f"ERROR: <input>:{line + 1}:{at - start + 1}: {why}\n | {shown}\n | {'.' * (at - start)}^"
    )


@lru_cache(maxsize=PARSED_MAX)
def parse(text: str, *, bindings: bool = False) -> Node:
    """`bindings`: `cel.bind(name, value, expression)` names a value in an expression."""
    if len(text) > TEXT_LENGTH_MAX:
        raise CelError(
            f"expression code point size exceeds limit: size: {len(text)}, limit {TEXT_LENGTH_MAX}"
        )
    try:
        packed = _environment().compile(text, disable_check=True).serialize()
    except (RuntimeError, ValueError, TypeError) as error:
        raise CelError(_cleaned(str(error))) from None
    except UnicodeEncodeError:
        raise CelError("the expression is not text") from None
    message = _syntax("Parsed")()
    _fill(message, _any_value(packed))
    return _Reader(message.source_info.positions, text, bindings).node(message.expr)


def _cleaned(text: str) -> str:
    """The library puts its own code around what it has to say."""
    for code in ("INVALID_ARGUMENT", "CANCELLED", "INTERNAL"):
        text = text.removeprefix(f"{code}: ").removesuffix(f" [{code}]")
    return text.replace("<input>:4294967295:0", "<input>:-1:0")


@cache
def _environment() -> Any:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional

    return cel.NewEnv(extensions=[ext_optional.ExtOptional()])


def _any_value(packed: bytes) -> bytes:
    message = _syntax("Any")()
    _fill(message, packed)
    return bytes(message.value)


def _fill(message: Any, packed: bytes) -> None:
    message.ParseFromString(packed)


# Numbers of the published syntax.proto: name, number, type, repeated.
_MESSAGES = {
    "Any": "type_url 1 s|value 2 b",
    "Parsed": "expr 2 Expr|source_info 3 Source",
    "Position": "key 1 i|value 2 i32",
    "Source": "positions 4 *Position",
    "Constant": "null_value 1 o i32|bool_value 2 o t|int64_value 3 o i|uint64_value 4 o u"
    "|double_value 5 o d|string_value 6 o s|bytes_value 7 o b",
    "Ident": "name 1 s",
    "Select": "operand 1 Expr|field 2 s|test_only 3 t",
    "Call": "target 1 Expr|function 2 s|args 3 *Expr",
    "List": "elements 1 *Expr|optional_indices 2 *i32",
    "Entry": "field_key 2 s|map_key 3 Expr|value 4 Expr|optional_entry 5 t",
    "Struct": "message_name 1 s|entries 2 *Entry",
    "Fold": "iter_var 1 s|iter_range 2 Expr|accu_var 3 s|accu_init 4 Expr|loop_condition 5 Expr"
    "|loop_step 6 Expr|result 7 Expr|iter_var2 8 s",
    "Expr": "id 2 i|const_expr 3 o Constant|ident_expr 4 o Ident|select_expr 5 o Select"
    "|call_expr 6 o Call|list_expr 7 o List|struct_expr 8 o Struct|comprehension_expr 9 o Fold",
}
_SCALARS = {"d": 1, "i": 3, "u": 4, "i32": 5, "t": 8, "s": 9, "b": 12}


@cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(
        name="busk8s/cel.proto", package="busk8s.cel", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split("|"):
            words = text.split()
            kind = words[-1].removeprefix("*")
            one = message.field.add(
                name=words[0], number=int(words[1]), label=3 if words[-1].startswith("*") else 1
            )
            if "o" in words[2:-1]:
                if not message.oneof_decl:
                    message.oneof_decl.add(name="kind")
                one.oneof_index = 0
            if kind in _SCALARS:
                one.type = cast(Any, _SCALARS[kind])
            else:
                one.type, one.type_name = cast(Any, 11), f".busk8s.cel.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


@cache
def _syntax(name: str) -> Any:
    from google.protobuf import message_factory

    found = _pool().FindMessageTypeByName(f"busk8s.cel.{name}")
    return message_factory.GetMessageClass(found)


class _Reader:
    def __init__(self, positions: Any, text: str, bindings: bool) -> None:
        self._at = {one.key: one.value for one in positions}
        self._text, self._bindings = text, bindings

    def node(self, expr: Any) -> Node:
        kind = expr.WhichOneof("kind")
        at = self._at.get(expr.id, 0)
        if kind is None:
            raise CelError("the expression is empty")
        return self._READ[kind](self, getattr(expr, kind), at)

    def _const(self, it: Any, at: int) -> Node:
        kind = it.WhichOneof("kind")
        value: Any = getattr(it, kind) if kind else None
        if kind == "null_value":
            value = None
        return Const(at, Uint(value) if kind == "uint64_value" else value)

    def _ident(self, it: Any, at: int) -> Node:
        return Ident(at, it.name)

    def _select(self, it: Any, at: int) -> Node:
        return Select(at, self.node(it.operand), it.field, it.test_only)

    def _call(self, it: Any, at: int) -> Node:
        target = self.node(it.target) if it.HasField("target") else None
        call = Call(at, it.function, target, [self.node(a) for a in it.args])
        if self._bindings and it.function == "bind" and len(call.args) == 3 and _is_cel(target):
            return _bound(self, call)
        expand = _MACROS.get((call.function, len(call.args)))
        return expand(self, call) if target is not None and expand else call

    def _list(self, it: Any, at: int) -> Node:
        return ListOf(at, [self.node(e) for e in it.elements], frozenset(it.optional_indices))

    def _struct(self, it: Any, at: int) -> Node:
        if it.message_name:
            fields = [(e.field_key, self.node(e.value), e.optional_entry) for e in it.entries]
            return Struct(at, it.message_name, fields)
        return MapOf(
            at, [(self.node(e.map_key), self.node(e.value), e.optional_entry) for e in it.entries]
        )

    def _fold(self, it: Any, at: int) -> Node:
        return Fold(
            at,
            it.iter_var,
            it.iter_var2,
            self.node(it.iter_range),
            it.accu_var,
            self.node(it.accu_init),
            self.node(it.loop_condition),
            self.node(it.loop_step),
            self.node(it.result),
        )

    def refuse(self, at: int, why: str) -> SourceError:
        return SourceError(self._text, [(at, why)])

    _READ: dict[str, Callable[[_Reader, Any, int], Node]] = {  # noqa: RUF012
        "const_expr": _const,
        "ident_expr": _ident,
        "select_expr": _select,
        "call_expr": _call,
        "list_expr": _list,
        "struct_expr": _struct,
        "comprehension_expr": _fold,
    }


# ---- macros of two variables ----


def _names(reader: _Reader, call: Call) -> tuple[str, str]:
    first, second = call.args[0], call.args[1]
    if not isinstance(first, Ident):
        raise reader.refuse(first.at, "argument must be a simple name")
    if not isinstance(second, Ident):
        raise reader.refuse(second.at, "argument must be a simple name")
    if first.name == second.name:
        raise reader.refuse(second.at, f"duplicate variable name: {second.name}")
    return first.name, second.name


def _accu(call: Call) -> Ident:
    return Ident(call.at, ACCUMULATOR)


def _over(reader: _Reader, call: Call, init: Node, condition: Node, step: Node) -> Fold:
    var, var2 = _names(reader, call)
    assert call.target is not None
    return Fold(call.at, var, var2, call.target, ACCUMULATOR, init, condition, step, _accu(call))


def _strict(call: Call, test: Node) -> Node:
    return Call(call.at, "@not_strictly_false", None, [test])


def _all(reader: _Reader, call: Call) -> Node:
    step = Call(call.at, "_&&_", None, [_accu(call), call.args[2]])
    return _over(reader, call, Const(call.at, True), _strict(call, _accu(call)), step)


def _exists(reader: _Reader, call: Call) -> Node:
    step = Call(call.at, "_||_", None, [_accu(call), call.args[2]])
    going = _strict(call, Call(call.at, "!_", None, [_accu(call)]))
    return _over(reader, call, Const(call.at, False), going, step)


def _exists_one(reader: _Reader, call: Call) -> Node:
    more = Call(call.at, "_+_", None, [_accu(call), Const(call.at, 1)])
    step = Call(call.at, "_?_:_", None, [call.args[2], more, _accu(call)])
    fold = _over(reader, call, Const(call.at, 0), Const(call.at, True), step)
    fold.result = Call(call.at, "_==_", None, [_accu(call), Const(call.at, 1)])
    return fold


def _transform_list(reader: _Reader, call: Call) -> Node:
    step: Node = Call(call.at, "_+_", None, [_accu(call), ListOf(call.at, [call.args[-1]])])
    step = _filtered(call, step)
    return _over(reader, call, ListOf(call.at, []), Const(call.at, True), step)


def _transform_map(reader: _Reader, call: Call) -> Node:
    key = Ident(call.at, _names(reader, call)[0])
    step: Node = Call(call.at, "cel.@mapInsert", None, [_accu(call), key, call.args[-1]])
    step = _filtered(call, step)
    return _over(reader, call, MapOf(call.at, []), Const(call.at, True), step)


def _transform_entry(reader: _Reader, call: Call) -> Node:
    step: Node = Call(call.at, "cel.@mapInsert", None, [_accu(call), call.args[-1]])
    step = _filtered(call, step)
    return _over(reader, call, MapOf(call.at, []), Const(call.at, True), step)


def _filtered(call: Call, step: Node) -> Node:
    if len(call.args) == 3:
        return step
    return Call(call.at, "_?_:_", None, [call.args[2], step, _accu(call)])


def _is_cel(target: Node | None) -> bool:
    return isinstance(target, Ident) and target.name == "cel"


def _bound(reader: _Reader, call: Call) -> Node:
    """A fold over nothing, whose accumulator is the name."""
    name, value, body = call.args
    if not isinstance(name, Ident):
        raise reader.refuse(name.at, "cel.bind() variable names must be simple identifiers")
    at, nothing = call.at, ListOf(call.at, [])
    same = Ident(at, name.name)
    return Fold(at, "#unused", "", nothing, name.name, value, Const(at, False), same, body)


_MACROS: dict[tuple[str, int], Callable[[_Reader, Call], Node]] = {
    ("all", 3): _all,
    ("exists", 3): _exists,
    ("existsOne", 3): _exists_one,
    ("exists_one", 3): _exists_one,
    ("transformList", 3): _transform_list,
    ("transformList", 4): _transform_list,
    ("transformMap", 3): _transform_map,
    ("transformMap", 4): _transform_map,
    ("transformMapEntry", 3): _transform_entry,
    ("transformMapEntry", 4): _transform_entry,
}

"""Type checking: every name is declared, every call has an overload, and what the whole gives.

Owns      the types of nodes, the overloads a call may have, errors with places.
Leaves    what overloads there are (signatures), evaluation (plan).
Invariant a checked tree can be planned; anything may stand where `dyn` is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from busk8s.api.cel import literals, signatures, types
from busk8s.api.cel.signatures import Overload
from busk8s.api.cel.tree import (
    Call,
    Const,
    Fold,
    Ident,
    ListOf,
    MapOf,
    Node,
    Select,
    SourceError,
    Struct,
)
from busk8s.api.cel.types import CelType
from busk8s.api.cel.values import type_of

Structs = Callable[[str], CelType | None]
_ERRORS_MAX = 100
TYPES: Mapping[str, CelType] = {
    "bool": types.BOOL,
    "int": types.INT,
    "uint": types.UINT,
    "double": types.DOUBLE,
    "string": types.STRING,
    "bytes": types.BYTES,
    "list": CelType("list", (types.DYN,)),
    "map": CelType("map", (types.DYN, types.DYN)),
    "null_type": types.NULL,
    "type": CelType("type"),
    "google.protobuf.Timestamp": types.TIMESTAMP,
    "google.protobuf.Duration": types.DURATION,
    "optional_type": types.optional_of(types.DYN),
    "net.IP": types.opaque("net.IP"),
    "net.CIDR": types.opaque("net.CIDR"),
    "kubernetes.Quantity": types.opaque("kubernetes.Quantity"),
    "kubernetes.URL": types.opaque("kubernetes.URL"),
    "kubernetes.Semver": types.opaque("kubernetes.Semver"),
}


@dataclass(slots=True)
class Checked:
    root: Node
    types: dict[Node, CelType]
    overloads: dict[Node, tuple[Overload, ...]]
    names: dict[Node, str]  # of namespaced calls, and of types named by their dotted name
    reads: frozenset[str]
    qualified: dict[Node, str]  # variables whose names have a dot

    @property
    def result(self) -> CelType:
        return self.types[self.root]


def check(
    text: str, root: Node, variables: Mapping[str, CelType], structs: Structs | None
) -> Checked:
    checker = _Checker(variables, structs)
    checker.visit(root)
    if checker.errors:
        raise SourceError(text, checker.errors[:_ERRORS_MAX])
    wrong = literals.wrong(checker.overloads)
    if wrong:
        raise SourceError(text, wrong[:_ERRORS_MAX])
    settled = {node: checker.final(of) for node, of in checker.types.items()}
    return Checked(
        root,
        settled,
        checker.overloads,
        checker.names,
        frozenset(checker.reads),
        checker.qualified,
    )


class _Checker:
    def __init__(self, variables: Mapping[str, CelType], structs: Structs | None) -> None:
        self._variables, self._structs = variables, structs
        self._scopes: list[dict[str, CelType]] = []
        self._bound: dict[str, CelType] = {}
        self._fresh = 0
        self.types: dict[Node, CelType] = {}
        self.overloads: dict[Node, tuple[Overload, ...]] = {}
        self.names: dict[Node, str] = {}
        self.qualified: dict[Node, str] = {}
        self.reads: set[str] = set()
        self.errors: list[tuple[int, str]] = []

    def visit(self, node: Node) -> CelType:
        found = self._VISIT[type(node)](self, node)
        self.types[node] = found
        return found

    def _refuse(self, at: int, why: str) -> CelType:
        self.errors.append((at, why))
        return types.ERROR

    # ---- names ----

    def _const(self, node: Const) -> CelType:
        return type_of(node.value)

    def _ident(self, node: Ident) -> CelType:
        found = self._named(node.name)
        if found is None:
            of = TYPES.get(node.name)
            if of is not None:
                self.names[node] = node.name
                return types.type_of(of)
            return self._undeclared(node.at, node.name)
        return found

    def _named(self, name: str) -> CelType | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        found = self._variables.get(name)
        if found is not None:
            self.reads.add(name)
        return found

    def _undeclared(self, at: int, name: str) -> CelType:
        return self._refuse(at, f"undeclared reference to '{name}' (in container '')")

    def _dotted(self, node: Node | None) -> str | None:
        """`a.b` where it can only be a name, not a selection from a variable."""
        if isinstance(node, Ident):
            return None if self._named_quietly(node.name) else node.name
        if isinstance(node, Select) and not node.test:
            below = self._dotted(node.operand)
            return None if below is None else f"{below}.{node.field}"
        return None

    def _named_quietly(self, name: str) -> bool:
        return name in self._variables or self._is_local(name)

    def _is_local(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def _select(self, node: Select) -> CelType:
        if isinstance(node.operand, Ident) and not self._is_local(node.operand.name):
            whole = self._variables.get(f"{node.operand.name}.{node.field}")
            if whole is not None and not node.test:
                self.qualified[node] = f"{node.operand.name}.{node.field}"
                self.reads.add(self.qualified[node])
                return whole
        dotted = self._dotted(node)
        if dotted is not None:
            if dotted in TYPES:
                self.names[node] = dotted
                return types.type_of(TYPES[dotted])
            return self._undeclared(node.at, dotted)
        of = self._field(node.at, self.visit(node.operand), node.field)
        return types.BOOL if node.test else of

    def _field(self, at: int, operand: CelType, name: str) -> CelType:
        of = self.resolve(operand)
        match of.kind:
            case "dyn" | "error":
                return of if of.kind == "error" else types.DYN
            case "param":
                return types.DYN
            case "map":
                return of.params[1]
            case "object":
                found = of.fields.get(name) if of.fields else None
                return found or self._refuse(at, f"undefined field '{name}'")
            case "opaque" if of.name == "optional_type":
                return types.optional_of(self._field(at, of.params[0], name))
        return self._refuse(at, f"type '{self.final(of)}' does not support field selection")

    # ---- calls ----

    def _call(self, node: Call) -> CelType:
        if node.function in ("_?._", "_[?_]"):
            return self._optional_access(node)
        space = self._dotted(node.target) if node.target is not None else None
        if space is not None and (f"{space}.{node.function}", False) in signatures.table():
            self.names[node] = f"{space}.{node.function}"
            return self._resolve(node, self.names[node], None)
        return self._resolve(node, node.function, node.target)

    def _resolve(self, node: Call, function: str, target: Node | None) -> CelType:
        given = [self.visit(a) for a in ([target] if target is not None else []) + node.args]
        overloads = signatures.table().get((function, target is not None))
        if overloads is None:
            return self._undeclared(node.at, function)
        if any(self.resolve(of).kind == "error" for of in given):
            return types.ERROR
        fitting: list[Overload] = []
        result: CelType | None = None
        for overload in overloads:
            found = self._apply(overload, given)
            if found is None:
                continue
            fitting.append(overload)
            result = found if result is None or result == found else types.DYN
        if result is None:
            return self._refuse(node.at, self._no_match(function, given, target is not None))
        self.overloads[node] = tuple(fitting)
        return result

    def _no_match(self, function: str, given: list[CelType], member: bool) -> str:
        shown = [str(self.final(of)) for of in given]
        applied = f"({', '.join(shown)})"
        if member:
            applied = f"{shown[0]}.({', '.join(shown[1:])})"
        return f"found no matching overload for '{function}' applied to '{applied}'"

    def _apply(self, overload: Overload, given: list[CelType]) -> CelType | None:
        if len(overload.params) != len(given):
            return None
        names: dict[str, CelType] = {}
        params = [self._instance(p, names) for p in overload.params]
        kept = dict(self._bound)
        for param, of in zip(params, given, strict=True):
            if not self._assign(param, of):
                self._bound = kept
                return None
        return self.resolve_deep(self._instance(overload.result, names))

    def _instance(self, of: CelType, names: dict[str, CelType]) -> CelType:
        if of.kind == "param":
            if of.name not in names:
                names[of.name] = self._variable()
            return names[of.name]
        if not of.params:
            return of
        return CelType(of.kind, tuple(self._instance(p, names) for p in of.params), of.name)

    def _variable(self) -> CelType:
        self._fresh += 1
        return CelType("param", (), f"_var{self._fresh}")

    def _optional_access(self, node: Call) -> CelType:
        operand = self.resolve(self.visit(node.args[0]))
        if node.function == "_?._":
            name = node.args[1]
            assert isinstance(name, Const)
            self.types[name] = types.STRING
            found = self._field(node.at, operand, str(name.value))
        else:
            found = self._element(node, operand, self.visit(node.args[1]))
        found = self.resolve(found)
        if found.kind == "opaque" and found.name == "optional_type":
            return found
        return found if found.kind == "error" else types.optional_of(found)

    def _element(self, node: Call, operand: CelType, index: CelType) -> CelType:
        if operand.kind == "opaque" and operand.name == "optional_type":
            operand = self.resolve(operand.params[0])
        if operand.kind in ("dyn", "param"):
            return types.DYN
        if operand.kind == "list" and self._assign(types.INT, index):
            return operand.params[0]
        if operand.kind == "map" and self._assign(operand.params[0], index):
            return operand.params[1]
        return self._refuse(node.at, self._no_match(node.function, [operand, index], False))

    # ---- aggregates ----

    def _list(self, node: ListOf) -> CelType:
        element: CelType | None = None
        for at, one in enumerate(node.elements):
            of = self.visit(one)
            if at in node.optional:
                of = self._unwrapped(one, of)
            element = self._joined(one, element, of)
        return types.list_of(element or self._variable())

    def _unwrapped(self, node: Node, of: CelType) -> CelType:
        of = self.resolve(of)
        if of.kind == "opaque" and of.name == "optional_type":
            return of.params[0]
        if of.kind in ("dyn", "error"):
            return of
        return self._refuse(node.at, f"expected type 'optional_type({of})' but found '{of}'")

    def _joined(self, node: Node, so_far: CelType | None, of: CelType) -> CelType:
        """Elements of a literal are of one type, or of none that is known."""
        if so_far is None:
            return of
        if self._assign(so_far, of):
            return types.DYN if "dyn" in (so_far.kind, self.resolve(of).kind) else so_far
        wanted, found = self.final(so_far), self.final(of)
        return self._refuse(node.at, f"expected type '{wanted}' but found '{found}'")

    def _map(self, node: MapOf) -> CelType:
        key: CelType | None = None
        value: CelType | None = None
        for one, below, optional in node.entries:
            key = self._joined(one, key, self.visit(one))
            of = self.visit(below)
            value = self._joined(below, value, self._unwrapped(below, of) if optional else of)
        return types.map_of(value or self._variable(), key or self._variable())

    def _struct(self, node: Struct) -> CelType:
        of = self._structs(node.name) if self._structs else None
        if of is None:
            return self._undeclared(node.at, node.name)
        for name, value, optional in node.entries:
            given = self.visit(value)
            given = self._unwrapped(value, given) if optional else given
            wanted = of.fields.get(name) if of.fields else None
            if wanted is None:
                self._refuse(value.at, f"undefined field '{name}'")
            elif not self._assign(wanted, given):
                self._refuse(
                    value.at,
                    f"expected type of field '{name}' is '{wanted}' but provided type is "
                    f"'{self.final(given)}'",
                )
        return of

    def _fold(self, node: Fold) -> CelType:
        over = self.resolve(self.visit(node.range))
        accu = self.visit(node.init)
        self._scopes.append({node.accu: accu})
        self._scopes.append(self._iterated(node, over))
        self.visit(node.condition)
        step = self.visit(node.step)
        self._scopes.pop()
        if not self._assign(accu, step) and self.resolve(step).kind != "error":
            why = f"expected type '{self.final(accu)}' but found '{self.final(step)}'"
            self._refuse(node.step.at, why)
        result = self.visit(node.result)
        self._scopes.pop()
        return result

    def _iterated(self, node: Fold, over: CelType) -> dict[str, CelType]:
        if over.kind == "list":
            first, second = over.params[0], over.params[0]
            first = types.INT if node.var2 else first
        elif over.kind == "map":
            first, second = over.params
        else:
            if over.kind not in ("dyn", "error", "param"):
                self._refuse(
                    node.range.at,
                    f"expression of type '{self.final(over)}' cannot be range of a comprehension "
                    "(must be list, map, or dynamic)",
                )
            first = second = types.DYN
        return {node.var: first, **({node.var2: second} if node.var2 else {})}

    _VISIT: dict[type[Node], Callable[..., CelType]] = {  # noqa: RUF012
        Const: _const,
        Ident: _ident,
        Select: _select,
        Call: _call,
        ListOf: _list,
        MapOf: _map,
        Struct: _struct,
        Fold: _fold,
    }

    # ---- unification ----

    def resolve(self, of: CelType) -> CelType:
        while of.kind == "param" and of.name in self._bound:
            of = self._bound[of.name]
        return of

    def resolve_deep(self, of: CelType) -> CelType:
        of = self.resolve(of)
        if not of.params:
            return of
        params = tuple(self.resolve_deep(p) for p in of.params)
        if params == of.params:
            return of
        return CelType(of.kind, params, of.name, of.fields, of.real_names, of.size_max)

    def final(self, of: CelType) -> CelType:
        """With what is still open as dyn."""
        of = self.resolve(of)
        if of.kind == "param":
            return types.DYN
        if not of.params:
            return of
        params = tuple(self.final(p) for p in of.params)
        if params == of.params:
            return of
        return CelType(of.kind, params, of.name, of.fields, of.real_names, of.size_max)

    def _assign(self, wanted: CelType, given: CelType) -> bool:
        wanted, given = self.resolve(wanted), self.resolve(given)
        if wanted.kind == "param" and given.kind == "param" and wanted.name == given.name:
            return True
        if wanted.kind == "param":
            return self._bind(wanted.name, given)
        if given.kind == "param":
            return self._bind(given.name, wanted)
        if "dyn" in (wanted.kind, given.kind) or "error" in (wanted.kind, given.kind):
            return True
        if given.kind == "null":
            return wanted.kind in ("null", "object", "opaque", "timestamp", "duration")
        if wanted.kind == "type" and given.kind == "type":
            return True
        if wanted.kind != given.kind or wanted.name != given.name:
            return wanted.kind == "null" and given.kind in ("object", "opaque")
        if len(wanted.params) != len(given.params):
            return False
        return all(self._assign(a, b) for a, b in zip(wanted.params, given.params, strict=True))

    def _bind(self, name: str, of: CelType) -> bool:
        if self._occurs(name, of):
            return False
        self._bound[name] = of
        return True

    def _occurs(self, name: str, of: CelType) -> bool:
        of = self.resolve(of)
        return (
            of.name == name if of.kind == "param" else any(self._occurs(name, p) for p in of.params)
        )

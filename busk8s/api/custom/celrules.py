"""Runs the rules in CEL of a schema (`x-kubernetes-validations`) over objects.

Owns      which rules there are and where, compiling them on first use, `self` and `oldSelf`,
          messages, the budget of an object, ratcheting of rules whose value did not change.
Leaves    CEL (api.cel), whether a rule may stand where it stands (rulecheck).
Source    upstream's schema/cel/validation.go.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.cel.errors import CelError, CelEvalError, CostExceeded
from busk8s.api.cel.program import Budget, Program, compile
from busk8s.api.cel.types import BOOL, STRING, CelType, of_schema, optional_of
from busk8s.api.cel.values import NONE, Optional, conversion
from busk8s.api.custom.correlation import Correlated
from busk8s.api.custom.findings import NOWHERE, invalid, quoted, shown
from busk8s.api.custom.jsonpath import BadPath, field_path
from busk8s.api.custom.node import RULES, Node, has_rules
from busk8s.errors import Cause

Json = dict[str, Any]
MESSAGE_BYTES_MAX = 5 * 1024
_NO_BUDGET = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


class Spent(Exception):
    """The object's budget is used up; the cause says so already."""


class Rule:
    """One rule, compiled when it first runs."""

    __slots__ = ("_compiled", "_schema", "_type", "message", "old_optional", "rule")

    def __init__(self, rule: Json, schema: Json, type_: CelType) -> None:
        self.rule, self._schema, self._type = rule, schema, type_
        self.old_optional = bool(rule.get("optionalOldSelf"))
        self._compiled: Program | CelError | None = None
        self.message: Program | CelError | None = None

    @property
    def text(self) -> str:
        return str(self.rule.get("message") or self.rule.get("rule") or "").strip()

    @property
    def program(self) -> Program | CelError:
        if self._compiled is None:
            try:
                self._compiled = self._program("rule", BOOL)
            except CelError as error:
                self._compiled = error
            if self.rule.get("messageExpression"):
                try:
                    self.message = self._program("messageExpression", STRING)
                except CelError as error:
                    self.message = error
        return self._compiled

    def _program(self, name: str, result: CelType) -> Program:
        old = optional_of(self._type) if self.old_optional else self._type
        variables = {"self": self._type, "oldSelf": old}
        return compile(str(self.rule[name]), variables, result=result)

    def path(self, base: str) -> str:
        """Where a failure is shown."""
        text = self.rule.get("fieldPath")
        if not text:
            return base
        try:
            names, _ = field_path(text, self._schema)
        except BadPath:
            return base
        under, here = base, self._schema
        for name in names:
            named = name in (here.get("properties") or {})
            under = (f"{under}.{name}" if under else name) if named else f"{under}[{name}]"
            here = (
                (here.get("properties") or {}).get(name) or here.get("additionalProperties") or {}
            )
        return under


class RuleTree:
    """The places of a schema that have rules, or lead to some."""

    __slots__ = ("additional", "items", "node", "old_type", "properties", "rules")

    def __init__(self, node: Node, *, root: bool = False) -> None:
        self.node = node
        found = node.schema.get(RULES) or ()
        resource = root or bool(node.schema.get("x-kubernetes-embedded-resource"))
        type_ = of_schema(node.schema, resource_root=resource) if found else None
        self.rules = [Rule(each, node.schema, type_) for each in found] if type_ else []
        self.old_type = type_
        self.properties = {
            name: RuleTree(inner)
            for name, inner in node.properties.items()
            if has_rules(inner.schema)
        }
        extra = node.additional
        self.additional = (
            RuleTree(extra) if isinstance(extra, Node) and has_rules(extra.schema) else None
        )
        items = node.items
        self.items = RuleTree(items) if items is not None and has_rules(items.schema) else None


def rule_failures(node: Node, new: Any, old: Any, path: str, *, root: bool = False) -> list[Cause]:
    """Of a value alone, without ratcheting: for defaults."""
    if not has_rules(node.schema):
        return []
    was = Correlated(new, old, node) if old is not None else None
    return check_rules(RuleTree(node, root=root), new, was, path, ratchet=False)


def check_rules(
    tree: RuleTree, new: Any, was: Correlated | None, path: str, *, ratchet: bool = True
) -> list[Cause]:
    """Every rule that does not hold, until the object's budget is spent."""
    run = _Run(ratchet)
    try:
        run.visit(tree, new, was, was, path)
    except Spent:
        pass
    return run.causes


class _Run:
    def __init__(self, ratchet: bool) -> None:
        self.causes: list[Cause] = []
        self.budget = Budget()
        self.ratchet = ratchet

    def visit(
        self, tree: RuleTree, new: Any, was: Correlated | None, near: Correlated | None, path: str
    ) -> None:
        """`near`: the closest place above whose old value is known."""
        if new is None:
            return
        if tree.rules:
            self._rules(tree, new, was, near, path)
        near = was if was is not None else near
        if isinstance(new, list) and tree.items is not None:
            for at, each in enumerate(new):
                inner = was.index(at) if was is not None else None
                self.visit(tree.items, each, inner, near, f"{path}[{at}]")
        elif isinstance(new, dict):
            for key, each in new.items():
                below = tree.properties.get(key)
                if below is None and (below := tree.additional) is None:
                    continue
                inner = was.key(key) if was is not None else None
                named = key in tree.properties
                at_key = (f"{path}.{key}" if path else key) if named else f"{path}[{key}]"
                self.visit(below, each, inner, near, at_key)

    def _rules(
        self, tree: RuleTree, new: Any, was: Correlated | None, near: Correlated | None, path: str
    ) -> None:
        old = was.old if was is not None else None
        kind = str(tree.node.schema.get("type") or "")
        for rule in tree.rules:
            program = rule.program
            if isinstance(program, CelError):
                self._say(path, kind, f"rule compile error: {program}")
                continue
            reads_old = program.reads("oldSelf")
            if reads_old and old is None and not rule.old_optional:
                continue
            values = {"self": new}
            if reads_old or isinstance(rule.message, Program):
                values["oldSelf"] = _old(rule, tree, old)
            if self._holds(rule, program, values, path, kind):
                continue
            cause = self._cause(rule, new, values, path, kind)
            place = was if was is not None else near
            same = self.ratchet and place is not None and place.unchanged
            if reads_old or not same:
                self.causes.append(cause)

    def _holds(self, rule: Rule, program: Program, values: Json, path: str, kind: str) -> bool:
        """True as well where an error of evaluation was told."""
        if self.budget.left <= 0:
            self._say(path, kind, _NO_BUDGET)
            raise Spent
        try:
            return program.evaluate(values, self.budget) is True
        except CostExceeded as error:
            if self.budget.left <= 0:
                self._say(path, kind, _NO_BUDGET)
            else:
                what = "no further validation rules will be run due to call cost exceeds limit"
                self._say(path, kind, f"'{error}': {what} for rule: {rule.text}")
            raise Spent from None
        except CelEvalError as error:
            if str(error).startswith("no such overload"):
                what = "call arguments did not match a supported operator, function or macro"
                self._say(path, kind, f"'{error}': {what} signature for rule: {rule.text}")
            else:
                self._say(path, kind, f"{error} evaluating rule: {rule.text}")
            return True

    def _cause(self, rule: Rule, new: Any, values: Json, path: str, kind: str) -> Cause:
        where = rule.path(path) or NOWHERE
        detail = self._message(rule, values, path, kind)
        reason = rule.rule.get("reason") or "FieldValueInvalid"
        # Whole objects and lists would only fill the screen.
        value = "" if kind in ("object", "array") else f": {shown(new)}"
        if reason == "FieldValueForbidden":
            return Cause(reason, f"Forbidden: {detail}", where)
        if reason == "FieldValueRequired":
            return Cause(reason, f"Required value: {detail}", where)
        if reason == "FieldValueDuplicate":
            return Cause(reason, f"Duplicate value{value}", where)
        return Cause("FieldValueInvalid", f"Invalid value{value}: {detail}", where)

    def _message(self, rule: Rule, values: Json, path: str, kind: str) -> str:
        if isinstance(rule.message, Program):
            try:
                found = rule.message.evaluate(values, self.budget)
            except CostExceeded:
                what = "no further validation rules will be run due to call cost exceeds limit for"
                text = quoted(str(rule.rule.get("messageExpression")))
                self._say(path, kind, f"{what} messageExpression: {text}")
                raise Spent from None
            except CelEvalError:
                found = None
            text = found.strip() if isinstance(found, str) else ""
            if text and "\n" not in text and len(text.encode()) <= MESSAGE_BYTES_MAX:
                return text
        message = str(rule.rule.get("message") or "").strip()
        return message or f"failed rule: {str(rule.rule.get('rule') or '').strip()}"

    def _say(self, path: str, kind: str, detail: str) -> None:
        self.causes.append(invalid(path or NOWHERE, kind, detail))


def _old(rule: Rule, tree: RuleTree, old: Any) -> Any:
    if not rule.old_optional:
        return old
    if old is None:
        return NONE
    assert tree.old_type is not None
    convert = conversion(tree.old_type)
    return Optional(True, convert(old) if convert is not None else old)

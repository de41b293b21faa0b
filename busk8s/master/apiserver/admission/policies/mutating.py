"""Mutating policies: each changes the object that those before it made.

Owns      order, match conditions, the second round (reinvocation), the refusal.
Leaves    one mutation (patching), which policies there are (definitions), values (expressions).
Invariant a policy that fails changes nothing; the object keeps its kind and its form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from busk8s import errors
from busk8s.api.apply.layout import Layout
from busk8s.api.cel.errors import CelEvalError
from busk8s.api.cel.program import OBJECT_BUDGET, Budget
from busk8s.api.object import Json
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.admission.expressions import (
    OutOfBudget,
    Values,
    Variables,
    evaluate,
    evaluate_all,
)
from busk8s.master.apiserver.admission.matching import request_name
from busk8s.master.apiserver.admission.plugin import Lookup
from busk8s.master.apiserver.admission.policies.definitions import (
    Binding,
    Mutation,
    Policies,
    Policy,
)
from busk8s.master.apiserver.admission.policies.parameters import (
    BadParameters,
    Find,
    collect,
)
from busk8s.master.apiserver.admission.policies.patching import BadPatch, merged, patched
from busk8s.master.apiserver.admission.webhooks.mutating import Fit, fit
from busk8s.master.apiserver.admission.webhooks.review import converted, prepare
from busk8s.master.apiserver.attributes import Authorizer, Operation
from busk8s.master.apiserver.tracking import layout_for

_MEMORY = "mutating policies"
LayoutOf = Callable[[Resource], Layout]


@dataclass(slots=True)
class _Memory:
    """Of one request: which policies have a claim to run again."""

    asked: dict[str, None] = field(default_factory=dict)
    again: dict[str, None] = field(default_factory=dict)
    left: bytes = b""

    def object_changed(self) -> None:
        self.again.update(self.asked)
        self.asked.clear()


class Failed(Exception):
    """A policy, bound by `binding` ("": none), could not be applied."""

    def __init__(self, policy: Policy, binding: str, why: str) -> None:
        super().__init__(why)
        self.policy, self.binding = policy, binding


class MutatingPolicies:
    """An AsyncPlugin of the mutating part."""

    def __init__(
        self,
        policies: Policies,
        lookup: Lookup,
        authorizer: Authorizer,
        find: Find,
        *,
        fit: Fit = fit,
        layout: LayoutOf = layout_for,
    ) -> None:
        self._policies = policies
        self._lookup, self._authorizer, self._find = lookup, authorizer, find
        self._fit, self._layout = fit, layout

    def interest_in(self, operation: Operation) -> bool:
        return bool(self._policies.interested(operation))

    async def admit(self, operation: Operation) -> None:
        memory: _Memory = operation.memory.setdefault(_MEMORY, _Memory())
        if operation.round and orjson.dumps(operation.object) != memory.left:
            memory.object_changed()
        failures: list[Failed] = []
        for policy in self._policies.interested(operation):
            await self._apply(operation, policy, memory, failures)
        if not operation.round:
            memory.left = orjson.dumps(operation.object)
        refusing = [f for f in failures if not f.policy.fails_open]
        if refusing:
            raise _refusal(operation, refusing)

    async def _apply(
        self, operation: Operation, policy: Policy, memory: _Memory, failures: list[Failed]
    ) -> None:
        try:
            seen_as = policy.matcher.match(operation, self._lookup)
        except errors.Error as error:
            failures.append(Failed(policy, "", f"failed to configure policy: {error.message}"))
            return
        if seen_as is None:
            return
        for binding in policy.bindings:
            try:
                if binding.matcher.match(operation, self._lookup) is None:
                    continue
                namespace = operation.attributes.namespace
                params = collect(
                    policy.param_kind, binding.param_ref, namespace, self._lookup, self._find
                )
            except (errors.Error, BadParameters) as error:
                why = error.message if isinstance(error, errors.Error) else str(error)
                said = f"failed to configure binding: {why}"
                failures.append(Failed(policy, binding.name, said))
                continue
            for param in params:
                try:
                    await self._invoke(operation, policy, binding, seen_as, param, memory)
                except Failed as failed:
                    failures.append(failed)

    async def _invoke(
        self,
        operation: Operation,
        policy: Policy,
        binding: Binding,
        seen_as: Resource,
        param: Json | None,
        memory: _Memory,
    ) -> None:
        """One policy, by one binding, with one parameter."""
        compiled = policy.compiled
        if compiled.wrong:
            raise Failed(policy, binding.name, compiled.wrong)
        try:
            await prepare(operation, seen_as)
        except errors.Error as error:
            why = f"failed to convert object version: {error.message}"
            raise Failed(policy, binding.name, why) from None
        values = self._values(operation, seen_as, param)
        conditions = evaluate_all(compiled.conditions, values)
        if any(result is False for result in conditions):
            return
        wrong = [result for result in conditions if isinstance(result, str)]
        if wrong:
            raise Failed(policy, binding.name, wrong[0])
        key = f"{policy.name}/{binding.name}/{_identity(param)}"
        if (operation.round and key not in memory.again) or operation.object is None:
            return
        before = operation.object
        failed: Failed | None = None
        for mutation in compiled.mutations:
            try:
                await self._mutate(operation, policy, mutation, seen_as, param)
            except (CelEvalError, OutOfBudget, BadPatch) as error:
                failed = failed or Failed(policy, binding.name, str(error))
        if orjson.dumps(before) != orjson.dumps(operation.object):
            memory.object_changed()
            operation.changed = True
        if policy.reinvocable:
            memory.asked[key] = None
        if failed is not None:
            raise failed

    def _values(self, operation: Operation, seen_as: Resource, param: Json | None) -> Values:
        values = Values(operation, seen_as, self._lookup, self._authorizer)
        values["params"] = param
        return values

    async def _mutate(
        self,
        operation: Operation,
        policy: Policy,
        mutation: Mutation,
        seen_as: Resource,
        param: Json | None,
    ) -> None:
        try:
            await prepare(operation, seen_as)  # Anew: the mutation before this one changed it.
        except errors.Error as error:
            raise BadPatch(error.message) from None
        values, budget = self._values(operation, seen_as, param), Budget(OBJECT_BUDGET)
        values["variables"] = Variables(policy.compiled.variables, values, budget)
        found = evaluate(mutation.program, values, budget)
        document: Json = values["object"]
        if mutation.merges:
            new = merged(document, found, self._layout(seen_as))
        else:
            new = patched(document, found)
        for name in ("apiVersion", "kind"):
            if new.get(name) != document.get(name):
                raise BadPatch(f"the policy changes {name}")
        if new == document:
            return
        resource = operation.attributes.resource
        assert resource is not None
        before = operation.object
        try:
            if seen_as is not resource:
                new = await converted(operation, new, seen_as, resource)
            operation.object = new
            self._fit(operation)
        except errors.Error as error:
            operation.object = before
            raise BadPatch(error.message) from None


def _identity(param: Json | None) -> str:
    metadata = (param or {}).get("metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"


def _refusal(operation: Operation, failures: list[Failed]) -> errors.Error:
    attributes = operation.attributes
    said = []
    for failed in failures:
        bound = f" with binding '{failed.binding}'" if failed.binding else ""
        said.append(f"policy '{failed.policy.name}'{bound} denied request: {failed}")
    return errors.Error(
        403,
        "Invalid",
        said[0],
        group=attributes.group,
        kind=attributes.plural,
        name=request_name(operation),
        causes=[errors.Cause("", text) for text in said],
    )

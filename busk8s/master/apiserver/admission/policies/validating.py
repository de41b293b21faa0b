"""Validating policies: each expression that is false denies, warns of, or notes the write.

Owns      decisions, their messages, the failure policy, audit annotations, the refusal.
Leaves    which policies there are (definitions), values (expressions).
Invariant every policy that matches is evaluated, so that all warnings and notes are given;
          the first denial is what the client is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from busk8s import errors
from busk8s.api.cel.admission import MESSAGE_BYTES_MAX
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
    Policies,
    Policy,
    Validation,
)
from busk8s.master.apiserver.admission.policies.parameters import (
    BadParameters,
    Find,
    collect,
)
from busk8s.master.apiserver.admission.webhooks.review import prepare
from busk8s.master.apiserver.attributes import Authorizer, Operation

CODES = {
    "Forbidden": 403,
    "Unauthorized": 401,
    "RequestEntityTooLarge": 413,
    "Invalid": 422,
}
FAILURES_MAX = 50  # noted for the audit log
NOTE_BYTES_MAX = 10 * 1024
FAILURE_NOTE = "validation.policy.admission.k8s.io/validation_failure"


@dataclass(frozen=True, slots=True)
class Denial:
    """`index` is that of the expression."""

    message: str
    reason: str = "Invalid"
    index: int = 0


@dataclass(slots=True)
class _Outcome:
    """Of one request, over all policies."""

    denials: list[tuple[str, Denial]] = field(default_factory=list)  # by whom
    failures: list[Json] = field(default_factory=list)


class ValidatingPolicies:
    """An AsyncPlugin of the validating part."""

    def __init__(
        self, policies: Policies, lookup: Lookup, authorizer: Authorizer, find: Find
    ) -> None:
        self._policies = policies
        self._lookup, self._authorizer, self._find = lookup, authorizer, find

    def interest_in(self, operation: Operation) -> bool:
        return bool(self._policies.interested(operation))

    async def admit(self, operation: Operation) -> None:
        outcome = _Outcome()
        for policy in self._policies.interested(operation):
            await self._apply(operation, policy, outcome)
        if outcome.failures:
            noted = orjson.dumps(outcome.failures[:FAILURES_MAX]).decode()
            operation.annotations[FAILURE_NOTE] = noted
        if outcome.denials:
            raise _refusal(operation, *outcome.denials[0])

    async def _apply(self, operation: Operation, policy: Policy, outcome: _Outcome) -> None:
        try:
            seen_as = policy.matcher.match(operation, self._lookup)
        except errors.Error as error:
            self._misconfigured(policy, None, error.message, outcome)
            return
        if seen_as is None:
            return
        try:
            await prepare(operation, seen_as)
        except errors.Error as error:
            why = f"failed to convert object version: {error.message}"
            self._misconfigured(policy, None, why, outcome)
            return
        notes: dict[str, list[str]] = {}
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
                self._misconfigured(policy, binding, why, outcome)
                continue
            self._bound(operation, policy, binding, seen_as, params, outcome, notes)
        for key, values in notes.items():
            operation.annotations[f"{policy.name}/{key}"] = ", ".join(values)

    def _misconfigured(
        self, policy: Policy, binding: Binding | None, why: str, outcome: _Outcome
    ) -> None:
        if not policy.fails_open:
            what = "policy" if binding is None else "binding"
            denial = Denial(f"failed to configure {what}: {why}")
            outcome.denials.append((_by(policy, binding), denial))

    def _bound(
        self,
        operation: Operation,
        policy: Policy,
        binding: Binding,
        seen_as: Resource,
        params: list[Json | None],
        outcome: _Outcome,
        notes: dict[str, list[str]],
    ) -> None:
        values = Values(operation, seen_as, self._lookup, self._authorizer)
        for param in params:
            one = values.with_params(param)
            for denial in _decisions(policy, one, notes, outcome, binding):
                self._act(operation, policy, binding, denial, outcome)

    def _act(
        self,
        operation: Operation,
        policy: Policy,
        binding: Binding,
        denial: Denial,
        outcome: _Outcome,
    ) -> None:
        for action in binding.actions:
            if action == "Deny":
                outcome.denials.append((_by(policy, binding), denial))
            elif action == "Audit":
                outcome.failures.append(_failure(policy, binding, denial))
            elif action == "Warn":
                operation.warnings.append(
                    f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with "
                    f"binding '{binding.name}': {denial.message}"
                )


def _by(policy: Policy, binding: Binding | None) -> str:
    bound = f" with binding '{binding.name}'" if binding is not None else ""
    return f"ValidatingAdmissionPolicy '{policy.name}'{bound}"


def _failure(policy: Policy, binding: Binding, denial: Denial) -> Json:
    return {
        "message": denial.message,
        "policy": policy.name,
        "binding": binding.name,
        "expressionIndex": denial.index,
        "validationActions": list(binding.actions),
    }


def _decisions(
    policy: Policy,
    values: Values,
    notes: dict[str, list[str]],
    outcome: _Outcome,
    binding: Binding,
) -> Iterator[Denial]:
    """What is wrong with the write; a failure to say so is wrong too, but for `Ignore`."""
    compiled = policy.compiled
    if compiled.wrong:
        if not policy.fails_open:
            yield Denial(compiled.wrong)
        return
    conditions = evaluate_all(compiled.conditions, values)
    if any(result is False for result in conditions):
        return
    wrong = [result for result in conditions if isinstance(result, str)]
    if wrong:
        if not policy.fails_open:
            yield Denial(wrong[0])
        return
    budget = Budget(OBJECT_BUDGET)
    values["variables"] = Variables(compiled.variables, values, budget)
    try:
        for index, validation in enumerate(compiled.validations):
            denial = _decide(policy, validation, index, values, budget)
            if denial is not None:
                yield denial
        _annotate(policy, values, notes, outcome, binding)
    except OutOfBudget as error:
        if not policy.fails_open:
            yield Denial(str(error))


def _decide(
    policy: Policy, validation: Validation, index: int, values: Values, budget: Budget
) -> Denial | None:
    try:
        if evaluate(validation.program, values, budget) is True:
            return None
    except CelEvalError as error:
        return None if policy.fails_open else Denial(str(error), index=index)
    return Denial(_message(validation, values, budget), validation.reason, index)


def _message(validation: Validation, values: Values, budget: Budget) -> str:
    said = ""
    if validation.message_program is not None:
        try:
            found = evaluate(validation.message_program, values, budget)
        except CelEvalError:
            found = ""  # upstream logs it, and falls back
        said = found.strip() if isinstance(found, str) else ""
        if len(said) > MESSAGE_BYTES_MAX or "\n" in said:
            said = ""
    return said or validation.message or f"failed expression: {validation.expression}"


def _annotate(
    policy: Policy,
    values: Values,
    notes: dict[str, list[str]],
    outcome: _Outcome,
    binding: Binding,
) -> None:
    budget = Budget(OBJECT_BUDGET)
    for key, program in policy.compiled.annotations:
        try:
            found = evaluate(program, values, budget)
        except CelEvalError as error:
            if not policy.fails_open:
                outcome.denials.append((_by(policy, binding), Denial(str(error))))
            continue
        text = found.strip()[:NOTE_BYTES_MAX] if isinstance(found, str) else ""
        if text and text not in notes.setdefault(key, []):
            notes[key].append(text)


def _refusal(operation: Operation, by: str, denial: Denial) -> errors.Error:
    attributes = operation.attributes
    said, name = f"{by} denied request: {denial.message}", request_name(operation)
    plain = errors.forbidden(attributes.plural, name, said, group=attributes.group)
    return errors.Error(
        CODES.get(denial.reason, 422),
        denial.reason,
        plain.message,
        group=attributes.group,
        kind=attributes.plural,
        name=name,
        causes=[errors.Cause("", said)],
    )

"""Both kinds of policies, and match conditions of webhooks, put together.

Owns      that nothing of CEL is loaded before there is an expression to evaluate.
Invariant a write that no policy is bound for costs one look at an empty tuple.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from busk8s.api.scheme import Resource
from busk8s.master.apiserver.admission.plugin import AsyncPlugin
from busk8s.master.apiserver.admission.policies.definitions import (
    MUTATING,
    VALIDATING,
    Policies,
)
from busk8s.master.apiserver.admission.webhooks.conditions import Conditions
from busk8s.master.apiserver.attributes import Authorizer, Operation
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.store.watch import WatchCache


class AdmissionPolicies:
    """`mutating` and `validating` are for the chain; nothing is evaluated before `open()`.

    `conditions` evaluates the match conditions of webhooks.
    """

    def __init__(self, cache: WatchCache, authorizer: Authorizer, catalog: Catalog) -> None:
        mutating, validating = Policies(cache, MUTATING), Policies(cache, VALIDATING)

        def make_mutating() -> AsyncPlugin:
            from busk8s.master.apiserver.admission.policies.mutating import MutatingPolicies

            return MutatingPolicies(mutating, cache, authorizer, catalog.by_kind)

        def make_validating() -> AsyncPlugin:
            from busk8s.master.apiserver.admission.policies.validating import (
                ValidatingPolicies,
            )

            return ValidatingPolicies(validating, cache, authorizer, catalog.by_kind)

        def make_conditions() -> Conditions:
            from busk8s.master.apiserver.admission.expressions import MatchConditions

            return MatchConditions(cache, authorizer)

        self._policies = (mutating, validating)
        self.mutating: AsyncPlugin = _Later(mutating, make_mutating)
        self.validating: AsyncPlugin = _Later(validating, make_validating)
        self.conditions: Conditions = _LaterConditions(make_conditions)
        catalog.on_change(self._forget)

    def open(self) -> None:
        for policies in self._policies:
            policies.open()

    def _forget(self) -> None:
        for policies in self._policies:
            policies.forget()


class _Later:
    """A plug-in that is made when the first policy matches."""

    def __init__(self, policies: Policies, make: Callable[[], AsyncPlugin]) -> None:
        self._policies, self._make = policies, make
        self._made: AsyncPlugin | None = None

    def interest_in(self, operation: Operation) -> bool:
        return bool(self._policies.interested(operation))

    async def admit(self, operation: Operation) -> None:
        if self._made is None:
            self._made = self._make()
        await self._made.admit(operation)


class _LaterConditions:
    def __init__(self, make: Callable[[], Conditions]) -> None:
        self._make = make
        self._made: Conditions | None = None

    def __call__(
        self, conditions: Sequence[tuple[str, str]], operation: Operation, seen_as: Resource
    ) -> Sequence[bool | str]:
        if self._made is None:
            self._made = self._make()
        return self._made(conditions, operation, seen_as)

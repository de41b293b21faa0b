"""Validating webhooks: all that match are asked at once, and one refusal refuses.

Owns      asking in parallel, which of several refusals is told.
Leaves    one call (calling), who is asked (hooks).
"""

from __future__ import annotations

import asyncio

from busk8s import errors
from busk8s.api.scheme import Resource
from busk8s.log import Logger
from busk8s.master.apiserver.admission.plugin import Lookup
from busk8s.master.apiserver.admission.webhooks.calling import Caller, Failed, refusal
from busk8s.master.apiserver.admission.webhooks.conditions import Conditions, hold
from busk8s.master.apiserver.admission.webhooks.hooks import Hook, Hooks
from busk8s.master.apiserver.admission.webhooks.review import denied, prepare_for_hook
from busk8s.master.apiserver.attributes import Operation

FAILED_OPEN = "failed-open.validating.webhook.admission.k8s.io/round_0_index_"
log = Logger("busk8s.apiserver")


class ValidatingWebhooks:
    """An AsyncPlugin of the validating part."""

    def __init__(
        self, hooks: Hooks, caller: Caller, lookup: Lookup, conditions: Conditions | None = None
    ) -> None:
        self._hooks = hooks
        self._caller = caller
        self._lookup = lookup
        self._conditions = conditions

    def interest_in(self, operation: Operation) -> bool:
        return bool(self._hooks.interested(operation))

    async def admit(self, operation: Operation) -> None:
        chosen: list[tuple[Hook, Resource]] = []
        for hook in self._hooks.interested(operation):
            seen_as = hook.match(operation, self._lookup)
            if seen_as is None:
                continue
            await prepare_for_hook(operation, seen_as)
            if hold(self._conditions, hook, operation, seen_as):
                chosen.append((hook, seen_as))
        if len(chosen) == 1:
            refused = await self._ask(operation, 0, *chosen[0])
            if refused is not None:
                raise refused
        elif chosen:
            await self._ask_all(operation, chosen)

    async def _ask_all(self, operation: Operation, chosen: list[tuple[Hook, Resource]]) -> None:
        """Every answer is awaited, as upstream does: warnings and annotations are all kept."""
        refusals: list[errors.Error] = []

        async def ask(index: int, hook: Hook, seen_as: Resource) -> None:
            refused = await self._ask(operation, index, hook, seen_as)
            if refused is not None:
                refusals.append(refused)

        async with asyncio.TaskGroup() as group:
            for index, (hook, seen_as) in enumerate(chosen):
                group.create_task(ask(index, hook, seen_as))
        if refusals:
            raise refusals[0]

    async def _ask(
        self, operation: Operation, index: int, hook: Hook, seen_as: Resource
    ) -> errors.Error | None:
        try:
            verdict = await self._caller.ask(operation, hook, seen_as, mutating=False)
        except Failed as failed:
            if not hook.fails_open:
                return refusal(failed)
            log.warning("webhook failed, ignored as configured", webhook=hook.name, why=failed)
            operation.annotations[f"{FAILED_OPEN}{index}"] = hook.name
            return None
        except errors.Error as error:
            return error
        for key, value in verdict.annotations.items():
            operation.annotations[f"{hook.name}/{key}"] = value
        operation.warnings.extend(verdict.warnings)
        return None if verdict.allowed else denied(hook.name, verdict.status)

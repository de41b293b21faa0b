"""`matchConditions` of a webhook: expressions that must all hold for it to be asked.

Owns      what follows from true, false and errors, by the failure policy.
Leaves    evaluating (given by the wiring, None where nothing evaluates).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from busk8s import errors
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.admission.matching import request_name
from busk8s.master.apiserver.admission.webhooks.hooks import Hook
from busk8s.master.apiserver.attributes import Operation

# Each expression's value, or the text of why it has none.
Conditions = Callable[[Sequence[tuple[str, str]], Operation, Resource], Sequence[bool | str]]


def hold(evaluate: Conditions | None, hook: Hook, operation: Operation, seen_as: Resource) -> bool:
    """Whether the webhook is to be asked; raises 403 when that cannot be said and must be."""
    if not hook.conditions:
        return True
    if evaluate is None:
        results: Sequence[bool | str] = ["match conditions are not supported"]
    else:
        results = evaluate(hook.conditions, operation, seen_as)
    if any(result is False for result in results):
        return False
    wrong = [result for result in results if isinstance(result, str)]
    if not wrong:
        return True
    if hook.fails_open:
        return False
    attributes = operation.attributes
    said = wrong[0] if len(wrong) == 1 else f"[{', '.join(dict.fromkeys(wrong))}]"
    raise errors.forbidden(attributes.plural, request_name(operation), said, group=attributes.group)

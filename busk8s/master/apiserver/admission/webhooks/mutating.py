"""Mutating webhooks: asked one after the other, each sees what those before it made.

Owns      applying patches, checking what they made, the second round (reinvocation).
Leaves    one call (calling), who is asked (hooks), defaults and types (`fit`).
Invariant a patch that does not apply, or that makes something of another kind or form, changes
          nothing and ends the request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from busk8s import errors
from busk8s.api.decode import Unfit, check, check_depth, strip_nulls
from busk8s.api.object import Json
from busk8s.api.patch import Unapplied, json_patch
from busk8s.api.scheme import Resource
from busk8s.log import Logger
from busk8s.master.apiserver.admission.chain import WHOLE, complete
from busk8s.master.apiserver.admission.plugin import Lookup
from busk8s.master.apiserver.admission.webhooks.calling import Caller, Failed, refusal
from busk8s.master.apiserver.admission.webhooks.conditions import Conditions, hold
from busk8s.master.apiserver.admission.webhooks.hooks import Hook, Hooks
from busk8s.master.apiserver.admission.webhooks.review import (
    Verdict,
    converted,
    denied,
    prepare_for_hook,
    shown,
)
from busk8s.master.apiserver.attributes import Operation

MUTATION = "mutation.webhook.admission.k8s.io/"
FAILED_OPEN = f"failed-open.{MUTATION}"
_MEMORY = "mutating webhooks"
Fit = Callable[[Operation], None]

log = Logger("busk8s.apiserver")


@dataclass(slots=True)
class _Memory:
    """Of one request: which webhooks have a claim to be asked again."""

    asked: dict[str, None] = field(default_factory=dict)
    again: dict[str, None] = field(default_factory=dict)
    left: bytes = b""  # the object as the first round left it

    def object_changed(self) -> None:
        self.again.update(self.asked)
        self.asked.clear()


def fit(operation: Operation) -> None:
    """Check the types of what a webhook made, and complete it; raises errors.Error."""
    resource = operation.attributes.resource
    assert resource is not None
    assert operation.object is not None
    if operation.attributes.subresource in WHOLE:
        try:
            check(resource, operation.object, "Ignore")
        except Unfit as error:
            raise errors.internal(str(error)) from None
        complete(operation)


class MutatingWebhooks:
    """An AsyncPlugin of the mutating part."""

    def __init__(
        self,
        hooks: Hooks,
        caller: Caller,
        lookup: Lookup,
        conditions: Conditions | None = None,
        fit: Fit = fit,
    ) -> None:
        self._hooks = hooks
        self._caller = caller
        self._lookup = lookup
        self._conditions = conditions
        self._fit = fit

    def interest_in(self, operation: Operation) -> bool:
        return bool(self._hooks.interested(operation))

    async def admit(self, operation: Operation) -> None:
        memory: _Memory = operation.memory.setdefault(_MEMORY, _Memory())
        if operation.round and orjson.dumps(operation.object) != memory.left:
            memory.object_changed()  # by what ran again before us
        for hook in self._hooks.interested(operation):
            seen_as = hook.match(operation, self._lookup)
            if seen_as is None:
                continue
            await prepare_for_hook(operation, seen_as)
            if not hold(self._conditions, hook, operation, seen_as):
                continue
            if operation.round and hook.uid not in memory.again:
                continue
            changed = await self._ask(operation, hook, seen_as)
            if changed:
                memory.object_changed()
                operation.changed = True
            if hook.reinvocable:
                memory.asked[hook.uid] = None
        if operation.changed and not operation.round:
            memory.left = orjson.dumps(operation.object)

    async def _ask(self, operation: Operation, hook: Hook, seen_as: Resource) -> bool:
        """Whether the object was changed."""
        place = f"round_{operation.round}_index_{hook.index}"
        changed = False
        try:
            verdict = await self._caller.ask(operation, hook, seen_as, mutating=True)
            for key, value in verdict.annotations.items():
                operation.annotations[f"{hook.name}/{key}"] = value
            operation.warnings.extend(verdict.warnings)
            if not verdict.allowed:
                raise denied(hook.name, verdict.status)
            changed = await self._patched(operation, hook, seen_as, verdict)
        except Failed as failed:
            if not hook.fails_open:
                raise refusal(failed) from None
            log.warning("webhook failed, ignored as configured", webhook=hook.name, why=failed)
            operation.annotations[f"{FAILED_OPEN}{place}"] = hook.name
        said = {"configuration": hook.configuration, "webhook": hook.name, "mutated": changed}
        operation.annotations[f"{MUTATION}{place}"] = orjson.dumps(said).decode()
        return changed

    async def _patched(
        self, operation: Operation, hook: Hook, seen_as: Resource, verdict: Verdict
    ) -> bool:
        if not verdict.patch:
            return False
        operations = _operations(hook, verdict.patch)
        if not operations:
            return False
        if operation.object is None:
            raise errors.internal(
                f'admission webhook "{hook.name}" attempted to modify the object, which is not '
                "supported for this operation"
            )
        if verdict.patch_type != "JSONPatch":
            raise Failed(hook, f'unsupported patch type "{verdict.patch_type}"')
        before = operation.object
        revision = operation.old.revision if operation.old is not None else 0
        document = shown(operation, seen_as, before, revision)
        new = _applied(document, operations)
        if new == document:
            return False
        operation.object = await _taken(operation, seen_as, before, new)
        self._fit(operation)
        return orjson.dumps(operation.object) != orjson.dumps(before)


def _operations(hook: Hook, patch: bytes) -> list[Json]:
    try:
        operations = orjson.loads(patch)
        check_depth(operations)
    except (orjson.JSONDecodeError, errors.Error) as error:
        why = f"received undecodable patch in webhook response: {error}"
        raise Failed(hook, why) from None
    if not isinstance(operations, list):
        why = "json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        raise Failed(hook, f"received undecodable patch in webhook response: {why}")
    return operations


def _applied(document: Json | None, operations: list[Json]) -> Json:
    """The patched document, sharing nothing with anything; raises errors.Error (500)."""
    try:
        new = json_patch(document, operations)
    except errors.Error as error:
        why = error.why if isinstance(error, Unapplied) else error.message
        raise errors.internal(why) from None
    if not isinstance(new, dict):
        raise errors.internal("the patch of a webhook leaves no object")
    assert document is not None
    for name in ("kind", "apiVersion"):
        if new.get(name) != document.get(name):
            was, now = document.get(name), new.get(name)
            raise errors.internal(f"the patch of a webhook changes {name} from {was} to {now}")
    copy: Json = orjson.loads(orjson.dumps(new))
    try:
        check_depth(copy)
    except errors.Error as error:
        raise errors.internal(error.message) from None
    strip_nulls(copy)
    if not isinstance(copy.get("metadata", {}), dict):
        raise errors.internal("the patch of a webhook leaves no metadata")
    return copy


async def _taken(operation: Operation, seen_as: Resource, before: Json, new: Json) -> Any:
    """`new`, as the webhook saw it, back in the form of the request."""
    resource = operation.attributes.resource
    assert resource is not None
    if operation.attributes.subresource == "scale" and before.get("kind") != "Scale":
        whole: Json = orjson.loads(orjson.dumps(before))
        spec = new.get("spec")
        replicas = spec.get("replicas", 0) if isinstance(spec, dict) else 0
        if not isinstance(replicas, int) or not 0 <= replicas < 2**31:
            raise errors.internal("the patch of a webhook leaves no number of replicas")
        whole.setdefault("spec", {})["replicas"] = replicas
        return whole
    if seen_as is resource or operation.attributes.subresource not in WHOLE:
        return new
    try:
        return await converted(operation, new, seen_as, resource)
    except errors.Error as error:
        raise errors.internal(error.message) from None

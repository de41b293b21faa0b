"""One call of one webhook, with every way it can go wrong.

Owns      dry runs, the time a call may take, upstream's words for failures.
Leaves    content (review), transport (outgoing), what follows (mutating, validating).
Invariant the answer is a Verdict, a `Failed` (the webhook's fault: failurePolicy decides), or an
          errors.Error (the request's end).
"""

from __future__ import annotations

import orjson

from busk8s import errors
from busk8s.api.scheme import Resource
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.master.apiserver.admission.webhooks.hooks import Hook
from busk8s.master.apiserver.admission.webhooks.review import (
    BadAnswer,
    Undecodable,
    Verdict,
    denied,
    request_of,
    verdict_of,
)
from busk8s.master.apiserver.attributes import Operation
from busk8s.master.apiserver.metrics.admission import AdmissionMetrics
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.reviews_sent import NoAnswer, post

REQUEST_S_MAX = 60.0  # What all webhooks of one write may take; upstream's time of a request.
FAILED_CODE = 503  # What a failed call is counted as; upstream's number.
_DEADLINE = "webhooks deadline"

log = Logger("busk8s.apiserver")


class Failed(Exception):
    """No usable answer; the text is upstream's, with the webhook's name."""

    def __init__(self, hook: Hook, why: str) -> None:
        super().__init__(f'failed calling webhook "{hook.name}": {why}')


def refusal(failed: Failed) -> errors.Error:
    """What the client is told when the webhook may not be left out."""
    error = errors.internal(str(failed))
    error.causes = (errors.Cause("", str(failed)),)
    return error


class Caller:
    def __init__(
        self,
        outgoing: Outgoing,
        ids: IdSource,
        clock: Clock,
        metrics: AdmissionMetrics | None = None,
    ) -> None:
        self._outgoing = outgoing
        self._ids = ids
        self._clock = clock
        self._metrics = metrics or AdmissionMetrics(clock)

    async def ask(
        self, operation: Operation, hook: Hook, seen_as: Resource, *, mutating: bool
    ) -> Verdict:
        """Raises Failed, and errors.Error (400 for a dry run it does not support)."""
        kind = "admit" if mutating else "validating"
        began = self._clock.monotonic()
        code, error = 200, ""
        try:
            verdict = await self._ask(operation, hook, seen_as, mutating=mutating)
            if not verdict.allowed:
                code, error = denied(hook.name, verdict.status).code, "no_error"
        except Failed:
            code = FAILED_CODE
            if hook.fails_open:
                self._metrics.failed_open(hook.name, kind)
            else:
                error = "calling_webhook_error"
            raise
        except errors.Error:
            code, error = 0, "apiserver_internal_error"
            raise
        finally:
            took = self._clock.monotonic() - began
            self._metrics.webhook(hook.name, operation.kind, kind, took, code=code, error=error)
        return verdict

    async def _ask(
        self, operation: Operation, hook: Hook, seen_as: Resource, *, mutating: bool
    ) -> Verdict:
        if operation.dry_run and not hook.harmless:
            raise errors.bad_request(f'admission webhook "{hook.name}" does not support dry run')
        uid = self._ids.uid()
        try:
            review, version = request_of(operation, hook, seen_as, uid)
        except BadAnswer as error:
            raise Failed(hook, f"could not create admission objects: {error}") from None
        answer = await self._call(operation, hook, orjson.dumps(review))
        try:
            return verdict_of(answer, version, uid, mutating=mutating)
        except Undecodable as error:
            raise Failed(hook, f"failed to call webhook: {error}") from None
        except BadAnswer as error:
            raise Failed(hook, f"received invalid webhook response: {error}") from None

    async def _call(self, operation: Operation, hook: Hook, body: bytes) -> bytes:
        seconds = min(float(hook.timeout_s), self._left(operation))
        try:
            return await post(self._outgoing, hook.target, body, seconds)
        except NoAnswer as error:
            raise Failed(hook, f"failed to call webhook: {error}") from None

    def _left(self, operation: Operation) -> float:
        now = self._clock.monotonic()
        left: float = operation.memory.setdefault(_DEADLINE, now + REQUEST_S_MAX) - now
        if left <= 0:
            raise errors.timeout("request did not complete within requested timeout")
        return left

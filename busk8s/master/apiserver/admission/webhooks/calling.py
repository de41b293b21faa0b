"""One call of one webhook, with every way it can go wrong.

Owns      dry runs, the time a call may take, upstream's words for failures.
Leaves    content (review), transport (outgoing), what follows (mutating, validating).
Invariant the answer is a Verdict, a `Failed` (the webhook's fault: failurePolicy decides), or an
          errors.Error (the request's end).
"""

from __future__ import annotations

import math

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
from busk8s.master.apiserver.outgoing import Answer, CallFailed, Outgoing

REQUEST_S_MAX = 60.0  # What all webhooks of one write may take; upstream's time of a request.
FAILED_CODE = 503  # What a failed call is counted as; upstream's number.
SAID_CHARACTERS_MAX = 2_048  # Of a server's own error text; upstream's number.
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
            return verdict_of(answer.body, version, uid, mutating=mutating)
        except Undecodable as error:
            raise Failed(hook, f"failed to call webhook: {error}") from None
        except BadAnswer as error:
            raise Failed(hook, f"received invalid webhook response: {error}") from None

    async def _call(self, operation: Operation, hook: Hook, body: bytes) -> Answer:
        seconds = min(float(hook.timeout_s), self._left(operation))
        query = f"timeout={math.ceil(seconds)}s"
        try:
            answer = await self._outgoing.call(hook.target, body, timeout_s=seconds, query=query)
        except CallFailed as error:
            url = hook.target.url(query)
            raise Failed(hook, f'failed to call webhook: Post "{url}": {error}') from None
        if not 200 <= answer.status <= 206:
            raise Failed(hook, f"failed to call webhook: {_unexpected(answer)}")
        return answer

    def _left(self, operation: Operation) -> float:
        now = self._clock.monotonic()
        left: float = operation.memory.setdefault(_DEADLINE, now + REQUEST_S_MAX) - now
        if left <= 0:
            raise errors.timeout("request did not complete within requested timeout")
        return left


_SAID = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be "
    "processing the request",
}


def _unexpected(answer: Answer) -> str:
    """What Go's client makes of an answer that is none: a Status' message, or its own words."""
    try:
        status = orjson.loads(answer.body)
        if isinstance(status, dict) and status.get("kind") == "Status" and status.get("message"):
            return str(status["message"])[:SAID_CHARACTERS_MAX]
    except orjson.JSONDecodeError:
        pass
    text = answer.body[:SAID_CHARACTERS_MAX].decode("utf-8", "replace").strip()
    if answer.status == 403:
        return text or "the server does not allow access to the requested resource"
    if answer.status in _SAID:
        return _SAID[answer.status]
    if answer.status >= 500:
        said = orjson.dumps(text or "unknown").decode()
        return f"an error on the server ({said}) has prevented the request from succeeding"
    return (
        f"the server responded with the status code {answer.status} but did not return more "
        "information"
    )

"""Every request passes here once it has been answered.

Owns      the id of a request, which stages of it are told of, when.
Leaves    how much is told (policy), how it looks (event), where it goes (log).
Invariant what is not told of costs one look-up. A watch is told of when it starts and when it ends.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

from busk8s import errors
from busk8s.api.request import Request, Response
from busk8s.clock import Clock
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.audit.event import line
from busk8s.master.apiserver.audit.log import AuditLog
from busk8s.master.apiserver.audit.policy import AuditPolicy, Decision
from busk8s.master.apiserver.audit.webhook import AuditWebhook
from busk8s.master.apiserver.refusals import DECISION
from busk8s.master.apiserver.route import OUTSIDE, Route, verb_of
from busk8s.metrics import Counter, Family, Gauge, Labels

Find = Callable[[str], Route]


class Auditor:
    """`find` answers the route of a path, as the server does; `ids` makes an id; `why` says by
    what a request is allowed."""

    def __init__(
        self,
        policy: AuditPolicy,
        log: AuditLog,
        find: Find,
        ids: Callable[[], str],
        clock: Clock,
        *,
        why: Callable[[Attributes], str],
        webhook: AuditWebhook | None = None,
    ) -> None:
        self._webhook = webhook
        self._policy, self._log, self._find, self._why = policy, log, find, why
        self._levels = Counter("apiserver_audit_level_total", "Events by level.", ("level",))
        self._ids, self._now = ids, clock.now

    def note(self, request: Request, response: Response, seconds: float) -> None:
        """`response` has been made, `seconds` after `request` came."""
        attributes = self._attributes(request)
        decision = self._policy.decide(attributes)
        if decision.level == "None":
            return
        self._levels.inc((decision.level,))
        now = self._now()
        audit_id = request.headers.get("audit-id") or self._ids()
        lasting = response.stream or response.upgrade  # What a client holds on to.
        stage = "ResponseStarted" if lasting is not None else "ResponseComplete"
        began = now - seconds
        if "RequestReceived" not in decision.omit_stages:
            self._tell(request, response, attributes, decision, audit_id, "RequestReceived", began)
        self._tell(request, response, attributes, decision, audit_id, stage, began)
        if lasting is not None:
            # Told of when nobody reads it any more; nothing is done for each of its chunks.
            told = (request, Response(response.status), attributes, decision, audit_id)
            weakref.finalize(lasting, self._tell, *told, "ResponseComplete", began)

    def _tell(
        self,
        request: Request,
        response: Response,
        attributes: Attributes,
        decision: Decision,
        audit_id: str,
        stage: str,
        began: float,
    ) -> None:
        if stage in decision.omit_stages:
            return
        event = line(
            request,
            response,
            attributes,
            decision,
            audit_id=audit_id,
            reason="" if DECISION in request.notes else self._why(attributes),
            stage=stage,
            began=began,
            now=self._now(),
        )
        self._log.add(event)
        if self._webhook is not None:
            self._webhook.add(event)

    def families(self) -> Sequence[Family]:
        backends: dict[tuple[str], AuditLog | AuditWebhook] = {("log",): self._log}
        if self._webhook is not None:
            backends["webhook",] = self._webhook

        def each(name: str, what: str, count: Callable[[AuditLog | AuditWebhook], int]) -> Family:
            def values() -> dict[Labels, float]:
                return {of: count(backend) for of, backend in backends.items()}

            return Gauge(name, what, values, ("plugin",), kind="counter")

        return (
            self._levels,
            each("apiserver_audit_event_total", "Events to be told.", lambda one: one.added),
            each("apiserver_audit_error_total", "Events that were lost.", lambda one: one.dropped),
            Counter("apiserver_audit_requests_rejected_total",
                    "Requests refused because they could not be logged: here never."),
        )  # fmt: skip

    def _attributes(self, request: Request) -> Attributes:
        try:
            route = self._find(request.path)
            if route.resource is not None:
                verb = verb_of(request, route)
                return Attributes(
                    request.user,
                    verb,
                    route.resource,
                    route.subresource,
                    route.namespace,
                    route.name,
                    request.path,
                )
        except errors.Error:
            route = OUTSIDE
        return Attributes(request.user, request.method.lower(), path=request.path)

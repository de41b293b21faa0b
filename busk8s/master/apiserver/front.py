"""The door of the API server, for HTTPS and bus alike: health, metrics, then dispatch, timed.

Owns      which paths are answered before the API, counting every answer.
Leaves    everything that is a resource or discovery (dispatch).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from busk8s.api.request import Request, Response
from busk8s.clock import Clock
from busk8s.master.apiserver import http_response as form
from busk8s.master.apiserver.attributes import Attributes, Authorizer
from busk8s.master.apiserver.audit.auditor import Auditor
from busk8s.master.apiserver.health import Health
from busk8s.master.apiserver.metrics import Metrics
from busk8s.master.apiserver.refusals import access_denied

ASIDE = ("/healthz", "/livez", "/readyz", "/metrics")
Dispatch = Callable[[Request], Awaitable[Response]]


class Front:
    def __init__(
        self,
        dispatch: Dispatch,
        authorizer: Authorizer,
        health: Health,
        metrics: Metrics,
        clock: Clock,
        audit: Auditor | None = None,
    ) -> None:
        self._dispatch = dispatch
        self._authorizer = authorizer
        self._health = health
        self._metrics = metrics
        self._audit = audit
        self._monotonic = clock.monotonic

    async def __call__(self, request: Request) -> Response:
        began = self._monotonic()
        response = self._aside(request)
        if response is None:
            response = await self._dispatch(request)
        took = self._monotonic() - began
        self._metrics.count(request, response.status, took)
        if self._audit is not None:
            self._audit.note(request, response, took)
        return response

    def _aside(self, request: Request) -> Response | None:
        path = request.path
        if path.startswith("/api") or not path.startswith(ASIDE):
            return None
        attributes = Attributes(request.user, request.method.lower(), None, path=path)
        why = self._authorizer.authorize(attributes)
        if why is not None:
            return form.of_error(access_denied(attributes, why))
        if path == "/metrics" and request.method == "GET":
            return self._metrics.answer()
        return self._health.answer(request)

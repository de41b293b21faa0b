"""The door of the API server, for HTTPS and bus alike: health, metrics, then dispatch, timed.

Owns      which paths are answered before the API, counting every answer.
Leaves    everything that is a resource or discovery (dispatch).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from busk8s import errors
from busk8s.api.request import Request, Response
from busk8s.clock import Clock
from busk8s.log import REQUESTS_V, verbosity
from busk8s.master.apiserver import http_response as form
from busk8s.master.apiserver.attributes import Attributes, Authorizer
from busk8s.master.apiserver.audit.auditor import Auditor
from busk8s.master.apiserver.health import Health
from busk8s.master.apiserver.metrics.requests import RequestMetrics
from busk8s.master.apiserver.refusals import access_denied, forbidden_by
from busk8s.master.apiserver.request_log import SLOW_S, tell
from busk8s.master.apiserver.waits import waited
from busk8s.metrics import TEXT

ASIDE = ("/healthz", "/livez", "/readyz", "/metrics")
Handler = Callable[[Request], Awaitable[Response]]


class Pages(Protocol):
    """What /metrics shows."""

    def whole(self) -> bytes: ...

    def slis(self) -> bytes: ...


class Front:
    """`components`: pages of /metrics that others must be asked for, by the rest of the path."""

    def __init__(
        self,
        dispatch: Handler,
        authorizer: Authorizer,
        health: Health,
        metrics: RequestMetrics,
        clock: Clock,
        audit: Auditor | None = None,
        *,
        pages: Pages,
        components: Mapping[str, Handler] = {},
    ) -> None:
        self._dispatch = dispatch
        self._authorizer = authorizer
        self._health = health
        self._metrics = metrics
        self._audit = audit
        self._pages = pages
        self._components = components
        self._tells_all = verbosity() >= REQUESTS_V
        self._monotonic = clock.monotonic

    async def __call__(self, request: Request) -> Response:
        metrics, method = self._metrics, request.method
        began = self._monotonic()
        waited.set(0.0)
        metrics.began(method)
        try:
            response = await self._answer(request)
        finally:
            metrics.ended(method)
        took = self._monotonic() - began
        metrics.count(request, response, took)
        if self._tells_all or took > SLOW_S:
            tell(request, response, took)
        if self._audit is not None:
            self._audit.note(request, response, took)
        return response

    async def _answer(self, request: Request) -> Response:
        path = request.path
        if path.startswith("/api") or not path.startswith(ASIDE):
            return await self._dispatch(request)
        attributes = Attributes(request.user, request.method.lower(), None, path=path)
        why = self._authorizer.authorize(attributes)
        if why is not None:
            request.notes |= forbidden_by(why)
            return form.of_error(access_denied(attributes, why))
        if path.startswith("/metrics") and request.method == "GET":
            if path == "/metrics":
                return Response(200, self._pages.whole(), TEXT)
            if path == "/metrics/slis":
                return Response(200, self._pages.slis(), TEXT)
            asked = self._components.get(path.removeprefix("/metrics/"))
            if asked is not None:
                try:
                    return await asked(request)
                except errors.Error as error:
                    return form.of_error(error)
        return self._health.answer(request) or await self._dispatch(request)

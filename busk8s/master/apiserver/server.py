"""The API server: one request in, one answer out, whatever face it came through.

Owns      the order route, authorise, act; the one place where errors become Status answers.
Leaves    transport (http, bus), who asks (authn), every decision below (one module each).
Invariant dispatch never raises but for cancellation, and a refused request changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from busk8s import errors
from busk8s.api import protobuf
from busk8s.api.apply.anew import Anew
from busk8s.api.request import Request, Response
from busk8s.api.scheme import RESOURCES, Resource
from busk8s.api.warnings.table import DEPRECATED_KINDS
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.master.apiserver import discovery, encoded, nowhere, rest
from busk8s.master.apiserver.aggregation.aggregator import Aggregator, Foreign
from busk8s.master.apiserver.allocators import (
    NETWORK_DEFAULT,
    NODE_PORTS_DEFAULT,
    ServiceAllocators,
)
from busk8s.master.apiserver.attributes import (
    Admission,
    AllowAll,
    Attributes,
    Authorizer,
    NoAdmission,
    NodeStreams,
    TokenReviewer,
    TokenSigner,
    Unstored,
)
from busk8s.master.apiserver.batches import Batches
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.conversion.converter import Conversions
from busk8s.master.apiserver.dispatch import action_for
from busk8s.master.apiserver.fairness import dump
from busk8s.master.apiserver.fairness.gate import Flow, Gate
from busk8s.master.apiserver.fairness.level import Seat
from busk8s.master.apiserver.fairness.width import width_of
from busk8s.master.apiserver.listing import ListCache
from busk8s.master.apiserver.metrics.access import ALLOWED, NO_OPINION, decisions
from busk8s.master.apiserver.metrics.storage import StorageMetrics
from busk8s.master.apiserver.metrics.wiring import gauges
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.quota.ledger import Quotas
from busk8s.master.apiserver.refusals import access_denied, forbidden_by
from busk8s.master.apiserver.render import included
from busk8s.master.apiserver.route import Route, Routes, verb_of
from busk8s.master.apiserver.subresources.proxy import proxy
from busk8s.master.apiserver.versions import stored_of
from busk8s.master.store.base import Store, StoreBusy, StoreError
from busk8s.master.store.watch import WatchCache
from busk8s.metrics import Family

Handler = Callable[[Request], Awaitable[Response]]

NOT_ACCEPTABLE = 406
AS_STORED = frozenset({"", "*/*", "application/json", "application/json, */*"})  # As clients ask.
READING = frozenset({"get", "list", "watch"})
LONG_BYTES = 256 * 1024  # An answer above this holds its seat until it is written.
BODY_BYTES_MAX = 3 * 1024 * 1024  # Upstream's limit of a request body.

log = Logger("busk8s.apiserver")


class ApiServer:
    """`handlers`: paths outside the resource API, added to discovery's.

    A key that ends in `/` serves all below it.
    """

    def __init__(
        self,
        store: Store,
        cache: WatchCache,
        *,
        clock: Clock,
        ids: IdSource,
        authorizer: Authorizer | None = None,
        admission: Admission | None = None,
        streams: NodeStreams | None = None,
        signer: TokenSigner | None = None,
        reviewer: TokenReviewer | None = None,
        unstored: Unstored | None = None,
        gate: Gate | None = None,
        aggregator: Aggregator | None = None,
        handlers: Mapping[str, Handler] | None = None,
        catalog: Catalog | None = None,
        service_network: str = NETWORK_DEFAULT,
        node_ports: tuple[int, int] = NODE_PORTS_DEFAULT,
    ) -> None:
        self.parts = Parts(
            store=store,
            cache=cache,
            clock=clock,
            ids=ids,
            authorizer=authorizer or AllowAll(),
            admission=admission or NoAdmission(),
            streams=streams,
            signer=signer,
            reviewer=reviewer,
            unstored=unstored,
            outgoing=aggregator.outgoing if aggregator is not None else None,
            services=ServiceAllocators(service_network, node_ports),
            lists=ListCache(),
            messages=encoded.Messages(),
            anew=Anew(),
            batches=Batches(),
            conversions=Conversions(aggregator.outgoing if aggregator else None, ids, clock),
            catalog=catalog or Catalog(),
            quotas=Quotas(cache),
            metrics=StorageMetrics(),
        )
        self.decisions = decisions()
        self._gate = gate
        self._catalog = self.parts.catalog
        self._directory = discovery.Directory(self._catalog)
        self._handlers: dict[str, Handler] = dict(handlers or {})
        if gate is not None:
            self._handlers |= dump.handlers(gate)
        self._routes = Routes(self._catalog.lookup)
        self._catalog.on_change(self._routes.forget)
        self._catalog.on_change(self.parts.conversions.forget)
        self._aggregator = aggregator
        made = {key for key in RESOURCES if unstored is not None and unstored.holds(key)}
        # Resources whose objects are not answered as they lie in the cache.
        self._long_way = frozenset((*DEPRECATED_KINDS, *made))

    def open(self) -> None:
        """Take in what the opened cache holds; call it once, before the first request."""
        self.parts.cache.on_events(self.parts.lists.observe)
        self._catalog.open(self.parts.cache)
        self.parts.quotas.open()
        self.parts.services.open(self.parts.cache)

    def families(self) -> Sequence[Family]:
        parts = self.parts
        stored = parts.metrics.families(parts.cache, parts.store.size)
        fairness = self._gate.families() if self._gate is not None else ()
        converted = parts.conversions.metrics.families()
        return (*stored, *gauges(parts.cache), *fairness, *converted, self.decisions)

    def route(self, path: str) -> Route:
        """The route of `path`; raises 404."""
        return self._routes.find(path)

    async def dispatch(self, request: Request) -> Response:
        """Answer `request`. Every failure is an answer."""
        response = await self._always(request)
        # Documents (/openapi) stay as they are: they are kept, tagged, and not for reading.
        if rest.is_read_by_people(request) and request.path.startswith("/api"):
            return rest.pretty(response)
        return response

    async def _always(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except errors.Error as error:
            return _refused(request, error)
        except StoreBusy as error:
            busy = errors.too_many_requests(f"the store is busy: {error}")
            return _refused(request, busy)
        except StoreError as error:
            log.error("store failed", method=request.method, path=request.path, why=error)
            return _refused(request, errors.internal(f"the store failed: {error}"))
        except Exception as error:  # noqa: BLE001  # a bug must cost one request, not the server
            log.error("bug in request", error=error, method=request.method, path=request.path)
            return _refused(request, errors.internal(f"{type(error).__name__}"))

    async def _answer(self, request: Request) -> Response:
        if self._aggregator is not None:
            foreign = self._aggregator.claim(request)
            if foreign is not None:
                return await self._aggregated(request, foreign)
        try:
            route = self._routes.find(request.path)
        except errors.Error as error:
            raise self._nowhere(request, error) from None
        if route.resource is None:
            return await self._outside(request)
        verb = verb_of(request, route)
        attributes = Attributes(
            request.user,
            verb,
            route.resource,
            route.subresource,
            route.namespace,
            route.name,
            request.path,
            request.param("fieldSelector") if request.query else "",
        )
        self._permit(request, attributes)
        if route.subresource == "proxy":
            return await proxy(self.parts, request, attributes)
        flow = self._gate.flow_of(attributes) if self._gate is not None else None
        if (
            verb == "get"
            and request.accept in AS_STORED
            and not (request.query or route.subresource)
        ):
            ready = self._ready(route)
            if ready is not None:
                if flow is not None:
                    flow.tally.dispatched += 1
                    ready.headers = flow.headers
                return ready
        if len(request.body) > BODY_BYTES_MAX:
            raise errors.too_large(BODY_BYTES_MAX)
        call = Call(
            request,
            attributes,
            route.resource,
            stored_of(route.resource),
            rest.negotiate(request.accept, messages=_has_messages(route.resource)),
            self.parts.clock.now(),
        )
        if call.accept.shape == "table":
            included(request)
        said = deprecation(route.resource)
        try:
            response = await self._act(call, flow)
        except errors.Error as error:
            error.warnings += (said,) if said is not None else ()
            raise
        if said is not None:
            response = rest.with_warnings(response, [said])
        return encoded.in_form(response, call.accept.media)

    async def _act(self, call: Call, flow: Flow | None) -> Response:
        """Do what is asked, when it is its flow's turn."""
        action = action_for(call)
        if flow is None:
            return await action(self.parts, call)
        assert self._gate is not None
        kind = "readOnly" if call.attributes.verb in READING else "mutating"
        seat: Seat | None = await self._gate.seat(flow, width_of(self.parts, call), kind)
        try:
            response = await action(self.parts, call)
            if len(response.body) > LONG_BYTES:  # To write it is work, too.
                response.held, seat = seat, None
        finally:
            if seat is not None:
                seat.free()
        response.headers = (*response.headers, *flow.headers)
        return response

    async def _aggregated(self, request: Request, foreign: Foreign) -> Response:
        """A request for another API server, once permission is given here."""
        self._permit(request, foreign.attributes)
        assert self._aggregator is not None
        return await self._aggregator.forward(request, foreign)

    def _ready(self, route: Route) -> Response | None:
        """The hot path of get: the bytes as they lie in the cache."""
        resource = route.resource
        assert resource is not None
        obj = self.parts.cache.get(resource.key, route.namespace, route.name)
        if obj is None or obj.resource is not resource:  # Gone, or kept in another version.
            return None
        if resource.key in self._long_way:
            return None
        return Response(200, obj.body)

    async def _outside(self, request: Request) -> Response:
        """A path outside the resource API: the wiring's table."""
        path = request.path.rstrip("/")
        handler = self._handlers.get(request.path) or self._handlers.get(path)
        if handler is None:
            handler = self._below(request.path) or self._directory.find(path)
        attributes = Attributes(request.user, request.method.lower(), path=request.path)
        self._permit(request, attributes)
        if handler is None:
            group = self._aggregator.group(request.path) if self._aggregator is not None else None
            if group is None:
                raise nowhere.not_found(request.path, self._catalog.served())
            return rest.answer(group)
        if self._aggregator is None or not self._aggregator.adds_to(request.path):
            return await handler(request)
        return await self._aggregator.merged(request, handler)

    def _permit(self, request: Request, attributes: Attributes) -> None:
        """Raises 403, and notes for the audit log why."""
        reason = self.parts.authorizer.authorize(attributes)
        if reason is None:
            self.decisions.inc(ALLOWED)
            return
        self.decisions.inc(NO_OPINION)
        request.notes |= forbidden_by(reason)
        raise access_denied(attributes, reason)

    def _nowhere(self, request: Request, error: errors.Error) -> errors.Error:
        """What a request is told whose path names no resource: `error`, if it may ask at all."""
        attributes = nowhere.attributes_of(request)
        reason = self.parts.authorizer.authorize(attributes)
        if reason is not None:
            return access_denied(attributes, reason)
        return (
            error if error.code != 404 else nowhere.not_found(request.path, self._catalog.served())
        )

    def _below(self, path: str) -> Handler | None:
        """The handler of the longest registered `prefix/` that `path` is below."""
        end = len(path)
        while (end := path.rfind("/", 0, end)) >= 0:
            handler = self._handlers.get(path[: end + 1])
            if handler is not None:
                return handler
        return None


def deprecation(resource: Resource) -> str | None:
    """What users of a deprecated kind or version are told."""
    if resource.custom is None:
        return DEPRECATED_KINDS.get(resource.key)
    if not resource.custom.deprecated:
        return None
    return resource.custom.warning


def _has_messages(resource: Resource) -> bool:
    return protobuf.has_form(resource.api_version, resource.kind)


def _refused(request: Request, error: errors.Error) -> Response:
    """The Status of `error`, as protobuf where the request asks for that first."""
    response = rest.refusal(error)
    if protobuf.CONTENT_TYPE not in request.accept or error.code == NOT_ACCEPTABLE:
        return response
    return encoded.in_form(response, rest.negotiate(request.accept).media)

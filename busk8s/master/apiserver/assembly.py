"""One whole API server, put together by hand: store, cache, identity, permission, admission, faces.

Owns      which part gets which, and the order of opening and closing.
Leaves    what the parts do; which process this runs in (master.app).
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from busk8s.bus.wire import Endpoints
from busk8s.clock import Clock
from busk8s.config import ConfigError, DataDir, MasterSettings, listen, own_address, write_private
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.master.apiserver.admission.policies.checking import PolicyChecker
from busk8s.master.apiserver.admission.wiring import Wired
from busk8s.master.apiserver.aggregation.aggregator import Aggregator
from busk8s.master.apiserver.aggregation.availability import Availability
from busk8s.master.apiserver.attributes import Authorizer
from busk8s.master.apiserver.audit.auditor import Auditor
from busk8s.master.apiserver.audit.wiring import audit_log
from busk8s.master.apiserver.authentication import wiring
from busk8s.master.apiserver.authentication.kept_tokens import KeptTokens
from busk8s.master.apiserver.authz import ClusterAuthorizer
from busk8s.master.apiserver.bootstrap import (
    Address,
    bootstrap,
    first_service_ip,
    keep,
)
from busk8s.master.apiserver.bus import BusFace
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.certificates.keeper import CertificateKeeper
from busk8s.master.apiserver.certificates.renewal import Renewal
from busk8s.master.apiserver.component_statuses import ComponentStatuses
from busk8s.master.apiserver.definitions import DefinitionKeeper
from busk8s.master.apiserver.expiry import EventExpiry
from busk8s.master.apiserver.fairness.dangling import DanglingSchemas
from busk8s.master.apiserver.fairness.gate import Gate
from busk8s.master.apiserver.front import Front
from busk8s.master.apiserver.health import Health
from busk8s.master.apiserver.http import HttpServer
from busk8s.master.apiserver.lease_renewals import RenewedLeases
from busk8s.master.apiserver.listening import bus_open, server_keys
from busk8s.master.apiserver.loopback import Dispatch
from busk8s.master.apiserver.metrics.requests import RequestMetrics
from busk8s.master.apiserver.metrics.wiring import Measured, page_of
from busk8s.master.apiserver.node_authz import NodeAuthorizer
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.pki import Pki, host_names
from busk8s.master.apiserver.pod_door import PodDoor
from busk8s.master.apiserver.quota.keeper import QuotaKeeper
from busk8s.master.apiserver.ranges import ranged
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.bootstrap import bootstrap_roles
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.base import StoreError
from busk8s.master.store.seal import KeyFile, Seal
from busk8s.master.store.sqlite import SqliteStore
from busk8s.master.store.watch import WatchCache
from busk8s.tasks import Nursery

FRONT_PROXY = "front-proxy-client"  # The name of its files.

log = Logger("busk8s.apiserver")


@dataclass(slots=True)
class Api:
    """A running API server. `url` is where it is reached."""

    settings: MasterSettings
    data: DataDir
    pki: Pki
    cache: WatchCache
    server: ApiServer
    front: Front
    http: HttpServer
    bus: BusFace
    url: str
    renewal: Renewal


def _health(settled: Sequence[bool], renewal: Renewal, store: SqliteStore) -> Health:
    ready = {
        "bootstrap": lambda: None if settled else "not yet",
        "certificate-authority": renewal.check,
    }
    return Health({"store": lambda: store.trouble}, ready)


@asynccontextmanager
async def running(
    settings: MasterSettings, data: DataDir, *, clock: Clock, ids: IdSource
) -> AsyncIterator[Api]:
    """An API server that answers over HTTPS, until the block ends."""
    settings = ranged(settings, data)
    service_ip = first_service_ip(settings.service_cidr)
    pki, renewal = _certified(settings, data, service_ip, clock)
    async with AsyncExitStack() as stack:
        sockets, port, door = _listening(settings, stack)
        catalog = Catalog()
        cache, store = await _open_store(data, catalog, clock, stack)
        rbac = RbacAuthorizer(cache)
        authorizer = ClusterAuthorizer(NodeAuthorizer(cache), rbac)
        outgoing = _outgoing(cache, clock, stack)
        identity = wiring.build(
            settings, pki, cache, authorizer, clock=clock, ids=ids, outgoing=outgoing
        )
        renewal.on_renewed(identity.keys.follow)
        url = f"https://{_bracketed(settings.reached_at)}:{port}"
        aggregator = _aggregator(cache, outgoing, pki)
        admission = Wired(cache, outgoing, rbac, authorizer, catalog=catalog, clock=clock, ids=ids)
        bus = _bus_face(settings, cache, lambda r: front(r), authorizer, catalog, clock, ids)
        server = ApiServer(
            store,
            cache,
            clock=clock,
            ids=ids,
            authorizer=authorizer,
            admission=admission.admission,
            streams=bus.streams,
            signer=identity.accounts,
            reviewer=identity.chain,
            unstored=_unstored(bus, cache, store, clock),
            gate=Gate(cache),
            aggregator=aggregator,
            handlers=wiring.documents(identity, settings, url),
            catalog=catalog,
            service_network=settings.service_cidr,
        )
        server.open()
        settled: list[bool] = []
        audited = audit_log(settings, data, server, authorizer.granted_by, clock, ids)
        audit = await stack.enter_async_context(audited)
        http = _http(lambda r: front(r), identity, door, clock, ids, aggregator)
        told = (server, admission.metrics, identity.authenticator.metrics, audit, http)
        health = _health(settled, renewal, store)
        front = _front(server.dispatch, authorizer, health, audit, told, catalog, bus, clock)
        await http.open(sockets, renewal.follow(pki.server_context(*identity.authorities)))
        stack.push_async_callback(http.close)
        address = _address(settings, service_ip, port, identity)
        await _first_objects(server.dispatch, address, admission)
        # After the roles: who hears over the bus that it may not follow something asks no more.
        endpoints = await stack.enter_async_context(bus_open(bus, settings, data))
        settled.append(True)
        nursery = await stack.enter_async_context(Nursery(_keeper_failed))
        available = Availability(cache, catalog, aggregator, server.dispatch, clock)
        _keep_going(nursery, server, identity, renewal, address, authorizer, available, pki, clock)
        _forget_events(nursery, store, cache, clock, settings)
        _announce(data, url, settings, endpoints, stack)
        yield Api(settings, data, pki, cache, server, front, http, bus, url, renewal)


def _address(
    settings: MasterSettings, service_ip: str, port: int, identity: wiring.Identity
) -> Address:
    host = seen_by_pods(settings)
    return Address(service_ip, host, port, identity.published, settings.service_cidr)


async def _first_objects(dispatch: Dispatch, address: Address, admission: Wired) -> None:
    await bootstrap(dispatch, address)
    await bootstrap_roles(dispatch)
    admission.open()  # After them: they must not wait for webhooks that run in this cluster.


def _front(
    dispatch: Dispatch,
    authorizer: Authorizer,
    health: Health,
    audit: Auditor,
    told: Sequence[Measured],
    catalog: Catalog,
    bus: BusFace,
    clock: Clock,
) -> Front:
    requests = RequestMetrics(catalog)
    pages = page_of((requests, *told), health)
    asked = bus.components.handlers()
    return Front(
        dispatch, authorizer, health, requests, clock, audit, pages=pages, components=asked
    )


def _unstored(
    bus: BusFace, cache: WatchCache, store: SqliteStore, clock: Clock
) -> ComponentStatuses:
    """What readers see that is in no store."""

    def away(name: str) -> Callable[[], str | None]:
        return lambda: None if bus.components.there(name) else "not connected to the API server"

    troubles = {
        "controller-manager": away("kube-controller-manager"),
        "scheduler": away("kube-scheduler"),
        "etcd-0": lambda: store.trouble,
    }
    return ComponentStatuses(troubles, RenewedLeases(bus.liveness, cache, store, clock))


def _outgoing(cache: WatchCache, clock: Clock, stack: AsyncExitStack) -> Outgoing:
    outgoing = Outgoing(cache, clock)
    stack.callback(outgoing.close)
    return outgoing


def _aggregator(cache: WatchCache, outgoing: Outgoing, pki: Pki) -> Aggregator:
    """Extension API servers know us by the front proxy's certificate."""
    ours = (str(pki.certificate(FRONT_PROXY)), str(pki.key(FRONT_PROXY)))
    aggregator = Aggregator(cache, outgoing, ours)
    aggregator.open()
    return aggregator


def _http(
    front: Dispatch,
    identity: wiring.Identity,
    door: PodDoor,
    clock: Clock,
    ids: IdSource,
    aggregator: Aggregator,
) -> HttpServer:
    return HttpServer(
        front,
        identity.authenticator,
        clock=clock,
        audit_prefix=int(ids.uid()[:8], 16),
        admits=door.admits,
        passed_on=aggregator.passes_on,
    )


def _keep_going(
    nursery: Nursery,
    server: ApiServer,
    identity: wiring.Identity,
    renewal: Renewal,
    address: Address,
    authorizer: Authorizer,
    available: Availability,
    pki: Pki,
    clock: Clock,
) -> None:
    """The tasks that live as long as the server."""
    cache, dispatch = server.parts.cache, server.dispatch
    certificates = CertificateKeeper(pki, cache, dispatch, authorizer, clock)
    kept_tokens = KeptTokens(identity.accounts, pki.ca_pem, cache, dispatch, clock)
    definitions = DefinitionKeeper(server.parts, dispatch)
    nursery.spawn(available.run(), name="API servers")
    nursery.spawn(keep(dispatch, address, clock), name="default objects")
    if server.parts.unstored is not None:
        nursery.spawn(server.parts.unstored.run(), name="node leases")
    nursery.spawn(certificates.run(), name="certificates")
    nursery.spawn(renewal.run(), name="renewal")
    nursery.spawn(kept_tokens.run(), name="kept tokens")
    dangling = DanglingSchemas(cache, dispatch, clock)
    nursery.spawn(dangling.run(), name="flow schemas")
    quotas = QuotaKeeper(server.parts.quotas, cache, dispatch, clock)
    nursery.spawn(definitions.run(), name="custom resource definitions")
    nursery.spawn(quotas.run(), name="quotas")
    policies = PolicyChecker(cache, server.parts.catalog, dispatch)
    nursery.spawn(policies.run(), name="policies checked")


def _forget_events(
    nursery: Nursery, store: SqliteStore, cache: WatchCache, clock: Clock, settings: MasterSettings
) -> None:
    expiry = EventExpiry(store, cache, clock, ttl_s=settings.event_ttl_s)
    nursery.spawn(expiry.run(), name="old events")


def _keeper_failed(name: str, error: BaseException) -> None:
    log.error("task failed", task=name, error=error)


def _listening(
    settings: MasterSettings, stack: AsyncExitStack
) -> tuple[list[socket.socket], int, PodDoor]:
    """The sockets of the HTTPS face, its port, and the door that pods have to it."""
    door = PodDoor(settings)
    main = listen("--https-port", settings.bind, settings.https_port)
    port = int(main.getsockname()[1])
    sockets = [main, *door.open(port)]
    for bound in sockets:
        stack.callback(bound.close)
    return sockets, port, door


def _bus_face(
    settings: MasterSettings,
    cache: WatchCache,
    dispatch: Dispatch,
    authorizer: Authorizer,
    catalog: Catalog,
    clock: Clock,
    ids: IdSource,
) -> BusFace:
    return BusFace(
        cache,
        dispatch,
        authorizer=authorizer,
        clock=clock,
        catalog=catalog,
        epoch=int(clock.now() * 1_000_000),  # above all that an earlier life can have used
        master=ids.suffix(10),
        silent_after_s=settings.grace_s,
        beat_s=settings.beat_s,
        pod_network=settings.pod_cidr,
    )


async def _open_store(
    data: DataDir, catalog: Catalog, clock: Clock, stack: AsyncExitStack
) -> tuple[WatchCache, SqliteStore]:
    store = SqliteStore(data.database, clock, Seal(KeyFile(data.encryption_keys)))
    try:
        await store.open()
    except StoreError as error:
        raise ConfigError(str(error)) from None
    stack.push_async_callback(store.close)
    cache = WatchCache(store, catalog.shelf, clock)
    await cache.open()
    return cache, store


def seen_by_pods(settings: MasterSettings) -> str:
    """This host's own address where the API listens on loopback only."""
    reached = settings.reached_at
    return own_address() if ipaddress.ip_address(reached).is_loopback else reached


def _announce(
    data: DataDir, url: str, settings: MasterSettings, endpoints: Endpoints, stack: AsyncExitStack
) -> None:
    """Where we are and how to know us: for the commands that run beside us."""
    said = {
        "url": url,
        "host": settings.reached_at,
        "requests_port": _port(endpoints.requests),
        "feed_port": _port(endpoints.feed),
        "heartbeats_port": _port(endpoints.heartbeats),
        "server_key": server_keys(data).public,
    }
    write_private(data.endpoints, json.dumps(said).encode())
    stack.callback(data.endpoints.unlink, missing_ok=True)


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def _certified(
    settings: MasterSettings, data: DataDir, service_ip: str, clock: Clock
) -> tuple[Pki, Renewal]:
    """Keys and certificates for every name this API server is called by."""
    names = host_names(settings.bind, settings.reached_at, settings.extra_names, service_ip)
    pki = Pki(data.pki).ensure(names, clock.now())
    return pki, Renewal(pki, names, clock)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address

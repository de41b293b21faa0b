"""The API server's face to the bus: who a peer is, what it may hear, where its words go.

Owns      the map of keys, publishing what the watch cache tells, node status out of beats.
Leaves    sockets and numbering (bus/hub), verbs (dispatch), what a view holds (views).
Invariant at every moment a topic's snapshot equals its deltas applied from the beginning: views,
          numbering and keys change together, in the watch cache's callback, without a wait between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import orjson

from busk8s.api.object import Json, Object
from busk8s.api.request import Request, Response, User
from busk8s.bus.hub import Hub
from busk8s.bus.streams import Stream
from busk8s.bus.wire import Server
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.attributes import Attributes, Authorizer
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.components import Components
from busk8s.master.apiserver.join import POD_NETWORK, Joiner, public_key
from busk8s.master.apiserver.liveness import LEASE_NAMESPACE, UNJOINED_GRACE_S, Liveness
from busk8s.master.apiserver.views import Views, entries
from busk8s.master.store.watch import Event, WatchCache
from busk8s.protocol import (
    BEAT_INTERVAL_S,
    LIVENESS,
    NET,
    SILENT_AFTER_S,
    Beat,
    Entry,
    Join,
    node_topic,
)
from busk8s.tasks import Nursery

log = Logger("busk8s.apiserver.bus")

NODE_USER = "system:node:"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
LEASES = "leases.coordination.k8s.io"
KUBELET = "kubelet"  # The component whose beats are the node's.
SWEEP_S = 0.5
# A sweep this late means that the master was stopped, not that every node fell silent at once.
SWEEP_LATE_S = 2.0

Dispatch = Callable[[Request], Awaitable[Response]]

# Who may come in by the ipc sockets, whose directory only the master's own user can enter.
TRUSTED: Mapping[str, User] = {
    "kube-scheduler": User("system:kube-scheduler", (AUTHENTICATED,)),
    "kube-controller-manager": User("system:kube-controller-manager", (AUTHENTICATED,)),
    "admin": User("kubernetes-admin", (MASTERS, AUTHENTICATED)),
}
COMPONENTS = frozenset(("system:kube-scheduler", "system:kube-controller-manager"))


def may_hear(user: User, topic: str, authorizer: Authorizer, catalog: Catalog) -> bool:
    """A kind is for whom may list and watch it, by the same rules as over HTTPS; the views made
    for nodes and for the master's components are for these; admins hear all."""
    if MASTERS in user.groups:
        return True
    if topic.startswith("kind/"):
        resource = catalog.by_key(topic.removeprefix("kind/"))
        return resource is not None and all(
            authorizer.authorize(Attributes(user, verb, resource, path=topic)) is None
            for verb in ("list", "watch")
        )
    if user.name in COMPONENTS:
        return topic in (LIVENESS, NET)
    if user.name.startswith(NODE_USER):
        return topic in (NET, node_topic(user.name.removeprefix(NODE_USER)))
    return False


class BusFace:
    """Meets hub.Policy. `epoch` and `master` name this life of it."""

    def __init__(
        self,
        cache: WatchCache,
        dispatch: Dispatch,
        *,
        authorizer: Authorizer,
        clock: Clock,
        epoch: int,
        master: str,
        catalog: Catalog | None = None,
        admins: Mapping[str, User] | None = None,
        silent_after_s: float = SILENT_AFTER_S,
        beat_s: float = BEAT_INTERVAL_S,
        pod_network: str = POD_NETWORK,
    ) -> None:
        self.hub = Hub(self, clock=clock, epoch=epoch, master=master, beat_interval_s=beat_s)
        self.streams = BusStreams(self.hub)
        self.components = Components(self.hub)
        self.liveness = Liveness(self._flipped, clock=clock, grace_s=silent_after_s)
        self._cache, self._dispatch, self._clock = cache, dispatch, clock
        self._authorizer = authorizer
        self._catalog = catalog or Catalog()
        self._views = Views()
        self._keys: dict[str, User] = dict(admins or {})
        self._key_of: dict[str, str] = {}
        self._joiner = Joiner(cache, dispatch, clock=clock, ports=self._ports, network=pod_network)
        self._listening: Server | None = None
        self._reported: dict[str, None] = {}  # Nodes whose status this master has seen.
        self._statuses: dict[str, tuple[User, bytes]] = {}
        self._nursery = Nursery(on_error=_report)

    # --- life -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take in what the cache holds and follow it. The cache is open by now."""
        now = self._clock.monotonic()
        for key in self._cache.resources():
            self._views.load(self._cache.list(key))
        for node in self._cache.list("nodes"):
            self._node(node)
            self.liveness.expect(node.name, now)
        self._cache.on_events(self._events)

    def attach(self, server: Server, *, trusted: bool = False) -> None:
        """Listen on `server`; the last one that is not trusted is where joiners are sent."""
        if not trusted:
            self._listening = server
        self.hub.attach(server, trusted=trusted)

    async def run(self) -> None:
        """Sweep for silence until cancelled."""
        async with self._nursery:
            self._nursery.spawn(self.hub.run(), name="hub")
            at = self._clock.monotonic()
            while True:
                await self._clock.sleep(SWEEP_S)
                now = self._clock.monotonic()
                if now - at > SWEEP_LATE_S:
                    self.liveness.pardon(now)
                at = now
                self.liveness.sweep(now)

    async def close(self) -> None:
        await self._nursery.close()
        await self.hub.close()

    # --- what the hub asks ------------------------------------------------------------------------

    def identify(self, key: str) -> User | None:
        return self._keys.get(key)

    def trust(self, component: str) -> User | None:
        return TRUSTED.get(component)

    def may_hear(self, user: User, topic: str) -> bool:
        return may_hear(user, topic, self._authorizer, self._catalog)

    def snapshot(self, topic: str) -> tuple[Iterable[Entry], int]:
        revision = self._cache.revision
        if topic.startswith("kind/"):
            return entries(self._cache.list(topic.removeprefix("kind/"))), revision
        if topic == LIVENESS:
            return self.liveness.entries(revision), revision
        return self._views.contents(topic), revision

    async def call(self, request: Request) -> Response:
        return await self._dispatch(request)

    async def join(self, key: str, message: Join) -> Response:
        return await self._joiner.join(key, message)

    def beat(self, user: User, component: str, message: Beat) -> bool:
        """A dictionary write; a status is written by a task of its own."""
        if component != KUBELET or not user.name.startswith(NODE_USER):
            return False
        node = user.name.removeprefix(NODE_USER)
        if message.status:
            self._reported[node] = None
            self._report_status(node, user, message.status)
        self.liveness.beat(node, self._clock.monotonic())
        return node not in self._reported

    # --- events -----------------------------------------------------------------------------------

    def _events(self, events: Sequence[Event]) -> None:
        """One committed group: views and keys first, then what everyone hears."""
        deltas = self._views.apply(events)
        revision = events[-1].revision if events else 0
        for topic, made in deltas.items():
            self.hub.feed.publish(topic, made, revision)
        for event in events:
            if event.object.resource.key == "nodes":
                self._node_event(event)
            elif event.object.resource.key == LEASES and event.type != "DELETED":
                self._renewed(event.object)

    def _renewed(self, lease: Object) -> None:
        """A kubelet that is no worker of the bus renews its Lease instead of beating."""
        if lease.namespace == LEASE_NAMESPACE and lease.name not in self._key_of:
            self.liveness.beat(lease.name, self._clock.monotonic())

    def _node_event(self, event: Event) -> None:
        node = event.object
        if event.type == "DELETED":
            self.liveness.forget(node.name)
            self._reported.pop(node.name, None)
            self._disown(node.name)
            self.hub.forget(node_topic(node.name))
            return
        if event.type == "ADDED":
            self.liveness.expect(node.name, self._clock.monotonic())
        self._node(node)
        if node.name not in self._key_of and _reported_itself(event):
            self.liveness.beat(node.name, self._clock.monotonic())

    def _node(self, node: Object) -> None:
        key = public_key(node)
        self.liveness.grant(node.name, UNJOINED_GRACE_S if key is None else None)
        if key == self._key_of.get(node.name):
            return
        self._disown(node.name)
        if key is not None and key not in self._keys:
            groups = ("system:nodes", AUTHENTICATED)
            self._keys[key] = User(NODE_USER + node.name, groups)
            self._key_of[node.name] = key

    def _disown(self, node: str) -> None:
        """The node's key is nobody's any more: the peer is dropped and may join anew."""
        if (key := self._key_of.pop(node, None)) is not None:
            del self._keys[key]
            self.hub.revoke(key)

    def _flipped(self, node: str, silent: bool) -> None:
        if silent:
            log.warning("node is silent", node=node)
            self._reported.pop(node, None)  # Others will write over its status: ask for it again.
        revision = self._cache.revision
        self.hub.feed.publish(LIVENESS, [self.liveness.entry(node, revision)], revision)

    # --- node status ------------------------------------------------------------------------------

    def _report_status(self, node: str, user: User, status: bytes) -> None:
        """Only the latest status of a node waits; one write a node is under way."""
        idle = node not in self._statuses
        self._statuses[node] = (user, status)
        if idle:
            self._nursery.spawn(self._write_statuses(node), name=f"status of {node}")

    async def _write_statuses(self, node: str) -> None:
        written = None
        try:
            while (latest := self._statuses[node]) is not written:
                user, status = written = latest
                answer = await self._dispatch(_status_patch(node, user, status))
                if answer.status >= 400:
                    log.warning("node status refused", node=node, why=answer.body.decode()[:300])
        finally:
            del self._statuses[node]

    def _ports(self) -> Json:
        """Where the worker shall connect; the host is the one it reached us by."""
        assert self._listening is not None
        found = self._listening.endpoints
        return {
            name: int(getattr(found, name).rsplit(":", 1)[1])
            for name in ("requests", "feed", "heartbeats")
        }


def _reported_itself(event: Event) -> bool:
    """Its kubelet posted its status: a sign of life, as a renewed Lease is."""
    before = _heartbeat(event.previous) if event.previous is not None else None
    return _heartbeat(event.object) not in (None, before)


def _heartbeat(node: Object) -> str | None:
    """When the node itself last spoke of being ready; None: it did not, or others speak for it."""
    for condition in (node.glance().get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] != "Unknown":
            return str(condition.get("lastHeartbeatTime") or "")
    return None


class BusStreams:
    """attributes.NodeStreams over the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def open(self, node: str, verb: str, params: Json, *, held: bool = False) -> Stream:
        """Begin `verb` on the node's kubelet. Raises Error when the node is not connected."""
        return self._hub.open_stream(node, verb, params, held=held)


def _status_patch(node: str, user: User, status: bytes) -> Request:
    """As the node itself: NodeRestriction and conflicts apply. Addresses are replaced, not merged,
    or one that the node has lost would stay for ever (they merge by type)."""
    try:
        parsed = orjson.loads(status)
    except orjson.JSONDecodeError:
        parsed = None  # Dispatch says what is wrong with it, as for any other body.
    if isinstance(parsed, dict) and isinstance(parsed.get("addresses"), list):
        parsed["addresses"] = [{"$patch": "replace"}, *parsed["addresses"]]
    return Request(
        "PATCH",
        f"/api/v1/nodes/{node}/status",
        user=user,
        body=orjson.dumps({"status": parsed}),
        content_type="application/strategic-merge-patch+json",
    )


def _report(name: str, error: BaseException) -> None:
    log.error("a task of the bus failed", task=name, error=error)

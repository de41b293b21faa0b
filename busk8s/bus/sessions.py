"""Who is connected to the hub: one entry a session, found by id, by connection, by node. Pure.

Owns      the tables and their bounds. Leaves   what a session may do (hub, its policy).
Invariant a session id belongs to the key that introduced it, for as long as it is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from busk8s.api.request import User
from busk8s.bus.rpc import RecentCalls
from busk8s.bus.streams import Window
from busk8s.bus.wire import Route, Server
from busk8s.protocol import SESSION_IDLE_S, SESSIONS_MAX, SESSIONS_PER_PEER_MAX, Hello


@dataclass(slots=True, eq=False)
class Session:
    """One link: a component on a connection, the calls it made, the snapshots it takes."""

    id: str
    key: str
    user: User
    component: str
    node: str
    boot_id: str
    server: Server
    route: Route
    seen_at: float
    owner: str  # Whose share of sessions this takes: the key's, or on ipc the component's.
    calls: RecentCalls = field(default_factory=RecentCalls)
    snapshots: dict[str, Window] = field(default_factory=dict)
    topics: dict[str, bool] = field(default_factory=dict)


class Sessions:
    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}
        self._by_route: dict[tuple[int, Route], Session] = {}
        self._per_owner: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_id.values()))

    def hello(
        self, hello: Hello, key: str, user: User, server: Server, route: Route, now: float
    ) -> Session | None:
        """Take a session in, or move a known one to its new connection; None: no room, or not its
        own id."""
        session = self._by_id.get(hello.session)
        owner = key or user.name
        if session is None:
            if len(self) >= SESSIONS_MAX or not self._room(owner, now):
                return None
            session = Session(
                hello.session, key, user, hello.component, hello.node, hello.boot_id,
                server, route, now, owner,
            )  # fmt: skip
            self._by_id[hello.session] = session
            self._per_owner[owner] = self._per_owner.get(owner, 0) + 1
        elif session.key != key or session.user.name != user.name:
            return None
        self._by_route.pop((id(session.server), session.route), None)
        session.server, session.route, session.seen_at = server, route, now
        session.node, session.boot_id = hello.node, hello.boot_id
        self._by_route[(id(server), route)] = session
        return session

    def on(self, server: Server, route: Route, key: str) -> Session | None:
        """The session that speaks on this connection, if its key is still the same."""
        session = self._by_route.get((id(server), route))
        return session if session is not None and session.key == key else None

    def get(self, session_id: str, key: str) -> Session | None:
        session = self._by_id.get(session_id)
        return session if session is not None and session.key == key else None

    def of_node(self, node: str, component: str) -> Session | None:
        """The node's latest session of `component`, to open streams on. Its key says whose it is:
        what it calls itself would let one node take another's."""
        user = f"system:node:{node}"
        found = [s for s in self if s.user.name == user and s.component == component]
        return max(found, key=lambda s: s.seen_at, default=None)

    def of_user(self, name: str) -> Session | None:
        """The latest session of the component that is `name`."""
        found = [s for s in self if s.user.name == name]
        return max(found, key=lambda s: s.seen_at, default=None)

    def drop(self, session: Session) -> None:
        if self._by_id.pop(session.id, None) is None:
            return
        self._by_route.pop((id(session.server), session.route), None)
        left = self._per_owner.get(session.owner, 1) - 1
        if left:
            self._per_owner[session.owner] = left
        else:
            del self._per_owner[session.owner]

    def idle(self, now: float) -> list[Session]:
        return [s for s in self if now - s.seen_at > SESSION_IDLE_S]

    def _room(self, owner: str, now: float) -> bool:
        """Whether `owner` may have one more; the longest unseen one makes way if it is silent."""
        if self._per_owner.get(owner, 0) < SESSIONS_PER_PEER_MAX:
            return True
        oldest = min((s for s in self if s.owner == owner), key=lambda s: s.seen_at)
        if now - oldest.seen_at < SESSION_IDLE_S / 10:
            return False
        self.drop(oldest)
        return True

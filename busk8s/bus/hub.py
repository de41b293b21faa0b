"""The master's end of the bus: takes messages in, gives each to who is responsible, publishes.

Owns      sessions, calls, snapshots under way, beats.
Leaves    streams opened on workers (opened), publishing (feed), who may do what (Policy), the API
          (Policy.call), sockets (wire.Server).
Invariant whatever arrives, one answer or one counter follows and nothing else changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import orjson

from busk8s import protocol
from busk8s.api.object import Json
from busk8s.api.request import Request, Response, User
from busk8s.bus import rpc
from busk8s.bus.feed import Door, Feed
from busk8s.bus.opened import Opened, away
from busk8s.bus.sessions import Session, Sessions
from busk8s.bus.streams import Stream, Window
from busk8s.bus.tap import Tap
from busk8s.bus.topics import Topic
from busk8s.bus.wire import Route, Server
from busk8s.clock import Clock
from busk8s.errors import internal
from busk8s.log import Logger
from busk8s.protocol import (
    Ack,
    Beat,
    Call,
    Entry,
    Hello,
    Join,
    Message,
    Position,
    ProtocolError,
    Refusal,
    SnapshotCredit,
    StreamCredit,
    StreamData,
    StreamEnd,
    Sync,
    Welcome,
    decode,
    encode,
)
from busk8s.tasks import Nursery

log = Logger("busk8s.bus")

TAP_FLUSH_S = 0.1
SNAPSHOT_CACHED_S = 2.0  # Peers that come back together share one encoding; then it is freed.
FAILED = Response(500, orjson.dumps(internal("the call failed").to_status()))
READS = frozenset({"GET", "HEAD"})
STREAMING = "kubelet"  # The component of a node that streams are opened on.


class Policy(Protocol):
    """What the hub asks the API server's face. All but `call` and `join` answer at once."""

    def identify(self, key: str) -> User | None:
        """Whose key (z85) this is; None: a stranger, who may only join."""
        ...

    def trust(self, component: str) -> User | None:
        """Who `component` is on a socket that only the master's own user can reach."""
        ...

    def may_hear(self, user: User, topic: str) -> bool: ...

    def snapshot(self, topic: str) -> tuple[Iterable[Entry], int]:
        """All that `topic` holds, with every delta published so far, and the revision."""
        ...

    async def call(self, request: Request) -> Response: ...

    async def join(self, key: str, message: Join) -> Response: ...

    def beat(self, user: User, component: str, message: Beat) -> bool:
        """Take a beat in; True: the node's status is not known, it shall send it."""
        ...


class Hub:
    """`epoch` must differ from that of any earlier hub of the cluster; `master` names this life."""

    def __init__(
        self,
        policy: Policy,
        *,
        clock: Clock,
        epoch: int,
        master: str,
        beat_interval_s: float = protocol.BEAT_INTERVAL_S,
    ) -> None:
        self._beat_interval_s = beat_interval_s
        self.sessions = Sessions()
        self.undecodable = 0
        self.tap = Tap(clock, self._tap_due)
        self.feed = Feed(epoch, self.tap, self._hears)
        self._policy, self._clock, self._master = policy, clock, master
        self._opened = Opened()
        self._nursery = Nursery(on_error=_report)
        self._does: dict[type[Message], Callable[[Session, Message], None]] = {
            Call: self._call,
            Sync: self._sync,
            SnapshotCredit: self._snapshot_credit,
            StreamData: self._opened.data,
            StreamCredit: self._opened.credit,
            StreamEnd: self._opened.end,
        }

    # --- life -------------------------------------------------------------------------------------

    def attach(self, server: Server, *, trusted: bool = False) -> None:
        """Listen on `server`; `trusted` for ipc, where who can connect is the master itself."""
        door = self.feed.attach(server, trusted)
        server.start(
            lambda route, key, frame: self._request(door, route, key, frame),
            lambda key, prefix, on: self.feed.subscribe(door, key, prefix, on),
            lambda route, key, frame: self._beat(door, route, key, frame),
        )

    async def run(self) -> None:
        """Housekeeping, until cancelled: sessions unseen for long are forgotten."""
        while True:
            await self._clock.sleep(protocol.SILENT_AFTER_S)
            now = self._clock.monotonic()
            for session in self.sessions.idle(now):
                self._drop(session)
            for session in self._opened.sessions():
                if self._unheard(session):
                    self._opened.cut_off(session)

    async def close(self) -> None:
        await self._nursery.close()
        self._opened.close()
        for door in self.feed.doors:
            door.server.close()

    def revoke(self, key: str) -> None:
        """`key` is nobody's any more: what it began is dropped; it may join anew."""
        for session in self.sessions:
            if session.key == key:
                self._refuse(
                    session.server, session.route, session.id, 401, "Unauthorized",
                    "this node's key is no longer known to the master",
                )  # fmt: skip
                self._drop(session)
        self.feed.expel(key)

    def forget(self, topic: str) -> None:
        """The topic is over: its node is gone."""
        self.feed.forget(topic)
        for session in self.sessions:
            session.topics.pop(topic, None)

    def _hears(self, door: Door, key: str, topic: str) -> bool:
        if door.trusted:
            return True
        user = self._policy.identify(key)
        if user is not None and self._policy.may_hear(user, topic):
            return True
        self.tap.note(user.name if user else "", "!", f"subscribe {topic}", "", 0)
        return False

    def _tap_due(self) -> None:
        asyncio.get_running_loop().call_later(TAP_FLUSH_S, self.feed.flush_tap)

    # --- requests ---------------------------------------------------------------------------------

    def _request(self, door: Door, route: Route, key: str, frame: bytes) -> None:
        server = door.server
        try:
            message = decode(frame)
        except ProtocolError as error:
            self.undecodable += 1
            self._refuse(server, route, "", error.code, "BadMessage", error.message)
            return
        if type(message) is Hello:
            self._hello(door, route, key, message)
        elif type(message) is Join:
            self._nursery.spawn(self._join(server, route, key, message))
        elif (session := self.sessions.on(server, route, key)) is not None:
            session.seen_at = self._clock.monotonic()
            self.tap.message(session.user.name, "<", message, len(frame))
            does = self._does.get(type(message))
            if does is None:
                text = f"{message.TAG} is not for the master"
                self._refuse(server, route, "", 400, "BadMessage", text)
            else:
                does(session, message)
        else:
            which = message.id if isinstance(message, Call) else ""
            self._refuse(server, route, which, 401, "UnknownSession", "say hello first")

    def _hello(self, door: Door, route: Route, key: str, hello: Hello) -> None:
        server, trusted = door.server, door.trusted
        user = self._policy.trust(hello.component) if trusted else self._policy.identify(key)
        if user is None:
            text = (
                "unknown key: join first"
                if not trusted
                else f"unknown component: {hello.component}"
            )
            self._refuse(server, route, hello.session, 401, "Unauthorized", text)
            return
        now = self._clock.monotonic()
        if self.sessions.hello(hello, key, user, server, route, now) is None:
            text = "too many connections under this name, or the session is another peer's"
            self._refuse(server, route, hello.session, 429, "TooManyRequests", text)
            return
        self.tap.message(user.name, "<", hello, 0)
        welcome = Welcome(
            session=hello.session,
            user=user.name,
            master=self._master,
            generation=door.generations[-1],
            beat_interval_s=self._beat_interval_s,
        )
        server.reply(route, encode(welcome))

    async def _join(self, server: Server, route: Route, key: str, message: Join) -> None:
        response = FAILED
        try:
            response = await self._policy.join(key, message)
        finally:
            for frame in rpc.reply_frames(message.id, response):
                server.reply(route, frame)
        self.tap.note(key[:8], "<", "join", message.node, len(message.info))

    def _call(self, session: Session, message: Message) -> None:
        assert isinstance(message, Call)
        known = session.calls.begin(message.id, session.route)
        if isinstance(known, tuple):
            for frame in known:
                session.server.reply(session.route, frame)
        elif known and session.calls.running > protocol.CALLS_PER_PEER_MAX:
            text = "too many calls in flight"
            refusal = Refusal(id=message.id, code=429, reason="TooManyRequests", message=text)
            session.calls.end(message.id, (), keep=False)
            session.server.reply(session.route, encode(refusal))
        elif known:
            self._nursery.spawn(self._perform(session, message))

    async def _perform(self, session: Session, call: Call) -> None:
        request = Request(
            call.method,
            call.path,
            user=session.user,
            query={name: list(values) for name, values in call.query.items()},
            body=call.body,
            content_type=call.content_type,
            accept=call.accept,
            headers=call.headers,
        )
        response = FAILED  # Stays so if what follows raises: a bug of ours, logged by the nursery.
        try:
            response = await self._policy.call(request)
            if response.stream is not None:
                response = await _whole(response)
        finally:
            frames = rpc.reply_frames(call.id, response)
            keep = call.method not in READS and response is not FAILED
            self._answer(session, call, frames, keep=keep)
        self.tap.note(
            session.user.name, ">", f"{response.status} {call.method}", call.path,
            len(response.body),
        )  # fmt: skip

    def _answer(self, session: Session, call: Call, frames: rpc.Frames, *, keep: bool) -> None:
        route = session.calls.end(call.id, frames, keep=keep)
        for frame in frames:
            session.server.reply(route, frame)

    # --- snapshots --------------------------------------------------------------------------------

    def _allowed(self, session: Session, name: str) -> bool:
        allowed = session.topics.get(name)
        if allowed is None:
            if len(session.topics) >= protocol.TOPICS_PER_SESSION_MAX:
                return False
            allowed = session.topics[name] = self._policy.may_hear(session.user, name)
        return allowed

    def _sync(self, session: Session, message: Message) -> None:
        assert isinstance(message, Sync)
        name = message.topic
        if not self._allowed(session, name):
            text = f'{session.user.name} may not follow "{name}"'
            self._refuse(session.server, session.route, name, 403, "Forbidden", text)
        elif name == protocol.TAP:
            self.tap.listen()
        elif (frames := self.feed.topic(name).repair((message.epoch, message.seq))) is not None:
            for frame in frames:
                session.server.reply(session.route, frame)
        elif len(session.snapshots) >= protocol.SNAPSHOTS_PER_PEER_MAX:
            text = "too many snapshots under way"
            self._refuse(session.server, session.route, name, 429, "TooManyRequests", text)
        else:
            window = session.snapshots[name] = Window(protocol.SNAPSHOT_WINDOW_PARTS)
            parts = self._parts(self.feed.topic(name))
            self._nursery.spawn(self._send_snapshot(session, name, window, parts))

    def _parts(self, topic: Topic) -> Sequence[bytes]:
        parts = topic.cached_snapshot()
        if parts is None:
            entries, revision = self._policy.snapshot(topic.name)
            parts = topic.snapshot(entries, revision)
            loop = asyncio.get_running_loop()
            loop.call_later(SNAPSHOT_CACHED_S, topic.forget_snapshot)
        return parts

    async def _send_snapshot(
        self, session: Session, name: str, window: Window, parts: Sequence[bytes]
    ) -> None:
        """Parts as credit allows; a peer that stops asking is left alone after a while."""
        try:
            async with asyncio.timeout(protocol.SESSION_IDLE_S):
                for part in parts:
                    await window.take(1)
                    if session.snapshots.get(name) is not window:
                        return  # It asked anew: this answer is out of date.
                    session.server.reply(session.route, part)
        except TimeoutError:
            return
        finally:
            if session.snapshots.get(name) is window:
                del session.snapshots[name]

    def _snapshot_credit(self, session: Session, message: Message) -> None:
        assert isinstance(message, SnapshotCredit)
        if (window := session.snapshots.get(message.topic)) is not None:
            window.give(1)

    # --- beats ------------------------------------------------------------------------------------

    def _beat(self, door: Door, route: Route, key: str, frame: bytes) -> None:
        try:
            beat = protocol.decode_as(Beat, frame, limit=protocol.BEAT_BYTES_MAX)
        except ProtocolError:
            self.undecodable += 1
            return
        session = self.sessions.get(beat.session, key)
        if session is None:
            unknown = Ack(session=beat.session, number=beat.number, known=False)
            door.server.ack(route, encode(unknown))
            return
        session.seen_at = self._clock.monotonic()
        wants_status = self._policy.beat(session.user, session.component, beat)
        positions: dict[str, Position] = {}
        for name in beat.positions:
            if self._allowed(session, name):
                positions[name] = self.feed.topic(name).position
        ack = Ack(
            session=beat.session,
            number=beat.number,
            known=True,
            generation=door.generations[-1],
            wants_status=wants_status,
            positions=positions,
        )
        door.server.ack(route, encode(ack))
        self.tap.message(session.user.name, "<", beat, len(frame))

    # --- streams ----------------------------------------------------------------------------------

    def open_stream(self, node: str, verb: str, params: Json, *, held: bool = False) -> Stream:
        """Begin `verb` on the node's kubelet; `held`: it waits for `grant`. Raises Error if it is
        away."""
        session = self.sessions.of_node(node, STREAMING)
        return self._open(session, f'node "{node}"', verb, params, held=held)

    def hears(self, user: str) -> bool:
        """Whether the component that is `user` has been heard of lately."""
        session = self.sessions.of_user(user)
        return session is not None and not self._unheard(session)

    def ask(self, user: str, verb: str, params: Json) -> Stream:
        """Begin `verb` on the component that is `user`. Raises Error if it is away."""
        return self._open(self.sessions.of_user(user), user, verb, params, held=False)

    def _open(
        self, session: Session | None, who: str, verb: str, params: Json, *, held: bool
    ) -> Stream:
        if session is None or self._unheard(session):
            raise away(who)
        return self._opened.open(session, who, verb, params, held=held)

    # --- ends -------------------------------------------------------------------------------------

    def _drop(self, session: Session) -> None:
        self.sessions.drop(session)
        self._opened.cut_off(session)

    def _unheard(self, session: Session) -> bool:
        """Its node is cut off without having hung up: nobody shall wait for its streams."""
        return self._clock.monotonic() - session.seen_at > 2 * protocol.SILENT_AFTER_S

    def _refuse(
        self, server: Server, route: Route, which: str, code: int, reason: str, message: str
    ) -> None:
        server.reply(route, encode(Refusal(id=which, code=code, reason=reason, message=message)))


async def _whole(response: Response) -> Response:
    """A streamed answer as one: what does not end is followed by topic here, not by call."""
    assert response.stream is not None
    body = bytearray()
    async for piece in response.stream:
        body += piece
        if len(body) > protocol.ANSWER_BYTES_MAX:
            break
    return Response(
        response.status, bytes(body), content_type=response.content_type, headers=response.headers
    )


def _report(name: str, error: BaseException) -> None:
    log.error("a task of the hub failed", task=name, error=error)

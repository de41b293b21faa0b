"""The master's end of the bus: takes messages in, gives each to who is responsible, publishes.

Owns      sessions, topics, flushing bursts, snapshots under way, streams opened on workers.
Leaves    who is whom and who may do what (Policy), the API (Policy.call), sockets (wire.Server).
Invariant whatever arrives, one answer or one counter follows and nothing else changes; work per
          published burst does not grow with the number of subscribers.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import orjson

from busk8s import protocol
from busk8s.api.object import Json
from busk8s.api.request import Request, Response, User
from busk8s.bus import rpc, streams
from busk8s.bus.sessions import Session, Sessions
from busk8s.bus.tap import Tap
from busk8s.bus.topics import Topic
from busk8s.bus.wire import Route, Server
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.log import Logger
from busk8s.protocol import (
    Ack,
    Beat,
    Call,
    Entry,
    Hello,
    Join,
    Mark,
    Message,
    Position,
    ProtocolError,
    Refusal,
    SnapshotCredit,
    StreamData,
    StreamEnd,
    StreamOpen,
    Sync,
    Welcome,
    channel,
    decode,
    encode,
)
from busk8s.tasks import Nursery

log = Logger("busk8s.bus")

MARK_PREFIX = b"mark/"
TAP_FLUSH_S = 0.1
SNAPSHOT_CACHED_S = 2.0  # Peers that come back together share one encoding; then it is freed.
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

    def __init__(self, policy: Policy, *, clock: Clock, epoch: int, master: str) -> None:
        self.sessions = Sessions()
        self.undecodable = 0
        self.tap = Tap(clock, self._tap_due)
        self._policy, self._clock, self._master = policy, clock, master
        self._epochs = itertools.count(epoch)
        self._stream_ids = itertools.count(1)
        self._servers: list[tuple[Server, bool]] = []
        self._topics: dict[str, Topic] = {}
        self._dirty: dict[str, Topic] = {}
        self._streams: dict[str, tuple[Session, streams.Reader]] = {}
        self._nursery = Nursery(on_error=_report)
        self._does: dict[type[Message], Callable[[Session, Message], None]] = {
            Call: self._call,
            Sync: self._sync,
            SnapshotCredit: self._snapshot_credit,
            StreamData: self._stream_data,
            StreamEnd: self._stream_end,
        }

    # --- life -------------------------------------------------------------------------------------

    def attach(self, server: Server, *, trusted: bool = False) -> None:
        """Listen on `server`; `trusted` for ipc, where who can connect is the master itself."""
        self._servers.append((server, trusted))
        server.start(
            lambda route, key, frame: self._request(server, trusted, route, key, frame),
            lambda key, prefix, on: self._subscribe(server, trusted, key, prefix, on),
            lambda route, key, frame: self._beat(server, route, key, frame),
        )

    async def run(self) -> None:
        """Housekeeping, until cancelled: sessions unseen for long are forgotten."""
        while True:
            await self._clock.sleep(protocol.SILENT_AFTER_S)
            for session in self.sessions.idle(self._clock.monotonic()):
                self._drop(session)

    async def close(self) -> None:
        await self._nursery.close()
        for _, reader in list(self._streams.values()):
            reader.end()
        for server, _ in self._servers:
            server.close()

    # --- publishing -------------------------------------------------------------------------------

    def topic(self, name: str) -> Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name, next(self._epochs))
        return topic

    def publish(self, name: str, entries: Sequence[Entry], revision: int) -> None:
        """Number the deltas now; send them with all others of this burst, when the tick ends."""
        topic = self.topic(name)
        topic.push(entries, revision)
        if self.tap.open:
            for entry in entries:
                subject = f"{entry[1]} {entry[2]}/{entry[3]}"
                self.tap.note("", ">" if entry[0] else "x", name, subject, len(entry[5]))
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush)
        self._dirty[name] = topic

    def forget(self, name: str) -> None:
        """The topic is over (its node is gone); a later one of that name has another epoch."""
        if (topic := self._topics.pop(name, None)) is not None:
            self._send_frames(topic)
            self._dirty.pop(name, None)
        for session in self.sessions:
            session.topics.pop(name, None)

    def revoke(self, key: str) -> None:
        """`key` is nobody's any more: what it began is dropped; it may join anew."""
        for session in self.sessions:
            if session.key == key:
                self._refuse(
                    session.server, session.route, session.id, 401, "Unauthorized",
                    "this node's key is no longer known to the master",
                )  # fmt: skip
                self._drop(session)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for topic in dirty.values():
            self._send_frames(topic)

    def _tap_due(self) -> None:
        asyncio.get_running_loop().call_later(TAP_FLUSH_S, self._flush_tap)

    def _flush_tap(self) -> None:
        if frame := self.tap.take():
            for server, _ in self._servers:
                server.publish(channel(protocol.TAP), frame)

    def _send_frames(self, topic: Topic) -> None:
        prefix = channel(topic.name)
        for frame in topic.frames():
            for server, _ in self._servers:
                server.publish(prefix, frame)

    # --- the feed ---------------------------------------------------------------------------------

    def _subscribe(self, server: Server, trusted: bool, key: str, prefix: bytes, on: bool) -> bool:
        if not on:
            return True
        user = None if trusted else self._policy.identify(key)
        if user is None and not trusted:
            return False
        if prefix.startswith(MARK_PREFIX) and len(prefix) <= 64:
            nonce = prefix[len(MARK_PREFIX) : -1].decode(errors="replace")
            frame = encode(Mark(nonce=nonce))
            # After this call returns the mark itself is granted; only then it can be heard.
            asyncio.get_running_loop().call_soon(server.publish, prefix, frame)
            return True
        topic = protocol.topic_of(prefix)
        if topic is None or (user is not None and not self._policy.may_hear(user, topic)):
            self.tap.note(user.name if user else "", "!", f"subscribe {topic}", "", len(prefix))
            return False
        self.topic(topic).heard = True
        return True

    # --- requests ---------------------------------------------------------------------------------

    def _request(self, server: Server, trusted: bool, route: Route, key: str, frame: bytes) -> None:
        try:
            message = decode(frame)
        except ProtocolError as error:
            self.undecodable += 1
            self._refuse(server, route, "", error.code, "BadMessage", error.message)
            return
        if type(message) is Hello:
            self._hello(server, trusted, route, key, message)
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

    def _hello(self, server: Server, trusted: bool, route: Route, key: str, hello: Hello) -> None:
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
            beat_interval_s=protocol.BEAT_INTERVAL_S,
        )
        server.reply(route, encode(welcome))

    async def _join(self, server: Server, route: Route, key: str, message: Join) -> None:
        response = await self._policy.join(key, message)
        self.tap.note(key[:8], "<", "join", message.node, len(message.info))
        for frame in rpc.reply_frames(message.id, response):
            server.reply(route, frame)

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
        frames: rpc.Frames = ()
        keep = False
        try:
            response = await self._policy.call(request)
            if response.stream is not None:
                response = await _whole(response)
            frames = rpc.reply_frames(call.id, response)
            keep = call.method not in READS
        finally:
            route = session.calls.end(call.id, frames, keep=keep)
        for frame in frames:
            session.server.reply(route, frame)
        self.tap.note(session.user.name, ">", f"{response.status} {call.method}", call.path,
                      len(response.body))  # fmt: skip

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
        elif (frames := self.topic(name).repair((message.epoch, message.seq))) is not None:
            for frame in frames:
                session.server.reply(session.route, frame)
        elif len(session.snapshots) >= protocol.SNAPSHOTS_PER_PEER_MAX:
            text = "too many snapshots under way"
            self._refuse(session.server, session.route, name, 429, "TooManyRequests", text)
        else:
            window = session.snapshots[name] = streams.Window(protocol.SNAPSHOT_WINDOW_PARTS)
            parts = self._parts(self.topic(name))
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
        self, session: Session, name: str, window: streams.Window, parts: Sequence[bytes]
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

    def _beat(self, server: Server, route: Route, key: str, frame: bytes) -> None:
        try:
            beat = protocol.decode_as(Beat, frame, limit=protocol.BEAT_BYTES_MAX)
        except ProtocolError:
            self.undecodable += 1
            return
        session = self.sessions.get(beat.session, key)
        if session is None:
            unknown = Ack(session=beat.session, number=beat.number, known=False)
            server.ack(route, encode(unknown))
            return
        session.seen_at = self._clock.monotonic()
        wants_status = self._policy.beat(session.user, session.component, beat)
        positions: dict[str, Position] = {}
        for name in beat.positions:
            if self._allowed(session, name):
                positions[name] = self.topic(name).position
        ack = Ack(
            session=beat.session,
            number=beat.number,
            known=True,
            wants_status=wants_status,
            positions=positions,
        )
        server.ack(route, encode(ack))
        self.tap.message(session.user.name, "<", beat, len(frame))

    # --- streams ----------------------------------------------------------------------------------

    def open_stream(self, node: str, verb: str, params: Json) -> streams.Reader:
        """Begin `verb` on the node's kubelet; iterate for its bytes. Raises Error if it is away."""
        session = self.sessions.of_node(node, STREAMING)
        if session is None:
            raise Error(503, "ServiceUnavailable", f'node "{node}" is not connected to the master')
        if sum(s is session for s, _ in self._streams.values()) >= protocol.STREAMS_PER_PEER_MAX:
            raise Error(429, "TooManyRequests", f'too many streams are open on node "{node}"')
        name = f"s{next(self._stream_ids)}"

        def send(message: Message) -> bool:
            return session.server.reply(session.route, encode(message))

        reader = streams.Reader(name, send, lambda: self._streams.pop(name, None) and None)
        self._streams[name] = (session, reader)
        opening = StreamOpen(
            stream=name,
            verb=verb,
            params=orjson.dumps(params),
            credit=protocol.STREAM_CREDIT_BYTES,
        )
        if not send(opening):
            reader.end()
            raise Error(503, "ServiceUnavailable", f'node "{node}" is not connected to the master')
        return reader

    def _stream_of(self, session: Session, name: str) -> streams.Reader | None:
        owner, reader = self._streams.get(name, (None, None))
        return reader if owner is session else None

    def _stream_data(self, session: Session, message: Message) -> None:
        assert isinstance(message, StreamData)
        if (reader := self._stream_of(session, message.stream)) is not None:
            reader.data(message.data)
        else:
            session.server.reply(session.route, encode(StreamEnd(stream=message.stream)))

    def _stream_end(self, session: Session, message: Message) -> None:
        assert isinstance(message, StreamEnd)
        if (reader := self._stream_of(session, message.stream)) is not None:
            reader.end(streams.error_of(message))

    # --- ends -------------------------------------------------------------------------------------

    def _drop(self, session: Session) -> None:
        self.sessions.drop(session)
        for owner, reader in list(self._streams.values()):
            if owner is session:
                reader.end(Error(503, "ServiceUnavailable", "the connection to the node was lost"))

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

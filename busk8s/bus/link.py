"""A peer's end of the bus: one connection that is always there or coming back.

Owns      connecting, greeting, beats, repeating calls, asking for what topics lack.
Leaves    the order of steps (session), topics' copies (follower, clone), streams (serving).
Invariant whatever happens to the network or the master, the link ends up live again without help,
          and every topic then reaches the master's state within a beat.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from busk8s import protocol
from busk8s.api.object import Json
from busk8s.api.request import Response
from busk8s.api.scheme import Resource
from busk8s.bus.follower import Follower, Reading
from busk8s.bus.rpc import PendingCalls
from busk8s.bus.serving import Serving
from busk8s.bus.session import Action, Event, State, backoff_s, step
from busk8s.bus.streams import Handler
from busk8s.bus.wire import Connection
from busk8s.clock import Clock
from busk8s.errors import timeout, too_large
from busk8s.log import Logger
from busk8s.protocol import (
    Ack,
    Beat,
    Call,
    Deltas,
    Hello,
    Mark,
    Message,
    ProtocolError,
    Refusal,
    Reply,
    SnapshotCredit,
    SnapshotPart,
    StreamCredit,
    StreamData,
    StreamEnd,
    StreamOpen,
    Sync,
    Tapped,
    Welcome,
    channel,
    decode,
    encode,
)
from busk8s.tasks import Nursery

log = Logger("busk8s.link")

TICK_S = 0.5  # How often timeouts are looked at.
HURRY_GAP_S = 1.0  # At most one beat out of turn in this time, however often the status changes.
AHEAD_GRACE_S = 0.1  # An ack may overtake the delta it tells of; ask only if it still lacks then.
TAP_RENEW_S = 3.0
TAP_FRAMES_MAX = 256  # Frames a tap's reader may lag behind; the oldest are dropped.


@dataclass(frozen=True, slots=True)
class Identity:
    """What the link says of itself. Over CURVE the key decides who it is."""

    component: str
    node: str = ""
    boot_id: str = ""


class Link:
    """`connect` opens one connection attempt; `rng` gives session ids and jitter."""

    def __init__(
        self,
        identity: Identity,
        connect: Callable[[], Connection],
        *,
        clock: Clock,
        rng: random.Random,
        resource_of: Callable[[str], Resource],
    ) -> None:
        self.state = State.IDLE
        self.user = ""  # As the master named us, once welcome.
        self.trouble = ""  # Why the link is not live, in words for people.
        self._identity, self._connect, self._clock, self._rng = identity, connect, clock, rng
        self._resource_of = resource_of
        self._session = f"{rng.getrandbits(128):032x}"
        self._nursery = Nursery(on_error=_report)
        self._calls = PendingCalls()
        self._call_numbers = 0
        self._room = asyncio.Semaphore(protocol.CALLS_IN_FLIGHT_MAX)
        self._followers: dict[str, Follower] = {}
        self._serving = Serving(self._send, self._nursery)
        self._taps: list[asyncio.Queue[Tapped]] = []
        self._connection: Connection | None = None
        self._attempt = 0
        self._subscribed: dict[bytes, None] = {}
        self._generation = 0
        self._mark = b""  # The channel of the mark that shall prove the subscriptions.
        self._marked_at: float | None = None  # Since when that mark is awaited.
        self._since = 0.0  # When the present state began, or the last ack came.
        self._beat_at = 0.0
        self._beat_number = 0
        self._hurried_at = float("-inf")
        self._beat_interval_s = protocol.BEAT_INTERVAL_S
        self._status = b""
        self._status_beat = 0  # The first beat that carried the status; 0: acknowledged.
        self._waiting_live: list[asyncio.Future[None]] = []
        self._performs: dict[Action, Callable[[], None]] = {
            Action.CONNECT: self._open,
            Action.GREET: self._greet,
            Action.PROVE: self._prove,
            Action.SETTLE: self._settle,
            Action.RESUME: self._resume,
            Action.REPAIR: self._repair,
            Action.DISCONNECT: self._disconnect,
            Action.WAIT: self._wait,
        }
        self._takes: dict[type[Message], Callable[[Any], None]] = {
            Welcome: self._welcome,
            Refusal: self._refusal,
            Reply: self._calls.reply,
            SnapshotPart: self._part,
            Deltas: self._deltas,
            StreamOpen: self._serving.open,
            StreamData: self._serving.data,
            StreamCredit: self._serving.credit,
            StreamEnd: self._serving.end,
        }

    # --- for those who use the link ---------------------------------------------------------------

    async def run(self) -> None:
        """Stay connected until cancelled."""
        self._event(Event.OPEN)
        try:
            while True:
                await self._clock.sleep(min(TICK_S, self._beat_interval_s / 2))
                self._tick()
        finally:
            self._event(Event.CLOSE)
            await self._nursery.close()

    @property
    def live(self) -> bool:
        return self.state is State.LIVE

    @property
    def _known(self) -> bool:
        return self.state in (State.MARKING, State.LIVE)

    async def wait_live(self) -> None:
        """Return once the link is live. The caller bounds the wait."""
        if not self.live:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting_live.append(future)
            await future

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, tuple[str, ...]] | None = None,
        body: bytes = b"",
        content_type: str = "application/json",
        accept: str = "",
        timeout_s: float = protocol.CALL_TIMEOUT_S,
    ) -> Response:
        """One verb of the API. Raises Error: the bus's own refusals, and 504 after `timeout_s`."""
        self._call_numbers += 1
        message = Call(
            id=f"{self._session[:8]}-{self._call_numbers}",
            method=method,
            path=path,
            query=query or {},
            body=body,
            content_type=content_type,
            accept=accept,
        )
        frame = encode(message)
        if len(frame) > protocol.MESSAGE_BYTES_MAX:
            raise too_large(protocol.MESSAGE_BYTES_MAX)
        async with self._room:
            future = self._calls.add(message.id, frame, self._clock.monotonic())
            self._request(frame)
            try:
                async with asyncio.timeout(timeout_s):
                    return await future
            except TimeoutError:
                why = f" ({self.trouble})" if self.trouble else ""
                raise timeout(f"no answer from the master within {timeout_s:g} s{why}") from None
            finally:
                self._calls.drop(message.id)

    def follow(self, topic: str) -> Reading:
        """Read `topic`: an async iterator of batches that begins with the whole state."""
        follower = self._followers.get(topic)
        if follower is None:
            follower = Follower(topic, self._resource_of, self._unfollow)
            self._followers[topic] = follower
            if self._known:
                self._prove()
        return follower.read()

    def on_stream(self, verb: str, handler: Handler) -> None:
        """Serve streams the master opens with `verb`."""
        self._serving.on(verb, handler)

    def set_node_status(self, status: Json) -> None:
        """Report `status` with the next beats until one is acknowledged; unchanged is free."""
        encoded = orjson.dumps(status)
        if encoded != self._status:
            self._status = encoded
            self._status_beat = self._beat_number + 1
            self._hurry()

    def _hurry(self) -> None:
        """A node turns Ready by this beat: it does not wait for its turn, unless one just did."""
        now = self._clock.monotonic()
        if self._known and self._connection is not None and now >= self._hurried_at + HURRY_GAP_S:
            self._hurried_at = now
            self._beat(now)

    def repeat_node_status(self) -> None:
        """Send the status again though it has not changed: somebody else wrote over it."""
        if self._status and not self._status_beat:
            self._status_beat = self._beat_number + 1

    async def tap(self) -> AsyncIterator[Tapped]:
        """What passes on the bus, as it passes; may have holes (`dropped`). Admins only."""
        queue: asyncio.Queue[Tapped] = asyncio.Queue(TAP_FRAMES_MAX)
        self._taps.append(queue)
        if self._known:
            self._prove()
        try:
            while True:
                self._request(encode(Sync(session=self._session, topic=protocol.TAP)))
                try:
                    async with asyncio.timeout(TAP_RENEW_S):
                        while True:
                            yield await queue.get()
                except TimeoutError:
                    continue
        finally:
            self._taps.remove(queue)

    # --- steps ------------------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        before = self.state
        self.state, actions = step(self.state, event)
        if self.state is not before:
            self._since = self._clock.monotonic()
            log.debug("link", state=self.state, after=event, node=self._identity.node)
        for action in actions:
            self._performs[action]()

    def _open(self) -> None:
        self._connection = connection = self._connect()
        connection.start(self._on_requests, self._on_feed, self._on_ack, self._lost)

    def _greet(self) -> None:
        who = self._identity
        hello = Hello(
            session=self._session, component=who.component, node=who.node, boot_id=who.boot_id
        )
        assert self._connection is not None
        self._connection.request(encode(hello))

    def _prove(self) -> None:
        """Subscribe to what is followed, then to a fresh mark: once heard, all is in force."""
        assert self._connection is not None
        for prefix in self._channels():
            if prefix not in self._subscribed:
                self._subscribed[prefix] = None
                self._connection.subscribe(prefix)
        if self._mark:
            self._connection.unsubscribe(self._mark)
        self._mark = channel(f"mark/{self._rng.getrandbits(64):016x}", self._generation)
        self._marked_at = self._clock.monotonic()
        self._connection.subscribe(self._mark)

    def _channels(self) -> list[bytes]:
        topics = [*self._followers, *([protocol.TAP] if self._taps else [])]
        return [channel(topic, self._generation) for topic in topics]

    def _leave_old_channels(self) -> None:
        """The new generation is proved: the old one has nothing more to say."""
        wanted = self._channels()
        for prefix in [old for old in self._subscribed if old not in wanted]:
            del self._subscribed[prefix]
            if self._connection is not None:
                self._connection.unsubscribe(prefix)

    def _settle(self) -> None:
        self._attempt = 0
        self.trouble = ""
        waiting, self._waiting_live = self._waiting_live, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _resume(self) -> None:
        now = self._clock.monotonic()
        for frame in self._calls.due(now, 0.0):
            self._request(frame)
        self._repair()
        self._beat(now)

    def _repair(self) -> None:
        """The feed is new: whatever was sent while it was away is missing."""
        for follower in self._followers.values():
            follower.cut_off()
        self._ask(self._clock.monotonic())

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._subscribed.clear()
        self._mark, self._marked_at = b"", None
        for follower in self._followers.values():
            follower.cut_off()
        self._serving.cut_off()

    def _wait(self) -> None:
        wait_s = backoff_s(
            self._attempt,
            self._rng.random(),
            first=protocol.BACKOFF_FIRST_S,
            factor=protocol.BACKOFF_FACTOR,
            most=protocol.BACKOFF_MAX_S,
        )
        self._attempt += 1
        asyncio.get_running_loop().call_later(wait_s, self._event, Event.DUE)

    def _lost(self, why: str) -> None:
        if self.state is State.LIVE:
            log.warning("the master is out of reach", why=why, node=self._identity.node)
        self.trouble = self.trouble if self.state is State.WAITING else why
        self._event(Event.LOST)

    # --- time -------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self._clock.monotonic()
        silence = now - self._since
        if self.state in (State.GREETING, State.MARKING):
            if silence > protocol.GREETING_TIMEOUT_S:
                self._lost("no answer from the master")
        elif self.state is State.LIVE:
            if silence > max(protocol.ACK_SILENCE_S, 4 * self._beat_interval_s):
                self._lost("the master is silent")
            elif self._unproved(now):
                self._lost("the feed does not answer")
            else:
                for frame in self._calls.due(now, protocol.CALL_REPEAT_S):
                    self._request(frame)
                self._ask(now)
        if self._known and now >= self._beat_at:
            self._beat(now)

    def _unproved(self, now: float) -> bool:
        return self._marked_at is not None and now - self._marked_at > protocol.GREETING_TIMEOUT_S

    def _beat(self, now: float) -> None:
        assert self._connection is not None
        self._beat_number += 1
        # A quarter of a tick early is better than half a tick late: ticks and beats do not align.
        self._beat_at = now + self._beat_interval_s - min(TICK_S, self._beat_interval_s / 2) / 4
        beat = Beat(
            session=self._session,
            number=self._beat_number,
            node=self._identity.node,
            boot_id=self._identity.boot_id,
            positions={name: f.clone.position for name, f in self._followers.items()},
            status=self._status if self._status_beat else b"",
        )
        self._connection.beat(encode(beat))

    def _ask(self, now: float) -> None:
        if self.state is State.LIVE:
            for follower in self._followers.values():
                if (sync := follower.due(self._session, now)) is not None:
                    self._request(encode(sync))

    def _request(self, frame: bytes) -> None:
        """Say it now if the master knows us; else it is said when it does (`resume`)."""
        if self._known and self._connection is not None:
            self._connection.request(frame)

    # --- what arrives -----------------------------------------------------------------------------

    def _on_requests(self, frame: bytes) -> None:
        if (message := self._decoded(frame)) is not None:
            take = self._takes.get(type(message))
            if take is not None:
                take(message)

    def _on_feed(self, frame: bytes) -> None:
        message = self._decoded(frame)
        if isinstance(message, Deltas):
            self._deltas(message)
        elif isinstance(message, Mark):
            if channel(f"mark/{message.nonce}", self._generation) == self._mark:
                self._marked_at = None
                self._leave_old_channels()
                self._event(Event.MARK)
        elif isinstance(message, Tapped):
            for queue in self._taps:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(message)

    def _on_ack(self, frame: bytes) -> None:
        message = self._decoded(frame)
        if not isinstance(message, Ack) or message.session != self._session:
            return
        if not message.known:
            self._event(Event.UNKNOWN)
            return
        if self.state is State.LIVE:
            self._since = self._clock.monotonic()
        if self._status_beat and message.number >= self._status_beat:
            self._status_beat = 0
        if message.wants_status:
            self.repeat_node_status()
        if message.generation != self._generation and self._known:
            self._generation = message.generation
            self._prove()
        ahead = {
            name: position
            for name, position in message.positions.items()
            if name in self._followers and self._followers[name].clone.position != position
        }
        if ahead:
            asyncio.get_running_loop().call_later(AHEAD_GRACE_S, self._ahead, ahead)

    def _ahead(self, positions: dict[str, protocol.Position]) -> None:
        """The master was there a moment ago; whoever is not there yet has missed something."""
        for name, position in positions.items():
            if (follower := self._followers.get(name)) is not None:
                follower.at(position)
        self._ask(self._clock.monotonic())

    def _decoded(self, frame: bytes) -> Message | None:
        try:
            return decode(frame, limit=protocol.FRAME_BYTES_MAX)
        except ProtocolError as error:
            log.warning("unreadable message from the master", why=error.message)
            return None

    def _welcome(self, message: Welcome) -> None:
        if message.session == self._session:
            self.user = message.user
            self._generation = message.generation
            self._beat_interval_s = message.beat_interval_s
            self._event(Event.WELCOME)

    def _refusal(self, message: Refusal) -> None:
        if message.reason == "UnknownSession":
            self._event(Event.UNKNOWN)
        elif message.id == self._session or (not message.id and self.state is State.GREETING):
            log.warning("the master refuses this link", why=message.message)
            self._lost(message.message)
        elif message.id in self._followers:
            self._followers[message.id].refused(message)
        elif not self._calls.refuse(message):
            log.warning("the master refused a message", why=message.message)

    def _part(self, message: SnapshotPart) -> None:
        if (follower := self._followers.get(message.topic)) is not None:
            follower.part(message, self._clock.monotonic())
            self._request(encode(SnapshotCredit(session=self._session, topic=message.topic)))

    def _deltas(self, message: Deltas) -> None:
        if (follower := self._followers.get(message.topic)) is not None:
            follower.deltas(message)
            if follower.clone.lost:
                self._ask(self._clock.monotonic())

    def _unfollow(self, topic: str) -> None:
        del self._followers[topic]
        self._leave_old_channels()

    def _send(self, message: Message) -> bool:
        return self._connection is not None and self._connection.request(encode(message))


def _report(name: str, error: BaseException) -> None:
    log.error("a task of the link failed", task=name, error=error)

"""ZeroMQ sockets on an asyncio loop: the only module that imports zmq.

Owns      sockets, their options, reading when readable, CURVE settings, the ZAP answers.
Leaves    what frames mean (hub, link), which key is whom (security).
Invariant nothing here waits: a send that cannot go at once is dropped and reported as False.

zmq's file descriptor is edge-triggered and any use of the socket may swallow an edge, so after each
send the socket is looked at once more before the loop sleeps. Plain callbacks on the loop are used
in place of zmq.asyncio, whose futures cost several times the message itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from busk8s.bus.wire import (
    Endpoints,
    FeedEnd,
    Keys,
    Loss,
    PeerEnd,
    RequestEnd,
    Route,
)
from busk8s.protocol import (
    BEAT_BYTES_MAX,
    BEATS_QUEUE_FRAMES,
    FEED_QUEUE_FRAMES,
    FRAME_BYTES_MAX,
    REQUESTS_QUEUE_FRAMES,
)

READ_BURST_MAX = 256  # Messages taken from one socket before others get their turn.
SOCKETS_MAX = 60_000  # Of one context; the process's file limit is reached before.
LISTEN_BACKLOG = 4096  # Workers that may connect in the same instant.
ZAP_ADDRESS = "inproc://zeromq.zap.01"

# A key's verdict in a ZAP domain: the User-Id its messages shall bear, or None = no entry.
Admit = Callable[[str, str], str | None]


def new_keys() -> Keys:
    """A fresh CURVE key pair, in z85."""
    public, secret = zmq.curve_keypair()
    return Keys(public.decode(), secret.decode())


def public_of(secret: str) -> str:
    """The public key that belongs to `secret` (both z85)."""
    public: bytes = zmq.curve_public(secret.encode())
    return public.decode()


class Network:
    """One ZeroMQ context: its sockets, its ZAP handler. A master needs one of its own."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.context.set(zmq.MAX_SOCKETS, SOCKETS_MAX)
        self._zap: _Socket | None = None

    def admit(self, admit: Admit) -> None:
        """Answer ZAP questions of this context's CURVE servers by `admit(domain, key)`."""
        raw = self.context.socket(zmq.ROUTER)
        raw.bind(ZAP_ADDRESS)
        zap = _Socket(raw, lambda socket: _answer_zap(socket, admit))
        self._zap = zap

    def serve(self, endpoints: Endpoints, keys: Keys | None) -> Served:
        return Served(self.context, endpoints, keys)

    def connect(self, endpoints: Endpoints, keys: Keys | None, server_key: str) -> Connected:
        return Connected(self.context, endpoints, keys, server_key)

    def close(self) -> None:
        if self._zap is not None:
            self._zap.close()
        self.context.term()


class _Socket:
    """A zmq socket watched by the loop; `on_readable` reads one message or raises zmq.Again."""

    def __init__(self, raw: zmq.Socket[bytes], on_readable: Callable[[zmq.Socket[bytes]], None]):
        self.raw = raw
        raw.linger = 0
        self._on_readable = on_readable
        self._loop = asyncio.get_running_loop()
        self._fd = int(raw.getsockopt(zmq.FD))
        self._look_due = False
        self._loop.add_reader(self._fd, self._look)
        self.look_soon()

    def look_soon(self) -> None:
        if not self._look_due:
            self._look_due = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._look_due = False
        if self.raw.closed or not int(self.raw.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            return
        try:
            for _ in range(READ_BURST_MAX):
                self._on_readable(self.raw)
                if self.raw.closed:
                    return
        except zmq.Again:
            return
        self.look_soon()

    def send(self, *frames: bytes) -> bool:
        if self.raw.closed:
            return False  # A timer that was set before the end: there is nobody to tell any more.
        self.look_soon()
        try:
            if len(frames) == 1:
                self.raw.send(frames[0], zmq.NOBLOCK)
            else:
                self.raw.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        return True

    def close(self) -> None:
        if not self.raw.closed:
            self._loop.remove_reader(self._fd)
            self.raw.close()


def _user_id(frame: zmq.Frame) -> str:
    """The identity that ZAP gave to the sender; empty where there was no ZAP (ipc)."""
    try:
        found = frame.get("User-Id")
    except zmq.ZMQError:
        return ""
    return found if isinstance(found, str) else str(found)


def _rest(raw: zmq.Socket[bytes]) -> int:
    """Take the frames of this message that are still unread; how many there were."""
    count = 0
    while raw.getsockopt(zmq.RCVMORE):
        raw.recv(zmq.NOBLOCK)
        count += 1
    return count


def _answer_zap(raw: zmq.Socket[bytes], admit: Admit) -> None:
    """RFC 27: one question in, one answer out."""
    frames = raw.recv_multipart(zmq.NOBLOCK)
    head, question = frames[: frames.index(b"")], frames[frames.index(b"") + 1 :]
    version, request, domain, _address, _identity, mechanism = question[:6]
    user: str | None = None
    if mechanism == b"CURVE" and len(question) > 6:
        user = admit(domain.decode(), z85.encode(question[6]).decode())
    verdict = (b"200", b"OK") if user is not None else (b"400", b"unknown key")
    answer = [*head, b"", version, request, *verdict, (user or "").encode(), b""]
    raw.send_multipart(answer, zmq.NOBLOCK)


def _secure_server(raw: zmq.Socket[bytes], keys: Keys | None, domain: str) -> None:
    if keys is not None:
        raw.curve_server = True
        raw.curve_secretkey = keys.secret.encode()
        raw.zap_domain = domain.encode()


@dataclass(slots=True)
class _Limits:
    queue: int
    bytes_max: int

    def apply(self, raw: zmq.Socket[bytes]) -> None:
        raw.sndhwm = raw.rcvhwm = self.queue
        raw.maxmsgsize = self.bytes_max
        raw.backlog = LISTEN_BACKLOG
        raw.tcp_keepalive = 1
        raw.tcp_keepalive_idle = 30


_REQUESTS = _Limits(REQUESTS_QUEUE_FRAMES, FRAME_BYTES_MAX)
_FEED = _Limits(FEED_QUEUE_FRAMES, FRAME_BYTES_MAX)
_BEATS = _Limits(BEATS_QUEUE_FRAMES, BEAT_BYTES_MAX)


class Served:
    """The master's three sockets on one set of endpoints. CURVE with `keys`, plain without."""

    def __init__(self, context: zmq.Context[Any], endpoints: Endpoints, keys: Keys | None) -> None:
        self._sockets: list[_Socket] = []
        self._end: RequestEnd | None = None
        self._tainted = False
        self.foreign_frames = 0  # What publishers have no business to send to a publisher.
        self._bound = {
            "requests": self._bind(context, zmq.ROUTER, _REQUESTS, keys, "requests"),
            "feed": self._bind(context, zmq.XPUB, _FEED, keys, "feed"),
            "heartbeats": self._bind(context, zmq.ROUTER, _BEATS, keys, "heartbeats"),
        }
        try:
            self._bound["requests"].bind(endpoints.requests)
            self._bound["feed"].bind(endpoints.feed)
            self._bound["heartbeats"].bind(endpoints.heartbeats)
        except zmq.ZMQError as error:
            for raw in self._bound.values():
                raw.close(0)
            raise OSError(error.errno, f"cannot listen: {error} ({endpoints})") from error

    @staticmethod
    def _bind(
        context: zmq.Context[Any], kind: int, limits: _Limits, keys: Keys | None, domain: str
    ) -> zmq.Socket[bytes]:
        raw: zmq.Socket[bytes] = context.socket(kind)
        limits.apply(raw)
        _secure_server(raw, keys, domain)
        if kind == zmq.XPUB:
            raw.setsockopt(zmq.XPUB_MANUAL, 1)
        else:
            raw.router_mandatory = True
        return raw

    @property
    def endpoints(self) -> Endpoints:
        """Where the sockets listen, with the ports that were chosen for port 0."""
        found = {name: _address(raw) for name, raw in self._bound.items()}
        return Endpoints(**found)

    def start(self, requests: RequestEnd, feed: FeedEnd, heartbeats: RequestEnd) -> None:
        """Begin to read; each end is called once a message, on the loop."""
        self._requests = _Socket(self._bound["requests"], lambda raw: _route(raw, requests))
        self._feed = _Socket(self._bound["feed"], lambda raw: self._subscription(raw, feed))
        self._heartbeats = _Socket(self._bound["heartbeats"], lambda raw: _route(raw, heartbeats))
        self._sockets = [self._requests, self._feed, self._heartbeats]

    def reply(self, route: Route, frame: bytes) -> bool:
        return self._requests.send(route, frame)

    def ack(self, route: Route, frame: bytes) -> bool:
        return self._heartbeats.send(route, frame)

    def publish(self, channel: bytes, frame: bytes) -> None:
        self._feed.send(channel, frame)

    def _subscription(self, raw: zmq.Socket[bytes], end: FeedEnd) -> None:
        """Read one subscription and grant it or not, before the next is read.

        libzmq applies a grant to the pipe of the subscription read last, but it counts pipes only
        for subscriptions: after any other frame from a peer (an XSUB may send them) the count is
        one ahead, and a grant would reach the wrong peer. So from such a frame on nothing is
        granted until the queue has run empty, which sets the count right again. Who lost a
        subscription by it sees no mark and connects anew.
        """
        try:
            frame = raw.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            self._tainted = False
            raise
        data = bytes(frame.buffer)
        extra = _rest(raw)
        if extra or not data or data[0] > 1:
            self.foreign_frames += 1
            self._tainted = True
            return
        granted = end(_user_id(frame), data[1:], data[0] == 1) and not self._tainted
        if data[0] == 0 and not self._tainted:
            raw.setsockopt(zmq.UNSUBSCRIBE, data[1:])
        elif data[0] == 1 and granted:
            raw.setsockopt(zmq.SUBSCRIBE, data[1:])

    def close(self) -> None:
        for socket in self._sockets:
            socket.close()
        for raw in self._bound.values():
            raw.close(0)


def _address(raw: zmq.Socket[bytes]) -> str:
    found = raw.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(found, bytes)
    return found.decode().rstrip("\0")


def _route(raw: zmq.Socket[bytes], end: RequestEnd) -> None:
    """Read one message of a ROUTER: its route, the sender's proven key, the payload."""
    route = raw.recv(zmq.NOBLOCK)
    if not raw.getsockopt(zmq.RCVMORE):
        return
    frame = raw.recv(copy=False)
    key = _user_id(frame)
    whole = _rest(raw) == 0
    end(route, key, frame.bytes if whole else b"")


class Connected:
    """A peer's three sockets. They do not reconnect by themselves: the link decides when."""

    def __init__(
        self, context: zmq.Context[Any], endpoints: Endpoints, keys: Keys | None, server_key: str
    ) -> None:
        self._context, self._endpoints = context, endpoints
        self._keys, self._server_key = keys, server_key
        self._sockets: list[_Socket] = []

    def start(self, requests: PeerEnd, feed: PeerEnd, acks: PeerEnd, on_loss: Loss) -> None:
        """Open and begin to read; `on_loss` is told why, at most a few times."""
        raw = self._open(zmq.DEALER, _REQUESTS)
        events = (
            zmq.EVENT_DISCONNECTED
            | zmq.EVENT_CLOSED
            | zmq.EVENT_CONNECT_RETRIED
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        )
        monitor = raw.get_monitor_socket(events)
        self._monitored = raw
        self._sockets.append(_Socket(monitor, lambda m: _loss(m, on_loss)))
        self._requests = self._watched(raw, self._endpoints.requests, requests)
        self._feed = self._watched(self._open(zmq.SUB, _FEED), self._endpoints.feed, feed)
        beats = self._open(zmq.DEALER, _BEATS)
        self._heartbeats = self._watched(beats, self._endpoints.heartbeats, acks)

    def _open(self, kind: int, limits: _Limits) -> zmq.Socket[bytes]:
        raw: zmq.Socket[bytes] = self._context.socket(kind)
        limits.apply(raw)
        if kind != zmq.SUB:
            raw.reconnect_ivl = -1
        if self._keys is not None:
            raw.curve_serverkey = self._server_key.encode()
            raw.curve_publickey = self._keys.public.encode()
            raw.curve_secretkey = self._keys.secret.encode()
        return raw

    def _watched(self, raw: zmq.Socket[bytes], address: str, end: PeerEnd) -> _Socket:
        raw.connect(address)
        socket = _Socket(raw, lambda r: end(r.recv_multipart(zmq.NOBLOCK)[-1]))
        self._sockets.append(socket)
        return socket

    def request(self, frame: bytes) -> bool:
        return self._requests.send(frame)

    def beat(self, frame: bytes) -> bool:
        return self._heartbeats.send(frame)

    def subscribe(self, channel: bytes) -> None:
        self._feed.raw.setsockopt(zmq.SUBSCRIBE, channel)
        self._feed.look_soon()

    def unsubscribe(self, channel: bytes) -> None:
        self._feed.raw.setsockopt(zmq.UNSUBSCRIBE, channel)
        self._feed.look_soon()

    def close(self) -> None:
        if self._sockets and not self._monitored.closed:
            self._sockets[0].close()
            self._monitored.disable_monitor()
        for socket in self._sockets:
            socket.close()


_WHY: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the master does not admit this key",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "the other side is not a busk8s master with that key",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the master hung up: wrong server key, or not busk8s",
    zmq.EVENT_DISCONNECTED: "the connection broke",
    zmq.EVENT_CLOSED: "nothing listens there",
    zmq.EVENT_CONNECT_RETRIED: "nothing listens there",
}


def _loss(monitor: zmq.Socket[bytes], on_loss: Loss) -> None:
    event = parse_monitor_message(monitor.recv_multipart(zmq.NOBLOCK))
    if (why := _WHY.get(event["event"])) is not None:
        on_loss(why)

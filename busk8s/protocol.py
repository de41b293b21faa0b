"""The wire: version, limits, topics, messages, and how they become bytes.

Owns      every named limit of the bus with what happens when it is reached; the frozen messages.
Leaves    sockets (bus/transport), who may say what (bus/hub), order and loss (bus/clone).
Invariant any bytes into `decode` give a message or a ProtocolError; their size bounds the cost.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import msgpack
from pydantic import BaseModel, ConfigDict, ValidationError

from busk8s.api.scheme import Resource

VERSION = 1

# --- limits: name, value, and the one thing that happens when it is reached -----------------------

# A message above it is refused with 413 and not decoded. A body is at most 3 MiB (API server).
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
# libzmq closes the connection of a peer that announces a bigger frame: it is not even read.
FRAME_BYTES_MAX = 4 * MESSAGE_BYTES_MAX
# A beat with a status above it closes the connection; a full Node status is about 30 KiB.
BEAT_BYTES_MAX = 1024 * 1024
# Answers longer than this travel in several parts, so that one peer's list delays no one's beat.
BODY_PART_BYTES = 1024 * 1024
# An answer above it is refused with 413 and the advice to list in pages or to follow the topic.
ANSWER_BYTES_MAX = 256 * 1024 * 1024
# Deltas of one burst share a frame up to this size, then another frame begins.
DELTA_FRAME_BYTES = 1024 * 1024
# A snapshot is cut into parts of this size.
SNAPSHOT_PART_BYTES = 512 * 1024
# Parts of a snapshot under way to one peer; the next waits for the peer's credit.
SNAPSHOT_WINDOW_PARTS = 8
# Snapshots under way to one peer at once; the next is answered 429 and asked for again.
SNAPSHOTS_PER_PEER_MAX = 128
# Recent deltas kept per topic, by count and by bytes; a subscriber behind them takes a snapshot.
RING_DELTAS_MAX = 4096
RING_BYTES_MAX = 8 * 1024 * 1024
# Frames a subscriber holds while it waits for a repair; beyond it they are dropped and asked for.
HELD_FRAMES_MAX = 1024
# Batches that wait for one reader of a subscription; beyond it they become one Reset.
BATCHES_WAITING_MAX = 1024
# Frames queued in libzmq per subscriber of the feed; beyond it they are dropped, the gap is found.
FEED_QUEUE_FRAMES = 2000
# Messages queued in libzmq per peer of `requests`; beyond it: dropped, the peer asks again.
REQUESTS_QUEUE_FRAMES = 2000
# Beats queued per peer; older ones are worth nothing, so beyond it beats are dropped.
BEATS_QUEUE_FRAMES = 16
# Calls of one peer in work at once; the next is answered 429. Callers wait before they reach it.
CALLS_PER_PEER_MAX = 512
# Calls a link has in flight; the next waits its turn.
CALLS_IN_FLIGHT_MAX = 256
# Answers to writes that are remembered per peer, by count and by bytes, for calls said twice.
RECENT_CALLS_MAX = 1024
RECENT_CALL_BYTES_MAX = 8 * 1024 * 1024
# Connections of one identity; a further one is refused until an old one is silent.
SESSIONS_PER_PEER_MAX = 16
# Peers that introduced themselves and topics: bounded by nodes, these are the nets below.
SESSIONS_MAX = 20_000
# Topics one session may follow; a further subscription is not granted.
TOPICS_PER_SESSION_MAX = 512
# Bytes of a stream under way without credit, each way; the writer waits.
STREAM_CREDIT_BYTES = 256 * 1024
# One piece of a stream; longer writes are cut.
STREAM_PIECE_BYTES = 64 * 1024
# What a piece costs of the credit beyond its bytes, so that tiny pieces are bounded in number too.
STREAM_PIECE_COST_BYTES = 256
# Streams open on one worker; the next is refused with 429.
STREAMS_PER_PEER_MAX = 256
# Sessions unseen for so long are forgotten, with the answers remembered for them.
SESSION_IDLE_S = 120.0
# Events the tap keeps for one flush; beyond it they are counted and dropped.
TAP_EVENTS_MAX = 2048

# Differs from Kubernetes: beats every second and silence after five; there 10 s and 40 s.
BEAT_INTERVAL_S = 1.0
SILENT_AFTER_S = 5.0  # No beat for so long: the node is silent.
ACK_SILENCE_S = 4.0  # No ack for so long: the link gives its sockets up and connects anew.
# No welcome, or no mark, for so long: the attempt has failed. Refused connections are noticed at
# once; this is for a master busy with a thousand handshakes, where giving up early only adds more.
GREETING_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 30.0
CALL_REPEAT_S = 2.0  # An unanswered call is said again, under the same id, after so long.
GENERATION_OVERLAP_S = 3.0  # The old channels still speak while peers learn of the new ones.
BACKOFF_FIRST_S = 0.1
# Small, so that the wait stays a seventh of the time already away: a master that returns after 10 s
# is found within 2 s. Doubling would leave workers blind for as long again as the master was away.
BACKOFF_FACTOR = 1.15
BACKOFF_MAX_S = 30.0

# --- topics ---------------------------------------------------------------------------------------

NET = "net"
LIVENESS = "liveness"
TAP = "tap"
TOPIC_LENGTH_MAX = 512

# What the topic `liveness` holds, one a node; it is in no store and no API.
LIVENESS_RESOURCE = Resource("busk8s.io", "v1", "nodeliveness", "NodeLiveness", namespaced=False)


def node_topic(name: str) -> str:
    return f"node/{name}"


def kind_topic(resource_key: str) -> str:
    return f"kind/{resource_key}"


def channel(topic: str, generation: int) -> bytes:
    """The feed's prefix for `topic`. The end mark keeps `node/n1` from matching `node/n10`.

    A publisher cannot take a subscription back, so when a peer is expelled the master turns to
    another generation of channels, which that peer is not granted any more.
    """
    return b"%b\0%d\0" % (topic.encode(), generation)


def topic_of(prefix: bytes) -> tuple[str, int] | None:
    """Topic and generation that a subscription names whole; half a name is never granted."""
    parts = prefix.split(b"\0")
    if len(prefix) > TOPIC_LENGTH_MAX or len(parts) != 3 or parts[2] or not parts[1].isdigit():
        return None
    try:
        return parts[0].decode(), int(parts[1])
    except ValueError:
        return None


# --- messages -------------------------------------------------------------------------------------

PUT = 1
GONE = 0
# (PUT or GONE, resource key, namespace, name, revision, JSON bytes; empty when gone)
Entry = tuple[int, str, str, str, int, bytes]
Position = tuple[int, int]  # (epoch, seq)


class Message(BaseModel):
    """Fields a newer peer of the same version may add are ignored, never an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")
    TAG: ClassVar[str] = ""


class Hello(Message):
    """Peer -> master, first on `requests`: who speaks. Over CURVE only the key decides that."""

    TAG: ClassVar[str] = "hello"
    session: str
    component: str
    node: str = ""
    boot_id: str = ""


class Welcome(Message):
    """Master -> peer: you are known as `user`; `master` changes when the master restarted."""

    TAG: ClassVar[str] = "welcome"
    session: str
    user: str
    master: str
    generation: int
    beat_interval_s: float


class Refusal(Message):
    """Master -> peer: what `id` (call, session, topic; empty: unreadable) asked is not done."""

    TAG: ClassVar[str] = "refusal"
    id: str
    code: int
    reason: str
    message: str


class Join(Message):
    """A stranger -> master: take me in as `node`. The public key is the one CURVE has proved."""

    TAG: ClassVar[str] = "join"
    id: str
    token_id: str
    token_secret: str
    node: str
    info: bytes = b""


class Call(Message):
    """Peer -> master: one verb of the Kubernetes API. Said again under the same id if unheard."""

    TAG: ClassVar[str] = "call"
    id: str
    method: str
    path: str
    query: dict[str, tuple[str, ...]] = {}
    body: bytes = b""
    content_type: str = "application/json"
    accept: str = ""
    headers: dict[str, str] = {}


class Reply(Message):
    """Master -> peer: the answer to a call, in `parts` parts counted from 0."""

    TAG: ClassVar[str] = "reply"
    id: str
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    part: int = 0
    parts: int = 1


class Sync(Message):
    """Peer -> master: where I stand on `topic` (epoch 0 = nowhere); send what is missing."""

    TAG: ClassVar[str] = "sync"
    session: str
    topic: str
    epoch: int = 0
    seq: int = 0


class SnapshotPart(Message):
    """Master -> peer: part `part` of `parts` of all that `topic` holds at (epoch, seq)."""

    TAG: ClassVar[str] = "snapshot"
    topic: str
    epoch: int
    seq: int
    revision: int
    part: int
    parts: int
    entries: tuple[Entry, ...]


class SnapshotCredit(Message):
    """Peer -> master: part taken in, send another."""

    TAG: ClassVar[str] = "snapshot-credit"
    session: str
    topic: str


class Deltas(Message):
    """Feed, or `requests` as a repair: changes number `first`, `first + 1`, ... of `topic`."""

    TAG: ClassVar[str] = "deltas"
    topic: str
    epoch: int
    first: int
    revision: int
    entries: tuple[Entry, ...]


class Mark(Message):
    """Feed, to one subscriber: every subscription made before this one is in force."""

    TAG: ClassVar[str] = "mark"
    nonce: str


class Beat(Message):
    """Peer -> master: alive; the positions of its topics; its status when that changed."""

    TAG: ClassVar[str] = "beat"
    session: str
    number: int
    node: str = ""
    boot_id: str = ""
    positions: dict[str, Position] = {}
    status: bytes = b""


class Ack(Message):
    """Master -> peer: beat `number` is in, topics stand here. Not `known`: say hello again."""

    TAG: ClassVar[str] = "ack"
    session: str
    number: int
    known: bool
    generation: int = 0  # Of the feed's channels; a new one is to be subscribed to.
    wants_status: bool = False  # The status is not known any more: send it again.
    positions: dict[str, Position] = {}


class StreamOpen(Message):
    """Master -> worker: begin `verb`; `params` is JSON; write up to `credit`; 0: check and wait."""

    TAG: ClassVar[str] = "stream-open"
    stream: str
    verb: str
    params: bytes
    credit: int


class StreamData(Message):
    """Either way: the next bytes of a stream's `channel`; `last`: it has no more from this side."""

    TAG: ClassVar[str] = "stream-data"
    stream: str
    data: bytes
    channel: int = 0
    last: bool = False


class StreamCredit(Message):
    """Reader -> writer, either way: `credit` more may come. A worker's first: it has accepted."""

    TAG: ClassVar[str] = "stream-credit"
    stream: str
    credit: int


class StreamEnd(Message):
    """Either way: the stream is over. `error` is a Status as JSON when it failed."""

    TAG: ClassVar[str] = "stream-end"
    stream: str
    error: bytes = b""


class Tapped(Message):
    """Feed, admins only: (time, peer, direction, topic or verb, object, bytes) of what passed."""

    TAG: ClassVar[str] = "tapped"
    dropped: int
    events: tuple[tuple[float, str, str, str, str, int], ...]


MESSAGES: dict[str, type[Message]] = {
    kind.TAG: kind
    for kind in (
        Hello, Welcome, Refusal, Join, Call, Reply, Sync, SnapshotPart, SnapshotCredit, Deltas,
        Mark, Beat, Ack, StreamOpen, StreamData, StreamCredit, StreamEnd, Tapped,
    )
}  # fmt: skip


# --- bytes ----------------------------------------------------------------------------------------

_ARRAY_MAX = 262_144
_MAP_MAX = 8192
_TEXT_MAX = 65_536

M = TypeVar("M", bound=Message)


class ProtocolError(Exception):
    """The peer's bytes are not a message of this protocol. `code` is as HTTP would have it."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class VersionMismatch(ProtocolError):
    """The peer speaks another version of the protocol."""

    def __init__(self, theirs: int) -> None:
        super().__init__(
            f"protocol version {theirs} is not supported: this side speaks version {VERSION}; "
            f"run the same release of busk8s on both sides",
            code=426,
        )
        self.theirs = theirs


def encode(message: Message) -> bytes:
    """`[version, tag, {field: value}]` in msgpack; object bodies ride in it as they are."""
    packed: bytes = msgpack.packb((VERSION, message.TAG, message.__dict__))
    return packed


def decode(frame: bytes, *, limit: int = MESSAGE_BYTES_MAX) -> Message:
    """The message in `frame`. Raises ProtocolError, and nothing else, for any other bytes."""
    if len(frame) > limit:
        raise ProtocolError(f"message of {len(frame)} bytes is over the limit of {limit}", code=413)
    try:
        envelope: Any = msgpack.unpackb(
            frame,
            use_list=False,
            strict_map_key=True,
            max_str_len=_TEXT_MAX,
            max_bin_len=limit,
            max_array_len=_ARRAY_MAX,
            max_map_len=_MAP_MAX,
            max_ext_len=0,
        )
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise ProtocolError(f"not msgpack within the limits: {type(error).__name__}") from None
    if type(envelope) is not tuple or len(envelope) != 3 or type(envelope[0]) is not int:
        raise ProtocolError("not an envelope [version, tag, fields]")
    version, tag, fields = envelope
    if version != VERSION:
        raise VersionMismatch(version)
    kind = MESSAGES.get(tag) if type(tag) is str else None
    if kind is None:
        raise ProtocolError(f"unknown message {str(tag)[:40]!r}")
    if type(fields) is not dict:
        raise ProtocolError(f"{tag}: fields must be a map")
    try:
        message: Message = kind.__pydantic_validator__.validate_python(fields)
        return message
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80]
        raise ProtocolError(f"{tag}: {where}: {first['msg']}") from None


def decode_as(kind: type[M], frame: bytes, *, limit: int = MESSAGE_BYTES_MAX) -> M:
    """`decode`, where only one kind of message may come."""
    message = decode(frame, limit=limit)
    if type(message) is not kind:
        raise ProtocolError(f"expected {kind.TAG}, got {message.TAG}")
    return message

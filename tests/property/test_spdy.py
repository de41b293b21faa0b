"""SPDY/3.1: what goes in comes out, however it is cut; any bytes are events or a refusal."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.spdy import frames
from busk8s.api.spdy.frames import Data, FrameError, FrameReader, GoAway, Ignored, Ping, Reset, Syn
from busk8s.api.spdy.headers import (
    DICTIONARY,
    HEADER_BYTES_MAX,
    PAIRS_MAX,
    HeaderError,
    Packer,
    Unpacker,
)
from busk8s.api.spdy.session import (
    STREAMS_MAX,
    Event,
    Finished,
    Gone,
    Leaving,
    Opened,
    Received,
    Session,
    SpdyError,
)

ids = st.integers(0, 2**31 - 1)
names = st.text("abcdefghijklmnopqrstuvwxyz-:", min_size=1, max_size=20)
headers = st.dictionaries(names, st.text(max_size=40), max_size=8)
some_frames = st.one_of(
    st.builds(Data, ids, st.binary(max_size=200), st.booleans()),
    st.builds(
        Syn,
        st.just(frames.SYN_STREAM),
        ids,
        st.binary(max_size=80),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        Syn,
        st.sampled_from([frames.SYN_REPLY, frames.HEADERS]),
        ids,
        st.binary(max_size=80),
        st.booleans(),
    ),
    st.builds(Reset, ids, ids),
    st.builds(Ping, ids),
    st.builds(GoAway, ids, ids),
    st.builds(Ignored, st.sampled_from([frames.SETTINGS, frames.WINDOW_UPDATE, 77])),
)  # fmt: skip


def test_the_dictionary_is_that_of_the_draft() -> None:
    """A wrong byte would garble every header: streams primed with it begin with this checksum."""
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    points = sorted({0, len(data), *(c % (len(data) + 1) for c in cuts)})
    return [data[a:b] for a, b in pairwise(points)]


@given(st.lists(some_frames, max_size=8), st.lists(st.integers(0, 5_000), max_size=6))
def test_frames_survive_the_wire_however_they_are_cut(
    sent: list[frames.Frame], cuts: list[int]
) -> None:
    reader, got = FrameReader(), []
    for piece in cut(b"".join(map(frames.encode, sent)), cuts):
        got += list(reader.feed(piece))
    assert got == sent


@given(st.lists(headers, max_size=5))
def test_headers_survive_in_their_order(sent: list[dict[str, str]]) -> None:
    packer, unpacker = Packer(), Unpacker()
    assert [unpacker.unpack(packer.pack(each)) for each in sent] == sent


@given(st.lists(st.binary(max_size=400), max_size=5))
def test_any_bytes_are_events_or_a_refusal(pieces: list[bytes]) -> None:
    session = Session()
    try:
        for piece in pieces:
            list(session.receive(piece))
    except SpdyError:
        return
    assert session.streams <= STREAMS_MAX


@given(st.lists(some_frames, max_size=12))
def test_any_frames_are_events_or_a_refusal(sent: list[frames.Frame]) -> None:
    session = Session()
    try:
        for frame in sent:
            list(session.receive(frames.encode(frame)))
    except SpdyError:
        pass


class Client:
    """The other side: streams of odd numbers, headers packed in order."""

    def __init__(self) -> None:
        self.session = Session()
        self._packer, self._next = Packer(), -1

    def open(self, fin: bool = False, **headers: str) -> tuple[int, list[Event]]:
        self._next += 2
        block = self._packer.pack(headers)
        return self._next, self.say(Syn(frames.SYN_STREAM, self._next, block, fin))

    def say(self, *said: frames.Frame) -> list[Event]:
        return list(self.session.receive(b"".join(map(frames.encode, said))))

    def hears(self, data: bytes) -> list[frames.Frame]:
        return list(FrameReader().feed(data))


def test_a_stream_from_its_beginning_to_its_end() -> None:
    client = Client()
    stream, events = client.open(streamtype="stdin")
    assert events == [Opened(1, {"streamtype": "stdin"})]
    reply = client.hears(client.session.reply(stream))
    assert [type(frame) for frame in reply] == [Syn]
    assert client.say(Data(1, b"in", fin=False), Data(1, b"", fin=True)) == [
        Received(1, b"in"),
        Finished(1),
    ]
    sent = client.hears(client.session.send(1, b"out") + client.session.send(1, b"", fin=True))
    assert sent == [Data(1, b"out", fin=False), Data(1, b"", fin=True)]
    assert client.session.streams == 0
    assert client.session.send(1, b"late") == b""


def test_a_stream_that_the_peer_only_begins_may_be_finished_at_once() -> None:
    client = Client()
    assert client.open(fin=True, streamtype="error")[1] == [
        Opened(1, {"streamtype": "error"}),
        Finished(1),
    ]
    assert client.session.streams == 1  # Our half is open.
    client.session.send(1, b"{}", fin=True)
    assert client.session.streams == 0


def test_resets_from_either_side_end_a_stream() -> None:
    client = Client()
    first, _ = client.open()
    second, _ = client.open()
    assert client.say(Reset(first, frames.CANCEL)) == [Gone(first)]
    assert client.hears(client.session.reset(second)) == [Reset(second, frames.CANCEL)]
    assert client.session.streams == 0
    assert client.session.reset(second) == b""
    assert client.say(Data(second, b"late", fin=True)) == []


def test_pings_are_answered_and_answers_are_not() -> None:
    client = Client()
    assert client.say(Ping(3), Ping(2)) == []
    assert client.hears(client.session.automatic()) == [Ping(3)]
    assert client.session.automatic() == b""


def test_a_peer_that_leaves_says_so() -> None:
    assert Client().say(GoAway(0, 0)) == [Leaving()]


def test_the_next_stream_beyond_the_bound_is_refused_and_the_others_stay() -> None:
    client = Client()
    for _ in range(STREAMS_MAX):
        client.open()
    beyond, events = client.open(streamtype="data")
    assert events == []
    assert client.hears(client.session.automatic()) == [Reset(beyond, frames.REFUSED_STREAM)]
    assert client.session.streams == STREAMS_MAX


def test_a_long_write_is_cut_and_ends_once() -> None:
    client = Client()
    client.open()
    sent = client.hears(client.session.send(1, b"x" * 150_000, fin=True))
    assert [len(f.data) for f in sent if isinstance(f, Data)] == [65536, 65536, 18928]
    assert [f.fin for f in sent if isinstance(f, Data)] == [False, False, True]


def syn(stream: int, block: bytes = b"") -> bytes:
    return frames.encode(Syn(frames.SYN_STREAM, stream, block or Packer().pack({}), fin=False))


def bomb() -> bytes:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    whole = struct.pack(">I", 1) + b"\0" * (100 * HEADER_BYTES_MAX)
    return deflate.compress(whole) + deflate.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(struct.pack(">II", 0x80020001, 0), id="another version"),
        pytest.param(struct.pack(">II", 1, frames.DATA_BYTES_MAX + 1), id="a huge data frame"),
        pytest.param(struct.pack(">II", 0x80030001, 0xFFFFFF), id="a huge control frame"),
        pytest.param(struct.pack(">II", 0x80030003, 0), id="a reset of nothing"),
        pytest.param(syn(2), id="an even stream"),
        pytest.param(syn(3) + syn(1), id="a stream before the last"),
        pytest.param(syn(1, b"no zlib"), id="headers that are no zlib"),
        pytest.param(syn(1, bomb()), id="headers that blow up"),
        pytest.param(
            syn(1, Packer().pack({f"h{n}": "" for n in range(PAIRS_MAX + 1)})), id="many headers"
        ),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n" * 4, id="another protocol"),
    ],
)
def test_what_breaks_the_protocol_is_refused(data: bytes) -> None:
    session = Session()
    try:
        events = list(session.receive(data))
    except SpdyError:
        return
    assert events == []  # Bytes that may still become a frame: bounded, and nothing was done.
    assert data.startswith(b"GET")


@pytest.mark.parametrize(
    "pairs",
    [
        struct.pack(">II", 1, 9) + b"a",
        struct.pack(">I", 1),
        struct.pack(">III", 1, 1, 0)[:-4] + b"a" + struct.pack(">I", 0) + b"more",
        struct.pack(">I", 2) + (struct.pack(">I", 1) + b"a" + struct.pack(">I", 0)) * 2,
    ],
    ids=["too short", "none", "too long", "twice"],
)
def test_headers_of_another_form_are_refused(pairs: bytes) -> None:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    block = deflate.compress(pairs) + deflate.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(HeaderError):
        Unpacker().unpack(block)


def test_a_frame_that_is_too_long_is_refused_before_it_is_held() -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(struct.pack(">II", 1, 0xFFFFFF)))

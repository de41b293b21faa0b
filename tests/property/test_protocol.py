"""Laws of the wire: what is encoded decodes to itself, and nothing else hurts."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s import protocol
from busk8s.protocol import MESSAGES, Message, ProtocolError, VersionMismatch, decode, encode

NAME = st.text(max_size=20)
NUMBER = st.integers(0, 2**62)
ENTRY = st.tuples(st.sampled_from((0, 1)), NAME, NAME, NAME, NUMBER, st.binary(max_size=50))
POSITIONS = st.dictionaries(NAME, st.tuples(NUMBER, NUMBER), max_size=4)

BY_ANNOTATION = {
    "str": NAME,
    "int": NUMBER,
    "float": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=60),
    "dict[str, Position]": POSITIONS,
    "dict[str, tuple[str, ...]]": st.dictionaries(NAME, st.lists(NAME).map(tuple), max_size=3),
    "dict[str, str]": st.dictionaries(NAME, NAME, max_size=3),
    "tuple[tuple[str, str], ...]": st.lists(st.tuples(NAME, NAME), max_size=3).map(tuple),
    "tuple[Entry, ...]": st.lists(ENTRY, max_size=4).map(tuple),
    "tuple[tuple[float, str, str, str, str, int], ...]": st.lists(
        st.tuples(st.floats(allow_nan=False), NAME, NAME, NAME, NAME, NUMBER), max_size=3
    ).map(tuple),
}


def messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    fields = {
        name: BY_ANNOTATION[annotation]
        for name, annotation in kind.__annotations__.items()
        if name != "TAG"
    }
    return st.builds(kind, **fields)


@given(st.one_of([messages(kind) for kind in MESSAGES.values()]))
def test_every_message_decodes_to_itself(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=400))
def test_any_bytes_give_a_message_or_the_protocol_error(frame: bytes) -> None:
    try:
        assert isinstance(decode(frame), Message)
    except ProtocolError:
        pass


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | NAME | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAME, inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(MESSAGES)), st.dictionaries(NAME, NESTED, max_size=5), st.data())
def test_any_fields_in_an_envelope_give_a_message_or_the_protocol_error(
    tag: str, fields: dict[str, object], data: st.DataObject
) -> None:
    for name in MESSAGES[tag].model_fields:
        if data.draw(st.booleans()):
            fields[name] = data.draw(NESTED)
    try:
        assert tag == decode(msgpack.packb([protocol.VERSION, tag, fields])).TAG
    except ProtocolError:
        pass


@given(messages(protocol.Deltas), st.integers(0), st.integers(0, 255))
def test_a_flipped_byte_gives_a_message_or_the_protocol_error(
    message: Message, at: int, value: int
) -> None:
    frame = bytearray(encode(message))
    frame[at % len(frame)] = value
    try:
        decode(bytes(frame))
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"\x93" * 100_000, 400, id="arrays in arrays without end"),
        pytest.param(b"\xdd\xff\xff\xff\xff", 400, id="an array that claims four billion members"),
        pytest.param(b"\xc6\xff\xff\xff\xff", 400, id="bytes that claim four gigabytes"),
        pytest.param(msgpack.packb([1, "beat", {1: 2}]), 400, id="keys that are not text"),
        pytest.param(msgpack.packb([1, "dance", {}]), 400, id="an unknown message"),
        pytest.param(msgpack.packb([1, "beat", []]), 400, id="fields that are no map"),
        pytest.param(msgpack.packb([1, "ack", {}]), 400, id="missing fields"),
        pytest.param(b"\x00" * (protocol.MESSAGE_BYTES_MAX + 1), 413, id="over the limit"),
        pytest.param(msgpack.packb([0, "hello", {}]), 426, id="an older version"),
        pytest.param(msgpack.packb([2, "hello", {}]), 426, id="a newer version"),
    ],
)
def test_what_is_wrong_is_said(frame: bytes, code: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(frame)
    assert caught.value.code == code


def test_another_version_names_both_and_the_way_out() -> None:
    with pytest.raises(VersionMismatch, match=r"version 7 .* version 1; run the same release"):
        decode(msgpack.packb([7, "hello", {}]))


@pytest.mark.parametrize(
    ("prefix", "topic"),
    [
        pytest.param(b"node/n1\x003\0", ("node/n1", 3), id="a whole name"),
        pytest.param(b"node/n1\0", None, id="no generation"),
        pytest.param(b"node/n1\0-1\0", None, id="no number"),
        pytest.param(b"node/n1\0\xb2\0", None, id="a digit of another script"),
        pytest.param(b"node/n1\x001\0x", None, id="more after the end"),
        pytest.param(b"node/n1", None, id="half a name"),
        pytest.param(b"", None, id="everything"),
        pytest.param(b"\xff\x001\0", None, id="not text"),
        pytest.param(b"x" * 600 + b"\x001\0", None, id="too long"),
    ],
)
def test_only_whole_topics_can_be_subscribed(prefix: bytes, topic: tuple[str, int] | None) -> None:
    assert protocol.topic_of(prefix) == topic

"""Forwarded connections over SPDY: whichever side ends first, both are let go."""

from __future__ import annotations

from busk8s.api.spdy import frames
from busk8s.api.spdy.frames import Data, FrameReader, Reset, Syn
from busk8s.api.spdy.headers import Packer
from busk8s.master.apiserver.streaming.ports import Asked, ChannelPorts, Dropped, Ended, SpdyPorts

ERROR, DATA = 1, 3


def asked() -> SpdyPorts:
    """A connection as kubectl asks for it: its error stream, closed at once, then its data."""
    ports, packer = SpdyPorts(), Packer()
    said = b""
    for stream, kind in ((ERROR, "error"), (DATA, "data")):
        headers = {"streamtype": kind, "port": "80", "requestid": "0"}
        said += frames.encode(Syn(frames.SYN_STREAM, stream, packer.pack(headers), fin=False))
    said += frames.encode(Data(ERROR, b"", fin=True))
    assert list(ports.receive(said)) == [Asked(DATA, 80)]
    ports.unsent()
    return ports


def sent(ports: SpdyPorts) -> list[frames.Frame]:
    return list(FrameReader().feed(ports.unsent()))


def test_a_client_that_resets_after_the_pod_has_ended_is_heard() -> None:
    """Found by 263 connections in a row: what it said was passed over, and nothing was freed."""
    ports = asked()
    ports.send(DATA, b"answer")
    ports.end(DATA)
    assert sent(ports) == [
        Data(DATA, b"answer", fin=False),
        Data(ERROR, b"", fin=True),
        Data(DATA, b"", fin=True),
    ]
    assert list(ports.receive(frames.encode(Reset(DATA, frames.CANCEL)))) == [Dropped(DATA)]
    assert sent(ports) == []
    assert not ports._by_data
    assert not ports._pairs
    assert ports._session.streams == 0


def test_a_client_that_only_ends_after_the_pod_is_heard_as_well() -> None:
    ports = asked()
    ports.end(DATA)
    assert list(ports.receive(frames.encode(Data(DATA, b"", fin=True)))) == [Ended(DATA)]
    ports.end(DATA)  # Said once more when both halves are done.
    assert not ports._by_data
    assert ports._session.streams == 0


def test_a_client_that_resets_first_is_told_the_end_of_its_error_stream() -> None:
    ports = asked()
    assert list(ports.receive(frames.encode(Reset(DATA, frames.CANCEL)))) == [Dropped(DATA)]
    assert sent(ports) == [Data(ERROR, b"", fin=True)]
    assert ports._session.streams == 0


def test_a_failure_is_said_and_the_stream_reset() -> None:
    ports = asked()
    ports.end(DATA, "nobody listens")
    assert sent(ports) == [Data(ERROR, b"nobody listens", fin=True), Reset(DATA, frames.CANCEL)]
    assert ports._session.streams == 0


def test_channels_are_closed_with_the_last_port() -> None:
    ports = ChannelPorts("v4.channel.k8s.io", (80, 81))
    ports.end(0)
    assert not ports._socket.closed
    ports.end(0)
    ports.end(1)
    assert ports._socket.closed

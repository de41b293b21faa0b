"""Frames of SPDY/3: bytes to frames and back.

Owns      the form of every frame that is used after an upgrade, and how large one may be.
Leaves    header blocks, which stay packed here (headers), the order of frames (session).
Invariant any bytes give frames, wait for more, or raise FrameError; what was read is never kept.
Source    draft-mbelshe-httpbis-spdy-00, section 2; SPDY/3.1 changes windows only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

VERSION = 3
CONTROL_BYTES_MAX = 64 * 1024
DATA_BYTES_MAX = 1024 * 1024  # Go's clients write 32 KiB at once.
FIN, UNIDIRECTIONAL = 0x01, 0x02
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = (
    1, 2, 3, 4, 6, 7, 8, 9,
)  # fmt: skip
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL, INTERNAL_ERROR = 1, 2, 3, 5, 6

_HEAD = struct.Struct(">II")  # A control bit, version and type, or a stream; then flags and length.
_U32, _U32_2 = struct.Struct(">I"), struct.Struct(">II")
_SYN = struct.Struct(">IIH")
_CONTROL = 0x80000000
_LENGTH = 0xFFFFFF
_ID = 0x7FFFFFFF


class FrameError(ValueError):
    """The peer does not speak SPDY/3, or says too much at once."""


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    fin: bool


@dataclass(frozen=True, slots=True)
class Syn:
    """SYN_STREAM, SYN_REPLY and HEADERS; `block` is packed."""

    type: int
    stream: int
    block: bytes
    fin: bool
    unidirectional: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Ping:
    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """SETTINGS, WINDOW_UPDATE, and types that are not known: nothing follows from them here."""

    type: int


Frame = Data | Syn | Reset | Ping | GoAway | Ignored


class FrameReader:
    """Takes bytes as they come; gives whole frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._held += data
        at = 0
        try:
            while len(self._held) - at >= _HEAD.size:
                first, second = _HEAD.unpack_from(self._held, at)
                length = second & _LENGTH
                _check(first, length)
                end = at + _HEAD.size + length
                if end > len(self._held):
                    break
                body = bytes(memoryview(self._held)[at + _HEAD.size : end])
                at = end
                yield _frame(first, second >> 24, body)
        finally:
            del self._held[:at]


def _check(first: int, length: int) -> None:
    if not first & _CONTROL:
        if length > DATA_BYTES_MAX:
            raise FrameError(f"a data frame of {length} bytes")
    elif first >> 16 & 0x7FFF != VERSION:
        raise FrameError(f"SPDY version {first >> 16 & 0x7FFF}")
    elif length > CONTROL_BYTES_MAX:
        raise FrameError(f"a control frame of {length} bytes")


def _frame(first: int, flags: int, body: bytes) -> Frame:
    if not first & _CONTROL:
        return Data(first & _ID, body, bool(flags & FIN))
    kind = first & 0xFFFF
    try:
        return _control(kind, flags, body)
    except struct.error:
        raise FrameError(f"a control frame of type {kind} that is too short") from None


def _control(kind: int, flags: int, body: bytes) -> Frame:
    fin = bool(flags & FIN)
    if kind == SYN_STREAM:
        stream, _, _ = _SYN.unpack_from(body)
        return Syn(kind, stream & _ID, body[_SYN.size :], fin, bool(flags & UNIDIRECTIONAL))
    if kind in (SYN_REPLY, HEADERS):
        (stream,) = _U32.unpack_from(body)
        return Syn(kind, stream & _ID, body[_U32.size :], fin)
    if kind == RST_STREAM:
        stream, status = _U32_2.unpack_from(body)
        return Reset(stream & _ID, status)
    if kind == PING:
        return Ping(_U32.unpack_from(body)[0])
    if kind == GOAWAY:
        last, status = _U32_2.unpack_from(body)
        return GoAway(last & _ID, status)
    return Ignored(kind)


# --- the other way --------------------------------------------------------------------------------


def _encoded(kind: int, flags: int, body: bytes) -> bytes:
    return _HEAD.pack(_CONTROL | VERSION << 16 | kind, flags << 24 | len(body)) + body


def encode(frame: Frame) -> bytes:
    match frame:
        case Data(stream, data, fin):
            return _HEAD.pack(stream, (FIN if fin else 0) << 24 | len(data)) + data
        case Syn(kind, stream, block, fin, unidirectional):
            flags = (FIN if fin else 0) | (UNIDIRECTIONAL if unidirectional else 0)
            head = _SYN.pack(stream, 0, 0) if kind == SYN_STREAM else _U32.pack(stream)
            return _encoded(kind, flags, head + block)
        case Reset(stream, status):
            return _encoded(RST_STREAM, 0, _U32_2.pack(stream, status))
        case Ping(number):
            return _encoded(PING, 0, _U32.pack(number))
        case GoAway(last, status):
            return _encoded(GOAWAY, 0, _U32_2.pack(last, status))
    return _encoded(frame.type, 0, b"")

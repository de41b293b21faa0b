"""Messages written by hand: those of OpenAPI documents, which are bytes as soon as they are made.

Owns      varints, blocks, texts, maps as lists of named values, extensions.
Leaves    which field has which number (openapi_wire, openapi_wire3).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

Json = Mapping[str, Any]


def extensions(number: int, node: Json) -> bytes:
    """Every `x-` field as YAML; JSON is YAML."""
    return b"".join(
        block(number, text(1, key) + block(2, block(2, orjson.dumps(node[key]))))
        for key in sorted(node)
        if key.startswith("x-")
    )


def named(number: int, nodes: Mapping[str, Any], encode_one: Callable[[Any], bytes]) -> bytes:
    """A map: one entry of name and value for each key, in order."""
    return b"".join(
        block(number, text(1, key) + block(2, encode_one(nodes[key]))) for key in sorted(nodes)
    )


def block(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def text(number: int, said: str) -> bytes:
    return block(number, said.encode()) if said else b""


def texts(number: int, said: Iterable[str]) -> bytes:
    return b"".join(block(number, each.encode()) for each in said)


def flag(number: int, value: bool) -> bytes:
    return varint(number << 3) + b"\x01" if value else b""


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def whole(number: int, value: int) -> bytes:
    """An int64; zero is said, too: it is a bound."""
    return varint(number << 3) + varint(value & (1 << 64) - 1)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)

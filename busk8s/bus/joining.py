"""How a stranger becomes a node, from its side: the URL it was given, the one question it asks.

Owns      `busk8s://<id>.<secret>@host:port/<server key>`, and asking to be taken in.
Leaves    deciding (apiserver/join), where the key pair is kept (security).
Invariant the URL alone is enough, and nothing in it needs quoting in a shell or a URL.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from busk8s.api.request import Response
from busk8s.bus.wire import Connection
from busk8s.bus.z85 import z85_decode, z85_encode
from busk8s.errors import Error, bad_request, timeout
from busk8s.protocol import (
    FRAME_BYTES_MAX,
    Join,
    ProtocolError,
    Refusal,
    Reply,
    decode,
    encode,
)

SCHEME = "busk8s"
DEFAULT_PORT = 6441
TOKEN = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}")  # As upstream's bootstrap tokens.
JOIN_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a join URL says. `server_key` is z85, as CURVE wants it."""

    token_id: str
    token_secret: str
    host: str
    port: int
    server_key: str

    def render(self) -> str:
        key = z85_decode(self.server_key).hex()
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}://{self.token_id}.{self.token_secret}@{host}:{self.port}/{key}"

    def __repr__(self) -> str:
        return f"<Invitation {self.token_id} to {self.host}:{self.port}>"


def parse_invitation(text: str) -> Invitation:
    """The invitation in a join URL. Raises Error (400) that names the part that is wrong."""
    form = "busk8s://<id>.<secret>@<host>:<port>/<server key>"
    try:
        url = urlsplit(text.strip())
        host, port = url.hostname, url.port
    except ValueError as error:
        raise bad_request(f"join URL is malformed: {error}; it looks like {form}") from None
    if url.scheme != SCHEME:
        raise bad_request(f"join URL must begin with {SCHEME}://; it looks like {form}")
    if not host:
        raise bad_request(f"join URL names no host; it looks like {form}")
    token = url.username or ""
    if not TOKEN.fullmatch(token):
        raise bad_request(
            "join URL: the token must be 6 and 16 characters of a-z0-9 with a dot between"
        )
    key = _server_key(url.path.removeprefix("/"))
    token_id, _, secret = token.partition(".")
    return Invitation(token_id, secret, host, DEFAULT_PORT if port is None else port, key)


def _server_key(text: str) -> str:
    """The key in hex as `render` writes it, or in z85 as other tools may."""
    try:
        raw = bytes.fromhex(text) if len(text) == 64 else z85_decode(text)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise bad_request("join URL: the server key must be 64 hexadecimal digits")
    return z85_encode(raw)


async def join(
    connection: Connection, message: Join, *, timeout_s: float = JOIN_TIMEOUT_S
) -> Response:
    """Ask once and wait. Raises Error: as the master refuses, or when it cannot be reached."""
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def take(frame: bytes) -> None:
        try:
            reply = decode(frame, limit=FRAME_BYTES_MAX)
        except ProtocolError as error:
            fail(Error(error.code, "BadMessage", error.message))
            return
        if isinstance(reply, Refusal):
            fail(Error(reply.code, reply.reason, reply.message))
        elif isinstance(reply, Reply) and not answer.done():
            answer.set_result(Response(reply.status, reply.body, headers=reply.headers))

    def fail(error: Error) -> None:
        if not answer.done():
            answer.set_exception(error)

    def lost(why: str) -> None:
        fail(Error(503, "ServiceUnavailable", f"cannot reach the master: {why}"))

    connection.start(take, lambda _: None, lambda _: None, lost)
    try:
        connection.request(encode(message))
        async with asyncio.timeout(timeout_s):
            return await answer
    except TimeoutError:
        raise timeout(f"no answer from the master within {timeout_s:g} s") from None
    finally:
        answer.cancel()
        connection.close()

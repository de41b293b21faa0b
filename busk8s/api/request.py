"""A request to the API server and its answer, free of HTTP and ZeroMQ.

Both faces (apiserver/http, apiserver/bus) and the direct client make a `Request` and hand it to
`dispatch(Request) -> Response`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks, as authentication established it (authentication.k8s.io/v1 UserInfo)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Who acts as this user, when it is impersonated.
    real: User | None = field(default=None, compare=False)


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(slots=True)
class Request:
    """`path` is percent-decoded and has no query; `query` keeps every value of each name in order.

    `headers` holds the few that mean something to the API, names in lower case.
    """

    method: str
    path: str
    user: User = ANONYMOUS
    query: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = JSON
    accept: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    # Of requests that are passed on: the target as it was sent, all header lines, and whether the
    # connection is to become another protocol's.
    target: bytes = b""
    lines: Sequence[tuple[str, str]] = ()
    upgrade: bool = False
    source: str = ""  # The address it came from; "" = over the bus.
    notes: dict[str, str] = field(default_factory=dict)  # Admission's, for the audit log.

    def param(self, name: str, default: str = "") -> str:
        """The first value of query parameter `name`."""
        values = self.query.get(name)
        return values[0] if values else default


class Duplex(Protocol):
    """The client's end of a connection that has become another protocol's."""

    async def read(self) -> bytes:
        """What has come; b"" when no more will."""
        ...

    async def write(self, data: bytes) -> None: ...


@dataclass(slots=True)
class Response:
    """Either a whole `body`, or a `stream` of chunks that ends when the server has no more.

    `upgrade` takes over the connection after a 101; with None it gives up what it holds.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncIterator[bytes] | None = None
    held: object = None  # What the answer holds on to until it is written.
    upgrade: Callable[[Duplex | None], Awaitable[None]] | None = None

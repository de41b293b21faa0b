"""The seam between the bus and what carries its frames: ZeroMQ, or a simulated network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Route = bytes  # Where an answer goes: names one connection of one ROUTER, never an identity.

# (route, key proved by CURVE or "" on ipc, frame; an empty frame = not one message)
RequestEnd = Callable[[Route, str, bytes], None]
# (key, channel, True = subscribes) -> granted
FeedEnd = Callable[[str, bytes, bool], bool]
PeerEnd = Callable[[bytes], None]
Loss = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of the three sockets, as ZeroMQ writes them."""

    requests: str
    feed: str
    heartbeats: str


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """A CURVE key pair in z85. Has no repr: it holds a secret."""

    public: str
    secret: str


class Server(Protocol):
    """The master's side."""

    @property
    def endpoints(self) -> Endpoints: ...

    def start(self, requests: RequestEnd, feed: FeedEnd, heartbeats: RequestEnd) -> None: ...

    def reply(self, route: Route, frame: bytes) -> bool:
        """False: the peer is gone or its queue is full, and the frame is dropped."""
        ...

    def ack(self, route: Route, frame: bytes) -> bool: ...

    def publish(self, channel: bytes, frame: bytes) -> None: ...

    def close(self) -> None: ...


class Connection(Protocol):
    """A peer's side: one attempt; a new one is made for the next."""

    def start(self, requests: PeerEnd, feed: PeerEnd, acks: PeerEnd, on_loss: Loss) -> None: ...

    def request(self, frame: bytes) -> bool: ...

    def beat(self, frame: bytes) -> bool: ...

    def subscribe(self, channel: bytes) -> None: ...

    def unsubscribe(self, channel: bytes) -> None: ...

    def close(self) -> None: ...

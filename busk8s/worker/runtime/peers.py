"""The supervisor's unix socket: framed JSON to and from its clients.

Owns      framing, its limits, and who may connect (the same user or root).
Leaves    what the messages mean (`on_request`).
Wire      4 bytes length, big endian, then one JSON object. Requests carry `id` and get one reply
          with that `id`; everything else the supervisor sends is a change of its table. Descriptors
          may ride along either way (SCM_RIGHTS), on connections that serve one stream each.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from busk8s.worker.runtime.reactor import READ, WRITE, Reactor

if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

HEAD = struct.Struct("!I")
FRAME_BYTES_MAX = 8 << 20  # above the kernel's own limit for arguments and environment
PEERS_MAX = 264  # a kubelet, its successor, somebody looking; and one for each of 256 streams
DESCRIPTORS_MAX = 3  # of one peer that wait to be asked for: standard input, output, error
BACKLOG_BYTES_MAX = 32 << 20  # a client that reads this late is cut off; it resumes by a snapshot


def frame(message: Json) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    return HEAD.pack(len(body)) + body


class Peer:
    """One client."""

    def __init__(self, link: socket.socket, reactor: Reactor, peers: Peers) -> None:
        self._link = link
        self._reactor = reactor
        self._peers = peers
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._descriptors: list[int] = []
        self.subscribed = False
        self.on_gone: Callable[[], None] = lambda: None
        link.setblocking(False)
        reactor.watch(link.fileno(), self._ready)

    def send(self, data: bytes) -> None:
        if self._link.fileno() < 0:
            return
        waiting = bool(self._outbox)
        self._outbox += data
        if not waiting:
            self._flush()
        if len(self._outbox) > BACKLOG_BYTES_MAX:
            self.close()

    def send_with(self, data: bytes, descriptors: list[int]) -> None:
        """The first answer on this connection, with copies of `descriptors`."""
        try:
            socket.send_fds(self._link, [data], descriptors)
        except OSError:
            self.close()

    def take_descriptors(self, count: int) -> list[int]:
        """What came with the request; whoever takes them closes them."""
        if len(self._descriptors) != count:
            raise ValueError(f"{len(self._descriptors)} descriptors came, {count} are needed")
        taken, self._descriptors = self._descriptors, []
        return taken

    @property
    def link(self) -> socket.socket:
        """For a child that answers in our place."""
        return self._link

    def close(self) -> None:
        if self._link.fileno() >= 0:
            self._reactor.forget(self._link.fileno())
            self._link.close()
            for descriptor in self._descriptors:
                os.close(descriptor)
            self._peers.gone(self)
            self.on_gone()

    def _ready(self, fd: int) -> None:
        self._flush()
        try:
            data = self._receive() if self._link.fileno() >= 0 else b""
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._inbox += data
        self._parse()

    def _receive(self) -> bytes:
        flags = socket.MSG_CMSG_CLOEXEC
        data, descriptors, _, _ = socket.recv_fds(self._link, 1 << 18, DESCRIPTORS_MAX, flags)
        self._descriptors += descriptors
        while len(self._descriptors) > DESCRIPTORS_MAX:
            os.close(self._descriptors.pop())
        return data

    def _parse(self) -> None:
        while len(self._inbox) >= HEAD.size and self._link.fileno() >= 0:
            (size,) = HEAD.unpack_from(self._inbox)
            if size > FRAME_BYTES_MAX:
                self.close()
                return
            if len(self._inbox) < HEAD.size + size:
                return
            body = bytes(self._inbox[HEAD.size : HEAD.size + size])
            del self._inbox[: HEAD.size + size]
            try:
                request = json.loads(body)
            except ValueError:
                request = None
            if not isinstance(request, dict):
                self.close()
                return
            self._peers.on_request(self, request)

    def _flush(self) -> None:
        try:
            while self._outbox:
                del self._outbox[: self._link.send(self._outbox)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._link.fileno() >= 0:
            self._reactor.change(self._link.fileno(), READ | WRITE if self._outbox else READ)


class Peers:
    """Listens, and sends changes to all who subscribed."""

    def __init__(
        self,
        directory_fd: int,
        name: str,
        reactor: Reactor,
        on_request: Callable[[Peer, Json], None],
    ) -> None:
        self._reactor = reactor
        self._all: list[Peer] = []
        self.on_request = on_request
        # By /proc/self/fd: the path of a socket is limited to 107 bytes, data directories are not.
        path = f"/proc/self/fd/{directory_fd}/{name}"
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        mask = os.umask(0o077)
        self._listener.bind(path)
        os.umask(mask)
        self._listener.listen(PEERS_MAX)
        self._listener.setblocking(False)
        reactor.watch(self._listener.fileno(), self._accept)

    def broadcast(self, message: Json) -> None:
        listeners = [peer for peer in self._all if peer.subscribed]
        if listeners:
            data = frame(message)
            for peer in listeners:
                peer.send(data)

    def gone(self, peer: Peer) -> None:
        self._all.remove(peer)

    def _accept(self, fd: int) -> None:
        try:
            link, _ = self._listener.accept()
        except BlockingIOError:
            return
        if len(self._all) >= PEERS_MAX or _uid_of(link) not in (0, os.getuid()):
            link.close()
            return
        self._all.append(Peer(link, self._reactor, self))


def _uid_of(link: socket.socket) -> int:
    credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("iII", credentials)[1])

"""Forwarded connections, each joined with one to the pod.

Owns      a task a connection, what of the client waits for a slow one.
Leaves    protocols (ports), the way into the pod (bus streams, kubelet).
Invariant at most UNSENT_BYTES_MAX of a connection wait; beyond it the client is not read, which
          holds its other connections too, as upstream's protocol has no credit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from busk8s.api.request import Duplex
from busk8s.bus.streams import Stream, StreamOver
from busk8s.errors import Error
from busk8s.log import Logger
from busk8s.master.apiserver.streaming.commands import ClientBroken
from busk8s.master.apiserver.streaming.ports import Asked, Came, Dropped, Ended, Event, Key, Ports
from busk8s.tasks import Nursery, together

UNSENT_BYTES_MAX = 256 * 1024
CONNECTIONS_MAX = 256  # Of one client; the next is told so.

log = Logger("busk8s.apiserver")


class _Forward:
    """What the client sent on one connection and the pod has not taken."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def put(self, data: bytes) -> None:
        while self._size > UNSENT_BYTES_MAX and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._ended:
            self._pieces.append(data)
            self._size += len(data)
            self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def get(self) -> bytes:
        """b"" at the end."""
        while not self._pieces and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._pieces:
            return b""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._changed.set()
        return data


class Forwarding:
    """`connect` opens a stream to a port of the pod, which `whose` names for people."""

    def __init__(
        self, client: Duplex, ports: Ports, connect: Callable[[int], Stream], whose: str
    ) -> None:
        self._client, self._ports, self._connect, self._whose = client, ports, connect, whose
        self._open: dict[Key, _Forward] = {}
        self._nursery = Nursery(on_error=_report)

    async def run(self) -> None:
        """Until the client leaves."""
        try:
            for event in self._ports.begin():
                await self._take(event)
            await self._flush()
            while data := await self._client.read():
                for event in self._ports.receive(data):
                    await self._take(event)
                await self._flush()
        except (ClientBroken, OSError):
            return
        finally:
            await self._nursery.close()

    async def _take(self, event: Event) -> None:
        match event:
            case Asked(key, port):
                if len(self._open) >= CONNECTIONS_MAX:
                    self._ports.end(key, f"more than {CONNECTIONS_MAX} connections")
                    return
                one = self._open[key] = _Forward()
                one.task = self._nursery.spawn(self._forward(key, port, one), name="forward")
            case Came(key, data) if key in self._open:
                await self._open[key].put(data)
            case Ended(key) if key in self._open:
                self._open[key].end()
            case Dropped(key) if key in self._open:
                task = self._open[key].task
                assert task is not None
                task.cancel()

    async def _forward(self, key: Key, port: int, one: _Forward) -> None:
        failure = ""
        try:
            stream = self._connect(port)
            try:
                await stream.granted()
                await together(_up(one, stream), self._down(key, stream))
            finally:
                await stream.aclose()
        except Error as error:
            failure = f"error forwarding port {port} to pod {self._whose}: {error.message}"
        except (StreamOver, OSError):
            pass
        finally:
            one.end()
            self._open.pop(key, None)
        self._ports.end(key, failure)
        await self._flush()

    async def _down(self, key: Key, stream: Stream) -> None:
        while (piece := await stream.read()) is not None:
            if piece.data:
                self._ports.send(key, piece.data)
                await self._flush()
            if piece.last:
                break
        self._ports.end(key)
        await self._flush()

    async def _flush(self) -> None:
        if due := self._ports.unsent():
            await self._client.write(due)


async def _up(one: _Forward, stream: Stream) -> None:
    while data := await one.get():
        await stream.write(data)
    await stream.write(b"", last=True)


def _report(name: str, error: BaseException) -> None:
    if not isinstance(error, OSError):
        log.error("a forwarded connection failed", task=name, error=error)

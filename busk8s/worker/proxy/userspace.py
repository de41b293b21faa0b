"""Services without root: a TCP proxy in this process, on loopback.

Owns      listeners for node ports on 127.0.0.1, and for cluster IPs that lie in 127.0.0.0/8 (a
          cluster without root chooses its service range there, as any such address can be bound).
Leaves    which ports and endpoints there are (ports.py).
Limits    CONNECTIONS_MAX at once; beyond it new connections are closed. Each direction holds at
          most one buffer; a slow reader slows its writer.

Differs from Kubernetes: UDP services, and addresses outside 127.0.0.0/8, are not served without
root; each is named once in the log. Session affinity has no meaning: all clients are this host.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from busk8s.log import Logger
from busk8s.tasks import Nursery
from busk8s.worker.proxy.ports import Endpoint, ServicePort

CONNECTIONS_MAX = 1024
BUFFER_BYTES = 1 << 16
CONNECT_TIMEOUT_S = 5.0
log = Logger(__name__)

Address = tuple[str, int]
Endpoints = tuple[Endpoint, ...]


def listeners(
    ports: Iterable[ServicePort],
) -> tuple[dict[Address, Endpoints], list[str]]:
    """What to listen on and where each leads; and what cannot be served, in words. Pure."""
    wanted: dict[Address, Endpoints] = {}
    refused: list[str] = []
    for port in ports:
        if port.protocol != "tcp":
            refused.append(f"{port.key}: only TCP is served without root")
            continue
        if port.node_port:
            wanted.setdefault(("127.0.0.1", port.node_port), port.external)
        for ip in (*port.cluster_ips, *port.external_ips):
            if ip.startswith("127."):
                wanted.setdefault((ip, port.port), port.internal)
            else:
                refused.append(f"{port.key}: {ip} cannot be served without root")
    return wanted, refused


class UserspaceProxy:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._servers: dict[Address, asyncio.Server] = {}
        self._endpoints: dict[Address, Endpoints] = {}
        self._connections = Nursery(on_error=self._failed)
        self.problems: dict[str, None] = {}

    async def apply(self, ports: Iterable[ServicePort]) -> None:
        wanted, refused = listeners(ports)
        for address in [a for a in self._servers if a not in wanted]:
            self._servers.pop(address).close()
        self._endpoints = wanted
        problems = dict.fromkeys(refused)
        for address in wanted:
            if address not in self._servers:
                await self._listen(address, problems)
        for text in problems:
            if text not in self.problems:
                log.warning("not served", why=text)
        self.problems = problems

    async def close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        await self._connections.close()

    async def _listen(self, address: Address, problems: dict[str, None]) -> None:
        host, port = address

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._connections) >= CONNECTIONS_MAX:
                writer.close()
            else:
                self._connections.spawn(self._serve(address, reader, writer))

        try:
            self._servers[address] = await asyncio.start_server(
                accepted, host, port, limit=BUFFER_BYTES
            )
        except OSError as error:
            problems[f"{host}:{port}: {error.strerror}"] = None

    async def _serve(
        self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            back = await self._connect(address)
            if back is None:
                return
            try:
                async with asyncio.TaskGroup() as directions:
                    directions.create_task(_copy(reader, back[1]))
                    directions.create_task(_copy(back[0], writer))
            finally:
                back[1].close()
        except* (OSError, asyncio.IncompleteReadError):
            pass  # either end went away: so does the other
        finally:
            writer.close()

    async def _connect(
        self, address: Address
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Try the endpoints in random order, as long as they refuse."""
        endpoints = list(self._endpoints.get(address, ()))
        self._rng.shuffle(endpoints)
        for one in endpoints:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    return await asyncio.open_connection(one.ip, one.port, limit=BUFFER_BYTES)
            except (OSError, TimeoutError):
                continue
        return None

    def _failed(self, name: str, error: BaseException) -> None:
        log.error("a proxied connection failed", error=error)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(BUFFER_BYTES):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()

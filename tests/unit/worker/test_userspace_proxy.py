"""The proxy without root, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from busk8s.worker.proxy.ports import Endpoint, ServicePort
from busk8s.worker.proxy.userspace import UserspaceProxy

pytestmark = pytest.mark.realtime


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port(listen: int, *endpoints: Endpoint) -> ServicePort:
    return ServicePort(
        "default", "web", "", "tcp", listen, cluster_ips=("127.96.7.7",), node_port=listen,
        internal=endpoints, external=endpoints, all=endpoints,
    )  # fmt: skip


@asynccontextmanager
async def echo(name: str) -> AsyncIterator[Endpoint]:
    """Answers with its name and everything it is sent, once that has ended."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(-1)
        writer.write(name.encode() + data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])


@asynccontextmanager
async def proxy(*ports: ServicePort) -> AsyncIterator[UserspaceProxy]:
    one = UserspaceProxy(random.Random(1))
    await one.apply(ports)
    try:
        yield one
    finally:
        await one.close()


async def call(ip: str, number: int, data: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection(ip, number)
    writer.write(data)
    writer.write_eof()
    heard = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return heard


async def test_node_ports_and_loopback_cluster_ips_lead_to_the_endpoints() -> None:
    async with echo("a") as a, echo("b") as b:
        listen = free_port()
        async with proxy(port(listen, a, b)):
            heard = {await call("127.0.0.1", listen) for _ in range(20)}
            assert heard == {b"a", b"b"}
            assert await call("127.96.7.7", listen) in heard


async def test_megabytes_pass_unchanged_in_both_directions() -> None:
    data = random.Random(1).randbytes(3 << 20)
    async with echo("a") as a:
        listen = free_port()
        async with proxy(port(listen, a)):
            assert await call("127.0.0.1", listen, data) == b"a" + data


async def test_an_endpoint_that_refuses_is_passed_over() -> None:
    async with echo("a") as a:
        listen = free_port()
        async with proxy(port(listen, Endpoint("127.0.0.1", free_port()), a)):
            assert {await call("127.0.0.1", listen) for _ in range(10)} == {b"a"}


async def test_endpoints_change_under_a_listener_and_listeners_go_with_their_service() -> None:
    async with echo("a") as a, echo("b") as b:
        listen = free_port()
        async with proxy(port(listen, a)) as one:
            await one.apply([port(listen, b)])
            assert await call("127.0.0.1", listen) == b"b"
            await one.apply([port(listen)])
            assert await call("127.0.0.1", listen) == b""
            await one.apply([])
            with pytest.raises(ConnectionRefusedError):
                await call("127.0.0.1", listen)


async def test_a_port_that_is_taken_is_named_and_harms_no_other() -> None:
    async with echo("a") as a, echo("b") as b:
        listen = free_port()
        taken: Any = ServicePort(
            "default", "taken", "", "tcp", 1, cluster_ips=("127.96.7.8",), node_port=b.port,
            internal=(a,), external=(a,), all=(a,),
        )  # fmt: skip
        async with proxy(taken, port(listen, a)) as one:
            assert await call("127.0.0.1", listen) == b"a"
            assert any(str(b.port) in text for text in one.problems)

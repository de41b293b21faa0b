"""The HTTP face over real sockets: order, limits, streams, and staying up under rubbish."""

from __future__ import annotations

import asyncio
import gzip
import random
import resource
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from busk8s.api.request import ANONYMOUS, Request, Response, User
from busk8s.clock import SystemClock
from busk8s.master.apiserver.authentication.peers import NOBODY, Peer
from busk8s.master.apiserver.http import HttpServer, Limits

pytestmark = pytest.mark.realtime
QUICK = Limits(head_s=0.2, body_s=0.3, idle_s=0.5, stall_s=0.3, sweep_s=0.05)


class Nobody:
    def peer(self, tls: object) -> Peer:
        return NOBODY

    async def user(self, peer: Peer, headers: Mapping[str, str], path: str) -> User:
        return ANONYMOUS


class Served:
    """What the handler under test saw and does."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def __call__(self, request: Request) -> Response:
        if request.path == "/slow":
            await asyncio.sleep(0.05)
        if request.path == "/ticks":
            return Response(stream=self._ticks(int(request.param("count", "1000000"))))
        if request.path == "/flood":
            return Response(stream=self._flood())
        if request.path == "/large":
            return Response(body=b"x" * 300_000)
        said = {"path": request.path, "body": len(request.body), "method": request.method}
        return Response(body=orjson.dumps(said))

    async def _ticks(self, count: int) -> AsyncIterator[bytes]:
        try:
            for number in range(count):
                yield b"%d\n" % number
                await asyncio.sleep(0.01)
        finally:
            self.ended.append("ticks")

    async def _flood(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
        finally:
            self.ended.append("flood")


@asynccontextmanager
async def serving(limits: Limits = Limits()) -> AsyncIterator[tuple[Served, int, HttpServer]]:  # noqa: B008
    handler = Served()
    server = HttpServer(handler, Nobody(), clock=SystemClock(), limits=limits)
    bound = socket.create_server(("127.0.0.1", 0))
    await server.open([bound], None)
    try:
        yield handler, bound.getsockname()[1], server
    finally:
        await server.close()


@asynccontextmanager
async def calling(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass


async def answer(
    reader: asyncio.StreamReader, *, head_only: bool = False
) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = b""
    if not head_only and "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split(" ")[1]), headers, body


def get(path: str, *more: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *more, "", ""]).encode()


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with serving() as (_, port, _server), calling(port) as (reader, writer):
        writer.write(get("/slow") + b"".join(get(f"/{i}") for i in range(100)))
        paths = [orjson.loads((await answer(reader))[2])["path"] for _ in range(101)]
    assert paths == ["/slow", *[f"/{i}" for i in range(100)]]


async def test_a_client_that_expects_100_continue_is_told_to_go_on() -> None:
    async with serving() as (_, port, _server), calling(port) as (reader, writer):
        writer.write(b"POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert (await answer(reader))[0] == 100
        writer.write(b"abc")
        status, _, body = await answer(reader)
    assert (status, orjson.loads(body)["body"]) == (200, 3)


async def test_head_gets_the_length_but_no_body() -> None:
    async with serving() as (_, port, _server), calling(port) as (reader, writer):
        writer.write(get("/a").replace(b"GET", b"HEAD") + get("/b"))
        _, headers, _ = await answer(reader, head_only=True)
        assert int(headers["content-length"]) > 0
        assert orjson.loads((await answer(reader))[2])["path"] == "/b"


async def test_large_answers_are_compressed_when_asked_for() -> None:
    async with serving() as (_, port, _server), calling(port) as (reader, writer):
        writer.write(get("/large", "Accept-Encoding: gzip") + get("/large"))
        _, headers, squeezed = await answer(reader)
        _, _, plain = await answer(reader)
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(squeezed) == plain == b"x" * 300_000


async def test_a_stream_is_chunked_and_the_connection_goes_on_after_it() -> None:
    async with serving() as (_, port, _server), calling(port) as (reader, writer):
        writer.write(get("/ticks?count=2") + get("/after"))
        _, headers, _ = await answer(reader)
        assert headers["transfer-encoding"] == "chunked"
        assert await reader.readexactly(17) == b"2\r\n0\n\r\n2\r\n1\n\r\n0\r\n"
        assert await reader.readexactly(2) == b"\r\n"
        assert orjson.loads((await answer(reader))[2])["path"] == "/after"


async def test_a_client_that_goes_away_ends_its_stream() -> None:
    async with serving() as (handler, port, server):
        async with calling(port) as (reader, writer):
            writer.write(get("/ticks"))
            await answer(reader)
        async with asyncio.timeout(2):
            while not handler.ended or server.connections:
                await asyncio.sleep(0.01)
    assert handler.ended == ["ticks"]


async def test_a_watcher_that_does_not_read_is_cut_off() -> None:
    async with serving(QUICK) as (handler, port, server):
        async with calling(port) as (_, writer):
            writer.write(get("/flood"))
            async with asyncio.timeout(5):
                while not handler.ended:
                    await asyncio.sleep(0.02)
        assert not server.connections


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="sends nothing"),
        pytest.param(b"GET / HT", id="stops in the head"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab", id="stops in the body"),
    ],
)
async def test_a_client_that_does_not_finish_is_cut_off(begun: bytes) -> None:
    async with serving(QUICK) as (_, port, _server), calling(port) as (reader, writer):
        writer.write(begun)
        async with asyncio.timeout(3):
            said = await reader.read()
    assert said == b"" if not begun else said.startswith(b"HTTP/1.1 408 ")


async def test_a_slow_trickle_does_not_extend_the_time_for_a_head() -> None:
    async with serving(QUICK) as (_, port, _server), calling(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        # Not to the end: who goes on sending after the answer may find a reset there.
        said = asyncio.create_task(reader.readline())
        for _ in range(100):
            writer.write(b"a")
            if said.done():
                break
            await asyncio.sleep(0.03)
        assert said.done()
        assert said.result().startswith(b"HTTP/1.1 408 ")


async def test_connections_over_the_maximum_get_503() -> None:
    async with serving(Limits(connections_max=1)) as (_, port, _server), calling(port):
        await asyncio.sleep(0.05)
        async with calling(port) as (reader, _writer):
            status, _, body = await answer(reader)
    assert status == 503
    assert orjson.loads(body)["reason"] == "ServiceUnavailable"


async def test_an_upload_over_the_limit_reads_its_refusal() -> None:
    async with serving() as (_, port, _server), calling(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n")
        try:
            for _ in range(9):
                writer.write(b"x" * 1_000_000)
                await writer.drain()
        except OSError:
            pass
        status, _, body = await answer(reader)
    assert (status, orjson.loads(body)["kind"]) == (413, "Status")


def rubbish(chance: random.Random) -> bytes:
    valid = (
        get("/x") + b"POST /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    data = bytearray(chance.choice([valid, chance.randbytes(chance.randrange(1, 400))]))
    for _ in range(chance.randrange(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def resident_kib() -> int:
    """What this process holds now; its peak would hide growth behind earlier tests."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


async def test_a_thousand_random_requests_leave_it_answering_with_flat_memory() -> None:
    chance = random.Random(7)
    async with serving(QUICK) as (_, port, server):
        for number in range(1_000):
            async with calling(port) as (reader, writer):
                writer.write(rubbish(chance))
                writer.write_eof()
                try:
                    said = await reader.read(100)
                except ConnectionResetError:  # Closed with bytes of ours unread: as good a no.
                    said = b""
                if said:
                    assert 100 <= int(said.split(b" ")[1]) < 500, said
            if number == 300:
                before = resident_kib()
        async with calling(port) as (reader, writer):
            writer.write(get("/still"))
            assert (await answer(reader))[0] == 200
        assert len(server.connections) <= 1
        assert resident_kib() - before < 4_096

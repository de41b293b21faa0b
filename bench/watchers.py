"""Many watchers of one resource while it changes: how late each change comes, and whether all come.

    python bench/watchers.py URL TOKEN [--watchers 1000] [--rate 100] [--seconds 10] [--accept TYPE]

Owns      the connections (each a TLS socket of its own), the changes, the figures printed.
Leaves    starting the server and reading its memory (budget.py).
Invariant a change is counted late from before its write was sent; every watcher is checked to have
          seen every revision once, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import ssl
import sys
import time
from urllib.parse import urlsplit

import uvloop

PATH = "/api/v1/namespaces/default/configmaps"
REVISION = re.compile(rb'"resourceVersion":"(\d+)"')
STAMP = re.compile(rb'"stamp":"t(\d+)"')
OBJECTS = 50  # ConfigMaps that change in turn; nobody but us writes those.
FILLING = 1_000  # Bytes of data in each: with its metadata as long as a small pod.
GROWTH = 50  # Watchers opened at once: handshakes are not what is measured.
WRITERS = 10  # Connections that write: a slow answer must not slow down the changes.
MERGE = "application/merge-patch+json"
SETTLE_S = 3.0


class Wire(asyncio.Protocol):
    """One connection; `data` is what came since it was last taken."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiter: asyncio.Future[bytes] | None = None
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self.waiter is not None and b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if length is None or len(rest) >= int(length[1]):
                self.waiter.set_result(self.data)
                self.waiter, self.data = None, b""

    async def send(self, request: bytes) -> bytes:
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.waiter


class Watch(Wire):
    """Counts the events, checks their order, notes how late they are."""

    def __init__(self, late: list[float]) -> None:
        super().__init__()
        self.late = late
        self.last = self.seen = self.wrong = 0
        self.live = False

    def data_received(self, data: bytes) -> None:
        if not self.live:
            super().data_received(data)
            return
        now = time.monotonic_ns()
        data = self.data + data
        end = data.rfind(b"\n{") if not data.endswith(b"}\n\r\n") else len(data)
        whole, self.data = data[: max(end, 0)], data[max(end, 0) :]
        for line in whole.split(b"\n"):
            revision = REVISION.search(line, 0, 200)
            if revision is None:
                continue
            number = int(revision[1])
            self.wrong += number <= self.last
            self.last = number
            self.seen += 1
            stamp = STAMP.search(line)
            if stamp is not None:
                self.late.append((now - int(stamp[1])) / 1e6)


class Bench:
    def __init__(self, url: str, token: str, accept: str) -> None:
        at = urlsplit(url)
        self.host, self.port = at.hostname, at.port
        self.head = f"Host: x\r\nAuthorization: Bearer {token}\r\nAccept: {accept}\r\n"
        self.tls = ssl._create_unverified_context()

    async def connect(self, make) -> Wire:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(make, self.host, self.port, ssl=self.tls))[1]

    def request(self, method: str, path: str, body: object = None, kind: str = "") -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self.head}"
        head += f"Content-Type: {kind or 'application/json'}\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data

    async def fill(self, link: Wire) -> None:
        for index in range(OBJECTS):
            metadata = {"name": f"w{index}", "labels": {"app": "watch", "stamp": "t0"}}
            body = {"metadata": metadata, "data": {"text": "x" * FILLING}}
            answer = await link.send(self.request("POST", PATH, body))
            assert b" 201 " in answer[:20], answer

    async def clear(self, link: Wire) -> None:
        path = f"{PATH}?labelSelector=app%3Dwatch"
        await link.send(self.request("DELETE", path))

    async def version(self, link: Wire) -> str:
        answer = await link.send(self.request("GET", f"{PATH}?limit=1"))
        return REVISION.search(answer)[1].decode()

    async def watch(self, count: int, since: str, late: list[float]) -> list[Watch]:
        found: list[Watch] = []
        request = self.request("GET", f"{PATH}?watch=1&resourceVersion={since}&timeoutSeconds=600")
        while len(found) < count:
            size = min(GROWTH, count - len(found))
            some = await asyncio.gather(*(self.connect(lambda: Watch(late)) for _ in range(size)))
            await asyncio.gather(*(link.send(request) for link in some))
            for link in some:
                link.live = True
            found += some
        return found

    async def change(self, link: Wire, rate: int, seconds: float) -> int:
        """`rate` merge patches a second over WRITERS connections; answers how many were made."""
        links = [link, *[await self.connect(Wire) for _ in range(WRITERS - 1)]]
        began = time.monotonic()

        async def write(one: Wire, first: int) -> int:
            done = 0
            while time.monotonic() - began < seconds:
                number = first + done * WRITERS
                await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
                stamp = {"metadata": {"labels": {"stamp": f"t{time.monotonic_ns()}"}}}
                path = f"{PATH}/w{number % OBJECTS}"
                answer = await one.send(self.request("PATCH", path, stamp, MERGE))
                assert b" 200 " in answer[:20], answer
                done += 1
            return done

        return sum(await asyncio.gather(*(write(one, i) for i, one in enumerate(links))))


async def main(given: argparse.Namespace) -> int:
    bench = Bench(given.url, given.token, given.accept)
    link = await bench.connect(Wire)
    await bench.fill(link)
    since, late = await bench.version(link), []
    watches = await bench.watch(given.watchers, since, late)
    print(f"watching {len(watches)}", flush=True)
    await asyncio.sleep(SETTLE_S)
    done = await bench.change(link, given.rate, given.seconds)
    await asyncio.sleep(SETTLE_S)
    late.sort()
    missed = sum(done - watch.seen for watch in watches)
    wrong = sum(watch.wrong for watch in watches)
    tell = lambda part: late[min(int(len(late) * part), len(late) - 1)] if late else -1.0  # noqa: E731
    print(
        f"watch {len(watches)} watchers, {done / given.seconds:.0f} changes/s: "
        f"p50 {tell(0.5):.1f} ms p99 {tell(0.99):.1f} ms max {tell(1):.1f} ms, "
        f"missed {missed}, out of order {wrong}"
    )
    for watch in watches:
        watch.transport.abort()
    await bench.clear(link)
    return 1 if missed or wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--watchers", type=int, default=1_000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--accept", default="application/json")
    sys.exit(uvloop.run(main(parser.parse_args())))

"""How long others wait while one client floods lists.

    python bench/fairness.py URL TOKEN [--connections 32] [--pods 2000] [--seconds 5] [--masters]

Owns      the flood (a user with many connections), a person's gets, a node's status patches.
Leaves    starting the server. The figures without the flood are printed first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import ssl
import sys
import time
from urllib.parse import urlsplit

import uvloop

PODS = "/api/v1/namespaces/default/pods"
NODE = "/api/v1/nodes/bench-fair"
MERGE = "application/merge-patch+json"
FLOOD_RISES_S = 1.0
PAUSE_S = 0.02  # Between two requests of those who are timed.


class Client:
    """One keep-alive connection, as `user` by impersonation; empty: as the token's owner."""

    def __init__(self, url: str, token: str, user: str, groups: tuple[str, ...]) -> None:
        at = urlsplit(url)
        self.host, self.port = at.hostname, at.port
        self.head = f"Host: x\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
        if user:
            self.head += f"Impersonate-User: {user}\r\n"
            self.head += "".join(f"Impersonate-Group: {group}\r\n" for group in groups)

    async def open(self) -> Client:
        tls = ssl._create_unverified_context()
        self.reader, self.writer = await asyncio.open_connection(
            self.host, self.port, ssl=tls, limit=1 << 22
        )
        return self

    async def send(self, method: str, path: str, body: object = None, kind: str = "") -> int:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self.head}Content-Length: {len(data)}\r\n"
        head += f"Content-Type: {kind or 'application/json'}\r\n\r\n"
        self.writer.write(head.encode() + data)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        for line in answer.split(b"\r\n"):
            name, _, value = line.partition(b": ")
            if name.lower() == b"content-length":
                left = int(value)
                while left:
                    left -= len(await self.reader.read(min(left, 1 << 20)))
        return int(answer.split()[1])


async def timed(client: Client, until: float, method: str, path: str, patch: bool) -> list[float]:
    found, number = [], 0
    while time.monotonic() < until:
        number += 1
        body = {"metadata": {"annotations": {"beat": str(number)}}} if patch else None
        began = time.monotonic()
        status = await client.send(method, path, body, MERGE)
        assert status == 200, status
        found.append((time.monotonic() - began) * 1_000)
        await asyncio.sleep(PAUSE_S)
    return sorted(found)


async def flood(client: Client, done: list[int]) -> None:
    while True:
        done.append(await client.send("GET", PODS))


async def flooding(given: argparse.Namespace) -> None:
    """The flood alone, for as long as the others are timed, and a little before and after."""
    done: list[int] = []
    user, *groups = ("",) if given.masters else ("mallory", "bench", "system:authenticated")
    make = [Client(given.url, given.token, user, groups) for _ in range(given.connections)]
    tasks = [asyncio.create_task(flood(await client.open(), done)) for client in make]
    seconds = given.seconds + FLOOD_RISES_S * 2
    await asyncio.sleep(seconds)
    print(f"lists {len(done) / seconds:.0f}/s, refused {sum(code == 429 for code in done)}")
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError, OSError):
        await asyncio.gather(*tasks, return_exceptions=True)


async def main(given: argparse.Namespace) -> None:
    make = lambda user, *groups: Client(given.url, given.token, user, groups).open()  # noqa: E731
    admin = await make("")
    subject = {"kind": "Group", "name": "bench", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": subject["apiGroup"]}
    binding = {"metadata": {"name": "bench"}, "subjects": [subject], "roleRef": role}
    await admin.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    await admin.send("POST", "/api/v1/nodes", {"metadata": {"name": "bench-fair"}})
    container = {"name": "c", "image": "pause"}
    spec = {
        "containers": [container], "nodeName": "bench-fair", "automountServiceAccountToken": False
    }  # fmt: skip
    for index in range(given.pods):
        metadata = {"name": f"fair-{index}", "labels": {"app": "fair"}}
        status = await admin.send("POST", PODS, {"metadata": metadata, "spec": spec})
        assert status in (201, 409), status
    person = await make("carol", "bench", "system:authenticated")
    node = await make("system:node:bench-fair", "system:nodes", "system:authenticated")

    async def round(name: str) -> None:
        until = time.monotonic() + given.seconds
        gets, beats = await asyncio.gather(
            timed(person, until, "GET", f"{PODS}/fair-0", False),
            timed(node, until, "PATCH", f"{NODE}/status", True),
        )
        for what, times in (("get", gets), ("node status patch", beats)):
            p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
            print(f"{name}: {what} p50 {p50:.1f} ms p99 {p99:.1f} ms ({len(times)})")

    await round("alone")
    # In a process of its own: what its loop is late by is not the server's doing.
    command = [sys.executable, __file__, *sys.argv[1:], "--flood"]
    process = await asyncio.create_subprocess_exec(*command)
    await asyncio.sleep(FLOOD_RISES_S)
    await round("flooded")
    await process.wait()
    await admin.send("DELETE", f"{PODS}?labelSelector=app%3Dfair&gracePeriodSeconds=0")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--pods", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--masters", action="store_true", help="flood as an exempt user")
    parser.add_argument("--flood", action="store_true", help="only the flood")
    given = parser.parse_args()
    sys.exit(uvloop.run(flooding(given) if given.flood else main(given)))

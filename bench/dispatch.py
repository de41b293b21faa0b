"""What a request costs in dispatch alone: no HTTP, the memory store, one core.

PYTHONPATH=. python bench/dispatch.py [count]
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable

import orjson

from busk8s.api import scheme
from busk8s.api.request import Request, User
from busk8s.clock import SystemClock
from busk8s.ids import RandomIds
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import WatchCache

ADMIN = User("admin", ("system:masters",))
PODS = "/api/v1/namespaces/default/pods"
MERGE = "application/merge-patch+json"


def pod(name: str) -> bytes:
    return orjson.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "bench"}},
            "spec": {
                "containers": [
                    {
                        "name": "c",
                        "image": "busybox",
                        "command": ["sleep", "3600"],
                        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                    }
                ]
            },
        }
    )


async def measure(name: str, count: int, make: Callable[[int], Awaitable[object]]) -> None:
    began = time.perf_counter()
    for index in range(count):
        await make(index)
    spent = time.perf_counter() - began
    print(f"{name:28} {count / spent:10,.0f} /s {spent / count * 1e6:10,.1f} us")


async def main(count: int) -> None:
    clock = SystemClock()
    store = MemoryStore(clock)
    cache = WatchCache(store, lambda key: scheme.RESOURCES[key], clock)
    server = ApiServer(store, cache, clock=clock, ids=RandomIds(random.Random(1)))
    await store.open()
    await cache.open()
    server.open()

    async def do(method: str, path: str, body: bytes = b"", kind: str = "application/json") -> None:
        response = await server.dispatch(Request(method, path, ADMIN, {}, body, kind))
        assert response.status < 300, response.body

    bodies = [pod(f"p{index}") for index in range(count)]
    await measure("create", count, lambda i: do("POST", PODS, bodies[i]))
    await measure("get", count * 10, lambda i: do("GET", f"{PODS}/p{i % count}"))
    await measure(
        "merge patch",
        count,
        lambda i: do(
            "PATCH", f"{PODS}/p{i}", b'{"metadata":{"annotations":{"n":"%d"}}}' % i, MERGE
        ),
    )
    await measure(
        "status merge patch",
        count,
        lambda i: do("PATCH", f"{PODS}/p{i}/status", b'{"status":{"phase":"Running"}}', MERGE),
    )
    await measure(
        "bind",
        count,
        lambda i: do(
            "POST",
            f"{PODS}/p{i}/binding",
            b'{"metadata":{"name":"p%d"},"target":{"kind":"Node","name":"n1"}}' % i,
        ),
    )
    await measure(f"list of {count} (unchanged)", 200, lambda i: do("GET", PODS))

    async def changed(i: int) -> None:
        await do("PATCH", f"{PODS}/p0", b'{"metadata":{"annotations":{"n":"x%d"}}}' % i, MERGE)
        await do("GET", PODS)

    await measure(f"list of {count} (changing)", 50, changed)
    await measure(
        "delete (grace 0)",
        count,
        lambda i: do("DELETE", f"{PODS}/p{i}", b'{"gracePeriodSeconds":0}'),
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))

"""A process that follows `net` and prints the revision of its copy after each batch.

usage: bus_follower.py <requests> <feed> <heartbeats> <server key> <public key> <secret key> <node>
"""

from __future__ import annotations

import asyncio
import random
import sys

from busk8s.bus.link import Identity, Link
from busk8s.bus.transport import Network
from busk8s.bus.wire import Endpoints, Keys
from busk8s.client.bus import resource_of
from busk8s.clock import SystemClock
from busk8s.tasks import supervise


async def main(endpoints: Endpoints, server_key: str, keys: Keys, node: str) -> None:
    network = Network()
    link = Link(
        Identity("proxy", node),
        lambda: network.connect(endpoints, keys, server_key),
        clock=SystemClock(),
        rng=random.Random(),
        resource_of=resource_of,
    )

    async def tell() -> None:
        async for _ in link.follow("net"):
            clone = link._followers["net"].clone
            newest = max((obj.revision for obj in clone.objects.values()), default=0)
            print(newest, flush=True)

    try:
        await supervise(link.run(), tell())
    finally:
        network.close()


if __name__ == "__main__":
    _, requests, feed, heartbeats, server_key, public, secret, node = sys.argv
    asyncio.run(main(Endpoints(requests, feed, heartbeats), server_key, Keys(public, secret), node))

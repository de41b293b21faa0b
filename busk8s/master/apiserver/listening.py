"""The master's ends of the bus: three TCP sockets under CURVE, three ipc sockets for its own.

Owns      keys, addresses, the life of the sockets.
Leaves    what is said over them (bus.hub, apiserver.bus).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from busk8s.bus.security import KeyFileDamaged, admitter, load_keys
from busk8s.bus.transport import Network
from busk8s.bus.wire import Endpoints, Keys
from busk8s.config import ConfigError, DataDir, MasterSettings
from busk8s.master.apiserver.bus import BusFace
from busk8s.tasks import Nursery


def server_keys(data: DataDir) -> Keys:
    try:
        return load_keys(data.path / "bus" / "server.key")
    except KeyFileDamaged as error:
        raise ConfigError(str(error)) from None


def ipc(directory: Path) -> Endpoints:
    """Where the master's own processes meet; the directory is 0700."""
    return Endpoints(*(f"ipc://{directory}/{name}" for name in ("requests", "feed", "heartbeats")))


def tcp(settings: MasterSettings) -> Endpoints:
    host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    _, requests, feed, heartbeats = settings.ports
    return Endpoints(*(f"tcp://{host}:{port or '*'}" for port in (requests, feed, heartbeats)))


@asynccontextmanager
async def bus_open(
    face: BusFace, settings: MasterSettings, data: DataDir
) -> AsyncIterator[Endpoints]:
    """`face` listens; gives the TCP addresses with the ports that were chosen."""
    network = Network()
    try:
        network.admit(admitter(face.identify))
        face.open()
        try:
            served = network.serve(tcp(settings), server_keys(data))
            face.attach(served)
            face.attach(network.serve(ipc(data.sockets), None), trusted=True)
        except OSError as error:
            raise ConfigError(f"the bus {error.strerror or error}; choose other ports") from None
        async with Nursery() as nursery:
            nursery.spawn(face.run(), name="bus")
            yield served.endpoints
    finally:
        await face.close()
        network.close()

"""Wires the master's parts by hand, and runs them one a process: `python -m busk8s.master.app`.

Owns      what a process of the master is made of, how it begins and ends.
Leaves    starting several of them (cli.supervisor, cli.up).
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from busk8s import log
from busk8s.clock import SystemClock
from busk8s.config import DataDir, MasterSettings, from_flags
from busk8s.ids import IdSource, RandomIds
from busk8s.inherited import take_inherited
from busk8s.master.apiserver.pki import Pki
from busk8s.process import Ready, run_process
from busk8s.tasks import Nursery

if TYPE_CHECKING:
    from busk8s.bus.link import Link
    from busk8s.client.bus import BusClient

logger = log.Logger("busk8s")


async def run_apiserver(settings: MasterSettings, data: DataDir, ready: Ready) -> None:
    from busk8s.master.apiserver.assembly import running

    async with running(settings, data, clock=SystemClock(), ids=system_ids()) as api:
        logger.info("API server is ready", url=api.url)
        ready()
        await asyncio.Event().wait()


@asynccontextmanager
async def master_link(component: str, data: DataDir) -> AsyncIterator[Link]:
    """A link to this master over its own sockets; lives as long as the block."""
    from busk8s.bus.link import Identity, Link
    from busk8s.bus.transport import Network
    from busk8s.client.bus import resource_of
    from busk8s.master.apiserver.listening import ipc

    network = Network()
    link = Link(
        Identity(component),
        lambda: network.connect(ipc(data.sockets), None, ""),
        clock=SystemClock(),
        rng=random.SystemRandom(),
        resource_of=resource_of,
    )
    try:
        async with Nursery() as nursery:
            nursery.spawn(link.run(), name="link")
            await link.wait_live()
            yield link
    finally:
        network.close()


@asynccontextmanager
async def master_client(component: str, data: DataDir) -> AsyncIterator[BusClient]:
    from busk8s.client.bus import BusClient

    async with master_link(component, data) as link:
        yield BusClient(link, field_manager=component)


async def run_controller_manager(settings: MasterSettings, data: DataDir, ready: Ready) -> None:
    from busk8s.master.controllers import run

    ca = Pki(data.pki).ca_pem.decode()
    async with master_client("kube-controller-manager", data) as client:
        logger.info("controllers run")
        ready()
        await run.run(client, clock=SystemClock(), ids=system_ids(), ca_pem=ca)


async def run_scheduler(settings: MasterSettings, data: DataDir, ready: Ready) -> None:
    from busk8s.master.scheduler import run

    async with master_client("kube-scheduler", data) as client:
        logger.info("scheduler runs")
        ready()
        await run.run(client, clock=SystemClock(), ids=system_ids(), rng=random.SystemRandom())


COMPONENTS: dict[str, Callable[[MasterSettings, DataDir, Ready], Awaitable[None]]] = {
    "apiserver": run_apiserver,
    "controller-manager": run_controller_manager,
    "scheduler": run_scheduler,
}


def system_ids() -> IdSource:
    return RandomIds(random.SystemRandom())


def main(arguments: Sequence[str]) -> int:
    """`COMPONENT --data-dir=D [...]`: flags as config.to_flags writes them."""
    name, *flags = arguments
    inherited, flags = take_inherited(flags)
    settings = from_flags(MasterSettings, flags)

    async def job(ready: Ready) -> None:
        data = DataDir(settings.check().data_dir).open(system_ids())
        data.claim(name)
        await COMPONENTS[name](settings, data, ready)

    return run_process(job, inherited)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Wires the master's parts by hand, and runs them one a process: `python -m busk8s.master.app`.

Owns      what a process of the master is made of, how it begins and ends.
Leaves    starting several of them (cli.supervisor, cli.up).
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from busk8s import log
from busk8s.api.discovery import build_labels
from busk8s.api.object import Json
from busk8s.client.measures import RequestCounts
from busk8s.clock import SystemClock
from busk8s.config import DataDir, MasterSettings, from_flags
from busk8s.exposition import Page
from busk8s.ids import IdSource, RandomIds
from busk8s.inherited import take_inherited
from busk8s.master.apiserver.pki import Pki
from busk8s.metrics import Family
from busk8s.process import Ready, run_process
from busk8s.tasks import Nursery

if TYPE_CHECKING:
    from busk8s.bus.link import Link
    from busk8s.bus.streams import Stream
    from busk8s.client.bus import BusClient
    from busk8s.client.rest import RestClient

PAGE_STREAM = "page"  # As apiserver/components.py asks for it.
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


@asynccontextmanager
async def told_client(
    component: str, data: DataDir
) -> AsyncIterator[tuple[BusClient, Callable[[Sequence[Family]], None]]]:
    """A client whose link serves the component's pages of metrics, once they are told of."""
    from busk8s.client.bus import BusClient

    async with master_link(component, data) as link:
        client = BusClient(link, field_manager=component)

        def tell(families: Sequence[Family]) -> None:
            page = page_of(client, families)

            async def serve(params: Json, stream: Stream) -> None:
                await stream.write(
                    page.slis() if params.get("path") == "/metrics/slis" else page.whole()
                )

            link.on_stream(PAGE_STREAM, serve)

        yield client, tell


def page_of(client: RestClient, families: Sequence[Family]) -> Page:
    """A component's page of metrics: its own families, and what its client asks."""
    client.counts = RequestCounts(SystemClock())
    return Page((*families, *client.counts.families()), build=build_labels(os.uname().machine))


async def run_controller_manager(settings: MasterSettings, data: DataDir, ready: Ready) -> None:
    from busk8s.master.controllers import run

    ca = Pki(data.pki).ca_pem.decode()
    async with told_client("kube-controller-manager", data) as (client, tell):
        logger.info("controllers run")
        ready()
        await run.run(client, clock=SystemClock(), ids=system_ids(), ca_pem=ca, tell=tell)


async def run_scheduler(settings: MasterSettings, data: DataDir, ready: Ready) -> None:
    from busk8s.master.scheduler import run

    async with told_client("kube-scheduler", data) as (client, tell):
        logger.info("scheduler runs")
        ready()
        rng = random.SystemRandom()
        await run.run(client, clock=SystemClock(), ids=system_ids(), rng=rng, tell=tell)


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

    return run_process(job, inherited, form=settings.logging_format, verbosity=int(settings.v))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

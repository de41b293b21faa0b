"""Wires the worker's parts by hand, and runs them: `python -m busk8s.worker.app`.

Owns      what a worker is made of, how its processes begin and end.
Leaves    starting several of them (cli.supervisor, cli.up).
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from busk8s import log
from busk8s.clock import SystemClock
from busk8s.config import DataDir, WorkerSettings, from_flags
from busk8s.ids import IdSource, RandomIds
from busk8s.inherited import take_inherited
from busk8s.process import Ready, run_process
from busk8s.tasks import Nursery, supervise
from busk8s.worker.joining import Membership, keys_of, member, remembered

if TYPE_CHECKING:
    from busk8s.bus.link import Link
    from busk8s.worker.runtime.base import Runtime
    from busk8s.worker.runtime.process import ProcessRuntime

WAIT_JOIN_S = 0.5
logger = log.Logger("busk8s")


def system_ids() -> IdSource:
    return RandomIds(random.SystemRandom())


@asynccontextmanager
async def linked(component: str, root: Path, of: Membership) -> AsyncIterator[Link]:
    """A link to the master as `of.node`, for as long as the block lasts."""
    from busk8s.api import scheme
    from busk8s.bus.link import Identity, Link
    from busk8s.bus.transport import Network

    network, keys = Network(), keys_of(root)
    link = Link(
        Identity(component, of.node, _boot_id()),
        lambda: network.connect(of.endpoints, keys, of.server_key),
        clock=SystemClock(),
        rng=random.SystemRandom(),
        resource_of=lambda key: scheme.RESOURCES[key],
    )
    try:
        async with Nursery() as nursery:
            nursery.spawn(link.run(), name="link")
            yield link
    finally:
        network.close()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def runtime_of(root: Path, kind: str = "process") -> Runtime:
    if kind == "hollow":
        from busk8s.worker.runtime.hollow import HollowRuntime

        return HollowRuntime(SystemClock())
    return process_runtime(root)


def process_runtime(root: Path) -> ProcessRuntime:
    from busk8s.worker.runtime.process import ProcessRuntime

    return ProcessRuntime(root / "runtime")


def cluster_of(root: Path) -> str:
    """Names every device and table of this worker, so that several can share a host."""
    from busk8s.worker.runtime.supervisor import cluster_name

    return cluster_name(str(root / "runtime"))


async def run_kubelet(settings: WorkerSettings, ready: Ready) -> None:
    from busk8s.client.bus import BusClient
    from busk8s.worker.kubelet.kubelet import Kubelet

    root = settings.data_dir
    of = await member(root, settings, system_ids())
    async with linked("kubelet", root, of) as link:
        kubelet = Kubelet(
            of.node,
            BusClient(link, field_manager="kubelet"),
            link,
            runtime_of(root, settings.runtime),
            SystemClock(),
            str(root / "kubelet"),
            system_ids(),
            node_ips=(settings.node_ip or of.own_address(),),
        )
        logger.info("kubelet runs", node=of.node)
        ready()
        await kubelet.run()


async def run_proxy(settings: WorkerSettings, ready: Ready) -> None:
    from busk8s.client.bus import BusClient
    from busk8s.worker.proxy import run

    root = settings.data_dir
    of = await _joined(root)
    # Nothing answers at the addresses of hollow pods: rules for them are made only if asked for.
    if settings.proxy == "none" or (settings.runtime, settings.proxy) == ("hollow", "auto"):
        ready()
        await asyncio.Event().wait()
    backend = await run.choose_backend(
        cluster_of(root), random.SystemRandom(), service_cidr=settings.service_cidr
    )
    async with linked("kube-proxy", root, of) as link:
        client = BusClient(link, field_manager="kube-proxy")
        logger.info("proxy runs", node=of.node, backend=type(backend).__name__)
        ready()
        await run.run(client, backend=backend, clock=SystemClock(), node_name=of.node)


async def _joined(root: Path) -> Membership:
    """The kubelet joins; the proxy waits until it has."""
    while (of := remembered(root)) is None:
        await SystemClock().sleep(WAIT_JOIN_S)
    return of


async def run_worker(settings: WorkerSettings, ready: Ready) -> None:
    """Both in one process: small machines, `busk8s up`, tests."""
    await member(settings.data_dir, settings, system_ids())
    await supervise(run_kubelet(settings, ready), run_proxy(settings, lambda: None))


async def tear_down(root: Path) -> None:
    """Stop every pod of this worker and take away what it made on the host."""
    from busk8s.worker.proxy.run import remove_leftovers

    runtime = process_runtime(root)
    await runtime.open()
    await runtime.shutdown()
    await runtime.close()
    if os.geteuid() == 0:
        await remove_leftovers(cluster_of(root))


COMPONENTS: dict[str, Callable[[WorkerSettings, Ready], Awaitable[None]]] = {
    "kubelet": run_kubelet,
    "proxy": run_proxy,
    "worker": run_worker,
}


def main(arguments: Sequence[str]) -> int:
    """`COMPONENT --data-dir=D [...]`: flags as config.to_flags writes them."""
    name, *flags = arguments
    inherited, flags = take_inherited(flags)
    settings = from_flags(WorkerSettings, flags)

    async def job(ready: Ready) -> None:
        DataDir(settings.check().data_dir).open(system_ids()).claim(name)
        await COMPONENTS[name](settings, ready)

    return run_process(job, inherited)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

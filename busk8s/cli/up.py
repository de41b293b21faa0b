"""A whole cluster in one process and one event loop: `python -m busk8s.cli.up`.

Owns      starting master and workers together, the kubeconfig, saying when nodes are ready, and
          taking everything away again at the end.
Leaves    what master and workers are (master.app, worker.app).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import orjson

from busk8s.api.request import Request, User
from busk8s.bus.joining import Invitation
from busk8s.client.direct import DirectClient
from busk8s.client.interface import Client
from busk8s.clock import SystemClock
from busk8s.config import (
    ConfigError,
    DataDir,
    MasterSettings,
    WorkerSettings,
    from_flags,
    write_private,
)
from busk8s.inherited import take_inherited
from busk8s.log import Logger
from busk8s.master import app as master
from busk8s.master.apiserver import kubeconfig, tokens
from busk8s.master.apiserver.assembly import Api, running, seen_by_pods
from busk8s.master.apiserver.authn import LOOPBACK
from busk8s.master.store.watch import Overflow
from busk8s.metrics import Family
from busk8s.process import Ready, run_process
from busk8s.tasks import supervise
from busk8s.worker import app as worker
from busk8s.worker.joining import remembered

log = Logger("busk8s")
READY_POLL_S = 0.02
RESTART_FIRST_S = 0.2
RESTART_MAX_S = 10.0
JOIN_TTL_S = 600.0


async def run(
    settings: MasterSettings,
    data: DataDir,
    *,
    workers: int,
    runtime: str,
    config: Path | None,
    ready: Ready,
) -> None:
    """Until cancelled; then every pod is stopped and nothing of it stays on the host."""
    async with running(settings, data, clock=SystemClock(), ids=master.system_ids()) as api:
        path = config or data.kubeconfig
        try:
            kubeconfig.write(api.pki, path, api.url, data.cluster_id, token=False)
        except OSError as error:
            raise ConfigError(f"--kubeconfig: {path}: {error.strerror}") from None
        api.renewal.on_renewed(partial(_rewrite_kubeconfig, api, path))
        names = await node_names(api, data, workers)
        plans = [await worker_settings(api, data, name, runtime) for name in names]
        begun = {name: asyncio.Event() for name in names}
        jobs = [
            keep(f"worker {p.name}", partial(worker.run_worker, p, begun[p.name].set))
            for p in plans
        ]
        try:
            await supervise(
                keep("controllers", lambda: controllers(api)),
                keep("scheduler", lambda: scheduler(api)),
                *jobs,
                announce(api, begun, path, ready),
            )
        finally:
            await asyncio.shield(_tear_down([p.data_dir for p in plans if p.runtime == "process"]))


async def controllers(api: Api) -> None:
    from busk8s.master.controllers import run

    ids, ca = master.system_ids(), api.pki.ca_pem.decode()
    # Objects come directly; the one computed view they follow (liveness) over the bus, as ever.
    async with master.master_client("kube-controller-manager", api.data) as views:
        client = direct(api, "kube-controller-manager", views)
        with api.bus.components.here("kube-controller-manager") as show:

            def tell(families: Sequence[Family]) -> None:
                show(master.page_of(client, families))

            await run.run(client, clock=SystemClock(), ids=ids, ca_pem=ca, tell=tell)


async def scheduler(api: Api) -> None:
    from busk8s.master.scheduler import run

    client = direct(api, "kube-scheduler")
    rng, ids = random.SystemRandom(), master.system_ids()
    with api.bus.components.here("kube-scheduler") as show:

        def tell(families: Sequence[Family]) -> None:
            show(master.page_of(client, families))

        await run.run(client, clock=SystemClock(), ids=ids, rng=rng, tell=tell)


async def announce(api: Api, begun: Mapping[str, asyncio.Event], path: Path, ready: Ready) -> None:
    """Say when the cluster can be used; then stay, for the first job to end ends all."""
    names = list(begun)
    for event in begun.values():  # The store may hold "Ready" from an earlier start.
        await event.wait()
    while not all(node_ready(api, name) for name in names):
        await SystemClock().sleep(READY_POLL_S)
    log.info("cluster is ready", nodes=len(names), url=api.url, kubeconfig=path)
    ready()
    await asyncio.Event().wait()


def node_ready(api: Api, name: str) -> bool:
    node = api.cache.get("nodes", "", name)
    conditions = ((node.data.get("status") or {}).get("conditions") or []) if node else []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


async def node_names(api: Api, data: DataDir, workers: int) -> list[str]:
    """Nodes of an earlier start keep their names, whatever the count was then."""
    return [f"node-{number}" for number in range(1, workers + 1)]


async def worker_settings(api: Api, data: DataDir, name: str, runtime: str) -> WorkerSettings:
    """How one worker of ours starts: with a join URL the first time."""
    root = data.node(name)
    settings = WorkerSettings(
        root,
        node_name=name,
        runtime=runtime,
        service_cidr=api.settings.service_cidr,
        node_ip=seen_by_pods(api.settings),
    )
    if (root / "membership.json").exists() and api.cache.get("nodes", "", name) is not None:
        _follow_ports(root, api)
        return settings
    (root / "membership.json").unlink(missing_ok=True)
    return replace(settings, join=await join_url(api))


def _follow_ports(root: Path, api: Api) -> None:
    """The master may have been started on other ports this time."""
    path = root / "membership.json"
    said = json.loads(api.data.endpoints.read_bytes())
    of = remembered(root)  # ConfigError when it is damaged
    assert of is not None
    known = asdict(of)
    ports = {name: said[f"{name}_port"] for name in ("requests", "feed", "heartbeats")}
    if any(known.get(name) != port for name, port in ports.items()):
        write_private(path, json.dumps(known | ports).encode())


async def join_url(api: Api) -> str:
    """A short-lived token of this very start, through the API as any other."""
    token = tokens.generate()
    secret = tokens.to_secret(
        token, expires_at=SystemClock().now() + JOIN_TTL_S, description="made by busk8s up"
    )
    path = f"/api/v1/namespaces/{tokens.NAMESPACE}/secrets"
    answer = await api.front(Request("POST", path, LOOPBACK, body=orjson.dumps(secret)))
    if answer.status >= 400:
        raise ConfigError(f"cannot make a join token: {answer.body.decode()}")
    said = json.loads(api.data.endpoints.read_bytes())
    return Invitation(
        token.id, token.secret, said["host"], said["requests_port"], said["server_key"]
    ).render()


def direct(api: Api, component: str, views: Client | None = None) -> DirectClient:
    """A client in the API server's own process."""
    return DirectClient(
        api.front,
        user=User(f"system:{component}", ("system:authenticated",)),
        source=api.cache,
        lost=(Overflow,),
        views=views.watch_view if views is not None else None,
        field_manager=component,
    )


async def keep(name: str, start: Callable[[], Awaitable[None]]) -> None:
    """Run a component for ever: what falls is started again, as a supervisor would."""
    delay_s = RESTART_FIRST_S
    while True:
        try:
            await start()
            why = "it ended"
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - any bug of it costs that component only
            log.error("component failed", component=name, error=error)
            why = type(error).__name__
        log.warning("starting it again", component=name, why=why, in_s=delay_s)
        await SystemClock().sleep(delay_s)
        delay_s = min(delay_s * 2, RESTART_MAX_S)


def _rewrite_kubeconfig(api: Api, path: Path, renewed: Sequence[str]) -> None:
    """The admin's file follows the admin's certificate, unless somebody took it away."""
    if "admin" in renewed and path.exists():
        kubeconfig.write(api.pki, path, api.url, api.data.cluster_id, token=False)


async def _tear_down(roots: Sequence[Path]) -> None:
    for root in roots:
        try:
            await worker.tear_down(root)
        except Exception as error:  # noqa: BLE001 - the others must still be taken down
            log.error("a worker could not be taken down", root=root, error=error)


def main(arguments: Sequence[str]) -> int:
    """`--workers=N [--kubeconfig=F] --data-dir=D [...]`: the rest as config.to_flags writes it."""
    inherited, flags = take_inherited(arguments)
    workers = _take(flags, "--workers", "1")
    config = _take(flags, "--kubeconfig", "")
    runtime = _take(flags, "--runtime", "process")
    settings = from_flags(MasterSettings, flags)

    async def job(ready: Ready) -> None:
        data = DataDir(settings.check().data_dir).open(master.system_ids()).lock()
        write_private(data.state, json.dumps({"pid": os.getpid(), "kind": "up"}).encode())
        try:
            await run(
                settings,
                data,
                workers=int(workers),
                runtime=runtime,
                config=Path(config) if config else None,
                ready=ready,
            )
        finally:
            data.state.unlink(missing_ok=True)  # The lock goes with the process: `down` waits so.

    return run_process(job, inherited, form=settings.logging_format, verbosity=int(settings.v))


def _take(flags: list[str], name: str, default: str) -> str:
    """The value of `name`, taken out of `flags`."""
    found = default
    for flag in list(flags):
        if flag.startswith(f"{name}="):
            found = flag.partition("=")[2]
            flags.remove(flag)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

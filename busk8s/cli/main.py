"""The command line: flags in, one function called. Imports stay inside the commands.

Owns      flags, their defaults, help, exit codes.
Leaves    the work (launch, verbs), the words (output).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from busk8s.cli import output
from busk8s.cli.login_flags import with_login_flags
from busk8s.config import (
    HTTPS_PORT,
    ConfigError,
    DataDir,
    MasterSettings,
    WorkerSettings,
    default_data_dir,
    ports_free,
    to_flags,
)

# Exit codes, as docs/cli.md lists them.
FAILED = 1  # the API refused, or something broke
REFUSED = 2  # flags, files or ports that cannot be used
NOT_RUNNING = 3  # there is no such cluster, or it does not answer
NOT_WELL = 4  # `status`: it runs, and not all is well


class WholeSentences(TyperGroup):
    """Says what each command is in a whole sentence, where it would be cut off at a line's end."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, found.get_short_help_str(1_000)) for name, found in commands if found]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = typer.Typer(
    name="busk8s",
    cls=WholeSentences,
    help="Kubernetes over a message bus: a cluster of plain processes that kubectl drives.",
    epilog="Exit codes: 0 done, 1 failed, 2 bad flag, file or port, 3 not running, 4 not well.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
token_app = typer.Typer(help="Tokens that let workers join.", no_args_is_help=True)
app.add_typer(token_app, name="token", rich_help_panel="Commands")

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Where the cluster lives.",
        show_default="/var/lib/busk8s, or ~/.local/share/busk8s without root",
    ),
]
BindOption = Annotated[
    str, typer.Option("--bind-address", "--bind", help="Address to listen on; 0.0.0.0 for all.")
]
AdvertiseOption = Annotated[
    str, typer.Option("--advertise-address", help="Address others reach the master by.")
]
HttpsOption = Annotated[
    int, typer.Option("--https-port", help="Kubernetes API; 0 = any free port.")
]
BusOption = Annotated[
    int | None,
    typer.Option("--bus-port", help="First of three bus ports; default: the API's port + 1."),
]
GraceOption = Annotated[
    float, typer.Option("--node-grace", help="Seconds without a beat until a node is NotReady.")
]
NamesOption = Annotated[
    list[str] | None, typer.Option("--tls-name", help="More names in the serving certificate.")
]
JoinOption = Annotated[str, typer.Option("--join", help="URL from `busk8s token create`.")]
NameOption = Annotated[str, typer.Option("--name", help="The node's name; default: the host's.")]
NodeIpOption = Annotated[str, typer.Option("--node-ip", help="Address others reach the node by.")]
LabelOption = Annotated[list[str] | None, typer.Option("--label", help="key=value for the Node.")]
ProxyOption = Annotated[str, typer.Option("--proxy", help="auto, nftables, userspace or none.")]
RuntimeOption = Annotated[
    str, typer.Option("--runtime", help="process; or hollow: pods are only pretended.")
]
DetachOption = Annotated[bool, typer.Option("--detach", "-d", help="Return once it is ready.")]


def run(arguments: Sequence[str]) -> int:
    """The whole command; the exit code."""
    from busk8s.cli.api import NotRunning
    from busk8s.errors import Error

    try:
        return int(app(list(arguments), standalone_mode=False) or 0)
    except ConfigError as error:
        output.fail(str(error))
        return REFUSED
    except NotRunning as error:
        output.fail(str(error))
        return NOT_RUNNING
    except Error as error:
        output.fail(error.message)
        return FAILED
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:
        show = getattr(error, "show", None)  # click's usage errors know how to say themselves
        if show is None:
            raise
        show()
        return REFUSED


def _data(path: Path | None, *, worker: bool = False) -> DataDir:
    default = default_data_dir()
    return DataDir(path or (default.with_name(f"{default.name}-worker") if worker else default))


def _ports(https: int, bus: int | None) -> tuple[int, int, int, int]:
    """Bus ports follow the API's, so that a second cluster needs one flag only."""
    first = bus if bus is not None else (https + 1 if https else 0)
    return (https, first, first + 1 if first else 0, first + 2 if first else 0)


def _master(
    data: DataDir, bind: str, advertise: str, https: int, bus: int | None, grace: float,
    names: list[str] | None, login: dict[str, Any],
) -> MasterSettings:  # fmt: skip
    settings = MasterSettings(
        data.path,
        bind=bind,
        advertise=advertise,
        grace_s=grace,
        extra_names=tuple(names or ()),
        **login,
    ).with_ports(_ports(https, bus))
    return settings.check()


@app.command()
@with_login_flags
def up(
    workers: Annotated[int, typer.Option("--workers", help="How many nodes.", min=0, max=100)] = 1,
    data_dir: DataDirOption = None,
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", help="Write the admin's kubeconfig here.")
    ] = None,
    bind: BindOption = "127.0.0.1",
    advertise: AdvertiseOption = "",
    https_port: HttpsOption = HTTPS_PORT,
    bus_port: BusOption = None,
    grace: GraceOption = 5.0,
    tls_name: NamesOption = None,
    runtime: RuntimeOption = "process",
    detach: DetachOption = False,
    *,
    login: dict[str, Any],
) -> None:
    """A whole cluster on this machine, in one process. Ctrl-C (or `busk8s down`) ends it.

    \b
    busk8s up                                   one node
    busk8s up --workers 3 --detach              three, in the background
    busk8s up --data-dir ./two --https-port 7440    a second cluster beside the first
    """
    from busk8s.cli import launch

    data = _data(data_dir)
    settings = _master(data, bind, advertise, https_port, bus_port, grace, tls_name, login)
    WorkerSettings(data.path, runtime=runtime).check()
    data.not_in_use()
    ports_free(settings)
    path = (kubeconfig or data.kubeconfig).absolute()
    own = [f"--workers={workers}", f"--runtime={runtime}", f"--kubeconfig={path}"]
    flags = [*own, *to_flags(settings)]
    if not detach:
        output.say(f"export KUBECONFIG={path}    # then kubectl as ever; Ctrl-C ends the cluster")
        launch.become("busk8s.cli.up", flags)
    with output.Waiting(f"starting a cluster with {workers} worker(s) in {data.path}"):
        launch.detach("busk8s.cli.up", flags, data.logs / "up.log")
    output.say("ready. To use it:")
    output.data(f"export KUBECONFIG={path}")


@app.command()
def down(data_dir: DataDirOption = None) -> None:
    """Stop what runs on a data directory, and leave nothing of it on the host but the directory.

    \b
    busk8s down
    busk8s down --data-dir ./two
    """
    import asyncio

    from busk8s.cli import launch
    from busk8s.cli.api import NotRunning

    data = _data(data_dir)
    if not (data.path / "cluster.json").exists():
        raise NotRunning(f"there is no cluster in {data.path}")
    data.identify()
    found = launch.running(data)
    if found is not None:
        with output.Waiting(f"stopping {found.kind} in {data.path}"):
            launch.stop(data, found)
    # Whatever was killed hard, or outlives its kubelet by design, is cleaned up here.
    asyncio.run(_clean(data))
    output.say("down" if found else "it was not running; cleaned up")


async def _clean(data: DataDir) -> None:
    from busk8s.worker import app as worker

    roots = [data.path, *sorted((data.path / "nodes").glob("*"))]
    for root in roots:
        if (root / "runtime").exists():
            await worker.tear_down(root)


@app.command()
@with_login_flags
def master(
    data_dir: DataDirOption = None,
    bind: BindOption = "127.0.0.1",
    advertise: AdvertiseOption = "",
    https_port: HttpsOption = HTTPS_PORT,
    bus_port: BusOption = None,
    grace: GraceOption = 5.0,
    tls_name: NamesOption = None,
    detach: DetachOption = False,
    *,
    login: dict[str, Any],
) -> None:
    """API server, controllers and scheduler, a process each, and a supervisor.

    \b
    busk8s master --bind-address 192.0.2.10
    busk8s token create                         what workers join with
    """
    data = _data(data_dir)
    settings = _master(data, bind, advertise, https_port, bus_port, grace, tls_name, login)
    data.not_in_use()
    ports_free(settings)
    _supervise("master", data, to_flags(settings), detach)


@app.command()
def worker(
    join: JoinOption = "",
    name: NameOption = "",
    data_dir: DataDirOption = None,
    node_ip: NodeIpOption = "",
    label: LabelOption = None,
    proxy: ProxyOption = "auto",
    runtime: RuntimeOption = "process",
    detach: DetachOption = False,
) -> None:
    """Kubelet and proxy, a process each. The URL is needed the first time only.

    \b
    busk8s worker --join 'busk8s://...'
    busk8s worker                               again, after a reboot
    """
    data = _data(data_dir, worker=True)
    settings = _worker(data, join, name, node_ip, label, proxy, runtime)
    data.not_in_use()
    _supervise("worker", data, to_flags(settings), detach)


def _worker(
    data: DataDir,
    join: str,
    name: str,
    node_ip: str,
    label: list[str] | None,
    proxy: str,
    runtime: str,
) -> WorkerSettings:
    return WorkerSettings(
        data.path,
        node_name=name,
        join=join,
        node_ip=node_ip,
        labels=tuple(label or ()),
        proxy=proxy,
        runtime=runtime,
    ).check()


def _supervise(kind: str, data: DataDir, flags: list[str], detach: bool) -> None:
    from busk8s.cli import launch

    if not detach:
        launch.become("busk8s.cli.supervisor", [kind, *flags])
    with output.Waiting(f"starting {kind} in {data.path}"):
        launch.detach("busk8s.cli.supervisor", [kind, *flags], data.logs / f"{kind}.log")
    output.say(f"{kind} is ready")


def _component(name: str, text: str) -> None:
    """One process of the master, alone."""

    def command(
        data_dir: DataDirOption = None,
        bind: BindOption = "127.0.0.1",
        advertise: AdvertiseOption = "",
        https_port: HttpsOption = HTTPS_PORT,
        bus_port: BusOption = None,
        grace: GraceOption = 5.0,
        tls_name: NamesOption = None,
        *,
        login: dict[str, Any],
    ) -> None:
        from busk8s.cli import launch

        data = _data(data_dir)
        settings = _master(data, bind, advertise, https_port, bus_port, grace, tls_name, login)
        launch.become("busk8s.master.app", [name, *to_flags(settings)])

    app.command(name, help=text)(with_login_flags(command))


_component("apiserver", "The API server alone; the only process that touches the store.")
_component("controller-manager", "The controllers alone, beside a running apiserver.")
_component("scheduler", "The scheduler alone, beside a running apiserver.")


def _worker_component(name: str, text: str) -> None:
    """One process of a worker, alone."""

    def command(
        join: JoinOption = "",
        node_name: NameOption = "",
        data_dir: DataDirOption = None,
        node_ip: NodeIpOption = "",
        label: LabelOption = None,
        proxy: ProxyOption = "auto",
        runtime: RuntimeOption = "process",
    ) -> None:
        from busk8s.cli import launch

        data = _data(data_dir, worker=True)
        settings = _worker(data, join, node_name, node_ip, label, proxy, runtime)
        launch.become("busk8s.worker.app", [name, *to_flags(settings)])

    app.command(name, help=text)(command)


_worker_component("kubelet", "The kubelet alone: joins if it must, runs pods.")
_worker_component("proxy", "The service proxy alone, beside a kubelet that has joined.")


@token_app.command("create")
def token_create(
    data_dir: DataDirOption = None,
    ttl_hours: Annotated[float, typer.Option("--ttl-hours", help="0 = for ever.", min=0)] = 24.0,
    description: Annotated[str, typer.Option("--description")] = "",
) -> None:
    """Print a join URL.

    \b
    busk8s worker --join "$(busk8s token create)"
    """
    from busk8s.cli import verbs
    from busk8s.clock import SystemClock

    now = SystemClock().now()
    verbs.token_create(_data(data_dir), ttl_s=ttl_hours * 3600, description=description, now=now)


@token_app.command("list")
def token_list(data_dir: DataDirOption = None) -> None:
    """Tokens, without their secrets."""
    from busk8s.cli import verbs

    verbs.token_list(_data(data_dir))


@token_app.command("revoke")
def token_revoke(
    token: Annotated[str, typer.Argument(help="Its id, the token, or the join URL.")],
    data_dir: DataDirOption = None,
) -> None:
    """Take a token back; workers that have joined stay."""
    from busk8s.cli import verbs

    verbs.token_revoke(_data(data_dir), token)


@app.command()
def kubeconfig(
    data_dir: DataDirOption = None,
    token: Annotated[
        bool, typer.Option("--token", help="With the bearer token instead of a certificate.")
    ] = False,
) -> None:
    """Print the admin's kubeconfig.

    \b
    busk8s kubeconfig > ~/.kube/config
    """
    from busk8s.cli import verbs

    verbs.kubeconfig(_data(data_dir), token=token)


@app.command("rotate-encryption-key")
def rotate_encryption_key(data_dir: DataDirOption = None) -> None:
    """Seal all Secrets with a new key and forget the old one. The master must be down."""
    from busk8s.cli import verbs

    verbs.rotate_encryption_key(_data(data_dir))


@app.command()
def status(data_dir: DataDirOption = None) -> None:
    """What runs, and whether all of it is well (exit code 4 if not)."""
    from busk8s.cli import verbs

    if not verbs.status(_data(data_dir)):
        raise typer.Exit(NOT_WELL)


@app.command()
def tap(data_dir: DataDirOption = None) -> None:
    """The bus as it flows, until Ctrl-C: time, direction, peer, topic or verb, object, bytes."""
    import asyncio

    from busk8s.cli import verbs

    asyncio.run(verbs.tap(_data(data_dir)))

"""Settings of each component, validated once where they enter; and where a cluster keeps its files.

Owns      the layout of a data directory, its lock, the cluster's id, the ports.
Leaves    what is in the files (pki, store, bus), how flags look (cli).
Invariant one data directory belongs to one cluster and one running master; every path,
          socket, table and device name that two clusters could fight over derives from it.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import re
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from busk8s.audit_settings import AuditSettings
from busk8s.ids import IdSource

HTTPS_PORT = 6440
REQUESTS_PORT = 6441
FEED_PORT = 6442
HEARTBEATS_PORT = 6443
PORT_FLAGS = ("--https-port", "--bus-port", "--bus-port", "--bus-port")  # As users set them.
LAYOUT_VERSION = 1
LOCK_TRIES = 5
LOCK_PAUSE_S = 0.02
ENDING_S = 10.0  # The supervisor was killed: its children see it and end; so long we wait.
UNKNOWN_HOLDER = -1  # It has the lock and has not yet written who it is.
SOCKET_PATH_BYTES_MAX = 100  # sun_path holds 108, names of sockets included.


class ConfigError(Exception):
    """A setting, a port or a data directory that cannot be used; says which and what to do."""


def default_data_dir() -> Path:
    """`/var/lib/busk8s` for root, the user's data home otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/busk8s")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "busk8s"


@dataclass(frozen=True, slots=True)
class MasterSettings(AuditSettings):
    """What a master is started with. Port 0: any free one (tests)."""

    data_dir: Path
    bind: str = "127.0.0.1"
    https_port: int = HTTPS_PORT
    requests_port: int = REQUESTS_PORT
    feed_port: int = FEED_PORT
    heartbeats_port: int = HEARTBEATS_PORT
    advertise: str = ""  # the address others reach us by; "" = bind, or this host's own
    service_cidr: str = ""  # "" = chosen once for this cluster (apiserver/ranges.py)
    pod_cidr: str = ""
    beat_s: float = 1.0
    grace_s: float = 5.0
    extra_names: tuple[str, ...] = ()  # more names and addresses in the serving certificate

    def check(self) -> MasterSettings:
        """Self, or ConfigError naming the first setting that cannot be right."""
        for flag, port in zip(PORT_FLAGS, self.ports, strict=True):
            if not 0 <= port <= 65_535:
                raise ConfigError(f"{flag}: {port} is not a port (0-65535)")
        taken = [p for p in self.ports if p]
        if len(set(taken)) != len(taken):
            raise ConfigError(f"each port may be used once, not {', '.join(map(str, taken))}")
        _check_address("--bind-address", self.bind)
        if self.advertise:
            _check_address("--advertise-address", self.advertise)
        for name in self.extra_names:
            if not _TLS_NAME.fullmatch(name) and not _is_address(name):
                raise ConfigError(f"--tls-name: {name!r} is neither a DNS name nor an IP address")
        if not 0.05 <= self.beat_s <= 60:
            raise ConfigError(f"--beat: {self.beat_s:g} s is not between 0.05 and 60")
        if self.grace_s < 2 * self.beat_s:
            raise ConfigError("--node-grace must be at least two beats, or every node flaps")
        if wrong := self.wrong():
            raise ConfigError(wrong)
        return self

    @property
    def ports(self) -> tuple[int, int, int, int]:
        return (self.https_port, self.requests_port, self.feed_port, self.heartbeats_port)

    @property
    def reached_at(self) -> str:
        """The address that goes into kubeconfigs and join URLs."""
        if self.advertise:
            return self.advertise
        return own_address() if self.bind in ("0.0.0.0", "::") else self.bind

    def with_ports(self, ports: Sequence[int]) -> MasterSettings:
        https, requests, feed, heartbeats = ports
        return replace(
            self,
            https_port=https,
            requests_port=requests,
            feed_port=feed,
            heartbeats_port=heartbeats,
        )


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker is started with. `join` is needed the first time only."""

    data_dir: Path
    node_name: str = ""  # "" = this host's name
    join: str = ""  # busk8s://<id>.<secret>@host:port/<server public key>
    node_ip: str = ""  # "" = the address this host reaches the master from
    labels: tuple[str, ...] = ()  # key=value
    proxy: str = "auto"  # auto, nftables, userspace, none
    runtime: str = "process"  # process, hollow
    service_cidr: str = ""  # "" = learnt from the services there are

    def check(self) -> WorkerSettings:
        name = self.node_name
        if name and not _NODE_NAME.fullmatch(name):
            raise ConfigError(
                f"--name: {name!r} is not a node name: lower-case letters, digits, '-' and '.'"
            )
        if self.join and not self.join.startswith("busk8s://"):
            raise ConfigError(
                f"--join: {self.join!r} is not a join URL: `busk8s token create` prints one "
                "(busk8s://<token>@<host>:<port>/<key>)"
            )
        if self.node_ip:
            _check_address("--node-ip", self.node_ip)
        if self.proxy not in ("auto", "nftables", "userspace", "none"):
            raise ConfigError(f"--proxy: {self.proxy!r} is not auto, nftables, userspace or none")
        if self.runtime not in ("process", "hollow"):
            raise ConfigError(f"--runtime: {self.runtime!r} is not process or hollow")
        for label in self.labels:
            if "=" not in label:
                raise ConfigError(f"--label: {label!r} is not key=value")
        return self

    @property
    def name(self) -> str:
        return self.node_name or socket.gethostname().lower()


_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TLS_NAME = re.compile(r"(\*\.)?[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?")
Settings = TypeVar("Settings", MasterSettings, WorkerSettings)


def to_flags(settings: MasterSettings | WorkerSettings) -> list[str]:
    """The command line that `from_flags` reads back: for the process that runs a component."""
    flags: list[str] = []
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        values = value if isinstance(value, tuple) else (value,)
        flags += [f"{_flag(entry.name)}={one}" for one in values]
    return flags


def from_flags(kind: type[Settings], flags: Sequence[str]) -> Settings:
    """Settings from flags. Long-running processes use this: it needs nothing but argparse."""
    import argparse

    parser = argparse.ArgumentParser(allow_abbrev=False)
    for entry in fields(kind):
        many = isinstance(entry.default, tuple)
        read: Any = Path if entry.name == "data_dir" else str if many else type(entry.default)
        read = _truth if read is bool else read
        parser.add_argument(
            _flag(entry.name),
            dest=entry.name,
            type=read,
            action="append" if many else "store",
            default=[] if many else entry.default,
            required=entry.name == "data_dir",
        )
    given: dict[str, Any] = vars(parser.parse_args(flags))
    tupled: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return kind(**tupled)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)  # argparse names the flag
    return text.lower() == "true"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_address(flag: str, text: str) -> None:
    if not _is_address(text):
        raise ConfigError(f"{flag}: {text!r} is not an IP address")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)  # Not the resolver: it takes "999" for 0.0.3.231.
    except ValueError:
        return False
    return True


def own_address() -> str:
    """The address this host would use to reach others; loopback when it has no route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: this only asks the routing table
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


class DataDir:
    """A cluster's directory: `open()` makes or checks it, `lock()` claims it for this process."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.cluster_id = ""
        self._lock: int | None = None

    @property
    def pki(self) -> Path:
        return self.path / "pki"

    @property
    def database(self) -> Path:
        return self.path / "store.db"

    @property
    def encryption_keys(self) -> Path:
        """What Secrets in the database are sealed with. Without it they are lost."""
        return self.path / "encryption-keys.json"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "admin.kubeconfig"

    @property
    def admin_token(self) -> Path:
        return self.path / "pki" / "admin.token"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def state(self) -> Path:
        """What the running master tells other commands: process ids and ports."""
        return self.path / "running.json"

    @property
    def endpoints(self) -> Path:
        """Where the running API server is reached, and the key of its bus."""
        return self.path / "endpoints.json"

    def node(self, name: str) -> Path:
        return self.path / "nodes" / name

    @property
    def sockets(self) -> Path:
        """For `ipc://` sockets: 0700, short enough for sun_path whatever the data directory."""
        inside = self.path / "run"
        if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES_MAX - 30:
            return inside
        return Path(tempfile.gettempdir()) / f"busk8s-{os.geteuid()}-{self.cluster_id}"

    def open(self, ids: IdSource) -> DataDir:
        """Make it, or recognise it. Raises ConfigError for anything that is not ours."""
        marker = self.path / "cluster.json"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not marker.exists():
                self._found(marker, ids)
            self.cluster_id = _read_marker(marker)
            for directory in (self.sockets, self.logs):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"data directory {self.path}: {error.strerror or error}") from None
        return self

    def _found(self, marker: Path, ids: IdSource) -> None:
        strangers = sorted(p.name for p in self.path.iterdir() if p.name not in ("lock", "logs"))
        if strangers:
            raise ConfigError(
                f"{self.path} is not a busk8s data directory (no cluster.json) and not empty "
                f"({strangers[0]!r} is there): choose another --data-dir, or empty it"
            )
        os.chmod(self.path, 0o700)
        cluster = {"id": ids.suffix(6), "layout": LAYOUT_VERSION}
        write_private(marker, json.dumps(cluster).encode())

    def identify(self) -> DataDir:
        """Read the cluster's id of a directory that is there. ConfigError when it is not ours."""
        marker = self.path / "cluster.json"
        if not marker.exists():
            raise ConfigError(f"there is no cluster in {self.path}")
        self.cluster_id = _read_marker(marker)
        return self

    def identified(self) -> str:
        """The cluster's id."""
        return self.identify().cluster_id

    @property
    def lock_fd(self) -> int:
        """The claim itself, for processes that must end before another may have it; or -1."""
        return -1 if self._lock is None else self._lock

    def held_by(self) -> int:
        """The process that has the lock, 0 when none has. It may be dead, and its children not."""
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            said = os.read(handle, 32)
            return int(said) if said.isdigit() else UNKNOWN_HOLDER
        finally:
            os.close(handle)
        return 0

    def lock(self) -> DataDir:
        """Claim it until this process ends. Raises ConfigError when another has it."""
        self.not_in_use()
        handle = self._claim("lock")
        if handle is None:
            raise self._in_use(self.held_by())
        self._lock = handle
        return self

    def claim(self, component: str) -> None:
        """Nobody else runs `component` on this directory as long as this process lives."""
        until = time.monotonic() + ENDING_S  # noqa: TID251 - another process's end: real time
        while self._claim(f"{component}.lock") is None:
            if time.monotonic() > until:  # noqa: TID251
                raise ConfigError(f"another {component} runs on the data directory {self.path}")
            time.sleep(LOCK_PAUSE_S)

    def _claim(self, name: str) -> int | None:
        """The open, locked file with our process id in it; None when another has it."""
        try:
            handle = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not _locked(handle):
                os.close(handle)
                return None
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        except OSError as error:
            raise ConfigError(f"data directory {self.path}: {error.strerror}") from None
        return handle

    def not_in_use(self) -> None:
        """ConfigError when another process has it; one that is just ending is waited for."""
        until = time.monotonic() + ENDING_S  # noqa: TID251 - other processes' ends: real time
        while (holder := self.held_by()) and not _alive(holder):
            if time.monotonic() > until:  # noqa: TID251
                break
            time.sleep(LOCK_PAUSE_S)
        if holder:
            raise self._in_use(holder)

    def _in_use(self, holder: int) -> ConfigError:
        who = f"process {holder}" if holder > 0 else "another process"
        return ConfigError(
            f"data directory {self.path} is in use by {who}: "
            f"stop it (busk8s down --data-dir {self.path}) or choose another --data-dir"
        )

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _alive(process: int) -> bool:
    if process <= 0:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _locked(handle: int) -> bool:
    """Whether `handle` got its lock. Asking who has it (held_by) takes it for an instant."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOCK_PAUSE_S)
        else:
            return True
    return False


def _read_marker(marker: Path) -> str:
    try:
        cluster = json.loads(marker.read_bytes())
        layout, cluster_id = int(cluster["layout"]), str(cluster["id"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{marker} is damaged: it must hold the cluster's id and layout; restore it from a "
            "backup, or choose another --data-dir"
        ) from None
    if layout != LAYOUT_VERSION:
        raise ConfigError(
            f"{marker} has layout {layout}, this busk8s knows {LAYOUT_VERSION}: "
            "it belongs to another version"
        )
    if not (cluster_id.isalnum() and 1 <= len(cluster_id) <= 12):
        raise ConfigError(f"{marker} is damaged: {cluster_id!r} is not a cluster id")
    return cluster_id


def write_private(path: Path, data: bytes) -> None:
    """`data` at `path` with mode 0600, whole or not at all, on disk when this returns."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def listen(flag: str, address: str, port: int) -> socket.socket:
    """A bound TCP socket; ConfigError names the flag when the port is taken or forbidden."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen(1_024)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"{flag}: cannot listen on {address}:{port}: {error.strerror}; choose another port"
        ) from None
    return bound


def ports_free(settings: MasterSettings) -> None:
    """ConfigError for the first port of `settings` that someone else has."""
    for flag, port in zip(PORT_FLAGS, settings.ports, strict=True):
        if port:
            listen(flag, settings.bind, port).close()

"""How a worker comes into its cluster: its keys, the join, what it remembers for the next start.

Owns      `membership.json` and the key file in the worker's directory.
Leaves    the question itself (bus.joining), the answer (the master).
Invariant once joined, a worker needs neither URL nor token again; a worker that was not taken in
          remembers nothing.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from busk8s.bus.joining import Invitation, join, parse_invitation
from busk8s.bus.security import KeyFileDamaged, load_keys
from busk8s.bus.transport import Network
from busk8s.bus.wire import Endpoints, Keys
from busk8s.config import ConfigError, WorkerSettings, write_private
from busk8s.errors import Error
from busk8s.ids import IdSource
from busk8s.protocol import Join

SERVER_KEY_LENGTH = 40  # Of a CURVE key in z85.


@dataclass(frozen=True, slots=True)
class Membership:
    """Which node of which master this directory is."""

    node: str
    host: str
    requests: int
    feed: int
    heartbeats: int
    server_key: str

    @property
    def endpoints(self) -> Endpoints:
        host = f"[{self.host}]" if ":" in self.host else self.host
        ports = (self.requests, self.feed, self.heartbeats)
        return Endpoints(*(f"tcp://{host}:{port}" for port in ports))

    def own_address(self) -> str:
        """The address this host reaches the master from: what others reach the node by."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((self.host, self.requests))
            except OSError:
                return "127.0.0.1"
            return str(probe.getsockname()[0])


def keys_of(root: Path) -> Keys:
    try:
        return load_keys(root / "worker.key")
    except KeyFileDamaged as error:
        raise ConfigError(str(error)) from None


def remembered(root: Path) -> Membership | None:
    path = root / "membership.json"
    if not path.exists():
        return None
    try:
        found = Membership(**json.loads(path.read_bytes()))
        ports = (found.requests, found.feed, found.heartbeats)
        whole = all(isinstance(port, int) for port in ports) and isinstance(found.node, str)
        if not whole or len(found.server_key) != SERVER_KEY_LENGTH:
            raise ValueError("not what a join writes")
        return found
    except (ValueError, TypeError):
        raise ConfigError(f"{path} is damaged: remove it and join again") from None


async def member(root: Path, settings: WorkerSettings, ids: IdSource) -> Membership:
    """Who we are, by memory or by joining. Raises ConfigError with the reason and the way out."""
    root.mkdir(parents=True, exist_ok=True)
    known = remembered(root)
    if known is not None:
        if settings.node_name and settings.node_name != known.node:
            raise ConfigError(
                f'{root} belongs to node "{known.node}", not "{settings.node_name}": '
                "use another --data-dir for another node"
            )
        return known
    if not settings.join:
        raise ConfigError(
            "this worker has not joined a cluster yet: give --join URL "
            "(`busk8s token create` on the master prints it)"
        )
    try:
        invitation = parse_invitation(settings.join)
        socket.getaddrinfo(invitation.host, invitation.port)  # ZeroMQ would try for ever, silently
        answer = await _ask(invitation, keys_of(root), settings, ids)
    except Error as error:
        raise ConfigError(f"cannot join: {error.message}") from None
    except socket.gaierror as error:
        raise ConfigError(f"cannot join: {invitation.host}: {error.strerror}") from None
    joined = Membership(
        node=answer["node"],
        host=invitation.host,
        requests=int(answer["requests"]),
        feed=int(answer["feed"]),
        heartbeats=int(answer["heartbeats"]),
        server_key=invitation.server_key,
    )
    write_private(root / "membership.json", json.dumps(asdict(joined)).encode())
    return joined


async def _ask(
    invitation: Invitation, keys: Keys, settings: WorkerSettings, ids: IdSource
) -> dict[str, str]:
    network = Network()
    host = f"[{invitation.host}]" if ":" in invitation.host else invitation.host
    address = f"tcp://{host}:{invitation.port}"
    message = Join(
        id=str(ids.uid()),
        token_id=invitation.token_id,
        token_secret=invitation.token_secret,
        node=settings.name,
        info=orjson.dumps({"labels": dict(label.split("=", 1) for label in settings.labels)}),
    )
    try:
        endpoints = Endpoints(address, address, address)  # only `requests` is used to join
        connection = network.connect(endpoints, keys, invitation.server_key)
        answer = await join(connection, message)
    finally:
        network.close()
    body: dict[str, str] = orjson.loads(answer.body)
    if answer.status >= 400:
        raise Error.from_status(body)
    return body

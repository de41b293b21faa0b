"""Connections to ports inside a pod: made by a child that steps into the pod's network.

Owns      the child, its time limit, how many there may be.
Leaves    what flows: the connected socket goes to the client, this process has no part in it.
Invariant this process never waits for a port; a child answers in its place and ends.
"""

from __future__ import annotations

import os
import signal
import socket

from busk8s.worker.runtime import linux
from busk8s.worker.runtime.failure import Failure
from busk8s.worker.runtime.peers import Peer, frame

DIALS_MAX = 64  # Children at once.
CONNECT_S = 10.0
ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class Dialing:
    def __init__(self) -> None:
        self._children: dict[int, None] = {}

    def connect(self, namespaces: list[int], port: int, peer: Peer, number: object) -> None:
        """Answer `peer`'s request `number` with a connection to `port`, or why there is none."""
        if len(self._children) >= DIALS_MAX:
            raise Failure("TooManyConnections", f"{DIALS_MAX} connections are being made already")
        pid = os.fork()
        if pid == 0:
            _child(namespaces, port, peer.link, number)
        self._children[pid] = None

    def child_ended(self, pid: int) -> bool:
        return pid in self._children and self._children.pop(pid) is None


def _child(namespaces: list[int], port: int, link: socket.socket, number: object) -> None:
    try:
        signal.set_wakeup_fd(-1)
        for kind in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGALRM):
            signal.signal(kind, signal.SIG_DFL)
        signal.alarm(int(2 * CONNECT_S) + 5)
        for fd in namespaces:
            linux.setns(fd)
        made, why = _dial(port)
        link.setblocking(True)
        if made is not None:
            socket.send_fds(link, [frame({"id": number, "result": {}})], [made.fileno()])
        else:
            said = {"reason": "ConnectFailed", "message": why}
            link.sendall(frame({"id": number, "failure": said}))
    finally:
        os._exit(0)


def _dial(port: int) -> tuple[socket.socket | None, str]:
    failures = []
    for family, host in ADDRESSES:
        try:
            one = socket.socket(family, socket.SOCK_STREAM)
            one.settimeout(CONNECT_S)
            one.connect((host, port))
            return one, ""
        except OSError as error:
            failures.append(_said(family, host, port, error))
    return None, f"failed to connect to localhost:{port} inside namespace, " + " ".join(failures)


def _said(family: int, host: str, port: int, error: OSError) -> str:
    v6 = family == socket.AF_INET6
    shown = f"[{host}]:{port}" if v6 else f"{host}:{port}"
    why = "i/o timeout" if isinstance(error, TimeoutError) else os.strerror(error.errno or 0)
    return f"IPv{6 if v6 else 4}: dial tcp{6 if v6 else 4} {shown}: connect: {why.lower()}"

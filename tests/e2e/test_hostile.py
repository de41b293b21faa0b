"""Bytes that nobody should send, against a master of real processes: it answers, and stays small.

Every seed is fixed. What is measured is the API server's process: memory, descriptors, its log.
"""

from __future__ import annotations

import functools
import json
import os
import random
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from busk8s import protocol

from .conftest import BUSK8S, ROOT, Cluster, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

REQUESTS = 1_000
FRAMES = 10_000
GROWTH_BYTES_MAX = 24 * 1024 * 1024  # Of 1,000 requests or 10,000 frames, the first tenth aside.
SLOW_CLIENTS = 40
ANSWER_S = 5.0
QUIET_S = 0.15  # Many of these requests never end: so long we wait for an answer.


@dataclass(frozen=True)
class Master:
    data: Path
    pid: int

    @property
    def said(self) -> Any:
        return json.loads((self.data / "endpoints.json").read_bytes())

    @property
    def port(self) -> int:
        return int(self.said["url"].rsplit(":", 1)[1])

    def rss(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def log(self) -> str:
        return (self.data / "logs" / "master.log").read_text()

    def answers(self) -> bool:
        reply = self.exchange(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return reply.startswith(b"HTTP/1.1 200") and reply.endswith(b"ok")

    def exchange(self, raw: bytes, quiet_s: float = ANSWER_S) -> bytes:
        """Send `raw`; all that comes back until the server closes, or falls silent."""
        with connected(self.port) as client:
            client.settimeout(quiet_s)
            try:
                client.sendall(raw)
                return read_answer(client)
            except OSError:
                return b""  # It hung up on us, as it may; or waits for more, which never comes.


def connected(port: int) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), ANSWER_S)
    try:
        return trusting().wrap_socket(plain)
    except OSError:
        plain.close()
        raise


@functools.cache
def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def read_answer(client: ssl.SSLSocket) -> bytes:
    """One answer whole, if it says how long it is; otherwise all until the end."""
    found = b""
    while not whole(found) and (piece := client.recv(65_536)):
        found += piece
    return found


def whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    directory = tmp_path_factory.mktemp("hostile")
    cluster = Cluster(directory / "m", directory / "kubeconfig")
    cluster.busk8s("master", f"--data-dir={cluster.data}", "--https-port=0", "--detach")
    try:
        yield Master(cluster.data, apiserver_of(cluster.data))
    finally:
        cluster.busk8s("down", f"--data-dir={cluster.data}", check=False)


def apiserver_of(data: Path) -> int:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                command = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"apiserver" in command and f"--data-dir={data}".encode() in command:
                return int(entry)
    raise AssertionError("there is no API server")


# --- HTTP -----------------------------------------------------------------------------------------


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    fields = {"Host": "x", "Connection": "close", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace") + body


def attacks(token: str) -> list[Callable[[random.Random], bytes]]:
    """Each makes the bytes of one connection."""
    auth: dict[str, Any] = {"Authorization": f"Bearer {token}"}
    pods = "/api/v1/namespaces/default/configmaps"

    def post(body: bytes, kind: str = "application/json", **more: str) -> bytes:
        return request("POST", pods, body, Content_Type=kind, **auth, **more)

    def scrambled(rng: random.Random) -> bytes:
        good = bytearray(post(b'{"metadata":{"name":"a"},"data":{"k":"v"}}'))
        for _ in range(rng.randrange(1, 12)):
            good[rng.randrange(len(good))] = rng.randrange(256)
        return bytes(good)

    def odd_path(rng: random.Random) -> bytes:
        pieces = [
            "api",
            "apis",
            "v1",
            "..",
            "%00",
            "%2e%2e",
            "pods",
            "namespaces",
            "",
            "%ff",
            "a" * 300,
        ]
        path = "/" + "/".join(rng.choices(pieces, k=rng.randrange(1, 9)))
        query = rng.choice(
            ["", "?watch=maybe", "?limit=-1", "?continue=x", "?labelSelector=%%",
             "?fieldSelector=,=", "?resourceVersion=x&watch=1",
             "?timeoutSeconds=" + "9" * 20, "?dryRun=No",
             "?" + "&".join("a=b" for _ in range(2_000))]
        )  # fmt: skip
        return request(rng.choice(["GET", "PATCH", "DELETE", "BREW"]), path + query, **auth)

    def bad_json(rng: random.Random) -> bytes:
        return post(rng.choice([
            b"{", b"", b"null", b"[]", b'"x"', b"1e999", b"\xff\xfe", b'{"a":1,"a":2}', b"NaN",
            b'{"metadata":{"name":["x"]}}', b'{"metadata":"x"}', b'{"metadata":{"name":"\\ud800"}}',
            b'{"metadata":{"labels":{"a":' + b"9" * 400 + b"}}}", b'{"kind":5,"apiVersion":{}}',
            rng.randbytes(rng.randrange(300)),
        ]))  # fmt: skip

    def deep(rng: random.Random) -> bytes:
        depth = rng.choice([100, 5_000, 200_000])
        opening, closing = rng.choice([(b'{"a":', b"}"), (b"[", b"]"), (b"- ", b"")])
        kind = rng.choice(["application/json", "application/yaml"])
        return post(b'{"data":' + opening * depth + b"1" + closing * depth + b"}", kind)

    def yaml_bomb(rng: random.Random) -> bytes:
        rows = [b"a0: &a0 [x, x, x, x, x, x, x, x]"]
        rows += [
            b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9)
        ]
        return post(b"\n".join(rows), "application/yaml")

    def wrong_type(rng: random.Random) -> bytes:
        kind = rng.choice(["text/plain", "application/vnd.kubernetes.protobuf", "a/b", "\xe9", ""])
        return post(rng.randbytes(40), kind, Accept=rng.choice(["*/*", "image/png", ";;;", "\x7f"]))

    def bad_patch(rng: random.Random) -> bytes:
        kinds = ["json-patch", "merge-patch", "strategic-merge-patch", "apply-patch"]
        body = rng.choice([
            b'[{"op":"add"}]', b'[{"op":"test","path":"/a~2"}]', b'{"$patch":"explode"}', b"[[]]",
            b'[{"op":"copy","from":"","path":"/data/x"}]', b'{"metadata":null}',
            b'{"data":{"a":{}}}',
        ])  # fmt: skip
        kind = f"application/{rng.choice(kinds)}+json"
        return request("PATCH", f"{pods}/kube-root-ca.crt", body, Content_Type=kind, **auth)

    def huge_head(rng: random.Random) -> bytes:
        return request("GET", "/api", X_Long="x" * rng.choice([60_000, 70_000, 2_000_000]))

    def huge_body(rng: random.Random) -> bytes:
        return post(b'{"data":{"a":"' + b"x" * rng.choice([1_000_000, 4_000_000]) + b'"}}')

    def malformed(rng: random.Random) -> bytes:
        return rng.choice([
            b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n\r\n",
            b"GET / HTTP/1.1\r\n x\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /api/v1/watch HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        ]) + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"  # fmt: skip

    def noise(rng: random.Random) -> bytes:
        return rng.randbytes(rng.randrange(1, 2_000)) + b"\r\n\r\n"

    return [
        scrambled, odd_path, bad_json, deep, yaml_bomb, wrong_type, bad_patch, huge_head, huge_body,
        malformed, noise, scrambled, odd_path, bad_json,
    ]  # fmt: skip


def without_tls(master: Master, rng: random.Random) -> None:
    """Plain bytes where TLS is expected, and a TLS greeting that is cut off."""
    with socket.create_connection(("127.0.0.1", master.port), ANSWER_S) as client:
        client.sendall(rng.choice([b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\0" * 99]))


def test_a_thousand_hostile_requests(master: Master) -> None:
    rng = random.Random(20_260_611)
    token = (master.data / "pki" / "admin.token").read_text().strip()
    ways = attacks(token)
    with ExitStack() as stack:
        slow = [slow_client(master, stack) for _ in range(SLOW_CLIENTS)]
        before, opened = 0, 0
        for number in range(REQUESTS):
            if number == REQUESTS // 10:
                before, opened = master.rss(), master.descriptors()
            if number % 10 == 9:
                without_tls(master, rng)
            else:
                master_exchange(master, rng.choice(ways)(rng))
            for client in slow[number % 5 :: 5]:
                trickle(client)
        assert master.answers()
    wait_for("its connections to end", lambda: master.descriptors() <= opened, 15)
    assert master.rss() - before < GROWTH_BYTES_MAX
    assert "Traceback" not in master.log()
    assert apiserver_of(master.data) == master.pid, "it is the same process"


def master_exchange(master: Master, raw: bytes) -> None:
    """Whatever it answers: never a failure of its own. What it cannot read, it may hang up on."""
    reply = master.exchange(raw, QUIET_S)
    assert not reply.startswith(b"HTTP/1.1 500"), (raw[:300], reply[:600])


def slow_client(master: Master, stack: ExitStack) -> ssl.SSLSocket:
    client = stack.enter_context(connected(master.port))
    client.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    return client


def trickle(client: ssl.SSLSocket) -> None:
    try:
        client.sendall(b"x")
    except OSError:
        pass  # it had its time


# --- the bus --------------------------------------------------------------------------------------


def frame(rng: random.Random, known: list[protocol.Message]) -> bytes:
    """Noise, msgpack of the wrong shape, or a true message with something wrong in it."""
    match rng.randrange(5):
        case 0:
            return rng.randbytes(rng.randrange(400))
        case 1:
            packed: bytes = msgpack.packb(thing(rng, 4))
            return packed
        case 2:
            good = bytearray(protocol.encode(rng.choice(known)))
            for _ in range(rng.randrange(1, 6)):
                good[rng.randrange(len(good))] = rng.randrange(256)
            return bytes(good[: rng.randrange(1, len(good) + 1)])
        case 3:
            message = rng.choice(known)
            fields = dict(message.__dict__)
            fields[rng.choice(sorted(fields))] = thing(rng, 2)
            wrong: bytes = msgpack.packb((rng.choice([1, 1, 1, 2]), message.TAG, fields))
            return wrong
        case _:
            return protocol.encode(rng.choice(known))


def thing(rng: random.Random, depth: int) -> Any:
    if depth and rng.random() < 0.5:
        if rng.random() < 0.5:
            return [thing(rng, depth - 1) for _ in range(rng.randrange(5))]
        return {str(rng.randrange(9)): thing(rng, depth - 1) for _ in range(rng.randrange(5))}
    return rng.choice(
        [None, True, -1, 2**63, 1.5, float("inf"), "", "x" * rng.randrange(3_000), rng.randbytes(9)]
    )


def messages(rng: random.Random) -> list[protocol.Message]:
    """True messages, of every kind that a peer may send and some that only a master does."""
    session = rng.randbytes(8).hex()
    path = rng.choice(["/api/v1/pods", "/api/v1/nodes/w1", "/apis/x", "/", "no path", "/\0"])
    return [
        protocol.Hello(session=session, component="kubelet", node="w1"),
        protocol.Hello(session=session, component="\n" * 40, node="../../x"),
        protocol.Join(id=session, token_id="zzzzzz", token_secret="0" * 16, node="w9", info=b"{"),
        protocol.Join(id=session, token_id="é", token_secret="", node="", info=b"\xff"),
        protocol.Call(id=session, method="GET", path=path),
        protocol.Call(id=session, method="POST", path=path, body=rng.randbytes(90)),
        protocol.Call(id=session, method="PATCH", path="/api/v1/nodes/w1/status", body=b"[[]]"),
        protocol.Sync(session=session, topic="node/w1"),
        protocol.Sync(session=session, topic="node/\xff", epoch=-1, seq=2**60),
        protocol.Sync(session=session, topic="kind/secrets"),
        protocol.SnapshotCredit(session=session, topic="net"),
        protocol.Beat(session=session, number=rng.randrange(-5, 9), node="w1", status=b"{"),
        protocol.Beat(session=session, number=1, node="w2", positions={"net": (1, 2)}),
        protocol.StreamData(stream=session, data=b"x" * 70_000),
        protocol.StreamCredit(stream=session, credit=-1),
        protocol.StreamEnd(stream=session, error=b"\0"),
        protocol.Mark(nonce=session),
    ]


class Peer:
    """A CURVE client of all three sockets that reads and forgets whatever is answered."""

    def __init__(self, master: Master, public: bytes, secret: bytes) -> None:
        self._context = zmq.Context()
        said = master.said
        server = said["server_key"].encode()
        self.sockets = []
        kinds = ((zmq.DEALER, "requests"), (zmq.DEALER, "heartbeats"), (zmq.XSUB, "feed"))
        for kind, name in kinds:
            made = self._context.socket(kind)
            made.linger = 0
            made.curve_serverkey = server
            made.curve_publickey, made.curve_secretkey = public, secret
            made.connect(f"tcp://{said['host']}:{said[name + '_port']}")
            self.sockets.append(made)

    def throw(self, rng: random.Random, data: bytes) -> None:
        target = rng.choices(self.sockets, [8, 2, 1])[0]
        parts = [data] if rng.random() < 0.9 else [data, b"", rng.randbytes(5)]
        try:
            if target is self.sockets[2] and rng.random() < 0.7:
                parts = [
                    bytes([rng.randrange(2)]) + rng.choice([b"net/1/", b"kind/secrets/1/", data])
                ]
            target.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            pass  # its queue is full, or it does not let us in
        for made in self.sockets:
            self._drain(made)

    @staticmethod
    def _drain(made: zmq.Socket[bytes]) -> None:
        try:
            while True:
                made.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            pass

    def close(self) -> None:
        self._context.destroy(0)


def node_keys(cluster: Cluster, directory: Path) -> tuple[bytes, bytes]:
    """The key pair of a worker that has joined, and is gone."""
    url = cluster.busk8s("token", "create", f"--data-dir={cluster.data}").stdout.strip()
    worker = subprocess.Popen(
        [*BUSK8S, "kubelet", f"--join={url}", "--name=w1", f"--data-dir={directory}"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for("the join", (directory / "membership.json").exists, 20)
    finally:
        worker.terminate()
        worker.wait()
        cluster.busk8s("down", f"--data-dir={directory}", check=False)
    secret = (directory / "worker.key").read_bytes().strip()
    return zmq.curve_public(secret), secret


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_ten_thousand_hostile_frames(master: Master, tmp_path: Path) -> None:
    rng = random.Random(20_260_612)
    cluster = Cluster(master.data, tmp_path / "kubeconfig")
    peers = [Peer(master, *zmq.curve_keypair()), Peer(master, *node_keys(cluster, tmp_path / "w"))]
    before, opened = 0, 0
    try:
        for number in range(FRAMES):
            if number == FRAMES // 10:
                time.sleep(0.5)
                before, opened = master.rss(), master.descriptors()
            peers[number % 2].throw(rng, frame(rng, messages(rng)))
            if number % 500 == 0:
                assert master.answers()
        wait_for("an answer", master.answers)
    finally:
        for peer in peers:
            peer.close()
    wait_for("its connections to end", lambda: master.descriptors() <= opened, 10)
    assert master.rss() - before < GROWTH_BYTES_MAX
    assert "Traceback" not in master.log()
    assert apiserver_of(master.data) == master.pid
    assert cluster.busk8s("status", f"--data-dir={master.data}", check=False).returncode in (0, 4)

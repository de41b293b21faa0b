"""A real HTTPS server on loopback that answers as a test says, and certificates for it."""

from __future__ import annotations

import asyncio
import base64
import datetime
import functools
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from busk8s.tasks import Nursery

Json = dict[str, Any]
DAY = datetime.timedelta(days=1)


class Certificates:
    """A CA, and certificates that it (or another) signed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ca of {path.name}")])
        made = self._builder(self._name, self._key, 10)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        self.ca = made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        self.bundle = base64.b64encode(self.ca).decode()

    def server(self, *names: str, days: int = 10) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = self._builder(subject, key, days)
        made = made.add_extension(
            x509.SubjectAlternativeName([_alternative(n) for n in names]), False
        )
        file = self.path / f"{abs(hash((names, days)))}.pem"
        file.write_bytes(
            made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 20 * DAY)
            .not_valid_after(now + days * DAY)
        )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class HookServer:
    """`answer(review) -> review | bytes | (status, bytes)`; `asked` holds what came in."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[Json] = []
        self.targets: list[str] = []
        self.heads: list[str] = []
        self.connections = 0
        self.answer: Callable[[Json], Any] = allow
        self.raw: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any] | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
                self.heads.append(head)
                self.targets.append(head.split(" ")[1])
                self.asked.append(orjson.loads(body) if body else {})
                if self.raw is not None:
                    await self.raw(reader, writer)
                    return
                said = self.answer(self.asked[-1])
                status, data = said if isinstance(said, tuple) else (200, said)
                data = data if isinstance(data, bytes) else orjson.dumps(data)
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (status, len(data), data)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass  # the end of the connection or of the test; a cancelled task would be logged
        finally:
            writer.transport.abort()


@asynccontextmanager
async def hook_server(context: ssl.SSLContext | None) -> AsyncIterator[HookServer]:
    hooks = HookServer()
    tasks = Nursery()
    writers: list[asyncio.StreamWriter] = []

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.spawn(hooks.serve(reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    hooks.port = server.sockets[0].getsockname()[1]
    try:
        yield hooks
    finally:
        server.close()
        await tasks.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.02)  # transports that were cut off close their sockets


def review(asked: Json, **response: Any) -> Json:
    return {
        "kind": "AdmissionReview",
        "apiVersion": asked["apiVersion"],
        "response": {"uid": asked["request"]["uid"], "allowed": True, **response},
    }


def allow(asked: Json) -> Json:
    return review(asked)


def deny(message: str = "", **status: Any) -> Callable[[Json], Json]:
    def answer(asked: Json) -> Json:
        said = {**({"message": message} if message else {}), **status}
        return review(asked, allowed=False, **({"status": said} if said else {}))

    return answer


def patch(*operations: Json) -> Callable[[Json], Json]:
    data = base64.b64encode(orjson.dumps(list(operations))).decode()
    return functools.partial(review, patch=data, patchType="JSONPatch")

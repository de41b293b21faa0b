"""Asks a container how it is: exec, HTTP GET, TCP connect. One attempt, one answer.

Owns      the requests and what counts as success, in upstream's words.
Leaves    timing and thresholds. gRPC is refused by name when the pod is admitted.
Bound     BODY_MAX of an answer is read.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from busk8s.api.object import Json
from busk8s.worker.kubelet.pods import ContainerSpec
from busk8s.worker.runtime.base import Runtime, RuntimeFailure

BODY_MAX = 10 * 1024
OUTPUT_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Answer:
    ok: bool
    output: str = ""


async def ask(
    handler: Json,
    spec: ContainerSpec,
    container_id: str,
    ip: str,
    runtime: Runtime,
    *,
    limit_s: float,
) -> Answer:
    try:
        async with asyncio.timeout(limit_s):
            if command := (handler.get("exec") or {}).get("command"):
                return await _exec(runtime, container_id, command, limit_s)
            if http := handler.get("httpGet"):
                return await http_get(http, spec, ip)
            if tcp := handler.get("tcpSocket"):
                return await _tcp(tcp, spec, ip)
    except TimeoutError:
        return Answer(False, f"command timed out after {limit_s:g}s")
    return Answer(False, f"probe handler {', '.join(handler) or 'missing'} is not supported")


async def _exec(runtime: Runtime, container_id: str, command: list[str], limit_s: float) -> Answer:
    try:
        result = await runtime.exec_sync(container_id, command, limit_s)
    except RuntimeFailure as failure:
        return Answer(False, failure.message)
    output = (result.stdout + result.stderr)[:OUTPUT_MAX].decode(errors="replace")
    return Answer(result.exit_code == 0, output)


async def _tcp(tcp: Json, spec: ContainerSpec, ip: str) -> Answer:
    host, port = tcp.get("host") or ip, resolve_port(tcp["port"], spec)
    try:
        _reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return Answer(False, f"dial tcp {host}:{port}: {_words(error)}")
    writer.close()
    return Answer(True)


async def http_get(http: Json, spec: ContainerSpec, ip: str) -> Answer:
    """Any 2xx or 3xx will do. Redirects are not followed; certificates are not checked."""
    host, port = http.get("host") or ip, resolve_port(http["port"], spec)
    secure = http.get("scheme", "HTTP").upper() == "HTTPS"
    path = http.get("path") or "/"
    url = f"{'https' if secure else 'http'}://{host}:{port}{path}"
    try:
        status, body = await _fetch(http, host, port, path, secure=secure)
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        return Answer(False, f'Get "{url}": {_words(error)}')
    if 200 <= status < 400:
        return Answer(True, body)
    return Answer(False, f"HTTP probe failed with statuscode: {status}")


async def _fetch(http: Json, host: str, port: int, path: str, *, secure: bool) -> tuple[int, str]:
    context = None
    if secure:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.37", "Accept": "*/*"}
        for header in http.get("httpHeaders") or ():
            headers[header["name"].title()] = header["value"]
        lines = [f"GET {path if path.startswith('/') else '/' + path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += ["Connection: close", "", ""]
        writer.write("\r\n".join(lines).encode())
        first = (await reader.readline()).split(None, 2)
        if len(first) < 2 or not first[0].startswith(b"HTTP/"):
            raise ValueError("malformed HTTP response")
        body = b""
        if int(first[1]) >= 400:
            body = await reader.read(BODY_MAX)
        return int(first[1]), body[:OUTPUT_MAX].decode(errors="replace")
    finally:
        writer.close()


def resolve_port(port: int | str, spec: ContainerSpec) -> int:
    """A number, a number as text, or the name of one of the container's ports."""
    if isinstance(port, int):
        return port
    for declared in spec.raw.get("ports") or ():
        if declared.get("name") == port:
            return int(declared["containerPort"])
    if port.isdigit():
        return int(port)
    raise ValueError(f"couldn't find port: {port}")


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return str(error) or type(error).__name__

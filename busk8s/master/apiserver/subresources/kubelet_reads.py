"""nodes/NAME/proxy: a question to the node's kubelet, asked over the bus, where it has no port.

Owns      how a request becomes a stream and its answer a Response.
Leaves    paths and contents (worker/kubelet/read_api), the stream (NodeStreams).
Invariant an answer flows at the speed of its reader; a head that is none ends the request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from busk8s import errors
from busk8s.api.request import Request, Response
from busk8s.master.apiserver.parts import Parts

VERB = "kubelet"  # As the kubelet serves it.
HEAD_BYTES_MAX = 4 * 1024


async def ask_kubelet(parts: Parts, request: Request, node: str, path: str) -> Response:
    """`path`: behind `/proxy`, decoded. Raises errors.Error, the kubelet's refusals included."""
    if parts.streams is None:
        raise errors.Error(501, "NotImplemented", "nodes/proxy is not available on this server")
    query = {name: values[0] for name, values in request.query.items() if values}
    asked = {"method": request.method, "path": path, "query": query}
    chunks = parts.streams.open(node, VERB, asked)
    try:
        status, media, body = await _head(node, chunks)
    except BaseException:
        await _close(chunks)
        raise
    return Response(status, b"", media, stream=_after(body, chunks))


async def _head(node: str, chunks: AsyncIterator[bytes]) -> tuple[int, str, bytes]:
    data = b""
    async for chunk in chunks:
        data += chunk
        line, newline, body = data.partition(b"\n")
        if newline:
            try:
                said: Any = orjson.loads(line)
                return int(said["status"]), str(said["type"]), body
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                break
        if len(data) > HEAD_BYTES_MAX:
            break
    raise errors.internal(f'the kubelet of node "{node}" answers in an unknown way')


async def _after(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        if first:
            yield first
        async for chunk in chunks:
            yield chunk
    finally:
        await _close(chunks)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()

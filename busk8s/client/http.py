"""The client over HTTPS, for whoever has a kubeconfig and no bus.

Owns      connections, TLS with our certificate, tokens, streaming answers.
Leaves    the verbs (rest), reading kubeconfigs (kubeconfig).
Invariant whatever happens to a connection becomes an `errors.Error` with code 503 or 504.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import AsyncIterator
from types import TracebackType
from urllib.parse import quote

import aiohttp
from yarl import URL

from busk8s.api.request import ANONYMOUS, Request, Response
from busk8s.client.kubeconfig import Connection
from busk8s.client.rest import RestClient
from busk8s.errors import timeout, unavailable

CONNECTIONS_MAX = 64
REQUEST_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 10.0
CHUNK_BYTES = 256 * 1024


class HttpClient(RestClient):
    """`async with HttpClient(connection) as client: …`"""

    def __init__(self, connection: Connection, *, manager: str = "busk8s") -> None:
        # Who we are is proved by certificate or token; the server finds out by itself.
        super().__init__(ANONYMOUS, manager=manager)
        self._connection = connection
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpClient:
        secure = self._connection.server.startswith("https:")
        connector = aiohttp.TCPConnector(
            limit=CONNECTIONS_MAX, ssl=_context(self._connection) if secure else True
        )
        headers = {}
        if self._connection.token:
            headers["Authorization"] = f"Bearer {self._connection.token}"
        self._session = aiohttp.ClientSession(connector=connector, headers=headers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def _send(self, request: Request) -> Response:
        assert self._session is not None, "use `async with`"
        watching = bool(request.param("watch"))
        limit = aiohttp.ClientTimeout(
            total=None if watching else REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S
        )
        headers = {"Accept": request.accept or "application/json"}
        if request.body:
            headers["Content-Type"] = request.content_type
        try:
            answer = await self._session.request(
                request.method,
                URL(self._connection.server + quote(request.path), encoded=True),
                params=[(name, v) for name, values in request.query.items() for v in values],
                data=request.body or None,
                headers=headers,
                timeout=limit,
                server_hostname=self._connection.server_name or None,
            )
            if watching and answer.status == 200:
                return Response(answer.status, stream=_chunks(answer))
            async with answer:
                return Response(answer.status, await answer.read(), answer.content_type)
        except TimeoutError as error:
            raise timeout(f"no answer from {self._connection.server}") from error
        except aiohttp.ClientError as error:
            raise unavailable(f"{self._connection.server}: {error}") from error


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async with answer:
            while chunk := await answer.content.read(CHUNK_BYTES):
                yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        raise unavailable(f"watch was cut off: {error}") from error


def _context(connection: Connection) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=connection.ca.decode() or None)
    if connection.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if connection.certificate:
        # ssl reads certificates from files only; this one is readable by us alone, and short-lived.
        handle, name = tempfile.mkstemp(prefix="busk8s-client-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(connection.certificate + b"\n" + connection.key)
            context.load_cert_chain(name)
        finally:
            os.unlink(name)
    return context

"""The other parts of the control plane, as the API server knows them, and their metrics.

Owns      who runs in this process, asking those that are reached over the bus.
Leaves    sessions and streams (bus/hub), what the pages hold (exposition), showing it
          (component_statuses, front).
Invariant a component is there when it runs here or was heard of lately; asking never waits longer
          than PAGE_S.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from busk8s import errors
from busk8s.api.request import Request, Response
from busk8s.bus.hub import Hub
from busk8s.exposition import Page
from busk8s.master.apiserver.front import Handler
from busk8s.metrics import TEXT

# By the names that people know them by; each is the user `system:NAME`.
NAMES = ("kube-controller-manager", "kube-scheduler")
VERB = "page"  # The stream that a component answers with a page of its metrics.
PAGE_S = 10.0
PAGE_BYTES_MAX = 16 * 1024 * 1024
PAGES = ("/metrics", "/metrics/slis")


class Components:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._here: dict[str, Page | None] = {}

    @contextmanager
    def here(self, name: str) -> Iterator[Callable[[Page], None]]:
        """`name` runs in this process as long as the block; what it is given is its page."""

        def tell(page: Page) -> None:
            self._here[name] = page

        self._here[name] = None
        try:
            yield tell
        finally:
            del self._here[name]

    def there(self, name: str) -> bool:
        return name in self._here or self._hub.hears(f"system:{name}")

    def handlers(self) -> Mapping[str, Handler]:
        """What answers below /metrics/: NAME and NAME/slis of each component."""
        made: dict[str, Handler] = {}
        for name in NAMES:
            made[name] = self._handler(name, "/metrics")
            made[f"{name}/slis"] = self._handler(name, "/metrics/slis")
        return made

    def _handler(self, name: str, path: str) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                async with asyncio.timeout(PAGE_S):
                    return Response(200, await self._page(name, path), TEXT)
            except TimeoutError:
                raise errors.timeout(f"{name} did not answer in time") from None

        return answer

    async def _page(self, name: str, path: str) -> bytes:
        page = self._here.get(name)
        if page is not None:
            return page.whole() if path == "/metrics" else page.slis()
        if name in self._here:
            raise errors.unavailable(f"{name} is starting")
        body = bytearray()
        async for piece in self._hub.ask(f"system:{name}", VERB, {"path": path}):
            body += piece
            if len(body) > PAGE_BYTES_MAX:
                raise errors.internal(f"{name} answers with more than {PAGE_BYTES_MAX} bytes")
        return bytes(body)

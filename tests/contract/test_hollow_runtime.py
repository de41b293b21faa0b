"""The hollow runtime passes the runtime contract, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from busk8s.clock import LoopClock
from busk8s.testing.runtime_contract import RuntimeContract
from busk8s.worker.runtime.base import Runtime
from busk8s.worker.runtime.hollow import HollowRuntime


class TestHollow(RuntimeContract):
    executes = False

    def opened(self, root: Path) -> AbstractAsyncContextManager[Runtime]:
        @asynccontextmanager
        async def hollow() -> AsyncIterator[Runtime]:
            runtime = HollowRuntime(LoopClock())
            await runtime.open()
            try:
                yield runtime
            finally:
                await runtime.close()

        return hollow()

"""What every runtime must do with streams: a suite beside `runtime_contract`."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from busk8s.testing.runtime_contract import FOREVER, pod, program, started
from busk8s.worker.runtime.base import Runtime, RuntimeFailure
from busk8s.worker.runtime.streaming import STDOUT, Attached, Wanted


async def all_of(attached: Attached, channel: int) -> bytes:
    got = bytearray()
    while data := await attached.read(channel):
        got += data
    return bytes(got)


class StreamContract:
    def opened(self, root: Path) -> AbstractAsyncContextManager[Runtime]:
        raise NotImplementedError

    async def test_a_command_gets_its_input_and_its_end(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime, asyncio.timeout(20):
            sandbox = await runtime.run_sandbox(pod())
            container = await started(runtime, sandbox.id, program(*FOREVER))
            cat = await runtime.exec(container, ["cat"], Wanted(stdin=True))
            sent = b"0123456789" * 40_000

            async def feed() -> None:
                for start in range(0, len(sent), 16_384):
                    assert await cat.write(sent[start : start + 16_384])
                assert await cat.end_input()

            got, _ = await asyncio.gather(all_of(cat, STDOUT), feed())
            assert got == sent
            assert await cat.wait() == 0
            cat.close()

    async def test_nothing_runs_where_no_container_does(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime, asyncio.timeout(20):
            sandbox = await runtime.run_sandbox(pod())
            container = await started(runtime, sandbox.id, program(*FOREVER))
            await runtime.stop_container(container, 0)
            with pytest.raises(RuntimeFailure):
                await runtime.exec(container, ["true"], Wanted())
            with pytest.raises(RuntimeFailure):
                await runtime.attach(container, Wanted())
            await runtime.stop_sandbox(sandbox.id)
            with pytest.raises(RuntimeFailure):
                await runtime.connect(sandbox.id, 80)

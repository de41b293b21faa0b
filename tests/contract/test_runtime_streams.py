"""Streams of the runtimes: the contract, and what is the process runtime's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from test_runtime import process_runtime

from busk8s.clock import SystemClock
from busk8s.testing.runtime_contract import FOREVER, eventually, pod, program, shell, started
from busk8s.testing.stream_contract import StreamContract, all_of
from busk8s.worker.runtime.base import Runtime, RuntimeFailure
from busk8s.worker.runtime.hollow import HollowRuntime
from busk8s.worker.runtime.streaming import STDERR, STDOUT, Wanted

pytestmark = pytest.mark.realtime
PORT = 18_099
LISTEN = (
    "import socket; s = socket.create_server(('127.0.0.1', %d)); "
    "c, _ = s.accept(); d = c.recv(99); c.sendall(d.upper()); c.close(); "
    "import time; time.sleep(99)"
)


class TestProcessStreams(StreamContract):
    def opened(self, root: Path) -> AbstractAsyncContextManager[Runtime]:
        return process_runtime(root)


@asynccontextmanager
async def hollow() -> AsyncIterator[Runtime]:
    runtime = HollowRuntime(SystemClock())
    await runtime.open()
    yield runtime
    await runtime.close()


class TestHollowStreams(StreamContract):
    def opened(self, root: Path) -> AbstractAsyncContextManager[Runtime]:
        return hollow()


async def test_outputs_exit_codes_and_failures_are_told_apart(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime, asyncio.timeout(20):
        sandbox = await runtime.run_sandbox(pod())
        container = await started(runtime, sandbox.id, program(*FOREVER))
        said = await runtime.exec(container, ["sh", "-c", "echo a; echo b >&2; exit 9"], Wanted())
        assert (await all_of(said, STDOUT), await all_of(said, STDERR)) == (b"a\n", b"b\n")
        assert await said.wait() == 9
        said.close()
        missing = await runtime.exec(container, ["no-such-program"], Wanted())
        with pytest.raises(RuntimeFailure, match="executable file not found"):
            await missing.wait()
        missing.close()


async def test_a_terminal_has_a_size_and_controls_its_session(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime, asyncio.timeout(20):
        sandbox = await runtime.run_sandbox(pod())
        container = await started(runtime, sandbox.id, program(*FOREVER))
        wanted = Wanted(stdin=True, stdout=True, stderr=False, tty=True)
        shell_ = await runtime.exec(
            container, ["sh", "-c", "read line; stty size </dev/tty; exit 2"], wanted
        )
        shell_.resize(100, 41)
        shell_.resize(1 << 40, 0)  # Cut to what a terminal can have.
        shell_.resize(100, 41)
        await shell_.write(b"go\n")
        assert b"41 100\r\n" in await all_of(shell_, STDOUT)
        assert await shell_.wait() == 2
        shell_.close()


async def test_a_command_whose_client_left_is_ended(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime, asyncio.timeout(20):
        sandbox = await runtime.run_sandbox(pod())
        container = await started(runtime, sandbox.id, program(*FOREVER))
        command = ["sh", "-c", "trap '' HUP; echo $$; while true; do sleep 0.05; done"]
        stubborn = await runtime.exec(container, command, Wanted())
        assert await stubborn.read(STDOUT)
        runs = await runtime.exec_sync(container, ["sh", "-c", "pgrep -c -f trap || true"], 5)
        stubborn.close()

        async def ended() -> bool:
            now = await runtime.exec_sync(container, ["sh", "-c", "pgrep -c -f trap || true"], 5)
            return int(now.stdout) < int(runs.stdout)

        await eventually(ended)


async def test_one_attached_sees_what_comes_and_writes_once(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime, asyncio.timeout(20):
        sandbox = await runtime.run_sandbox(pod(logs=str(tmp_path)))
        config = program("cat", stdin=True, stdin_once=True, log_path="c.log")
        container = await started(runtime, sandbox.id, config)
        attached = await runtime.attach(container, Wanted(stdin=True))
        watcher = await runtime.attach(container, Wanted())
        await attached.write(b"hello\n")
        assert await attached.end_input()
        assert await all_of(attached, STDOUT) == b"hello\n"
        assert await all_of(watcher, STDOUT) == b"hello\n"
        assert await attached.wait() is None  # The container has ended with its input.
        attached.close()
        watcher.close()
        assert (tmp_path / "c.log").read_text().endswith(" stdout F hello\n")


async def test_a_container_with_a_terminal_goes_on_when_its_client_leaves(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime, asyncio.timeout(20):
        sandbox = await runtime.run_sandbox(pod())
        config = shell("while read line; do echo said $line; done", stdin=True, tty=True)
        container = await started(runtime, sandbox.id, config)
        for word in ("one", "two"):
            attached = await runtime.attach(container, Wanted(stdin=True, stderr=False, tty=True))
            attached.resize(80, 24)
            await attached.write(f"{word}\n".encode())
            got = b""
            while f"said {word}".encode() not in got:
                got += await attached.read(STDOUT)
            attached.close()


async def test_a_connection_goes_into_the_pods_own_network(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime, asyncio.timeout(20):
        sandbox = await runtime.run_sandbox(pod())
        config = program("python3", "-c", LISTEN % PORT)
        await started(runtime, sandbox.id, config)
        with pytest.raises(RuntimeFailure, match="connection refused"):
            await runtime.connect(sandbox.id, PORT + 1)
        made = None
        while made is None:
            try:
                made = await runtime.connect(sandbox.id, PORT)
            except RuntimeFailure:
                await asyncio.sleep(0.05)
        await made.write(b"hello")
        assert await made.read() == b"HELLO"
        assert await made.read() == b""
        made.close()


async def test_no_descriptor_is_left_behind(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime, asyncio.timeout(30):
        sandbox = await runtime.run_sandbox(pod())
        container = await started(runtime, sandbox.id, program(*FOREVER))
        both = (os.getpid(), runtime.features["pid"])

        def held() -> list[int]:
            return [len(os.listdir(f"/proc/{pid}/fd")) for pid in both]

        async def one() -> None:
            for wanted in (Wanted(stdin=True), Wanted(stdin=True, stderr=False, tty=True)):
                made = await runtime.exec(container, ["cat"], wanted)
                made.close()
            looking = await runtime.attach(container, Wanted())
            looking.close()
            with pytest.raises(RuntimeFailure):
                await runtime.connect(sandbox.id, 1)

        await one()
        await asyncio.sleep(0.3)
        before = held()
        for _ in range(10):
            await one()

        async def settled() -> bool:
            return held() <= before

        await eventually(settled)

"""What every runtime must do: one suite, run against each form.

A test module subclasses `RuntimeContract`, supplies `opened()`, an async context manager that gives
an open runtime without sandboxes, and marks its class `realtime` where real processes run. What a
form may do differently is written here and nowhere else: `executes` is False where no program runs
(hollow), so that output and exit codes are not looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from busk8s.worker.runtime.base import (
    Container,
    ContainerConfig,
    ContainerState,
    Limits,
    Mount,
    Runtime,
    RuntimeFailure,
    SandboxConfig,
)

DEADLINE_S = 10.0
FOREVER = ("sleep", "1000")


def pod(uid: str = "u1", *, attempt: int = 0, logs: str = "") -> SandboxConfig:
    return SandboxConfig(
        "default", f"pod-{uid}", uid, attempt=attempt, hostname=f"pod-{uid}", log_directory=logs
    )


def program(*command: str, name: str = "c", **fields: Any) -> ContainerConfig:
    return ContainerConfig(name, "image", command=command, **fields)


def shell(script: str, **fields: Any) -> ContainerConfig:
    return program("sh", "-c", script, **fields)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await true():  # noqa: ASYNC110 - what is waited for is in other processes
            await asyncio.sleep(0.01)


async def find(runtime: Runtime, container_id: str) -> Container | None:
    return next((c for c in await runtime.list_containers() if c.id == container_id), None)


async def reaches(runtime: Runtime, container_id: str, state: ContainerState) -> Container:
    async def there() -> bool:
        one = await find(runtime, container_id)
        return one is not None and one.state == state

    await eventually(there)
    found = await find(runtime, container_id)
    assert found is not None
    return found


async def started(runtime: Runtime, sandbox_id: str, config: ContainerConfig) -> str:
    container_id = await runtime.create_container(sandbox_id, config)
    await runtime.start_container(container_id)
    return container_id


class RuntimeContract:
    executes = True

    def opened(self, root: Path) -> AbstractAsyncContextManager[Runtime]:
        raise NotImplementedError

    async def test_a_sandbox_is_ready_until_it_is_stopped(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            assert sandbox.state == "ready"
            assert await runtime.list_sandboxes() == [sandbox]
            await runtime.stop_sandbox(sandbox.id)
            assert [s.state for s in await runtime.list_sandboxes()] == ["notready"]
            await runtime.remove_sandbox(sandbox.id)
            assert list(await runtime.list_sandboxes()) == []

    async def test_stop_and_remove_may_be_repeated(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            container = await started(runtime, sandbox.id, program(*FOREVER))
            for _ in range(2):
                await runtime.stop_container(container, 0)
                await runtime.stop_sandbox(sandbox.id)
            for _ in range(2):
                await runtime.remove_container(container)
                await runtime.remove_sandbox(sandbox.id)
            assert list(await runtime.list_containers()) == []

    async def test_a_container_is_created_then_runs_then_has_ended(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            container = await runtime.create_container(sandbox.id, program(*FOREVER))
            assert (await reaches(runtime, container, "created")).started_at == 0
            await runtime.start_container(container)
            running = await reaches(runtime, container, "running")
            assert running.started_at >= running.created_at > 0
            assert running.sandbox_id == sandbox.id
            await runtime.stop_container(container, 5)
            ended = await find(runtime, container)
            assert ended is not None
            assert ended.state == "exited"
            assert ended.finished_at >= ended.started_at

    async def test_stopping_the_sandbox_ends_its_containers(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            containers = [
                await started(runtime, sandbox.id, program(*FOREVER, name=f"c{i}"))
                for i in range(3)
            ]
            await runtime.stop_sandbox(sandbox.id)
            states = [(await reaches(runtime, c, "exited")).state for c in containers]
            assert states == ["exited"] * 3

    async def test_a_second_attempt_of_a_pod_is_another_sandbox(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime:
            first = await runtime.run_sandbox(pod())
            await runtime.stop_sandbox(first.id)
            second = await runtime.run_sandbox(pod(attempt=1))
            assert first.id != second.id
            assert len(await runtime.list_sandboxes()) == 2

    async def test_events_name_the_pod_that_changed(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime:
            seen: list[tuple[str, str]] = []

            async def follow() -> None:
                async for event in runtime.events():
                    pair = (event.pod_uid, event.kind)
                    seen.append(pair)

            async with asyncio.TaskGroup() as tasks:
                follower = tasks.create_task(follow())
                await asyncio.sleep(0)
                sandbox = await runtime.run_sandbox(pod("u7"))
                container = await started(runtime, sandbox.id, program(*FOREVER))
                await runtime.stop_container(container, 0)

                async def told() -> bool:
                    return ("u7", "started") in seen and ("u7", "stopped") in seen

                await eventually(told)
                follower.cancel()

    async def test_a_running_container_is_given_other_limits(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            container = await started(runtime, sandbox.id, program(*FOREVER))
            limits = Limits(200, 500, 512 << 20)
            await runtime.update_container(container, limits)
            found = await find(runtime, container)
            assert found is not None
            assert (found.config.limits, found.state) == (limits, "running")
            await runtime.stop_container(container, 0)
            with pytest.raises(RuntimeFailure):
                await runtime.update_container(container, limits)

    async def test_exit_codes_and_reasons_are_the_programs(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            outcomes = []
            for i, script in enumerate(("exit 0", "exit 3", "kill -9 $$; sleep 9")):
                config = shell(f"sh -c '{script}'; exit $?" if i == 2 else script, name=f"c{i}")
                container = await started(runtime, sandbox.id, config)
                ended = await reaches(runtime, container, "exited")
                outcomes.append((ended.exit_code, ended.reason))
            assert outcomes == [(0, "Completed"), (3, "Error"), (137, "Error")]

    async def test_a_program_that_is_not_there_is_a_start_error(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            container = await runtime.create_container(sandbox.id, program("no-such-program"))
            with pytest.raises(RuntimeFailure, match="no-such-program") as failure:
                await runtime.start_container(container)
            assert failure.value.reason == "StartError"
            ended = await reaches(runtime, container, "exited")
            assert (ended.exit_code, ended.reason) == (128, "StartError")

    async def test_output_goes_to_the_log_in_cri_format(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod(logs=str(tmp_path / "logs")))
            config = shell("echo one; echo two >&2; printf three", log_path="c/0.log")
            container = await started(runtime, sandbox.id, config)
            await reaches(runtime, container, "exited")
            lines = (tmp_path / "logs/c/0.log").read_text().splitlines()
            assert sorted(line.split(" ", 1)[1] for line in lines) == [
                "stderr F two", "stdout F one", "stdout F three",
            ]  # fmt: skip

    async def test_a_log_goes_on_in_a_new_file_after_reopening(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod(logs=str(tmp_path)))
            script = "echo a; while [ ! -e go ]; do sleep 0.02; done; echo b"
            config = shell(script, log_path="c.log", working_dir=str(tmp_path))
            container = await started(runtime, sandbox.id, config)
            current = tmp_path / "c.log"

            async def said() -> bool:
                return current.read_text().endswith("a\n")

            await eventually(said)
            current.rename(tmp_path / "c.log.1")
            await runtime.reopen_log(container)
            (tmp_path / "go").touch()
            await reaches(runtime, container, "exited")
            assert current.read_text().endswith("stdout F b\n")
            assert len(current.read_text().splitlines()) == 1

    async def test_exec_gives_output_and_exit_code(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            config = program(*FOREVER, env=(("COLOUR", "blue"),))
            container = await started(runtime, sandbox.id, config)
            command = ("sh", "-c", "echo $COLOUR; echo no >&2; exit 4")
            result = await runtime.exec_sync(container, command, 5)
            assert (result.stdout, result.stderr, result.exit_code) == (b"blue\n", b"no\n", 4)

    async def test_an_exec_that_takes_too_long_is_killed(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            container = await started(runtime, sandbox.id, program(*FOREVER))
            with pytest.raises(RuntimeFailure) as failure:
                await runtime.exec_sync(container, FOREVER, 0.2)
            assert failure.value.reason == "DeadlineExceeded"
            assert (await reaches(runtime, container, "running")).id == container

    async def test_a_handler_of_sigterm_gets_its_grace(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            script = "trap 'exit 7' TERM; touch ready; while true; do sleep 0.02; done"
            config = shell(script, working_dir=str(tmp_path))
            container = await started(runtime, sandbox.id, config)

            async def ready() -> bool:
                return (tmp_path / "ready").exists()

            await eventually(ready)
            await runtime.stop_container(container, 5)
            ended = await find(runtime, container)
            assert ended is not None
            assert ended.exit_code == 7

    async def test_who_ignores_sigterm_is_killed_after_the_grace(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            script = "trap '' TERM; touch ready; while true; do sleep 0.02; done"
            config = shell(script, working_dir=str(tmp_path))
            container = await started(runtime, sandbox.id, config)

            async def ready() -> bool:
                return (tmp_path / "ready").exists()

            await eventually(ready)
            await runtime.stop_container(container, 0.2)
            ended = await find(runtime, container)
            assert ended is not None
            assert (ended.exit_code, ended.signal) == (137, 9)

    async def test_a_missing_volume_path_is_named(self, tmp_path: Path) -> None:
        if not self.executes:
            return
        async with self.opened(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            config = program(*FOREVER, mounts=(Mount(str(tmp_path / "nothing"), "/data"),))
            with pytest.raises(RuntimeFailure) as failure:
                await started(runtime, sandbox.id, config)
            assert failure.value.reason == "CreateContainerError"

"""A runtime without processes: what containers do is a table of stages with delays.

Owns      the pretence: sandboxes and containers in memory, each image behaving as its row says.
Leaves    everything real. For tests of the kubelet and for thousands of nodes in one process.
Invariant no task and no timer for a container that merely runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from busk8s.clock import Clock
from busk8s.worker.runtime.base import (
    Container,
    ContainerConfig,
    ExecResult,
    Limits,
    RuntimeEvent,
    RuntimeFailure,
    Sandbox,
    SandboxConfig,
    Usage,
)
from busk8s.worker.runtime.echo import EchoConnection, EchoStreams
from busk8s.worker.runtime.failure import too_small
from busk8s.worker.runtime.streaming import Attached, PodConnection, Wanted

EVENTS_MAX = 10_000  # Then new ones are dropped; the kubelet's relist finds what they would say.
SIGTERM_EXIT = 143
SIGKILL_EXIT = 137


@dataclass(frozen=True, slots=True)
class Stages:
    """How containers of one image behave. `runs_s` None = until stopped."""

    create_s: float = 0.0
    start_s: float = 0.0
    runs_s: float | None = None
    exit_code: int = 0
    stop_s: float = 0.0
    ignores_sigterm: bool = False
    fails: RuntimeFailure | None = None
    execs: Callable[[Sequence[str]], ExecResult] | None = None
    cpu_cores: float = 0.01
    memory_bytes: int = 1 << 20


DEFAULT = Stages()


@dataclass(slots=True)
class HollowRuntime:
    """`table` goes by image name; what is not in it behaves as `default` says."""

    clock: Clock
    table: Mapping[str, Stages] = field(default_factory=dict)
    default: Stages = DEFAULT
    sandbox_s: float = 0.0
    subnet: str = "10.255.0"
    name: str = "hollow"
    version: str = "0.1.0"
    refuse_sandboxes: str = ""  # why, while set
    _sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    _containers: dict[str, Container] = field(default_factory=dict)
    _timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    _events: asyncio.Queue[RuntimeEvent] = field(
        default_factory=lambda: asyncio.Queue(maxsize=EVENTS_MAX)
    )
    _count: int = 0

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def unenforced_limits(self) -> Sequence[str]:
        return ()

    async def set_pod_cidr(self, pod_cidr: str) -> None:
        """Addresses are pretended too: the first three numbers of the subnet, and a count."""
        self.subnet = pod_cidr.rpartition(".")[0] or self.subnet

    def stages(self, image: str) -> Stages:
        return self.table.get(image, self.default)

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        await self._wait(self.sandbox_s)
        if self.refuse_sandboxes:
            raise RuntimeFailure("FailedCreatePodSandBox", self.refuse_sandboxes)
        self._count += 1
        number = self._count % 65_025
        ip = "" if config.host_network else f"{self.subnet}.{number % 254 + 1}"
        sandbox = Sandbox(
            f"{self._count:032x}{len(config.uid):032x}", config, "ready", self.clock.now(), ip
        )
        self._sandboxes[sandbox.id] = sandbox
        self._tell(sandbox.id, "created")
        return sandbox

    async def stop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or sandbox.state == "notready":
            return
        for container in list(self._containers.values()):
            if container.sandbox_id == sandbox_id:
                self._end(container.id, SIGKILL_EXIT)
        self._sandboxes[sandbox_id] = replace(sandbox, state="notready", ip="")
        self._tell(sandbox_id, "stopped")

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        for container in list(self._containers.values()):
            if container.sandbox_id == sandbox_id:
                del self._containers[container.id]
        self._tell(sandbox_id, "deleted")
        self._sandboxes.pop(sandbox_id, None)

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        stages = self.stages(config.image)
        await self._wait(stages.create_s)
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or sandbox.state != "ready":
            raise RuntimeFailure("CreateContainerError", f"sandbox {sandbox_id} is not ready")
        self._count += 1
        container_id = f"{self._count:064x}"
        self._containers[container_id] = Container(
            container_id, sandbox_id, config, "created", self.clock.now(), image_ref=config.image
        )
        self._tell(sandbox_id, "created", container_id)
        return container_id

    async def start_container(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is None:
            raise RuntimeFailure("RunContainerError", f"no container {container_id}")
        stages = self.stages(container.config.image)
        await self._wait(stages.start_s)
        if stages.fails is not None:
            self._end(container_id, 128, stages.fails.reason, stages.fails.message)
            raise stages.fails
        container = replace(container, state="running", started_at=self.clock.now())
        self._containers[container_id] = container
        self._tell(container.sandbox_id, "started", container_id)
        if stages.runs_s is not None:
            loop = asyncio.get_running_loop()
            self._timers[container_id] = loop.call_later(
                stages.runs_s, self._end, container_id, stages.exit_code
            )

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        container = self._containers.get(container_id)
        if container is None or container.state != "running":
            return
        stages = self.stages(container.config.image)
        if stages.ignores_sigterm or stages.stop_s > grace_s:
            await self._wait(grace_s)
            self._end(container_id, SIGKILL_EXIT)
        else:
            await self._wait(stages.stop_s)
            self._end(container_id, SIGTERM_EXIT)

    async def update_container(self, container_id: str, limits: Limits) -> None:
        container = self._containers.get(container_id)
        if container is None or container.state != "running":
            raise RuntimeFailure("NotRunning", f"container {container_id} is not running")
        used, most = self.stages(container.config.image).memory_bytes, limits.memory_limit_bytes
        if most and most < used:
            raise RuntimeFailure("ResizeError", too_small(most, used))
        config = replace(container.config, limits=limits)
        self._containers[container_id] = replace(container, config=config)

    async def remove_container(self, container_id: str) -> None:
        self._end(container_id, SIGKILL_EXIT)
        container = self._containers.pop(container_id, None)
        if container is not None:
            self._tell(container.sandbox_id, "deleted", container_id)

    async def list_sandboxes(self) -> Sequence[Sandbox]:
        return list(self._sandboxes.values())

    async def list_containers(self) -> Sequence[Container]:
        return list(self._containers.values())

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        while True:
            yield await self._events.get()

    async def exec_sync(
        self, container_id: str, command: Sequence[str], timeout_s: float
    ) -> ExecResult:
        container = self._containers.get(container_id)
        if container is None or container.state != "running":
            raise RuntimeFailure("ExecError", f"container {container_id} is not running")
        execs = self.stages(container.config.image).execs
        return execs(command) if execs is not None else ExecResult(b"", b"", 0)

    async def exec(self, container_id: str, command: Sequence[str], wanted: Wanted) -> Attached:
        result = await self.exec_sync(container_id, command, 0.0)
        return EchoStreams(wanted, result, result.exit_code)

    async def attach(self, container_id: str, wanted: Wanted) -> Attached:
        container = self._containers.get(container_id)
        if container is None or container.state != "running":
            raise RuntimeFailure("NotRunning", f"container {container_id} is not running")
        return EchoStreams(wanted, ExecResult(b"", b"", 0), None)

    async def connect(self, sandbox_id: str, port: int) -> PodConnection:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or sandbox.state != "ready":
            raise RuntimeFailure("SandboxNotReady", f"sandbox {sandbox_id} is not ready")
        return EchoConnection()

    async def usage(self) -> Sequence[Usage]:
        now = self.clock.now()
        return [
            Usage(
                c.id, (now - c.started_at) * self.stages(c.config.image).cpu_cores,
                self.stages(c.config.image).memory_bytes,
            )
            for c in self._containers.values()
            if c.state == "running"
        ]  # fmt: skip

    async def reopen_log(self, container_id: str) -> None:
        return None

    def crash(self, container_id: str, exit_code: int = 1) -> None:
        """The container ends by itself, now (for tests and fault runs)."""
        self._end(container_id, exit_code)

    def lose_sandbox(self, sandbox_id: str) -> None:
        """The sandbox dies with all that is in it (for tests and fault runs)."""
        for container in list(self._containers.values()):
            if container.sandbox_id == sandbox_id:
                self._end(container.id, SIGKILL_EXIT)
        self._sandboxes[sandbox_id] = replace(self._sandboxes[sandbox_id], state="notready", ip="")
        self._tell(sandbox_id, "stopped")

    def _end(self, container_id: str, exit_code: int, reason: str = "", message: str = "") -> None:
        timer = self._timers.pop(container_id, None)
        if timer is not None:
            timer.cancel()
        container = self._containers.get(container_id)
        if container is None or container.state == "exited":
            return
        self._containers[container_id] = replace(
            container,
            state="exited",
            finished_at=self.clock.now(),
            exit_code=exit_code,
            signal=exit_code - 128 if exit_code in (SIGTERM_EXIT, SIGKILL_EXIT) else 0,
            reason=reason or ("Completed" if exit_code == 0 else "Error"),
            message=message,
        )
        self._tell(container.sandbox_id, "stopped", container_id)

    def _tell(self, sandbox_id: str, kind: str, container_id: str = "") -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or self._events.full():
            return
        assert kind in ("created", "started", "stopped", "deleted")
        self._events.put_nowait(RuntimeEvent(sandbox.config.uid, kind, container_id))  # type: ignore[arg-type]  # asserted above

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            await self.clock.sleep(seconds)

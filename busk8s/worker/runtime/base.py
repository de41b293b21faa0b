"""The runtime's seam, shaped like CRI: sandboxes (pods) that hold containers.

Forms     process, cri, hollow. All pass one contract suite (testing/contracts).
Source    k8s.io/cri-api runtime/v1 RuntimeService, reduced to what the kubelet uses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from busk8s.worker.runtime.streaming import Attached, PodConnection, Wanted

SandboxState = Literal["ready", "notready"]
ContainerState = Literal["created", "running", "exited", "unknown"]


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """`uid` identifies the pod; `attempt` counts sandboxes of the same pod, from 0."""

    namespace: str
    name: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    host_network: bool = False
    log_directory: str = ""
    dns_servers: tuple[str, ...] = ()
    dns_searches: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mount:
    host_path: str
    container_path: str
    read_only: bool = False
    optional: bool = False  # Left out where nothing can be mounted: nobody asked for it by name.


@dataclass(frozen=True, slots=True)
class Limits:
    """cgroup values; 0 = not limited. cpu in milli-cores, memory in bytes."""

    cpu_request_millis: int = 0
    cpu_limit_millis: int = 0
    memory_limit_bytes: int = 0
    pids_limit: int = 0


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """`log_path` is relative to the sandbox's log directory; logs are in CRI format.
    `target_id`: the running container of the sandbox whose processes this one sees.
    """

    name: str
    image: str
    attempt: int = 0
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    log_path: str = ""
    limits: Limits = Limits()
    run_as_user: int | None = None
    run_as_group: int | None = None
    tty: bool = False
    stdin: bool = False
    target_id: str = ""
    stdin_once: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sandbox:
    id: str
    config: SandboxConfig
    state: SandboxState
    created_at: float  # seconds since the epoch
    ip: str = ""  # empty for host network


@dataclass(frozen=True, slots=True)
class Container:
    """Times in seconds since the epoch, 0 = not yet."""

    id: str
    sandbox_id: str
    config: ContainerConfig
    state: ContainerState
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    signal: int = 0
    reason: str = ""  # Completed, Error, OOMKilled, StartError
    message: str = ""
    image_ref: str = ""
    pid: int = 0


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something about this pod changed; look again. The kubelet never trusts more than that."""

    pod_uid: str
    kind: Literal["created", "started", "stopped", "deleted"]
    container_id: str = ""


@dataclass(frozen=True, slots=True)
class ExecResult:
    stdout: bytes
    stderr: bytes
    exit_code: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one container, now: cpu seconds since its start, working set in bytes."""

    container_id: str
    cpu_s: float
    memory_bytes: int


class RuntimeFailure(Exception):
    """The runtime refused or failed; `reason` is what a container status shows."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Runtime(Protocol):
    name: str  # "process", "containerd", "hollow": nodeInfo.containerRuntimeVersion's scheme
    version: str

    async def open(self) -> None: ...

    async def close(self) -> None:
        """Let go of the runtime; containers go on (a kubelet restart finds them again)."""
        ...

    def unenforced_limits(self) -> Sequence[str]:
        """Which of "cpu", "memory" and "mounts" this machine cannot do for containers."""
        ...

    async def set_pod_cidr(self, pod_cidr: str) -> None:
        """The node's pod subnet is known (CRI UpdateRuntimeConfig). Idempotent; before it, only
        host-network sandboxes can be run where pods have networks of their own.
        """
        ...

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox: ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what still runs in it and take its network away. Idempotent."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None: ...

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str: ...

    async def start_container(self, container_id: str) -> None:
        """Raises RuntimeFailure("StartError" | "CreateContainerError" | ..., why)."""
        ...

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        """SIGTERM, then SIGKILL `grace_s` later. Returns once it is dead. Idempotent."""
        ...

    async def update_container(self, container_id: str, limits: Limits) -> None:
        """Other limits for a running container, in force when it returns. Raises RuntimeFailure,
        and changes nothing, when the container uses more memory than it would have.
        """
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def list_sandboxes(self) -> Sequence[Sandbox]: ...

    async def list_containers(self) -> Sequence[Container]: ...

    def events(self) -> AsyncIterator[RuntimeEvent]: ...

    async def exec_sync(
        self, container_id: str, command: Sequence[str], timeout_s: float
    ) -> ExecResult: ...

    async def exec(self, container_id: str, command: Sequence[str], wanted: Wanted) -> Attached:
        """Begin `command` in a running container. Raises RuntimeFailure, also from `wait`."""
        ...

    async def attach(self, container_id: str, wanted: Wanted) -> Attached:
        """The streams of a running container, from now on."""
        ...

    async def connect(self, sandbox_id: str, port: int) -> PodConnection:
        """To `port` on the pod's loopback. Raises RuntimeFailure when nobody listens there."""
        ...

    async def usage(self) -> Sequence[Usage]: ...

    async def reopen_log(self, container_id: str) -> None:
        """Called after the log file was renamed: go on in a new file at the same path."""
        ...

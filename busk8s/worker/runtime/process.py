"""Containers as plain Linux processes, held by a supervisor process (supervisor.py).

Owns      the runtime seam over the supervisor's socket: a mirror of its table, calls, events.
Leaves    processes, namespaces, groups and logs to the supervisor.
Invariant the mirror is what the supervisor had said when it answered: replies and changes share
          one ordered stream, so a call's effect is in `list_containers` when the call returns.

Differs from Kubernetes: there are no images; a container is a program of the host, sees the host's
files, and must name its command. It is not a sandbox.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import busk8s
from busk8s.api.object import Json
from busk8s.log import Logger
from busk8s.tasks import Nursery
from busk8s.worker.runtime import descriptors
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
from busk8s.worker.runtime.mirror import Mirror
from busk8s.worker.runtime.peers import FRAME_BYTES_MAX, HEAD, frame
from busk8s.worker.runtime.streaming import Attached, PodConnection, Wanted
from busk8s.worker.runtime.supervisor import SOCKET_NAME

EVENTS_MAX = 10_000  # of one reader; a reader that is later gets the newest and relists anyway
START_TIMEOUT_S = 10.0
VERSION = "0.1.0"
log = Logger(__name__)


class ProcessRuntime:
    """`root` is the runtime's own directory; everything it makes is named after its path."""

    name = "process"
    version = VERSION

    def __init__(self, root: Path) -> None:
        self._root = root
        self._socket = root / SOCKET_NAME
        self._mirror = Mirror()
        self._nursery = Nursery(on_error=self._reader_failed)
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._opening = asyncio.Lock()
        self._listeners: list[asyncio.Queue[RuntimeEvent]] = []
        self._pod_cidr = ""
        self._open = False
        self.features: Json = {}

    # -- life ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect to the supervisor of this directory, starting one if none runs."""
        async with self._opening:
            if not self._open:
                reader, self._writer = await self._reach()
                self._nursery.spawn(self._read(reader), name="supervisor")
                await self._take_over()
                self._open = True

    async def _take_over(self) -> None:
        """Learn what there is, before anybody else's call goes out."""
        snapshot = await self._send("subscribe", {})
        self.features = {key: snapshot[key] for key in ("features", "cgroups", "pid")}
        for event in self._mirror.reset(snapshot):
            self._tell(event)
        if self._pod_cidr:  # a new supervisor does not know it
            await self._send("set_pod_cidr", {"pod_cidr": self._pod_cidr})

    async def close(self) -> None:
        await self._nursery.close()
        await self._disconnect()

    async def shutdown(self) -> None:
        """Stop and remove everything, then the supervisor itself."""
        for sandbox in await self.list_sandboxes():
            await self.stop_sandbox(sandbox.id)
            await self.remove_sandbox(sandbox.id)
        await self._call("shutdown", {})
        await self.close()

    # -- the seam -----------------------------------------------------------------------------

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        record = await self._call("run_sandbox", {"config": asdict(config)})
        return self._mirror.sandboxes[record["id"]]

    async def stop_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id in self._mirror.sandboxes:
            await self._call("stop_sandbox", {"id": sandbox_id})

    async def remove_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id in self._mirror.sandboxes:
            await self.stop_sandbox(sandbox_id)
            await self._call("remove_sandbox", {"id": sandbox_id})

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        params = {"sandbox_id": sandbox_id, "config": asdict(config)}
        return str((await self._call("create_container", params))["id"])

    async def start_container(self, container_id: str) -> None:
        await self._call("start_container", {"id": container_id})

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        if container_id in self._mirror.containers:
            await self._call("stop_container", {"id": container_id, "grace_s": grace_s})

    async def update_container(self, container_id: str, limits: Limits) -> None:
        await self._call("update_container", {"id": container_id, "limits": asdict(limits)})

    async def remove_container(self, container_id: str) -> None:
        if container_id in self._mirror.containers:
            await self.stop_container(container_id, 0)
            await self._call("remove_container", {"id": container_id})

    async def list_sandboxes(self) -> Sequence[Sandbox]:
        await self._connected()
        return list(self._mirror.sandboxes.values())

    async def list_containers(self) -> Sequence[Container]:
        await self._connected()
        return list(self._mirror.containers.values())

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        queue: asyncio.Queue[RuntimeEvent] = asyncio.Queue(EVENTS_MAX)
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    async def exec_sync(
        self, container_id: str, command: Sequence[str], timeout_s: float
    ) -> ExecResult:
        params = {"id": container_id, "command": list(command), "timeout_s": timeout_s}
        result = await self._call("exec", params)
        out, err = base64.b64decode(result["stdout"]), base64.b64decode(result["stderr"])
        return ExecResult(out, err, result["exit_code"])

    async def exec(self, container_id: str, command: Sequence[str], wanted: Wanted) -> Attached:
        self._running(container_id)
        await self._connected()
        return await descriptors.run_attached(self._socket, container_id, command, wanted)

    async def attach(self, container_id: str, wanted: Wanted) -> Attached:
        once = self._running(container_id).config.stdin_once
        await self._connected()
        return await descriptors.attach(self._socket, container_id, wanted, stdin_once=once)

    async def connect(self, sandbox_id: str, port: int) -> PodConnection:
        await self._connected()
        return await descriptors.connect(self._socket, sandbox_id, port)

    def _running(self, container_id: str) -> Container:
        found = self._mirror.containers.get(container_id)
        if found is None or found.state != "running":
            raise RuntimeFailure("NotRunning", f"container {container_id} is not running")
        return found

    async def usage(self) -> Sequence[Usage]:
        counted = await self._call("usage", {})
        return [Usage(one["id"], one["cpu_s"], one["memory_bytes"]) for one in counted]

    async def reopen_log(self, container_id: str) -> None:
        await self._call("reopen_log", {"id": container_id})

    def unenforced_limits(self) -> Sequence[str]:
        controllers = self.features.get("cgroups", {}).get("controllers", ())
        missing = [name for name in ("cpu", "memory") if name not in controllers]
        able = self.features.get("features", {"namespaces": True})
        mounts = able.get("namespaces") or able.get("user_mounts")
        return missing if mounts else [*missing, "mounts"]

    async def set_pod_cidr(self, pod_cidr: str) -> None:
        """The node's pod subnet is known (CRI UpdateRuntimeConfig). Idempotent."""
        await self._call("set_pod_cidr", {"pod_cidr": pod_cidr})
        self._pod_cidr = pod_cidr

    # -- the socket ---------------------------------------------------------------------------

    async def _call(self, op: str, params: Json) -> Any:
        await self._connected()
        return await self._send(op, params)

    async def _connected(self) -> None:
        if not self._open:
            await self.open()  # the supervisor was killed: a new one buries what it held

    async def _send(self, op: str, params: Json) -> Any:
        writer = self._writer
        if writer is None:
            raise RuntimeFailure("RuntimeUnavailable", "the supervisor is gone")
        data = frame({"id": self._count, "op": op, "params": params})
        if len(data) > FRAME_BYTES_MAX:
            raise RuntimeFailure("TooLarge", f"a request of {len(data)} bytes is over the limit")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        number = self._count
        self._count += 1
        self._waiting[number] = future
        try:
            writer.write(data)
            return await future
        finally:
            self._waiting.pop(number, None)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                (size,) = HEAD.unpack(await reader.readexactly(HEAD.size))
                self._received(json.loads(await reader.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError):
            log.warning("the supervisor is gone", root=self._root)
        finally:
            await self._disconnect()

    def _received(self, message: Json) -> None:
        if "change" in message:
            event = self._mirror.apply(message["change"], message["record"])
            if event is not None:
                self._tell(event)
            return
        future = self._waiting.get(message["id"])
        if future is None or future.done():
            return
        if said := message.get("failure"):
            future.set_exception(RuntimeFailure(said["reason"], said["message"]))
        else:
            future.set_result(message["result"])

    def _tell(self, event: RuntimeEvent) -> None:
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    async def _disconnect(self) -> None:
        writer, self._writer = self._writer, None
        self._open = False
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(
                    RuntimeFailure("RuntimeUnavailable", "the supervisor went away meanwhile")
                )
        if writer is not None:
            writer.close()
            # Of no pod in particular: whoever listens lists again, and that starts a supervisor.
            self._tell(RuntimeEvent("", "stopped"))

    def _reader_failed(self, name: str, error: BaseException) -> None:
        log.error("reading from the supervisor failed", error=error)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root.chmod(0o711)  # containers run as other users reach their directories
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while True:
            try:
                return await self._connect()
            except (FileNotFoundError, ConnectionRefusedError):
                if asyncio.get_running_loop().time() > deadline:
                    raise RuntimeFailure(
                        "RuntimeUnavailable", f"no supervisor answers in {self._root}"
                    ) from None
            await self._start_supervisor()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # By descriptor: a socket's path is limited to 107 bytes.
        directory = os.open(self._root, os.O_PATH | os.O_CLOEXEC)
        try:
            path = f"/proc/self/fd/{directory}/{SOCKET_NAME}"
            return await asyncio.open_unix_connection(path, limit=FRAME_BYTES_MAX)
        finally:
            os.close(directory)

    async def _start_supervisor(self) -> None:
        """Returns once it answers; it has left our process group by then."""
        package = str(Path(busk8s.__file__).parent.parent)
        code = (
            f"import sys; sys.path.insert(0, {package!r}); "
            "from busk8s.worker.runtime.supervisor import main; main()"
        )
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        errors = os.open(self._root / "supervisor.log", flags, 0o600)
        try:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", code, str(self._root),
                stdin=asyncio.subprocess.DEVNULL, stdout=errors, stderr=errors,
                start_new_session=True,
            )  # fmt: skip
            status = await child.wait()
        finally:
            os.close(errors)
        if status:
            said = (self._root / "supervisor.log").read_text(errors="replace")[-2000:]
            raise RuntimeFailure("RuntimeUnavailable", f"the supervisor did not start: {said}")

"""Streams over descriptors that the supervisor was given, or gave: the kubelet's end of them.

Owns      pipes, terminals and sockets as Attached and PodConnection; one connection to the
          supervisor each, whose end tells it that we are gone.
Leaves    what runs, and where (supervisor).
Invariant bytes go between the kubelet and the process alone; nothing is read ahead of its reader.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import struct
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from busk8s.api.object import Json
from busk8s.worker.runtime.base import RuntimeFailure
from busk8s.worker.runtime.peers import FRAME_BYTES_MAX, HEAD, frame
from busk8s.worker.runtime.streaming import STDERR, STDOUT, Wanted

READ_BYTES = 64 * 1024
PIPE_BYTES = 1 << 20  # Fewer wake-ups for who sends much; the kernel's own limit may be lower.
TERMINAL_SIDE_MAX = 0xFFFF


class SideCall:
    """A connection to the supervisor for one request, with descriptors both ways."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._readiness = _Readiness(link.fileno())
        self._unread = bytearray()
        self.received: list[int] = []

    @classmethod
    async def open(cls, path: Path, op: str, params: Json, descriptors: Sequence[int]) -> SideCall:
        """Raises RuntimeFailure when the supervisor cannot be reached."""
        data = frame({"id": 0, "op": op, "params": params})
        if len(data) > FRAME_BYTES_MAX:
            raise RuntimeFailure("TooLarge", f"a request of {len(data)} bytes is over the limit")
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.setblocking(False)
        # By descriptor: a socket's path is limited to 107 bytes.
        directory = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(link, f"/proc/self/fd/{directory}/{path.name}")
            sent = socket.send_fds(link, [data], list(descriptors)) if descriptors else 0
            await loop.sock_sendall(link, data[sent:])
        except OSError as error:
            link.close()
            raise RuntimeFailure("RuntimeUnavailable", f"the supervisor: {error}") from error
        finally:
            os.close(directory)
        return cls(link)

    async def answer(self, number: int = 0) -> Any:
        """The next answer to request `number`. Raises RuntimeFailure."""
        while True:
            message = await self._message()
            if message.get("id") != number:
                continue
            if said := message.get("failure"):
                raise RuntimeFailure(said["reason"], said["message"])
            return message["result"]

    async def ask(self, number: int, op: str, params: Json) -> None:
        data = frame({"id": number, "op": op, "params": params})
        await asyncio.get_running_loop().sock_sendall(self._link, data)

    def close(self) -> None:
        self._readiness.close()
        self._link.close()
        for descriptor in self.received:
            os.close(descriptor)
        self.received = []

    async def _message(self) -> Json:
        while True:
            if len(self._unread) >= HEAD.size:
                (size,) = HEAD.unpack_from(self._unread)
                if len(self._unread) >= HEAD.size + size:
                    body = bytes(self._unread[HEAD.size : HEAD.size + size])
                    del self._unread[: HEAD.size + size]
                    message: Json = json.loads(body)
                    return message
            await self._readiness.wait(writing=False)
            try:
                flags = socket.MSG_CMSG_CLOEXEC
                data, given, _, _ = socket.recv_fds(self._link, READ_BYTES, 4, flags)
            except BlockingIOError:
                continue
            except OSError:
                data, given = b"", []
            self.received += given
            if not data:
                raise RuntimeFailure("RuntimeUnavailable", "the supervisor went away meanwhile")
            self._unread += data


class End:
    """One descriptor of ours, read or written without blocking."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._readiness = _Readiness(fd)
        os.set_blocking(fd, False)

    async def read(self) -> bytes:
        while self.fd >= 0:
            try:
                return os.read(self.fd, READ_BYTES)
            except BlockingIOError:
                await self._readiness.wait(writing=False)
            except OSError:  # A terminal that nobody has open any more.
                break
        return b""

    async def write(self, data: bytes) -> bool:
        view = memoryview(data)
        while view and self.fd >= 0:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:
                await self._readiness.wait(writing=True)
            except OSError:
                return False
        return not view

    def close(self) -> None:
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            self._readiness.close()
            os.close(fd)


@dataclass(slots=True)
class Connected:
    """Attached: the streams of a command, or of the container `attached_to`."""

    call: SideCall
    outputs: dict[int, End]
    input: End | None
    terminal: int = -1
    attached_to: str = ""
    stdin_once: bool = True

    async def read(self, channel: int) -> bytes:
        end = self.outputs.get(channel)
        return await end.read() if end is not None else b""

    async def write(self, data: bytes) -> bool:
        return self.input is not None and await self.input.write(data)

    async def end_input(self) -> bool:
        if self.terminal >= 0:
            return not self.attached_to  # What is typed says that it ends, not we.
        if not self.stdin_once:
            return False
        if self.input is not None:
            self.input.close()
            if self.attached_to:
                await self.call.ask(1, "end_input", {"id": self.attached_to})
        return True

    def resize(self, width: int, height: int) -> None:
        if self.terminal >= 0:
            side = TERMINAL_SIDE_MAX
            size = struct.pack("HHHH", min(height, side), min(width, side), 0, 0)
            fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)

    async def wait(self) -> int | None:
        result = await self.call.answer()
        return None if self.attached_to else int(result["exit_code"])

    def close(self) -> None:
        for end in (*self.outputs.values(), *([self.input] if self.input else [])):
            end.close()
        self.terminal = -1
        self.call.close()


async def run_attached(
    path: Path, container_id: str, command: Sequence[str], wanted: Wanted
) -> Connected:
    """A command inside a container, on pipes or a terminal of ours."""
    params = {"id": container_id, "command": list(command), "tty": wanted.tty}
    pipes = _Pipes()
    if wanted.tty:
        pipes.terminal()
    else:
        for number, asked in enumerate((wanted.stdin, wanted.stdout, wanted.stderr)):
            pipes.add(number, asked=asked)
    call = await pipes.call(path, "exec_attached", params)
    ends = {number: End(fd) for number, fd in pipes.ours.items()}
    if wanted.tty:
        return Connected(call, {STDOUT: ends[0]}, ends[0], terminal=ends[0].fd)
    outputs = {number: end for number, end in ends.items() if number in (STDOUT, STDERR)}
    return Connected(call, outputs, ends.get(0))


async def attach(path: Path, container_id: str, wanted: Wanted, *, stdin_once: bool) -> Connected:
    """The streams of a container that runs, from now on."""
    pipes = _Pipes()
    pipes.add(STDOUT, asked=wanted.stdout)
    pipes.add(STDERR, asked=wanted.stderr)
    call = await pipes.call(path, "attach", {"id": container_id, "stdin": wanted.stdin})
    outputs = {number: End(fd) for number, fd in pipes.ours.items()}
    made = Connected(call, outputs, None, attached_to=container_id, stdin_once=stdin_once)
    try:
        await call.answer()
    except BaseException:
        made.close()
        raise
    if call.received:
        handed = call.received.pop()
        made.input = End(handed)
        made.terminal = handed if os.isatty(handed) else -1
    return made


class _Pipes:
    """Pairs of descriptors: `ours`, by the number of the stream, and those that are given away."""

    def __init__(self) -> None:
        self.ours: dict[int, int] = {}
        self._theirs: list[int] = []

    def terminal(self) -> None:
        self.ours[0], slave = os.openpty()
        self._theirs = [slave, os.dup(slave), os.dup(slave)]

    def add(self, number: int, *, asked: bool) -> None:
        if not asked:
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY
            self._theirs.append(os.open("/dev/null", flags | os.O_CLOEXEC))
            return
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            pass  # Over the user's limit: it stays as small as it is.
        self.ours[number], theirs = (writer, reader) if number == 0 else (reader, writer)
        self._theirs.append(theirs)

    async def call(self, path: Path, op: str, params: Json) -> SideCall:
        try:
            return await SideCall.open(path, op, params, self._theirs)
        except BaseException:
            for fd in self.ours.values():
                os.close(fd)
            raise
        finally:
            for fd in self._theirs:
                os.close(fd)


class PodSocket:
    """PodConnection over a socket that a child of the supervisor connected."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        link.setblocking(False)

    async def read(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self._link, READ_BYTES)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._link, data)

    def end_writing(self) -> None:
        try:
            self._link.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self._link.close()


async def connect(path: Path, sandbox_id: str, port: int) -> PodSocket:
    call = await SideCall.open(path, "connect", {"id": sandbox_id, "port": port}, ())
    try:
        await call.answer()
        if not call.received:
            raise RuntimeFailure("ConnectFailed", "the supervisor gave no connection")
        return PodSocket(socket.socket(fileno=call.received.pop()))
    finally:
        call.close()


class _Readiness:
    """Waits for one descriptor; `close` lets go of it before somebody else gets its number."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._waiting: dict[bool, asyncio.Future[None]] = {}

    async def wait(self, *, writing: bool) -> None:
        """Return once it can be read or written, or is closed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def came() -> None:
            if not future.done():
                future.set_result(None)

        if writing:
            loop.add_writer(self.fd, came)
        else:
            loop.add_reader(self.fd, came)
        self._waiting[writing] = future
        try:
            await future
        finally:
            if self._waiting.pop(writing, None) is not None:
                self._remove(writing=writing)

    def close(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for writing, future in waiting.items():
            self._remove(writing=writing)
            if not future.done():
                future.set_result(None)

    def _remove(self, *, writing: bool) -> None:
        loop = asyncio.get_running_loop()
        if writing:
            loop.remove_writer(self.fd)
        else:
            loop.remove_reader(self.fd)

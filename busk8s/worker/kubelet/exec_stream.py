"""Answers the master's `exec`, `attach` and `forward` streams: finds what is meant, joins streams.

Owns      the choice of container or sandbox, upstream's words when there is none, the channels.
Leaves    what runs and how (runtime), permission and clients' protocols (API server).
Invariant whatever ends the stream, what the runtime gave for it is closed; nothing is gathered.
"""

from __future__ import annotations

import json

from busk8s.api.object import Json
from busk8s.api.streaming import RESIZE, STDERR, STDIN, STDOUT, exit_failure
from busk8s.bus.streams import Stream
from busk8s.errors import Error, bad_request, internal, not_found
from busk8s.tasks import supervise, together
from busk8s.worker.kubelet.pleg import Pleg
from busk8s.worker.kubelet.view import View
from busk8s.worker.runtime.base import Container, Runtime, RuntimeFailure
from busk8s.worker.runtime.streaming import Attached, PodConnection, Wanted


class StreamServer:
    def __init__(self, runtime: Runtime, view: View, pleg: Pleg) -> None:
        self._runtime = runtime
        self._view = view
        self._pleg = pleg

    async def exec(self, params: Json, stream: Stream) -> None:
        """`params`: namespace, pod, uid, container, command, stdin, stdout, stderr, tty."""
        container, wanted = self._running(params), _wanted(params)
        command = [str(word) for word in params.get("command") or ()]
        if not command:
            raise bad_request("you must specify a command")
        await _let_begin(stream)
        try:
            attached = await self._runtime.exec(container.id, command, wanted)
            try:
                exit_code = await _joined(stream, attached)
            finally:
                attached.close()
        except RuntimeFailure as failure:
            raise internal(
                f"error executing command in container: failed to exec in container: {failure}"
            ) from failure
        if (ended := exit_failure(command, exit_code or 0)) is not None:
            raise ended

    async def attach(self, params: Json, stream: Stream) -> None:
        container, wanted = self._running(params), _wanted(params)
        await _let_begin(stream)
        try:
            attached = await self._runtime.attach(container.id, wanted)
            try:
                await _joined(stream, attached)
            finally:
                attached.close()
        except RuntimeFailure as failure:
            raise internal(f"error attaching to container: {failure}") from failure

    async def forward(self, params: Json, stream: Stream) -> None:
        """One connection to `port` of the pod; both ways on channel 0."""
        uid = self._uid(params)
        sandbox = self._pleg.peek(uid).ready_sandbox
        if sandbox is None:
            raise internal(f"pod not found ({json.dumps(params.get('pod'))})")
        try:
            connection = await self._runtime.connect(sandbox.id, int(params["port"]))
        except RuntimeFailure as failure:
            raise Error(500, "InternalError", str(failure)) from failure
        try:
            stream.grant()
            await together(_incoming(stream, connection), _outgoing(stream, connection))
        except OSError as error:
            raise internal(f"the connection to the pod broke: {error}") from error
        finally:
            connection.close()

    def _uid(self, params: Json) -> str:
        name = str(params.get("pod") or "")
        obj = self._view.get("pods", str(params.get("namespace") or ""), name)
        if obj is None or params.get("uid") != obj.uid:
            raise not_found("pods", name)
        return obj.uid

    def _running(self, params: Json) -> Container:
        name = str(params.get("container") or "")
        found = self._pleg.peek(self._uid(params)).latest(name)
        if found is None or found.state != "running":
            raise Error(500, "InternalError", f"container not found ({json.dumps(name)})")
        return found


def _wanted(params: Json) -> Wanted:
    flags = {name: bool(params.get(name)) for name in ("stdin", "stdout", "stderr", "tty")}
    return Wanted(**flags)


async def _let_begin(stream: Stream) -> None:
    """What was asked can be done: say so, and wait until the client is ready."""
    stream.grant()
    await stream.granted()


async def _joined(stream: Stream, attached: Attached) -> int | None:
    """Join both until what runs has ended and said all; its exit code."""
    exit_code: int | None = None

    async def ends() -> None:
        nonlocal exit_code
        exit_code = await attached.wait()

    async def output() -> None:
        await together(_said(stream, attached, STDOUT), _said(stream, attached, STDERR), ends())

    await supervise(output(), _typed(stream, attached))
    return exit_code


async def _said(stream: Stream, attached: Attached, channel: int) -> None:
    while data := await attached.read(channel):
        await stream.write(data, channel)


async def _typed(stream: Stream, attached: Attached) -> None:
    """Input and sizes; returns when the client has left or an attachment ends with its input."""
    while (piece := await stream.read()) is not None:
        if piece.channel == RESIZE:
            _resize(attached, piece.data)
        elif piece.channel == STDIN:
            if piece.data:
                await attached.write(piece.data)
            if piece.last and not await attached.end_input():
                return


def _resize(attached: Attached, data: bytes) -> None:
    try:
        size = json.loads(data)
        width, height = int(size["Width"]), int(size["Height"])
    except (ValueError, KeyError, TypeError):
        return  # As upstream: a size that cannot be read is skipped.
    if width > 0 and height > 0:
        attached.resize(width, height)


async def _incoming(stream: Stream, connection: PodConnection) -> None:
    while (piece := await stream.read()) is not None:
        if piece.data:
            await connection.write(piece.data)
        if piece.last:
            connection.end_writing()
            return


async def _outgoing(stream: Stream, connection: PodConnection) -> None:
    while data := await connection.read():
        await stream.write(data)
    await stream.write(b"", last=True)

"""Streams that a worker serves: the master opens them, a handler reads and writes them.

Owns      handlers by verb, the streams under way. Leaves   credit and pieces (streams).
Invariant a stream ends with exactly one StreamEnd from here, unless the master ended it; a handler
          whose stream is over is cancelled.
"""

from __future__ import annotations

import asyncio

import orjson

from busk8s.api.object import Json
from busk8s.bus.streams import Handler, Send, Stream, StreamOver, error_of
from busk8s.errors import Error, bad_request
from busk8s.protocol import (
    STREAMS_PER_PEER_MAX,
    StreamCredit,
    StreamData,
    StreamEnd,
    StreamOpen,
)
from busk8s.tasks import Nursery


class Serving:
    def __init__(self, send: Send, nursery: Nursery) -> None:
        self._send, self._nursery = send, nursery
        self._handlers: dict[str, Handler] = {}
        self._open: dict[str, tuple[Stream, asyncio.Task[None]]] = {}

    def on(self, verb: str, handler: Handler) -> None:
        self._handlers[verb] = handler

    def open(self, message: StreamOpen) -> None:
        handler = self._handlers.get(message.verb)
        try:
            params = orjson.loads(message.params)
        except orjson.JSONDecodeError:
            params = None
        if handler is None:
            text = f"this node does not serve {message.verb} streams"
            self._refuse(message, Error(501, "NotImplemented", text))
        elif not isinstance(params, dict):
            self._refuse(message, bad_request("the parameters of the stream are not a JSON object"))
        elif len(self._open) >= STREAMS_PER_PEER_MAX:
            self._refuse(message, Error(429, "TooManyRequests", "too many streams on this node"))
        else:
            self._begin(message.stream, message.verb, message.credit, handler, params)

    def data(self, message: StreamData) -> None:
        if (found := self._open.get(message.stream)) is not None:
            found[0].take(message)

    def credit(self, message: StreamCredit) -> None:
        if (found := self._open.get(message.stream)) is not None:
            found[0].credited(message.credit)

    def end(self, message: StreamEnd) -> None:
        """The master has had enough."""
        if (found := self._open.get(message.stream)) is not None:
            found[0].end(error_of(message))

    def cut_off(self) -> None:
        """The connection is gone, and with it every stream."""
        for stream, _ in list(self._open.values()):
            stream.end()

    def _begin(self, name: str, verb: str, credit: int, handler: Handler, params: Json) -> None:
        def over() -> None:
            if (found := self._open.pop(name, None)) is not None:
                found[1].cancel()

        stream = Stream(name, self._send, credit=credit, room=0, on_end=over)
        task = self._nursery.spawn(_serve(stream, handler, params), name=f"stream {verb}")
        self._open[name] = (stream, task)
        # Also when it was cancelled before its first step.
        task.add_done_callback(lambda _: self._open.pop(name, None))

    def _refuse(self, message: StreamOpen, error: Error) -> None:
        self._send(StreamEnd(stream=message.stream, error=orjson.dumps(error.to_status())))


async def _serve(stream: Stream, handler: Handler, params: Json) -> None:
    """Run one handler and report how it ended."""
    try:
        await handler(params, stream)
    except StreamOver:
        return
    except Error as error:
        await stream.aclose(error)
    except Exception:
        await stream.aclose(
            Error(500, "InternalError", "the worker failed while serving the stream")
        )
        raise  # A bug of ours: the nursery logs it, and the reader must not wait for ever.
    else:
        await stream.aclose()

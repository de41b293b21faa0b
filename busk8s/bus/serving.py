"""Streams that a worker serves: the master opens them, a handler writes them.

Owns      handlers by verb, the streams under way. Leaves   credit and pieces (streams).
Invariant a stream ends with exactly one StreamEnd from here, unless the master ended it.
"""

from __future__ import annotations

import asyncio

import orjson

from busk8s.bus.streams import Handler, Send, Writer
from busk8s.errors import Error, bad_request
from busk8s.protocol import STREAMS_PER_PEER_MAX, StreamCredit, StreamEnd, StreamOpen
from busk8s.tasks import Nursery


class Serving:
    def __init__(self, send: Send, nursery: Nursery) -> None:
        self._send, self._nursery = send, nursery
        self._handlers: dict[str, Handler] = {}
        self._open: dict[str, tuple[Writer, asyncio.Task[None]]] = {}

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
            writer = Writer(message.stream, message.credit, self._send)
            job = writer.run(handler, params)
            task = self._nursery.spawn(job, name=f"stream {message.verb}")
            self._open[message.stream] = (writer, task)
            task.add_done_callback(lambda _: self._open.pop(message.stream, None))

    def credit(self, message: StreamCredit) -> None:
        if (found := self._open.get(message.stream)) is not None:
            found[0].window.give(message.credit)

    def end(self, message: StreamEnd) -> None:
        """The master has had enough."""
        if (found := self._open.get(message.stream)) is not None:
            found[1].cancel()

    def cut_off(self) -> None:
        """The connection is gone, and with it every stream."""
        for _, task in list(self._open.values()):
            task.cancel()

    def _refuse(self, message: StreamOpen, error: Error) -> None:
        self._send(StreamEnd(stream=message.stream, error=orjson.dumps(error.to_status())))

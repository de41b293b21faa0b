"""Streams that the master has opened on workers: found by name, ended with their session.

Owns      names, which session a stream belongs to, how many a session may have.
Leaves    credit and pieces (streams), which session is a node's (hub).
Invariant a session reaches its own streams only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import orjson

from busk8s.api.object import Json
from busk8s.bus.sessions import Session
from busk8s.bus.streams import Stream, error_of
from busk8s.errors import Error
from busk8s.protocol import (
    STREAM_CREDIT_BYTES,
    STREAMS_PER_PEER_MAX,
    Message,
    StreamCredit,
    StreamData,
    StreamEnd,
    StreamOpen,
    encode,
)


class Opened:
    def __init__(self) -> None:
        self._names = itertools.count(1)
        self._of: dict[int, dict[str, Stream]] = {}  # By the identity of the session.
        self._sessions: dict[int, Session] = {}

    def open(self, session: Session, who: str, verb: str, params: Json, *, held: bool) -> Stream:
        """Begin `verb`; `held`: the worker checks and waits, until `grant` lets it begin."""
        own = self._of.setdefault(id(session), {})
        self._sessions[id(session)] = session
        if len(own) >= STREAMS_PER_PEER_MAX:
            raise Error(429, "TooManyRequests", f"too many streams are open on {who}")
        name = f"s{next(self._names)}"

        def send(message: Message) -> bool:
            return session.server.reply(session.route, encode(message))

        credit = 0 if held else STREAM_CREDIT_BYTES
        over = lambda: self._over(session, name)  # noqa: E731 - one line, named for what it tells
        stream = own[name] = Stream(name, send, credit=0, room=credit, on_end=over)
        opening = StreamOpen(stream=name, verb=verb, params=orjson.dumps(params), credit=credit)
        if not send(opening):
            stream.end()
            raise away(who)
        return stream

    def data(self, session: Session, message: Message) -> None:
        assert isinstance(message, StreamData)
        stream = self._find(session, message.stream)
        if stream is not None:
            stream.take(message)
        else:
            session.server.reply(session.route, encode(StreamEnd(stream=message.stream)))

    def credit(self, session: Session, message: Message) -> None:
        assert isinstance(message, StreamCredit)
        stream = self._find(session, message.stream)
        if stream is not None:
            # More than this was never taken from it: a peer cannot make us send without bounds.
            stream.credited(min(message.credit, STREAM_CREDIT_BYTES))

    def end(self, session: Session, message: Message) -> None:
        assert isinstance(message, StreamEnd)
        stream = self._find(session, message.stream)
        if stream is not None:
            stream.end(error_of(message))

    def sessions(self) -> Iterator[Session]:
        """Those that have streams."""
        return iter(list(self._sessions.values()))

    def cut_off(self, session: Session) -> None:
        for stream in list(self._of.get(id(session), {}).values()):
            stream.end(Error(503, "ServiceUnavailable", "the connection to the node was lost"))

    def close(self) -> None:
        for streams in list(self._of.values()):
            for stream in list(streams.values()):
                stream.end()

    def _find(self, session: Session, name: str) -> Stream | None:
        return self._of.get(id(session), {}).get(name)

    def _over(self, session: Session, name: str) -> None:
        own = self._of[id(session)]
        del own[name]
        if not own:
            del self._of[id(session)], self._sessions[id(session)]


def away(who: str) -> Error:
    return Error(503, "ServiceUnavailable", f"{who} is not connected to the master")

"""Calls and their answers: said again after silence, done once.

Owns      the master's memory of recent calls, the peer's table of calls without an answer.
Leaves    sockets and timers (hub, link), what a call does (dispatch).
Invariant a call that changes something is performed at most once per session, however often it is
          said; both tables are bounded.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from busk8s.api.request import Response
from busk8s.errors import Error
from busk8s.protocol import (
    ANSWER_BYTES_MAX,
    BODY_PART_BYTES,
    RECENT_CALL_BYTES_MAX,
    RECENT_CALLS_MAX,
    Refusal,
    Reply,
    encode,
)

Frames = tuple[bytes, ...]


@dataclass(slots=True)
class _Known:
    """A call that was begun: where its answer goes, and the answer when it is there."""

    route: bytes
    frames: Frames | None = None


class RecentCalls:
    """What one session asked lately. Writes keep their answers; reads are simply done again."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._bytes = 0
        self.running = 0

    def begin(self, call_id: str, route: bytes) -> Frames | bool:
        """True: new, perform it. False: under way, its answer will go to `route`. Else: repeat."""
        known = self._known.get(call_id)
        if known is None:
            self._known[call_id] = _Known(route)
            self.running += 1
            return True
        known.route = route
        return known.frames if known.frames is not None else False

    def end(self, call_id: str, frames: Frames, *, keep: bool) -> bytes:
        """The call is done; the route its answer goes to. `keep` when it changed something."""
        known = self._known[call_id]
        self.running -= 1
        if keep:
            known.frames = frames
            self._bytes += sum(map(len, frames))
            self._trim()
        else:
            del self._known[call_id]
        return known.route

    def _trim(self) -> None:
        """Forget the oldest answers; calls under way stay (their number is bounded elsewhere)."""
        if len(self._known) <= RECENT_CALLS_MAX and self._bytes <= RECENT_CALL_BYTES_MAX:
            return
        for call_id, known in list(self._known.items()):
            if known.frames is None:
                continue
            self._bytes -= sum(map(len, known.frames))
            del self._known[call_id]
            if len(self._known) <= RECENT_CALLS_MAX and self._bytes <= RECENT_CALL_BYTES_MAX:
                return


def reply_frames(call_id: str, response: Response) -> Frames:
    """The answer as encoded messages, cut so that none holds up the socket for long."""
    body = response.body
    if len(body) > ANSWER_BYTES_MAX:
        message = "the answer is over the limit of the bus: list in pages or follow the topic"
        return (encode(Refusal(id=call_id, code=413, reason="ResponseTooLarge", message=message)),)
    parts = max(1, -(-len(body) // BODY_PART_BYTES))
    return tuple(
        encode(
            Reply(
                id=call_id,
                status=response.status,
                body=body[part * BODY_PART_BYTES : (part + 1) * BODY_PART_BYTES],
                content_type=response.content_type,
                headers=response.headers,
                part=part,
                parts=parts,
            )
        )
        for part in range(parts)
    )


@dataclass(slots=True)
class Pending:
    """A call without an answer yet."""

    frame: bytes
    future: asyncio.Future[Response]
    said_at: float
    parts: dict[int, Reply] = field(default_factory=dict)


class PendingCalls:
    """The peer's side: from reply to the future that waits for it."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, call_id: str, frame: bytes, now: float) -> asyncio.Future[Response]:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._pending[call_id] = Pending(frame, future, now)
        return future

    def drop(self, call_id: str) -> None:
        self._pending.pop(call_id, None)

    def reply(self, message: Reply) -> None:
        """Take a part in; the last missing one completes the answer."""
        pending = self._pending.get(message.id)
        if pending is None:
            return
        pending.parts[message.part] = message
        if len(pending.parts) == message.parts:
            self._finish(message.id, pending)

    def refuse(self, message: Refusal) -> bool:
        """The master will not do the call `message.id`; False if there is no such call."""
        pending = self._pending.pop(message.id, None)
        if pending is not None and not pending.future.done():
            pending.future.set_exception(Error(message.code, message.reason, message.message))
        return pending is not None

    def due(self, now: float, after_s: float) -> Sequence[bytes]:
        """The frames to say again: unanswered for `after_s`; each is due again only after that."""
        frames = []
        for pending in self._pending.values():
            if now - pending.said_at >= after_s:
                pending.said_at = now
                frames.append(pending.frame)
        return frames

    def _finish(self, call_id: str, pending: Pending) -> None:
        del self._pending[call_id]
        if pending.future.done():
            return
        first = pending.parts[0]
        whole = [pending.parts[number].body for number in sorted(pending.parts)]
        body = whole[0] if len(whole) == 1 else b"".join(whole)
        pending.future.set_result(
            Response(first.status, body, content_type=first.content_type, headers=first.headers)
        )

"""The life of a link as a table: state and event in, next state and actions out. Pure.

Owns      which step follows which. Leaves   performing the steps (link).
Invariant an event that has no row in a state changes nothing: it is late, not wrong.

    idle -- open --> greeting -- welcome --> marking -- mark --> live
    marking, live -- unknown --> greeting          (the master restarted under the same socket)
    greeting, marking, live -- lost --> waiting -- due --> greeting
    any -- close --> closed
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    IDLE = "idle"  # Not begun.
    GREETING = "greeting"  # Sockets are open, hello is sent.
    MARKING = "marking"  # Known to the master; the feed is not yet proved.
    LIVE = "live"  # Requests answer, the feed flows.
    WAITING = "waiting"  # Sockets are closed; a jittered wait runs.
    CLOSED = "closed"


class Event(StrEnum):
    OPEN = "open"
    WELCOME = "welcome"
    MARK = "mark"  # The feed has proved that our subscriptions are in force.
    UNKNOWN = "unknown"  # The master does not know this session (it restarted).
    LOST = "lost"  # Disconnected, silent for too long, or refused.
    DUE = "due"  # The wait is over.
    CLOSE = "close"


class Action(StrEnum):
    CONNECT = "connect"  # Open the sockets.
    GREET = "greet"  # Say hello.
    PROVE = "prove"  # Subscribe to every topic and a fresh mark after them.
    RESUME = "resume"  # Repeat open calls, ask where topics stand.
    REPAIR = "repair"  # The feed connected anew: ask where topics stand.
    DISCONNECT = "disconnect"  # Close the sockets, cut topics and streams off.
    WAIT = "wait"  # Start the next, longer wait.
    SETTLE = "settle"  # The attempt succeeded: the next wait is the first again.


S, E, A = State, Event, Action

TABLE: dict[tuple[State, Event], tuple[State, tuple[Action, ...]]] = {
    (S.IDLE, E.OPEN): (S.GREETING, (A.CONNECT, A.GREET)),
    (S.GREETING, E.WELCOME): (S.MARKING, (A.PROVE,)),
    (S.GREETING, E.LOST): (S.WAITING, (A.DISCONNECT, A.WAIT)),
    (S.GREETING, E.UNKNOWN): (S.GREETING, ()),
    (S.MARKING, E.MARK): (S.LIVE, (A.SETTLE, A.RESUME)),
    (S.MARKING, E.UNKNOWN): (S.GREETING, (A.GREET,)),
    (S.MARKING, E.LOST): (S.WAITING, (A.DISCONNECT, A.WAIT)),
    (S.LIVE, E.MARK): (S.LIVE, (A.REPAIR,)),
    (S.LIVE, E.UNKNOWN): (S.GREETING, (A.GREET,)),
    (S.LIVE, E.LOST): (S.WAITING, (A.DISCONNECT, A.WAIT)),
    (S.WAITING, E.DUE): (S.GREETING, (A.CONNECT, A.GREET)),
    (S.IDLE, E.CLOSE): (S.CLOSED, ()),
    (S.GREETING, E.CLOSE): (S.CLOSED, (A.DISCONNECT,)),
    (S.MARKING, E.CLOSE): (S.CLOSED, (A.DISCONNECT,)),
    (S.LIVE, E.CLOSE): (S.CLOSED, (A.DISCONNECT,)),
    (S.WAITING, E.CLOSE): (S.CLOSED, ()),
}


def step(state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
    """The next state and what to do; an event without a row leaves all as it is."""
    return TABLE.get((state, event), (state, ()))


def backoff_s(attempt: int, jitter: float, *, first: float, factor: float, most: float) -> float:
    """Seconds before attempt number `attempt` (from 0); `jitter` in [0, 1) spreads by a half."""
    # Beyond this exponent any factor above 1.01 is past the cap; it only keeps floats finite.
    wait = min(most, first * factor ** min(attempt, 1000))
    return wait * (0.75 + 0.5 * jitter) if wait < most else most * (0.5 + 0.5 * jitter)

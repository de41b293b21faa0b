"""The life of a link as a table, and the waits between its attempts."""

from __future__ import annotations

import pytest

from busk8s import protocol
from busk8s.bus.session import TABLE, Action, Event, State, backoff_s, step


@pytest.mark.parametrize(
    ("events", "state"),
    [
        pytest.param("open welcome mark", State.LIVE, id="an undisturbed start"),
        pytest.param("open lost due welcome mark", State.LIVE, id="a master that came up late"),
        pytest.param("open welcome mark lost", State.WAITING, id="a broken connection"),
        pytest.param("open welcome mark unknown", State.GREETING, id="a restarted master"),
        pytest.param("open welcome lost due", State.GREETING, id="a feed that never answered"),
        pytest.param("open welcome mark lost lost lost", State.WAITING, id="the same loss thrice"),
        pytest.param("open mark welcome", State.MARKING, id="a mark of an earlier connection"),
        pytest.param("open close welcome due open", State.CLOSED, id="closed for good"),
    ],
)
def test_what_happens_leads_to(events: str, state: State) -> None:
    now = State.IDLE
    for event in events.split():
        now, _ = step(now, Event(event))
    assert now is state


def test_every_state_can_be_left_and_reached() -> None:
    assert {state for state, _ in TABLE} == set(State) - {State.CLOSED}
    assert {state for state, _ in TABLE.values()} == set(State) - {State.IDLE}


def test_whoever_opens_sockets_closes_them_before_waiting() -> None:
    for (before, _), (after, actions) in TABLE.items():
        if after in (State.WAITING, State.CLOSED) and before not in (State.IDLE, State.WAITING):
            assert actions[0] is Action.DISCONNECT


def test_an_event_without_a_row_changes_nothing() -> None:
    assert step(State.WAITING, Event.WELCOME) == (State.WAITING, ())


def test_the_wait_grows_with_jitter_and_stays_under_its_cap() -> None:
    waits = [backoff_s(n, 0.5, first=0.1, factor=1.25, most=30.0) for n in range(60)]
    assert waits[0] == pytest.approx(0.1)
    assert waits[:25] == sorted(waits[:25])
    for attempt in (0, 10, 1000, 10**9):
        for jitter in (0.0, 0.999):
            wait = backoff_s(attempt, jitter, first=0.1, factor=1.25, most=30.0)
            assert 0.07 < wait < 37.5


def test_after_ten_seconds_away_the_next_look_is_within_two() -> None:
    away, attempt = 0.0, 0
    while away < 10.0:
        wait = backoff_s(
            attempt,
            0.999,
            first=protocol.BACKOFF_FIRST_S,
            factor=protocol.BACKOFF_FACTOR,
            most=protocol.BACKOFF_MAX_S,
        )
        away, attempt = away + wait, attempt + 1
    assert wait < 2.0

"""Sizes of a rolling update: tables, and the laws that hold whatever the pods do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.master.controllers.deployment_scale import (
    Bounds,
    Member,
    is_scaling,
    new_size,
    old_sizes,
    portion,
    scaled_sizes,
)


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [
        pytest.param("25%", 10, 3, 2, id="a quarter of ten"),
        pytest.param("25%", 3, 1, 0, id="a quarter of three"),
        pytest.param("0%", 3, 0, 0, id="nothing"),
        pytest.param("100%", 3, 3, 3, id="all"),
        pytest.param(2, 3, 2, 2, id="a number"),
    ],
)
def test_portion(value: int | str, total: int, up: int, down: int) -> None:
    assert portion(value, total, round_up=True) == up
    assert portion(value, total, round_up=False) == down


TEN = Bounds(10, surge=3, unavailable=2)


@pytest.mark.parametrize(
    ("bound", "new", "olds", "want"),
    [
        pytest.param(TEN, Member("new", 0), [Member("old", 10, 10)], 3, id="starts with the surge"),
        pytest.param(TEN, Member("new", 3), [Member("old", 8, 8)], 5, id="grows into what went"),
        pytest.param(TEN, Member("new", 3), [Member("old", 10, 10)], 3, id="waits for room"),
        pytest.param(TEN, Member("new", 9), [], 10, id="never beyond the size"),
        pytest.param(TEN, Member("new", 12), [], 10, id="too large shrinks at once"),
    ],
)
def test_new_size(bound: Bounds, new: Member, olds: list[Member], want: int) -> None:
    assert new_size(bound, new, olds) == want


@pytest.mark.parametrize(
    ("new", "olds", "want"),
    [
        pytest.param(Member("new", 3, 0), [Member("old", 10, 10)], {"old": 8}, id="what is spare"),
        pytest.param(
            Member("new", 3, 3), [Member("old", 10, 10)], {"old": 5}, id="as new ones come"
        ),
        pytest.param(Member("new", 3, 0), [Member("old", 8, 8)], {}, id="nothing to spare"),
        pytest.param(
            Member("new", 3, 0), [Member("old", 10, 5)], {"old": 8}, id="unhealthy ones go first"
        ),
        pytest.param(
            Member("new", 5, 5),
            [Member("b", 2, 2, "2027-02"), Member("a", 3, 3, "2027-01")],
            {"a": 1},
            id="the oldest shrinks first",
        ),
    ],
)
def test_old_sizes(new: Member, olds: list[Member], want: dict[str, int]) -> None:
    assert old_sizes(TEN, new, olds) == want


def test_a_resize_is_shared_by_size() -> None:
    """Ten replicas in the middle of a rollout become thirty, as upstream's documents show it."""
    stamps = {"desired": 10, "max": 13}
    new = Member("new", 5, 0, "2027-02", **stamps)
    old = Member("old", 8, 8, "2027-01", **stamps)
    bound = Bounds(15, surge=3, unavailable=2)
    assert is_scaling(bound, [new, old])
    assert scaled_sizes(bound, new, [old]) == {"old": 11, "new": 7}


def test_a_lone_set_takes_the_whole_size() -> None:
    assert scaled_sizes(TEN, Member("new", 3), []) == {"new": 10}
    assert scaled_sizes(TEN, Member("new", 10), []) == {}


sizes = st.integers(0, 12)


@st.composite
def bounds_st(draw: st.DrawFn) -> Bounds:
    replicas = draw(sizes)
    surge = draw(st.integers(0, 5))
    unavailable = min(draw(st.integers(0 if surge else 1, 5)), replicas)
    return Bounds(replicas, surge, unavailable)


@given(bounds_st(), st.lists(sizes, max_size=3), st.data())
def test_a_rollout_keeps_its_bounds_and_ends(
    bound: Bounds, old: list[int], data: st.DataObject
) -> None:
    """Pods get ready in any order, statuses come late: never below, never above, always an end."""
    total = sum(old)
    new = Member("new", 0)
    olds = [Member(f"old{i}", size, size, f"2027-0{i + 1}") for i, size in enumerate(old)]
    for _step in range(200):
        size = new_size(bound, new, olds)
        before = sum(m.replicas for m in (new, *olds))
        if size != new.replicas:
            new = replace(new, replicas=size)
            assert sum(m.replicas for m in (new, *olds)) <= max(before, bound.total_max)
        else:
            smaller = old_sizes(bound, new, olds)
            available = sum(min(m.available, m.replicas) for m in (new, *olds))
            olds = [replace(m, replicas=smaller.get(m.name, m.replicas)) for m in olds]
            left = sum(min(m.available, m.replicas) for m in (new, *olds))
            assert left >= min(available, bound.available_min)
        # Some of the new pods become ready; statuses of the old ones may lag behind.
        ready = data.draw(st.integers(min(new.available, new.replicas), new.replicas))
        new = replace(new, available=max(ready, min(new.replicas, new.available + 1)))
        if data.draw(st.booleans()):
            olds = [replace(m, available=min(m.available, m.replicas)) for m in olds]
        if new.replicas == bound.replicas and not any(m.replicas for m in olds):
            break
    else:
        pytest.fail(f"no end: {total} {new} {olds}")


@given(
    bounds_st(),
    sizes,
    st.lists(sizes, min_size=1, max_size=3),
    st.integers(1, 12),
)
def test_a_resize_never_passes_the_surge(
    bound: Bounds, new_replicas: int, old: list[int], before: int
) -> None:
    stamps = {"desired": before, "max": before + bound.surge}
    new = Member("new", new_replicas, 0, "2027-09", **stamps)
    olds = [Member(f"old{i}", s, s, f"2027-0{i + 1}", **stamps) for i, s in enumerate(old)]
    changed = scaled_sizes(bound, new, olds)
    after = sum(changed.get(m.name, m.replicas) for m in (new, *olds))
    assert all(size >= 0 for size in changed.values())
    assert after <= max(bound.total_max, sum(m.replicas for m in (new, *olds)))

"""The cache reads its owner's writes, and the watch has the last word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.object import Object
from busk8s.api.scheme import PODS
from busk8s.client.cache import CONTROLLER, NAMESPACE, NODE, Cache, orphans_in
from busk8s.client.interface import Gone, Put, Reset


def pod(
    name: str,
    revision: int,
    *,
    uid: str = "",
    node: str = "",
    owner: str = "",
    deleting: bool = False,
) -> Object:
    metadata: dict[str, object] = {
        "name": name,
        "namespace": "default",
        "uid": uid or f"uid of {name}",
        "resourceVersion": str(revision),
    }
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "controller": True}]
    if deleting:
        metadata["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    data = {"metadata": metadata, "spec": {"nodeName": node}}
    return Object(PODS, "default", name, revision=revision, body=b"", data=data)


def test_indexes_follow_the_objects() -> None:
    cache = Cache(PODS, (NODE, CONTROLLER))
    cache.apply(Reset((pod("a", 1), pod("b", 2, node="n1", owner="rs")), 2))
    assert [p.name for p in cache.by(NODE, "n1")] == ["b"]
    assert [p.name for p in cache.by(CONTROLLER, orphans_in("default"))] == ["a"]
    cache.apply(Put(pod("a", 3, node="n1")))
    cache.apply(Gone(pod("b", 4, node="n1")))
    assert [p.name for p in cache.by(NODE, "n1")] == ["a"]
    assert cache.by(CONTROLLER, "rs") == []
    assert cache.count(NAMESPACE, "default") == 1


def test_an_own_write_is_read_before_the_watch_tells_of_it() -> None:
    cache = Cache(PODS)
    cache.apply(Reset((), 5))
    made = pod("a", 7)
    assert cache.assume(made) == [(None, made)]
    assert cache.apply(Put(made)) == []
    assert cache.get("default/a") is made


def test_the_answer_to_a_write_that_comes_after_the_deletion_is_ignored() -> None:
    cache = Cache(PODS)
    cache.apply(Reset((), 5))
    cache.apply(Put(pod("a", 7)))
    cache.apply(Gone(pod("a", 7)))
    assert cache.assume(pod("a", 7)) == []
    assert cache.assume(pod("a", 9)) == []  # An update's answer that was overtaken.
    assert len(cache) == 0


def test_a_snapshot_older_than_an_own_write_does_not_take_it_away() -> None:
    cache = Cache(PODS)
    cache.apply(Reset((), 5))
    cache.assume(pod("a", 9))
    cache.apply(Reset((), 8))
    assert cache.get("default/a") is not None
    cache.apply(Reset((), 10))
    assert cache.get("default/a") is None


def test_an_object_we_deleted_counts_as_deleting_until_the_watch_has_it() -> None:
    cache = Cache(PODS)
    cache.apply(Reset((pod("a", 1),), 1))
    seen = cache.get("default/a")
    assert seen is not None
    cache.assume_deleted(seen)
    assert cache.is_deleting(seen)
    cache.apply(Put(pod("a", 2)))  # A status update from before the deletion.
    assert cache.is_deleting(seen)
    cache.apply(Gone(pod("a", 3)))
    cache.apply(Put(pod("a", 4, uid="another")))
    again = cache.get("default/a")
    assert again is not None
    assert not cache.is_deleting(again)


def test_the_end_of_an_earlier_object_does_not_remove_the_later_one_of_that_name() -> None:
    cache = Cache(PODS)
    cache.apply(Reset((pod("a", 1),), 1))
    cache.assume(pod("a", 8, uid="second"))
    cache.apply(Gone(pod("a", 7)))
    found = cache.get("default/a")
    assert found is not None
    assert found.uid == "second"


EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "drop"]), st.booleans()), max_size=30
)


@given(EVENTS, st.data())
def test_whatever_is_assumed_the_cache_ends_as_the_watch_says(
    events: list[tuple[str, str, bool]], data: st.DataObject
) -> None:
    """Answers to our writes come at any time from the write on; the watch comes late, in order."""
    truth: dict[str, Object] = {}
    watch, answers = [], []
    for revision, (name, what, ours) in enumerate(events, 1):
        if what == "put":
            before = truth.get(name)
            uid = before.uid if before else f"{name}{revision}"
            truth[name] = pod(name, revision, uid=uid)
            watch.append(Put(truth[name]))
            if ours:
                answers.append((len(watch), truth[name]))
        elif name in truth:
            last = truth.pop(name)
            watch.append(Gone(pod(name, revision, uid=last.uid)))
    cache = Cache(PODS)
    cache.apply(Reset((), 0))
    delay = {id(obj): data.draw(st.integers(-len(watch), 5)) for _, obj in answers}
    for position, change in enumerate(watch, 1):
        for written, obj in answers:
            if written + delay[id(obj)] == position:
                cache.assume(obj)
        cache.apply(change)
    for _, obj in answers:
        cache.assume(obj)
    assert {p.name: p.revision for p in cache} == {n: p.revision for n, p in truth.items()}

"""Events as people read them, leadership as a Lease, and kubeconfigs."""

from __future__ import annotations

import asyncio
import base64
import random
from pathlib import Path

import pytest

from busk8s.api.object import Json, Object
from busk8s.api.scheme import EVENTS, LEASES, PODS
from busk8s.client.kubeconfig import KubeconfigError, load, parse
from busk8s.client.leader import Election, LeadershipLost, Sighting, may_take, taken
from busk8s.client.recorder import (
    COMBINED,
    SPAM_BURST,
    AgainEvent,
    Correlator,
    Happening,
    NewEvent,
    Recorder,
)
from busk8s.clock import LoopClock
from busk8s.errors import unavailable
from busk8s.ids import RandomIds
from busk8s.tasks import Nursery
from tests.model_cluster import ModelCluster


def about(name: str = "a") -> Json:
    return {"kind": "Pod", "namespace": "default", "name": name, "uid": f"uid of {name}"}


def happening(message: str, name: str = "a") -> Happening:
    return Happening(about(name), "Normal", "Pulled", message)


def test_the_same_again_is_counted() -> None:
    correlator = Correlator()
    first = correlator.correlate(happening("x"), 0)
    assert isinstance(first, NewEvent)
    correlator.written(first.key, "a.1")
    again = correlator.correlate(happening("x"), 1)
    assert isinstance(again, AgainEvent)
    assert (again.name, again.count) == ("a.1", 2)


def test_many_messages_of_one_kind_are_combined() -> None:
    correlator = Correlator()
    said = [correlator.correlate(happening(f"message {i}"), 0) for i in range(12)]
    assert isinstance(said[8], NewEvent)
    assert not said[8].happening.message.startswith(COMBINED)
    assert isinstance(said[9], NewEvent)  # The tenth, as upstream.
    assert said[9].happening.message == COMBINED + "message 9"
    assert isinstance(said[11], NewEvent)
    assert (said[11].key, said[11].count) == (said[9].key, 3)


def test_they_are_told_apart_again_when_none_came_for_ten_minutes() -> None:
    correlator = Correlator()
    for minute in range(12):  # Each within ten minutes of the last.
        said = correlator.correlate(happening(f"message {minute}"), minute * 599.0)
    assert isinstance(said, NewEvent)
    assert said.happening.message.startswith(COMBINED)
    said = correlator.correlate(happening("another"), 11 * 599.0 + 601)
    assert isinstance(said, NewEvent)
    assert said.happening.message == "another"


def test_what_was_not_written_is_counted_in_what_is() -> None:
    correlator = Correlator()
    first = correlator.correlate(happening("x"), 0)
    assert isinstance(first, NewEvent)
    correlator.written(first.key, "a.1")
    for _ in range(SPAM_BURST + 9):
        correlator.correlate(happening("x"), 0)
    again = correlator.correlate(happening("x"), 301)
    assert isinstance(again, AgainEvent)
    assert again.count == SPAM_BURST + 11


def test_containers_of_a_pod_have_events_of_their_own_and_one_allowance() -> None:
    correlator = Correlator()
    of = {**about(), "fieldPath": "spec.containers{a}"}
    a = correlator.correlate(Happening(of, "Normal", "Pulled", "x"), 0)
    b = correlator.correlate(happening("x"), 0)
    assert isinstance(a, NewEvent)
    assert isinstance(b, NewEvent)
    assert a.key != b.key
    said = [correlator.correlate(happening("x"), 0) for _ in range(SPAM_BURST)]
    assert said.count(None) == 2


def test_one_object_cannot_flood_the_others() -> None:
    correlator = Correlator()
    said = [correlator.correlate(happening("x"), 0) for _ in range(SPAM_BURST + 5)]
    assert sum(result is None for result in said) == 5
    assert correlator.correlate(happening("x", "b"), 0) is not None
    assert correlator.correlate(happening("x"), 301) is not None


def pod(cluster: ModelCluster) -> Object:
    return cluster.put(PODS, {"metadata": {"name": "a", "namespace": "default"}})


async def test_an_event_looks_as_describe_wants_it() -> None:
    cluster, clock = ModelCluster(), LoopClock()
    recorder = Recorder(cluster, "kubelet", clock=clock, ids=RandomIds(random.Random(1)), host="n1")
    subject = pod(cluster)
    async with Nursery() as nursery:
        nursery.spawn(recorder.run())
        recorder.event(subject, "Warning", "BackOff", "Back-off restarting failed container")
        await asyncio.sleep(60)
        recorder.event(subject, "Warning", "BackOff", "Back-off restarting failed container")
        await asyncio.sleep(1)
    (event,) = cluster.all(EVENTS)
    assert event.name.startswith("a.")
    assert event.data["count"] == 2
    assert event.data["firstTimestamp"] == "2027-01-15T08:00:00Z"
    assert event.data["lastTimestamp"] == "2027-01-15T08:01:00Z"
    assert event.data["source"] == {"component": "kubelet", "host": "n1"}
    assert event.data["involvedObject"]["uid"] == subject.uid


async def test_an_event_that_expired_is_written_anew() -> None:
    cluster, clock = ModelCluster(), LoopClock()
    recorder = Recorder(cluster, "kubelet", clock=clock, ids=RandomIds(random.Random(1)))
    subject = pod(cluster)
    async with Nursery() as nursery:
        nursery.spawn(recorder.run())
        recorder.event(subject, "Normal", "Pulled", "x")
        await asyncio.sleep(1)
        cluster.drop(cluster.all(EVENTS)[0])
        recorder.event(subject, "Normal", "Pulled", "x")
        await asyncio.sleep(1)
    assert [event.data["count"] for event in cluster.all(EVENTS)] == [2]


async def test_events_by_name_are_events_in_order() -> None:
    """As `kubectl get events` and `describe` show those of one second."""
    cluster, clock = ModelCluster(), LoopClock()
    scheduler = Recorder(cluster, "scheduler", clock=clock, ids=RandomIds(random.Random(1)))
    kubelet = Recorder(cluster, "kubelet", clock=clock, ids=RandomIds(random.Random(2)))
    subject = pod(cluster)
    async with Nursery() as nursery:
        scheduler.event(subject, "Normal", "Scheduled", "x")
        await asyncio.sleep(0.01)
        for reason in ("Pulled", "Created", "Started"):
            kubelet.event(subject, "Normal", reason, "x")
        nursery.spawn(kubelet.run())
        await asyncio.sleep(0.01)
        nursery.spawn(scheduler.run())  # Written last, but noted first.
        await asyncio.sleep(1)
    found = sorted(cluster.all(EVENTS), key=lambda event: event.name)
    assert [event.data["reason"] for event in found] == [
        "Scheduled",
        "Pulled",
        "Created",
        "Started",
    ]
    assert all(int(event.name.removeprefix("a."), 16) > 2**60 for event in found)


HELD = {"spec": {"holderIdentity": "other", "leaseDurationSeconds": 15}}


@pytest.mark.parametrize(
    ("lease", "at", "want"),
    [
        pytest.param(None, 0, True, id="no lease yet"),
        pytest.param({"spec": {"holderIdentity": ""}}, 0, True, id="given up"),
        pytest.param({"spec": {"holderIdentity": "me"}}, 0, True, id="ours"),
        pytest.param(HELD, 10, False, id="another's, fresh"),
        pytest.param(HELD, 16, True, id="another's, run out by our clock"),
    ],
)
def test_who_may_lead(lease: Json | None, at: float, want: bool) -> None:
    assert may_take(lease, "me", Sighting(1, 0.0), at) is want


def test_a_change_of_leader_is_counted_and_a_renewal_is_not() -> None:
    changed = taken(HELD, "me", 0)
    assert changed["leaseTransitions"] == 1
    assert taken({"spec": changed}, "me", 5)["leaseTransitions"] == 1


async def test_of_two_one_leads_and_the_other_takes_over() -> None:
    cluster, clock = ModelCluster(), LoopClock()
    leading: list[str] = []

    async def work(identity: str) -> None:
        leading.append(identity)
        try:
            await asyncio.sleep(100)
        finally:
            leading.remove(identity)

    async with Nursery() as nursery:
        for identity in ("first", "second"):
            election = Election(cluster, "controllers", identity, clock=clock)
            nursery.spawn(election.run(lambda identity=identity: work(identity)))
        await asyncio.sleep(60)
        assert leading == ["first"]
        await asyncio.sleep(45)  # The first is done, and gives the Lease back.
        assert leading == ["second"]
    assert cluster.all(LEASES)[0].data["spec"]["holderIdentity"] == ""


async def test_who_cannot_renew_stops_before_another_may_begin() -> None:
    cluster, clock = ModelCluster(), LoopClock()
    stopped: list[float] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            stopped.append(clock.monotonic())

    election = Election(cluster, "controllers", "me", clock=clock)
    async with Nursery() as nursery:
        task = nursery.spawn(election.run(work))
        await asyncio.sleep(20)
        cluster.fail = lambda *_: unavailable("cut off")
        with pytest.raises(LeadershipLost):
            await task
    assert stopped[0] <= 20 + 15


KUBECONFIG = """
current-context: here
contexts:
- name: here
  context: {cluster: c, user: u, namespace: team}
- name: token
  context: {cluster: c, user: t}
- name: cloud
  context: {cluster: c, user: e}
clusters:
- name: c
  cluster: {server: "https://127.0.0.1:6440/", certificate-authority-data: %s}
users:
- name: u
  user: {client-certificate: cert.pem, client-key: key.pem}
- name: t
  user: {token: secret}
- name: e
  user: {exec: {command: aws}}
"""


def kubeconfig() -> str:
    return KUBECONFIG % base64.b64encode(b"CA").decode()


def test_a_kubeconfig_is_read(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(b"CERT")
    (tmp_path / "key.pem").write_bytes(b"KEY")
    (tmp_path / "config").write_text(kubeconfig())
    found = load(tmp_path / "config")
    assert found.server == "https://127.0.0.1:6440"
    assert (found.ca, found.certificate, found.key) == (b"CA", b"CERT", b"KEY")
    assert found.namespace == "team"
    assert parse(kubeconfig(), "token").token == "secret"


@pytest.mark.parametrize(
    ("text", "context", "why"),
    [
        pytest.param("{", "", "not YAML", id="not YAML"),
        pytest.param("[]", "", "not a kubeconfig", id="a list"),
        pytest.param("{}", "", "no current-context", id="empty"),
        pytest.param(kubeconfig(), "absent", "no context named 'absent'", id="unknown context"),
        pytest.param(kubeconfig(), "cloud", "exec is not supported", id="exec plug-in"),
        pytest.param(kubeconfig(), "here", "cert.pem: No such file", id="a file that is not there"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(
    text: str, context: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(KubeconfigError, match=why):
        parse(text, context, tmp_path)

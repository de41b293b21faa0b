"""The Node's status, admission at the node, the view on disk, back-off."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubelet_world import until, world
from pod_cases import make_pod

from busk8s.api.object import Object
from busk8s.api.scheme import PODS
from busk8s.client.interface import Gone, Put, Reset
from busk8s.clock import LoopClock
from busk8s.worker.kubelet.admit import Room, claim, not_enforced, refusal, unsupported
from busk8s.worker.kubelet.backoff import after_restart, remaining_s, render_delay
from busk8s.worker.kubelet.checkpoint import Checkpoint, Saved, decode, encode
from busk8s.worker.kubelet.machine import Machine, read_machine
from busk8s.worker.kubelet.node import Health, missing_labels, node_object, node_status
from busk8s.worker.kubelet.resources import pod_requests, qos_class
from busk8s.worker.kubelet.view import View

MACHINE = Machine(4, 8 << 30, 100 << 30, "m", "u", "b", "6.1", "Debian", "amd64", "host")
ROOM = Room(3, 2_000, 1 << 30)


def pod(cpu: str = "", memory: str = "", port: int = 0, **spec: Any) -> Any:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    ports = [{"containerPort": port, "hostPort": port}] if port else []
    container = {"name": "c", "image": "i", "resources": {"requests": requests}, "ports": ports}
    return make_pod({"containers": [container], **spec})


@pytest.mark.parametrize(
    ("wanted", "held", "reason", "words"),
    [
        (pod("1"), [pod("1")], "", ""),
        (pod("1500m"), [pod("1")], "OutOfcpu", "cpu, requested: 1500, used: 1000, capacity: 2000"),
        (pod(memory="2Gi"), [], "OutOfmemory", "requested: 2147483648, used: 0"),
        (pod(), [pod(), pod(), pod()], "OutOfpods", "pods, requested: 1, used: 3, capacity: 3"),
        (pod(port=80), [pod(port=80)], "NodePorts", "Predicate NodePorts failed"),
        (pod(port=80), [pod(port=81)], "", ""),
    ],
    ids=["fits", "cpu", "memory", "pods", "ports-clash", "ports-differ"],
)
def test_room(wanted: Any, held: list[Any], reason: str, words: str) -> None:
    said = refusal(claim(wanted), [claim(other) for other in held], ROOM)
    assert (said or ("", ""))[0] == reason
    assert words in (said or ("", ""))[1]


def test_requests_count_init_containers_and_sidecars() -> None:
    def one(cpu: str, **more: Any) -> dict[str, Any]:
        return {"name": cpu, "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "initContainers": [one("1", restartPolicy="Always"), one("3")],
        "containers": [one("1"), one("500m")],
        "overhead": {"cpu": "100m"},
    }
    assert pod_requests(spec).cpu == 4_100


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources: dict[str, Any], wanted: str) -> None:
    assert qos_class({"containers": [{"name": "c", "resources": resources}]}) == wanted


def test_what_cannot_be_done_is_named() -> None:
    refused = pod(hostPID=True, runtimeClassName="gvisor", securityContext={"fsGroup": 1}, port=80)
    assert unsupported(refused, refused.containers[0]) == [
        "spec.hostPID",
        "spec.runtimeClassName",
        "spec.securityContext.fsGroup",
        "hostPort of container c without hostNetwork",
    ]
    assert unsupported(pod("1", port=0), pod("1", port=0).containers[0]) == []
    mount = {"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}
    debug = {"name": "d", "image": "i", "volumeMounts": [mount]}
    spec = {"containers": [{"name": "c", "image": "i"}], "ephemeralContainers": [debug]}
    made = make_pod(spec)
    assert unsupported(made, made.containers[0]) == []
    assert unsupported(made, made.ephemeral[0]) == ["mountPropagation Bidirectional of container d"]
    confined = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
    made = make_pod({"containers": [{"name": "c", "image": "i", "securityContext": confined}]})
    assert not_enforced(made) == ["readOnlyRootFilesystem", "allowPrivilegeEscalation"]


def test_a_limit_that_this_machine_cannot_hold_is_named_and_the_container_runs() -> None:
    resources = {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1"}}
    made = make_pod({"containers": [{"name": "c", "image": "i", "resources": resources}]})
    assert not_enforced(made, ["cpu", "memory"]) == ["resources.limits.memory"]
    assert not_enforced(made, []) == []


def status(now: float, health: Health, old: dict[str, Any]) -> dict[str, Any]:
    return node_status(now, "n1", MACHINE, ["10.0.0.1"], health, "x://1", pods_max=110, old=old)


def test_a_nodes_status_changes_only_when_something_does_or_every_five_minutes() -> None:
    first = status(1_000.0, Health(), {})
    assert status(1_200.0, Health(), first) == first
    later = status(1_400.0, Health(), first)
    assert later != first
    times = [c["lastTransitionTime"] for c in later["conditions"]]
    assert times == [c["lastTransitionTime"] for c in first["conditions"]]


def test_a_runtime_that_does_not_answer_makes_the_node_not_ready() -> None:
    made = status(1_000.0, Health("no supervisor", memory_pressure=True), {})
    by_type = {c["type"]: c for c in made["conditions"]}
    assert (by_type["Ready"]["status"], by_type["Ready"]["reason"]) == ("False", "KubeletNotReady")
    assert by_type["MemoryPressure"]["reason"] == "KubeletHasInsufficientMemory"


def test_labels_that_are_missing_are_known() -> None:
    node = node_object("n1", MACHINE)
    assert missing_labels(node, MACHINE) == {}
    del node["metadata"]["labels"]["kubernetes.io/os"]
    assert missing_labels(node, MACHINE) == {"kubernetes.io/os": "linux"}


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    machine = read_machine(str(tmp_path / "not" / "yet"))
    assert machine.cpus >= 1
    assert min(machine.memory_bytes, machine.storage_bytes) > 0


def obj(name: str, revision: int = 1, uid: str = "u") -> Object:
    metadata = {"name": name, "namespace": "default", "uid": uid}
    spec = {"nodeName": "n1", "containers": []}
    body = orjson.dumps({"metadata": metadata, "spec": spec})
    return Object(PODS, "default", name, revision=revision, body=body)


def test_a_checkpoint_comes_back_as_it_was() -> None:
    saved = Saved("n1", 7, (obj("a"), obj("b", 5)), {"u": {"phase": "Failed"}})
    back = decode(encode(saved))
    assert (back.node_name, back.revision, back.statuses) == ("n1", 7, {"u": {"phase": "Failed"}})
    assert [(o.key, o.revision, o.body) for o in back.objects] == [
        (o.key, o.revision, o.body) for o in saved.objects
    ]


@given(st.binary(max_size=60))
def test_any_bytes_are_a_checkpoint_or_a_value_error(data: bytes) -> None:
    try:
        decode(data)
    except ValueError:
        pass


def test_a_checkpoint_is_private_and_a_broken_one_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "view"
    checkpoint = Checkpoint(path, LoopClock(), lambda: Saved("n1"))
    assert checkpoint.load() is None
    checkpoint.save()
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert checkpoint.load() == Saved("n1")
    path.write_bytes(b"\xc1broken")
    assert checkpoint.load() is None
    assert not path.exists()


def test_a_pod_of_the_same_name_is_another_pod() -> None:
    view = View("n1")
    view.apply([Reset((obj("a", 1, "u1"),), 1)])
    delta = view.apply([Put(obj("a", 2, "u2"))])
    assert (list(delta.vanished), list(delta.pods)) == (["u1"], ["u2"])


keys = st.sampled_from(["a", "b", "c"])
changes = st.lists(
    st.one_of(
        st.builds(lambda n, r: Put(obj(n, r, f"u-{n}")), keys, st.integers(1, 9)),
        st.builds(lambda n: Gone(obj(n, 1, f"u-{n}")), keys),
        st.builds(
            lambda ns: Reset(tuple(obj(n, 1, f"u-{n}") for n in sorted(ns)), 1), st.sets(keys)
        ),
    ),
    max_size=12,
)


@given(st.lists(changes, max_size=4))
def test_a_view_equals_its_source_after_any_batches(batches: list[Any]) -> None:
    view, source = View("n1"), {}
    for batch in batches:
        for change in batch:
            match change:
                case Reset():
                    source = {o.name: o for o in change.objects}
                case Put(one):
                    source[one.name] = one
                case Gone(one):
                    source.pop(one.name, None)
        view.apply(batch)
    assert {o.name: o.revision for o in view.objects()} == {
        n: o.revision for n, o in source.items()
    }
    assert sorted(p.name for p in view.pods.values()) == sorted(source)


def test_back_off_doubles_up_to_five_minutes_and_is_forgotten_after_ten() -> None:
    entry, now, delays = None, 0.0, []
    for _ in range(8):
        entry = after_restart(entry, now, now)
        delays.append(entry.delay_s)
        now += 1
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]
    assert entry is not None
    assert remaining_s(entry, now, now) == 300
    assert remaining_s(entry, now + 700, now + 700) == 0
    assert after_restart(entry, now + 700, now + 700).delay_s == 10


@pytest.mark.parametrize(("delay", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s")])
def test_delays_read_as_upstreams(delay: float, text: str) -> None:
    assert render_delay(delay) == text


async def test_a_node_tells_of_its_start_and_of_every_change(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await until(lambda: len(w.api.reasons("n1")) == 5)
        assert w.api.reasons("n1") == [
            "Starting",
            "NodeHasSufficientMemory",
            "NodeHasNoDiskPressure",
            "NodeHasSufficientPID",
            "NodeReady",
        ]
        first = w.api.events[1]
        assert first["message"] == "Node n1 status is now: NodeHasSufficientMemory"
        assert first["involvedObject"] == {"kind": "Node", "name": "n1", "uid": "n1"}
        assert first["source"] == {"component": "kubelet", "host": "n1"}
        w.first._reporter._problem = lambda: "the runtime is gone"
        await until(lambda: w.api.reasons("n1")[-1] == "NodeNotReady")
        await asyncio.sleep(30)
        assert len(w.api.reasons("n1")) == 6  # Nothing while nothing changes.

"""The pod's row: how a whole status becomes one word."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api import scheme
from busk8s.api.tables import table as tables

Json = dict[str, Any]
CREATED = "2026-01-01T00:00:00Z"
NOW = 1767225600.0 + 3600  # an hour later
NAMES = [definition["name"] for definition in tables.columns(scheme.PODS)]

RUNNING: Json = {"running": {"startedAt": CREATED}}
DONE: Json = {"terminated": {"exitCode": 0, "reason": "Completed"}}
STARTING: Json = {"waiting": {"reason": "ContainerCreating"}}


def waiting(reason: str) -> Json:
    return {"waiting": {"reason": reason}}


def ended(code: int, **more: Any) -> Json:
    return {"terminated": {"exitCode": code, **more}}


def status(name: str, state: Json, *, ready: bool = False, **more: Any) -> Json:
    return {"name": name, "state": state, "ready": ready, "restartCount": 0, **more}


def pod(
    phase: str,
    *statuses: Json,
    init: tuple[Json, ...] = (),
    sidecars: tuple[str, ...] = (),
    conditions: tuple[Json, ...] = (),
    deleted: bool = False,
    **more: Any,
) -> Json:
    metadata: Json = {"name": "web", "creationTimestamp": CREATED}
    if deleted:
        metadata["deletionTimestamp"] = CREATED
    inits = [
        {"name": s["name"], **({"restartPolicy": "Always"} if s["name"] in sidecars else {})}
        for s in init
    ]
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": s["name"]} for s in statuses], "initContainers": inits},
        "status": {
            "phase": phase,
            "containerStatuses": list(statuses),
            "initContainerStatuses": list(init),
            "conditions": list(conditions),
            **more,
        },
    }


def cell(obj: Json, column: str) -> Any:
    return tables.cells(scheme.PODS, obj, now=NOW)[NAMES.index(column)]


READY: Json = {"type": "Ready", "status": "True"}
A, B = "a", "b"


@pytest.mark.parametrize(
    ("obj", "word", "ready"),
    [
        (pod("Pending"), "Pending", "0/0"),
        (pod("Pending", status(A, STARTING)), "ContainerCreating", "0/1"),
        (pod("Running", status(A, RUNNING, ready=True)), "Running", "1/1"),
        (pod("Running", status(A, RUNNING)), "Running", "0/1"),
        (pod("Running", status(A, waiting("CrashLoopBackOff"))), "CrashLoopBackOff", "0/1"),
        (pod("Pending", status(A, waiting("ImagePullBackOff"))), "ImagePullBackOff", "0/1"),
        (
            pod("Running", status(A, waiting("First")), status(B, waiting("Second"))),
            "First",
            "0/2",
        ),
        (pod("Succeeded", status(A, DONE)), "Completed", "0/1"),
        (pod("Failed", status(A, ended(1, reason="Error"))), "Error", "0/1"),
        (pod("Failed", status(A, ended(137, reason="OOMKilled"))), "OOMKilled", "0/1"),
        (pod("Failed", status(A, ended(3))), "ExitCode:3", "0/1"),
        (pod("Failed", status(A, ended(137, signal=9))), "Signal:9", "0/1"),
        (pod("Failed", reason="Evicted"), "Evicted", "0/0"),
        (
            pod(
                "Running",
                status(A, DONE),
                status(B, RUNNING, ready=True),
                conditions=(READY,),
            ),
            "Running",
            "1/2",
        ),
        (
            pod("Running", status(A, DONE), status(B, RUNNING, ready=True)),
            "NotReady",
            "1/2",
        ),
        (pod("Running", status(A, RUNNING, ready=True), deleted=True), "Terminating", "1/1"),
        (pod("Succeeded", status(A, DONE), deleted=True), "Completed", "0/1"),
        (
            pod("Running", status(A, RUNNING, ready=True), deleted=True, reason="NodeLost"),
            "Unknown",
            "1/1",
        ),
        (
            pod(
                "Pending",
                conditions=(
                    {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"},
                ),
            ),
            "SchedulingGated",
            "0/0",
        ),
        (
            pod("Pending", status(A, waiting("PodInitializing")), init=(status("i", RUNNING),)),
            "Init:0/1",
            "0/1",
        ),
        (
            pod("Pending", init=(status("i", DONE), status("j", waiting("PodInitializing")))),
            "Init:1/2",
            "0/0",
        ),
        (pod("Pending", init=(status("i", ended(2)),)), "Init:ExitCode:2", "0/0"),
        (pod("Pending", init=(status("i", ended(2, signal=15)),)), "Init:Signal:15", "0/0"),
        (pod("Pending", init=(status("i", ended(2, reason="Error")),)), "Init:Error", "0/0"),
        (
            pod("Pending", init=(status("i", waiting("CrashLoopBackOff")),)),
            "Init:CrashLoopBackOff",
            "0/0",
        ),
        (
            pod("Pending", status(A, waiting("PodInitializing")), init=(status("i", DONE),)),
            "PodInitializing",
            "0/1",
        ),
        (
            pod(
                "Running",
                status(A, RUNNING, ready=True),
                init=(status("s", RUNNING, ready=True, started=True),),
                sidecars=("s",),
            ),
            "Running",
            "2/2",
        ),
        (
            pod("Pending", init=(status("s", RUNNING, started=False),), sidecars=("s",)),
            "Init:0/1",
            "0/1",
        ),
    ],
    ids=[
        "just created", "being created", "running", "running but not ready", "crash loop",
        "image not pulled", "the first waiting container has the word", "succeeded",
        "failed with a reason", "out of memory", "exit code without reason",
        "signal without reason", "evicted", "one done, one running, pod ready",
        "one done, one running, pod not ready", "being deleted", "finished and being deleted",
        "node lost", "scheduling gate", "first init container", "second init container",
        "init exit code", "init signal", "init error", "init crash loop", "init done",
        "sidecar counts as a container", "sidecar not started",
    ],
)  # fmt: skip
def test_status_and_ready(obj: Json, word: str, ready: str) -> None:
    assert (cell(obj, "Status"), cell(obj, "Ready")) == (word, ready)


LAST = {"terminated": {"finishedAt": "2026-01-01T00:55:00Z"}}


def test_restarts_say_when_the_last_one_was() -> None:
    obj = pod("Running", status(A, RUNNING, restartCount=3, lastState=LAST))
    assert cell(obj, "Restarts") == "3 (5m ago)"


def test_restarts_without_a_time_are_a_number() -> None:
    assert cell(pod("Running", status(A, RUNNING, restartCount=2)), "Restarts") == "2"
    assert cell(pod("Running"), "Restarts") == "0"


def test_restarts_of_init_containers_count_until_they_are_done() -> None:
    failing = status("i", waiting("CrashLoopBackOff"), restartCount=4)
    assert cell(pod("Pending", init=(failing,)), "Restarts") == "4"
    done = status("i", DONE, restartCount=4)
    running = status(A, RUNNING, ready=True, restartCount=1)
    assert cell(pod("Running", running, init=(done,)), "Restarts") == "1"


def test_restarts_of_sidecars_go_on_counting() -> None:
    sidecar = status("s", RUNNING, ready=True, started=True, restartCount=2)
    running = status(A, RUNNING, ready=True, restartCount=1)
    assert cell(pod("Running", running, init=(sidecar,), sidecars=("s",)), "Restarts") == "3"


def test_wide_columns() -> None:
    obj = pod("Running", podIPs=[{"ip": "10.0.0.7"}, {"ip": "fd00::7"}], podIP="10.0.0.7")
    obj["spec"]["nodeName"] = "n1"
    obj["spec"]["readinessGates"] = [{"conditionType": "x/up"}, {"conditionType": "x/warm"}]
    obj["status"]["conditions"] = [{"type": "x/up", "status": "True"}]
    assert tables.cells(scheme.PODS, obj, now=NOW)[5:] == ["10.0.0.7", "n1", "<none>", "1/2"]
    assert tables.cells(scheme.PODS, pod("Pending"), now=NOW)[5:] == ["<none>"] * 4


def test_a_finished_pods_row_is_marked() -> None:
    table = tables.table(scheme.PODS, [pod("Succeeded"), pod("Running")], NOW)
    assert table["rows"][0]["conditions"][0]["reason"] == "Succeeded"
    assert "conditions" not in table["rows"][1]

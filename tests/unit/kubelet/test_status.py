"""The status that kubectl prints, from what the runtime and the plan know."""

from __future__ import annotations

from typing import Any

import pytest
from pod_cases import container, sandbox, situation, state

from busk8s.worker.kubelet.plan import Failure, Health, Verdict, plan
from busk8s.worker.kubelet.status import Host, pod_status
from busk8s.worker.kubelet.status_writer import status_patch

NOW = 1_000.0
ONE = {"containers": [{"name": "a", "image": "i"}]}
TWO = {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]}
INIT = {**ONE, "initContainers": [{"name": "i1", "image": "i"}]}
NEVER = {**ONE, "restartPolicy": "Never"}
HOST = Host(("10.0.0.1",), "process")
UP = sandbox("s0")
DOWN = sandbox("s0", up=False)


def status_of(seen: Any, old: dict[str, Any] | None = None) -> dict[str, Any]:
    return pod_status(NOW, seen, plan(NOW, seen), old or {}, HOST)


PHASES: dict[str, tuple[Any, str]] = {
    "nothing yet": (situation(ONE, state()), "Pending"),
    "a sandbox only": (situation(ONE, state([UP])), "Pending"),
    "running": (situation(ONE, state([UP], [container("a")])), "Running"),
    "one runs, one waits": (situation(TWO, state([UP], [container("a")])), "Running"),
    "init runs": (situation(INIT, state([UP], [container("i1")])), "Pending"),
    "init crashed": (situation(INIT, state([UP], [container("i1", exit_code=1)])), "Pending"),
    "crashed, to be restarted": (
        situation(ONE, state([UP], [container("a", exit_code=1)])), "Running"),
    "done": (situation(NEVER, state([DOWN], [container("a", exit_code=0)])), "Succeeded"),
    "failed": (situation(NEVER, state([DOWN], [container("a", exit_code=3)])), "Failed"),
    "an init container failed for good": (
        situation({**INIT, "restartPolicy": "Never"},
                  state([DOWN], [container("i1", exit_code=1)])), "Failed"),
    "ended well to be resized": (
        situation({**ONE, "restartPolicy": "OnFailure"},
                  state([UP], [container("a", exit_code=0)]), resized=frozenset({"a-0"})),
        "Running"),
    "rejected": (situation(ONE, state(), verdict=Verdict("OutOfcpu", "x")), "Failed"),
    "being deleted": (
        situation(ONE, state([UP], [container("a")]), deleting=True,
                  status={"phase": "Running"}), "Running"),
    "deleted and dead": (
        situation(ONE, state([DOWN], [container("a", exit_code=143)]), deleting=True), "Failed"),
    "deleted after success": (
        situation(ONE, state([DOWN], [container("a", exit_code=0)]), deleting=True), "Succeeded"),
}  # fmt: skip


@pytest.mark.parametrize("name", PHASES, ids=[name.replace(" ", "-") for name in PHASES])
def test_phase(name: str) -> None:
    seen, wanted = PHASES[name]
    assert status_of(seen)["phase"] == wanted


def test_an_ephemeral_container_counts_for_nothing_but_is_shown() -> None:
    debug = {"ephemeralContainers": [{"name": "d", "image": "i"}]}
    plain = situation(ONE, state([UP], [container("a")]))
    seen = situation({**ONE, **debug}, state([UP], [container("a"), container("d", exit_code=3)]))
    with_it, without = status_of(seen), status_of(plain)
    (shown,) = with_it.pop("ephemeralContainerStatuses")
    assert with_it == without
    assert shown["state"]["terminated"]["exitCode"] == 3
    assert (shown["ready"], "resources" in shown, "started" in shown) == (False, False, False)
    running = situation({**ONE, **debug}, state([UP], [container("a"), container("d")]))
    (shown,) = status_of(running)["ephemeralContainerStatuses"]
    assert list(shown["state"]) == ["running"]
    waiting = situation({**ONE, **debug}, state([UP], [container("a")]))
    (shown,) = status_of(waiting)["ephemeralContainerStatuses"]
    assert shown["state"] == {"waiting": {"reason": "ContainerCreating"}}


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {
        c["type"]: (c["status"], c.get("reason", ""), c.get("message", ""))
        for c in status["conditions"]
    }


def test_conditions_of_a_pod_whose_container_is_not_ready() -> None:
    seen = situation(
        TWO, state([UP], [container("a"), container("b")]), health={"b-0": Health(ready=False)}
    )
    unready = ("False", "ContainersNotReady", "containers with unready status: [b]")
    assert conditions(status_of(seen)) == {
        "PodReadyToStartContainers": ("True", "", ""),
        "Initialized": ("True", "", ""),
        "Ready": unready,
        "ContainersReady": unready,
        "PodScheduled": ("True", "", ""),
    }


def test_conditions_while_init_containers_run() -> None:
    found = conditions(status_of(situation(INIT, state([UP], [container("i1")]))))
    message = "containers with incomplete status: [i1]"
    assert found["Initialized"] == ("False", "ContainersNotInitialized", message)


def test_conditions_of_a_pod_that_is_through() -> None:
    seen = situation(NEVER, state([DOWN], [container("a", exit_code=0)]))
    found = conditions(status_of(seen))
    assert found["Ready"] == ("False", "PodCompleted", "")
    assert found["Initialized"] == ("True", "PodCompleted", "")
    assert found["PodReadyToStartContainers"] == ("False", "", "")


def test_transition_times_change_only_with_the_condition() -> None:
    running = situation(ONE, state([UP], [container("a")]))
    first = pod_status(NOW, running, plan(NOW, running), {}, HOST)
    later = NOW + 100
    again = pod_status(later, running, plan(later, running), first, HOST)
    assert again == first
    sick = situation(ONE, state([UP], [container("a")]), health={"a-0": Health(ready=False)})
    changed = pod_status(later, sick, plan(later, sick), first, HOST)
    times = {c["type"]: c["lastTransitionTime"] for c in changed["conditions"]}
    assert times["Ready"] == "1970-01-01T00:18:20Z"
    assert times["Initialized"] == "1970-01-01T00:16:40Z"


def test_a_container_in_back_off_shows_its_last_end() -> None:
    from busk8s.worker.kubelet.backoff import BackOff

    seen = situation(
        ONE,
        state([UP], [container("a", exit_code=1, attempt=2)]),
        backoff={"a": BackOff(40.0, 985.0)},
    )
    (entry,) = status_of(seen)["containerStatuses"]
    assert entry["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert entry["lastState"]["terminated"] == {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": "1970-01-01T00:15:00Z",
        "finishedAt": "1970-01-01T00:16:30Z",
        "containerID": "process://a-2",
    }
    assert (entry["restartCount"], entry["ready"], entry["started"]) == (2, False, False)


@pytest.mark.parametrize(
    ("spec", "failures", "wanted"),
    [
        (ONE, {}, {"reason": "ContainerCreating"}),
        (INIT, {}, {"reason": "PodInitializing"}),
        (
            ONE,
            {"a": Failure("CreateContainerConfigError", 'secret "x" not found', 2_000.0)},
            {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'},
        ),
    ],
    ids=["being-created", "waiting-for-init", "cannot-be-configured"],
)
def test_reasons_for_waiting(
    spec: dict[str, Any], failures: dict[str, Failure], wanted: dict[str, str]
) -> None:
    status = status_of(situation(spec, state([UP]), failures=failures))
    assert status["containerStatuses"][0]["state"]["waiting"] == wanted


def test_oom_kill_is_named() -> None:
    killed = container("a", exit_code=137, reason="OOMKilled")
    seen = situation(NEVER, state([DOWN], [killed]))
    (entry,) = status_of(seen)["containerStatuses"]
    assert entry["state"]["terminated"]["reason"] == "OOMKilled"


def test_addresses_stay_after_the_sandbox_is_gone() -> None:
    up = status_of(situation(NEVER, state([UP], [container("a")])))
    assert (up["podIP"], up["hostIP"]) == ("10.1.0.2", "10.0.0.1")
    down = status_of(situation(NEVER, state([DOWN], [container("a", exit_code=0)])), up)
    assert down["podIPs"] == [{"ip": "10.1.0.2"}]


def test_a_pod_without_a_network_of_its_own_has_the_nodes_address() -> None:
    host = sandbox("s0", ip="")
    assert status_of(situation(ONE, state([host], [container("a")])))["podIP"] == "10.0.0.1"


def test_conditions_of_others_stay() -> None:
    theirs = {"type": "DisruptionTarget", "status": "True"}
    seen = situation(ONE, state([UP], [container("a")]))
    assert theirs in status_of(seen, {"conditions": [theirs]})["conditions"]


def test_a_run_that_the_runtime_lost_is_shown_as_upstream_does() -> None:
    old = {
        "phase": "Running",
        "containerStatuses": [
            {"name": "a", "containerID": "process://x", "restartCount": 1,
             "state": {"running": {"startedAt": "2027-01-01T00:00:00Z"}}}
        ],
    }  # fmt: skip
    seen = situation(NEVER, state(), status=old)
    status = status_of(seen, old)
    assert status["phase"] == "Failed"
    ended = status["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown")


def test_a_patch_holds_only_what_changed() -> None:
    running = situation(ONE, state([UP], [container("a")]))
    old = status_of(running)
    sick = situation(ONE, state([UP], [container("a")]), health={"a-0": Health(ready=False)})
    patch = status_patch(old, status_of(sick))
    assert sorted(patch) == ["conditions", "containerStatuses"]
    assert [c["type"] for c in patch["conditions"]] == ["Ready", "ContainersReady"]
    back = status_patch(status_of(sick), old)
    assert all(c["reason"] is None and c["message"] is None for c in back["conditions"])
    assert status_patch(old, old) == {}

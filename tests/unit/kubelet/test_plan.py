"""What the kubelet does next, as a table: situation in, whole list of actions out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pod_cases import container, make_pod, sandbox, situation, state

from busk8s.worker.kubelet.backoff import BackOff
from busk8s.worker.kubelet.plan import (
    DeletePod,
    Failure,
    Health,
    KillContainer,
    RemoveContainer,
    RemoveFiles,
    RemoveSandbox,
    ResizeContainer,
    RunSandbox,
    StartContainer,
    StopSandbox,
    Verdict,
    Waiting,
    plan,
)
from busk8s.worker.runtime.base import Limits

NOW = 1_000.0
TWO = {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]}
INIT = {"initContainers": [{"name": "i1", "image": "i"}, {"name": "i2", "image": "i"}]}
SIDE = {"initContainers": [{"name": "s", "image": "i", "restartPolicy": "Always"}]}
DEBUG = {"ephemeralContainers": [{"name": "d", "image": "i", "targetContainerName": "a"}]}
ONE = {"containers": [{"name": "a", "image": "i"}]}
UP = sandbox("s0")


def resized(**policies: str) -> dict[str, Any]:
    amounts = {"cpu": "200m", "memory": "2Mi"}
    policy = [{"resourceName": n, "restartPolicy": p} for n, p in policies.items()]
    resources = {"limits": amounts, "requests": amounts}
    return {
        "containers": [{"name": "a", "image": "i", "resources": resources, "resizePolicy": policy}]
    }


CASES: dict[str, tuple[Any, list[Any]]] = {
    "a new pod gets a sandbox and all its containers in one go": (
        situation(TWO, state()),
        [RunSandbox(0), StartContainer("a", 0), StartContainer("b", 0)],
    ),
    "a pod that runs as it should is left alone": (
        situation(ONE, state([UP], [container("a")])),
        [],
    ),
    "init containers run one by one": (
        situation({**ONE, **INIT}, state()),
        [RunSandbox(0), StartContainer("i1", 0)],
    ),
    "a running init container is waited for": (
        situation({**ONE, **INIT}, state([UP], [container("i1")])),
        [],
    ),
    "the second init container follows the first": (
        situation({**ONE, **INIT}, state([UP], [container("i1", exit_code=0)])),
        [StartContainer("i2", 0)],
    ),
    "regular containers follow the last init container": (
        situation(
            {**ONE, **INIT},
            state([UP], [container("i1", exit_code=0), container("i2", exit_code=0)]),
        ),
        [StartContainer("a", 0)],
    ),
    "a failed init container of an Always pod is tried again": (
        situation({**ONE, **INIT}, state([UP], [container("i1", exit_code=1)])),
        [StartContainer("i1", 1, 990.0)],
    ),
    "a failed init container of a Never pod ends the pod": (
        situation(
            {**ONE, **INIT, "restartPolicy": "Never"},
            state([UP], [container("i1", exit_code=1)]),
        ),
        [StopSandbox("s0")],
    ),
    "a sidecar is waited for until it has started": (
        situation(
            {**ONE, **SIDE},
            state([UP], [container("s")]),
            health={"s-0": Health(started=False, ready=False)},
        ),
        [],
    ),
    "what comes after a started sidecar may start": (
        situation({**ONE, **SIDE}, state([UP], [container("s")])),
        [StartContainer("a", 0)],
    ),
    "a crashed sidecar is restarted beside the running container": (
        situation({**ONE, **SIDE}, state([UP], [container("s", exit_code=1), container("a")])),
        [StartContainer("s", 1, 990.0)],
    ),
    "a crashed container is restarted at once the first time": (
        situation(ONE, state([UP], [container("a", exit_code=1)])),
        [StartContainer("a", 1, 990.0)],
    ),
    "a container that crashed again waits": (
        situation(
            ONE,
            state([UP], [container("a", exit_code=1, attempt=1)]),
            backoff={"a": BackOff(20.0, 985.0)},
        ),
        [],
    ),
    "and is restarted when its back-off is over": (
        situation(
            ONE,
            state([UP], [container("a", exit_code=1, attempt=1, finished_at=970.0)]),
            backoff={"a": BackOff(20.0, 965.0)},
        ),
        [StartContainer("a", 2, 970.0)],
    ),
    "OnFailure leaves a success alone and winds the pod up": (
        situation(
            {**ONE, "restartPolicy": "OnFailure"}, state([UP], [container("a", exit_code=0)])
        ),
        [StopSandbox("s0")],
    ),
    "OnFailure restarts a failure": (
        situation(
            {**ONE, "restartPolicy": "OnFailure"}, state([UP], [container("a", exit_code=2)])
        ),
        [StartContainer("a", 1, 990.0)],
    ),
    "Never does not restart while another container runs": (
        situation(
            {**TWO, "restartPolicy": "Never"},
            state([UP], [container("a", exit_code=2), container("b")]),
        ),
        [],
    ),
    "an ephemeral container is started beside what runs": (
        situation({**ONE, **DEBUG}, state([UP], [container("a")])),
        [StartContainer("d", 0)],
    ),
    "an ephemeral container is started while the pod is initialised": (
        situation({**ONE, **INIT, **DEBUG}, state([UP], [container("i1")])),
        [StartContainer("d", 0)],
    ),
    "an ephemeral container waits for a sandbox": (
        situation({**ONE, **DEBUG}, state()),
        [RunSandbox(0), StartContainer("a", 0)],
    ),
    "an ephemeral container that failed is not restarted, whatever the pod's policy": (
        situation({**ONE, **DEBUG}, state([UP], [container("a"), container("d", exit_code=1)])),
        [],
    ),
    "nor in a new sandbox": (
        situation(
            {**ONE, **DEBUG},
            state(
                [sandbox("s1", attempt=1), sandbox("s0", up=False)],
                [container("a", box="s1", attempt=1), container("d", exit_code=137)],
            ),
        ),
        [],
    ),
    "nor when only the API remembers it": (
        situation(
            {**ONE, **DEBUG},
            state([UP], [container("a")]),
            status={
                "ephemeralContainerStatuses": [
                    {"name": "d", "containerID": "x://1", "state": {"terminated": {"exitCode": 0}}}
                ]
            },
        ),
        [],
    ),
    "an ephemeral container does not keep a pod that is through": (
        situation(
            {**ONE, **DEBUG, "restartPolicy": "Never"},
            state([UP], [container("a", exit_code=0), container("d")]),
        ),
        [KillContainer("d-0", "d", 30.0, "Stopping container d")],
    ),
    "a running container is given other resources": (
        situation(resized(), state([UP], [container("a", limits=Limits(100, 100, 1 << 20))])),
        [ResizeContainer("a-0", "a", Limits(200, 200, 2 << 20))],
    ),
    "once it has them it is left alone": (
        situation(resized(), state([UP], [container("a", limits=Limits(200, 200, 2 << 20))])),
        [],
    ),
    "it is restarted for a resource whose policy says so": (
        situation(
            resized(memory="RestartContainer"),
            state([UP], [container("a", limits=Limits(200, 200, 1 << 20))]),
        ),
        [KillContainer("a-0", "a", 30.0, "Container a resize requires restart", resized=True)],
    ),
    "and runs again however it ended": (
        situation(
            resized(memory="RestartContainer") | {"restartPolicy": "OnFailure"},
            state([UP], [container("a", exit_code=0)]),
            resized=frozenset({"a-0"}),
        ),
        [StartContainer("a", 1, 990.0)],
    ),
    "but not for the other": (
        situation(
            resized(memory="RestartContainer"),
            state([UP], [container("a", limits=Limits(100, 200, 2 << 20))]),
        ),
        [ResizeContainer("a-0", "a", Limits(200, 200, 2 << 20))],
    ),
    "a resize that failed waits for its time": (
        situation(
            resized(),
            state([UP], [container("a", limits=Limits(100, 100, 1 << 20))]),
            not_resized={"a": Failure("Error", "x", 1_005.0)},
        ),
        [],
    ),
    "what does not run is not resized": (
        situation(
            resized() | {"restartPolicy": "Never"},
            state([UP], [container("a", exit_code=0, limits=Limits(100, 100, 1 << 20))]),
        ),
        [StopSandbox("s0")],
    ),
    "sidecars go when the work is done": (
        situation(
            {**ONE, **SIDE, "restartPolicy": "Never"},
            state([UP], [container("s"), container("a", exit_code=0)]),
        ),
        [KillContainer("s-0", "s", 30.0, "Stopping container s")],
    ),
    "a container that is not live is killed": (
        situation(
            ONE,
            state([UP], [container("a")]),
            health={"a-0": Health(live=False, failed="liveness", grace_s=7.0)},
        ),
        [KillContainer("a-0", "a", 7.0, "Container a failed liveness probe, will be restarted")],
    ),
    "but not twice": (
        situation(
            ONE,
            state([UP], [container("a")]),
            health={"a-0": Health(live=False, failed="liveness")},
            stopping={"a-0": 1_020.0},
        ),
        [],
    ),
    "a container of another image is killed to be restarted": (
        situation(ONE, state([UP], [container("a", hash="other")])),
        [KillContainer("a-0", "a", 30.0, "Container a definition changed, will be restarted")],
    ),
    "a container made but never started is made anew": (
        situation(ONE, state([UP], [container("a", "created")])),
        [RemoveContainer("a-0"), StartContainer("a", 0)],
    ),
    "a dead sandbox is replaced with all that should run": (
        situation(ONE, state([sandbox("s0", up=False)], [container("a", exit_code=137)])),
        [RunSandbox(1), StartContainer("a", 1, 990.0)],
    ),
    "a dead sandbox of a pod that is through stays dead": (
        situation(
            {**ONE, "restartPolicy": "Never"},
            state([sandbox("s0", up=False)], [container("a", exit_code=137)]),
        ),
        [],
    ),
    "a start that failed waits for its time": (
        situation(ONE, state([UP]), failures={"a": Failure("CreateContainerError", "x", 1_005.0)}),
        [],
    ),
    "and is tried again then": (
        situation(ONE, state([UP]), failures={"a": Failure("CreateContainerError", "x", 999.0)}),
        [StartContainer("a", 0)],
    ),
    "a deleted pod is stopped": (
        situation(ONE, state([UP], [container("a")]), deleting=True),
        [KillContainer("a-0", "a", 30.0, "Stopping container a")],
    ),
    "a shorter grace period overrides a longer one": (
        situation(
            ONE, state([UP], [container("a")]), deleting=True, grace=5, stopping={"a-0": 1_025.0}
        ),
        [KillContainer("a-0", "a", 5.0, "Stopping container a")],
    ),
    "regular containers stop before sidecars": (
        situation({**ONE, **SIDE}, state([UP], [container("s"), container("a")]), deleting=True),
        [KillContainer("a-0", "a", 30.0, "Stopping container a")],
    ),
    "sidecars get what is left of the grace period": (
        situation(
            {**ONE, **SIDE},
            state([UP], [container("s"), container("a", exit_code=0)]),
            deleting=True,
            terminating_since=980.0,
        ),
        [KillContainer("s-0", "s", 10.0, "Stopping container s")],
    ),
    "when all is dead the sandbox goes": (
        situation(ONE, state([UP], [container("a", exit_code=143)]), deleting=True),
        [StopSandbox("s0")],
    ),
    "a terminated pod waits until the API knows": (
        situation(
            ONE, state([sandbox("s0", up=False)], [container("a", exit_code=143)]), deleting=True
        ),
        [],
    ),
    "then nothing is left of it, here and there": (
        situation(
            ONE,
            state([sandbox("s0", up=False)], [container("a", exit_code=143)]),
            deleting=True,
            reported=True,
        ),
        [RemoveSandbox("s0"), RemoveFiles(), DeletePod()],
    ),
    "a deleted pod that never started is deleted from the API": (
        situation(ONE, state(), deleting=True, reported=True),
        [RemoveFiles(), DeletePod()],
    ),
    "the final delete is sent once": (
        situation(ONE, state(), deleting=True, reported=True, removed=True, deleted=True),
        [],
    ),
    "a pod that vanished is stopped like any other": (
        situation(ONE, state([UP], [container("a")]), vanished=True),
        [KillContainer("a-0", "a", 30.0, "Stopping container a")],
    ),
    "and cleared away without a word to the API": (
        situation(ONE, state([sandbox("s0", up=False)]), vanished=True),
        [RemoveSandbox("s0"), RemoveFiles()],
    ),
    "a pod under a verdict is stopped and kept": (
        situation(ONE, state([UP], [container("a")]), verdict=Verdict("OutOfcpu", "x")),
        [KillContainer("a-0", "a", 30.0, "Stopping container a")],
    ),
    "a pod that the API calls finished is never started": (
        situation(ONE, state(), status={"phase": "Succeeded"}),
        [],
    ),
    "a Never pod whose run was lost is not run again": (
        situation(
            {**ONE, "restartPolicy": "Never"},
            state(),
            status={
                "containerStatuses": [
                    {"name": "a", "containerID": "x://1", "state": {"running": {}}}
                ]
            },
        ),
        [],
    ),
    "an Always pod whose run was lost goes on counting": (
        situation(
            ONE,
            state(),
            status={
                "containerStatuses": [
                    {"name": "a", "containerID": "x://1", "restartCount": 4, "state": {}}
                ]
            },
        ),
        [RunSandbox(0), StartContainer("a", 5, 0.0)],
    ),
    "the next container waits for the postStart hook of the one before": (
        situation(
            {
                "containers": [
                    {"name": "a", "image": "i", "lifecycle": {"postStart": {"exec": {}}}},
                    {"name": "b", "image": "i"},
                ]
            },
            state([UP]),
        ),
        [StartContainer("a", 0)],
    ),
    "an exit code rule restarts where the policy would not": (
        situation(
            {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "a",
                        "image": "i",
                        "restartPolicy": "Never",
                        "restartPolicyRules": [
                            {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
                        ],
                    }
                ],
            },
            state([UP], [container("a", exit_code=42)]),
        ),
        [StartContainer("a", 1, 990.0)],
    ),
}


@pytest.mark.parametrize("name", CASES, ids=[name.replace(" ", "-") for name in CASES])
def test_plan(name: str) -> None:
    seen, wanted = CASES[name]
    assert list(plan(NOW, seen).actions) == wanted


def test_crash_loop_back_off_is_shown_in_upstreams_words() -> None:
    seen, _ = CASES["a container that crashed again waits"]
    made = plan(NOW, seen)
    message = "back-off 20s restarting failed container=a pod=p_default(u1)"
    assert made.waiting == {"a": Waiting("CrashLoopBackOff", message)}
    assert made.look_again_s == 10.0


def test_a_pod_past_its_deadline_gets_the_verdict() -> None:
    pod = make_pod({**ONE, "activeDeadlineSeconds": 60})
    seen = replace(situation(ONE, state([UP], [container("a")])), pod=pod, started_at=930.0)
    assert plan(NOW, seen).verdict == Verdict(
        "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
    )
    assert plan(980.0, seen).look_again_s == 10.0


@pytest.mark.parametrize("name", CASES, ids=[name.replace(" ", "-") for name in CASES])
def test_a_terminal_plan_leaves_nothing_running(name: str) -> None:
    seen, _ = CASES[name]
    if plan(NOW, seen).terminal:
        assert not seen.state.running
        assert seen.state.ready_sandbox is None

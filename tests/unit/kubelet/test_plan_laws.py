"""Laws of the plan: with a runtime that obeys, every pod settles, and stays settled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pod_cases import make_pod

from busk8s.worker.kubelet import plan as plans
from busk8s.worker.kubelet.backoff import after_restart
from busk8s.worker.kubelet.plan import Situation, plan
from busk8s.worker.kubelet.pods import Pod
from busk8s.worker.kubelet.relist import by_pod
from busk8s.worker.kubelet.runs import HASH_ANNOTATION
from busk8s.worker.kubelet.status import Host, pod_status
from busk8s.worker.runtime.base import Container, ContainerConfig, Sandbox, SandboxConfig

STEPS_MAX = 60


class Model:
    """A runtime that does at once what it is told; containers end as `exits` says, or run on."""

    def __init__(self, pod: Pod, exits: dict[str, int]) -> None:
        self.pod = pod
        self.exits = exits
        self.now = 1_000.0
        self.boxes: dict[str, Sandbox] = {}
        self.containers: dict[str, Container] = {}
        self.status: dict[str, Any] = {}
        self.seen = Situation(pod=pod, state=by_pod([], {}).get("u1") or plans_state())
        self.deleted = False

    def look(self) -> Situation:
        listing = by_pod(self.boxes.values(), self.containers.values())
        state = listing.get(self.pod.uid) or plans_state()
        final = self.status.get("phase") in ("Succeeded", "Failed")
        self.seen = replace(self.seen, pod=self.pod, state=state, started_at=1_000.0)
        self.seen = replace(self.seen, reported=final, deleted=self.deleted, removed=self.deleted)
        return self.seen

    def settle(self) -> bool:
        """Run to rest; False if it never rests."""
        for _ in range(STEPS_MAX):
            made = plan(self.now, self.look())
            host = Host(("10.0.0.1",), "model")
            self.status = pod_status(self.now, self.seen, made, self.status, host)
            if not made.actions:
                made = plan(self.now, self.look())  # with `reported` as it is now
            if not made.actions:
                return True
            for action in made.actions:
                self.obey(action)
            self.now += 1
        return False

    def obey(self, action: plans.Action) -> None:
        match action:
            case plans.RunSandbox(attempt):
                config = SandboxConfig("default", "p", self.pod.uid, attempt)
                self.boxes[f"s{attempt}"] = Sandbox(f"s{attempt}", config, "ready", self.now)
            case plans.StartContainer(name, attempt, ended_at):
                self.start(name, attempt, ended_at)
            case plans.KillContainer(container_id):
                self.end(container_id, 137)
            case plans.RemoveContainer(container_id):
                del self.containers[container_id]
            case plans.StopSandbox(sandbox_id):
                for container in list(self.containers.values()):
                    if container.sandbox_id == sandbox_id:
                        self.end(container.id, 137)
                self.boxes[sandbox_id] = replace(self.boxes[sandbox_id], state="notready")
            case plans.RemoveSandbox(sandbox_id):
                assert self.boxes.pop(sandbox_id).state == "notready"
            case plans.DeletePod():
                self.deleted = True

    def start(self, name: str, attempt: int, ended_at: float | None) -> None:
        spec = self.pod.container(name)
        up = [box for box in self.boxes.values() if box.state == "ready"]
        assert spec is not None
        assert len(up) == 1, "containers start in exactly one live sandbox"
        twins = [c for c in self.containers.values() if c.config.name == name]
        assert all(c.state == "exited" for c in twins), "never two of one container at once"
        config = ContainerConfig(name, "i", attempt, annotations={HASH_ANNOTATION: spec.hash})
        container_id = f"{name}-{attempt}-{up[0].id}"
        assert container_id not in self.containers
        made = Container(container_id, up[0].id, config, "running", self.now, self.now)
        self.containers[container_id] = made
        if ended_at is not None:
            backoff = {**self.seen.backoff}
            backoff[name] = after_restart(backoff.get(name), ended_at, self.now)
            self.seen = replace(self.seen, backoff=backoff)
        if name in self.exits:
            self.end(container_id, self.exits[name])

    def end(self, container_id: str, exit_code: int) -> None:
        container = self.containers[container_id]
        if container.state == "running":
            self.containers[container_id] = replace(
                container, state="exited", finished_at=self.now, exit_code=exit_code
            )


def plans_state() -> Any:
    from busk8s.worker.kubelet.relist import NOTHING

    return NOTHING


@st.composite
def pods(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, int]]:
    exits: dict[str, int] = {}

    def one(name: str, *, init: bool) -> dict[str, Any]:
        made: dict[str, Any] = {"name": name, "image": "i"}
        sidecar = init and draw(st.booleans())
        if sidecar:
            made["restartPolicy"] = "Always"
        ends = draw(st.sampled_from([None, 0, 1]))
        if init and not sidecar and ends is None:
            ends = 0  # An init container that never ends is no pod at rest.
        if ends is not None:
            exits[name] = ends
        return made

    init = [one(f"i{n}", init=True) for n in range(draw(st.integers(0, 2)))]
    main = [one(f"c{n}", init=False) for n in range(draw(st.integers(1, 3)))]
    policy = draw(st.sampled_from(["Always", "OnFailure", "Never"]))
    return {"restartPolicy": policy, "initContainers": init, "containers": main}, exits


@given(pods())
def test_every_pod_comes_to_rest_and_stays_there(case: tuple[dict[str, Any], Any]) -> None:
    spec, exits = case
    model = Model(make_pod(spec), exits)
    assert model.settle()
    assert plan(model.now, model.look()).actions == ()
    before = model.status
    assert model.settle()
    assert model.status == before


@given(pods(), st.integers(0, 6))
def test_a_pod_deleted_at_any_moment_leaves_nothing(
    case: tuple[dict[str, Any], Any], after: int
) -> None:
    spec, exits = case
    model = Model(make_pod(spec), exits)
    for _ in range(after):
        for action in plan(model.now, model.look()).actions:
            model.obey(action)
        model.now += 1
    model.pod = make_pod(spec, deleting=True)
    assert model.settle()
    assert model.deleted
    assert not model.boxes
    assert model.status["phase"] in ("Succeeded", "Failed")


@given(pods(), st.integers(0, 6))
def test_a_lost_sandbox_never_doubles_anything(
    case: tuple[dict[str, Any], Any], after: int
) -> None:
    spec, exits = case
    model = Model(make_pod(spec), exits)
    for _ in range(after):
        for action in plan(model.now, model.look()).actions:
            model.obey(action)
        model.now += 1
    for box in list(model.boxes):
        model.obey(plans.StopSandbox(box))
    assert model.settle()


@pytest.mark.parametrize("policy", ["OnFailure", "Never"])
@given(pods())
def test_phases_of_finished_pods_never_change(
    policy: str, case: tuple[dict[str, Any], Any]
) -> None:
    spec, exits = case
    model = Model(make_pod({**spec, "restartPolicy": policy}), exits)
    assert model.settle()
    phase = model.status["phase"]
    if phase in ("Succeeded", "Failed"):
        model.pod = make_pod({**spec, "restartPolicy": policy}, deleting=True)
        model.pod = replace(model.pod, status=model.status)
        assert model.settle()
        assert model.status["phase"] == phase

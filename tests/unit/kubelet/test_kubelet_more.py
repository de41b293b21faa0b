"""Probes, sidecars, hooks, restarts of the kubelet itself, orphans: on the hollow runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kubelet_world import SLEEPER, World, until, world

from busk8s.tasks import Nursery
from busk8s.worker.runtime.base import ExecResult, RuntimeFailure
from busk8s.worker.runtime.hollow import HollowRuntime, Stages


class Switch:
    """What an exec probe finds: on or off."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self.asked: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> ExecResult:
        self.asked.append(command)
        return ExecResult(b"", b"" if self.on else b"no", 0 if self.on else 1)


def probe(**more: Any) -> dict[str, Any]:
    return {"exec": {"command": ["check"]}, "periodSeconds": 1, **more}


def container(**more: Any) -> dict[str, Any]:
    return {**SLEEPER, "containers": [{**SLEEPER["containers"][0], **more}]}


async def test_a_pod_is_ready_once_its_readiness_probe_passes_and_not_after_it_fails(
    tmp_path: Path,
) -> None:
    switch = Switch(False)
    async with world(tmp_path, {"sleep": Stages(execs=switch)}) as w:
        w.api.put_pod("web", container(readinessProbe=probe(failureThreshold=2)))
        await until(lambda: w.phase("web") == "Running")
        await asyncio.sleep(3)
        assert not w.ready("web")
        assert w.container("web")["started"] is True
        switch.on = True
        await until(lambda: w.ready("web"), 2)
        switch.on = False
        await until(lambda: not w.ready("web"), 4)
        assert "Unhealthy" in w.api.reasons("web")
        assert w.container("web")["restartCount"] == 0


async def test_a_container_whose_liveness_probe_fails_is_restarted(tmp_path: Path) -> None:
    switch = Switch(False)
    async with world(tmp_path, {"sleep": Stages(execs=switch)}) as w:
        w.api.put_pod("web", container(livenessProbe=probe(failureThreshold=3)))
        await until(lambda: w.container("web").get("restartCount") == 1)
        assert w.clock.monotonic() >= 2
        messages = [e["message"] for e in w.api.events if e["reason"] == "Killing"]
        assert w.api.event_count("Killing") == 1
        assert messages == ["Container c failed liveness probe, will be restarted"]


async def test_liveness_waits_for_the_startup_probe(tmp_path: Path) -> None:
    switch = Switch(False)
    async with world(tmp_path, {"sleep": Stages(execs=switch)}) as w:
        startup = {"exec": {"command": ["startup"]}, "periodSeconds": 1, "failureThreshold": 60}
        w.api.put_pod("web", container(startupProbe=startup, livenessProbe=probe()))
        await asyncio.sleep(10)
        assert {tuple(command) for command in switch.asked} == {("startup",)}
        assert w.container("web")["started"] is False
        assert not w.ready("web")
        switch.on = True
        await until(lambda: w.ready("web"), 3)
        await asyncio.sleep(2)
        assert ("check",) in {tuple(command) for command in switch.asked}


async def test_a_startup_probe_that_never_passes_restarts_the_container(tmp_path: Path) -> None:
    async with world(tmp_path, {"sleep": Stages(execs=Switch(False))}) as w:
        w.api.put_pod("web", container(startupProbe=probe(failureThreshold=5)))
        await until(lambda: w.container("web").get("restartCount") == 1)
        assert w.clock.monotonic() >= 4


async def test_sidecars_start_first_and_stop_last(tmp_path: Path) -> None:
    async with world(tmp_path, {"work": Stages(runs_s=5)}) as w:
        side = {"name": "side", "image": "side", "restartPolicy": "Always"}
        work = {"name": "work", "image": "work"}
        spec = {"nodeName": "n1", "restartPolicy": "Never", "initContainers": [side]}
        w.api.put_pod("job", {**spec, "containers": [work]})
        await until(lambda: w.phase("job") == "Succeeded")
        made = {c.config.name: c for c in await w.runtime.list_containers()}
        assert made["side"].started_at <= made["work"].started_at
        assert made["side"].finished_at >= made["work"].finished_at
        assert 5 <= w.clock.monotonic() < 7


async def test_the_pre_stop_hook_runs_before_the_container_is_stopped(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        hooks = {"preStop": {"sleep": {"seconds": 4}}}
        w.api.put_pod("web", container(lifecycle=hooks))
        await until(lambda: w.ready("web"))
        began = w.clock.monotonic()
        w.api.delete_pod("web")
        await until(lambda: not w.api.has_pod("web"))
        assert 4 <= w.clock.monotonic() - began < 6


async def test_a_post_start_hook_that_fails_kills_the_container(tmp_path: Path) -> None:
    async with world(tmp_path, {"sleep": Stages(execs=Switch(False))}) as w:
        w.api.put_pod("web", container(lifecycle={"postStart": {"exec": {"command": ["x"]}}}))
        await until(lambda: "FailedPostStartHook" in w.api.reasons("web"))
        await until(lambda: w.container("web").get("restartCount", 0) >= 1)


async def test_a_new_image_restarts_only_that_container(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        pod = w.api.pod("web")
        w.api.put("pods", {**pod, "spec": container(image="sleep:2")})
        await until(lambda: w.container("web").get("image") == "sleep:2" and w.ready("web"))
        assert w.container("web")["restartCount"] == 1


async def test_a_restarted_kubelet_without_the_master_keeps_pods_and_restarts_crashed_ones(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("calm", SLEEPER)
        w.api.put_pod("crash", SLEEPER)
        await until(lambda: w.ready("calm") and w.ready("crash"))
        await asyncio.sleep(2)  # The checkpoint is written at most once a second.
        before = {c.id: c.sandbox_id for c in await w.runtime.list_containers()}
        crashed = w.runtime_container("crash")
        await w.stop_kubelet()
        w.api.away = True
        w.runtime.crash(crashed)
        async with Nursery() as second:
            second.spawn(w.kubelet().run())
            await asyncio.sleep(5)
            running = {c.id for c in await w.runtime.list_containers() if c.state == "running"}
            assert len(running) == 2
            assert len(running & before.keys()) == 1
            w.api.away = False
            await until(lambda: w.container("crash").get("restartCount") == 1)
            assert len(await w.runtime.list_sandboxes()) == 2


async def test_a_job_that_ended_while_the_master_was_away_is_reported_and_not_run_again(
    tmp_path: Path,
) -> None:
    # 1. a Never pod runs, 2. the master goes, 3. the pod ends, 4. the kubelet restarts,
    # 5. the machine reboots (the runtime forgets all), 6. the master comes back.
    async with world(tmp_path) as w:
        w.api.put_pod("job", {**SLEEPER, "restartPolicy": "Never"})
        await until(lambda: w.ready("job"))
        w.api.away = True
        w.runtime.crash(w.runtime_container("job"), 0)
        await asyncio.sleep(1)
        w.api.put("configmaps", {"metadata": {"name": "any"}})
        w.save_checkpoint()
        await w.stop_kubelet()
        w.runtime = HollowRuntime(w.clock)
        async with Nursery() as second:
            second.spawn(w.kubelet().run())
            await asyncio.sleep(3)
            w.api.away = False
            await until(lambda: w.phase("job") == "Succeeded")
            assert await w.runtime.list_containers() == []


async def test_orphans_go_only_after_the_master_has_spoken(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        await w.stop_kubelet()
        (tmp_path / "view.checkpoint").unlink(missing_ok=True)
        w.api.away = True
        w.api.forget("pods", "web")
        async with Nursery() as second:
            second.spawn(w.kubelet().run())
            await asyncio.sleep(20)
            assert len(await w.runtime.list_sandboxes()) == 1
            w.api.away = False
            await asyncio.sleep(5)
            assert await w.runtime.list_sandboxes() == []


async def test_after_a_reboot_pods_run_again_with_a_higher_restart_count(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        await w.stop_kubelet()
        w.runtime = HollowRuntime(w.clock)
        async with Nursery() as second:
            second.spawn(w.kubelet().run())
            await until(lambda: w.container("web").get("restartCount") == 1 and w.ready("web"))


class Networked(HollowRuntime):
    """As a real one: no sandbox without the node's subnet, and a restart forgets it."""

    async def set_pod_cidr(self, pod_cidr: str) -> None:
        await super().set_pod_cidr(pod_cidr)
        self.refuse_sandboxes = ""


async def test_after_a_reboot_without_the_master_pods_run_again(tmp_path: Path) -> None:
    """The subnet is known from the checkpoint; it used to be waited for from the master."""
    async with world(tmp_path) as w:
        await until(w.has_node)
        w.api.put("nodes", {"metadata": {"name": "n1"}, "spec": {"podCIDR": "10.9.1.0/24"}})
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        w.save_checkpoint()
        await w.stop_kubelet()
        w.api.away = True
        w.runtime = Networked(w.clock, refuse_sandboxes="the node has no pod subnet yet")
        async with Nursery() as second:
            second.spawn(w.kubelet().run())
            await asyncio.sleep(5)
            running = [c for c in await w.runtime.list_containers() if c.state == "running"]
            assert len(running) == 1
            assert w.runtime.subnet == "10.9.1"


async def test_a_pod_that_does_not_fit_fails_with_upstreams_reason(tmp_path: Path) -> None:
    async with world(tmp_path, pods_max=1) as w:
        w.api.put_pod("one", SLEEPER)
        await until(lambda: w.ready("one"))
        w.api.put_pod("two", SLEEPER)
        await until(lambda: w.phase("two") == "Failed")
        assert w.status("two")["reason"] == "OutOfpods"
        assert len(await w.runtime.list_sandboxes()) == 1
        w.api.delete_pod("one")
        await until(lambda: not w.api.has_pod("one"))
        w.api.put_pod("three", SLEEPER)
        await until(lambda: w.ready("three"))


async def test_unsupported_fields_are_named(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", {**SLEEPER, "hostPID": True})
        await until(lambda: "state" in w.container("web"))
        waiting = w.container("web")["state"]["waiting"]
        assert waiting["reason"] == "CreateContainerConfigError"
        assert waiting["message"] == "not supported by this node: spec.hostPID"


async def test_a_volume_that_cannot_be_had_is_named_in_an_event(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "x"}}]
        w.api.put_pod("web", {**SLEEPER, "volumes": volumes})
        await until(lambda: "FailedMount" in w.api.reasons("web") and bool(w.container("web")))
        assert w.container("web")["state"]["waiting"]["reason"] == "ContainerCreating"
        assert w.phase("web") == "Pending"
        (said,) = [e["message"] for e in w.api.events if e["reason"] == "FailedMount"]
        assert said.endswith('persistentvolumeclaim "x" not found')


async def test_a_config_map_volume_follows_its_config_map(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put("configmaps", {"metadata": {"name": "conf"}, "data": {"k": "old"}})
        volumes = [{"name": "conf", "configMap": {"name": "conf"}}]
        mounts = [{"name": "conf", "mountPath": "/etc/conf"}]
        w.api.put_pod("web", {**container(volumeMounts=mounts), "volumes": volumes})
        await until(lambda: w.ready("web"))
        (made,) = await w.runtime.list_containers()
        (mount,) = made.config.mounts
        assert (mount.container_path, mount.read_only) == ("/etc/conf", True)
        file = Path(mount.host_path) / "k"
        assert file.read_text() == "old"
        w.api.put("configmaps", {"metadata": {"name": "conf"}, "data": {"k": "new"}})
        await until(lambda: file.read_text() == "new", 5)
        w.api.delete_pod("web")
        await until(lambda: not w.api.has_pod("web"))
        assert not Path(mount.host_path).exists()


async def test_a_failing_sandbox_is_reported_and_tried_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.runtime.refuse_sandboxes = "no subnet"
        w.api.put_pod("web", SLEEPER)
        await until(lambda: "FailedCreatePodSandBox" in w.api.reasons("web"))
        w.runtime.refuse_sandboxes = ""
        await until(lambda: w.ready("web"))


async def test_a_container_that_cannot_start_says_why(tmp_path: Path) -> None:
    bad = Stages(fails=RuntimeFailure("RunContainerError", "exec: no such file"))
    async with world(tmp_path, {"sleep": bad}) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: "Failed" in w.api.reasons("web"))
        await asyncio.sleep(1)
        waiting = w.container("web")["state"]["waiting"]
        assert waiting == {"reason": "RunContainerError", "message": "exec: no such file"}


async def test_readiness_gates_are_honoured_and_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", {**SLEEPER, "readinessGates": [{"conditionType": "example.com/up"}]})
        await until(lambda: w.container("web").get("ready") is True)
        assert not w.ready("web")
        pod = w.api.pod("web")
        gate = {"type": "example.com/up", "status": "True"}
        status = {**pod["status"], "conditions": [*pod["status"]["conditions"], gate]}
        w.api.put("pods", {**pod, "status": status})
        await until(lambda: w.ready("web"))
        assert gate in w.status("web")["conditions"]


async def test_the_node_registers_itself_and_reports(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await until(lambda: w.has_node() and bool(w.api.node_status))
        status = w.api.node_status
        assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
        assert status["addresses"] == [
            {"type": "InternalIP", "address": "10.0.0.1"},
            {"type": "Hostname", "address": "n1"},
        ]
        assert status["capacity"]["pods"] == "110"
        assert status["nodeInfo"]["containerRuntimeVersion"] == "hollow://0.1.0"


async def test_a_quiet_pod_causes_no_writes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        writes = w.api.status_writes
        await asyncio.sleep(300)
        assert w.api.status_writes == writes


def with_token(seconds: int = 1_000) -> dict[str, Any]:
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": seconds}}
    return {
        **SLEEPER,
        "serviceAccountName": "robot",
        "volumes": [{"name": "t", "projected": {"sources": [source]}}],
    }


def token_of(w: World, uid: str) -> str:
    return (w.root / "pods" / uid / "volumes" / "kubernetes.io~projected/t/token").read_text()


async def test_a_pods_token_is_renewed_at_four_fifths_of_its_life(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        uid = w.api.put_pod("a", with_token())
        await until(lambda: w.ready("a"))
        assert token_of(w, uid) == "default/robot/1"
        assert w.api.token_requests[0]["boundObjectRef"]["uid"] == uid
        await w.clock.sleep(790)
        assert token_of(w, uid) == "default/robot/1"
        await w.clock.sleep(20)
        assert token_of(w, uid) == "default/robot/2"


async def test_a_token_is_kept_while_the_master_is_away_and_renewed_after(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        uid = w.api.put_pod("a", with_token())
        await until(lambda: w.ready("a"))
        w.api.away = True
        await w.clock.sleep(900)
        assert token_of(w, uid) == "default/robot/1"
        w.api.away = False
        await w.clock.sleep(61)
        assert token_of(w, uid) == "default/robot/2"


async def test_without_its_first_token_a_pod_waits_and_says_why(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.refuse_tokens = True
        w.api.put_pod("a", with_token())
        await until(lambda: "FailedMount" in w.api.reasons("a"))
        w.api.refuse_tokens = False
        await until(lambda: w.ready("a"))

"""The kubelet on the hollow runtime: pods of a view run, restart, end and are reported."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kubelet_world import SLEEPER, until, world

from busk8s.worker.runtime.hollow import Stages


async def test_a_pod_of_the_view_runs_and_reports_ready(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        status = w.status("web")
        assert status["phase"] == "Running"
        assert status["hostIP"] == "10.0.0.1"
        assert status["podIP"].startswith("10.255.0.")
        assert status["containerStatuses"][0]["containerID"].startswith("hollow://")
        assert w.api.status_writes == 1
        await until(lambda: w.api.reasons("web") == ["Created", "Started"])


async def test_a_deleted_pod_is_stopped_reported_and_taken_from_the_api(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        w.api.delete_pod("web")
        await until(lambda: not w.api.has_pod("web"))
        assert await w.runtime.list_sandboxes() == []
        assert "Killing" in w.api.reasons("web")


async def test_a_pod_that_ignores_sigterm_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    async with world(tmp_path, {"sleep": Stages(ignores_sigterm=True)}) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        began = w.clock.monotonic()
        w.api.delete_pod("web", grace_s=20)
        await until(lambda: not w.api.has_pod("web"))
        assert 20 <= w.clock.monotonic() - began < 22


async def test_a_second_delete_with_less_grace_kills_sooner(tmp_path: Path) -> None:
    async with world(tmp_path, {"sleep": Stages(ignores_sigterm=True)}) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        began = w.clock.monotonic()
        w.api.delete_pod("web", grace_s=60)
        await asyncio.sleep(1)
        w.api.delete_pod("web", grace_s=2)
        await until(lambda: not w.api.has_pod("web"))
        assert w.clock.monotonic() - began < 5


async def test_a_crashing_container_backs_off_longer_each_time(tmp_path: Path) -> None:
    async with world(tmp_path, {"sleep": Stages(runs_s=1, exit_code=3)}) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: "waiting" in w.container("web").get("state", {}), 30)
        entry = w.container("web")
        uid = w.api.pod("web")["metadata"]["uid"]
        assert entry["state"]["waiting"] == {
            "reason": "CrashLoopBackOff",
            "message": f"back-off 10s restarting failed container=c pod=web_default({uid})",
        }
        assert entry["lastState"]["terminated"]["exitCode"] == 3
        assert w.phase("web") == "Running"
        await until(lambda: w.container("web")["restartCount"] == 4, 200)
        assert 10 + 20 + 40 <= w.clock.monotonic() < 10 + 20 + 40 + 10
        assert "BackOff" in w.api.reasons("web")


async def test_a_job_pod_succeeds_and_is_not_run_again(tmp_path: Path) -> None:
    async with world(tmp_path, {"sleep": Stages(runs_s=5)}) as w:
        w.api.put_pod("job", {**SLEEPER, "restartPolicy": "Never"})
        await until(lambda: w.phase("job") == "Succeeded")
        assert w.container("job")["state"]["terminated"]["reason"] == "Completed"
        await asyncio.sleep(60)
        assert len(await w.runtime.list_containers()) == 1


async def test_a_pod_past_its_deadline_fails_with_the_reason(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("job", {**SLEEPER, "activeDeadlineSeconds": 10})
        await until(lambda: w.phase("job") == "Failed")
        assert w.status("job")["reason"] == "DeadlineExceeded"
        assert 10 <= w.clock.monotonic() < 12


async def test_init_containers_run_in_order_before_the_others(tmp_path: Path) -> None:
    async with world(tmp_path, {"init": Stages(runs_s=2)}) as w:
        init = [{"name": "i1", "image": "init"}, {"name": "i2", "image": "init"}]
        w.api.put_pod("web", {**SLEEPER, "initContainers": init})
        await until(lambda: w.ready("web"))
        made = await w.runtime.list_containers()
        assert [c.config.name for c in made] == ["i1", "i2", "c"]
        assert w.clock.monotonic() >= 4


async def test_a_lost_sandbox_is_replaced_and_the_pod_runs_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        (sandbox,) = await w.runtime.list_sandboxes()
        w.runtime.lose_sandbox(sandbox.id)
        await until(lambda: w.container("web").get("restartCount") == 1 and w.ready("web"))
        newest = max(await w.runtime.list_sandboxes(), key=lambda s: s.config.attempt)
        assert newest.config.attempt == 1


async def test_a_pod_taken_away_by_force_leaves_nothing_running(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        w.api.forget("pods", "web")
        await asyncio.sleep(2)
        assert await w.runtime.list_sandboxes() == []


async def test_while_the_master_is_away_crashed_containers_are_restarted(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        w.api.away = True
        (container,) = await w.runtime.list_containers()
        w.runtime.crash(container.id)
        await asyncio.sleep(5)
        running = [c for c in await w.runtime.list_containers() if c.state == "running"]
        assert [c.config.attempt for c in running] == [1]
        w.api.away = False
        w.api.reset()
        await until(lambda: w.container("web").get("restartCount") == 1)


async def test_missing_config_map_is_named_and_its_arrival_starts_the_pod(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        reference = {"configMapKeyRef": {"name": "conf", "key": "k"}}
        env = [{"name": "K", "valueFrom": reference}]
        w.api.put_pod("web", {**SLEEPER, "containers": [{**SLEEPER["containers"][0], "env": env}]})
        await until(lambda: "state" in w.container("web"))
        assert w.container("web")["state"]["waiting"] == {
            "reason": "CreateContainerConfigError",
            "message": 'configmap "conf" not found',
        }
        w.api.put("configmaps", {"metadata": {"name": "conf"}, "data": {"k": "v"}})
        await until(lambda: w.ready("web"), 2)
        (container,) = await w.runtime.list_containers()
        assert ("K", "v") in container.config.env


async def test_a_hundred_pods_cost_one_status_write_each(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for number in range(100):
            w.api.put_pod(f"p{number}", SLEEPER)
        await until(lambda: all(w.ready(f"p{n}") for n in range(100)))
        assert w.api.status_writes == 100

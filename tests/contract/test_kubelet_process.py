"""The kubelet with the process runtime: real processes, their logs, mounts, ends and restarts."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from busk8s.clock import SystemClock
from busk8s.ids import RandomIds
from busk8s.tasks import Nursery
from busk8s.testing.node_api import NodeApi, Written
from busk8s.worker.kubelet.kubelet import Kubelet
from busk8s.worker.runtime.process import ProcessRuntime

pytestmark = [pytest.mark.realtime, pytest.mark.e2e]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and pod networks need root")


@dataclass
class Node:
    api: NodeApi
    runtime: ProcessRuntime
    root: Path
    first: Nursery

    def kubelet(self) -> Kubelet:
        ids = RandomIds(random.Random(1))
        runtime = ProcessRuntime(self.root / "rt")
        return Kubelet(
            "n1", self.api, self.api, runtime, SystemClock(), str(self.root), ids
        )  # fmt: skip

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.pod(name).get("status") or {}
        return found

    def container(self, name: str) -> dict[str, Any]:
        return dict((self.status(name).get("containerStatuses") or [{}])[0])

    def ready(self, name: str) -> bool:
        return any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in self.status(name).get("conditions") or ()
        )

    async def logs(self, name: str, **params: Any) -> bytes:
        got = Written()
        await self.api.streams["log"]({"namespace": "default", "pod": name, **params}, got)
        return bytes(got.data)


@asynccontextmanager
async def node() -> AsyncIterator[Node]:
    # A short path: a Unix socket's has a limit of 108 bytes.
    with tempfile.TemporaryDirectory(prefix="bk") as directory:
        root = Path(directory)
        api = NodeApi(SystemClock())
        spec = {"podCIDR": "10.201.7.0/24"}
        api.put("nodes", {"metadata": {"name": "n1"}, "spec": spec})
        runtime = ProcessRuntime(root / "rt")
        try:
            async with Nursery() as nursery:
                made = Node(api, runtime, root, nursery)
                nursery.spawn(made.kubelet().run())
                yield made
        finally:
            await runtime.open()
            await runtime.shutdown()
            await runtime.close()


async def until(what: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not what():
            await asyncio.sleep(0.02)


def sh(script: str, **more: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "host", "command": ["sh", "-c", script], **more}
    return {"nodeName": "n1", "terminationGracePeriodSeconds": 2, "containers": [container]}


async def test_a_job_runs_once_and_its_output_is_its_log() -> None:
    async with node() as n:
        spec = sh("echo out $A; echo err >&2; exit 3", env=[{"name": "A", "value": "$(B)x"}])
        n.api.put_pod("job", {**spec, "restartPolicy": "Never"})
        await until(lambda: n.status("job").get("phase") == "Failed")
        ended = n.container("job")["state"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (3, "Error")
        assert sorted((await n.logs("job")).splitlines()) == [b"err", b"out $(B)x"]
        n.api.delete_pod("job")
        await until(lambda: not n.api.has_pod("job"))
        assert not [*(n.root / "logs").iterdir()]


async def test_a_pod_survives_the_kubelet_and_is_found_again() -> None:
    async with node() as n:
        n.api.put_pod("web", sh("while true; do echo tick; sleep 0.1; done"))
        await until(lambda: n.ready("web"))
        before = n.container("web")["containerID"]
        await n.first.close()
        async with Nursery() as second:
            second.spawn(n.kubelet().run())
            await until(lambda: "log" in n.api.streams)
            n.api.put_pod("other", sh("sleep 60"))
            await until(lambda: n.ready("other"))
            after = n.container("web")
            assert (after["containerID"], after["restartCount"]) == (before, 0)
            for name in ("web", "other"):
                n.api.delete_pod(name)
            await until(lambda: not n.api.pods())


async def test_a_program_that_is_not_there_says_so() -> None:
    async with node() as n:
        container = {"name": "c", "image": "host", "command": ["/no/such/program"]}
        n.api.put_pod("bad", {"nodeName": "n1", "containers": [container]})
        await until(lambda: "Failed" in n.api.reasons("bad"))
        messages = [e["message"] for e in n.api.events if e["reason"] == "Failed"]
        assert "/no/such/program" in messages[0]
        n.api.delete_pod("bad")
        await until(lambda: not n.api.has_pod("bad"))


async def test_an_exec_probe_and_a_crash_loop() -> None:
    async with node() as n:
        probe = {"exec": {"command": ["test", "-e", str(n.root / "go")]}, "periodSeconds": 1}
        n.api.put_pod("web", sh("sleep 60", readinessProbe=probe))
        n.api.put_pod("crash", sh("exit 7"))
        await until(lambda: n.status("web").get("phase") == "Running")
        assert not n.ready("web")
        (n.root / "go").touch()
        await until(lambda: n.ready("web"))
        await until(lambda: "waiting" in n.container("crash").get("state", {}))
        crash = n.container("crash")
        assert crash["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert crash["lastState"]["terminated"]["exitCode"] == 7
        for name in ("web", "crash"):
            n.api.delete_pod(name)
        await until(lambda: not n.api.pods())


async def test_pods_of_a_supervisor_that_was_killed_run_again_at_once() -> None:
    async with node() as n:
        n.api.put_pod("web", sh("sleep 60"))
        await until(lambda: n.ready("web"))
        await n.runtime.open()
        os.kill(n.runtime.features["pid"], signal.SIGKILL)
        await until(lambda: n.container("web").get("restartCount") == 1 and n.ready("web"), 8)
        n.api.delete_pod("web")
        await until(lambda: not n.api.has_pod("web"))


@needs_root
@pytest.mark.root
async def test_volumes_and_the_pods_own_address_are_seen_inside() -> None:
    async with node() as n:
        n.api.put("configmaps", {"metadata": {"name": "conf"}, "data": {"k": "value"}})
        volumes = [
            {"name": "conf", "configMap": {"name": "conf"}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ]
        mounts = [
            {"name": "conf", "mountPath": "/etc/busk8s-conf"},
            {"name": "tmp", "mountPath": "/scratch"},
        ]
        env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
        script = "cat /etc/busk8s-conf/k; echo; echo x > /scratch/f && cat /scratch/f; echo $IP"
        spec = sh(script, volumeMounts=mounts, env=env)
        n.api.put_pod("job", {**spec, "restartPolicy": "Never", "volumes": volumes})
        await until(lambda: n.status("job").get("phase") == "Succeeded")
        ip = n.status("job")["podIP"]
        assert ip.startswith("10.201.7.")
        assert (await n.logs("job")).decode().split() == ["value", "x", ip]
        n.api.delete_pod("job")
        await until(lambda: not n.api.has_pod("job"))
        assert not [*(n.root / "pods").iterdir()]


@needs_root
@pytest.mark.root
async def test_an_http_probe_reaches_the_pod_at_its_address() -> None:
    async with node() as n:
        script = "exec python3 -m http.server 8080 --bind 0.0.0.0"
        probe = {"httpGet": {"port": 8080, "path": "/"}, "periodSeconds": 1}
        n.api.put_pod("web", sh(script, readinessProbe=probe))
        await until(lambda: n.ready("web"))
        n.api.delete_pod("web")
        await until(lambda: not n.api.has_pod("web"))

"""What the kubelet answers to readers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from kubelet_world import SLEEPER, World, until, world
from prometheus_client.parser import text_string_to_metric_families

from busk8s.errors import Error
from busk8s.testing.node_api import Written
from busk8s.worker.kubelet.logs import log_path
from busk8s.worker.kubelet.read_api.summary import NANO
from busk8s.worker.runtime.hollow import Stages

Json = dict[str, Any]
PROBED = {
    **SLEEPER,
    "containers": [
        {
            "name": "c",
            "image": "sleep",
            "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 10},
        }
    ],
}


async def ask(w: World, path: str, method: str = "GET", **query: str) -> tuple[int, str, bytes]:
    sent = Written()
    params = {"method": method, "path": path, "query": query}
    await w.api.streams["kubelet"](params, sent)
    head, _, body = bytes(sent.data).partition(b"\n")
    said = orjson.loads(head)
    return said["status"], said["type"], body


async def read(w: World, path: str) -> Json:
    status, media, body = await ask(w, path)
    assert (status, media) == (200, "application/json")
    found: Json = orjson.loads(body)
    return found


async def values(w: World, path: str) -> dict[tuple[str, str], float]:
    """Samples by name and container or pod."""
    status, media, body = await ask(w, path)
    assert status == 200
    assert media.startswith("text/plain; version=0.0.4")
    return {
        (s.name, s.labels.get("container", s.labels.get("pod", ""))): s.value
        for family in text_string_to_metric_families(body.decode())
        for s in family.samples
    }


async def test_pods_are_told_with_the_status_they_have_here(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        (pod,) = (await read(w, "/pods"))["items"]
        assert pod["metadata"]["name"] == "web"
        assert pod["status"]["phase"] == "Running"
        (running,) = (await read(w, "/runningpods/"))["items"]
        assert running["spec"]["containers"] == [{"name": "c", "image": "sleep", "resources": {}}]


async def test_use_is_a_sum_and_after_a_while_a_rate(tmp_path: Path) -> None:
    table = {"sleep": Stages(cpu_cores=0.25, memory_bytes=5 << 20)}
    async with world(tmp_path, table) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        await asyncio.sleep(10)
        (first,) = (await read(w, "/stats/summary"))["pods"]
        assert "usageNanoCores" not in first["cpu"]
        assert first["memory"]["workingSetBytes"] == 5 << 20
        await asyncio.sleep(20)
        whole = await read(w, "/stats/summary")
        (pod,) = whole["pods"]
        assert pod["podRef"]["name"] == "web"
        assert pod["cpu"]["usageNanoCores"] == pytest.approx(0.25 * NANO, rel=0.01)
        gained = pod["cpu"]["usageCoreNanoSeconds"] - first["cpu"]["usageCoreNanoSeconds"]
        assert gained == pytest.approx(5 * NANO, rel=0.01)
        assert pod["containers"][0]["name"] == "c"
        node = whole["node"]
        assert node["nodeName"] == "n1"
        assert node["memory"]["workingSetBytes"] > 0
        assert node["fs"]["capacityBytes"] >= node["fs"]["usedBytes"] > 0


async def test_metrics_of_containers_pods_and_probes(tmp_path: Path) -> None:
    table = {"sleep": Stages(memory_bytes=7 << 20)}
    async with world(tmp_path, table) as w:
        w.api.put_pod("web", PROBED)
        await until(lambda: w.ready("web"))
        resource = await values(w, "/metrics/resource")
        assert resource["container_memory_working_set_bytes", "c"] == 7 << 20
        assert resource["pod_memory_working_set_bytes", "web"] == 7 << 20
        assert resource["node_cpu_usage_seconds_total", ""] > 0
        cadvisor = await values(w, "/metrics/cadvisor")
        assert cadvisor["container_memory_working_set_bytes", "c"] == 7 << 20
        assert cadvisor["machine_cpu_cores", ""] >= 1
        probes = await values(w, "/metrics/probes")
        assert probes["prober_probe_total", "c"] >= 1
        own = await values(w, "/metrics")
        assert own["kubelet_running_pods", ""] == 1
        w.api.delete_pod("web")
        await until(lambda: not w.api.has_pod("web"))
        assert await values(w, "/metrics/probes") == {}


async def test_health_follows_the_runtime(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await until(w.has_node)
        assert await ask(w, "/healthz") == (200, "text/plain; charset=utf-8", b"ok")

        w.first._parts.pleg.failure = "the runtime does not answer"
        status, _, body = await ask(w, "/healthz")
        assert status == 500
        assert b"[-]syncloop failed: the runtime does not answer" in body


async def test_logs_of_containers(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        uid = w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        pod = w.first._parts.view.pods[uid]
        log = log_path(str(w.root), pod, "c", 0)
        log.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"2026-01-01T00:00:00Z stdout F line {n}\n" for n in range(5))
        log.write_text(lines)
        path = "/containerLogs/default/web/c"
        assert await ask(w, path, tailLines="2") == (200, "text/plain", b"line 3\nline 4\n")
        for query in ({"tailLines": "-1"}, {"limitBytes": "many"}, {"sinceTime": "never"}):
            with pytest.raises(Error, match="invalid log option") as wrong:
                await ask(w, path, **query)
            assert wrong.value.code == 400
        with pytest.raises(Error) as missing:
            await ask(w, "/containerLogs/default/nobody/c")
        assert missing.value.code == 404
        assert (await ask(w, "/containerLogs/default"))[0] == 404


async def test_what_is_not_served_is_refused_by_name(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for path in ("/exec/default/web/c", "/run/a", "/logs/", "/debug/pprof"):
            with pytest.raises(Error, match="of the kubelet is not supported") as refused:
                await ask(w, path)
            assert refused.value.code == 501
        assert (await ask(w, "/nothing"))[0] == 404
        assert (await ask(w, "/pods", method="DELETE"))[0] == 405
        config = (await read(w, "/configz"))["kubeletconfig"]
        assert config["maxPods"] == 110

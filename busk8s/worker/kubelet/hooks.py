"""Runs a container's postStart and preStop handlers: exec, httpGet, sleep."""

from __future__ import annotations

from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.worker.kubelet.pods import ContainerSpec
from busk8s.worker.kubelet.probers import ask
from busk8s.worker.runtime.base import Runtime

POST_START_MAX_S = 3_600.0  # Upstream has no limit; a forgotten hook must not hold a task for good.


async def run_hook(
    handler: Json,
    spec: ContainerSpec,
    container_id: str,
    ip: str,
    runtime: Runtime,
    clock: Clock,
    *,
    limit_s: float,
) -> str:
    """Empty when it went well, else what went wrong."""
    if sleep := handler.get("sleep"):
        await clock.sleep(min(float(sleep.get("seconds") or 0), limit_s))
        return ""
    answer = await ask(handler, spec, container_id, ip, runtime, limit_s=limit_s)
    return "" if answer.ok else answer.output or "the handler failed"

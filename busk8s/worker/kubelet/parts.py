"""What every pod worker of one kubelet shares, put together once by the Kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from busk8s.client.interface import Client
from busk8s.clock import Clock
from busk8s.worker.kubelet.account_tokens import AccountTokens
from busk8s.worker.kubelet.admit import Claim
from busk8s.worker.kubelet.downward import Facts
from busk8s.worker.kubelet.events import Recorder
from busk8s.worker.kubelet.launch import Dns
from busk8s.worker.kubelet.pleg import Pleg
from busk8s.worker.kubelet.pods import Pod
from busk8s.worker.kubelet.probes import Probes
from busk8s.worker.kubelet.resize import Pending
from busk8s.worker.kubelet.status import Host
from busk8s.worker.kubelet.status_writer import StatusWriter
from busk8s.worker.kubelet.view import View
from busk8s.worker.kubelet.volumes import Volumes
from busk8s.worker.runtime.base import Runtime

STARTS_AT_ONCE_MAX = 8  # More start no faster on a small machine, and starve the probes.


@dataclass(slots=True)
class Parts:
    node_name: str
    root: str
    client: Client
    runtime: Runtime
    clock: Clock
    view: View
    pleg: Pleg
    writer: StatusWriter
    recorder: Recorder
    probes: Probes
    volumes: Volumes
    tokens: AccountTokens
    host: Host
    dns: Dns
    facts: Facts
    admit: Callable[[Pod], tuple[str, str] | None]
    judge: Callable[[str, Claim], Pending | None]
    starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STARTS_AT_ONCE_MAX))

    async def prepare(self, pod: Pod, facts: Facts) -> None:
        """Make or refresh the pod's volumes and what goes into them; raises VolumeError."""
        if self.root:
            await self.tokens.obtain(pod)
        self.volumes.prepare(pod, facts)

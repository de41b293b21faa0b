"""Keeps the Node true: registers it, labels it, reports its status, hears its pod subnet.

Owns      the loop over node.py, and what the Node object tells the runtime.
Leaves    the content (node.py), the sending (the link: with the next beat, when changed).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from busk8s.api.object import Json, Object
from busk8s.api.scheme import NODES
from busk8s.client.interface import Client
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.log import Logger
from busk8s.worker.kubelet.events import Recorder
from busk8s.worker.kubelet.machine import (
    Machine,
    available_memory_bytes,
    free_storage_share,
)
from busk8s.worker.kubelet.node import (
    DISK_PRESSURE_SHARE,
    MEMORY_PRESSURE_BYTES,
    Health,
    missing_annotations,
    missing_labels,
    news,
    node_object,
    node_status,
)
from busk8s.worker.runtime.base import Runtime, RuntimeFailure

PERIOD_S = 10.0  # As upstream's nodeStatusUpdateFrequency.
RETRY_S = 2.0

log = Logger("kubelet.node")


class NodeReporter:
    def __init__(
        self,
        node_name: str,
        client: Client,
        runtime: Runtime,
        clock: Clock,
        machine: Machine,
        root_dir: str,
        *,
        ips: Sequence[str],
        pods_max: int,
        send: Callable[[Json], None],
        problem: Callable[[], str],
        on_subnet: Callable[[], None],
        recorder: Recorder,
    ) -> None:
        self._recorder = recorder
        self._node_name = node_name
        self._client = client
        self._runtime = runtime
        self._clock = clock
        self._machine = machine
        self._root_dir = root_dir
        self._ips = tuple(ips)
        self._pods_max = pods_max
        self._send = send
        self._problem = problem
        self._on_subnet = on_subnet
        self._node: Object | None = None
        self._synced = False
        self._subnet = ""
        self._status: Json = {}
        self._wake = asyncio.Event()

    def node_changed(self, node: Object | None) -> None:
        """The view's own Node; None: the whole view has come and holds none."""
        self._node = node
        self._synced = True
        self._wake.set()

    async def run(self) -> None:
        self._tell("Starting", "Starting kubelet.")
        while True:
            self._report()
            wait_s = PERIOD_S
            try:
                await self._tend()
            except (Error, RuntimeFailure, OSError) as error:
                log.warning("node not up to date, will retry", error=error)
                wait_s = RETRY_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    def _report(self) -> None:
        status = node_status(
            self._clock.now(),
            self._node_name,
            self._machine,
            self._ips,
            self._health(),
            f"{self._runtime.name}://{self._runtime.version}",
            pods_max=self._pods_max,
            old=self._status,
        )
        if status != self._status:
            for reason in news(self._status, status):
                self._tell(reason, f"Node {self._node_name} status is now: {reason}")
            self._status = status
            self._send(status)

    def _tell(self, reason: str, message: str) -> None:
        """An Event of this node, whose uid is its name, as upstream's kubelets say it."""
        about = {"kind": "Node", "name": self._node_name, "uid": self._node_name}
        self._recorder.event(about, "Normal", reason, message)

    def _health(self) -> Health:
        if self._runtime.name == "hollow":
            return Health(self._problem())  # A pretended node has no pressure of its own.
        return Health(
            problem=self._problem(),
            memory_pressure=available_memory_bytes() < MEMORY_PRESSURE_BYTES,
            disk_pressure=free_storage_share(self._root_dir) < DISK_PRESSURE_SHARE,
        )

    async def _tend(self) -> None:
        if not self._synced:
            return
        if self._node is None:
            await self._register()
            return
        node = self._node
        subnet = (node.data.get("spec") or {}).get("podCIDR") or ""
        if subnet and subnet != self._subnet:
            await self._runtime.set_pod_cidr(subnet)
            self._subnet = subnet
            self._on_subnet()
        labels = missing_labels(node.data, self._machine)
        notes = missing_annotations(node.data, self._root_dir and os.path.abspath(self._root_dir))
        if labels or notes:
            patch = {"metadata": {"labels": labels, "annotations": notes}}
            await self._client.patch(NODES, self._node_name, patch)

    async def _register(self) -> None:
        try:
            await self._client.create(NODES, node_object(self._node_name, self._machine))
        except Error as error:
            if error.reason != "AlreadyExists":
                raise

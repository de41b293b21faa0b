"""The kubelet: makes the pods of its view run on this node, and says how they do.

Owns      the view, one worker a pod, and the long-lived tasks beside them.
Leaves    decisions (plan), one pod's loop (pod_worker), the node's own status (node).
Invariant a pod has one worker; a worker lives until its pod is gone from the API and from here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from busk8s.api.object import Json
from busk8s.client.interface import Change, Client
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.tasks import Nursery, supervise
from busk8s.worker.kubelet.downward import Facts
from busk8s.worker.kubelet.events import ApiRecorder, Recorder
from busk8s.worker.kubelet.launch import Dns
from busk8s.worker.kubelet.parts import Parts
from busk8s.worker.kubelet.pleg import Pleg
from busk8s.worker.kubelet.pod_worker import PodWorker
from busk8s.worker.kubelet.pods import Pod
from busk8s.worker.kubelet.status import Host
from busk8s.worker.kubelet.status_writer import StatusWriter
from busk8s.worker.kubelet.view import View
from busk8s.worker.runtime.base import Runtime

StreamHandler = Callable[[Json, Callable[[bytes], Awaitable[None]]], Awaitable[None]]

log = Logger("kubelet")


class Link(Protocol):
    """What the kubelet needs of the bus besides the Client."""

    def set_node_status(self, status: Json) -> None: ...

    def on_stream(self, verb: str, handler: StreamHandler) -> None: ...


class Kubelet:
    def __init__(
        self,
        node_name: str,
        client: Client,
        link: Link,
        runtime: Runtime,
        clock: Clock,
        root_dir: str,
        ids: IdSource,
        *,
        recorder: Recorder | None = None,
        node_ips: Sequence[str] = ("127.0.0.1",),
        dns: Dns | None = None,
    ) -> None:
        self.node_name = node_name
        self._client = client
        self._link = link
        self._runtime = runtime
        self._clock = clock
        self._own_recorder = ApiRecorder(client, clock, ids, node_name)
        self._workers: dict[str, PodWorker] = {}
        self._nursery = Nursery(on_error=self._worker_failed)
        view = View(node_name)
        self._parts = Parts(
            node_name=node_name,
            root=root_dir,
            client=client,
            runtime=runtime,
            clock=clock,
            view=view,
            pleg=Pleg(runtime, clock, self._wake),
            writer=StatusWriter(client, clock, self._wake),
            recorder=recorder or self._own_recorder,
            host=Host(tuple(node_ips), runtime.name),
            dns=dns or Dns(),
            facts=Facts(node_name=node_name, host_ip=node_ips[0] if node_ips else ""),
            admit=self._admit,
        )

    async def run(self) -> None:
        """Runs until cancelled; containers go on without it."""
        await self._runtime.open()
        try:
            async with self._nursery:
                await supervise(
                    self._parts.pleg.run(),
                    self._parts.writer.run(),
                    self._own_recorder.run(),
                    self._follow(),
                )
        finally:
            await self._runtime.close()

    async def _follow(self) -> None:
        async for batch in self._client.watch_view(f"node/{self.node_name}"):
            self._apply(batch)

    def _apply(self, batch: Sequence[Change]) -> None:
        view = self._parts.view
        delta = view.apply(batch)
        for uid in delta.vanished:
            if uid in self._workers:
                self._workers[uid].vanish()
        for uid in delta.pods:
            pod = view.pods[uid]
            if delta.reset:
                self._parts.writer.seed(uid, pod.status)
            self._sync(pod)

    def _sync(self, pod: Pod) -> None:
        worker = self._workers.get(pod.uid)
        if worker is not None:
            worker.update(pod)
            return
        if pod.uid not in self._workers:
            self._parts.writer.seed(pod.uid, pod.status)
        self._workers[pod.uid] = worker = PodWorker(self._parts, pod)
        self._nursery.spawn(self._keep(pod.uid, worker), name=pod.key)

    async def _keep(self, uid: str, worker: PodWorker) -> None:
        await worker.run()
        self._parts.writer.forget(uid)
        self._workers.pop(uid, None)

    def _wake(self, uid: str) -> None:
        worker = self._workers.get(uid)
        if worker is not None:
            worker.wake()

    def _worker_failed(self, name: str, error: BaseException) -> None:
        log.error("pod worker failed", pod=name, error=error)
        for uid, worker in list(self._workers.items()):
            if worker.pod.key == name:
                self._nursery.spawn(self._again(uid, worker), name=name)

    async def _again(self, uid: str, worker: PodWorker) -> None:
        """A bug hit this pod: try again, but not in a hurry."""
        await self._clock.sleep(5.0)
        await self._keep(uid, worker)

    def _admit(self, pod: Pod) -> tuple[str, str] | None:
        return None

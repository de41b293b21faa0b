"""The kubelet: makes the pods of its view run on this node, and says how they do.

Owns      the view, one worker a pod, and the long-lived tasks beside them.
Leaves    decisions (plan), one pod's loop (pod_worker), the node's own status (node).
Invariant a pod has one worker; a worker lives until its pod is gone from the API and from here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from busk8s.api.object import Json
from busk8s.bus.streams import Stream
from busk8s.client.interface import Change, Client, Reset
from busk8s.client.recorder import Recorder as EventRecorder
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.tasks import Nursery, supervise
from busk8s.worker.kubelet.account_tokens import AccountTokens
from busk8s.worker.kubelet.admit import Claim, judge, refusal
from busk8s.worker.kubelet.checkpoint import Checkpoint, Saved
from busk8s.worker.kubelet.downward import Facts
from busk8s.worker.kubelet.events import Recorder, pod_reference
from busk8s.worker.kubelet.exec_stream import StreamServer
from busk8s.worker.kubelet.launch import Dns
from busk8s.worker.kubelet.log_stream import LogStream
from busk8s.worker.kubelet.logs import Rotation
from busk8s.worker.kubelet.machine import Machine, read_machine
from busk8s.worker.kubelet.node import room
from busk8s.worker.kubelet.node_reporter import NodeReporter
from busk8s.worker.kubelet.orphans import remove_orphans
from busk8s.worker.kubelet.parts import Parts
from busk8s.worker.kubelet.pleg import Pleg
from busk8s.worker.kubelet.pod_worker import PodWorker
from busk8s.worker.kubelet.pods import ContainerSpec, Pod
from busk8s.worker.kubelet.probes import Probes
from busk8s.worker.kubelet.read_api.answers import VERB as READ_API
from busk8s.worker.kubelet.read_api.answers import ReadApi
from busk8s.worker.kubelet.read_api.observed import Seen
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.kubelet.resize import Pending
from busk8s.worker.kubelet.status import Host
from busk8s.worker.kubelet.status_writer import StatusWriter
from busk8s.worker.kubelet.view import Delta, View
from busk8s.worker.kubelet.volumes import Volumes
from busk8s.worker.runtime.base import Runtime

StreamHandler = Callable[[Json, Stream], Awaitable[None]]

PODS_MAX = 110  # As upstream's maxPods.

# What a pod needs to go on without the master; the Node comes again with the first Reset.
SAVED_KINDS = (
    "pods", "configmaps", "secrets", "services", "serviceaccounts", "nodes",
    "persistentvolumeclaims", "persistentvolumes",
)  # fmt: skip

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
        machine: Machine | None = None,
        pods_max: int = PODS_MAX,
    ) -> None:
        """`root_dir` empty: nothing on disk, for hollow nodes by the thousand."""
        self.node_name = node_name
        self._client = client
        self._link = link
        self._runtime = runtime
        self._clock = clock
        self._own_recorder = EventRecorder(client, "kubelet", clock=clock, ids=ids, host=node_name)
        self._workers: dict[str, PodWorker] = {}
        self._nursery = Nursery(on_error=self._worker_failed)
        self._machine = machine or read_machine(root_dir)
        self._room = room(self._machine, pods_max)
        view = View(node_name)
        tokens = AccountTokens(client, clock)
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
            facts=self._facts(node_ips[0] if node_ips else ""),
            admit=self._admit,
            judge=self._judge,
            probes=Probes(runtime, clock, self._wake, self._probe_failed),
            volumes=Volumes(root_dir, view.get, partial(_label, clock, ids), tokens.find),
            tokens=tokens,
        )
        self._reporter = NodeReporter(
            node_name, client, runtime, clock, self._machine, root_dir,
            ips=node_ips, pods_max=pods_max, send=link.set_node_status,
            problem=lambda: self._parts.pleg.failure, on_subnet=self._subnet_known,
            recorder=self._parts.recorder,
        )  # fmt: skip

        view_file = Path(root_dir or ".") / "view.checkpoint"
        self._checkpoint = Checkpoint(view_file, clock, self._take, enabled=bool(root_dir))
        self._rotation = Rotation(root_dir, runtime, clock, self._with_states)
        self._serve(link, pods_max)

    def _serve(self, link: Link, pods_max: int) -> None:
        """What the master may ask for."""
        parts = self._parts
        logs = LogStream(parts.root, parts.view, parts.pleg, parts.writer, parts.clock)
        reads = ReadApi(
            self.node_name, parts.root, self, parts.runtime, logs, self._machine, parts.clock,
            pods_max=pods_max, probes=parts.probes.results,
        )  # fmt: skip
        link.on_stream("log", logs.serve)
        link.on_stream(READ_API, reads.serve)
        streaming = StreamServer(parts.runtime, parts.view, parts.pleg)
        link.on_stream("exec", streaming.exec)
        link.on_stream("attach", streaming.attach)
        link.on_stream("forward", streaming.forward)

    def seen(self) -> list[Seen]:
        """Every pod as it is known here now."""
        writer, pleg = self._parts.writer, self._parts.pleg
        return [
            Seen(pod, pleg.peek(uid), writer.latest(uid) or pod.status)
            for uid, pod in self._parts.view.pods.items()
        ]

    def trouble(self) -> str:
        return self._parts.pleg.failure

    def _with_states(self) -> list[tuple[Pod, PodState]]:
        return [(worker.pod, self._parts.pleg.peek(uid)) for uid, worker in self._workers.items()]

    async def run(self) -> None:
        """Runs until cancelled; containers go on without it."""
        await self._runtime.open()
        self._resume()
        try:
            async with self._nursery:
                await supervise(
                    self._parts.pleg.run(),
                    self._parts.writer.run(),
                    self._own_recorder.run(),
                    self._parts.probes.run(),
                    self._reporter.run(),
                    self._rotation.run(),
                    self._checkpoint.run(),
                    self._follow(),
                )
        finally:
            await self._runtime.close()

    async def _follow(self) -> None:
        async for batch in self._client.watch_view(f"node/{self.node_name}"):
            if self._apply(batch).reset:
                # Only now is it sure what is not wanted any more: a checkpoint may be old.
                job = remove_orphans(self._parts, lambda: self._workers)
                self._nursery.spawn(job, name="orphans")

    def _resume(self) -> None:
        """Go on with the last view on disk until the master sends a newer one."""
        saved = self._checkpoint.load() if self._parts.root else None
        if saved is None or saved.node_name != self.node_name:
            return
        view = self._parts.view
        view.apply([Reset(saved.objects, saved.revision)])
        node = view.get("nodes", "", self.node_name)
        if node is not None:  # The subnet is in it: without, no pod that is lost can come back.
            self._reporter.node_changed(node)
        for uid, pod in view.pods.items():
            self._parts.writer.seed(uid, pod.status)
            if status := saved.statuses.get(uid):
                self._parts.writer.submit(pod, status)
            self._sync(pod)
        log.info("resumed from disk", pods=len(view.pods), revision=saved.revision)

    def _take(self) -> Saved:
        view = self._parts.view
        kept = tuple(obj for obj in view.objects() if obj.resource.key in SAVED_KINDS)
        return Saved(self.node_name, view.revision, kept, self._parts.writer.unwritten())

    def _apply(self, batch: Sequence[Change]) -> Delta:
        view = self._parts.view
        delta = view.apply(batch)
        self._checkpoint.changed()
        if delta.node or delta.reset:
            self._reporter.node_changed(view.get("nodes", "", self.node_name))
        for uid in delta.vanished:
            if uid in self._workers:
                self._workers[uid].vanish()
        for uid in delta.pods:
            pod = view.pods[uid]
            self._parts.writer.overruled(pod)
            if delta.reset:
                self._parts.writer.seed(uid, pod.status)
            self._sync(pod)
        return delta

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
        self._parts.probes.forget(uid)
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
        return refusal(self._workers[pod.uid].claim, self._held_beside(pod.uid), self._room)

    def _judge(self, uid: str, wanted: Claim) -> Pending | None:
        """Whether a running pod may have `wanted` from now on."""
        return judge(wanted, self._held_beside(uid), self._room)

    def _held_beside(self, uid: str) -> list[Claim]:
        """What the other pods here have."""
        return [w.claim for other, w in self._workers.items() if other != uid and w.admitted]

    def _facts(self, ip: str) -> Facts:
        return Facts(
            node_name=self.node_name,
            host_ip=ip,
            cpu_millis=self._room.cpu_millis,
            memory_bytes=self._room.memory_bytes,
            storage_bytes=self._machine.storage_bytes,
        )

    def _probe_failed(self, pod: Pod, spec: ContainerSpec, kind: str, output: str) -> None:
        about = pod_reference(pod, spec.name)
        message = f"{kind.capitalize()} probe failed: {output}"
        self._parts.recorder.event(about, "Warning", "Unhealthy", message)

    def _subnet_known(self) -> None:
        for worker in self._workers.values():
            worker.retry("FailedCreatePodSandBox")


def _label(clock: Clock, ids: IdSource) -> str:
    """The name of a volume's next version."""
    return f"{int(clock.now())}.{ids.suffix(9)}"

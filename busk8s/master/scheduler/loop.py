"""kube-scheduler: watches nodes and pods, decides, assumes, binds.

Owns      keeping snapshot and queue true to what the API says; binding; conditions and events.
Leaves    the decision (cycle), the order (queue).
Invariant a decision never waits for the API: the pod is assumed on its node at once, and the
          assumption is taken back when the binding fails.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial

from busk8s import errors
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import NAMESPACES, NODES, PODS, Resource
from busk8s.client.interface import Change, Client, Gone, Put, Reset
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.scheduler.cycle import Chosen, Cycle, Unschedulable
from busk8s.master.scheduler.framework import NotYet, Profile
from busk8s.master.scheduler.measures import SchedulingMetrics
from busk8s.master.scheduler.pod import PodClasses, PodInfo
from busk8s.master.scheduler.queue import SchedulingQueue
from busk8s.master.scheduler.snapshot import Snapshot, node_info
from busk8s.master.scheduler.volumes import KINDS, VolumeFacts
from busk8s.metrics import Family
from busk8s.tasks import supervise

BINDINGS_MAX = 64  # Bindings under way at once; more wait in the bounded queue.
DECIDED_MAX = 4_096  # Decisions not yet bound; at the bound, deciding waits.
DECISIONS_PER_TURN = 64  # Then the loop serves others: about 10 ms.

log = Logger("scheduler")

# (pod, event type, reason, message)
Emit = Callable[[PodInfo, str, str, str], None]


class Scheduler:
    def __init__(
        self,
        client: Client,
        profile: Profile,
        facts: VolumeFacts,
        *,
        clock: Clock,
        rng: random.Random,
        emit: Emit,
    ) -> None:
        self._client = client
        self._profile = profile
        self._facts = facts
        self._clock = clock
        self._emit = emit
        self._classes = PodClasses()
        self._snapshot = Snapshot()
        self._cycle = Cycle(profile, rng)
        self._queue = SchedulingQueue(profile.queue_sort.sort_key, profile.may_help)
        self._counted: dict[str, PodInfo] = {}  # uid -> the pod as the snapshot counts it.
        self._assumed: dict[str, PodInfo] = {}  # Counted, but not yet seen bound.
        self._said: dict[str, str] = {}  # uid -> the last message in its condition.
        self._wake = asyncio.Event()
        self._decided: asyncio.Queue[tuple[PodInfo, Chosen | Unschedulable, float]] = asyncio.Queue(
            DECIDED_MAX
        )
        self._applies: dict[Resource, Callable[[Change], None]] = {
            NODES: self._apply_node,
            PODS: self._apply_pod,
            NAMESPACES: self._apply_namespace,
            **{kind: partial(self._apply_storage, kind.key) for kind in KINDS},
        }
        self._synced = {resource.key: False for resource in self._applies}
        self._metrics = SchedulingMetrics(profile.scheduler_name)

    def families(self) -> Sequence[Family]:
        counted, assumed, nodes = self._counted, self._assumed, self._snapshot.nodes
        return self._metrics.families(
            lambda: self._queue.counts, lambda: (len(nodes), len(counted), len(assumed))
        )

    async def run(self) -> None:
        """Schedule until cancelled."""
        await supervise(
            *(self._follow(resource) for resource in self._applies),
            self._decide_forever(),
            *(self._tell_forever() for _ in range(BINDINGS_MAX)),
        )

    async def _follow(self, resource: Resource) -> None:
        apply = self._applies[resource]
        async for batch in self._client.watch(resource):
            for change in batch:
                apply(change)
            self._synced[resource.key] = True
            self._wake.set()

    # What the API says.

    def _apply_node(self, change: Change) -> None:
        now = self._clock.monotonic()
        match change:
            case Reset(objects=nodes):
                names = {node.name for node in nodes}
                for name in sorted(self._snapshot.nodes.keys() - names):
                    self._snapshot.drop_node(name)
                for node in nodes:
                    self._put_node(node, now)
            case Put(object=node):
                self._put_node(node, now)
            case Gone(object=node):
                self._snapshot.drop_node(node.name)

    def _put_node(self, node: Object, now: float) -> None:
        if self._snapshot.put_node(node_info(node)):
            self._queue.changed("node", now)
        node.forget()

    def _apply_namespace(self, change: Change) -> None:
        """Only labels matter: selectors of namespaces in rules about other pods."""
        known = self._snapshot.namespaces
        match change:
            case Reset(objects=namespaces):
                known.clear()
                known.update({found.name: found.labels for found in namespaces})
            case Put(object=found):
                known[found.name] = found.labels
            case Gone(object=found):
                known.pop(found.name, None)
        self._queue.changed("assigned", self._clock.monotonic())

    def _apply_storage(self, key: str, change: Change) -> None:
        self._facts.apply(key, change)
        self._queue.changed("volume", self._clock.monotonic())

    def _apply_pod(self, change: Change) -> None:
        match change:
            case Reset(objects=pods):
                uids = {pod.uid for pod in pods}
                known = (*self._counted.values(), *self._queue.waiting())
                for gone in [pod for pod in known if pod.uid not in uids]:
                    self._forget(gone)
                for pod in pods:
                    self._put_pod(pod)
            case Put(object=pod):
                self._put_pod(pod)
            case Gone(object=pod):
                self._forget(self._classes.info(pod))
                pod.forget()

    def _put_pod(self, pod: Object) -> None:
        info = self._classes.info(pod)
        pod.forget()
        if info.finished:
            self._forget(info)
        elif info.node:
            self._queue.drop(info.uid)
            self._said.pop(info.uid, None)
            self._assumed.pop(info.uid, None)
            self._count(info)
        elif info.uid in self._assumed or info.deleting or info.gated:
            if info.uid not in self._assumed:
                self._queue.drop(info.uid)
        elif info.kind.scheduler_name == self._profile.scheduler_name:
            self._queue.add(info, self._clock.monotonic())

    def _count(self, pod: PodInfo) -> None:
        counted = self._counted.get(pod.uid)
        if counted is not None:
            if (counted.node, counted.deleting) == (pod.node, pod.deleting) and (
                counted.sort is pod.sort
            ):
                return
            self._snapshot.drop_pod(counted)
        self._counted[pod.uid] = pod
        self._snapshot.add_pod(pod)
        self._queue.changed("assigned", self._clock.monotonic())

    def _forget(self, pod: PodInfo) -> None:
        self._queue.drop(pod.uid)
        self._said.pop(pod.uid, None)
        self._assumed.pop(pod.uid, None)
        counted = self._counted.pop(pod.uid, None)
        if counted is not None:
            self._snapshot.drop_pod(counted)
            self._queue.changed("pod", self._clock.monotonic())

    # Decisions.

    async def _decide_forever(self) -> None:
        while True:
            await self._wait_for_work()
            if not all(self._synced.values()):
                continue
            for _ in range(DECISIONS_PER_TURN):
                pod = self._queue.pop(self._clock.monotonic())
                if pod is None:
                    break
                began = self._clock.monotonic()
                decision = self._decide(pod)
                self._metrics.decisions.observe(self._clock.monotonic() - began)
                await self._decided.put((pod, decision, began))
            await asyncio.sleep(0)

    async def _wait_for_work(self) -> None:
        now = self._clock.monotonic()
        at = self._queue.next_at(now) if all(self._synced.values()) else None
        if at is not None and at <= now:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(None if at is None else at - now):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _decide(self, pod: PodInfo) -> Chosen | Unschedulable:
        decision = self._cycle.decide(pod, self._snapshot)
        if isinstance(decision, Chosen):
            pod.node = decision.node
            self._assumed[pod.uid] = pod
            self._count(pod)
            for plugin in self._profile.reserves:
                plugin.reserve(pod, decision.node)
        else:
            self._queue.park(pod, decision.plugins, self._clock.monotonic())
        return decision

    # Telling the API.

    async def _tell_forever(self) -> None:
        while True:
            pod, decision, began = await self._decided.get()
            try:
                if isinstance(decision, Chosen):
                    await self._bind(pod, decision.node, began)
                else:
                    self._metrics.attempted("unschedulable", self._clock.monotonic() - began)
                    await self._say_unschedulable(pod, decision)
            except errors.Error as error:
                log.warning("telling the API failed", pod=pod.key, why=error.message)

    async def _bind(self, pod: PodInfo, node: str, began: float) -> None:
        try:
            for plugin in self._profile.binds:
                await plugin.bind(pod, node)
        except NotYet:
            self._take_back(pod, node)
            return
        except errors.Error as error:
            self._metrics.attempted("error", self._clock.monotonic() - began)
            self._take_back(pod, node)
            if error.code != 404:  # Gone meanwhile is no failure worth an event.
                why = f"running Bind plugin {plugin.name!r}: {error.message}"
                self._emit(pod, "Warning", "FailedScheduling", why)
            return
        now = self._clock.monotonic()
        self._metrics.attempted("scheduled", now - began)
        self._metrics.placed(pod.attempts, now - pod.queued_at)
        self._queue.drop(pod.uid)
        message = f"Successfully assigned {pod.key} to {node}"
        self._emit(pod, "Normal", "Scheduled", message)

    def _take_back(self, pod: PodInfo, node: str) -> None:
        for plugin in self._profile.reserves:
            plugin.unreserve(pod, node)
        if self._assumed.pop(pod.uid, None) is None:
            return  # Seen bound, or gone: what the API said stands.
        counted = self._counted.pop(pod.uid, None)
        if counted is not None:
            self._snapshot.drop_pod(counted)
        pod.node = ""
        self._queue.retry(pod, self._clock.monotonic())
        self._wake.set()

    async def _say_unschedulable(self, pod: PodInfo, why: Unschedulable) -> None:
        condition: Json = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": why.message,
            "lastProbeTime": None,
            "lastTransitionTime": format_time(self._clock.now()),
        }
        self._emit(pod, "Warning", "FailedScheduling", why.message)
        if self._said.get(pod.uid) == why.message or pod.uid not in self._queue:
            return
        self._said[pod.uid] = why.message
        await self._client.patch(
            PODS,
            pod.name,
            {"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}},
            namespace=pod.namespace,
            kind="strategic",
            subresource="status",
        )

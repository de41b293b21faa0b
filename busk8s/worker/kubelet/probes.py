"""All probes of a node: one heap of due times, one task that waits for the next.

Owns      which containers are probed, their probe states, when each probe is due.
Leaves    thresholds (probe_state.py), asking (probers.py), what a verdict leads to (plan).
Bound     IN_FLIGHT_MAX questions at once; the others come late, none is lost.
Invariant liveness and readiness begin only after the startup probe has passed.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from busk8s.clock import Clock
from busk8s.metrics import Counter
from busk8s.tasks import Nursery
from busk8s.worker.kubelet.plan import Health
from busk8s.worker.kubelet.pods import ContainerSpec, Pod
from busk8s.worker.kubelet.probe_state import (
    ProbeKind,
    ProbeSpec,
    ProbeState,
    failed_for_good,
    initial,
    parse_probe,
    step,
)
from busk8s.worker.kubelet.probers import Answer, ask
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.runtime.base import Runtime, RuntimeFailure

RESULT_LABELS = ("container", "namespace", "pod", "pod_uid", "probe_type", "result")
IN_FLIGHT_MAX = 32
KINDS: tuple[ProbeKind, ...] = ("startup", "liveness", "readiness")

OnFailure = Callable[[Pod, ContainerSpec, ProbeKind, str], None]


@dataclass(slots=True)
class _Probed:
    """One running container and its probes."""

    pod: Pod
    spec: ContainerSpec
    container_id: str
    ip: str
    since: float
    probes: dict[ProbeKind, ProbeSpec]
    states: dict[ProbeKind, ProbeState] = field(default_factory=dict)

    @property
    def started(self) -> bool:
        return "startup" not in self.probes or self.states["startup"].passed

    def health(self) -> Health:
        startup, live = self.probes.get("startup"), self.probes.get("liveness")
        if startup is not None and failed_for_good(startup, self.states["startup"]):
            return Health(False, False, False, "startup", startup.grace_s)
        ready = self.states["readiness"].passed if "readiness" in self.probes else True
        if live is not None and not self.states["liveness"].passed:
            return Health(self.started, False, ready, "liveness", live.grace_s)
        return Health(self.started, True, ready and self.started)


class Probes:
    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        on_verdict: Callable[[str], None],
        on_failure: OnFailure,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._on_verdict = on_verdict
        self._on_failure = on_failure
        self._probed: dict[str, _Probed] = {}
        self._of_pod: dict[str, dict[str, None]] = {}
        self._due: list[tuple[float, int, str, ProbeKind]] = []
        self._count = 0
        self._changed = asyncio.Event()
        self._free = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._counted: dict[str, bool] = {}  # Pods that have results.
        self.results = Counter("prober_probe_total", "Probes by what they found.", RESULT_LABELS)

    def watch(self, pod: Pod, state: PodState, ip: str) -> None:
        """Probe what runs of `pod` and has probes; forget what does not run any more."""
        known = self._of_pod.get(pod.uid, {})
        wanted = self._wanted(pod, state)
        if not known and not wanted:
            return
        for container_id in [c for c in known if c not in wanted]:
            del self._probed[container_id], known[container_id]
        for container_id, (spec, started_at) in wanted.items():
            if container_id not in known:
                self._add(pod, spec, container_id, ip, started_at)
            else:
                self._probed[container_id].pod = pod
        if not self._of_pod.get(pod.uid):
            self._of_pod.pop(pod.uid, None)

    def forget(self, uid: str) -> None:
        if self._counted.pop(uid, False):
            self.results.forget("pod_uid", uid)
        for container_id in self._of_pod.pop(uid, {}):
            del self._probed[container_id]

    def health(self, uid: str) -> Mapping[str, Health]:
        return {c: self._probed[c].health() for c in self._of_pod.get(uid, ())}

    async def run(self) -> None:
        async with Nursery() as nursery:
            while True:
                wait_s = self._next_s()
                if wait_s is None or wait_s > 0:
                    await self._sleep(wait_s)
                    continue
                _due, _count, container_id, kind = heapq.heappop(self._due)
                probed = self._probed.get(container_id)
                if probed is None or not self._wanted_now(probed, kind):
                    continue
                await self._free.acquire()
                nursery.spawn(self._probe(probed, kind), name=f"{kind} {probed.pod.key}")

    def _wanted(self, pod: Pod, state: PodState) -> dict[str, tuple[ContainerSpec, float]]:
        found: dict[str, tuple[ContainerSpec, float]] = {}
        for spec in (*pod.containers, *(s for s in pod.init if s.sidecar)):
            if not any(spec.probe(kind) for kind in KINDS):
                continue
            newest = state.latest(spec.name)
            if newest is not None and newest.state == "running":
                found[newest.id] = (spec, newest.started_at)
        return found

    def _add(
        self, pod: Pod, spec: ContainerSpec, container_id: str, ip: str, started_at: float
    ) -> None:
        raws = {kind: spec.probe(kind) for kind in KINDS}
        probes = {kind: parse_probe(kind, raw) for kind, raw in raws.items() if raw}
        # `since` on the monotonic clock: an adopted container has been up for a while.
        since = self._clock.monotonic() - max(0.0, self._clock.now() - started_at)
        probed = _Probed(pod, spec, container_id, ip, since, probes)
        probed.states = {kind: initial(kind) for kind in probes}
        self._probed[container_id] = probed
        self._of_pod.setdefault(pod.uid, {})[container_id] = None
        for kind in probes:
            if kind == "startup" or "startup" not in probes:
                self._schedule(probed, kind, first=True)

    def _schedule(self, probed: _Probed, kind: ProbeKind, *, first: bool = False) -> None:
        now = self._clock.monotonic()
        spec = probed.probes[kind]
        due = now + spec.period_s
        if first:
            due = max(now, probed.since + spec.initial_delay_s)
        self._count += 1
        heapq.heappush(self._due, (due, self._count, probed.container_id, kind))
        self._changed.set()

    def _wanted_now(self, probed: _Probed, kind: ProbeKind) -> bool:
        return probed.started != (kind == "startup")

    def _next_s(self) -> float | None:
        return self._due[0][0] - self._clock.monotonic() if self._due else None

    async def _sleep(self, wait_s: float | None) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()

    async def _probe(self, probed: _Probed, kind: ProbeKind) -> None:
        spec = probed.probes[kind]
        try:
            try:
                answer = await ask(
                    spec.raw, probed.spec, probed.container_id, probed.ip, self._runtime,
                    limit_s=spec.timeout_s,
                )  # fmt: skip
            except (RuntimeFailure, OSError, ValueError) as error:
                answer = Answer(False, str(error))
        finally:
            self._free.release()
        if self._probed.get(probed.container_id) is not probed:
            return
        self._settle(probed, kind, answer)
        if self._wanted_now(probed, kind):
            self._schedule(probed, kind)

    def _settle(self, probed: _Probed, kind: ProbeKind, answer: Answer) -> None:
        before = probed.health()
        spec = probed.probes[kind]
        probed.states[kind] = step(spec, probed.states[kind], answer.ok)
        self._counted[probed.pod.uid] = True
        pod, result = probed.pod, "successful" if answer.ok else "failed"
        self.results.inc(
            (probed.spec.name, pod.namespace, pod.name, pod.uid, kind.capitalize(), result)
        )
        if not answer.ok:
            self._on_failure(probed.pod, probed.spec, kind, answer.output)
        if kind == "startup" and probed.started:
            for other in probed.probes:
                if other != "startup":
                    self._schedule(probed, other, first=True)
        if probed.health() != before:
            self._on_verdict(probed.pod.uid)

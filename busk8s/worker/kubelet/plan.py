"""What to do next for one pod: the kubelet's decisions, and nothing else.

Owns      the order of sandbox, init, sidecar, regular and ephemeral containers; restarts;
          termination.
Leaves    doing it (pod_worker), reporting it (status), when to look (pleg, probes).
Invariant pure and level-based: the same situation gives the same plan, and a plan that has been
          carried out is followed by an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from busk8s.worker.kubelet.backoff import BackOff, remaining_s, render_delay
from busk8s.worker.kubelet.pods import ContainerSpec, Pod, restarts
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.kubelet.resize import Pending, differences, restarts_for
from busk8s.worker.kubelet.resources import limits_of
from busk8s.worker.kubelet.runs import Run, last_run
from busk8s.worker.runtime.base import Limits

SIDECAR_GRACE_MIN_S = 2.0  # As upstream: who waited for the others still gets a moment.


@dataclass(frozen=True, slots=True)
class RunSandbox:
    attempt: int


@dataclass(frozen=True, slots=True)
class StartContainer:
    """`ended_at`: when the run that this one follows ended; None for the first."""

    name: str
    attempt: int
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class KillContainer:
    """`resized`: it runs again with other resources, whatever its exit code says."""

    container_id: str
    name: str
    grace_s: float
    message: str
    resized: bool = False


@dataclass(frozen=True, slots=True)
class ResizeContainer:
    container_id: str
    name: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    container_id: str


@dataclass(frozen=True, slots=True)
class StopSandbox:
    """Its containers end with it, its network is given back; its traces stay for the logs."""

    sandbox_id: str


@dataclass(frozen=True, slots=True)
class RemoveSandbox:
    sandbox_id: str


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    """The pod's volumes and logs."""


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Tell the API that nothing of the pod is left here."""


Action = (
    RunSandbox
    | StartContainer
    | KillContainer
    | ResizeContainer
    | RemoveContainer
    | StopSandbox
    | RemoveSandbox
    | RemoveFiles
    | DeletePod
)


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes say of one running container."""

    started: bool = True
    live: bool = True
    ready: bool = True
    failed: str = ""  # which probe asks for the restart: liveness or startup
    grace_s: float | None = None


HEALTHY = Health()


@dataclass(frozen=True, slots=True)
class Failure:
    """A start that did not work out; shown as the waiting reason until `retry_at`."""

    reason: str
    message: str
    retry_at: float


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the whole pod failed, whatever its containers did."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a plan may look at.

    `health` and `stopping` go by container id, `backoff` and `failures` by container name
    (a sandbox that could not be made is under ""). `stopping` maps to the time of the SIGKILL.
    `pod` has the resources that it was given here; `pending`: why it was not given what it asks
    for. `not_resized`, by container name, is why a running container could not be resized;
    `resized` are ids of containers that were killed to run again with other resources.
    `reported`: the API has the pod's final status. `vanished`: the API has no such pod any more.
    """

    pod: Pod
    state: PodState
    health: Mapping[str, Health] = field(default_factory=dict)
    backoff: Mapping[str, BackOff] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    stopping: Mapping[str, float] = field(default_factory=dict)
    hooking: frozenset[str] = frozenset()
    verdict: Verdict | None = None
    started_at: float = 0.0
    terminating_since: float | None = None
    pending: Pending | None = None
    not_resized: Mapping[str, Failure] = field(default_factory=dict)
    resized: frozenset[str] = frozenset()
    reported: bool = False
    vanished: bool = False
    removed: bool = False  # no files are left
    deleted: bool = False  # the final DELETE has been sent


@dataclass(frozen=True, slots=True)
class Plan:
    """`terminal`: nothing runs and nothing will; the phase is final."""

    actions: tuple[Action, ...] = ()
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    look_again_s: float | None = None
    verdict: Verdict | None = None
    terminal: bool = False


DEADLINE_EXCEEDED = Verdict(
    "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
)


def plan(now: float, seen: Situation) -> Plan:
    """What to do next for the pod, and when to look again if nothing happens before."""
    if seen.pod.deleting or seen.vanished or seen.pod.finished or seen.verdict is not None:
        return _terminate(now, seen)
    left = _deadline_left_s(now, seen)
    if left is not None and left <= 0:
        return Plan(verdict=DEADLINE_EXCEEDED, look_again_s=0.0)
    draft = _Draft(now, seen, look_again_s=left)
    draft.decide()
    return draft.plan()


def _deadline_left_s(now: float, seen: Situation) -> float | None:
    if seen.pod.deadline_s is None or not seen.started_at:
        return None
    return seen.started_at + seen.pod.deadline_s - now


def _terminate(now: float, seen: Situation) -> Plan:
    kills = _kills_in_order(now, seen)
    if kills or seen.state.running:
        return Plan(tuple(kills))
    up = [sandbox for sandbox in seen.state.sandboxes if sandbox.state == "ready"]
    if up:
        return Plan(tuple(StopSandbox(sandbox.id) for sandbox in up))
    return Plan(tuple(_farewell(seen)), terminal=True)


def _kills_in_order(now: float, seen: Situation) -> list[Action]:
    """Regular and init containers at once; sidecars after them, last one first."""
    sidecars = [spec.name for spec in seen.pod.init if spec.sidecar]
    running = [c for c in seen.state.running if _kept(seen, c.sandbox_id)]
    first = [c for c in running if c.config.name not in sidecars]
    grace_s = seen.pod.grace_s
    if not first and running:
        last = max(sidecars.index(c.config.name) for c in running)
        first = [c for c in running if c.config.name == sidecars[last]]
        if seen.terminating_since is not None:
            spent = now - seen.terminating_since
            grace_s = max(min(SIDECAR_GRACE_MIN_S, grace_s), grace_s - spent)
    return [
        KillContainer(c.id, c.config.name, grace_s, f"Stopping container {c.config.name}")
        for c in sorted(first, key=lambda c: c.config.name)
        if _may_shorten(seen.stopping.get(c.id), now + grace_s)
    ]


def _kept(seen: Situation, sandbox_id: str) -> bool:
    return any(sandbox.id == sandbox_id for sandbox in seen.state.sandboxes)


def _may_shorten(deadline: float | None, wanted: float) -> bool:
    return deadline is None or wanted < deadline - 0.5


def _farewell(seen: Situation) -> list[Action]:
    """What a pod that ended leaves behind, once the API knows how it ended."""
    if seen.deleted or not (seen.vanished or (seen.pod.deleting and seen.reported)):
        return []
    gone: list[Action] = [RemoveSandbox(sandbox.id) for sandbox in seen.state.sandboxes]
    if not seen.removed:
        gone.append(RemoveFiles())
    if not seen.vanished:
        gone.append(DeletePod())
    return gone


class _Draft:
    """One plan being put together, for a pod that should run."""

    def __init__(self, now: float, seen: Situation, *, look_again_s: float | None) -> None:
        self.now = now
        self.seen = seen
        self.pod = seen.pod
        self.actions: list[Action] = []
        self.waiting: dict[str, Waiting] = {}
        self.look_again_s = look_again_s
        sandbox = seen.state.ready_sandbox
        self.sandbox_id = sandbox.id if sandbox is not None else ""
        self.runs = {
            spec.name: last_run(self.pod, seen.state, spec.name)
            for spec in (*self.pod.init, *self.pod.containers, *self.pod.ephemeral)
        }

    def plan(self) -> Plan:
        terminal = not self.actions and not self.sandbox_id and self._ended()
        return Plan(tuple(self.actions), self.waiting, self.look_again_s, None, terminal)

    def decide(self) -> None:
        if self._ended():
            self._wind_up()
            return
        if not self.sandbox_id and not self._new_sandbox():
            return
        if self.seen.state.ready_sandbox is not None:
            self._ephemeral()
        if self._init_done():
            self._regular()

    def _ended(self) -> bool:
        """All regular containers are through, or an init container failed for good."""
        return all(self._through(spec) for spec in self.pod.containers) or self._init_failed()

    def _through(self, spec: ContainerSpec) -> bool:
        run = self.runs[spec.name]
        if run is None or run.state != "exited" or run.container_id in self.seen.resized:
            return False
        return not restarts(spec, run.exit_code)

    def _init_failed(self) -> bool:
        return any(
            self._through(spec) and run is not None and run.exit_code != 0
            for spec in self.pod.init
            if not spec.sidecar
            for run in (self.runs[spec.name],)
        )

    def _wind_up(self) -> None:
        """The work is done: sidecars go, then the sandbox; what there is to read stays."""
        kills = _kills_in_order(self.now, self.seen)
        self.actions += kills
        if not kills and not self.seen.state.running:
            self.actions += [StopSandbox(s.id) for s in self.seen.state.sandboxes if _up(s.state)]

    def _new_sandbox(self) -> bool:
        failure = self.seen.failures.get("")
        if failure is not None and failure.retry_at > self.now:
            self._look_again(failure.retry_at - self.now)
            return False
        old = self.seen.state.sandboxes
        busy = {c.sandbox_id for c in self.seen.state.running}
        self.actions += [StopSandbox(s.id) for s in old if s.id in busy]
        self.actions.append(RunSandbox(old[0].config.attempt + 1 if old else 0))
        return True

    def _init_done(self) -> bool:
        """Take the init containers one step further; True once regular ones may run."""
        begun = any(self._here(self.runs[spec.name]) for spec in self.pod.containers)
        for spec in self.pod.init:
            run = self.runs[spec.name]
            if spec.sidecar:
                if not self._sidecar(spec, run) and not begun:
                    return False
            elif not begun and not self._plain_init(spec, run):
                return False
        return True

    def _plain_init(self, spec: ContainerSpec, run: Run | None) -> bool:
        if self._here(run):
            assert run is not None
            if run.state == "running":
                return False
            if run.state == "exited" and run.exit_code == 0:
                return True
        self._start(spec, run)
        return False

    def _sidecar(self, spec: ContainerSpec, run: Run | None) -> bool:
        """True once it has started, so that what comes after it may start."""
        if not self._here(run) or run is None or run.state != "running":
            self._start(spec, run)
            return False
        if self._kill_if_sick(spec, run):
            return False
        health = self.seen.health.get(run.container_id, HEALTHY)
        return health.started and run.container_id not in self.seen.hooking

    def _regular(self) -> None:
        for spec in self.pod.containers:
            run = self.runs[spec.name]
            if self._here(run) and run is not None and run.state == "running":
                self._kill_if_sick(spec, run)
            elif not self._through(spec):
                if self._hook_pending():
                    return
                self._start(spec, run)

    def _ephemeral(self) -> None:
        """Whatever the others are at; what ran once, in whatever sandbox, never runs again."""
        for spec in self.pod.ephemeral:
            run = self.runs[spec.name]
            if run is None or run.state == "created":
                self._start(spec, run)

    def _hook_pending(self) -> bool:
        """Upstream starts the next container only after the postStart hook of the one before."""
        if self.seen.hooking:
            return True
        started = [a.name for a in self.actions if isinstance(a, StartContainer)]
        specs = [spec for spec in self.pod.containers if spec.name in started]
        return any(spec.post_start for spec in specs)

    def _here(self, run: Run | None) -> bool:
        return run is not None and bool(self.sandbox_id) and run.sandbox_id == self.sandbox_id

    def _kill_if_sick(self, spec: ContainerSpec, run: Run) -> bool:
        health = self.seen.health.get(run.container_id, HEALTHY)
        grace_s, resized = self.pod.grace_s, False
        if run.hash and run.hash != spec.hash:
            message = f"Container {spec.name} definition changed, will be restarted"
        elif not health.live:
            message = f"Container {spec.name} failed {health.failed} probe, will be restarted"
            grace_s = health.grace_s if health.grace_s is not None else grace_s
        elif resized := self._resize(spec, run):
            message = f"Container {spec.name} resize requires restart"
        else:
            return False
        if run.container_id not in self.seen.stopping:
            kill = KillContainer(run.container_id, spec.name, grace_s, message, resized)
            self.actions.append(kill)
        return True

    def _resize(self, spec: ContainerSpec, run: Run) -> bool:
        """Give a running container its resources; True where only a restart can."""
        container = self.seen.state.latest(spec.name)
        wanted = limits_of(spec.raw)
        if container is None or not (changed := differences(container.config.limits, wanted)):
            return False
        if restarts_for(spec, changed):
            return True
        failure = self.seen.not_resized.get(spec.name)
        if failure is not None and failure.retry_at > self.now:
            self._look_again(failure.retry_at - self.now)
        elif run.container_id not in self.seen.stopping:
            self.actions.append(ResizeContainer(run.container_id, spec.name, wanted))
        return False

    def _start(self, spec: ContainerSpec, run: Run | None) -> None:
        """Start, or say why not yet."""
        failure = self.seen.failures.get(spec.name)
        if failure is not None and failure.retry_at > self.now:
            self.waiting[spec.name] = Waiting(failure.reason, failure.message)
            self._look_again(failure.retry_at - self.now)
            return
        if run is None:
            self.actions.append(StartContainer(spec.name, 0))
            return
        if run.state == "created":
            # Whoever made it was stopped before starting it; its configuration may be outdated.
            self.actions.append(RemoveContainer(run.container_id))
            self.actions.append(StartContainer(spec.name, run.attempt))
            return
        self._restart(spec, run)

    def _restart(self, spec: ContainerSpec, run: Run) -> None:
        entry = self.seen.backoff.get(spec.name)
        wait = remaining_s(entry, run.finished_at, self.now)
        if wait > 0 and self._here(run):
            assert entry is not None
            message = (
                f"back-off {render_delay(entry.delay_s)} restarting failed container={spec.name} "
                f"pod={self.pod.name}_{self.pod.namespace}({self.pod.uid})"
            )
            self.waiting[spec.name] = Waiting("CrashLoopBackOff", message)
            self._look_again(wait)
            return
        self.actions.append(StartContainer(spec.name, run.attempt + 1, run.finished_at))

    def _look_again(self, seconds: float) -> None:
        known = self.look_again_s
        self.look_again_s = seconds if known is None else min(known, seconds)


def _up(state: str) -> bool:
    return state == "ready"

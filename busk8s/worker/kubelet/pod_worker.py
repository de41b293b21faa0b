"""One worker a pod: observe, plan, perform, report; until the pod is gone from API and runtime.

Owns      the loop, and the facts about this pod that no listing shows (Progress, verdict).
Leaves    decisions (plan), calls (perform), words (status).
Invariant an error here is retried here; other pods never notice.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from busk8s.api.object import Json
from busk8s.errors import Error
from busk8s.log import Logger
from busk8s.tasks import Nursery
from busk8s.worker.kubelet.admit import Claim, not_enforced
from busk8s.worker.kubelet.allocation import Allocation
from busk8s.worker.kubelet.conditions import OURS
from busk8s.worker.kubelet.events import pod_reference
from busk8s.worker.kubelet.parts import Parts
from busk8s.worker.kubelet.payload import VolumeError
from busk8s.worker.kubelet.perform import Performer, Progress
from busk8s.worker.kubelet.plan import Plan, Situation, Verdict, plan
from busk8s.worker.kubelet.pods import Pod, parse_time
from busk8s.worker.kubelet.references import references
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.kubelet.status import pod_ip, pod_status
from busk8s.worker.runtime.base import RuntimeFailure

RETRY_MIN_S = 1.0
RETRY_MAX_S = 60.0
DEFERRED_RETRY_S = 5.0  # A resize that found no room: others may have gone since.
OVERTAKE_S = 1.0  # A status from before some actions waits so long for the one after them.

log = Logger("kubelet.pod")


class PodWorker:
    def __init__(self, parts: Parts, pod: Pod) -> None:
        self._parts = parts
        self._pod = self._as_known_here(pod)
        self._progress = Progress()
        self._verdict: Verdict | None = None
        self._admitted = False
        self._allocation = Allocation(pod)
        self._vanished = False
        self._started_at = parse_time(pod.status.get("startTime"))
        self._acted_at = float("-inf")
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._retry_s = RETRY_MIN_S
        self._backing_off: dict[str, str] = {}
        self._refresh = False
        self._sources = self._sources_now()
        self._wake.set()

    @property
    def pod(self) -> Pod:
        return self._pod

    @property
    def claim(self) -> Claim:
        return self._allocation.claim

    @property
    def admitted(self) -> bool:
        """It holds its share of the node: let in, and not ended."""
        ended = self._verdict is not None or self._pod.finished
        return self._admitted and not ended

    def wake(self) -> None:
        self._wake.set()

    def _acted(self) -> None:
        """Something of ours took effect just now: older listings say nothing about it."""
        self._acted_at = self._parts.clock.monotonic()
        self.wake()

    def update(self, pod: Pod) -> None:
        """A new version of the pod, or of something it refers to."""
        old, self._pod = self._pod, self._as_known_here(pod)
        pod = self._pod
        sources = self._sources_now()
        if sources != self._sources:
            self._sources = sources
            self._refresh = True
            self.retry("CreateContainerConfigError")
        elif old.raw is pod.raw or not _only_status_changed(old, pod):
            self.wake()

    def _as_known_here(self, pod: Pod) -> Pod:
        """That it ended here counts, even before the API has heard of it."""
        latest = self._parts.writer.latest(pod.uid)
        if latest is not None and self._final(latest) and not pod.finished:
            return replace(pod, status=latest)
        return pod

    def retry(self, reason: str) -> None:
        """What caused failures of this kind is different now: do not wait any longer."""
        failures = self._progress.failures
        for name in [name for name, failure in failures.items() if failure.reason == reason]:
            del failures[name]
        self.wake()

    def _sources_now(self) -> tuple[object, ...]:
        """Changes when a volume or an environment may have to."""
        get = self._parts.view.get
        found = [get(*reference) for reference in sorted(references(self._pod))]
        metadata = self._pod.metadata
        revisions = [obj.revision if obj is not None else 0 for obj in found]
        return (*revisions, metadata.get("labels"), metadata.get("annotations"))

    def vanish(self) -> None:
        """The API has no such pod any more: stop it, and leave no trace."""
        self._vanished = True
        self.wake()

    async def run(self) -> None:
        """Ends when the pod has vanished and nothing of it is left."""
        async with Nursery(on_error=self._child_failed) as nursery:
            performer = Performer(self._parts, self._progress, nursery, self._acted)
            try:
                while not await self._turn(performer):
                    await self._wake.wait()
                    self._wake.clear()
            finally:
                self._set_timer(None)

    async def _turn(self, performer: Performer) -> bool:
        """Act until there is nothing to do; True when the pod is no more."""
        try:
            while True:
                state = await self._parts.pleg.observe(self._pod.uid, self._acted_at)
                if not await self._step(performer, state):
                    self._retry_s = RETRY_MIN_S
                    return self._vanished and not state.sandboxes
        except (Error, RuntimeFailure, OSError, VolumeError) as error:
            log.warning("pod not synced, will retry", pod=self._pod.key, error=error)
            about = pod_reference(self._pod)
            if isinstance(error, VolumeError):
                self._parts.recorder.event(about, "Warning", "FailedMount", str(error))
            else:
                self._parts.recorder.event(about, "Warning", "FailedSync", f"Error: {error}")
            self._acted_at = self._parts.clock.monotonic()
            self._set_timer(self._retry_s)
            self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)
            return False

    async def _step(self, performer: Performer, state: PodState) -> bool:
        """One plan; True when something was done and another look is due."""
        now = self._parts.clock.now()
        self._admit(now, state)
        self._allocate()
        await self._refresh_volumes(state)
        seen = self._situation(state)
        self._parts.probes.watch(self._pod, state, pod_ip(seen, self._parts.host))
        step = plan(now, seen)
        if step.verdict is not None:
            self._verdict = step.verdict
            about = pod_reference(self._pod)
            self._parts.recorder.event(about, "Normal", step.verdict.reason, step.verdict.message)
            return True
        self._note_backoff(step)
        self._report(now, seen, step)
        self._set_timer(self._sooner(step.look_again_s))
        if not step.actions:
            return False
        await performer.perform(seen.pod, state, step.actions)
        self._acted_at = self._parts.clock.monotonic()
        return True

    def _admit(self, now: float, state: PodState) -> None:
        if self._admitted:
            return
        self._admitted = True
        self._started_at = self._started_at or now
        if state.sandboxes or self._pod.finished or self._pod.deleting:
            return  # It was admitted by an earlier kubelet, or will never run.
        self._say_what_is_left_out()
        refusal = self._parts.admit(self._pod)
        if refusal is not None:
            self._verdict = Verdict(*refusal)
            self._parts.recorder.event(pod_reference(self._pod), "Warning", refusal[0], refusal[1])

    def _allocate(self) -> None:
        """What the pod asks for is given to it when there is room."""
        pod, allocation = self._pod, self._allocation
        if pod.deleting or self._vanished or not self.admitted:
            return
        before = allocation.pending
        allocation.follow(pod, partial(self._parts.judge, pod.uid))
        pending = allocation.pending
        if pending is not None and pending != before:
            about, reason = pod_reference(pod), f"Resize{pending.reason}"
            self._parts.recorder.event(about, "Warning", reason, pending.message)

    def _say_what_is_left_out(self) -> None:
        pod, record = self._pod, self._parts.recorder.event
        runtime = self._parts.runtime
        if runtime.name == "process" and (fields := not_enforced(pod, runtime.unenforced_limits())):
            text = f"the process runtime does not enforce: {', '.join(fields)}"
            record(pod_reference(pod), "Warning", "NotEnforced", text)

    async def _refresh_volumes(self, state: PodState) -> None:
        """Files of running containers follow their sources; a new start prepares them anyway."""
        sandbox = state.ready_sandbox
        due = self._refresh or self._parts.tokens.due_in_s(self._pod) == 0.0
        if not due or sandbox is None or self._pod.deleting or self._vanished:
            return
        self._refresh = False
        host = self._parts.host
        ip = sandbox.ip or (host.ips[0] if host.ips else "")
        try:
            await self._parts.prepare(self._pod, replace(self._parts.facts, pod_ip=ip))
        except VolumeError as error:
            about = pod_reference(self._pod)
            self._parts.recorder.event(about, "Warning", "FailedMount", str(error))

    def _situation(self, state: PodState) -> Situation:
        progress = self._progress
        pod = self._allocation.applied(self._pod)
        ending = pod.deleting or self._vanished or self._verdict is not None
        if ending and progress.terminating_since is None:
            progress.terminating_since = self._parts.clock.now()
        latest = self._parts.writer.latest(pod.uid)
        reported = latest is not None and self._final(latest)
        return Situation(
            pod=pod,
            state=state,
            health=self._parts.probes.health(pod.uid),
            backoff=progress.backoff,
            failures=progress.failures,
            stopping=progress.stopping,
            hooking=frozenset(progress.hooking),
            verdict=self._verdict,
            started_at=self._started_at,
            pending=self._allocation.pending,
            not_resized=progress.not_resized,
            resized=frozenset(progress.resized),
            terminating_since=progress.terminating_since,
            reported=reported and self._parts.writer.written(pod.uid, latest or {}),
            vanished=self._vanished,
            removed=progress.removed,
            deleted=progress.deleted,
        )

    @staticmethod
    def _final(status: Json) -> bool:
        return status.get("phase") in ("Succeeded", "Failed")

    def _report(self, now: float, seen: Situation, step: Plan) -> None:
        if self._vanished:
            self._parts.writer.forget(self._pod.uid)
            return
        status = pod_status(now, seen, step, self._old_status(), self._parts.host)
        self._parts.writer.submit(self._pod, status, delay_s=OVERTAKE_S if step.actions else 0.0)

    def _old_status(self) -> Json:
        """The last status of ours, with the conditions that others have set since."""
        latest = self._parts.writer.latest(self._pod.uid)
        if latest is None:
            return self._pod.status
        theirs = [c for c in self._pod.status.get("conditions") or () if c["type"] not in OURS]
        ours = [c for c in latest.get("conditions") or () if c["type"] in OURS]
        return {**latest, "conditions": ours + theirs}

    def _note_backoff(self, step: Plan) -> None:
        """One event when a container begins to wait, not one a look."""
        for name, waiting in step.waiting.items():
            if (
                waiting.reason != "CrashLoopBackOff"
                or self._backing_off.get(name) == waiting.message
            ):
                continue
            self._backing_off[name] = waiting.message
            pod = self._pod
            text = (
                f"Back-off restarting failed container {name} in pod "
                f"{pod.name}_{pod.namespace}({pod.uid})"
            )
            about = pod_reference(pod, name)
            self._parts.recorder.event(about, "Warning", "BackOff", text)

    def _sooner(self, look_again_s: float | None) -> float | None:
        """When to look again: for the plan, because a token is due, or for room to grow."""
        due = None if self._verdict is not None else self._parts.tokens.due_in_s(self._pod)
        room = DEFERRED_RETRY_S if self._allocation.pending is not None else None
        waits = [seconds for seconds in (look_again_s, due, room) if seconds is not None]
        return min(waits, default=None)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, seconds), self.wake)

    def _child_failed(self, name: str, error: BaseException) -> None:
        log.error("task of a pod failed", task=name, error=error)
        self.wake()


def _only_status_changed(old: Pod, new: Pod) -> bool:
    """Our own write come back: nothing to do. Conditions of others may open a readiness gate."""
    return (
        old.spec == new.spec
        and old.deleting == new.deleting
        and old.grace_s == new.grace_s
        and old.finished == new.finished
        and _theirs(old) == _theirs(new)
    )


def _theirs(pod: Pod) -> list[Json]:
    return [c for c in pod.status.get("conditions") or () if c.get("type") not in OURS]

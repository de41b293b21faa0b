"""Carries out the actions of a plan, one pod's at a time, and tells what came of it.

Owns      the order of calls to the runtime, events about them, and what failed (`Progress`).
Leaves    every decision (plan).
Invariant performing an action twice does no harm: the runtime's calls are idempotent or the plan
          looks at a fresh listing first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from busk8s.api.object import Json
from busk8s.api.scheme import PODS
from busk8s.errors import Error
from busk8s.tasks import Nursery
from busk8s.worker.kubelet import plan as plans
from busk8s.worker.kubelet.admit import not_enforced_of, unsupported
from busk8s.worker.kubelet.backoff import BackOff, after_restart
from busk8s.worker.kubelet.downward import DownwardError, Facts
from busk8s.worker.kubelet.env import EnvError, environment
from busk8s.worker.kubelet.events import EventType, pod_reference
from busk8s.worker.kubelet.hooks import POST_START_MAX_S, run_hook
from busk8s.worker.kubelet.launch import (
    ConfigError,
    container_config,
    hostname,
    log_directory,
    sandbox_config,
    target_of,
)
from busk8s.worker.kubelet.logs import remove_log
from busk8s.worker.kubelet.parts import Parts
from busk8s.worker.kubelet.payload import VolumeError
from busk8s.worker.kubelet.pods import ContainerSpec, Pod
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.runtime.base import ContainerConfig, RuntimeFailure

CONFIG_RETRY_S = 10.0
HOOK_GRACE_MIN_S = 2.0
KEPT_ATTEMPTS = 2  # The running one and the one before it, for `kubectl logs --previous`.


@dataclass(slots=True)
class Progress:
    """What a pod's worker remembers between plans; goes into the next Situation."""

    backoff: dict[str, BackOff] = field(default_factory=dict)
    failures: dict[str, plans.Failure] = field(default_factory=dict)
    stopping: dict[str, float] = field(default_factory=dict)
    hooking: dict[str, None] = field(default_factory=dict)
    not_resized: dict[str, plans.Failure] = field(default_factory=dict)
    resized: dict[str, None] = field(default_factory=dict)
    terminating_since: float | None = None
    removed: bool = False
    deleted: bool = False


class Performer:
    def __init__(
        self, parts: Parts, progress: Progress, nursery: Nursery, wake: Callable[[], None]
    ) -> None:
        self._parts = parts
        self._progress = progress
        self._nursery = nursery
        self._wake = wake
        self._sandbox_id = ""
        self._ip = ""

    async def perform(self, pod: Pod, state: PodState, actions: tuple[plans.Action, ...]) -> None:
        sandbox = state.ready_sandbox
        self._sandbox_id = sandbox.id if sandbox is not None else ""
        self._ip = sandbox.ip if sandbox is not None else ""
        for action in actions:
            if not await self._one(pod, state, action):
                return

    async def _one(self, pod: Pod, state: PodState, action: plans.Action) -> bool:
        """False: what comes after makes no sense now."""
        runtime = self._parts.runtime
        match action:
            case plans.RunSandbox(attempt):
                return await self._run_sandbox(pod, attempt)
            case plans.StartContainer():
                await self._start(pod, state, action)
            case plans.KillContainer():
                self._kill(pod, action)
            case plans.ResizeContainer():
                await self._resize(pod, action)
            case plans.RemoveContainer(container_id):
                await runtime.remove_container(container_id)
            case plans.StopSandbox(sandbox_id):
                await runtime.stop_sandbox(sandbox_id)
            case plans.RemoveSandbox(sandbox_id):
                await runtime.remove_sandbox(sandbox_id)
            case plans.RemoveFiles():
                self._parts.volumes.remove(pod)
                self._parts.tokens.forget(pod)
                if self._parts.root:
                    shutil.rmtree(log_directory(self._parts.root, pod), ignore_errors=True)
                self._progress.removed = True
            case plans.DeletePod():
                await self._delete(pod)
        return True

    async def _run_sandbox(self, pod: Pod, attempt: int) -> bool:
        parts = self._parts
        # A volume that cannot be had comes before all else.
        await parts.prepare(pod, parts.facts)
        config = sandbox_config(pod, attempt, parts.root, parts.dns)
        try:
            async with parts.starts:
                sandbox = await parts.runtime.run_sandbox(config)
        except RuntimeFailure as failure:
            self._failed("", "FailedCreatePodSandBox", failure.message)
            text = f"Failed to create pod sandbox: {failure.message}"
            self._event(pod, "Warning", "FailedCreatePodSandBox", text)
            return False
        self._progress.failures.pop("", None)
        self._progress.backoff.pop("", None)
        self._sandbox_id, self._ip = sandbox.id, sandbox.ip
        return True

    async def _start(self, pod: Pod, state: PodState, action: plans.StartContainer) -> None:
        spec = pod.container(action.name)
        assert spec is not None, "plans name containers of the pod"
        progress = self._progress
        if action.ended_at is not None:
            entry = progress.backoff.get(spec.name)
            now = self._parts.clock.now()
            progress.backoff[spec.name] = after_restart(entry, action.ended_at, now)
        # Again, now that the address is known: a downwardAPI volume may show it.
        await self._parts.prepare(pod, self._facts())
        try:
            config = self._configure(pod, state, spec, action.attempt)
        except (EnvError, DownwardError, ConfigError, VolumeError) as error:
            retry_at = self._parts.clock.now() + CONFIG_RETRY_S
            failure = plans.Failure("CreateContainerConfigError", str(error), retry_at)
            progress.failures[spec.name] = failure
            self._event(pod, "Warning", "Failed", f"Error: {error}", spec)
            return
        if spec in pod.ephemeral:
            self._say_what_is_left_out(pod, spec)
        await self._create_and_start(pod, spec, config)
        if spec.name not in progress.failures:
            for container in state.attempts(spec.name):
                progress.resized.pop(container.id, None)
        await self._forget_old(pod, state, spec.name)

    def _say_what_is_left_out(self, pod: Pod, spec: ContainerSpec) -> None:
        """Of a container that came after the pod was let in."""
        if self._parts.runtime.name == "process" and (fields := not_enforced_of(spec.raw)):
            text = f"the process runtime does not enforce: {', '.join(fields)}"
            self._event(pod, "Warning", "NotEnforced", text, spec)

    def _facts(self) -> Facts:
        host = self._parts.host
        return replace(self._parts.facts, pod_ip=self._ip or (host.ips[0] if host.ips else ""))

    def _configure(
        self, pod: Pod, state: PodState, spec: ContainerSpec, attempt: int
    ) -> ContainerConfig:
        if refused := unsupported(pod, spec):
            raise ConfigError(f"not supported by this node: {', '.join(refused)}")
        parts, facts = self._parts, self._facts()
        services = parts.view.all("services")
        env = environment(pod, spec.raw, facts, parts.view.get, services)
        mounts = parts.volumes.mounts(pod, spec, env)
        if hosts := parts.volumes.hosts_file(pod, facts.pod_ip, hostname(pod)):
            mounts.append(hosts)
        config = container_config(pod, spec, attempt, env, mounts, as_root=os.geteuid() == 0)
        return replace(config, target_id=target_of(spec, state))

    async def _create_and_start(
        self, pod: Pod, spec: ContainerSpec, config: ContainerConfig
    ) -> None:
        runtime = self._parts.runtime
        try:
            async with self._parts.starts:
                container_id = await runtime.create_container(self._sandbox_id, config)
                self._event(pod, "Normal", "Created", f"Created container: {spec.name}", spec)
                await runtime.start_container(container_id)
        except RuntimeFailure as failure:
            self._failed(spec.name, failure.reason, failure.message)
            self._event(pod, "Warning", "Failed", f"Error: {failure.message}", spec)
            return
        self._progress.failures.pop(spec.name, None)
        self._event(pod, "Normal", "Started", f"Started container {spec.name}", spec)
        if spec.post_start:
            self._progress.hooking[container_id] = None
            job = self._post_start(pod, spec, spec.post_start, container_id)
            self._nursery.spawn(job, name=f"postStart {pod.key} {spec.name}")

    async def _post_start(
        self, pod: Pod, spec: ContainerSpec, handler: Json, container_id: str
    ) -> None:
        try:
            problem = await self._hook(handler, spec, container_id, POST_START_MAX_S)
            if problem:
                self._event(pod, "Warning", "FailedPostStartHook", "PostStartHook failed", spec)
                message = "FailedPostStartHook"
                self._kill(pod, plans.KillContainer(container_id, spec.name, pod.grace_s, message))
        finally:
            self._progress.hooking.pop(container_id, None)
            self._wake()

    async def _hook(
        self, handler: Json, spec: ContainerSpec, container_id: str, limit_s: float
    ) -> str:
        parts = self._parts
        ip = self._facts().pod_ip
        return await run_hook(
            handler, spec, container_id, ip, parts.runtime, parts.clock, limit_s=limit_s
        )

    async def _forget_old(self, pod: Pod, state: PodState, name: str) -> None:
        """`state` is from before the start: one of those is the previous run, the rest goes."""
        for container in state.attempts(name)[KEPT_ATTEMPTS - 1 :]:
            if container.state != "running":
                await self._parts.runtime.remove_container(container.id)
                if self._parts.root:
                    remove_log(self._parts.root, pod, container)

    def _failed(self, name: str, reason: str, message: str) -> None:
        now = self._parts.clock.now()
        entry = after_restart(self._progress.backoff.get(name), now, now)
        self._progress.backoff[name] = entry
        self._progress.failures[name] = plans.Failure(reason, message, now + entry.delay_s)

    async def _resize(self, pod: Pod, action: plans.ResizeContainer) -> None:
        runtime, failed = self._parts.runtime, self._progress.not_resized
        try:
            await runtime.update_container(action.container_id, action.limits)
        except RuntimeFailure as failure:
            retry_at = self._parts.clock.now() + CONFIG_RETRY_S
            failed[action.name] = plans.Failure("Error", failure.message, retry_at)
            spec = pod.container(action.name)
            self._event(pod, "Warning", "ResizeError", failure.message, spec)
            return
        failed.pop(action.name, None)

    def _kill(self, pod: Pod, action: plans.KillContainer) -> None:
        """In the background: a long grace period must not keep the pod from hearing more."""
        again = action.container_id in self._progress.stopping
        if action.resized:
            self._progress.resized[action.container_id] = None
        self._progress.stopping[action.container_id] = self._parts.clock.now() + action.grace_s
        spec = pod.container(action.name)
        self._event(pod, "Normal", "Killing", action.message, spec)
        self._nursery.spawn(
            self._stop(pod, action, again=again), name=f"kill {pod.key} {action.name}"
        )

    async def _pre_stop(
        self, pod: Pod, spec: ContainerSpec, handler: Json, action: plans.KillContainer
    ) -> None:
        problem = await self._hook(handler, spec, action.container_id, action.grace_s)
        if problem:
            self._event(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", spec)

    async def _stop(self, pod: Pod, action: plans.KillContainer, *, again: bool) -> None:
        began = self._parts.clock.monotonic()
        spec = pod.container(action.name)
        try:
            if spec is not None and spec.pre_stop and action.grace_s > 0 and not again:
                await self._pre_stop(pod, spec, spec.pre_stop, action)
            spent = self._parts.clock.monotonic() - began
            # As upstream: after a long hook there is still a moment between SIGTERM and SIGKILL.
            grace_s = max(min(action.grace_s, HOOK_GRACE_MIN_S), action.grace_s - spent)
            await self._parts.runtime.stop_container(action.container_id, grace_s)
        except RuntimeFailure as failure:
            self._event(pod, "Warning", "FailedKillPod", f"error killing pod: {failure.message}")
            await self._parts.clock.sleep(1.0)
        finally:
            self._progress.stopping.pop(action.container_id, None)
            self._wake()

    async def _delete(self, pod: Pod) -> None:
        try:
            await self._parts.client.delete(
                PODS, pod.name, namespace=pod.namespace, uid=pod.uid, grace_period_s=0
            )
        except Error as error:
            if error.code not in (404, 409):
                raise
        self._progress.deleted = True

    def _event(
        self,
        pod: Pod,
        kind: EventType,
        reason: str,
        message: str,
        spec: ContainerSpec | None = None,
    ) -> None:
        about = pod_reference(pod, spec.name if spec is not None else "")
        self._parts.recorder.event(about, kind, reason, message)

"""Answers the master's `log` stream: finds the container that is meant, sends its log.

Owns      the choice of container and run, and upstream's words when there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.errors import bad_request, not_found
from busk8s.worker.kubelet.log_lines import Options
from busk8s.worker.kubelet.logs import log_path, options_of, read_log
from busk8s.worker.kubelet.pleg import Pleg
from busk8s.worker.kubelet.pods import Pod
from busk8s.worker.kubelet.status_writer import StatusWriter
from busk8s.worker.kubelet.view import View


class Writes(Protocol):
    async def write(self, data: bytes) -> None: ...


class LogStream:
    def __init__(
        self, root: str, view: View, pleg: Pleg, writer: StatusWriter, clock: Clock
    ) -> None:
        self._root = root
        self._view = view
        self._pleg = pleg
        self._writer = writer
        self._clock = clock

    async def serve(self, params: Json, stream: Writes) -> None:
        """`params`: namespace, name (or pod), container, and the query's log options."""
        pod = self._pod(params)
        name = self._container(pod, str(params.get("container") or ""))
        try:
            options = options_of(params, self._clock.now())
        except ValueError as error:
            raise bad_request(f"invalid log option: {error}") from error
        path, attempt = self._path(pod, name, options)

        def alive() -> bool:
            latest = self._pleg.peek(pod.uid).latest(name)
            same = latest is not None and latest.config.attempt == attempt
            return same and latest is not None and latest.state == "running"

        async for chunk in read_log(path, options, self._clock, alive):
            await stream.write(chunk)

    def _pod(self, params: Json) -> Pod:
        namespace = str(params.get("namespace") or "")
        name = str(params.get("name") or params.get("pod") or "")
        obj = self._view.get("pods", namespace, name)
        pod = self._view.pods.get(obj.uid) if obj is not None else None
        if pod is None:
            raise not_found("pods", name)
        return pod

    def _container(self, pod: Pod, name: str) -> str:
        names = [spec.name for spec in pod.containers]
        if not name:
            if len(names) != 1:
                choice = " ".join(names)
                raise bad_request(
                    f"a container name must be specified for pod {pod.name}, "
                    f"choose one of: [{choice}]"
                )
            return names[0]
        if pod.container(name) is None:
            raise bad_request(f"container {name} is not valid for pod {pod.name}")
        return name

    def _path(self, pod: Pod, name: str, options: Options) -> tuple[Path, int]:
        attempt = self._attempt(pod, name, previous=options.previous)
        return log_path(self._root, pod, name, attempt), attempt

    def _attempt(self, pod: Pod, name: str, *, previous: bool) -> int:
        entry = self._entry(pod, name)
        attempts = self._pleg.peek(pod.uid).attempts(name)
        if previous:
            wanted = ((entry.get("lastState") or {}).get("terminated") or {}).get("containerID", "")
            for container in attempts:
                if wanted.endswith(container.id):
                    return container.config.attempt
            raise bad_request(
                f'previous terminated container "{name}" in pod "{pod.name}" not found'
            )
        for container in attempts:
            if container.state != "created":
                return container.config.attempt
        if entry.get("containerID"):
            return int(entry.get("restartCount") or 0)
        waiting = (entry.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason") or "ContainerCreating"
        raise bad_request(f'container "{name}" in pod "{pod.name}" is waiting to start: {reason}')

    def _entry(self, pod: Pod, name: str) -> Json:
        status = self._writer.latest(pod.uid) or pod.status
        for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
            for entry in status.get(field) or ():
                if entry.get("name") == name:
                    found: Json = entry
                    return found
        return {}

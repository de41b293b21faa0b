"""Reads container logs for `kubectl logs`, and keeps them from filling the disk.

Owns      reading from the end, following over a rotation, rotating.
Leaves    the format (log_lines.py), writing (runtime), which container is meant (log_stream.py).
Bound     a chunk is CHUNK_BYTES; a container has FILES_MAX files of about FILE_BYTES_MAX.

Differs from Kubernetes: rotated files are not compressed.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.worker.kubelet.launch import log_directory
from busk8s.worker.kubelet.log_lines import Options, Renderer, parse_line, rotated
from busk8s.worker.kubelet.pods import Pod
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.runtime.base import Container, Runtime, RuntimeFailure

FILE_BYTES_MAX = 10 << 20
FILES_MAX = 5
ROTATE_PERIOD_S = 10.0
FOLLOW_PERIOD_S = 0.2  # inotify instances are few and shared with all pods.
CHUNK_BYTES = 32 << 10

log = Logger("kubelet.logs")


async def read_log(
    path: Path, options: Options, clock: Clock, alive: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Chunks of what `kubectl logs` prints; with follow, until the container has ended."""
    renderer = Renderer(options)
    file = await _open(path, options, clock, alive)
    if file is None:
        return
    try:
        if options.tail is not None:
            file.seek(_tail_offset(file, options.tail))
        rest = b""
        while True:
            # Asked before reading: what was written before the end is then surely read.
            running = alive()
            while block := file.read(CHUNK_BYTES):
                rest, out = _render(renderer, rest + block)
                if out:
                    yield out
                if renderer.full:
                    return
            if options.follow and (newer := _renewed(path, file)) is not None:
                file.close()
                file = newer
                continue
            if not options.follow or not running:
                break
            await clock.sleep(FOLLOW_PERIOD_S)
        if rest and (out := renderer.render(parse_line(rest))):
            yield out
    finally:
        file.close()


async def _open(
    path: Path, options: Options, clock: Clock, alive: Callable[[], bool]
) -> BinaryIO | None:
    """None: there is no log. A container that has just started may not have written yet."""
    while True:
        try:
            return path.open("rb")
        except FileNotFoundError:
            if not options.follow or not alive():
                return None
        await clock.sleep(FOLLOW_PERIOD_S)


def _render(renderer: Renderer, data: bytes) -> tuple[bytes, bytes]:
    *whole, rest = data.split(b"\n")
    return rest, b"".join(renderer.render(parse_line(raw)) for raw in whole)


def _renewed(path: Path, file: BinaryIO) -> BinaryIO | None:
    """The file that took this one's place, once this one has been read to its end."""
    try:
        if os.stat(path).st_ino == os.fstat(file.fileno()).st_ino:
            return None
        return path.open("rb")
    except FileNotFoundError:
        return None


def _tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin: read backwards, block by block."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    at, found = end, 0
    while at > 0:
        start = max(0, at - CHUNK_BYTES)
        file.seek(start)
        block = file.read(at - start)
        position = len(block)
        while (position := block.rfind(b"\n", 0, position)) >= 0:
            # The newline that ends the file closes the last line, it opens none.
            if start + position != end - 1:
                found += 1
                if found == lines:
                    return start + position + 1
        at = start
    return 0


def log_path(root: str, pod: Pod, name: str, attempt: int) -> Path:
    return Path(log_directory(root, pod)) / name / f"{attempt}.log"


def remove_log(root: str, pod: Pod, container: Container) -> None:
    """Of a run that is forgotten: its file and the rotated ones."""
    path = log_path(root, pod, container.config.name, container.config.attempt)
    for file in [path, *path.parent.glob(f"{path.name}.*")]:
        file.unlink(missing_ok=True)


class Rotation:
    """Every so often: rename logs that have grown too big, and let the oldest go."""

    def __init__(
        self,
        root: str,
        runtime: Runtime,
        clock: Clock,
        pods: Callable[[], Iterable[tuple[Pod, PodState]]],
        *,
        bytes_max: int = FILE_BYTES_MAX,
        files_max: int = FILES_MAX,
    ) -> None:
        self._root = root
        self._runtime = runtime
        self._clock = clock
        self._pods = pods
        self._bytes_max = bytes_max
        self._files_max = files_max

    async def run(self) -> None:
        while True:
            await self._clock.sleep(ROTATE_PERIOD_S)
            await self.rotate_all()

    async def rotate_all(self) -> None:
        for pod, state in list(self._pods()):
            for container in state.running:
                name, attempt = container.config.name, container.config.attempt
                try:
                    await self._rotate(log_path(self._root, pod, name, attempt), container.id)
                except (OSError, RuntimeFailure) as error:
                    log.warning("log not rotated", pod=pod.key, container=name, error=error)

    async def _rotate(self, path: Path, container_id: str) -> None:
        try:
            if path.stat().st_size < self._bytes_max:
                return
        except FileNotFoundError:
            return
        stamp = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y%m%d-%H%M%S.%f")
        path.rename(path.with_name(f"{path.name}.{stamp}"))
        await self._runtime.reopen_log(container_id)
        names = [found.name for found in path.parent.glob(f"{path.name}.*")]
        for name in rotated(names, self._files_max - 1):
            path.with_name(name).unlink(missing_ok=True)


def options_of(params: Mapping[str, object], now: float) -> Options:
    """From the query of `GET .../pods/NAME/log`, whose values may be text, lists or JSON."""
    since = 0.0
    if text := _text(params, "sinceTime"):
        since = datetime.fromisoformat(text).timestamp()
    elif text := _text(params, "sinceSeconds"):
        since = now - int(text)
    stream = _text(params, "stream").lower()
    tail, limit = _text(params, "tailLines"), _text(params, "limitBytes")
    return Options(
        follow=_flag(params, "follow"),
        previous=_flag(params, "previous"),
        timestamps=_flag(params, "timestamps"),
        tail=int(tail) if tail else None,
        since=since,
        limit_bytes=int(limit) if limit else None,
        stream=stream.encode() if stream in ("stdout", "stderr") else b"",
    )


def _text(params: Mapping[str, object], name: str) -> str:
    value = params.get(name)
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return "" if value is None else str(value)


def _flag(params: Mapping[str, object], name: str) -> bool:
    # As Go's query decoding: `?follow` alone means true; JSON gives a real boolean.
    return name in params and _text(params, name).lower() not in ("false", "0", "none")

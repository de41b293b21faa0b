"""Supervision: every task has a parent, the first to end stops all, the first error wins."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any

Job = Coroutine[Any, Any, Any]


async def supervise(*jobs: Job) -> None:
    """Run `jobs` until the first of them ends, then cancel and await the rest.

    Raises the first error, if any. Shape: oklog/run's group.
    """
    await _run(jobs, asyncio.FIRST_COMPLETED)


async def together(*jobs: Job) -> None:
    """Run `jobs` until all have ended; the first that fails cancels the rest and is raised."""
    await _run(jobs, asyncio.FIRST_EXCEPTION)


async def _run(jobs: Sequence[Job], until: str) -> None:
    """Wait `until`, end what is left, raise the first error."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=until)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


class Nursery:
    """Tasks that come and go under one parent; closing it cancels and awaits what is left.

    Unlike `asyncio.TaskGroup`, a child that fails does not stop its siblings: `on_error` is told.
    Use it where one connection, one pod or one request must not take the others down.
    """

    def __init__(self, on_error: Any = None) -> None:
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._on_error = on_error

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, job: Job, *, name: str | None = None) -> asyncio.Task[Any]:
        task = asyncio.create_task(job, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and self._on_error is not None:
            self._on_error(task.get_name(), error)

    async def __aenter__(self) -> Nursery:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
